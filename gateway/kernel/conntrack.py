"""The kernel's connection table of this network namespace: count it, read it, flush it."""

from __future__ import annotations

import socket
from enum import IntFlag
from typing import NamedTuple

from gateway.kernel.netlink import (
    MalformedNetlink,
    NetlinkSocket,
    decode_attributes,
    decode_netfilter,
    encode_netfilter,
    number,
)

_SUBSYSTEM = 1 << 8
_NEW, _GET, _DELETE, _STATS = (_SUBSYSTEM | message for message in (0, 1, 2, 5))
# enum ctattr_type and the enums nested in it (linux/netfilter/nfnetlink_conntrack.h)
_ORIGINAL, _REPLY, _STATUS, _PROTOINFO, _TIMEOUT, _MARK = 1, 2, 3, 4, 7, 8
_COUNT_ORIGINAL, _COUNT_REPLY, _ID = 9, 10, 12
_VERSIONS: dict[int, int] = {socket.AF_INET: 4, socket.AF_INET6: 6}
_TUPLE_IP, _TUPLE_PROTO = 1, 2
_ADDRESSES = {4: (1, 2, 4), 6: (3, 4, 16)}  # attribute of source, of destination, bytes
_PROTO_NUMBER, _SOURCE_PORT, _DESTINATION_PORT = 1, 2, 3
# id, type, code
_ICMP = {1: (4, 5, 6), 58: (7, 8, 9)}
_INFO_TCP, _TCP_STATE = 1, 1
_PACKETS, _BYTES = 1, 2
_STATS_ENTRIES, _STATS_MAXIMUM = 1, 2

TCP_STATES = (
    "none",
    "syn-sent",
    "syn-recv",
    "established",
    "fin-wait",
    "close-wait",
    "last-ack",
    "time-wait",
    "close",
    "syn-sent2",
)


class Status(IntFlag):
    """The bits of an entry's status that we look at."""

    EXPECTED = 1
    SEEN_REPLY = 2
    ASSURED = 4
    CONFIRMED = 8
    SOURCE_NAT = 16
    DESTINATION_NAT = 32
    DYING = 512


class Tuple(NamedTuple):
    """One direction of a connection. Addresses are integers; for ICMP `sport` is the id, `dport` the type."""

    version: int
    src: int
    dst: int
    protocol: int
    sport: int
    dport: int


class Entry(NamedTuple):
    """One tracked connection. Counters are zero unless `nf_conntrack_acct` is on."""

    original: Tuple
    reply: Tuple
    status: Status
    mark: int
    timeout_seconds: int
    tcp_state: str | None
    packets: tuple[int, int]
    bytes: tuple[int, int]
    id: int


def decode_entry(untrusted: bytes) -> Entry:
    """Return the entry in the body of one conntrack message.

    Raises:
        MalformedNetlink: it is none.
    """
    family, _, attributes = decode_netfilter(untrusted)
    return decode_entry_attributes(family, attributes)


def decode_entry_attributes(family: int, attributes: dict[int, bytes]) -> Entry:
    """Return the entry in attributes already split, as in a log record's `ct`.

    Raises:
        MalformedNetlink: it is none.
    """
    to_server, to_client = attributes.get(_COUNT_ORIGINAL), attributes.get(_COUNT_REPLY)
    packets, size = zip(_counters(to_server), _counters(to_client), strict=True)
    return Entry(
        original=_tuple(family, attributes.get(_ORIGINAL)),
        reply=_tuple(family, attributes.get(_REPLY)),
        status=Status(number(attributes.get(_STATUS), 4) or 0),
        mark=number(attributes.get(_MARK), 4) or 0,
        timeout_seconds=number(attributes.get(_TIMEOUT), 4) or 0,
        tcp_state=_tcp_state(attributes.get(_PROTOINFO)),
        packets=packets,
        bytes=size,
        id=number(attributes.get(_ID), 4) or 0,
    )


def flush() -> None:
    """Forget every connection of this namespace; the next packet of each is new, or invalid.

    Raises:
        BackendError: no privilege, or the kernel lacks it.
    """
    with NetlinkSocket() as netlink:
        netlink.request(_DELETE, encode_netfilter(socket.AF_UNSPEC, 0), "flush the connection table")


def count() -> tuple[int, int]:
    """Return how many connections are tracked, and how many may be (0 where the kernel does not say).

    Raises:
        BackendError: no privilege, or the kernel lacks it.
    """
    with NetlinkSocket() as netlink:
        body = encode_netfilter(socket.AF_UNSPEC, 0)
        messages = netlink.get(_STATS, body, "count the connection table")
    for message in messages:
        _, _, attributes = decode_netfilter(message.body)
        entries = number(attributes.get(_STATS_ENTRIES), 4)
        if entries is not None:
            return entries, number(attributes.get(_STATS_MAXIMUM), 4) or 0
    raise MalformedNetlink("no count in the answer")


def dump() -> list[Entry]:
    """Return every connection of this namespace, both families.

    Raises:
        BackendError: no privilege, the kernel lacks it, or its answer cannot be read.
    """
    with NetlinkSocket() as netlink:
        body = encode_netfilter(socket.AF_UNSPEC, 0)
        messages = netlink.dump(_GET, body, "read the connection table")
    return [decode_entry(message.body) for message in messages if message.kind == _NEW]


def _tuple(family: int, untrusted: bytes | None) -> Tuple:
    version = _VERSIONS.get(family)
    if version is None or untrusted is None:
        raise MalformedNetlink(f"connection of family {family}")
    parts = decode_attributes(untrusted)
    addresses = decode_attributes(parts.get(_TUPLE_IP, b""))
    source, destination, size = _ADDRESSES[version]
    src, dst = number(addresses.get(source), size), number(addresses.get(destination), size)
    carried = decode_attributes(parts.get(_TUPLE_PROTO, b""))
    protocol = number(carried.get(_PROTO_NUMBER), 1)
    if src is None or dst is None or protocol is None:
        raise MalformedNetlink("connection without addresses or protocol")
    if protocol in _ICMP:
        ident, kind, _ = _ICMP[protocol]
        sport, dport = number(carried.get(ident), 2), number(carried.get(kind), 1)
    else:
        sport = number(carried.get(_SOURCE_PORT), 2)
        dport = number(carried.get(_DESTINATION_PORT), 2)
    return Tuple(version, src, dst, protocol, sport or 0, dport or 0)


def _tcp_state(untrusted: bytes | None) -> str | None:
    if untrusted is None:
        return None
    tcp = decode_attributes(untrusted).get(_INFO_TCP)
    state = number(decode_attributes(tcp).get(_TCP_STATE), 1) if tcp is not None else None
    if state is None:
        return None
    return TCP_STATES[state] if state < len(TCP_STATES) else f"state-{state}"


def _counters(untrusted: bytes | None) -> tuple[int, int]:
    counters = decode_attributes(untrusted or b"")
    return number(counters.get(_PACKETS), 8) or 0, number(counters.get(_BYTES), 8) or 0
