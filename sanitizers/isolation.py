"""Run sanitizers where hostile bytes can do nothing: the trusted side of the workers.

Each input gets a process of its own (forked from a warm parent, see `worker`), a time that grows with its
size, and one way to answer: a bounded frame on a pipe. What comes back is checked here, by code that never
read the input: form, digests, and the output's own grammar. A worker that dies, hangs or answers wrongly
is killed and the input tried once more in a cold parent; after that the caller gets an `IsolationError`.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

import sanitizers.messages  # noqa: F401  (declares the words of our codes)
from sanitizers.artefact import Artefact, Refusal
from sanitizers.frames import Job, read_answer
from sanitizers.parent import WarmParent
from sanitizers.registry import SANITIZERS, Sanitizer
from sanitizers.source import Source, open_source
from zones.errors import IsolationError
from zones.messages import catalogue

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

_MIB = 1 << 20
_RETRIED = frozenset({"worker-died", "worker-timed-out", "worker-lied"})
INPUT_FAULTS = _RETRIED | {"worker-failed"}
"""Codes that speak against the input: keep it in quarantine. The others speak of the host: try later."""


@dataclass(frozen=True, kw_only=True, slots=True)
class IsolationLimits:
    """What a worker may cost. Times are seconds, sizes bytes; `*_per_mib` grow with the input."""

    base_seconds: float = 8.0
    seconds_per_mib: float = 0.5
    base_memory_bytes: int = 512 << 20
    memory_per_mib: int = 24 << 20
    start_seconds: float = 20.0
    jobs_per_parent: int = 1_000

    def seconds_for(self, input_bytes: int) -> float:
        """Return the wall clock and CPU time for an input."""
        return self.base_seconds + self.seconds_per_mib * input_bytes / _MIB

    def memory_for(self, input_bytes: int) -> int:
        """Return the address space for an input."""
        return self.base_memory_bytes + self.memory_per_mib * input_bytes // _MIB


class Isolation:
    """Sanitizes inputs in workers of their own; use it as `async with Isolation() as isolation`.

    At most `workers` inputs are in work at once (two per processor unless given); others wait their turn.
    Only the `sanitizers` named are loaded in the workers; by default all of the registry.
    """

    def __init__(
        self,
        *,
        limits: IsolationLimits | None = None,
        workers: int = 0,
        sanitizers: Iterable[Sanitizer] = tuple(SANITIZERS.values()),
    ) -> None:
        self._sanitizers = {sanitizer.kind: sanitizer for sanitizer in sanitizers}
        self._limits = limits or IsolationLimits()
        self._slots = asyncio.Semaphore(workers or 2 * (os.cpu_count() or 1))
        self._starting = asyncio.Lock()
        self._parent: WarmParent | None = None

    async def __aenter__(self) -> Self:
        """Start the warm parent, so that the first input does not wait for it."""
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the warm parent."""
        await self.close()

    async def start(self) -> tuple[str, ...]:
        """Start the warm parent if there is none; return the sandbox layers in force.

        Raises:
            IsolationError: `worker-start-failed`, or `worker-not-isolated` when a required layer is
                missing or the probe worker could do something it must not.
        """
        return (await self._warm_parent()).layers

    async def close(self) -> None:
        """End the parent and every worker under it."""
        parent, self._parent = self._parent, None
        if parent is not None:
            await parent.close()

    async def sanitize(
        self, kind: str, untrusted: Path | bytes, options: Mapping[str, object]
    ) -> Artefact | Refusal:
        """Return the artefact made from an input, or the refusal.

        `options` are JSON values, for mail those of `MailOptions.to_mapping`. A file must not change
        while it is read.

        Raises:
            IsolationError: `worker-unknown-kind`; `worker-start-failed`, `worker-not-isolated`;
                `worker-input` (the file cannot be opened); after one retry in a cold parent
                `worker-died`, `worker-timed-out` or `worker-lied`; `worker-failed` (our bug) at once.
        """
        sanitizer = self._sanitizers.get(kind)
        if sanitizer is None:
            raise IsolationError("worker-unknown-kind", kind=kind)
        async with self._slots:
            with contextlib.closing(await asyncio.to_thread(open_source, untrusted)) as source:
                try:
                    return await self._attempt(sanitizer, source, options)
                except IsolationError as error:
                    if error.code not in _RETRIED:
                        raise
                await self._retire()
                return await self._attempt(sanitizer, source, options)

    async def _attempt(
        self, sanitizer: Sanitizer, source: Source, options: Mapping[str, object]
    ) -> Artefact | Refusal:
        parent = await self._warm_parent()
        seconds = self._limits.seconds_for(source.size_bytes)
        job = Job(
            kind=sanitizer.kind,
            options=options,
            input_bytes=source.size_bytes,
            memory_bytes=self._limits.memory_for(source.size_bytes),
            cpu_seconds=int(seconds) + 1,
        )
        source.rewind()
        untrusted = await parent.run(job, source.descriptor, sanitizer.max_output_bytes, seconds)
        result = read_answer(
            untrusted, media_type=sanitizer.media_type, max_output_bytes=sanitizer.max_output_bytes
        )
        return _checked(result, sanitizer, source, options, parent.layers)

    async def _warm_parent(self) -> WarmParent:
        async with self._starting:
            if self._parent is not None and self._parent.is_worn(self._limits.jobs_per_parent):
                self._parent.retire()
                self._parent = None
            if self._parent is None:
                self._parent = await WarmParent.start(
                    tuple(self._sanitizers.values()), self._limits.start_seconds
                )
            return self._parent

    async def _retire(self) -> None:
        # Other inputs may be in work under the old parent: it ends when the last of them does.
        async with self._starting:
            parent, self._parent = self._parent, None
            if parent is not None:
                parent.retire()


def _checked(
    result: Artefact | Refusal,
    sanitizer: Sanitizer,
    source: Source,
    options: Mapping[str, object],
    layers: tuple[str, ...],
) -> Artefact | Refusal:
    """Believe nothing the worker says of itself; fill in what we know better."""
    if isinstance(result, Refusal):
        if result.reason not in catalogue() or not result.detail.isprintable():
            raise IsolationError("worker-lied", detail="refusal")
        return replace(result, source_sha256=source.sha256, source_bytes=source.size_bytes)
    made = result.provenance
    facts = {
        "kind": (made.kind, sanitizer.kind),
        "source": (made.source_sha256, source.sha256),
        "source size": (made.source_bytes, source.size_bytes),
        "output": (made.output_sha256, hashlib.sha256(result.body).hexdigest()),
        "output size": (made.output_bytes, len(result.body)),
        "policy": (made.policy_revision, options.get("policy_revision") or made.policy_revision),
        "record": (made.provenance_id, options.get("provenance_id") or made.provenance_id),
    }
    for name, (said, known) in facts.items():
        if said != known:
            raise IsolationError("worker-lied", detail=name)
    try:
        sanitizer.verifier().verify(result.body)
    except ValueError as error:
        raise IsolationError("worker-lied", detail=str(error)) from error
    return replace(result, provenance=replace(made, layers=layers))
