"""Link layers: from a captured frame to the network header inside it.

The numbers are those of the tcpdump.org registry of link-layer header types.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.filter.frames import NO_MAC, NO_VLAN, Frame, Unparsed, missing
from gateway.filter.network import parse_ipv4, parse_ipv6

if TYPE_CHECKING:
    from collections.abc import Callable

NULL, ETHERNET, PPP, PPP_HDLC, PPP_ETHER, C_HDLC = 0, 1, 9, 50, 51, 104
RAW, LOOP, SLL, PPI, RAW_IPV4, RAW_IPV6, SLL2 = 101, 108, 113, 192, 228, 229, 276
_BSD_RAW, _OPENBSD_RAW = 12, 14  # what DLT_RAW was called where a file came from another system

MAX_TAGS = 4
_IPV4, _IPV6, _ARP, _PPPOE = 0x0800, 0x86DD, 0x0806, 0x8864
_TAGS = frozenset({0x8100, 0x88A8, 0x9100, 0x9200})
_SMALLEST_ETHERTYPE = 0x0600  # below it, the field is a length (IEEE 802.3)
_NAMED = {_ARP: Unparsed.ARP, 0x8035: Unparsed.ARP, 0x8847: Unparsed.MPLS, 0x8848: Unparsed.MPLS}
_PPP_IPV4, _PPP_IPV6 = 0x0021, 0x0057
_SLL_OUTGOING = 4


def parse_frame(linktype: int | None, data: bytes, wire: int) -> Frame | Unparsed:
    """Return what a captured frame of `wire` bytes says; never raises, whatever the bytes."""
    if linktype == ETHERNET and len(data) >= 34 and data[12] == 8 and data[13] == 0:
        # The common case without a detour: Ethernet that carries IPv4 directly.
        return parse_ipv4(data, 14, wire, int.from_bytes(data[6:12]), NO_VLAN)
    if linktype is None:
        return Unparsed.UNKNOWN_INTERFACE
    link = _LINKS.get(linktype)
    if link is None:
        return Unparsed.LINKTYPE
    return link(data, 0, wire)


def _ethernet(data: bytes, at: int, wire: int) -> Frame | Unparsed:
    if len(data) < at + 14:
        return missing(data, wire)
    mac = int.from_bytes(data[at + 6 : at + 12])
    ethertype = data[at + 12] << 8 | data[at + 13]
    return _tagged(data, at + 14, wire, ethertype, mac)


def _tagged(data: bytes, at: int, wire: int, ethertype: int, mac: int) -> Frame | Unparsed:
    """Step over VLAN tags (IEEE 802.1Q, 802.1ad); the outermost number is kept."""
    vlan = NO_VLAN
    for _ in range(MAX_TAGS + 1):
        if ethertype not in _TAGS:
            return _network(data, at, wire, ethertype, mac, vlan)
        if len(data) < at + 4:
            return missing(data, wire)
        if vlan == NO_VLAN:
            vlan = (data[at] << 8 | data[at + 1]) & 0x0FFF
        ethertype = data[at + 2] << 8 | data[at + 3]
        at += 4
    return Unparsed.NESTED_TAGS


def _network(  # noqa: PLR0917  positions and numbers read from the frame, in its order
    data: bytes, at: int, wire: int, ethertype: int, mac: int, vlan: int
) -> Frame | Unparsed:
    if ethertype == _IPV4:
        return parse_ipv4(data, at, wire, mac, vlan)
    if ethertype == _IPV6:
        return parse_ipv6(data, at, wire, mac, vlan)
    if ethertype == _PPPOE:
        return _pppoe_session(data, at, wire, mac, vlan)
    if ethertype < _SMALLEST_ETHERTYPE:
        return Unparsed.LLC
    return _NAMED.get(ethertype, Unparsed.ETHERTYPE)


def _pppoe_session(data: bytes, at: int, wire: int, mac: int, vlan: int) -> Frame | Unparsed:
    """RFC 2516: six bytes of session header, then PPP."""
    if len(data) < at + 8:
        return missing(data, wire)
    if data[at] != 0x11 or data[at + 1] != 0:
        return Unparsed.PPP_CONTROL
    end = at + 6 + (data[at + 4] << 8 | data[at + 5])
    if end > wire:
        return Unparsed.BAD_LENGTH
    # The session ends where its header says: what is behind it is padding.
    return _ppp_protocol(data, at + 6, end, mac, vlan)


def _ppp_protocol(data: bytes, at: int, wire: int, mac: int, vlan: int) -> Frame | Unparsed:
    """RFC 1661 2: a protocol field of two bytes, or of one (odd) where it is compressed."""
    if len(data) < at + 2:
        return missing(data, wire)
    compressed = data[at] & 1
    protocol = data[at] if compressed else data[at] << 8 | data[at + 1]
    start = at + (1 if compressed else 2)
    if protocol == _PPP_IPV4:
        return parse_ipv4(data, start, wire, mac, vlan)
    if protocol == _PPP_IPV6:
        return parse_ipv6(data, start, wire, mac, vlan)
    return Unparsed.PPP_CONTROL


def _ppp(data: bytes, at: int, wire: int) -> Frame | Unparsed:
    """RFC 1662: an address and control field of ff 03 may precede the protocol."""
    if data[at : at + 2] == b"\xff\x03":
        at += 2
    return _ppp_protocol(data, at, wire, NO_MAC, NO_VLAN)


def _pppoe(data: bytes, at: int, wire: int) -> Frame | Unparsed:
    return _pppoe_session(data, at, wire, NO_MAC, NO_VLAN)


def _cisco_hdlc(data: bytes, at: int, wire: int) -> Frame | Unparsed:
    if len(data) < at + 4:
        return missing(data, wire)
    return _network(data, at + 4, wire, data[at + 2] << 8 | data[at + 3], NO_MAC, NO_VLAN)


def _raw(data: bytes, at: int, wire: int) -> Frame | Unparsed:
    if len(data) <= at:
        return missing(data, wire)
    version = data[at] >> 4
    if version == 4:
        return parse_ipv4(data, at, wire, NO_MAC, NO_VLAN)
    if version == 6:
        return parse_ipv6(data, at, wire, NO_MAC, NO_VLAN)
    return Unparsed.BAD_VERSION


def _raw_ipv4(data: bytes, at: int, wire: int) -> Frame | Unparsed:
    return parse_ipv4(data, at, wire, NO_MAC, NO_VLAN)


def _raw_ipv6(data: bytes, at: int, wire: int) -> Frame | Unparsed:
    return parse_ipv6(data, at, wire, NO_MAC, NO_VLAN)


# AF_INET is 2 everywhere; AF_INET6 is 10 on Linux, 24, 28 or 30 on the BSDs and macOS.
_FAMILIES = {2: _IPV4, 10: _IPV6, 24: _IPV6, 28: _IPV6, 30: _IPV6}


def _null(data: bytes, at: int, wire: int) -> Frame | Unparsed:
    """Read a BSD loopback header: the address family in the byte order of the machine that captured."""
    if len(data) < at + 4:
        return missing(data, wire)
    field = data[at : at + 4]
    family = min(int.from_bytes(field), int.from_bytes(field, "little"))
    return _network(data, at + 4, wire, _FAMILIES.get(family, 0xFFFF), NO_MAC, NO_VLAN)


def _sll(data: bytes, at: int, wire: int) -> Frame | Unparsed:
    """Read a Linux "cooked" header of 16 bytes; the address is the sender's."""
    if len(data) < at + 16:
        return missing(data, wire)
    mac = int.from_bytes(data[at + 6 : at + 12]) if data[at + 5] == 6 else NO_MAC
    return _tagged(data, at + 16, wire, data[at + 14] << 8 | data[at + 15], mac)


