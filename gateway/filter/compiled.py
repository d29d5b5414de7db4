"""A policy as tables for the packet path, between two moments at which its flows open or close.

Addresses become places (whose zone, whether our own, which MAC), the steps of the filter program become
rules in their order, and behind them stand rules that decide nothing: they only keep packets apart that
flows in audit mode tell apart, so that every packet of the same three classes has the same verdict.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from gateway.filter.tables import Box, Rule, Tables
from zones.address import MARTIANS, host_network, whole
from zones.expiry import closed_because, unchanged_span
from zones.model import GATEWAY
from zones.program import compile_policy
from zones.verdict import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from zones.address import Network
    from zones.model import Policy, ServiceTerm
    from zones.program import Program, Step

NOBODY, OURS, FIRST_ZONE = 0, 1, 2
"""Zones as numbers: nobody's, the gateway's, and from there the policy's in their order."""

_Labels: TypeAlias = "tuple[frozenset[int], frozenset[int]]"


class Place(NamedTuple):
    """What an address stands for: its zone, the zone of its segment if it is ours, its host's MAC."""

    zone: int = NOBODY
    owner: int = NOBODY
    managed: bool = False
    mac: int | None = None

    @property
    def source(self) -> int:
        """The zone that packets from here come from."""
        return OURS if self.owner != NOBODY else self.zone


class Effect(NamedTuple):
    """What a rule does to a new connection: the number of the flow that admits it, and where it ends."""

    flow: int
    passes: bool
    local: bool


class CompiledPolicy(NamedTuple):
    """Tables for one set of open flows. `barred` are pairs of zones that a guard closes altogether."""

    tables: Tables
    places: Sequence[Place]
    effects: Sequence[Effect]
    barred: frozenset[tuple[int, int]]
    zones: int
    trial: bool


class Span(NamedTuple):
    """Seconds since the epoch from which, and until which (exclusive), nothing opens or closes."""

    start: float
    end: float


class PolicyCompiler:
    """Compile one policy for any moment; tables of sets of open flows that come again are kept.

    `flow_numbers` are what `Effect.flow` and connections carry, from 1 in the order of the policy.
    """

    def __init__(self, policy: Policy, *, kept: int = 8) -> None:
        self.policy = policy
        self.zone_numbers = {GATEWAY: OURS} | {zone: n for n, zone in enumerate(policy.zones, FIRST_ZONE)}
        self.flow_numbers = {flow.id: number for number, flow in enumerate(policy.flows, 1)}
        self._program: Program = compile_policy(policy)
        self._timed = [flow for flow in policy.flows if flow.allowing and (flow.hours or flow.expires_at)]
        self._prefixes = list(_place_prefixes(policy, self.zone_numbers))
        self._places = list(dict.fromkeys((Place(), *(place for _, place in self._prefixes))))
        self._kept: dict[tuple[frozenset[str], bool], CompiledPolicy] = {}
        self._limit = kept

    def at(self, now: float) -> tuple[CompiledPolicy, Span]:
        """Return the tables for a moment, and the span of time they hold for.

        Raises:
            ConfigurationError: the policy is too large for the tables.
        """
        policy = self.policy
        spans = [unchanged_span(flow, now, policy.timezone) for flow in self._timed]
        closed = frozenset(
            flow.id for flow in self._timed if closed_because(flow, now, policy.timezone) is not None
        )
        end = policy.audit_until_at
        trial = end is not None and now < end
        if end is not None:
            spans.append((-math.inf, end) if trial else (end, math.inf))
        key = (closed, trial)
        if key not in self._kept:
            if len(self._kept) >= self._limit:
                self._kept.pop(next(iter(self._kept)))
            self._kept[key] = self._compile(closed, trial=trial)
        span = Span(
            max((start for start, _ in spans), default=-math.inf),
            min((end for _, end in spans), default=math.inf),
        )
        return self._kept[key], span

    def _compile(self, closed: frozenset[str], *, trial: bool) -> CompiledPolicy:
        rules: list[Rule] = []
        effects: list[Effect] = []
        watching: list[Rule] = []
        barred: set[tuple[int, int]] = set()
        for (source, destination), pair in self._program.pairs.items():
            ends = self._labels(source, destination)
            for step in pair.steps:
                if step.flow is None or step.closed == (step.flow in closed):
                    rules.append(_rule(step, ends))
                    effects.append(self._effect(step, destination))
            watching += [_rule(step, ends) for step in pair.audited]
            if pair.guards:
                barred.add((self.zone_numbers[source], self.zone_numbers[destination]))
        labels = {place: label for label, place in enumerate(self._places)}
        mapped = [(network, labels[place]) for network, place in self._prefixes]
        return CompiledPolicy(
            tables=Tables.build(mapped, mapped, [*rules, Rule(), *watching]),
            places=self._places,
            effects=effects,
            barred=frozenset(barred),
            zones=FIRST_ZONE + len(self.policy.zones),
            trial=trial,
        )

    def _labels(self, source: str, destination: str) -> _Labels:
        """Return the labels of the places that packets of a pair come from and go to."""
        one, other = self.zone_numbers[source], self.zone_numbers[destination]
        sources = frozenset(label for label, place in enumerate(self._places) if place.source == one)
        if destination == GATEWAY:
            targets = (label for label, place in enumerate(self._places) if place.owner == one)
        else:
            targets = (
                label
                for label, place in enumerate(self._places)
                if place.zone == other and place.owner == NOBODY
            )
        return sources, frozenset(targets)

    def _effect(self, step: Step, destination: str) -> Effect:
        if step.outcome is Outcome.DENY:
            return Effect(0, passes=False, local=False)
        local = step.outcome is not Outcome.ALLOW or destination == GATEWAY
        return Effect(self.flow_numbers.get(step.decided_by, 0), passes=True, local=local)


