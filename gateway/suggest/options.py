"""Options: wider ways to say what a proposal says, each with what it would open beyond the evidence.

A proposal names exactly what was seen. Somebody who knows the city may know that the next machine of the
same room will want the same: the group or service that says so is named here, never taken.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, NamedTuple

from gateway.suggest.naming import meant
from gateway.suggest.score import Space, bits, ends, services
from zones.address import Network, address_text
from zones.model import GATEWAY, Selector
from zones.proof.packets import address_number, address_ranges, service_number

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.suggest.merging import Draft
    from gateway.suggest.naming import Ends
    from zones.model import Policy
    from zones.proof.space import Ranges

MIN_HOSTS = 3
"""So many machines that behave alike before a group is worth a thought."""

_SMALL = {4: 28, 6: 124}
"""A prefix at least so long is small."""

Words = tuple["Ends", "Ends", tuple[str, ...]]
"""What a proposal says already: its sources, destinations and services."""


class Option(NamedTuple):
    """One end or the services said more widely: `bits` is the score the whole flow would have then."""

    field: str
    name: str
    seen: int
    of: int
    bits: float


def options_for(policy: Policy, draft: Draft, words: Words) -> tuple[Option, ...]:
    """Return the narrowest wider way for each end, and for the services."""
    exact = _exact(draft)
    found = []
    for field, zone, addresses, said in (
        ("from", draft.source_zone, draft.sources, words[0].names),
        ("to", draft.destination_zone, draft.destinations, words[1].names),
    ):
        for name, ranges in _wider_ends(policy, zone, draft.version, addresses):
            if name not in said:
                space = exact._replace(**{"sources" if field == "from" else "destinations": ranges})
                found.append(
                    Option(field, name, len(addresses), _size(ranges), bits(space.size, draft.triples))
                )
                break
    for name, terms in _wider_services(policy, draft, words[2]):
        space = exact._replace(services=terms)
        found.append(
            Option("service", name, len(draft.services), _size(terms), bits(space.size, draft.triples))
        )
        break
    return tuple(found)


def _exact(draft: Draft) -> Space:
    def addresses(values: frozenset[int]) -> Ranges:
        return tuple((number, number) for number in sorted(address_number(draft.version, a) for a in values))

    numbers = sorted(service_number(*service) for service in draft.services)
    return Space(
        addresses(draft.sources), addresses(draft.destinations), tuple((number, number) for number in numbers)
    )


def _wider_ends(
    policy: Policy, zone: str, version: int, addresses: frozenset[int]
) -> Iterator[tuple[str, Ranges]]:
    """Yield groups of the policy that hold all addresses, narrowest first, then the smallest prefix."""
    if zone == GATEWAY or len(addresses) < MIN_HOSTS:
        return
    fitting = []
    for group in policy.groups.values():
        if group.zone == zone and all(_holds(group.networks, version, each) for each in addresses):
            ranges = ends(policy, [Selector(zone=zone, networks=group.networks)])
            fitting.append((_size(ranges), group.name, ranges))
    for _, name, ranges in sorted(fitting):
        yield name, ranges
    prefix = _prefix(version, addresses)
    if prefix.length >= _SMALL[version]:
        yield str(prefix), address_ranges([prefix])


def _holds(networks: tuple[Network, ...], version: int, address: int) -> bool:
    return any(network.holds(version, address) for network in networks)


def _prefix(version: int, addresses: frozenset[int]) -> Network:
    whole = 32 if version == 4 else 128
    length = whole - (min(addresses) ^ max(addresses)).bit_length()
    text = f"{address_text(version, min(addresses))}/{length}"
    network = ipaddress.ip_network(text, strict=False)
    return Network(version, int(network.network_address), int(network.broadcast_address), length)


def _wider_services(policy: Policy, draft: Draft, said: tuple[str, ...]) -> Iterator[tuple[str, Ranges]]:
    """Yield services of the policy that hold everything seen and more, narrowest first."""
    seen = [service_number(*service) for service in sorted(draft.services)]
    fitting = []
    for name, terms in policy.services.items():
        ranges = services(terms)
        holds_all = all(_inside(ranges, number) for number in seen)
        if holds_all and name not in said and meant(terms) != draft.services:
            fitting.append((_size(ranges), name, ranges))
    for _, name, ranges in sorted(fitting):
        yield name, ranges


def _inside(ranges: Ranges, number: int) -> bool:
    return any(low <= number <= high for low, high in ranges)


def _size(ranges: Ranges) -> int:
    return sum(high - low + 1 for low, high in ranges)
