"""The SMTP listener: sockets, clocks and backpressure around `SmtpSession`; it decides nothing itself.

A connection is asked about before it is greeted: who it is from, and where it wanted to go. Bytes are read
only after the previous ones were dealt with, so a client cannot make us hold more than one read of it;
content goes to the spool as it comes.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from gateway.mail import replies
from gateway.mail.destination import endpoint_of, original_destination
from gateway.mail.intake import failure_reply
from gateway.mail.protocol import Append, Begin, Close, Complete, Discard, Refused, Send, State
from gateway.mail.smtp import SmtpSession
from zones.errors import BackendError
from zones.verdict import Outcome, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.audit.sink import AuditSink
    from gateway.journal.model import BlobWriter
    from gateway.mail.destination import Resolver
    from gateway.mail.intake import Intake
    from gateway.mail.passage import Endpoint
    from gateway.mail.protocol import Command
    from gateway.mail.replies import Reply
    from gateway.mail.settings import MailSettings

_READ_BYTES = 65_536
_LINGER_SECONDS = 2.0
_LINGER_BYTES = 1 << 20


class Admission(Protocol):
    """What the policy says to a connection; the application supplies it."""

    def decide_connection(self, peer: tuple[str, int], destination: tuple[str, int]) -> Verdict:
        """Return the verdict; only `sanitize:mail` is served."""
        ...


class MailListener:
    """Serve SMTP on listening sockets that somebody redirects connections to."""

    def __init__(
        self,
        *,
        settings: MailSettings,
        intake: Intake,
        admission: Admission,
        audit: AuditSink,
        resolver: Resolver = original_destination,
    ) -> None:
        self._settings, self._intake, self._admission = settings, intake, admission
        self._audit, self._resolver = audit, resolver
        self._servers: list[asyncio.Server] = []
        self._connections: dict[asyncio.Task[None], _Connection] = {}
        self._per_peer: Counter[str] = Counter()

    async def start(self, sockets: Sequence[socket.socket] = ()) -> None:
        """Listen on these sockets, or on those of the settings.

        Raises:
            BackendError: `mail-listen` when an address or port cannot be had.
        """
        for listener in sockets or open_listeners(self._settings):
            self._servers.append(await asyncio.start_server(self._serve, sock=listener, limit=_READ_BYTES))

    @property
    def addresses(self) -> list[Endpoint]:
        """Where we listen."""
        return [endpoint_of(part.getsockname()) for server in self._servers for part in server.sockets]

    async def stop(self, *, drain_seconds: float) -> None:
        """Take no new connections, let messages that are coming in finish, then close what is left."""
        for server in self._servers:
            server.close()
        for connection in list(self._connections.values()):
            await connection.shut_down()
        if self._connections:
            await asyncio.wait(self._connections, timeout=drain_seconds)
        for task in list(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        raw = writer.get_extra_info("socket")
        try:
            # asyncio does this only for sockets made with an explicit protocol; ours may be handed to us.
            # Without it Nagle and delayed ACKs hold every reply back for 40 ms.
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            peer = endpoint_of(writer.get_extra_info("peername"))
            destination = self._resolver(raw, writer.get_extra_info("sockname")[1])
        except (OSError, TypeError):
            writer.close()  # the client had left before we looked
            return
        verdict, refusal = self._decide(peer, destination)
        connection = _Connection(reader, writer, self._intake, self._audit, self._settings)
        connection.introduce(peer, destination, verdict)
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  asyncio runs this as a task
        self._connections[task] = connection
        self._per_peer[peer.address] += 1
        try:
            await connection.converse(refusal)
        finally:
            del self._connections[task]
            self._per_peer[peer.address] -= 1
            if not self._per_peer[peer.address]:
                del self._per_peer[peer.address]

    def _decide(self, peer: Endpoint, destination: Endpoint | None) -> tuple[Verdict | None, Reply | None]:
        if len(self._connections) >= self._settings.max_connections:
            return None, replies.TOO_MANY_CONNECTIONS
        if self._per_peer[peer.address] >= self._settings.max_connections_per_peer:
            return None, replies.TOO_MANY_CONNECTIONS
        if destination is None:
            return None, replies.NOT_DIRECTLY
        verdict = self._admission.decide_connection(
            (peer.address, peer.port), (destination.address, destination.port)
        )
        admitted = verdict.outcome is Outcome.SANITIZE_MAIL
        return verdict, None if admitted else replies.NO_SERVICE


class _Connection:
    """One client: reads, asks the session, does what it says."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        intake: Intake,
        audit: AuditSink,
        settings: MailSettings,
    ) -> None:
        self._reader, self._writer, self._intake, self._audit = reader, writer, intake, audit
        self._session = SmtpSession(settings.hostname, settings.smtp_limits(), intake, time.monotonic())
        self._spooling: BlobWriter | None = None
        self._spool_failure = replies.SPOOL_FAILED
        self._waiting: asyncio.Timeout | None = None
        self._peer: Endpoint
        self._destination: Endpoint | None = None
        self._verdict: Verdict | None = None

    def introduce(self, peer: Endpoint, destination: Endpoint | None, verdict: Verdict | None) -> None:
        """Say who the client is, where it wanted to go, and what the policy said."""
        self._peer, self._destination, self._verdict = peer, destination, verdict

    async def converse(self, refusal: Reply | None) -> None:
        """Serve the client until it leaves, is refused, or is too slow."""
        try:
            await self._perform(self._session.greet(refusal))
            while self._session.state is not State.CLOSED:
                await self._step()
        except (ConnectionError, TimeoutError):
            await self._perform_quietly(self._session.receive_end())
        finally:
            if self._spooling is not None:
                await self._spooling.abort()
            await self._close()

    async def _step(self) -> None:
        remaining = self._session.deadline - time.monotonic()
        try:
            async with asyncio.timeout(max(0.0, remaining)) as self._waiting:
                untrusted = await self._reader.read(_READ_BYTES)
        except TimeoutError:
            self._waiting = None
            await self._perform(self._session.expire(time.monotonic()))
            return
        self._waiting = None
        if untrusted:
            await self._perform(self._session.receive(untrusted, time.monotonic()))
        else:
            await self._perform(self._session.receive_end())

    async def shut_down(self) -> None:
        """Say goodbye unless a message is coming in."""
        await self._perform_quietly(self._session.shut_down())
        if self._session.state is State.CLOSED and self._waiting is not None:
            self._waiting.reschedule(asyncio.get_running_loop().time())

    async def _perform_quietly(self, commands: list[Command]) -> None:
        with suppress(ConnectionError, TimeoutError):
            await self._perform(commands)

    async def _perform(self, commands: list[Command]) -> None:
        queue = list(commands)
        sent = False
        while queue:
            command = queue.pop(0)
            match command:
                case Send(data):
                    self._writer.write(data)
                    sent = True
                case Begin():
                    self._spooling = self._intake.writer()
                case Append(content):
                    await self._append(content)
                case Discard():
                    await self._discard()
                case Complete():
                    # What is pipelined behind a message comes after its answer, in this queue.
                    reply = await self._complete(command)
                    queue += self._session.settle(reply, time.monotonic())
                case Refused():
                    self._report(command)
                case Close():
                    break
        if sent:
            await self._drain()

    async def _drain(self) -> None:
        # A client that pipelines and does not read its replies must not hold us for ever.
        async with asyncio.timeout(self._session.limits.command_seconds):
            await self._writer.drain()

    async def _append(self, content: bytes) -> None:
        if self._spooling is None:
            return  # the spool has failed this message already; its end will say so
        try:
            await self._spooling.write(content)
        except BackendError as error:
            self._spool_failure = failure_reply(error)
            self._session.fail_content(self._spool_failure)
            await self._discard()

    async def _discard(self) -> None:
        if self._spooling is not None:
            spooling, self._spooling = self._spooling, None
            await spooling.abort()

    async def _complete(self, message: Complete) -> Reply:
        spooling, self._spooling = self._spooling, None
        if spooling is None or self._verdict is None or self._destination is None:
            return self._spool_failure
        reply = await self._intake.accept(spooling, message, self._verdict, self._peer, self._destination)
        if reply.refuses:
            self._report(Refused(reply, message.envelope))
        return reply

    def _report(self, refused: Refused) -> None:
        verdict, envelope = self._verdict, refused.envelope
        self._audit.emit(
            "mail-refused",
            code=refused.reply.reason,
            reply_code=refused.reply.code,
            enhanced_code=refused.reply.status,
            peer=self._peer.address,
            peer_port=self._peer.port,
            remote=None if self._destination is None else str(self._destination),
            outcome=None if verdict is None else verdict.outcome,
            reason=None if verdict is None else verdict.reason,
            decided_by=None if verdict is None else verdict.decided_by,
            source_zone=None if verdict is None else verdict.source_zone,
            destination_zone=None if verdict is None else verdict.destination_zone,
            revision="" if verdict is None else verdict.revision,
            helo=None if envelope is None else envelope.helo,
            sender=None if envelope is None else str(envelope.sender),
            recipients=None if envelope is None else [str(address) for address in envelope.recipients],
            recipient=None if refused.recipient is None else str(refused.recipient),
        )

    async def _close(self) -> None:
        """Close so that our last reply arrives: unread bytes would turn the close into a reset."""
        try:
            with suppress(OSError, TimeoutError):
                async with asyncio.timeout(_LINGER_SECONDS):
                    await self._linger()
        finally:
            self._writer.close()
        with suppress(OSError):
            await self._writer.wait_closed()

    async def _linger(self) -> None:
        if self._writer.can_write_eof():
            self._writer.write_eof()
        left = _LINGER_BYTES
        while left > 0 and (extra := await self._reader.read(_READ_BYTES)):
            left -= len(extra)


def open_listeners(settings: MailSettings) -> list[socket.socket]:
    """Return bound sockets for the addresses of the settings.

    Raises:
        BackendError: `mail-listen` when an address or port cannot be had; none stays open then.
    """
    opened: list[socket.socket] = []
    for address in settings.listen.addresses:
        family = socket.AF_INET if address.version == 4 else socket.AF_INET6
        listener = socket.socket(family, socket.SOCK_STREAM)
        opened.append(listener)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            listener.bind((str(address), settings.listen.port))
            listener.listen(settings.listen.backlog)
            listener.setblocking(False)
        except OSError as error:
            for one in opened:
                one.close()
            where = f"{address}:{settings.listen.port}"
            raise BackendError("mail-listen", address=where, detail=error.strerror or str(error)) from error
    return opened
