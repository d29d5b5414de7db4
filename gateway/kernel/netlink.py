"""Netlink (RFC 3549): messages and attributes as bytes, and a socket that asks and reads the answer.

The codec trusts no length: whatever the bytes are, it ends, and raises `MalformedNetlink` or nothing.
"""

from __future__ import annotations

import os
import socket
import struct
from typing import TYPE_CHECKING, NamedTuple, Self

import gateway.kernel.messages  # noqa: F401  (declares the words)
from zones.errors import BackendError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

NETLINK_NETFILTER = 12
NFNETLINK_V0 = 0

REQUEST, MULTI, ACK, DUMP_INTERRUPTED = 0x1, 0x2, 0x4, 0x10
DUMP = 0x300
NOOP, ERROR, DONE, OVERRUN = 1, 2, 3, 4

HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")
_FAMILY_HEADER = struct.Struct("!BBH")
_ERRNO = struct.Struct("=i")
_NESTED, _BYTE_ORDER = 0x8000, 0x4000
_TYPE = 0x3FFF
MAX_DATAGRAM_BYTES = 1 << 17
MAX_DUMP_RETRIES = 8
REPLY_SECONDS = 5.0


class MalformedNetlink(BackendError):
    """Bytes that are not netlink: a kernel we do not know, or not the kernel at all."""

    def __init__(self, detail: str) -> None:
        super().__init__("netlink-malformed", detail=detail)


class KernelRefused(BackendError):
    """The kernel answered with an error; `number` is the errno."""

    def __init__(self, operation: str, number: int) -> None:
        super().__init__("netlink-refused", operation=operation, detail=os.strerror(number), errno=number)
        self.number = number


class Message(NamedTuple):
    """One netlink message; `body` is what follows its header."""

    kind: int
    flags: int
    sequence: int
    port: int
    body: bytes


def encode_message(kind: int, flags: int, sequence: int, body: bytes) -> bytes:
    """Return one message as bytes, to the kernel (port 0)."""
    return HEADER.pack(HEADER.size + len(body), kind, flags, sequence, 0) + body


def decode_messages(untrusted: bytes) -> Iterator[Message]:
    """Yield the messages of one datagram.

    Raises:
        MalformedNetlink: a length that does not fit; nothing of that message was yielded.
    """
    at, end = 0, len(untrusted)
    while at < end:
        if end - at < HEADER.size:
            raise MalformedNetlink(f"{end - at} bytes where a header of {HEADER.size} should be")
        length, kind, flags, sequence, port = HEADER.unpack_from(untrusted, at)
        if not HEADER.size <= length <= end - at:
            raise MalformedNetlink(f"message of {length} bytes in {end - at}")
        yield Message(kind, flags, sequence, port, untrusted[at + HEADER.size : at + length])
        at += _aligned(length)


def encode_attribute(kind: int, value: bytes) -> bytes:
    """Return one attribute, padded to four bytes."""
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + len(value), kind) + value + bytes(-len(value) % 4)


def encode_nested(kind: int, attributes: Iterable[bytes]) -> bytes:
    """Return an attribute that holds others."""
    return encode_attribute(kind | _NESTED, b"".join(attributes))


def decode_attributes(untrusted: bytes) -> dict[int, bytes]:
    """Return the attributes by type, each once; a nested one is decoded by calling this on its value.

    Raises:
        MalformedNetlink: a length that does not fit, or a type that comes twice.
    """
    found: dict[int, bytes] = {}
    at, end = 0, len(untrusted)
    while at < end:
        if end - at < _ATTRIBUTE.size:
            raise MalformedNetlink(f"{end - at} bytes where an attribute should be")
        length, kind = _ATTRIBUTE.unpack_from(untrusted, at)
        if not _ATTRIBUTE.size <= length <= end - at:
            raise MalformedNetlink(f"attribute of {length} bytes in {end - at}")
        if kind & _TYPE in found:
            # Which of the two counts would be a guess.
            raise MalformedNetlink(f"attribute {kind & _TYPE} twice")
        found[kind & _TYPE] = untrusted[at + _ATTRIBUTE.size : at + length]
        at += _aligned(length)
    return found


def number(value: bytes | None, size: int) -> int | None:
    """Return a big-endian integer attribute of exactly `size` bytes; None where it is absent.

    Raises:
        MalformedNetlink: it has another size.
    """
    if value is None:
        return None
    if len(value) != size:
        raise MalformedNetlink(f"integer of {len(value)} bytes, not {size}")
    return int.from_bytes(value)


