"""One attempt to hand a mail to its next host, and what became of each recipient.

The next host is the one the client wanted. Its socket comes from a `Connector`: the enforcer opens it, marked
with the flow, so that the packet filter lets out this connection and no other.
"""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple, Protocol

import aiosmtplib

from gateway.journal.model import Target
from gateway.journal.states import TargetState
from gateway.mail.mailbox import parse_mailbox
from zones.errors import BackendError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.mail.mailbox import Mailbox
    from gateway.mail.passage import Passage

_MAX_REPLY_CHARACTERS = 500


class Connector(Protocol):
    """Opens connections that a flow allows.

    Raises (from `connect`):
        OSError: the host cannot be reached.
        BackendError: the enforcer cannot be asked.
    """

    async def connect(self, flow_id: str, destination: tuple[str, int]) -> socket.socket:
        """Return a connected socket."""
        ...


class Attempt(NamedTuple):
    """What one attempt came to. `targets` holds the recipients whose fate is known or who answered.

    `maybe_delivered` is RFC 1047's window: the content went out and no reply came back, so the next attempt
    may be a second copy (with the same Message-ID).
    """

    targets: tuple[Target, ...]
    reason: str = ""
    maybe_delivered: bool = False


class _Failed(Exception):
    """The attempt cannot go on, with the fate of whoever is still pending."""

    def __init__(self, state: TargetState, reason: str, code: int = 0, reply: str = "") -> None:
        super().__init__(reason)
        self.state, self.reason, self.code, self.reply = state, reason, code, reply


class Delivery:
    """Deliver over SMTP with given time limits."""

    def __init__(
        self, connector: Connector, *, hostname: str, connect_seconds: float, reply_seconds: float
    ) -> None:
        self._connector, self._hostname = connector, hostname
        self._connect_seconds, self._reply_seconds = connect_seconds, reply_seconds

    async def attempt(self, passage: Passage, targets: Sequence[Target], message: bytes) -> Attempt:
        """Try to deliver to every pending recipient.

        A recipient is DELIVERED only after the next host's own 2xx to the content; 5xx is DEAD, everything
        else stays PENDING for another attempt. Nothing raises but our own bugs.
        """
        pending = [target for target in targets if target.state is TargetState.PENDING]
        talk = _Talk(passage, pending, message)
        try:
            async with asyncio.timeout(self._connect_seconds):
                client = await self._connect(passage)
        except (OSError, aiosmtplib.SMTPException, BackendError) as error:
            return talk.failed(_failure(error, "unreachable"))
        try:
            await talk.run(client)
        except (OSError, aiosmtplib.SMTPException, _Failed) as error:
            return talk.failed(_failure(error, "connection-lost"))
        finally:
            await _quit(client)
        return talk.result()

    async def _connect(self, passage: Passage) -> aiosmtplib.SMTP:
        destination = passage.destination
        sock = await self._connector.connect(passage.flow_id, (destination.address, destination.port))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client = aiosmtplib.SMTP(
            sock=sock,
            hostname=None,
            local_hostname=self._hostname,
            timeout=self._reply_seconds,
            start_tls=False,
            use_tls=False,
        )
        try:
            await client.connect()
        except BaseException:
            sock.close()
            raise
        return client


