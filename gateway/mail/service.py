"""The mail service: intake, journal, workers and delivery, wired together; no privilege, no processes."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from gateway.journal.states import State
from gateway.mail.delivery import Delivery
from gateway.mail.destination import original_destination
from gateway.mail.intake import Intake
from gateway.mail.listener import MailListener
from gateway.mail.worker import DeliverWorker, Desk, SanitizeWorker, Worker
from zones.errors import BackendError

if TYPE_CHECKING:
    import socket
    from collections.abc import Awaitable, Callable, Sequence

    from gateway.audit.sink import AuditSink
    from gateway.journal.model import BlobStore, Journal
    from gateway.mail.delivery import Connector
    from gateway.mail.destination import Resolver
    from gateway.mail.listener import Admission
    from gateway.mail.passage import Endpoint
    from gateway.mail.settings import MailSettings
    from gateway.mail.worker import Sanitizer

_MEASURE_SECONDS = 1.0
_SWEEP_SECONDS = 3_600.0
# Content is stored before its row: what is younger than this may still be waiting for one.
_ORPHAN_SECONDS = 3_600.0


class MailService:
    """SMTP in, sanitised mail out. `start`, then `stop`; both may be awaited once.

    The service owns neither journal nor blob store: whoever opened them closes them after `stop`.
    """

    def __init__(
        self,
        *,
        settings: MailSettings,
        journal: Journal,
        blobs: BlobStore,
        sanitizer: Sanitizer,
        admission: Admission,
        connector: Connector,
        audit: AuditSink,
        resolver: Resolver = original_destination,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._settings, self._journal, self._blobs = settings, journal, blobs
        self._audit, self._clock = audit, clock
        desk = Desk(settings=settings, journal=journal, blobs=blobs, audit=audit, clock=clock)
        self._spooled, self._verified = asyncio.Semaphore(0), asyncio.Semaphore(0)
        self._intake = Intake(
            settings=settings,
            journal=journal,
            blobs=blobs,
            audit=audit,
            clock=clock,
            arrived=self._spooled.release,
        )
        self._listener = MailListener(
            settings=settings, intake=self._intake, admission=admission, audit=audit, resolver=resolver
        )
        delivery = Delivery(
            connector,
            hostname=settings.hostname,
            connect_seconds=settings.connect_seconds,
            reply_seconds=settings.delivery_seconds,
        )
        self._workers: list[Worker] = [
            *(
                SanitizeWorker(desk, self._spooled, sanitizer=sanitizer, verified=self._verified.release)
                for _ in range(settings.sanitize_workers)
            ),
            *(
                DeliverWorker(desk, self._verified, delivery=delivery)
                for _ in range(settings.delivery_workers)
            ),
        ]
        self._tasks: list[asyncio.Task[None]] = []
        self._chores: list[asyncio.Task[None]] = []

    async def start(self, sockets: Sequence[socket.socket] = ()) -> None:
        """Take up what an earlier run left behind, start the workers, then listen.

        `sockets` are listening sockets somebody else opened; without them the settings say where.

        Raises:
            BackendError: the journal, the spool or the port cannot be had.
        """
        await self._journal.interrupt(now=self._clock())
        await self._intake.measure()
        await self._listener.start(sockets)
        self._tasks = [asyncio.create_task(worker.run()) for worker in self._workers]
        self._chores = [
            asyncio.create_task(self._every(_MEASURE_SECONDS, self._intake.measure)),
            asyncio.create_task(self._every(_SWEEP_SECONDS, self.sweep)),
        ]

    @property
    def addresses(self) -> list[Endpoint]:
        """Where the service listens."""
        return self._listener.addresses

    async def stop(self) -> None:
        """Take nothing new, let what is under way finish for a while, then leave the rest to the journal."""
        drain = self._settings.drain_seconds
        for worker in self._workers:
            worker.stop()
        await self._listener.stop(drain_seconds=drain)
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=drain)
        for task in [*self._tasks, *self._chores]:
            task.cancel()
        await asyncio.gather(*self._tasks, *self._chores, return_exceptions=True)

    async def sweep(self) -> None:
        """Forget mails delivered long ago, and content that no mail refers to any more."""
        now = self._clock()
        await self._journal.forget(states={State.DELIVERED}, before=now - self._settings.retain_seconds)
        await self._blobs.sweep(await self._journal.blobs(), before=now - _ORPHAN_SECONDS)

    async def _every(self, seconds: float, chore: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await chore()
            except BackendError as error:
                self._audit.emit("fault", where="mail", code=error.code, detail=str(error))
            await asyncio.sleep(seconds)
