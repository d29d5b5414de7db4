"""One packet in writing: `mynumber:10.10.3.4 > outside:198.51.100.1 tcp/443`."""

from __future__ import annotations

import re
from typing import NamedTuple

from zones.address import parse_address
from zones.services import parse_service
from zones.verdict import PORT_PROTOCOLS, PacketKey

_PACKET = re.compile(r"(?P<src>\S+)\s*(?:>|→|->)\s*(?P<dst>\S+)\s+(?P<service>\S+)(?P<rest>(?:\s+\S+=\S+)*)")
_ZONE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
DEFAULT_SPORT = 49152
"""The source port of a packet that names none: the first ephemeral one (RFC 6335)."""


class WrittenPacket(NamedTuple):
    """A packet as asked for: the key and the destination zone the writer had in mind (or None)."""

    key: PacketKey
    destination_zone: str | None


def parse_packet(text: str) -> WrittenPacket:
    """Return the packet written in `text`.

    Raises:
        ValueError: not a packet; or its ends are of different families, or its service is a range.

    >>> parse_packet("lgwan:10.20.16.11 > 10.30.5.80 tcp/443").key.describe()
    'lgwan:10.20.16.11 > 10.30.5.80 tcp/443'
    """
    match = _PACKET.fullmatch(text.strip())
    if match is None:
        raise ValueError(text)
    source_zone, version, source = _end(match["src"])
    destination_zone, other, destination = _end(match["dst"])
    term = parse_service(match["service"])
    if version != other or term.protocol is None or term.low != term.high:
        raise ValueError(text)
    extras = dict(part.split("=", 1) for part in match["rest"].split())
    if set(extras) - {"sport", "mac"}:
        raise ValueError(text)
    default = DEFAULT_SPORT if term.protocol in PORT_PROTOCOLS else 0
    key = PacketKey(
        ingress=source_zone,
        version=version,
        src=source,
        dst=destination,
        protocol=term.protocol,
        sport=int(extras.get("sport", default)),
        dport=term.low or 0,
        src_mac=extras["mac"].lower() if "mac" in extras else None,
    )
    return WrittenPacket(key, destination_zone)


def _end(text: str) -> tuple[str | None, int, int]:
    """Return zone, IP version and address of `zone:address`, `address` or `zone:[address]`."""
    try:
        return (None, *parse_address(text.strip("[]")))
    except ValueError:
        zone, _, address = text.partition(":")
        if not _ZONE.fullmatch(zone):
            raise
        return (zone, *parse_address(address.strip("[]")))