class _Talk:
    """The conversation about one mail."""

    def __init__(self, passage: Passage, pending: Sequence[Target], message: bytes) -> None:
        self._passage, self._message = passage, message
        self._known = {target.address: target for target in pending}
        self._taken: list[str] = []
        self._content_sent = False
        self._reason = ""

    async def run(self, client: aiosmtplib.SMTP) -> None:
        """Say MAIL, RCPT for each, DATA.

        Raises:
            _Failed: a refusal that concerns everybody still pending.
        """
        await self._greet(client)
        await self._mail(client)
        for address in list(self._known):
            await self._recipient(client, address)
        if self._taken:
            await self._content(client)

    def failed(self, failure: _Failed) -> Attempt:
        """Return the attempt as it stands when something concerned everybody."""
        for address, target in self._known.items():
            # A recipient refused for good keeps that; one that was only taken waits like the others.
            if target.state is TargetState.PENDING:
                self._settle(address, failure.state, failure.code, failure.reply or failure.reason)
        return Attempt(tuple(self._known.values()), failure.reason, self._content_sent)

    def result(self) -> Attempt:
        """Return the attempt after a complete conversation."""
        return Attempt(tuple(self._known.values()), self._reason)

    async def _greet(self, client: aiosmtplib.SMTP) -> None:
        try:
            await client.ehlo()
        except aiosmtplib.SMTPHeloError:
            await client.helo()
        if not self._message.isascii() and not client.supports_extension("8bitmime"):
            raise _Failed(TargetState.DEAD, "needs-8bitmime")

    async def _mail(self, client: aiosmtplib.SMTP) -> None:
        sender = self._passage.sender_mailbox
        words = [b"FROM:<" + str(sender).encode() + b">"]
        if client.supports_extension("size"):
            words.append(b"SIZE=%d" % len(self._message))
        if not self._message.isascii():
            words.append(b"BODY=8BITMIME")
        if self._needs_utf8(sender):
            if not client.supports_extension("smtputf8"):
                raise _Failed(TargetState.DEAD, "needs-smtputf8")
            words.append(b"SMTPUTF8")
        reply = await client.execute_command(b"MAIL", *words)
        if not 200 <= reply.code < 300:
            raise _refusal("sender-refused", reply.code, reply.message)

    def _needs_utf8(self, sender: Mailbox) -> bool:
        header = self._message[: self._message.find(b"\r\n\r\n") + 4]
        return (
            sender.needs_utf8 or not header.isascii() or any(not address.isascii() for address in self._known)
        )

    async def _recipient(self, client: aiosmtplib.SMTP, address: str) -> None:
        mailbox = address if "@" not in address else str(parse_mailbox(address))
        reply = await client.execute_command(b"RCPT", b"TO:<" + mailbox.encode() + b">")
        if 200 <= reply.code < 300:
            self._taken.append(address)
        elif reply.code == 421:
            raise _refusal("service-closing", reply.code, reply.message)
        else:
            state = TargetState.DEAD if reply.code >= 500 else TargetState.PENDING
            self._settle(address, state, reply.code, reply.message)
            self._reason = "recipient-refused"

    async def _content(self, client: aiosmtplib.SMTP) -> None:
        self._content_sent = True
        try:
            code, message = await client.data(self._message)
            state = TargetState.DELIVERED
        except aiosmtplib.SMTPDataError as error:
            # Anything but 250 after the final dot, and anything but 354 before it, is no delivery.
            code, message, self._reason = error.code, error.message, "content-refused"
            state = TargetState.DEAD if 500 <= code < 600 else TargetState.PENDING
        self._content_sent = False  # a reply came: nothing is in doubt
        for address in self._taken:
            self._settle(address, state, code, message)

    def _settle(self, address: str, state: TargetState, code: int, reply: str) -> None:
        self._known[address] = Target(address, state, code, printable(reply))


def printable(untrusted: str) -> str:
    """Return a host's words as one line of bounded length for journal and audit."""
    return " ".join("".join(c if c.isprintable() else " " for c in untrusted).split())[:_MAX_REPLY_CHARACTERS]


def _refusal(reason: str, code: int, reply: str) -> _Failed:
    state = TargetState.DEAD if 500 <= code < 600 else TargetState.PENDING
    return _Failed(state, reason, code, reply)


def _failure(error: Exception, reason: str) -> _Failed:
    """Return what an error means for everybody still pending: a host that is away is waited for."""
    if isinstance(error, _Failed):
        return error
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return _refusal("greeting-refused", error.code, error.message)
    if isinstance(error, BackendError):
        reason = error.code
    elif isinstance(error, TimeoutError):
        reason = "timeout"
    return _Failed(TargetState.PENDING, reason, 0, str(error))


async def _quit(client: aiosmtplib.SMTP) -> None:
    """Leave politely; whatever the host says now changes nothing."""
    with suppress(OSError, aiosmtplib.SMTPException):
        if client.is_connected:
            await client.quit(timeout=5)
    client.close()
