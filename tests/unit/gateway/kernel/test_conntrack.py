"""Conntrack bytes made by hand → entries."""

from __future__ import annotations

import socket
import struct

import pytest

from gateway.kernel.conntrack import Status, Tuple, decode_entry
from gateway.kernel.netlink import MalformedNetlink, encode_attribute, encode_nested, encode_netfilter


def ends(kind: int, src: bytes, dst: bytes, *carried: bytes) -> bytes:
    first = 1 if len(src) == 4 else 3
    addresses = [encode_attribute(first, src), encode_attribute(first + 1, dst)]
    return encode_nested(kind, [encode_nested(1, addresses), encode_nested(2, carried)])


def tcp(kind: int, src: bytes, dst: bytes, sport: int, dport: int) -> bytes:
    return ends(
        kind,
        src,
        dst,
        encode_attribute(1, b"\x06"),
        encode_attribute(2, struct.pack("!H", sport)),
        encode_attribute(3, struct.pack("!H", dport)),
    )


A, B = bytes([10, 10, 3, 4]), bytes([10, 30, 5, 80])


def test_a_tcp_entry_is_read():
    entry = decode_entry(
        encode_netfilter(
            socket.AF_INET,
            0,
            [
                tcp(1, A, B, 40000, 443),
                tcp(2, B, A, 443, 40000),
                encode_attribute(3, struct.pack("!I", 0x8E)),
                encode_nested(4, [encode_nested(1, [encode_attribute(1, b"\x03")])]),
                encode_attribute(7, struct.pack("!I", 431_999)),
                encode_attribute(8, struct.pack("!I", 12)),
                encode_nested(
                    9,
                    [encode_attribute(1, struct.pack("!Q", 3)), encode_attribute(2, struct.pack("!Q", 180))],
                ),
                encode_attribute(12, struct.pack("!I", 99)),
            ],
        )
    )
    assert entry.original == Tuple(4, 0x0A0A0304, 0x0A1E0550, 6, 40000, 443)
    assert entry.reply == Tuple(4, 0x0A1E0550, 0x0A0A0304, 6, 443, 40000)
    assert Status.SEEN_REPLY | Status.ASSURED | Status.CONFIRMED in entry.status
    assert (entry.mark, entry.timeout_seconds, entry.tcp_state) == (12, 431_999, "established")
    assert (entry.packets, entry.bytes, entry.id) == ((3, 0), (180, 0), 99)


def test_an_icmpv6_entry_has_its_id_and_type():
    ident = [
        encode_attribute(1, b"\x3a"),
        encode_attribute(7, struct.pack("!H", 5)),
        encode_attribute(8, b"\x80"),
        encode_attribute(9, b"\0"),
    ]
    six = bytes(15) + b"\1"
    entry = decode_entry(
        encode_netfilter(socket.AF_INET6, 0, [ends(1, six, six, *ident), ends(2, six, six, *ident)])
    )
    assert entry.original == Tuple(6, 1, 1, 58, 5, 128)
    assert entry.tcp_state is None


@pytest.mark.parametrize(
    "untrusted",
    [
        encode_netfilter(socket.AF_INET, 0),
        encode_netfilter(socket.AF_UNIX, 0, [tcp(1, A, B, 1, 2), tcp(2, B, A, 2, 1)]),
        encode_netfilter(socket.AF_INET, 0, [tcp(1, A, B, 1, 2)]),
        encode_netfilter(socket.AF_INET6, 0, [tcp(1, A, B, 1, 2), tcp(2, B, A, 2, 1)]),
        encode_netfilter(socket.AF_INET, 0, [ends(1, A, B), ends(2, B, A)]),
        encode_netfilter(socket.AF_INET, 0, [tcp(1, A + b"x", B, 1, 2), tcp(2, B, A, 2, 1)]),
    ],
)
def test_what_is_no_entry_is_refused(untrusted):
    with pytest.raises(MalformedNetlink):
        decode_entry(untrusted)
