"""Packets as people ask about them: with the names of the policy in the place of addresses and ports.

`renkei > shinsei-asp https` is what a ticket says; `mynumber:10.10.5.10 > lgwan:10.20.200.5 tcp/443` is what
it means. One question may stand for several packets: a service name for each of its terms, a range of ports
for both its ends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from zones import unknown
from zones.address import address_text
from zones.decide import destination_zone, source_zone
from zones.errors import ConfigurationError
from zones.model import GATEWAY
from zones.nearest import half_width
from zones.packet import WrittenPacket, packet_key, parse_end, split_packet
from zones.services import parse_service
from zones.verdict import ICMP, ICMP6, PORT_PROTOCOLS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from zones.model import Policy, ServiceTerm
    from zones.packet import PacketWords
    from zones.verdict import PacketKey

MAX_PACKETS = 64
"""How many packets one question may stand for."""

_WITH_NUMBER = PORT_PROTOCOLS | {ICMP, ICMP6}


class _End(NamedTuple):
    zone: str | None
    addresses: tuple[tuple[int, int], ...]


def packets_asked(policy: Policy, text: str) -> list[PacketKey]:
    """Return the packets that `text` stands for, at least one.

    Raises:
        ConfigurationError: not a packet, a name the policy does not know or that means many addresses, or
            a destination that is not in the zone written before it.
    """
    try:
        words = split_packet(text)
    except ValueError:
        raise ConfigurationError("bad-packet", value=text) from None
    keys: list[PacketKey] = []
    for written in _packets(policy, text, words):
        wrong = misplaced(policy, written)
        if wrong is not None:
            code, params = wrong
            raise ConfigurationError(code, **params)
        keys.append(written.key)
    return keys


def misplaced(policy: Policy, written: WrittenPacket) -> tuple[str, dict[str, object]] | None:
    """Return what is wrong with the zones a written packet names; None if nothing is.

    The source may be in the wrong zone: that is what a question about spoofing looks like. A destination
    in the wrong zone would be answered for another pair of zones than the writer had in mind.
    """
    key = written.key
    for zone in (key.ingress, written.destination_zone):
        if zone is not None and zone != GATEWAY and zone not in policy.zones:
            return unknown_name(zone, policy.zones)
    actual = destination_zone(policy, key, source_zone(policy, key))
    meant = {actual}
    if actual == GATEWAY:
        meant.add(policy.gateway_addresses[key.version, key.dst])
    if written.destination_zone is None or written.destination_zone in meant:
        return None
    params: dict[str, object] = {
        "address": address_text(key.version, key.dst),
        "zone": written.destination_zone,
    }
    return ("packet-no-zone", params) if actual is None else ("packet-zone", {**params, "actual": actual})


def unknown_name(name: str, known: Iterable[str]) -> tuple[str, dict[str, object]]:
    """Return the problem that nothing is called `name`, with what was meant where anybody can tell."""
    return unknown.unknown_address(name) or unknown.unknown_name(name, known)


def _packets(policy: Policy, text: str, words: PacketWords) -> Iterator[WrittenPacket]:
    source, destination = _ends(policy, words)
    pairs = [
        (version, src, dst)
        for version, src in source.addresses
        for other, dst in destination.addresses
        if version == other
    ]
    if not pairs:
        raise ConfigurationError("packet-families", source=words.source, destination=words.destination)
    terms = [single for term in _terms(policy, words.service) for single in _singles(term, words.service)]
    if len(pairs) * len(terms) > MAX_PACKETS:
        raise ConfigurationError("packet-many", value=text, limit=MAX_PACKETS)
    for version, src, dst in pairs:
        for term in [term for term in terms if _carries(version, term)] or terms:
            key = packet_key(source.zone, (version, src, dst), term, words)
            yield WrittenPacket(key, destination.zone)


def _carries(version: int, term: ServiceTerm) -> bool:
    """Whether a term of a service name fits the family: ICMP is IPv4's, ICMPv6 is IPv6's."""
    return term.protocol != (ICMP6 if version == 4 else ICMP)


def _ends(policy: Policy, words: PacketWords) -> tuple[_End, _End]:
    if words.source == words.destination == GATEWAY:
        raise ConfigurationError("bad-packet", value=f"{words.source} > {words.destination}")
    if words.destination == GATEWAY:
        source = _end(policy, words.source)
        return source, _own(policy, source)
    destination = _end(policy, words.destination)
    return (_own(policy, destination) if words.source == GATEWAY else _end(policy, words.source)), destination


def _end(policy: Policy, text: str) -> _End:
    try:
        zone, version, address = parse_end(text)
    except ValueError:
        return _named(policy, text)
    return _End(zone, ((version, address),))


def _named(policy: Policy, text: str) -> _End:
    zone, colon, name = text.rpartition(":")
    host = policy.hosts.get(name)
    if host is not None:
        addresses = tuple((network.version, network.first) for network in host.addresses)
        return _End(zone if colon else host.zone, addresses)
    if name in policy.names:
        raise ConfigurationError("packet-by-name", name=name)
    many = _networks(policy, name)
    if many is not None:
        raise ConfigurationError("packet-many-addresses", name=name, example=many)
    code, params = unknown_name(name, [*policy.hosts, GATEWAY])
    raise ConfigurationError(code, **params)


def _networks(policy: Policy, name: str) -> str | None:
    """Return an address of a group or zone as an example; None when `name` is neither."""
    entry = policy.groups.get(name) or policy.zones.get(name)
    if entry is None:
        return None
    networks = entry.networks or policy.networks_of(name, 4)
    return address_text(networks[0].version, min(networks[0].first + 11, networks[0].last))


def _own(policy: Policy, other: _End) -> _End:
    """Return our own addresses on the segment of the other end."""
    zones = {policy.zone_of(version, address) for version, address in other.addresses}
    own = tuple(address for address, zone in policy.gateway_addresses.items() if zone in zones)
    if not own:
        raise ConfigurationError("packet-no-gateway", zone=", ".join(sorted(filter(None, zones))) or "-")
    return _End(GATEWAY, own)


def _terms(policy: Policy, text: str) -> tuple[ServiceTerm, ...]:
    if text in policy.services:
        return policy.services[text]
    try:
        return (parse_service(text),)
    except ValueError:
        if "/" in half_width(text):
            code, params = unknown.unknown_service(text) or ("bad-service", {"value": text})
            raise ConfigurationError(code, **params) from None
        code, params = unknown_name(text, policy.services)
        raise ConfigurationError(code, **params) from None


def _singles(term: ServiceTerm, text: str) -> list[ServiceTerm]:
    """Return the terms to ask about: a range is asked at both its ends."""
    if term.protocol is None or (term.low is None and term.protocol in _WITH_NUMBER):
        raise ConfigurationError("packet-service", value=text)
    ends = sorted({term.low, term.high} - {None}, key=lambda number: number or 0)
    return [type(term)(protocol=term.protocol, low=end, high=end) for end in ends] or [term]
