"""The workers: one kind turns spooled mail into artefacts, the other delivers them.

Every step is read from the journal and written back to it under a lease; whatever dies in between is taken up
again when its lease ends. Nothing a worker fails at lets the original go on: it stays in the blob store.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple, Protocol

from gateway.journal.model import LeaseLost, Step, backoff_seconds
from gateway.journal.states import Stage, State, TargetState
from gateway.mail.delivery import Attempt
from gateway.mail.passage import KIND, Passage, job_fields, milliseconds
from gateway.mail.trace import trace_lines
from sanitizers.artefact import Artefact, Refusal
from zones.errors import BackendError, InputError, IsolationError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence
    from pathlib import Path

    from gateway.audit.sink import AuditSink
    from gateway.journal.model import Blob, BlobStore, Job, Journal, Lease, Target
    from gateway.mail.delivery import Delivery
    from gateway.mail.settings import MailSettings

# Failures of this host, not of one mail: the mail waits until the host is mended.
_HOST_FAULTS = frozenset({"worker-start-failed", "worker-not-isolated", "worker-input"})
_BARE_LINE_END = re.compile(rb"(?<!\r)\n|\r(?!\n)")


class Sanitizer(Protocol):
    """Turns untrusted content into a fresh artefact; `sanitizers.isolation.Isolation` is the real one.

    Raises:
        IsolationError: the worker died, timed out or lied.
    """

    async def sanitize(
        self, *, kind: str, untrusted: Path | bytes, options: Mapping[str, object]
    ) -> Artefact | Refusal:
        """Return the artefact, or why there is none."""
        ...


@dataclass(frozen=True, kw_only=True)
class Desk:
    """What every worker has at hand."""

    settings: MailSettings
    journal: Journal
    blobs: BlobStore
    audit: AuditSink
    clock: Callable[[], float]


class Worker:
    """Takes one job after the other from a stage of the journal.

    `bell` is released once for each job that becomes due. A worker that finds a job does not acquire it, so
    it may be rung too often, which costs an empty look, but never too seldom; retries are found by polling.
    """

    stage: Stage

    def __init__(self, desk: Desk, bell: asyncio.Semaphore) -> None:
        self._desk, self._bell = desk, bell
        self._stopping = False

    def stop(self) -> None:
        """Finish the job at hand, then end."""
        self._stopping = True
        self._bell.release()

    async def run(self) -> None:
        """Work until stopped. A fault of ours in one job is reported and does not end the others."""
        while not self._stopping:
            try:
                await self._turn()
            except LeaseLost:
                pass  # somebody took the job over; what we found out is theirs to find out again
            except BackendError as error:
                self._fault(error.code, str(error))
                await asyncio.sleep(self._desk.settings.poll_seconds)
            except Exception as error:  # a bug: the job keeps its lease, waits it out, and is tried again
                self._fault("internal-error", f"{type(error).__name__}: {error}")
                await asyncio.sleep(self._desk.settings.poll_seconds)

    async def _turn(self) -> None:
        desk = self._desk
        job = await desk.journal.lease(
            self.stage, kind=KIND, seconds=desk.settings.lease_seconds, now=desk.clock()
        )
        if job is None:
            with suppress(TimeoutError):
                async with asyncio.timeout(desk.settings.poll_seconds):
                    await self._bell.acquire()
            return
        assert job.lease is not None  # noqa: S101  lease() returns leased jobs
        async with self._kept(job.lease):
            await self.handle(job, job.lease)

    async def handle(self, job: Job, lease: Lease) -> None:
        """Do this stage's work on one job."""
        raise NotImplementedError

    @asynccontextmanager
    async def _kept(self, lease: Lease) -> AsyncIterator[None]:
        """Extend the lease for as long as the work takes."""
        task = asyncio.create_task(self._extend(lease))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _extend(self, lease: Lease) -> None:
        seconds = self._desk.settings.lease_seconds
        while True:
            await asyncio.sleep(seconds / 3)
            lease = await self._desk.journal.extend(lease, until=self._desk.clock() + seconds)

    def _fault(self, code: str, detail: str) -> None:
        self._desk.audit.emit("fault", where=f"mail/{self.stage}", code=code, detail=detail)


