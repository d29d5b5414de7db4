"""A role's way to the recorder: events handed over without waiting, or waited for until they are durable."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Self

from gateway.audit.outbox import Outbox
from gateway.audit.sink import draft_of
from gateway.audit.wire import NotASubmission, decode_reply
from zones.errors import BackendError

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.audit.wire import Reply

MAX_PENDING = 16_384
MAX_WRITE_BYTES = 65_536
DURABLE_SECONDS = 10.0
CLOSE_SECONDS = 5.0
_RETRY_SECONDS = (0.02, 0.05, 0.1, 0.25, 0.5, 1.0)


class AuditClient:
    """An `AuditSink` that reaches the recorder at `path`, and reaches it again after it was away.

    Use it on one event loop: `async with AuditClient(path, actor="mail") as audit`. Events of the queue
    (`max_pending`) outlive a recorder that restarts; what does not fit becomes one `gap` event.
    """

    def __init__(
        self,
        path: Path,
        *,
        actor: str,
        revision: str = "",
        max_pending: int = MAX_PENDING,
        durable_seconds: float = DURABLE_SECONDS,
    ) -> None:
        self.path, self.actor = path, actor
        self._durable_seconds = durable_seconds
        self.revision = revision
        """The policy revision that events carry from now on; set it after every apply."""
        self._outbox = Outbox(actor=actor, max_pending=max_pending)
        self._waiting: dict[int, asyncio.Future[None]] = {}
        self._wake, self._idle = asyncio.Event(), asyncio.Event()
        self._idle.set()
        self._task: asyncio.Task[None] | None = None
        self._closed = False
        self.connected = False

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def start(self) -> None:
        """Begin connecting, in the background. Events may be emitted before and after."""
        if self._task is None and not self._closed:
            self._task = asyncio.get_running_loop().create_task(self._keep_connected())

    def emit(self, kind: str, **fields: object) -> None:
        """Queue one event; never waits.

        Raises:
            ValueError: unknown kind or field, or a wrong type: a bug of the caller.
        """
        self._add(kind, fields, durable=False)

    async def emit_durable(self, kind: str, /, **fields: object) -> None:
        """Return when the event is on the recorder's disk; wait `durable_seconds` at most.

        After an error the event may have been written all the same, never the reverse.

        Raises:
            ValueError: unknown kind or field, or a wrong type: a bug of the caller.
            BackendError: the queue is full, the recorder refused, or did not answer in time.
        """
        number = self._add(kind, fields, durable=True)
        if number is None:
            raise BackendError("audit-unavailable", path=str(self.path), detail="queue full")
        done = self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            await asyncio.wait_for(done, self._durable_seconds)
        except TimeoutError:
            detail = f"no answer in {self._durable_seconds:g} s"
            raise BackendError("audit-unavailable", path=str(self.path), detail=detail) from None
        finally:
            self._waiting.pop(number, None)
            if not done.done() or done.cancelled() or done.exception():
                self._outbox.withdraw(number)
                self._settle()

    async def flush(self, seconds: float = CLOSE_SECONDS) -> bool:
        """Return whether the recorder has written everything emitted so far, waiting at most so long."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), seconds)
        return self._idle.is_set()

    async def close(self, seconds: float = CLOSE_SECONDS) -> int:
        """Hand over what is queued, then disconnect; return how many events had to be left behind."""
        if self._task is not None:
            await self.flush(seconds)
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        self._closed = True
        self._fail_waiting("closed")
        return len(self._outbox) + self._outbox.lost

    def _add(self, kind: str, fields: dict[str, object], *, durable: bool) -> int | None:
        if self._closed:
            raise RuntimeError("an audit event after the client was closed")
        draft = draft_of(kind, fields, actor=self.actor, revision=self.revision)
        number = self._outbox.add(draft, now=time.time(), durable=durable)
        self._idle.clear()
        self._wake.set()
        return number

    async def _keep_connected(self) -> None:
        attempt = 0
        while True:
            try:
                reader, writer = await asyncio.open_unix_connection(str(self.path))
            except OSError:
                await asyncio.sleep(_RETRY_SECONDS[min(attempt, len(_RETRY_SECONDS) - 1)])
                attempt += 1
                continue
            try:
                attempt = 0 if await self._converse(reader, writer) else attempt + 1
            finally:
                self.connected = False
                self._outbox.disconnected()
                writer.transport.abort()
            await asyncio.sleep(_RETRY_SECONDS[min(attempt, len(_RETRY_SECONDS) - 1)])

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Send and receive until the connection ends; return whether the recorder took anything."""
        self.connected = True
        self._wake.set()
        receiving = asyncio.create_task(self._receive(reader))
        sending = asyncio.create_task(self._send(writer))
        try:
            await asyncio.wait({receiving, sending}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (receiving, sending):
                task.cancel()
            results = await asyncio.gather(receiving, sending, return_exceptions=True)
        for result in results:
            if isinstance(result, Exception) and not isinstance(result, OSError):
                raise result  # our bug; a lost connection is an OSError or the end of the stream
        return isinstance(results[0], int) and results[0] > 0

    async def _send(self, writer: asyncio.StreamWriter) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._outbox.unsent:
                writer.write(self._outbox.take(now=time.time(), max_bytes=MAX_WRITE_BYTES))
                await writer.drain()

    async def _receive(self, reader: asyncio.StreamReader) -> int:
        taken = 0
        while line := await reader.readline():
            try:
                reply = decode_reply(line)
            except NotASubmission:
                return taken
            self._take_in(reply)
            taken += reply.what in {"written", "synced"}
        return taken

    def _take_in(self, reply: Reply) -> None:
        match reply.what:
            case "written":
                self._outbox.written(reply.number)
            case "synced":
                for number in self._outbox.synced(reply.number):
                    self._answer(number, None)
            case "refused":
                self._outbox.withdraw(reply.number)
                self._answer(reply.number, reply.code)
            case "closed":
                self._fail_waiting(reply.code)
        self._settle()

    def _settle(self) -> None:
        if not len(self._outbox) and not self._outbox.lost:
            self._idle.set()

    def _answer(self, number: int, code: str | None) -> None:
        done = self._waiting.get(number)
        if done is None or done.done():
            return
        if code is None:
            done.set_result(None)
        else:
            done.set_exception(BackendError("audit-unavailable", path=str(self.path), detail=code))

    def _fail_waiting(self, code: str) -> None:
        for number in list(self._waiting):
            self._answer(number, code)
