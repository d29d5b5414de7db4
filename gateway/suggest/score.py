"""Over-permission: how much of what a flow opens was really seen.

A flow opens a number of combinations of source address, destination address and service (protocol with
port or ICMP type). The score is the base-2 logarithm of that number over the number of combinations seen:
0 bits opens exactly what was seen, 1 bit twice as much, 12 bits four thousand times as much.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from zones.model import GATEWAY
from zones.proof.packets import FAMILIES, address_ranges, service_ranges
from zones.proof.space import common

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

    from zones.address import Network
    from zones.model import Flow, Policy, Selector, ServiceTerm
    from zones.proof.space import Ranges


class Space(NamedTuple):
    """What the two ends and the services of a flow hold, as ranges of numbers (`zones.proof.packets`)."""

    sources: Ranges
    destinations: Ranges
    services: Ranges

    @property
    def size(self) -> int:
        """How many combinations of source, destination (of one family) and service."""
        pairs = sum(
            _count(common(self.sources, family)) * _count(common(self.destinations, family))
            for _, family in FAMILIES
        )
        return pairs * _count(self.services)


def space_of(policy: Policy, flow: Flow) -> Space:
    """Return what a flow opens. Ends that are known by name only hold no address."""
    zones = {selector.zone for selector in flow.sources}
    return Space(
        ends(policy, flow.sources),
        ends(policy, flow.destinations, beside=zones),
        service_ranges(flow.services),
    )


def ends(policy: Policy, selectors: Iterable[Selector], beside: Container[str] = ()) -> Ranges:
    """Return every address that the selectors mean; of our own, those in the zones `beside` if any.

    A destination of ours is reached on the segment of its source only.
    """
    return address_ranges(
        network
        for selector in selectors
        if selector.name is None
        for network in _networks(policy, selector, beside)
    )


def services(terms: Iterable[ServiceTerm]) -> Ranges:
    """Return every service that the terms mean."""
    return service_ranges(terms)


def bits(opened: int, seen: int) -> float:
    """Return the score: never less than 0; infinite where nothing was seen.

    >>> bits(4096, 16)
    8.0
    """
    return max(0.0, math.log2(opened / seen)) if seen and opened else (math.inf if opened else 0.0)


def _networks(policy: Policy, selector: Selector, beside: Container[str]) -> Iterable[Network]:
    if selector.networks is not None:
        return selector.networks
    if selector.zone == GATEWAY:
        zones = [zone for zone in policy.zones.values() if not beside or zone.name in beside]
        return [network for zone in zones for network in zone.gateway]
    return [network for version in (4, 6) for network in policy.networks_of(selector.zone, version)]


def _count(ranges: Ranges) -> int:
    return sum(high - low + 1 for low, high in ranges)