class SanitizeWorker(Worker):
    """spooled → parsing → verified, or quarantined with the original kept."""

    stage = Stage.SANITIZE

    def __init__(
        self, desk: Desk, bell: asyncio.Semaphore, *, sanitizer: Sanitizer, verified: Callable[[], None]
    ) -> None:
        super().__init__(desk, bell)
        self._sanitizer, self._verified = sanitizer, verified

    async def handle(self, job: Job, lease: Lease) -> None:
        """Sanitise one mail and store its artefact."""
        began = self._desk.clock()
        passage = Passage.from_json(job.meta)
        if job.attempts > self._desk.settings.max_sanitize_attempts:
            # It has taken our process down every time, or never found a worker: a person must look at it.
            refusal = Refusal(reason=job.reason or "worker-lost")
            await self._quarantine(job, lease, passage, refusal, began)
            return
        try:
            outcome = await self._sanitize(job, passage)
        except IsolationError as error:
            await self._wait(job, lease, passage, error)
            return
        if isinstance(outcome, Refusal):
            await self._quarantine(job, lease, passage, outcome, began)
        else:
            await self._keep(job, lease, passage, outcome, began)

    async def _sanitize(self, job: Job, passage: Passage) -> Artefact | Refusal:
        """Return the artefact or why there is none.

        Raises:
            IsolationError: this host cannot isolate a worker now; no fault of the mail.
        """
        settings = self._desk.settings
        try:
            untrusted = await self._desk.blobs.read(job.blob.sha256, max_bytes=settings.max_bytes)
            outcome = await self._sanitizer.sanitize(
                kind=KIND, untrusted=untrusted, options=sanitize_options(job, passage, settings)
            )
        except IsolationError as error:
            if error.code in _HOST_FAULTS:
                raise
            return Refusal(reason=error.code, detail=str(error))
        except InputError as error:
            return Refusal(reason=error.code, detail=str(error))
        except BackendError as error:
            if error.code in {"blob-missing", "blob-damaged"}:
                return Refusal(reason=error.code, detail=str(error))
            raise
        return outcome if isinstance(outcome, Refusal) else self._checked(job, outcome)

    async def _wait(self, job: Job, lease: Lease, passage: Passage, error: IsolationError) -> None:
        desk = self._desk
        now = desk.clock()
        wait = retry_seconds(job, desk.settings)
        step = Step(state=State.SPOOLED, reason=error.code, not_before=now + wait)
        await desk.journal.advance(lease, step, now=now)
        desk.audit.emit(
            "mail-deferred",
            **job_fields(job, passage),
            code=error.code,
            detail=str(error),
            attempts=job.attempts,
            retry_seconds=round(wait),
            age_seconds=max(0, round(now - job.created)),
        )

    def _checked(self, job: Job, artefact: Artefact) -> Artefact | Refusal:
        """Believe no more of an artefact than can be seen here; its verifier has looked deeper."""
        body, provenance = artefact.body, artefact.provenance
        if artefact.media_type != "message/rfc822" or not body:
            return Refusal(reason="artefact-type", detail=artefact.media_type)
        if len(body) > self._desk.settings.max_output_bytes:
            return Refusal(reason="artefact-too-large", detail=str(len(body)))
        if _BARE_LINE_END.search(body):
            return Refusal(reason="artefact-bare-line-end")
        digests = (provenance.source_sha256, provenance.output_sha256)
        if digests != (job.blob.sha256, hashlib.sha256(body).hexdigest()):
            return Refusal(reason="artefact-digest", detail="provenance names other content")
        return artefact

    async def _keep(self, job: Job, lease: Lease, passage: Passage, artefact: Artefact, began: float) -> None:
        desk = self._desk
        writer = desk.blobs.writer()
        try:
            await writer.write(artefact.body)
            blob = await writer.commit()
        finally:
            await writer.abort()
        provenance = json.loads(artefact.provenance.to_json())
        step = Step(state=State.VERIFIED, artefact=blob, provenance=provenance)
        await desk.journal.advance(lease, step, now=desk.clock())
        self._report_sanitized(job, passage, artefact, blob, began)
        self._verified()

    def _report_sanitized(
        self, job: Job, passage: Passage, artefact: Artefact, blob: Blob, began: float
    ) -> None:
        removed = artefact.provenance.removed
        attachments = [item for item in removed if item.kind == "attachment"]
        self._desk.audit.emit(
            "mail-sanitized",
            **job_fields(job, passage),
            output_bytes=blob.size,
            output_sha256=blob.sha256,
            removed=[f"{item.kind}: {item.reason}" for item in removed],
            attachments=len(attachments),
            attachment_names=[item.name for item in attachments],
            attachment_sha256=[item.sha256 for item in attachments],
            sandbox=list(artefact.provenance.layers),
            duration_ms=milliseconds(self._desk.clock() - began),
        )

    async def _quarantine(
        self, job: Job, lease: Lease, passage: Passage, refusal: Refusal, began: float
    ) -> None:
        desk = self._desk
        step = Step(state=State.QUARANTINED, reason=refusal.reason)
        await desk.journal.advance(lease, step, now=desk.clock())
        desk.audit.emit(
            "mail-quarantined",
            **job_fields(job, passage),
            code=refusal.reason,
            detail=refusal.detail or None,
            attempts=job.attempts,
            duration_ms=milliseconds(desk.clock() - began),
        )


