"""One packet in writing: `mynumber:10.10.3.4 > outside:198.51.100.1 tcp/443`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from zones.address import parse_address
from zones.services import PORT_TOP, parse_service
from zones.verdict import ICMP, ICMP6, PORT_PROTOCOLS, PacketKey

if TYPE_CHECKING:
    from zones.model import ServiceTerm

_PACKET = re.compile(r"(?P<src>\S+)\s*(?:>|→|->)\s*(?P<dst>\S+)\s+(?P<service>\S+)(?P<rest>(?:\s+\S+=\S+)*)")
_ZONE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_MAC = re.compile(r"[0-9a-f]{2}(?::[0-9a-f]{2}){5}")
_DECIMAL = re.compile(r"[0-9]{1,5}")
_WITH_NUMBER = PORT_PROTOCOLS | {ICMP, ICMP6}
DEFAULT_SPORT = 49152
"""The source port of a packet that names none: the first ephemeral one (RFC 6335)."""


class WrittenPacket(NamedTuple):
    """A packet as asked for: the key and the destination zone the writer had in mind (or None)."""

    key: PacketKey
    destination_zone: str | None


class PacketWords(NamedTuple):
    """A written packet taken apart, nothing looked up yet."""

    source: str
    destination: str
    service: str
    sport: int | None
    src_mac: str | None


def parse_packet(text: str) -> WrittenPacket:
    """Return the packet written in `text`.

    Raises:
        ValueError: not a packet; or its ends are of different families, or its service is a range.

    >>> parse_packet("lgwan:10.20.16.11 > 10.30.5.80 tcp/443").key.describe()
    'lgwan:10.20.16.11 > 10.30.5.80 tcp/443'
    """
    words = split_packet(text)
    source_zone, version, source = parse_end(words.source)
    destination_zone, other, destination = parse_end(words.destination)
    if version != other:
        raise ValueError(text)
    term = parse_service(words.service)
    return WrittenPacket(
        packet_key(source_zone, (version, source, destination), term, words), destination_zone
    )


def split_packet(text: str) -> PacketWords:
    """Return the words of a written packet.

    Raises:
        ValueError: not of the form `source > destination service [sport=N] [mac=M]`.
    """
    match = _PACKET.fullmatch(text.strip())
    if match is None:
        raise ValueError(text)
    extras = dict(part.split("=", 1) for part in match["rest"].split())
    sport, mac = extras.pop("sport", None), extras.pop("mac", None)
    if extras or (sport is not None and not (_DECIMAL.fullmatch(sport) and int(sport) <= PORT_TOP)):
        raise ValueError(text)
    if mac is not None and not _MAC.fullmatch(mac.lower()):
        raise ValueError(text)
    return PacketWords(
        match["src"],
        match["dst"],
        match["service"],
        int(sport) if sport is not None else None,
        mac.lower() if mac is not None else None,
    )


def packet_key(
    ingress: str | None, ends: tuple[int, int, int], term: ServiceTerm, words: PacketWords
) -> PacketKey:
    """Return the key of a packet to exactly one service; `ends` are IP version, source and destination.

    Raises:
        ValueError: the term is a range, or a protocol with ports (or ICMP types) without one.
    """
    if term.protocol is None or term.low != term.high:
        raise ValueError(words.service)
    if term.low is None and term.protocol in _WITH_NUMBER:
        raise ValueError(words.service)
    default = DEFAULT_SPORT if term.protocol in PORT_PROTOCOLS else 0
    sport = default if words.sport is None else words.sport
    return PacketKey(ingress, *ends, term.protocol, sport, term.low or 0, words.src_mac)


def parse_end(text: str) -> tuple[str | None, int, int]:
    """Return zone, IP version and address of `zone:address`, `address` or `zone:[address]`.

    Raises:
        ValueError: neither.
    """
    try:
        return (None, *parse_address(_bare(text)))
    except ValueError:
        zone, _, address = text.partition(":")
        if not _ZONE.fullmatch(zone):
            raise
        return (zone, *parse_address(_bare(address)))


def _bare(text: str) -> str:
    return text[1:-1] if text.startswith("[") and text.endswith("]") else text
