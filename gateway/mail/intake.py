"""From the wire into the spool: what is said to an envelope, and the order that makes 250 a promise.

Content durable under its digest, the event on the audit's disk, the journal's row committed, then the 250.
If one fails the client hears 4xx and keeps its mail; content without a row is an orphan that is swept later.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.journal.model import Job, Target, new_job_id
from gateway.journal.states import ACTIVE
from gateway.mail import replies
from gateway.mail.passage import KIND, Passage, job_fields
from zones.errors import BackendError

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.audit.sink import AuditSink
    from gateway.journal.model import BlobStore, BlobWriter, Journal
    from gateway.mail.mailbox import Mailbox
    from gateway.mail.passage import Endpoint
    from gateway.mail.protocol import Complete, Envelope
    from gateway.mail.replies import Reply
    from gateway.mail.settings import MailSettings
    from zones.verdict import Verdict


class Intake:
    """Takes messages into the spool, as long as there is room for them."""

    def __init__(
        self,
        *,
        settings: MailSettings,
        journal: Journal,
        blobs: BlobStore,
        audit: AuditSink,
        clock: Callable[[], float],
        arrived: Callable[[], None],
    ) -> None:
        self._settings, self._journal, self._blobs = settings, journal, blobs
        self._audit, self._clock, self._arrived = audit, clock, arrived
        self._free_bytes = 0
        self._queued = 0

    async def measure(self) -> None:
        """Look how much room there is; called every second or so, and counted down in between."""
        self._free_bytes = await self._blobs.free_bytes()
        counts = await self._journal.count()
        self._queued = sum(number for state, number in counts.items() if state in ACTIVE)

    def sender(self, envelope: Envelope) -> Reply | None:
        """Answer MAIL FROM: is there room, also for what is coming (RFC 1870 6.1)."""
        left = self._free_bytes - envelope.declared_bytes
        full = left < self._settings.reserve_bytes or self._queued >= self._settings.max_queued
        return replies.SPOOL_FULL if full else None

    def recipient(self, envelope: Envelope, recipient: Mailbox) -> Reply | None:
        """Answer RCPT TO: the flow admitted the connection, and its next host knows its own users."""
        del envelope, recipient
        return None

    def writer(self) -> BlobWriter:
        """Return a place for a message's content."""
        return self._blobs.writer()

    async def accept(
        self, writer: BlobWriter, message: Complete, verdict: Verdict, peer: Endpoint, destination: Endpoint
    ) -> Reply:
        """Take responsibility for a message, and return the reply that says so, or why not."""
        passage = Passage.of(message.envelope, message.trace, verdict, peer, destination)
        try:
            blob = await writer.commit()
            now = self._clock()
            job = Job(
                id=new_job_id(now),
                kind=KIND,
                blob=blob,
                created=now,
                meta=passage.to_json(),
                targets=tuple(Target(str(address)) for address in message.envelope.recipients),
            )
            # Recorded before it is ours: with the audit's disk full nothing is taken unseen.
            await self._audit.emit_durable("mail-accepted", **job_fields(job, passage), reply_code=250)
            await self._journal.add(job)
        except BackendError as error:
            return failure_reply(error)
        self._free_bytes -= blob.size
        self._queued += 1
        self._arrived()
        return replies.accepted(job.id)


def failure_reply(error: BackendError) -> Reply:
    """Return the 4xx for a spool or journal that could not take a message."""
    return replies.SPOOL_FULL if error.code == "spool-full" else replies.SPOOL_FAILED
