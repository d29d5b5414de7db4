"""The in-memory twins of journal and blob store: the same contracts without a disk, for tests and trials."""

from __future__ import annotations

import hashlib
import io
import secrets
from dataclasses import replace
from typing import TYPE_CHECKING

from gateway.journal.model import Blob, Job, Lease, LeaseLost, Step, Target
from gateway.journal.states import (
    INTERRUPTED,
    STAGES,
    Stage,
    State,
    keeps_attempts,
    may_follow,
    resting_state,
)
from zones.errors import BackendError, LimitExceeded

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence, Set
    from typing import BinaryIO


class MemoryJournal:
    """A `Journal` that forgets everything when the process ends."""

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}

    async def add(self, job: Job) -> None:
        """Take a new job."""
        self._jobs[job.id] = replace(job, updated=job.updated or job.created)

    async def lease(self, stage: Stage, *, kind: str, seconds: float, now: float) -> Job | None:
        """Return the oldest job due in this stage, leased to the caller, or None."""
        due = [job for job in self._jobs.values() if job.kind == kind and _is_due(job, stage, now)]
        if not due:
            return None
        # As in the tables: interrupted work first.
        job = min(due, key=lambda job: (job.lease is None, job.not_before, job.created, job.id))
        lease = Lease(job.id, secrets.token_hex(8), now + seconds)
        return self._put(job, state=STAGES[stage][2], lease=lease, attempts=job.attempts + 1, updated=now)

    async def extend(self, lease: Lease, *, until: float) -> Lease:
        """Keep a lease longer."""
        job = self._held(lease)
        longer = lease._replace(until=until)
        self._put(job, lease=longer)
        return longer

    async def advance(self, lease: Lease, step: Step, *, now: float) -> Job:
        """Write what became of a leased job, and end the lease."""
        job = self._held(lease)
        if not may_follow(job.state, step.state):
            raise ValueError(f"{step.state} may not follow {job.state}")
        named = {target.address: target for target in step.targets}
        return self._put(
            job,
            state=step.state,
            reason=step.reason,
            not_before=step.not_before,
            updated=now,
            lease=None,
            attempts=job.attempts if keeps_attempts(job.state, step.state) else 0,
            artefact=step.artefact or job.artefact,
            provenance=job.provenance if step.provenance is None else dict(step.provenance),
            targets=tuple(_merged(target, named) for target in job.targets),
        )

    async def interrupt(self, *, now: float) -> int:
        """End every lease, at start."""
        held = [job for job in self._jobs.values() if job.state in INTERRUPTED]
        for job in held:
            self._put(job, state=resting_state(job.state), lease=None, updated=now)
        return len(held)

    async def get(self, job_id: str) -> Job | None:
        """Return one job."""
        return self._jobs.get(job_id)

    async def find(self, *, states: Set[State] = frozenset(), limit: int = 1000) -> Sequence[Job]:
        """Return jobs in these states (none named: all), oldest first."""
        found = [job for job in self._jobs.values() if not states or job.state in states]
        return sorted(found, key=lambda job: (job.created, job.id))[:limit]

    async def count(self) -> Mapping[State, int]:
        """Return how many jobs are in each state."""
        states = [job.state for job in self._jobs.values()]
        return {state: states.count(state) for state in set(states)}

    async def next_due(self, stage: Stage, *, kind: str) -> float | None:
        """Return when the next job of this stage becomes due."""
        times = [_due(job, stage) for job in self._jobs.values() if job.kind == kind]
        return min((due for due in times if due is not None), default=None)

    async def forget(self, *, states: Set[State], before: float) -> int:
        """Remove jobs in these states that were last touched before a time."""
        gone = [job.id for job in self._jobs.values() if job.state in states and job.updated < before]
        for job_id in gone:
            del self._jobs[job_id]
        return len(gone)

    async def blobs(self) -> Set[str]:
        """Return the digest of all content that some job still refers to."""
        contents = [blob for job in self._jobs.values() for blob in (job.blob, job.artefact)]
        return {blob.sha256 for blob in contents if blob is not None}

    async def close(self) -> None:
        """Do nothing: there is no store to let go of."""

    def _held(self, lease: Lease) -> Job:
        job = self._jobs.get(lease.job_id)
        if job is None or job.lease is None or job.lease.token != lease.token:
            raise LeaseLost(lease.job_id)
        return job

    def _put(self, job: Job, **changes: object) -> Job:
        changed: Job = replace(job, **changes)  # type: ignore[arg-type]
        self._jobs[job.id] = changed
        return changed


class MemoryBlobStore:
    """The blob store's in-memory twin."""

    def __init__(self, *, clock: Callable[[], float], free_bytes: int = 1 << 40) -> None:
        self._contents: dict[str, tuple[bytes, float]] = {}
        self._clock, self._free = clock, free_bytes

    def writer(self) -> MemoryBlobWriter:
        """Return a writer for new content."""
        return MemoryBlobWriter(self._keep)

    async def open(self, sha256: str) -> BinaryIO:
        """Return a file with the content."""
        return io.BytesIO(self._checked(sha256))

    async def read(self, sha256: str, *, max_bytes: int) -> bytes:
        """Return checked content."""
        content = self._checked(sha256)
        if len(content) > max_bytes:
            raise LimitExceeded("blob.max_bytes", len(content), max_bytes)
        return content

    async def free_bytes(self) -> int:
        """Return the room given to this store."""
        return self._free

    async def sweep(self, keep: Set[str], *, before: float) -> int:
        """Remove content last written before a time whose digest is not in `keep`."""
        gone = [name for name, (_, at) in self._contents.items() if name not in keep and at < before]
        for name in gone:
            del self._contents[name]
        return len(gone)

    async def digests(self) -> AsyncIterator[str]:
        """Yield the digest of everything that is kept."""
        for name in sorted(self._contents):
            yield name

    async def close(self) -> None:
        """Do nothing: there is no folder to let go of."""

    def _checked(self, sha256: str) -> bytes:
        if sha256 not in self._contents:
            raise BackendError("blob-missing", sha256=sha256)
        return self._contents[sha256][0]

    def _keep(self, content: bytes) -> Blob:
        sha256 = hashlib.sha256(content).hexdigest()
        self._contents[sha256] = (content, self._clock())
        return Blob(sha256, len(content))


class MemoryBlobWriter:
    """Content on its way into memory."""

    def __init__(self, keep: Callable[[bytes], Blob]) -> None:
        self._keep = keep
        self._parts: list[bytes] = []

    @property
    def size(self) -> int:
        """How many bytes were written so far."""
        return sum(map(len, self._parts))

    async def write(self, untrusted: bytes) -> None:
        """Take more bytes."""
        self._parts.append(untrusted)

    async def commit(self) -> Blob:
        """Keep it under its digest."""
        return self._keep(b"".join(self._parts))

    async def abort(self) -> None:
        """Forget it."""
        self._parts.clear()


def _is_due(job: Job, stage: Stage, now: float) -> bool:
    due = _due(job, stage)
    return due is not None and due <= now


def _due(job: Job, stage: Stage) -> float | None:
    waiting, working, _ = STAGES[stage]
    if job.state in waiting:
        return job.not_before
    if job.state in working:
        return job.lease.until if job.lease else 0.0
    return None


def _merged(target: Target, named: Mapping[str, Target]) -> Target:
    return named.get(target.address, target)
