"""Packets that the ruleset logs (NFLOG), as records on an asyncio loop, with every loss counted.

The kernel numbers what it logs to a group; a jump in the numbers is a loss, however it came about (our
socket full, no memory). ENOBUFS says at once that something was lost, the next record how much.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import struct
import time
from typing import TYPE_CHECKING, NamedTuple, Self

from gateway.kernel.netlink import (
    DONE,
    KernelRefused,
    MalformedNetlink,
    NetlinkSocket,
    decode_messages,
    decode_netfilter,
    encode_attribute,
    encode_netfilter,
    number,
)
from zones.errors import BackendError
from zones.verdict import Outcome, Reason

if TYPE_CHECKING:
    from collections.abc import Callable

COPY_BYTES = 128
"""Of each packet: an IPv6 header, its extensions, and the transport header."""
RECEIVE_BYTES = 8 << 20
MAX_PREFIX_BYTES = 127

_SUBSYSTEM = 4 << 8
_PACKET, _CONFIG = _SUBSYSTEM | 0, _SUBSYSTEM | 1
_CFG_CMD, _CFG_MODE, _CFG_BUFFER, _CFG_THRESHOLD, _CFG_FLAGS = 1, 2, 3, 5, 6
_BIND, _PROTOCOL_BIND, _COPY_PACKET, _FLAG_SEQUENCE = 1, 3, 2, 1
_MODE = struct.Struct("!IBx")
# enum nfulnl_attr_type
_HEADER, _MARK, _TIMESTAMP, _IN, _OUT, _HWADDR, _PAYLOAD, _LOG_PREFIX = 1, 2, 3, 4, 5, 8, 9, 10
_SEQUENCE, _CT, _CT_INFO = 12, 18, 19
_PACKET_HEADER = struct.Struct("!HBx")
_HARDWARE = struct.Struct("!HH8s")
_TIME = struct.Struct("!QQ")
_MAC_BYTES = 6
_SO_RCVBUFFORCE = 33
_READS_PER_TURN = 256
"""Datagrams read before the loop's other work gets its turn."""


class Hook(NamedTuple):
    """Where in the kernel a packet was logged."""

    number: int

    def __str__(self) -> str:
        names = ("prerouting", "input", "forward", "output", "postrouting", "ingress")
        return names[self.number] if self.number < len(names) else f"hook-{self.number}"


class Record(NamedTuple):
    """One logged packet. `payload` begins with the network header and is cut to the copy range.

    `family` is the table's (AF_INET, AF_INET6, or bridge …), `ethertype` the packet's. `mac` is the source
    address of the frame it came in. `seconds` is the kernel's time of arrival, where it took one.
    """

    group: int
    sequence: int | None
    prefix: str
    payload: bytes
    family: int
    ethertype: int
    hook: Hook
    in_index: int | None = None
    out_index: int | None = None
    mark: int = 0
    mac: str | None = None
    seconds: float | None = None
    ct: bytes | None = None
    ct_info: int | None = None


class Gap(NamedTuple):
    """Records of a group that never reached us; `lost` is None while the kernel has not told how many."""

    group: int | None
    lost: int | None
    cause: str


class LogPrefix(NamedTuple):
    """What our own ruleset writes before each logged packet."""

    outcome: Outcome
    reason: Reason
    decided_by: str | None


def format_prefix(outcome: Outcome, reason: Reason, decided_by: str | None) -> str:
    """Return the log prefix of a rule.

    Raises:
        ValueError: the id does not fit a prefix.

    >>> format_prefix(Outcome.DENY, Reason.GUARD, "G1")
    'masugata|deny|guard|G1'
    """
    text = f"masugata|{outcome}|{reason}|{decided_by or ''}"
    if len(text.encode()) > MAX_PREFIX_BYTES or parse_prefix(text) != (outcome, reason, decided_by or None):
        raise ValueError(text)
    return text