class DeliverWorker(Worker):
    """verified → delivering → delivered, or back to wait, or dead with the reason."""

    stage = Stage.DELIVER

    def __init__(self, desk: Desk, bell: asyncio.Semaphore, *, delivery: Delivery) -> None:
        super().__init__(desk, bell)
        self._delivery = delivery

    async def handle(self, job: Job, lease: Lease) -> None:
        """Try to deliver one mail to the recipients still waiting for it."""
        desk, began = self._desk, self._desk.clock()
        passage = Passage.from_json(job.meta)
        try:
            message = await self._message(job, passage)
        except (BackendError, InputError) as error:
            attempt = Attempt((), error.code)  # the disk, not the next host: wait, and say so
        else:
            attempt = await self._delivery.attempt(passage, job.targets, message)
        now = desk.clock()
        step = self._step(job, attempt, now)
        await desk.journal.advance(lease, step, now=now)
        self._report(_Round(job, passage, attempt, step, began, now))

    async def _message(self, job: Job, passage: Passage) -> bytes:
        if job.artefact is None:
            raise BackendError("blob-missing", sha256="?")
        settings = self._desk.settings
        body = await self._desk.blobs.read(job.artefact.sha256, max_bytes=settings.max_output_bytes)
        return trace_lines(passage, hostname=settings.hostname, job_id=job.id, arrived=job.created) + body

    def _step(self, job: Job, attempt: Attempt, now: float) -> Step:
        """Return what follows from an attempt: a table of what is left."""
        retry = self._desk.settings.retry
        states = {target.state for target in _merged(job.targets, attempt.targets)}
        if TargetState.PENDING not in states:
            state = State.DEAD if TargetState.DEAD in states else State.DELIVERED
            return Step(state=state, reason=attempt.reason, targets=attempt.targets)
        if now - job.created >= retry.give_up_seconds:
            given_up = tuple(
                target._replace(state=TargetState.DEAD) if target.state is TargetState.PENDING else target
                for target in _merged(job.targets, attempt.targets)
            )
            return Step(state=State.DEAD, reason="gave-up", targets=given_up)
        wait = retry_seconds(job, self._desk.settings)
        return Step(
            state=State.VERIFIED, reason=attempt.reason, not_before=now + wait, targets=attempt.targets
        )

    def _report(self, done: _Round) -> None:
        """Emit one event for each fate that recipients met in this attempt."""
        before = {target.address: target.state for target in done.job.targets}
        after = _merged(done.job.targets, done.step.targets)
        for state, kind in _EVENTS.items():
            met = [t for t in after if t.state is state and before[t.address] is TargetState.PENDING]
            if met:
                self._desk.audit.emit(kind, **done.event(met))


class _Round(NamedTuple):
    """One attempt and what followed from it."""

    job: Job
    passage: Passage
    attempt: Attempt
    step: Step
    began: float
    now: float

    def event(self, met: Sequence[Target]) -> dict[str, object]:
        """Return the audit fields for recipients that met the same fate."""
        job, step, now = self.job, self.step, self.now
        delivered = met[0].state is TargetState.DELIVERED
        return {
            **job_fields(job, self.passage),
            "recipients": [target.address for target in met],
            "output_bytes": job.artefact.size if job.artefact else None,
            "output_sha256": job.artefact.sha256 if job.artefact else None,
            "code": None if delivered else step.reason or self.attempt.reason,
            "detail": "maybe-delivered" if self.attempt.maybe_delivered else None,
            "reply_code": met[0].reply_code or None,
            "reply": met[0].reply or None,
            "attempts": job.attempts,
            "retry_seconds": max(0, round(step.not_before - now)) if step.not_before else None,
            "age_seconds": max(0, round(now - job.created)),
            "duration_ms": milliseconds(now - self.began),
        }


_EVENTS = {
    TargetState.DELIVERED: "mail-delivered",
    TargetState.PENDING: "mail-deferred",
    TargetState.DEAD: "mail-dead",
}


def _merged(before: Sequence[Target], named: Sequence[Target]) -> list[Target]:
    known = {target.address: target for target in named}
    return [known.get(target.address, target) for target in before]


def retry_seconds(job: Job, settings: MailSettings) -> float:
    """Return how long a job waits after its present attempt."""
    retry = settings.retry
    return backoff_seconds(
        job.attempts, first_seconds=retry.first_seconds, ceiling_seconds=retry.ceiling_seconds, seed=job.id
    )


def sanitize_options(job: Job, passage: Passage, settings: MailSettings) -> dict[str, object]:
    """Return what the sanitizer is told: the same for every attempt at one mail.

    Written out here, as `sanitizers.mail` would bring its parsers into this process (a test compares).
    """
    return {
        "received_at": datetime.fromtimestamp(int(job.created), UTC).isoformat(),
        "language": settings.language.value,
        "policy_revision": passage.revision,
        "gateway_name": settings.hostname,
        "provenance_id": job.id,
    }