def encode_netfilter(family: int, resource: int, attributes: Iterable[bytes] = ()) -> bytes:
    """Return the body of a netfilter message: family, version, resource id, attributes."""
    return _FAMILY_HEADER.pack(family, NFNETLINK_V0, resource) + b"".join(attributes)


def decode_netfilter(untrusted: bytes) -> tuple[int, int, dict[int, bytes]]:
    """Return family, resource id and attributes of a netfilter message's body.

    Raises:
        MalformedNetlink: too short, of another version, or its attributes do not fit.
    """
    if len(untrusted) < _FAMILY_HEADER.size:
        raise MalformedNetlink(f"netfilter body of {len(untrusted)} bytes")
    family, version, resource = _FAMILY_HEADER.unpack_from(untrusted)
    if version != NFNETLINK_V0:
        raise MalformedNetlink(f"nfnetlink version {version}")
    return family, resource, decode_attributes(untrusted[_FAMILY_HEADER.size :])


def error_number(message: Message) -> int:
    """Return the errno of an ERROR or DONE message; 0 is an acknowledgement.

    Raises:
        MalformedNetlink: it is too short, or holds a positive number.
    """
    if message.kind == DONE and not message.body:
        return 0
    if len(message.body) < _ERRNO.size:
        raise MalformedNetlink("error message without a number")
    value: int = _ERRNO.unpack_from(message.body)[0]
    if value > 0 or value < -4095:
        raise MalformedNetlink(f"error number {value}")
    return -value


class Answer:
    """Collects what comes back for one request: messages until it is acknowledged or done. No I/O."""

    def __init__(self, sequence: int, operation: str) -> None:
        self._sequence, self._operation = sequence, operation
        self.messages: list[Message] = []
        self.interrupted = False
        """The table changed while it was dumped: ask again."""

    def feed(self, untrusted: bytes) -> bool:
        """Return whether the answer is complete after this datagram.

        Raises:
            MalformedNetlink: these bytes are not netlink.
            KernelRefused: the answer is an error.
        """
        for message in decode_messages(untrusted):
            if message.sequence != self._sequence or message.kind == NOOP:
                continue
            self.interrupted |= bool(message.flags & DUMP_INTERRUPTED)
            if message.kind in {ERROR, DONE}:
                if refused := error_number(message):
                    raise KernelRefused(self._operation, refused)
                return True
            if message.kind == OVERRUN:
                raise MalformedNetlink("overrun")
            self.messages.append(message)
        return False


class NetlinkSocket:
    """A blocking netlink socket for short requests; close it, or use it with `with`."""

    def __init__(self, protocol: int = NETLINK_NETFILTER) -> None:
        try:
            self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol)
            self.socket.bind((0, 0))
        except OSError as error:
            raise KernelRefused("open a netlink socket", error.errno or 0) from error
        self.socket.settimeout(REPLY_SECONDS)
        self._sequence = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the socket."""
        self.socket.close()

    def request(self, kind: int, body: bytes, operation: str) -> None:
        """Send one request and wait for its acknowledgement.

        Raises:
            BackendError: the kernel refused, did not answer, or answered what is not netlink.
        """
        self._exchange(kind, REQUEST | ACK, body, operation)

    def get(self, kind: int, body: bytes, operation: str) -> list[Message]:
        """Send one request and return the messages that answer it.

        Raises:
            BackendError: as `request`.
        """
        return self._exchange(kind, REQUEST | ACK, body, operation).messages

    def dump(self, kind: int, body: bytes, operation: str) -> list[Message]:
        """Return a whole table, asked again while it changed under the dump.

        Raises:
            BackendError: as `request`; the last attempt is returned even if the table kept changing.
        """
        for _ in range(MAX_DUMP_RETRIES):
            answer = self._exchange(kind, REQUEST | DUMP, body, operation)
            if not answer.interrupted:
                break
        return answer.messages

    def _exchange(self, kind: int, flags: int, body: bytes, operation: str) -> Answer:
        self._sequence += 1
        answer = Answer(self._sequence, operation)
        try:
            self.socket.send(encode_message(kind, flags, self._sequence, body))
            while True:
                datagram, (port, _) = self.socket.recvfrom(MAX_DATAGRAM_BYTES)
                # Port 0 is the kernel; any process may write to our port.
                if port == 0 and answer.feed(datagram):
                    return answer
        except TimeoutError as error:
            raise BackendError("netlink-silent", operation=operation) from error
        except OSError as error:
            raise KernelRefused(operation, error.errno or 0) from error


def _aligned(length: int) -> int:
    return (length + 3) & ~3
