"""From a description to the frames on the wire, by scapy."""

from __future__ import annotations

import logging
import warnings
from typing import TYPE_CHECKING, Any

# scapy warns at import about routes it does not find: we give it every field and never ask it to route.
logging.getLogger("scapy").setLevel(logging.ERROR)
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from scapy.config import conf

    conf.ipv6_enabled = True
    from scapy.layers.inet import ICMP, IP, TCP, UDP, fragment
    from scapy.layers.inet6 import ICMPv6Unknown, IPv6, IPv6ExtHdrFragment, fragment6
    from scapy.layers.l2 import Dot1Q, Ether
    from scapy.packet import Raw

if TYPE_CHECKING:
    from topology.traffic.description import Description, Quote

_ECHOES = {(4, 0), (4, 8), (6, 128), (6, 129)}
# Transport checksums start here in the header (RFC 9293, 768, 792, 4443).
_CHECKSUM_AT = {6: 16, 17: 6, 1: 2, 58: 2}
_ETHERNET, _DOT1Q, _IPV4_CHECKSUM_AT = 14, 4, 10


def build_frames(description: Description, src_mac: str, dst_mac: str) -> list[bytes]:
    """Return the frames of a packet: one, or its fragments. MACs in the description win."""
    link = Ether(src=description.src_mac or src_mac, dst=description.dst_mac or dst_mac)
    if description.vlan is not None:
        link = link / Dot1Q(vlan=description.vlan)
    return [_spoil(bytes(link / packet), description) for packet in _packets(description)]


def _packets(description: Description) -> list[Any]:
    packet = (_ipv4 if description.version == 4 else _ipv6)(description)
    if description.fragment_bytes is None:
        return [packet]
    if description.version == 4:
        return list(fragment(packet, fragsize=description.fragment_bytes))  # type: ignore[no-untyped-call]
    # fragment6 counts the whole packet: 40 bytes of IPv6 and 8 of the fragment header come on top.
    return list(fragment6(packet, description.fragment_bytes + 48))  # type: ignore[no-untyped-call]


def _ipv4(d: Description) -> Any:
    identification = d.id & 0xFFFF if d.ip_id is None else d.ip_id
    flags = "MF" if d.mf else 0
    header = IP(
        src=str(d.src),
        dst=str(d.dst),
        ttl=d.ttl,
        id=identification,
        flags=flags,
        frag=d.offset,
        proto=d.number,
    )
    return header / _body(d)


def _ipv6(d: Description) -> Any:
    header = IPv6(src=str(d.src), dst=str(d.dst), hlim=d.ttl, fl=d.id & 0xFFFFF)
    if not (d.mf or d.offset or d.fragment_bytes):
        header.nh = d.number
        return header / _body(d)
    identification = d.id if d.ip_id is None else d.ip_id
    piece = IPv6ExtHdrFragment(id=identification, m=int(d.mf), offset=d.offset, nh=d.number)
    return header / piece / _body(d)


def _body(d: Description) -> Any:
    if d.offset:
        return Raw(d.payload)
    return _transport(d) / Raw(d.payload) if d.number in _TRANSPORTS else Raw(d.payload)


def _transport(d: Description) -> Any:
    return _TRANSPORTS[d.number](d)


def _tcp(d: Description) -> Any:
    return TCP(sport=d.sport, dport=d.dport, flags=d.flags, seq=d.id if d.seq is None else d.seq, ack=d.ack)


def _udp(d: Description) -> Any:
    return UDP(sport=d.sport, dport=d.dport)


def _icmp(d: Description) -> Any:
    kind = 8 if d.icmp_type is None else d.icmp_type
    if (4, kind) in _ECHOES:
        return ICMP(type=kind, code=d.icmp_code, id=d.id >> 16, seq=d.id & 0xFFFF)
    header = ICMP(type=kind, code=d.icmp_code)
    return header / Raw(_quoted(d.quote)) if d.quote else header


def _icmp6(d: Description) -> Any:
    kind = 128 if d.icmp_type is None else d.icmp_type
    rest = d.id.to_bytes(4, "big") if (6, kind) in _ECHOES else bytes(4)
    return ICMPv6Unknown(type=kind, code=d.icmp_code, msgbody=rest + (_quoted(d.quote) if d.quote else b""))


_TRANSPORTS = {6: _tcp, 17: _udp, 1: _icmp, 58: _icmp6}


def _quoted(quote: Quote) -> bytes:
    """Return the quoted header and the first 8 bytes behind it (RFC 792)."""
    inner = TCP(seq=quote.seq) if quote.protocol == "tcp" else UDP()
    inner.sport, inner.dport = quote.sport, quote.dport
    outer = IP if quote.src.version == 4 else IPv6
    packet = bytes(outer(src=str(quote.src), dst=str(quote.dst)) / inner)
    return packet[: (20 if quote.src.version == 4 else 40) + 8]


def _spoil(frame: bytes, d: Description) -> bytes:
    """Return the frame with the checksums wrong that are to be wrong."""
    network = _ETHERNET + (_DOT1Q if d.vlan is not None else 0)
    places = []
    if "ip" in d.corrupt and d.version == 4:
        places.append(network + _IPV4_CHECKSUM_AT)
    if "transport" in d.corrupt and d.number in _CHECKSUM_AT and not d.offset:
        header = 20 if d.version == 4 else 40 + (8 if d.mf or d.fragment_bytes else 0)
        places.append(network + header + _CHECKSUM_AT[d.number])
    spoilt = bytearray(frame)
    for place in places:
        spoilt[place] ^= 0x55
    return bytes(spoilt)