def _sll2(data: bytes, at: int, wire: int) -> Frame | Unparsed:
    if len(data) < at + 20:
        return missing(data, wire)
    mac = int.from_bytes(data[at + 12 : at + 18]) if data[at + 11] == 6 else NO_MAC
    return _tagged(data, at + 20, wire, data[at] << 8 | data[at + 1], mac)


def _ppi(data: bytes, at: int, wire: int) -> Frame | Unparsed:
    """Step over a per-packet information header (little-endian); what is inside must not be PPI again."""
    if len(data) < at + 8:
        return missing(data, wire)
    length = data[at + 2] | data[at + 3] << 8
    inner = int.from_bytes(data[at + 4 : at + 8], "little")
    if length < 8:
        return Unparsed.SHORT
    link = _LINKS.get(inner) if inner != PPI else None
    return Unparsed.LINKTYPE if link is None else link(data, at + length, wire)


_LINKS: dict[int, Callable[[bytes, int, int], Frame | Unparsed]] = {
    NULL: _null,
    ETHERNET: _ethernet,
    PPP: _ppp,
    _BSD_RAW: _raw,
    _OPENBSD_RAW: _raw,
    PPP_HDLC: _ppp,
    PPP_ETHER: _pppoe,
    RAW: _raw,
    C_HDLC: _cisco_hdlc,
    LOOP: _null,
    SLL: _sll,
    PPI: _ppi,
    RAW_IPV4: _raw_ipv4,
    RAW_IPV6: _raw_ipv6,
    SLL2: _sll2,
}
SUPPORTED_LINKTYPES = frozenset(_LINKS)


def leaves(linktype: int | None, data: bytes) -> bool | None:
    """Return whether a cooked header says the packet was going out; None where the link does not tell."""
    if linktype == SLL and len(data) >= 16:
        return data[0] == 0 and data[1] == _SLL_OUTGOING
    if linktype == SLL2 and len(data) >= 20:
        return data[10] == _SLL_OUTGOING
    return None
