"""`masugata mail`: what an operator sees of the journal."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from gateway.journal.model import Blob, Job, Step, Target
from gateway.journal.sqlite import SqliteJournal
from gateway.journal.states import Stage, State

if TYPE_CHECKING:
    from pathlib import Path


def masugata(*arguments: str) -> subprocess.CompletedProcess[str]:
    program = "from gateway.cli.main import main; main()"
    return subprocess.run(
        [sys.executable, "-c", program, "mail", *arguments],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mail")

    async def fill() -> None:
        journal = SqliteJournal(folder)
        for name in ("aa1", "aa2", "bb3"):
            meta = {"sender": "evil\x1b[2J@x.example", "peer": ["192.0.2.1", 4], "flow_id": "mail-in"}
            await journal.add(
                Job(
                    id=name,
                    kind="mail",
                    blob=Blob("ab" * 32, 5),
                    created=0.0,
                    meta=meta,
                    targets=(Target("b@y.example"),),
                )
            )
        held = await journal.lease(Stage.SANITIZE, kind="mail", seconds=1, now=1)
        await journal.advance(held.lease, Step(state=State.QUARANTINED, reason="mail-encrypted"), now=2)
        await journal.close()

    asyncio.run(fill())
    return folder


def test_the_queue_lists_what_waits_and_why(state: Path) -> None:
    done = masugata("queue", "--state", str(state))
    assert done.returncode == 0, done.stderr
    first, *others = done.stdout.splitlines()
    assert first.startswith(
        "aa1  1970-01-01T00:00:00Z  held in quarantine [mail-encrypted]  <evil\\u{1b}[2J@x.example>"
    )
    assert len(others) == 2


def test_json_holds_the_codes(state: Path) -> None:
    done = masugata("queue", "--state", str(state), "--json", "--limit", "1")
    (record,) = map(json.loads, done.stdout.splitlines())
    assert (record["id"], record["state"], record["reason"]) == ("aa1", "quarantined", "mail-encrypted")
    assert "--limit" in done.stderr


def test_the_beginning_of_an_id_is_enough_if_it_is_one(state: Path) -> None:
    done = masugata("show", "bb", "--state", str(state), "--lang", "ja")
    assert done.returncode == 0, done.stderr
    assert "状態: 受領済み" in done.stdout
    assert "宛先: b@y.example: 未配送" in done.stdout
    ambiguous, missing = (
        masugata("show", "aa", "--state", str(state)),
        masugata("show", "zz", "--state", str(state)),
    )
    assert (ambiguous.returncode, missing.returncode) == (2, 2)
    assert "2 mails" in ambiguous.stderr


def test_no_journal_is_said_with_its_cure(tmp_path: Path) -> None:
    done = masugata("queue", "--state", str(tmp_path))
    assert done.returncode == 3
    assert "--state" in done.stderr
