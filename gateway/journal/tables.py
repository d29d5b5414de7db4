"""The journal's tables: opening, migrating and the statements that work on them, without any waiting."""

from __future__ import annotations

import secrets
import sqlite3
from typing import TYPE_CHECKING

from gateway.journal.migrations import MIGRATIONS
from gateway.journal.model import Job, Lease, LeaseLost, Step
from gateway.journal.rows import dump, read_job, write_targets
from gateway.journal.states import INTERRUPTED, STAGES, Stage, State, keeps_attempts, may_follow
from zones.errors import BackendError

if TYPE_CHECKING:
    from collections.abc import Mapping, Set
    from pathlib import Path

JOURNAL_NAME = "journal.sqlite"
_BUSY_MILLISECONDS = 5000


def connect(place: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """Open a journal file; read-only for whoever only looks.

    Raises:
        sqlite3.Error: it cannot be opened.
    """
    mode = "ro" if read_only else "rwc"
    connection = sqlite3.connect(
        f"{place.absolute().as_uri()}?mode={mode}", uri=True, isolation_level=None, check_same_thread=False
    )
    try:
        _prepare(connection, writing=not read_only)
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection, *, writing: bool) -> None:
    connection.row_factory = sqlite3.Row
    connection.execute(f"PRAGMA busy_timeout = {_BUSY_MILLISECONDS}")
    if writing:
        connection.execute("PRAGMA journal_mode = WAL")
        # FULL: the WAL is on the disk before COMMIT returns. NORMAL may lose what was promised.
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        # Nothing is written but the database: a confined role may not use /var/tmp.
        connection.execute("PRAGMA temp_store = MEMORY")


def migrate(connection: sqlite3.Connection, place: Path) -> None:
    """Bring the tables up to date, each step in a transaction.

    Raises:
        BackendError: a newer masugata wrote this file.
    """
    version = schema_version(connection, place)
    for number, statements in enumerate(MIGRATIONS[version:], start=version + 1):
        connection.execute("BEGIN IMMEDIATE")
        for statement in statements:
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {number}")
        connection.execute("COMMIT")


def schema_version(connection: sqlite3.Connection, place: Path) -> int:
    """Return the number of migrations taken.

    Raises:
        BackendError: more than we know of.
    """
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version > len(MIGRATIONS):
        raise BackendError("journal-too-new", place=str(place), found=version, known=len(MIGRATIONS))
    return version


def find_jobs(connection: sqlite3.Connection, states: Set[State], limit: int) -> list[Job]:
    """Return jobs in these states (none named: all), oldest first."""
    where = f"WHERE state IN ({_marks(states)})" if states else ""
    rows = connection.execute(
        f"SELECT id FROM job {where} ORDER BY created, id LIMIT ?",  # noqa: S608
        (*_values(states), limit),
    ).fetchall()
    jobs = (read_job(connection, row[0]) for row in rows)
    return [job for job in jobs if job is not None]


def count_jobs(connection: sqlite3.Connection) -> Mapping[State, int]:
    """Return how many jobs are in each state."""
    rows = connection.execute("SELECT state, count(*) FROM job GROUP BY state")
    return {State(row[0]): int(row[1]) for row in rows}


def lease_job(
    connection: sqlite3.Connection, stage: Stage, kind: str, seconds: float, now: float
) -> Job | None:
    """Take the job that is due next, or None; the lease counts as an attempt."""
    _, _, held = STAGES[stage]
    row = _due(connection, stage, kind, now)
    if row is None:
        return None
    connection.execute(
        "UPDATE job SET state = ?, lease = ?, lease_until = ?, attempts = attempts + 1, updated = ?"
        " WHERE id = ?",
        (held.value, secrets.token_hex(8), now + seconds, now, row[0]),
    )
    return read_job(connection, row[0])


