"""The embedded journal: migrations, durability settings, one commit for many, and readers beside it."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from gateway.journal.lookup import find_by_prefix, list_jobs
from gateway.journal.migrations import MIGRATIONS
from gateway.journal.model import Blob, Job, Step, backoff_seconds, new_job_id
from gateway.journal.sqlite import SqliteJournal
from gateway.journal.states import Stage, State
from gateway.journal.tables import JOURNAL_NAME, connect
from zones.errors import BackendError

if TYPE_CHECKING:
    from pathlib import Path


def job(name: str) -> Job:
    return Job(id=name, kind="mail", blob=Blob("ab" * 32, 5), created=1.0, meta={})


async def test_a_new_journal_has_every_migration_and_full_durability(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path)
    await journal.close()
    with closing(connect(tmp_path / JOURNAL_NAME)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone()[0] == len(MIGRATIONS)
        assert connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
        assert connection.execute("PRAGMA synchronous").fetchone()[0] == 2
        assert connection.execute("PRAGMA foreign_keys").fetchone()[0] == 1


async def test_a_journal_of_a_newer_masugata_is_left_alone(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / JOURNAL_NAME)) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(BackendError) as refused:
        SqliteJournal(tmp_path)
    assert refused.value.code == "journal-too-new"


async def test_a_file_that_is_no_journal_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / JOURNAL_NAME).write_bytes(b"not a database" * 100)
    with pytest.raises(BackendError) as refused:
        SqliteJournal(tmp_path)
    assert refused.value.code == "journal-unavailable"
    assert (tmp_path / JOURNAL_NAME).read_bytes() == b"not a database" * 100


async def test_one_failure_in_a_batch_takes_no_other_with_it(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path)
    await journal.add(job("j0"))
    names = ["j1", "j0", "j2", "j0", "j3"]  # a name given twice breaks the primary key
    done = await asyncio.gather(*(journal.add(job(name)) for name in names), return_exceptions=True)
    assert [type(outcome).__name__ for outcome in done] == [
        "NoneType", "BackendError", "NoneType", "BackendError", "NoneType",
    ]  # fmt: skip
    assert [found.id for found in await journal.find()] == ["j0", "j1", "j2", "j3"]
    await journal.close()


async def test_after_close_it_says_so(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path)
    await journal.close()
    with pytest.raises(BackendError):
        await journal.get("j")


async def test_a_reader_sees_the_running_journal_and_changes_nothing(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path)
    await asyncio.gather(*(journal.add(job(f"aa{number}")) for number in range(3)))
    held = await journal.lease(Stage.SANITIZE, kind="mail", seconds=10, now=5)
    await journal.advance(held.lease, Step(state=State.QUARANTINED), now=5)
    listing = list_jobs(tmp_path, states={State.SPOOLED}, limit=1)
    assert [found.id for found in listing.jobs] == ["aa1"]
    assert listing.more
    assert listing.counts == {State.QUARANTINED: 1, State.SPOOLED: 2}
    assert [found.id for found in find_by_prefix(tmp_path, "aa")] == ["aa0", "aa1", "aa2"]
    assert find_by_prefix(tmp_path, "%") == ()
    with (
        closing(connect(tmp_path / JOURNAL_NAME, read_only=True)) as reader,
        pytest.raises(sqlite3.OperationalError),
    ):
        reader.execute("DELETE FROM job")
    await journal.close()


def test_what_was_added_survives_a_killed_process(tmp_path: Path) -> None:
    program = """
import asyncio, os, signal, sys
from pathlib import Path
from gateway.journal.model import Blob, Job
from gateway.journal.sqlite import SqliteJournal

async def main():
    journal = SqliteJournal(Path(sys.argv[1]))
    for number in range(20):
        await journal.add(Job(id=f"j{number:02}", kind="mail", blob=Blob("ab" * 32, 5), created=1.0, meta={}))
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], timeout=30, check=False)
    assert done.returncode == -9
    assert len(list_jobs(tmp_path, states=frozenset(), limit=100).jobs) == 20


def test_no_journal_is_said_in_words(tmp_path: Path) -> None:
    with pytest.raises(BackendError) as missing:
        list_jobs(tmp_path, states=frozenset(), limit=1)
    assert missing.value.code == "journal-missing"


def test_waits_grow_to_their_ceiling_and_do_not_come_in_step() -> None:
    def waits(seed: str) -> list[float]:
        return [backoff_seconds(n, first_seconds=60, ceiling_seconds=3600, seed=seed) for n in range(1, 60)]

    assert waits("a") == waits("a")
    assert waits("a") != waits("b")
    for attempt, wait in enumerate(waits("a"), start=1):
        full = min(3600, 60 * 2 ** (attempt - 1))
        assert 0.75 * full <= wait <= full


def test_ids_sort_by_time_and_do_not_repeat() -> None:
    assert new_job_id(1000.0) < new_job_id(1000.1) < new_job_id(2_000_000_000.0)
    assert len({new_job_id(5.0) for _ in range(1000)}) == 1000