def parse_prefix(text: str) -> LogPrefix | None:
    """Return outcome, reason and deciding id of a prefix of ours; None for anyone else's.

    >>> parse_prefix("masugata|allow|flow|F012").decided_by
    'F012'
    """
    parts = text.split("|")
    if len(parts) != 4 or parts[0] != "masugata":
        return None
    _, outcome, reason, decided_by = parts
    if outcome not in _OUTCOMES or reason not in _REASONS:
        return None
    if not decided_by.isprintable() or " " in decided_by:
        return None
    return LogPrefix(_OUTCOMES[outcome], _REASONS[reason], decided_by or None)


def parse_audit_prefix(text: str) -> str | None:
    """Return the id of the audit-mode flow that matched; None for every other prefix.

    >>> parse_audit_prefix("masugata|audit|flow|F110")
    'F110'
    """
    start, _, decided_by = text.rpartition("|")
    if start != "masugata|audit|flow" or not decided_by.isprintable() or not decided_by or " " in decided_by:
        return None
    return decided_by


_OUTCOMES = {str(outcome): outcome for outcome in Outcome}
_REASONS = {str(reason): reason for reason in Reason}


def decode_record(untrusted: bytes) -> Record:
    """Return the record in the body of one NFLOG packet message.

    Raises:
        MalformedNetlink: it is none.
    """
    family, group, attributes = decode_netfilter(untrusted)
    header = attributes.get(_HEADER)
    if header is None or len(header) != _PACKET_HEADER.size:
        raise MalformedNetlink("log record without a packet header")
    ethertype, hook = _PACKET_HEADER.unpack(header)
    prefix = attributes.get(_LOG_PREFIX, b"").rstrip(b"\0").decode("utf-8", "backslashreplace")
    return Record(
        group=group,
        sequence=number(attributes.get(_SEQUENCE), 4),
        prefix=prefix,
        payload=attributes.get(_PAYLOAD, b""),
        family=family,
        ethertype=ethertype,
        hook=Hook(hook),
        in_index=number(attributes.get(_IN), 4),
        out_index=number(attributes.get(_OUT), 4),
        mark=number(attributes.get(_MARK), 4) or 0,
        mac=_mac(attributes.get(_HWADDR)),
        seconds=_seconds(attributes.get(_TIMESTAMP)),
        ct=attributes.get(_CT),
        ct_info=number(attributes.get(_CT_INFO), 4),
    )


def _mac(value: bytes | None) -> str | None:
    if value is None:
        return None
    if len(value) != _HARDWARE.size:
        raise MalformedNetlink(f"hardware address of {len(value)} bytes")
    length, _, address = _HARDWARE.unpack(value)
    return address[:_MAC_BYTES].hex(":") if length == _MAC_BYTES else None


def _seconds(value: bytes | None) -> float | None:
    if value is None:
        return None
    if len(value) != _TIME.size:
        raise MalformedNetlink(f"time of {len(value)} bytes")
    seconds, microseconds = _TIME.unpack(value)
    return float(seconds + microseconds / 1_000_000)


class Sequence:
    """Counts what is missing between the records of each group."""

    def __init__(self) -> None:
        self._next: dict[int, int] = {}

    def missing(self, group: int, sequence: int | None) -> int:
        """Return how many records of `group` were lost before this one."""
        if sequence is None:
            return 0
        expected = self._next.get(group, sequence)
        self._next[group] = (sequence + 1) & 0xFFFFFFFF
        return (sequence - expected) & 0xFFFFFFFF