def _rule(step: Step, ends: _Labels) -> Rule:
    services = tuple(_box(term) for term in step.services)
    return Rule(services, ends[0], step.sources, ends[1], step.destinations)


def _box(term: ServiceTerm) -> Box:
    if term.protocol is None or term.low is None:
        return Box(term.protocol)
    return Box(term.protocol, dport_low=term.low, dport_high=term.high or term.low)


def _place_prefixes(policy: Policy, zones: Mapping[str, int]) -> Iterator[tuple[Network, Place]]:
    """Yield the prefixes that say what an address stands for, each once; the longest that holds it tells."""
    found: dict[Network, Place] = {}
    explicit = [network for zone in policy.zones.values() for network in zone.networks]
    for zone in policy.zones.values():
        found |= {whole(network.version): Place(zones[zone.name]) for network in zone.rest}
    # An address that a zone names is the zone's, even one that no network should have.
    found |= {network: Place() for network in MARTIANS if not any(own.covers(network) for own in explicit)}
    for zone in policy.zones.values():
        found |= {network: Place(zones[zone.name]) for network in zone.networks}
    if policy.management is not None:
        found |= {network: Place(managed=True) for network in policy.management.networks}
    found |= {host_network(*address): _host(policy, zones, *address) for address in _single(policy)}
    yield from found.items()


def _single(policy: Policy) -> Iterable[tuple[int, int]]:
    """Return the addresses that stand for something of their own."""
    return dict.fromkeys((*policy.gateway_addresses, *policy.macs))


def _host(policy: Policy, zones: Mapping[str, int], version: int, address: int) -> Place:
    zone, owner = policy.zone_of(version, address), policy.gateway_addresses.get((version, address))
    mac = policy.macs.get((version, address))
    managed = policy.management.networks if policy.management else ()
    return Place(
        zone=zones[zone] if zone is not None else NOBODY,
        owner=zones[owner] if owner is not None else NOBODY,
        managed=any(network.holds(version, address) for network in managed),
        mac=int(mac.replace(":", ""), 16) if mac is not None else None,
    )
