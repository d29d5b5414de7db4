"""What arrived: the IP packet in a captured frame, read with nothing but the standard library.

The reader of a test must not share its code with what is tested, nor with what sent the packet.
"""

from __future__ import annotations

import struct
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from topology.traffic.tagging import read_tag

_NAMES = {1: "icmp", 6: "tcp", 17: "udp", 58: "icmp6"}
_TCP_FLAGS = "FSRPAUEC"
# Hop-by-hop, routing, destination options: next header, length in 8-byte units less one (RFC 8200 4).
_OPTIONS = {0, 43, 60}
_FRAGMENT = 44
_MAX_EXTENSIONS = 8


def read_arrival(packet: bytes) -> dict[str, Any] | None:
    """Return what an IP packet says of itself; None when it is no whole IP header.

    Keys: `src dst protocol ttl ip_id length`, `sport dport` or `icmp_type icmp_code icmp_id icmp_seq`, for
    TCP `flags seq`, for fragments `offset mf`, for IPv6 `flow_label`, and `id`, the number of a tagged
    payload.
    """
    version = packet[0] >> 4 if packet else 0
    if version == 4 and len(packet) >= 20:
        return _ipv4(packet)
    if version == 6 and len(packet) >= 40:
        return _ipv6(packet)
    return None


def _ipv4(packet: bytes) -> dict[str, Any]:
    words = struct.unpack_from("!BBHHHBBH4s4s", packet)
    header, total, identification, fragment, ttl, protocol = (words[0] & 15) * 4, *words[2:7]
    found = {
        "src": str(IPv4Address(words[8])),
        "dst": str(IPv4Address(words[9])),
        "protocol": _NAMES.get(protocol, protocol),
        "ttl": ttl,
        "ip_id": identification,
        "length": total,
    }
    offset, more = fragment & 0x1FFF, bool(fragment & 0x2000)
    if offset or more:
        found |= {"offset": offset, "mf": more}
    # Behind `total` is only the padding of a short Ethernet frame.
    return found | _transport(protocol, packet[header:total], offset)


def _ipv6(packet: bytes) -> dict[str, Any]:
    first, length, following, ttl, src, dst = struct.unpack_from("!IHBB16s16s", packet)
    found: dict[str, Any] = {
        "src": str(IPv6Address(src)),
        "dst": str(IPv6Address(dst)),
        "ttl": ttl,
        "flow_label": first & 0xFFFFF,
        "length": 40 + length,
    }
    rest, offset = packet[40 : 40 + length], 0
    for _ in range(_MAX_EXTENSIONS):
        if following == _FRAGMENT and len(rest) >= 8:
            following, _, bits, identification = struct.unpack_from("!BBHI", rest)
            offset = bits >> 3
            found |= {"ip_id": identification, "offset": offset, "mf": bool(bits & 1)}
            rest = rest[8:]
        elif following in _OPTIONS and len(rest) >= 8 and not offset:
            following, size = rest[0], 8 * (rest[1] + 1)
            rest = rest[size:]
        else:
            break
    found["protocol"] = _NAMES.get(following, following)
    return found | _transport(following, rest, offset)


def _transport(protocol: int, body: bytes, offset: int) -> dict[str, Any]:
    if offset == 0 and protocol == 6 and len(body) >= 20:
        sport, dport, seq, _, start, flags = struct.unpack_from("!HHIIBB", body)
        said = "".join(letter for bit, letter in enumerate(_TCP_FLAGS) if flags >> bit & 1)
        payload = body[(start >> 4) * 4 :]
        return {"sport": sport, "dport": dport, "flags": said, "seq": seq, "id": read_tag(payload)}
    if offset == 0 and protocol == 17 and len(body) >= 8:
        sport, dport = struct.unpack_from("!HH", body)
        return {"sport": sport, "dport": dport, "id": read_tag(body[8:])}
    if offset == 0 and protocol in (1, 58) and len(body) >= 8:
        kind, code, _, identifier, sequence = struct.unpack_from("!BBHHH", body)
        said_icmp = {"icmp_type": kind, "icmp_code": code, "icmp_id": identifier, "icmp_seq": sequence}
        return {**said_icmp, "id": read_tag(body[8:])}
    return {"id": read_tag(body)}
