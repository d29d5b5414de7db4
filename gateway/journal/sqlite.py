"""The embedded journal: SQLite in WAL mode with synchronous=FULL.

One thread owns the connection, so the event loop never waits for a disk. It takes whatever operations have
queued up while the last commit was under way and commits them together: one fsync for many jobs, and no
caller is answered before the commit that holds its change. Each operation has a savepoint of its own, so
one that fails takes no other with it.
"""

from __future__ import annotations

import asyncio
import os
import queue
import secrets
import sqlite3
import threading
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any, TypeVar

from gateway.journal.migrations import MIGRATIONS
from gateway.journal.model import Job, Lease, LeaseLost, Step
from gateway.journal.rows import dump, read_job, write_job, write_targets
from gateway.journal.states import INTERRUPTED, STAGES, Stage, State, keeps_attempts, may_follow
from zones.errors import BackendError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence, Set
    from pathlib import Path

T = TypeVar("T")

JOURNAL_NAME = "journal.sqlite"
_BATCH = 64
_BUSY_MILLISECONDS = 5000


class SqliteJournal:
    """A `Journal` in one file of a state directory.

    Raises:
        BackendError: the file cannot be opened, is damaged, or was written by a newer masugata.
    """

    def __init__(self, folder: Path) -> None:
        self._place = folder / JOURNAL_NAME
        self._queue: queue.SimpleQueue[tuple[Any, asyncio.Future[Any], asyncio.AbstractEventLoop] | None]
        self._queue = queue.SimpleQueue()
        self._closed = False
        self._connection = self._open(folder)
        self._thread = threading.Thread(target=self._serve, name="journal", daemon=True)
        self._thread.start()

    def _open(self, folder: Path) -> sqlite3.Connection:
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            connection = connect(self._place)
            migrate(connection, self._place)
            _sync_folder(folder)
        except (sqlite3.Error, OSError) as error:
            raise _unavailable(self._place, error) from error
        return connection

    # -- the thread that owns the connection --------------------------------------------------------------

    def _serve(self) -> None:
        with closing(self._connection):
            while (batch := self._take()) is not None:
                self._commit(batch)

    def _take(self) -> list[Any] | None:
        """Wait for one operation, then take what else has queued up; None at the end."""
        batch: list[Any] = []
        item = self._queue.get()
        while item is not None:
            batch.append(item)
            if len(batch) == _BATCH or self._queue.empty():
                return batch
            item = self._queue.get()
        if batch:
            self._queue.put(None)
            return batch
        return None

    def _commit(self, batch: list[Any]) -> None:
        connection = self._connection
        outcomes: list[tuple[Any, BaseException | None]] = []
        try:
            connection.execute("BEGIN IMMEDIATE")
            outcomes = [_attempt(connection, operation) for operation, _, _ in batch]
            connection.execute("COMMIT")
        except Exception as error:
            # Not committed: nobody may believe that it was, and the thread must live on.
            _roll_back(connection)
            outcomes = [(None, _unavailable(self._place, error))] * len(batch)
        for (_, future, loop), outcome in zip(batch, outcomes, strict=True):
            with suppress(RuntimeError):  # the loop of that caller is gone: nobody waits any more
                loop.call_soon_threadsafe(_settle, future, *outcome)

    async def _run(self, operation: Callable[[sqlite3.Connection], T]) -> T:
        if self._closed:
            raise BackendError("journal-unavailable", place=str(self._place), detail="closed")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._queue.put((operation, future, loop))
        try:
            return await future
        except sqlite3.Error as error:
            raise _unavailable(self._place, error) from error

    # -- the Journal --------------------------------------------------------------------------------------

    async def add(self, job: Job) -> None:
        """Take a new job; on return it survives a crash."""
        await self._run(lambda connection: write_job(connection, job))

    async def lease(self, stage: Stage, *, kind: str, seconds: float, now: float) -> Job | None:
        """Return the oldest job due in this stage, leased to the caller, or None."""
        return await self._run(lambda connection: _lease(connection, stage, kind, seconds, now))

    async def extend(self, lease: Lease, *, until: float) -> Lease:
        """Keep a lease longer."""

        def operation(connection: sqlite3.Connection) -> Lease:
            changed = connection.execute(
                "UPDATE job SET lease_until = ? WHERE id = ? AND lease = ?",
                (until, lease.job_id, lease.token),
            )
            if changed.rowcount != 1:
                raise LeaseLost(lease.job_id)
            return lease._replace(until=until)

        return await self._run(operation)

    async def advance(self, lease: Lease, step: Step, *, now: float) -> Job:
        """Write what became of a leased job, and end the lease."""
        return await self._run(lambda connection: _advance(connection, lease, step, now))

    async def interrupt(self, *, now: float) -> int:
        """End every lease, at start."""

        def operation(connection: sqlite3.Connection) -> int:
            count = 0
            for working, resting in INTERRUPTED.items():
                count += connection.execute(
                    "UPDATE job SET state = ?, lease = NULL, lease_until = 0, updated = ? WHERE state = ?",
                    (resting.value, now, working.value),
                ).rowcount
            return count

        return await self._run(operation)

    async def get(self, job_id: str) -> Job | None:
        """Return one job."""
        return await self._run(lambda connection: read_job(connection, job_id))

    async def find(self, *, states: Set[State] = frozenset(), limit: int = 1000) -> Sequence[Job]:
        """Return jobs in these states (none named: all), oldest first."""
        return await self._run(lambda connection: find_jobs(connection, states, limit))

    async def count(self) -> Mapping[State, int]:
        """Return how many jobs are in each state."""
        return await self._run(count_jobs)

    async def next_due(self, stage: Stage, *, kind: str) -> float | None:
        """Return when the next job of this stage becomes due."""
        waiting, working, _ = STAGES[stage]

        def operation(connection: sqlite3.Connection) -> float | None:
            row = connection.execute(
                f"SELECT min(CASE WHEN state IN ({_marks(waiting)}) THEN not_before ELSE lease_until END)"  # noqa: S608
                f" FROM job WHERE kind = ? AND state IN ({_marks(waiting | working)})",
                (*_values(waiting), kind, *_values(waiting | working)),
            ).fetchone()
            return None if row[0] is None else float(row[0])

        return await self._run(operation)

    async def forget(self, *, states: Set[State], before: float) -> int:
        """Remove jobs in these states that were last touched before a time."""

        def operation(connection: sqlite3.Connection) -> int:
            return connection.execute(
                f"DELETE FROM job WHERE updated < ? AND state IN ({_marks(states)})",  # noqa: S608
                (before, *_values(states)),
            ).rowcount

        return await self._run(operation)

    async def blobs(self) -> Set[str]:
        """Return the digest of all content that some job still refers to."""

        def operation(connection: sqlite3.Connection) -> Set[str]:
            rows = connection.execute(
                "SELECT blob FROM job UNION SELECT artefact FROM job WHERE artefact IS NOT NULL"
            )
            return {row[0] for row in rows}

        return await self._run(operation)

    async def close(self) -> None:
        """Finish what is queued and let go of the file."""
        if not self._closed:
            self._closed = True
            self._queue.put(None)
            await asyncio.to_thread(self._thread.join)


