"""IPv4, IPv6 and what they carry: from the first byte of a network header to a `Frame`."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from gateway.filter.frames import (
    FIRST_FRAGMENT,
    ICMP_ANSWERS,
    ICMP_ERRORS,
    ICMP_QUERIES,
    LATER_FRAGMENT,
    SEGMENT_TYPES,
    UNSET,
    WHOLE,
    WRONG,
    Frame,
    Unparsed,
    missing,
)
from gateway.filter.options import bad_hop_options, bad_option
from zones.verdict import ICMP, ICMP6, SCTP, TCP, UDP

if TYPE_CHECKING:
    from collections.abc import Callable

    # source port, destination port, end of the key, flags or chunk type
    _Carried = tuple[int, int, bytes, int]

_IPV4 = struct.Struct("!BxHHHxBxxII")
_WORDS = struct.Struct("!10H")
_PORTS = struct.Struct("!HH")
_UDP = struct.Struct("!HHH")
_TCP_BYTES, _SCTP_BYTES, _UDP_BYTES, _ICMP_BYTES = 20, 16, 8, 8  # of SCTP: with the head of its first chunk
_TRANSPORT_BYTES = {
    TCP: _TCP_BYTES,
    UDP: _UDP_BYTES,
    SCTP: _SCTP_BYTES,
    ICMP: _ICMP_BYTES,
    ICMP6: _ICMP_BYTES,
}
_TAIL = [bytes(4) + bytes((protocol,)) for protocol in range(256)]
_PROTOCOL = [bytes((protocol,)) for protocol in range(256)]
_MORE, _OFFSET = 0x2000, 0x1FFF
MAX_EXTENSION_HEADERS = 16
_HOP, _ROUTING, _FRAGMENT, _AUTHENTICATION, _OPTIONS = 0, 43, 44, 51, 60
_FRAGMENT_BYTES = 8
_EXTENSIONS = frozenset({_HOP, _ROUTING, _FRAGMENT, _AUTHENTICATION, _OPTIONS})


class _Head(NamedTuple):
    """What the network header says; `addresses` are the two as they stand in it.

    `before` counts the bytes between the fixed header and the fragmented part that are in every fragment,
    `fragmented` the bytes of that part in this one.
    """

    version: int
    src: int
    dst: int
    protocol: int
    addresses: bytes
    ident: int
    offset: int = 0
    more: bool = False
    before: int = 0
    fragmented: int = 0


def parse_ipv4(data: bytes, at: int, wire: int, mac: int, vlan: int) -> Frame | Unparsed:
    """Return the IPv4 packet that starts at byte `at` of a frame of `wire` bytes."""
    have = len(data) - at
    if have < 20:
        return missing(data, wire)
    first, total, ident, fragment, protocol, src, dst = _IPV4.unpack_from(data, at)
    if first != 0x45:
        refused = _odd_header(data, at, wire, first)
        if refused is not None:
            return refused
    header = (first & 15) * 4
    if total < header or at + total > wire:
        return Unparsed.BAD_LENGTH
    addresses = data[at + 12 : at + 20]
    span, link = (at + header, total - header), (mac, vlan)
    if not fragment & (_MORE | _OFFSET):
        frame = _packet(data, wire, span, _Head(4, src, dst, protocol, addresses, ident), link)
    else:
        offset, more = (fragment & _OFFSET) * 8, bool(fragment & _MORE)
        head = _Head(4, src, dst, protocol, addresses, ident, offset, more, header, span[1])
        frame = _fragment(data, wire, span, head, link)
    # RFC 1071: a header with the right checksum adds up to 0xffff.
    total = sum(
        _WORDS.unpack_from(data, at) if header == 20 else struct.unpack_from(f"!{header // 2}H", data, at)
    )
    if total % 0xFFFF and isinstance(frame, Frame):
        return frame._replace(checksum=WRONG if data[at + 10 : at + 12] != b"\0\0" else UNSET)
    return frame


def _odd_header(data: bytes, at: int, wire: int, first: int) -> Unparsed | None:
    """Return what is wrong with a header that is not the plain twenty bytes."""
    if first >> 4 != 4:
        return Unparsed.BAD_VERSION
    header = (first & 15) * 4
    if header < 20:
        return Unparsed.BAD_IHL
    if len(data) - at < header:
        return missing(data, wire)
    return bad_option(data[at + 20 : at + header])


def parse_ipv6(data: bytes, at: int, wire: int, mac: int, vlan: int) -> Frame | Unparsed:
    """Return the IPv6 packet that starts at byte `at`, behind at most `MAX_EXTENSION_HEADERS` headers."""
    if len(data) - at < 40:
        return missing(data, wire)
    if data[at] >> 4 != 6:
        return Unparsed.BAD_VERSION
    length = int.from_bytes(data[at + 4 : at + 6])
    # A jumbogram (length 0, RFC 2675) is larger than any link of ours: refused with the other bad lengths.
    if at + 40 + length > wire or (length == 0 and data[at + 6] == _HOP):
        return Unparsed.BAD_LENGTH
    end = at + 40 + length
    refused = bad_hop_options(data, at + 40, end, wire) if data[at + 6] == _HOP else None
    found = refused or _behind_extensions(data, at + 40, end, data[at + 6], wire)
    if isinstance(found, Unparsed):
        return found
    start, protocol, fragment, ident, fragmented = found
    src = int.from_bytes(data[at + 8 : at + 24])
    dst = int.from_bytes(data[at + 24 : at + 40])
    addresses, link = data[at + 8 : at + 40], (mac, vlan)
    offset, more = fragment & 0xFFF8, bool(fragment & 1)
    # RFC 6946: an atomic fragment, offset 0 and nothing to follow, is a whole packet.
    if offset or more:
        before = fragmented - (at + 40 + _FRAGMENT_BYTES)
        head = _Head(6, src, dst, protocol, addresses, ident, offset, more, before, end - fragmented)
        frame = _fragment(data, wire, (start, end - start), head, link)
    else:
        head = _Head(6, src, dst, protocol, addresses, ident)
        frame = _packet(data, wire, (start, end - start), head, link)
    if protocol == ICMP6 and isinstance(frame, Frame) and _stays_on_segment(frame):
        return Unparsed.NEIGHBOURS
    return frame


def _stays_on_segment(frame: Frame) -> bool:
    """Return whether this is neighbour or listener discovery that no router forwards (RFC 4291 2.7)."""
    link_scope = frame.dst >> 112 == 0xFF02 or frame.dst >> 118 == 0xFE80 >> 6
    return link_scope and frame.dport in SEGMENT_TYPES


def _behind_extensions(
    data: bytes, at: int, end: int, protocol: int, wire: int
) -> tuple[int, int, int, int, int] | Unparsed:
    """Return where the transport header starts, its protocol, and what the fragment header says.

    That is its field of offset and flag, its id, and where the fragmented part starts: 0 if there is none.
    """
    fragment = ident = fragmented = 0
    for _ in range(MAX_EXTENSION_HEADERS + 1):
        if protocol not in _EXTENSIONS:
            return at, protocol, fragment, ident, fragmented
        # RFC 8200 4.1: one fragment header at most. Two would let the second hide what the first says.
        if at + 8 > end or (protocol == _FRAGMENT and fragmented):
            return Unparsed.BAD_EXTENSION
        if at + 8 > len(data):
            return missing(data, wire)
        follows = data[at]
        if protocol == _FRAGMENT:
            fragment = int.from_bytes(data[at + 2 : at + 4])
            ident = int.from_bytes(data[at + 4 : at + 8])
            at += _FRAGMENT_BYTES
            fragmented = at
            if fragment & 0xFFF8:
                return at, follows, fragment, ident, fragmented
        else:
            at += (data[at + 1] + 2) * 4 if protocol == _AUTHENTICATION else (data[at + 1] + 1) * 8
        if at > end:
            return Unparsed.BAD_EXTENSION
        protocol = follows
    return Unparsed.BAD_EXTENSION


def _fragment(
    data: bytes, wire: int, span: tuple[int, int], head: _Head, link: tuple[int, int]
) -> Frame | Unparsed:
    """Return one fragment: the first with its ports, a later one without."""
    size = head.fragmented
    # What is put together has one length field of sixteen bits, headers included.
    if head.before + head.offset + size > 0xFFFF or size == 0 or (head.more and size % 8):
        return Unparsed.BAD_FRAGMENT
    if head.offset == 0:
        if span[1] < _TRANSPORT_BYTES.get(head.protocol, 0):
            # RFC 1858: ports or flags pushed into a later fragment are there to slip past a filter.
            return Unparsed.TINY_FRAGMENT
        return _packet(data, wire, span, head, link)
    version, src, dst, protocol, addresses, ident, offset = head[:7]
    key, cut = addresses + _TAIL[protocol], len(data) < wire
    return Frame(version, src, dst, protocol, 0, 0, key, 0, ident, LATER_FRAGMENT, offset, size, cut, *link)


def _packet(
    data: bytes, wire: int, span: tuple[int, int], head: _Head, link: tuple[int, int]
) -> Frame | Unparsed:
    """Return the packet with what its transport header says; `span` is where it starts and its length."""
    version, src, dst, protocol, addresses, ident, _, more, _, fragmented = head
    at, length = span
    read = _TRANSPORTS.get(protocol)
    quoted = None
    if read is None:
        sport = dport = control = 0
        tail = _TAIL[protocol]
    else:
        carried = read(data, at, length, wire, not more)
        if isinstance(carried, Unparsed):
            return carried
        sport, dport, tail, control = carried
        if protocol in ICMP_ERRORS and dport in ICMP_ERRORS[protocol]:
            # What stands behind the packet is padding: nobody vouches for it.
            quoted = _quoted(data[: at + length], at + _ICMP_BYTES, version)
    return Frame(
        version,
        src,
        dst,
        protocol,
        sport,
        dport,
        addresses + tail,
        control,
        ident,
        FIRST_FRAGMENT if more else WHOLE,
        0,
        fragmented or length,
        len(data) < wire,
        link[0],
        link[1],
        quoted,
    )


def _tcp(data: bytes, at: int, length: int, wire: int, _whole: bool) -> _Carried | Unparsed:
    if length < _TCP_BYTES:
        return Unparsed.BAD_TCP
    if len(data) < at + 14:
        return missing(data, wire)
    header = (data[at + 12] >> 4) * 4
    if header < _TCP_BYTES or header > length:
        return Unparsed.BAD_TCP
    sport, dport = _PORTS.unpack_from(data, at)
    return sport, dport, data[at : at + 4] + b"\x06", data[at + 13]


def _udp(data: bytes, at: int, length: int, wire: int, whole: bool) -> _Carried | Unparsed:
    if length < _UDP_BYTES:
        return Unparsed.BAD_UDP
    if len(data) < at + 6:
        return missing(data, wire)
    sport, dport, said = _UDP.unpack_from(data, at)
    # A first fragment tells the length of the whole datagram.
    if said < _UDP_BYTES or (said > length and whole):
        return Unparsed.BAD_UDP
    return sport, dport, data[at : at + 4] + b"\x11", 0


def _sctp(data: bytes, at: int, length: int, wire: int, _whole: bool) -> _Carried | Unparsed:
    """Return ports and the first chunk: it tells whether an association is opened (RFC 9260 5.1)."""
    if length < _SCTP_BYTES:
        return Unparsed.SHORT
    if len(data) < at + 13:
        return missing(data, wire)
    sport, dport = _PORTS.unpack_from(data, at)
    return sport, dport, data[at : at + 4] + _PROTOCOL[SCTP], data[at + 12]


def _icmp(data: bytes, at: int, length: int, wire: int, _whole: bool) -> _Carried | Unparsed:
    """Return code and type, and the id where it tells one query from another."""
    return _control_message(data, at, length, wire, ICMP)


def _icmp6(data: bytes, at: int, length: int, wire: int, _whole: bool) -> _Carried | Unparsed:
    return _control_message(data, at, length, wire, ICMP6)


def _control_message(data: bytes, at: int, length: int, wire: int, protocol: int) -> _Carried | Unparsed:
    if length < _ICMP_BYTES:
        return Unparsed.SHORT
    if len(data) < at + _ICMP_BYTES:
        return missing(data, wire)
    kind, code = data[at], data[at + 1]
    asks = kind in ICMP_QUERIES[protocol] or kind in ICMP_ANSWERS[protocol]
    ident = data[at + 4 : at + 6] if asks else b"\0\0"
    return code, kind, ident + bytes((kind, code, protocol)), 0


_TRANSPORTS: dict[int, Callable[[bytes, int, int, int, bool], _Carried | Unparsed]] = {
    TCP: _tcp,
    UDP: _udp,
    SCTP: _sctp,
    ICMP: _icmp,
    ICMP6: _icmp6,
}


def _quoted(data: bytes, at: int, version: int) -> bytes | None:
    """Return the key of the packet inside an ICMP error; None where it is too little to tell.

    A router quotes the header and at least eight bytes (RFC 792, RFC 4443 2.4), so only these are used and
    neither lengths nor checksum: they need not fit what was quoted.
    """
    if version == 4:
        if len(data) < at + 20 or data[at] >> 4 != 4:
            return None
        header, protocol = (data[at] & 15) * 4, data[at + 9]
        later = (data[at + 6] << 8 | data[at + 7]) & _OFFSET
        start, addresses = at + header, data[at + 12 : at + 20]
        if header < 20 or later:
            return None
    else:
        if len(data) < at + 40 or data[at] >> 4 != 6:
            return None
        found = _behind_extensions(data, at + 40, len(data), data[at + 6], 0)
        if isinstance(found, Unparsed) or found[2] & 0xFFF8:
            return None
        start, protocol, addresses = found[0], found[1], data[at + 8 : at + 40]
    return _quoted_key(data, start, protocol, addresses)


def _quoted_key(data: bytes, start: int, protocol: int, addresses: bytes) -> bytes | None:
    if protocol not in _TRANSPORT_BYTES:
        return addresses + _TAIL[protocol]
    if len(data) < start + 8:
        return None
    if protocol in (ICMP, ICMP6):
        return addresses + data[start + 4 : start + 6] + data[start : start + 2] + _PROTOCOL[protocol]
    return addresses + data[start : start + 4] + _PROTOCOL[protocol]
