"""Jobs as values, and the two Protocols behind which they and their content are kept."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Protocol

from gateway.journal.states import State, TargetState
from zones.errors import BackendError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence, Set
    from typing import BinaryIO

    from gateway.journal.states import Stage


class Blob(NamedTuple):
    """Content that is durable: its SHA-256 in hexadecimal is its only name."""

    sha256: str
    size: int


class Target(NamedTuple):
    """One recipient of a job: what became of it, and the last reply we were given."""

    address: str
    state: TargetState = TargetState.PENDING
    reply_code: int = 0
    reply: str = ""


class Lease(NamedTuple):
    """The right to work on one job until `until`; `token` fences off whoever held it before."""

    job_id: str
    token: str
    until: float


@dataclass(frozen=True, kw_only=True)
class Job:
    """One piece of content on its way: where it stands, and what is needed to go on.

    `meta` is what the kind of work needs (for mail: the envelope) and is JSON. `provenance` is the
    sanitizer's account, kept beside the artefact. Times are seconds since the epoch.
    """

    id: str
    kind: str
    blob: Blob
    created: float
    meta: Mapping[str, object]
    targets: tuple[Target, ...] = ()
    state: State = State.SPOOLED
    reason: str = ""
    updated: float = 0.0
    not_before: float = 0.0
    attempts: int = 0
    artefact: Blob | None = None
    provenance: Mapping[str, object] = field(default_factory=dict)
    lease: Lease | None = None


@dataclass(frozen=True, kw_only=True)
class Step:
    """What a worker writes when it is done with a job: the next state and what it learnt.

    A step ends the lease. `attempts` counts leases in the present stage; going on to another stage starts
    it anew. Targets that are not named keep their state.
    """

    state: State
    reason: str = ""
    not_before: float = 0.0
    artefact: Blob | None = None
    provenance: Mapping[str, object] | None = None
    targets: Sequence[Target] = ()


class LeaseLost(BackendError):
    """Somebody else has taken the job over; what we found out must not be written."""

    def __init__(self, job_id: str) -> None:
        super().__init__("lease-lost", id=job_id)


def new_job_id(now: float) -> str:
    """Return a name for a job: sorts by time of arrival, and cannot be guessed from its neighbours."""
    return f"{int(now * 1000):012x}{secrets.token_hex(6)}"


def backoff_seconds(attempts: int, *, first_seconds: float, ceiling_seconds: float, seed: str) -> float:
    """Return how long to wait after attempt number `attempts` (1 is the first): doubling, with jitter.

    The jitter (down to 3/4 of the full step) comes from `seed`, so that jobs that failed together do not
    come back together, and a test knows what to expect.

    >>> backoff_seconds(1, first_seconds=60, ceiling_seconds=3600, seed="a") <= 60
    True
    >>> backoff_seconds(40, first_seconds=60, ceiling_seconds=3600, seed="a") > 2699
    True
    """
    # 2**40 s is longer than any ceiling: bounding the exponent keeps the float finite.
    full = min(ceiling_seconds, first_seconds * 2.0 ** min(attempts - 1, 40))
    digest = hashlib.sha256(f"{seed}/{attempts}".encode()).digest()
    return full * (0.75 + 0.25 * int.from_bytes(digest[:8]) / 2**64)


class Journal(Protocol):
    """Where jobs are kept. Every method that changes something returns only when it is durable.

    Raises (all methods):
        BackendError: the store cannot be read or written (`journal-unavailable`).
    """

    async def add(self, job: Job) -> None:
        """Take a new job; on return it survives a crash."""

    async def lease(self, stage: Stage, *, kind: str, seconds: float, now: float) -> Job | None:
        """Return the oldest job due in this stage, leased to the caller, or None.

        A job whose lease has expired is due again. Each lease counts as an attempt.
        """

    async def extend(self, lease: Lease, *, until: float) -> Lease:
        """Keep a lease longer.

        Raises:
            LeaseLost: it was given to somebody else.
        """

    async def advance(self, lease: Lease, step: Step, *, now: float) -> Job:
        """Write what became of a leased job, and end the lease.

        Raises:
            LeaseLost: the lease was given to somebody else; nothing is written.
            ValueError: the state may not follow the present one.
        """

    async def interrupt(self, *, now: float) -> int:
        """End every lease: at start, when whoever held one is known to be gone. Returns how many."""

    async def get(self, job_id: str) -> Job | None:
        """Return one job."""

    async def find(self, *, states: Set[State] = frozenset(), limit: int = 1000) -> Sequence[Job]:
        """Return jobs in these states (none named: all), oldest first."""

    async def count(self) -> Mapping[State, int]:
        """Return how many jobs are in each state."""

    async def next_due(self, stage: Stage, *, kind: str) -> float | None:
        """Return when the next job of this stage becomes due (by its own time or by an expired lease)."""

    async def forget(self, *, states: Set[State], before: float) -> int:
        """Remove jobs in these states that were last touched before a time. Returns how many."""

    async def blobs(self) -> Set[str]:
        """Return the digest of all content that some job still refers to."""

    async def close(self) -> None:
        """Finish what is under way and let go of the store."""


class BlobWriter(Protocol):
    """One piece of content being written; nothing of it exists for others before `commit`."""

    @property
    def size(self) -> int:
        """How many bytes were written so far."""

    async def write(self, untrusted: bytes) -> None:
        """Take more bytes.

        Raises:
            BackendError: `spool-full` when the disk has no more room, `spool-unavailable` otherwise.
        """

    async def commit(self) -> Blob:
        """Make it durable under its digest; equal content is kept once.

        Raises:
            BackendError: as for `write`; nothing is left behind.
        """

    async def abort(self) -> None:
        """Forget it. May be called at any time, also after `commit` (then it does nothing)."""


class BlobStore(Protocol):
    """Where content is kept, by its SHA-256; no path leaves it."""

    def writer(self) -> BlobWriter:
        """Return a writer for new content."""

    async def open(self, sha256: str) -> BinaryIO:
        """Return a file for reading whose content was checked against its digest just now.

        Raises:
            BackendError: `blob-missing`, or `blob-damaged` when the content is not what its name says.
        """

    async def read(self, sha256: str, *, max_bytes: int) -> bytes:
        """Return checked content.

        Raises:
            BackendError: as for `open`.
            LimitExceeded: it is larger than `max_bytes`.
        """

    async def free_bytes(self) -> int:
        """Return how much room there is for more."""

    async def sweep(self, keep: Set[str], *, before: float) -> int:
        """Remove content last written before a time whose digest is not in `keep`. Returns how many."""

    def digests(self) -> AsyncIterator[str]:
        """Yield the digest of everything that is kept."""

    async def close(self) -> None:
        """Let go of the store."""