def connect(place: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """Open a journal file; read-only for whoever only looks.

    Raises:
        sqlite3.Error: it cannot be opened.
    """
    mode = "ro" if read_only else "rwc"
    connection = sqlite3.connect(
        f"{place.absolute().as_uri()}?mode={mode}", uri=True, isolation_level=None, check_same_thread=False
    )
    connection.row_factory = sqlite3.Row
    connection.execute(f"PRAGMA busy_timeout = {_BUSY_MILLISECONDS}")
    if not read_only:
        connection.execute("PRAGMA journal_mode = WAL")
        # FULL: the WAL is on the disk before COMMIT returns. NORMAL may lose what was promised.
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
    return connection


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


def _lease(connection: sqlite3.Connection, stage: Stage, kind: str, seconds: float, now: float) -> Job | None:
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


def _advance(connection: sqlite3.Connection, lease: Lease, step: Step, now: float) -> Job:
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


def _attempt(connection: sqlite3.Connection, operation: Any) -> tuple[Any, BaseException | None]:
    """Run one operation under a savepoint: what it raises is its caller's, and leaves no trace."""
    connection.execute("SAVEPOINT operation")
    try:
        outcome: tuple[Any, BaseException | None] = (operation(connection), None)
    except Exception as error:
        if not connection.in_transaction:
            raise  # a full disk rolls the whole transaction back: nobody in the batch was served
        connection.execute("ROLLBACK TO operation")
        outcome = (None, error)
    connection.execute("RELEASE operation")
    return outcome


def _settle(future: asyncio.Future[Any], value: Any, error: BaseException | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(value)
    else:
        future.set_exception(error)


def _roll_back(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:
        connection.execute("ROLLBACK")


def _marks(states: Set[State]) -> str:
    return ", ".join("?" * len(states))


def _values(states: Set[State]) -> list[str]:
    return sorted(state.value for state in states)


def _unavailable(place: Path, error: Exception) -> BackendError:
    return BackendError("journal-unavailable", place=str(place), detail=str(error))


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
