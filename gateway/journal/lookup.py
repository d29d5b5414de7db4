"""The journal as somebody who only looks sees it: read-only, beside the running service."""

from __future__ import annotations

import sqlite3
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, NamedTuple

from gateway.journal.rows import read_job
from gateway.journal.tables import JOURNAL_NAME, connect, count_jobs, find_jobs, schema_version
from zones.errors import BackendError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Set
    from pathlib import Path

    from gateway.journal.model import Job
    from gateway.journal.states import State


class Listing(NamedTuple):
    """Jobs found, how many there are by state, and whether more than asked for matched."""

    jobs: tuple[Job, ...]
    counts: Mapping[State, int]
    more: bool


def list_jobs(folder: Path, *, states: Set[State], limit: int) -> Listing:
    """Return jobs in these states (none named: all), oldest first.

    Raises:
        BackendError: there is no journal, or it cannot be read.
    """
    with _opened(folder) as connection:
        found = find_jobs(connection, states, limit + 1)
        return Listing(tuple(found[:limit]), count_jobs(connection), len(found) > limit)


def find_by_prefix(folder: Path, prefix: str) -> tuple[Job, ...]:
    """Return the jobs whose id begins with `prefix`, at most ten.

    Raises:
        BackendError: there is no journal, or it cannot be read.
    """
    with _opened(folder) as connection:
        rows = connection.execute(
            "SELECT id FROM job WHERE substr(id, 1, ?) = ? ORDER BY id LIMIT 10", (len(prefix), prefix)
        ).fetchall()
        jobs = (read_job(connection, row[0]) for row in rows)
        return tuple(job for job in jobs if job is not None)


@contextmanager
def _opened(folder: Path) -> Iterator[sqlite3.Connection]:
    place = folder / JOURNAL_NAME
    if not place.is_file():
        raise BackendError("journal-missing", place=str(folder))
    try:
        with closing(connect(place, read_only=True)) as connection:
            schema_version(connection, place)
            # One snapshot for everything that is asked.
            connection.execute("BEGIN")
            yield connection
    except sqlite3.Error as error:
        raise BackendError("journal-unavailable", place=str(place), detail=str(error)) from error