def _due(connection: sqlite3.Connection, stage: Stage, kind: str, now: float) -> sqlite3.Row | None:
    """Return the job to take next: leases run out first (there are few), then the order of the index."""
    waiting, working, _ = STAGES[stage]
    queries = (
        (f"state IN ({_marks(working)}) AND lease_until <= ?", working),
        (f"state IN ({_marks(waiting)}) AND not_before <= ?", waiting),
    )
    for condition, states in queries:
        row: sqlite3.Row | None = connection.execute(
            f"SELECT id FROM job WHERE kind = ? AND {condition} ORDER BY not_before, created, id LIMIT 1",  # noqa: S608
            (kind, *_values(states), now),
        ).fetchone()
        if row is not None:
            return row
    return None


def advance_job(connection: sqlite3.Connection, lease: Lease, step: Step, now: float) -> Job:
    """Write what became of a leased job, and end the lease.

    Raises:
        LeaseLost: somebody else holds it.
        ValueError: the state may not follow the present one.
    """
    row = connection.execute(
        "SELECT state, attempts FROM job WHERE id = ? AND lease = ?", (lease.job_id, lease.token)
    ).fetchone()
    if row is None:
        raise LeaseLost(lease.job_id)
    before = State(row[0])
    if not may_follow(before, step.state):
        raise ValueError(f"{step.state} may not follow {before}")
    connection.execute(
        "UPDATE job SET state = ?, reason = ?, not_before = ?, updated = ?, lease = NULL, lease_until = 0,"
        " attempts = ?, artefact = coalesce(?, artefact), artefact_size = coalesce(?, artefact_size),"
        " provenance = coalesce(?, provenance) WHERE id = ?",
        (
            step.state.value,
            step.reason,
            step.not_before,
            now,
            row[1] if keeps_attempts(before, step.state) else 0,
            step.artefact.sha256 if step.artefact else None,
            step.artefact.size if step.artefact else None,
            None if step.provenance is None else dump(dict(step.provenance)),
            lease.job_id,
        ),
    )
    write_targets(connection, lease.job_id, step.targets)
    job = read_job(connection, lease.job_id)
    assert job is not None  # noqa: S101  read in the transaction that just updated it
    return job


def _marks(states: Set[State]) -> str:
    return ", ".join("?" * len(states))


def _values(states: Set[State]) -> list[str]:
    return sorted(state.value for state in states)


def extend_lease(connection: sqlite3.Connection, lease: Lease, until: float) -> Lease:
    """Keep a lease longer.

    Raises:
        LeaseLost: it was given to somebody else.
    """
    changed = connection.execute(
        "UPDATE job SET lease_until = ? WHERE id = ? AND lease = ?", (until, lease.job_id, lease.token)
    )
    if changed.rowcount != 1:
        raise LeaseLost(lease.job_id)
    return lease._replace(until=until)


def end_leases(connection: sqlite3.Connection, now: float) -> int:
    """Put every leased job back to wait; return how many."""
    count = 0
    for working, resting in INTERRUPTED.items():
        count += connection.execute(
            "UPDATE job SET state = ?, lease = NULL, lease_until = 0, updated = ? WHERE state = ?",
            (resting.value, now, working.value),
        ).rowcount
    return count


def next_due(connection: sqlite3.Connection, stage: Stage, kind: str) -> float | None:
    """Return when the next job of this stage becomes due."""
    waiting, working, _ = STAGES[stage]
    row = connection.execute(
        f"SELECT min(CASE WHEN state IN ({_marks(waiting)}) THEN not_before ELSE lease_until END)"  # noqa: S608
        f" FROM job WHERE kind = ? AND state IN ({_marks(waiting | working)})",
        (*_values(waiting), kind, *_values(waiting | working)),
    ).fetchone()
    return None if row[0] is None else float(row[0])


def forget_jobs(connection: sqlite3.Connection, states: Set[State], before: float) -> int:
    """Remove jobs in these states that were last touched before a time; return how many."""
    return connection.execute(
        f"DELETE FROM job WHERE updated < ? AND state IN ({_marks(states)})",  # noqa: S608
        (before, *_values(states)),
    ).rowcount


def all_blobs(connection: sqlite3.Connection) -> Set[str]:
    """Return the digest of all content that some job refers to."""
    rows = connection.execute(
        "SELECT blob FROM job UNION SELECT artefact FROM job WHERE artefact IS NOT NULL"
    )
    return {row[0] for row in rows}
