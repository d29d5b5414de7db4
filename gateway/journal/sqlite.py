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
import sqlite3
import threading
from contextlib import ExitStack, closing, suppress
from typing import TYPE_CHECKING, Any, TypeVar

from gateway.journal.rows import read_job, write_job
from gateway.journal.tables import (
    JOURNAL_NAME,
    advance_job,
    all_blobs,
    connect,
    count_jobs,
    end_leases,
    extend_lease,
    find_jobs,
    forget_jobs,
    lease_job,
    migrate,
    next_due,
)
from zones.errors import BackendError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence, Set
    from pathlib import Path

    from gateway.journal.model import Job, Lease, Step
    from gateway.journal.states import Stage, State

T = TypeVar("T")

_BATCH = 64


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
            with ExitStack() as undo:
                connection = undo.enter_context(closing(connect(self._place)))
                migrate(connection, self._place)
                _sync_folder(folder)
                undo.pop_all()
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
        return await self._run(lambda connection: lease_job(connection, stage, kind, seconds, now))

    async def extend(self, lease: Lease, *, until: float) -> Lease:
        """Keep a lease longer."""
        return await self._run(lambda connection: extend_lease(connection, lease, until))

    async def advance(self, lease: Lease, step: Step, *, now: float) -> Job:
        """Write what became of a leased job, and end the lease."""
        return await self._run(lambda connection: advance_job(connection, lease, step, now))

    async def interrupt(self, *, now: float) -> int:
        """End every lease, at start."""
        return await self._run(lambda connection: end_leases(connection, now))

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
        return await self._run(lambda connection: next_due(connection, stage, kind))

    async def forget(self, *, states: Set[State], before: float) -> int:
        """Remove jobs in these states that were last touched before a time."""
        return await self._run(lambda connection: forget_jobs(connection, states, before))

    async def blobs(self) -> Set[str]:
        """Return the digest of all content that some job still refers to."""
        return await self._run(all_blobs)

    async def close(self) -> None:
        """Finish what is queued and let go of the file."""
        if not self._closed:
            self._closed = True
            self._queue.put(None)
            await asyncio.to_thread(self._thread.join)


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


def _unavailable(place: Path, error: Exception) -> BackendError:
    return BackendError("journal-unavailable", place=str(place), detail=str(error))


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