class InterfaceNames:
    """Names of interfaces by index, asked of the kernel when first needed and forgotten after a while."""

    def __init__(self, *, max_age_seconds: float = 5.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._max_age_seconds, self._clock = max_age_seconds, clock
        self._names: dict[int, tuple[float, str | None]] = {}

    def name(self, index: int | None) -> str | None:
        """Return the interface's name; None where there is none (any more)."""
        if not index:
            return None
        now = self._clock()
        since, name = self._names.get(index, (None, None))
        if since is None or now - since > self._max_age_seconds:
            # An interface can be renamed; the number of names kept is bounded by that of interfaces.
            name = _interface_name(index)
            self._names[index] = (now, name)
        return name


def _interface_name(index: int) -> str | None:
    try:
        return socket.if_indextoname(index)
    except (OSError, OverflowError):
        return None


class NflogReader:
    """Reads log groups of this network namespace and calls back for each record and each gap.

    The callbacks run on the loop and must not block. Needs CAP_NET_ADMIN in the namespace.
    `receive_bytes` is what the kernel granted for the socket's buffer.
    """

    def __init__(
        self,
        *,
        groups: tuple[int, ...],
        on_record: Callable[[Record], None],
        on_gap: Callable[[Gap], None],
        copy_bytes: int = COPY_BYTES,
        receive_bytes: int = RECEIVE_BYTES,
    ) -> None:
        self._on_record, self._on_gap = on_record, on_gap
        self._sequence = Sequence()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._netlink = NetlinkSocket()
        try:
            self.receive_bytes = _enlarge(self._netlink.socket, receive_bytes)
            for group in groups:
                self._bind(group, copy_bytes)
        except BackendError:
            self._netlink.close()
            raise
        self._netlink.socket.setblocking(False)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Begin reading on the running loop. Records logged since the reader was made are kept for it."""
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._netlink.socket.fileno(), self._readable)

    def close(self) -> None:
        """Stop reading and give the groups back."""
        if self._loop is not None:
            self._loop.remove_reader(self._netlink.socket.fileno())
            self._loop = None
        self._netlink.close()

    def _bind(self, group: int, copy_bytes: int) -> None:
        try:
            self._configure(group, encode_attribute(_CFG_CMD, bytes((_BIND,))), "bind a log group")
        except KernelRefused as error:
            if error.number in {errno.EPERM, errno.EBUSY} and self._privileged(group):
                raise BackendError("nflog-group-taken", group=group) from error
            raise
        for attribute, operation in (
            (encode_attribute(_CFG_MODE, _MODE.pack(copy_bytes, _COPY_PACKET)), "set the copy range"),
            # One record a datagram, at once: the default waits for 100 records or a second.
            (encode_attribute(_CFG_THRESHOLD, (1).to_bytes(4)), "set the log threshold"),
            # The kernel allocates this much for every record; the default page holds 30 of ours.
            (encode_attribute(_CFG_BUFFER, (copy_bytes + 512).to_bytes(4)), "set the log buffer"),
            (encode_attribute(_CFG_FLAGS, _FLAG_SEQUENCE.to_bytes(2)), "number the log records"),
        ):
            self._configure(group, attribute, operation)

    def _privileged(self, group: int) -> bool:
        """Return whether the kernel lets us configure at all: a taken group is EPERM too."""
        try:
            self._configure(group, encode_attribute(_CFG_CMD, bytes((_PROTOCOL_BIND,))), "bind a protocol")
        except KernelRefused:
            return False
        return True

    def _configure(self, group: int, attribute: bytes, operation: str) -> None:
        self._netlink.request(_CONFIG, encode_netfilter(0, group, [attribute]), operation)

    def _readable(self) -> None:
        for _ in range(_READS_PER_TURN):
            try:
                datagram, (port, _) = self._netlink.socket.recvfrom(1 << 16)
            except BlockingIOError:
                return
            except OSError as error:
                self._on_gap(Gap(None, None, _cause(error)))
                if error.errno != errno.ENOBUFS:
                    return
                continue
            if port == 0:
                self._take(datagram)
            if self._loop is None:
                return  # a callback closed us

    def _take(self, datagram: bytes) -> None:
        try:
            for message in decode_messages(datagram):
                if message.kind == _PACKET:
                    self._deliver(decode_record(message.body))
                elif message.kind == DONE:
                    return
        except MalformedNetlink:
            self._on_gap(Gap(None, 1, "malformed"))

    def _deliver(self, record: Record) -> None:
        if lost := self._sequence.missing(record.group, record.sequence):
            self._on_gap(Gap(record.group, lost, "sequence"))
        self._on_record(record)


def _cause(error: OSError) -> str:
    if error.errno == errno.ENOBUFS:
        return "overrun"
    return errno.errorcode.get(error.errno or 0, "unknown").lower()


def _enlarge(log_socket: socket.socket, receive_bytes: int) -> int:
    try:
        # Beyond net.core.rmem_max; only with CAP_NET_ADMIN in the first user namespace.
        log_socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, receive_bytes)
    except OSError:
        log_socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    return log_socket.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
