"""Packets as points of three fields: source address, destination address, service.

Addresses of both families lie on one line, IPv4 first; a service is a protocol with its destination port or
ICMP type, numbered without gaps, so that every number is a packet that exists.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING

from zones.decide import REDIRECTS
from zones.proof.space import holds, inside, normal, without
from zones.verdict import ICMP, ICMP6, PORT_PROTOCOLS, TCP, UDP, PacketKey

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from zones.address import Network
    from zones.model import Policy, ServiceTerm
    from zones.proof.space import Box, Point, Ranges

SOURCE, DESTINATION, SERVICE = 0, 1, 2
"""The fields of a packet's box."""

V6 = 1 << 40
"""Where the line of addresses goes on with ::0."""

FAMILIES: tuple[tuple[int, Ranges], ...] = ((4, ((0, (1 << 32) - 1),)), (6, ((V6, V6 + (1 << 128) - 1),)))
"""The addresses of each IP version on that line."""

_SIZES = [65536 if p in PORT_PROTOCOLS else 256 if p in (ICMP, ICMP6) else 1 for p in range(256)]
_STARTS = [0, *accumulate(_SIZES)]

EVERY_SERVICE: Ranges = ((0, _STARTS[-1] - 1),)


def service_number(protocol: int, dport: int) -> int:
    """Return the number of one service.

    >>> service_of(service_number(6, 443))
    (6, 443)
    """
    return _STARTS[protocol] + dport


def service_of(number: int) -> tuple[int, int]:
    """Return protocol and destination port (or ICMP type) of a service's number."""
    protocol = bisect_right(_STARTS, number) - 1
    return protocol, number - _STARTS[protocol]


def service_ranges(terms: Iterable[ServiceTerm]) -> Ranges:
    """Return the numbers of all services that the terms hold."""
    return normal(piece for term in terms for piece in _term(term))


def _term(term: ServiceTerm) -> Ranges:
    if term.protocol is None:
        return EVERY_SERVICE
    start, size = _STARTS[term.protocol], _SIZES[term.protocol]
    if term.low is None:
        return ((start, start + size - 1),)
    high = term.low if term.high is None else term.high
    return ((start + term.low, start + high),)


_REDIRECTS: Ranges = normal((service_number(p, kind),) * 2 for p, kind in REDIRECTS.items())

OPEN_SERVICES: Ranges = without(EVERY_SERVICE, _REDIRECTS)
"""Every service but the ICMP redirects, which never pass."""


def address_number(version: int, address: int) -> int:
    """Return an address's place on the line of both families."""
    return address if version == 4 else V6 + address


def address_of(number: int) -> tuple[int, int]:
    """Return IP version and integer of a place on the line."""
    return (4, number) if number < V6 else (6, number - V6)


def address_ranges(networks: Iterable[Network]) -> Ranges:
    """Return the places of all addresses of some prefixes."""
    return normal((address_number(n.version, n.first), address_number(n.version, n.last)) for n in networks)


def packet_key(ingress: str | None, point: Point) -> PacketKey:
    """Return the packet that a point stands for, from an ephemeral source port where it has ports."""
    version, source = address_of(point[SOURCE])
    _, destination = address_of(point[DESTINATION])
    protocol, dport = service_of(point[SERVICE])
    sport = 49152 if protocol in PORT_PROTOCOLS else 0
    return PacketKey(ingress, version, source, destination, protocol, sport=sport, dport=dport)


def point_of(key: PacketKey) -> Point:
    """Return the point that stands for a packet."""
    return (
        address_number(key.version, key.src),
        address_number(key.version, key.dst),
        service_number(key.protocol, key.dport),
    )


_FAMILIAR = tuple(
    service_number(protocol, number)
    for protocol, number in (
        *((TCP, port) for port in (443, 80, 25, 445, 53, 22, 3389, 8080)),
        *((UDP, port) for port in (53, 123, 443)),
        *((ICMP, 8), (ICMP6, 128), (TCP, 1), (UDP, 1)),
    )
)
_CANDIDATES = 64


def familiar(policy: Policy, box: Box, minus: Sequence[Box], point: Point) -> Point:
    """Return a point of the same question that people recognise: named hosts, well-known ports.

    `point` must lie in `box` and outside of `minus`; so does the answer.
    """
    hosts = [address_number(n.version, n.first) for host in policy.hosts.values() for n in host.addresses]
    for field in range(len(box)):
        wanted = _FAMILIAR if field == SERVICE else (*hosts, *_inner(box[field]))
        fitting = [value for value in wanted if holds(box[field], value)][:_CANDIDATES]
        for value in fitting:
            other = (*point[:field], value, *point[field + 1 :])
            if not any(inside(box_, other) for box_ in minus):
                point = other
                break
    return point


def _inner(ranges: Ranges) -> list[int]:
    """Return addresses that look like a machine's: a little inside of a range."""
    return [low + 10 if high - low > 10 else low + 1 for low, high in ranges if high > low]
