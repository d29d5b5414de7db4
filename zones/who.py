"""What a policy says about one thing: an address, a network, or a name, and all that touches it.

A flow "holds" the subject when their addresses meet; it holds all of it, or a part (a group may be wider than
a flow's end). Open, closed and barred are judged as `decide` judges them: expiry, hours, mode, guards.
"""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from zones.address import Network, host_network, parse_address, parse_network, subtract
from zones.errors import ConfigurationError
from zones.expiry import closed_because
from zones.model import GATEWAY, Action, Group, Mode, Selector
from zones.question import unknown_name
from zones.verdict import Reason

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from zones.model import Flow, Guard, Host, Policy


class Kind(StrEnum):
    """What was asked about."""

    ADDRESS = "address"
    NETWORK = "network"
    HOST = "host"
    GROUP = "group"
    ZONE = "zone"
    NAME = "name"
    GATEWAY = "gateway"


class Role(StrEnum):
    """On which end of a flow the subject stands."""

    SOURCE = "source"
    DESTINATION = "destination"


class Holding(NamedTuple):
    """A flow that holds the subject on one end; `closed` says why it is shut at the moment asked about.

    `barred` are the guards that forbid it between every pair of zones it could join here.
    """

    flow: Flow
    role: Role
    whole: bool
    closed: Reason | None
    barred: tuple[str, ...]

    @property
    def open(self) -> bool:
        """Whether the flow decides packets of the subject now."""
        return self.closed is None and not self.barred and self.flow.mode is Mode.ENFORCE


class Binding(NamedTuple):
    """A guard between a zone of the subject and others; `role` is the end on which the subject stands."""

    guard: Guard
    role: Role


class Reach(NamedTuple):
    """What is open between the subject and one zone by one action: services as written, and the flows."""

    zone: str
    action: Action
    services: tuple[str, ...]
    flows: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Who:
    """Everything a policy says about a subject; `ends` are its addresses by zone, none for one in no zone."""

    asked: str
    kind: Kind
    ends: tuple[Selector, ...]
    hosts: tuple[str, ...]
    groups: tuple[str, ...]
    names: tuple[str, ...]
    flows: tuple[Holding, ...]
    guards: tuple[Binding, ...]
    reaches: tuple[Reach, ...]
    reached_by: tuple[Reach, ...]

    @property
    def zones(self) -> tuple[str, ...]:
        """The zones the subject has addresses in."""
        return tuple(dict.fromkeys(end.zone for end in self.ends))


def who(policy: Policy, asked: str, *, now: float) -> Who:
    """Return what the policy says about an address, a network, or a name of its own, at `now`.

    Raises:
        ConfigurationError: neither an address nor anything the policy names.
    """
    kind, ends = _subject(policy, asked)
    flows = tuple(_holdings(policy, ends, now))
    zones = {end.zone for end in ends}
    guards = tuple(
        Binding(guard, role)
        for guard in sorted(policy.guards, key=lambda guard: guard.id)
        for role, names in ((Role.SOURCE, guard.sources), (Role.DESTINATION, guard.destinations))
        if zones & set(names)
    )
    return Who(
        asked=asked,
        kind=kind,
        ends=ends,
        hosts=_named(ends, ((host.name, _selector(host)) for host in policy.hosts.values())),
        groups=_named(ends, ((group.name, _selector(group)) for group in policy.groups.values())),
        names=tuple(name for name in policy.names if any(end.name == name for end in ends)),
        flows=flows,
        guards=guards,
        reaches=_reaches(policy, flows, zones, Role.SOURCE),
        reached_by=_reaches(policy, flows, zones, Role.DESTINATION),
    )


# --- the subject -----------------------------------------------------------------------------------------


def _subject(policy: Policy, asked: str) -> tuple[Kind, tuple[Selector, ...]]:
    named = _by_name(policy, asked)
    if named is not None:
        return named
    bare = asked[1:-1] if asked.startswith("[") and asked.endswith("]") else asked
    try:
        version, address = parse_address(bare)
    except ValueError:
        return _network_or_domain(policy, asked)
    if (version, address) in policy.gateway_addresses:
        return Kind.ADDRESS, (Selector(zone=GATEWAY, networks=(host_network(version, address),)),)
    zone = policy.zone_of(version, address)
    ends = () if zone is None else (Selector(zone=zone, networks=(host_network(version, address),)),)
    return Kind.ADDRESS, ends


def _by_name(policy: Policy, asked: str) -> tuple[Kind, tuple[Selector, ...]] | None:
    if asked == GATEWAY:
        return Kind.GATEWAY, (Selector(zone=GATEWAY),)
    if asked in policy.zones:
        return Kind.ZONE, (Selector(zone=asked),)
    if asked in policy.names:
        return Kind.NAME, (Selector(zone=policy.names[asked].zone, name=asked),)
    if asked in policy.hosts:
        return Kind.HOST, (_selector(policy.hosts[asked]),)
    return (Kind.GROUP, (_selector(policy.groups[asked]),)) if asked in policy.groups else None


def _selector(entry: Host | Group) -> Selector:
    return Selector(zone=entry.zone, networks=entry.networks if isinstance(entry, Group) else entry.addresses)


def _network_or_domain(policy: Policy, asked: str) -> tuple[Kind, tuple[Selector, ...]]:
    try:
        network = parse_network(asked)
    except ValueError:
        found = tuple(
            Selector(zone=name.zone, name=name.name)
            for name in policy.names.values()
            if any(fnmatch.fnmatchcase(asked.lower(), pattern.lower()) for pattern in name.hosts)
        )
        if found:
            return Kind.NAME, found
        known = [*policy.hosts, *policy.groups, *policy.zones, *policy.names, GATEWAY]
        code, params = unknown_name(asked, known)
        raise ConfigurationError(code, **params) from None
    ends = []
    for zone in policy.zones:
        parts = _meeting((network,), policy.networks_of(zone, network.version))
        if parts:
            ends.append(Selector(zone=zone, networks=parts))
    return Kind.NETWORK, tuple(ends)


def _meeting(some: Iterable[Network], others: Iterable[Network]) -> tuple[Network, ...]:
    """Return the addresses that both have: of two prefixes that meet, one lies inside the other."""
    others = tuple(others)
    return tuple(
        sorted(
            {one if other.covers(one) else other for one in some for other in others if one.overlaps(other)}
        )
    )


def _named(ends: Iterable[Selector], entries: Iterable[tuple[str, Selector]]) -> tuple[str, ...]:
    ends = tuple(ends)
    return tuple(name for name, entry in entries if any(_meet(end, entry) for end in ends))


def _meet(one: Selector, other: Selector) -> bool:
    """Whether two ends have an address, or a domain name, in common."""
    if one.zone != other.zone or one.name != other.name:
        return False
    if one.networks is None or other.networks is None:
        return True
    return any(a.overlaps(b) for a in one.networks for b in other.networks)


def _all_of(end: Selector, holders: Iterable[Selector]) -> bool:
    """Whether every address of `end` is in one of the holders."""
    meeting = [holder for holder in holders if _meet(end, holder)]
    if any(holder.networks is None for holder in meeting):
        return True
    taken = [network for holder in meeting for network in holder.networks or ()]
    return end.networks is not None and not any(subtract(end.networks, taken))


# --- flows and guards ------------------------------------------------------------------------------------


def _holdings(policy: Policy, ends: tuple[Selector, ...], now: float) -> Iterator[Holding]:
    for flow in sorted(policy.flows, key=lambda flow: flow.id):
        for role, own, other in (
            (Role.SOURCE, flow.sources, flow.destinations),
            (Role.DESTINATION, flow.destinations, flow.sources),
        ):
            held = [end for end in ends if any(_meet(end, selector) for selector in own)]
            if held:
                yield Holding(
                    flow,
                    role,
                    whole=len(held) == len(ends) and all(_all_of(end, own) for end in ends),
                    closed=closed_because(flow, now, policy.timezone) or _unserved(flow, role, held),
                    barred=_barring(policy, flow, role, {end.zone for end in held}, other),
                )


def _unserved(flow: Flow, role: Role, held: list[Selector]) -> Reason | None:
    """Return `no-proxy` for a flow that leads to domain names alone: no packet matches it."""
    ends = flow.destinations if role is Role.SOURCE else held
    return Reason.NO_PROXY if flow.allowing and all(end.name is not None for end in ends) else None


def _barring(
    policy: Policy, flow: Flow, role: Role, zones: set[str], other: tuple[Selector, ...]
) -> tuple[str, ...]:
    """Return the guards that shut a flow between every pair of zones; none when one pair stays open."""
    found: set[str] = set()
    for zone in zones:
        for end in other:
            guards = guards_against(policy, flow, *_directed(role, zone, end.zone))
            if not guards:
                return ()
            found.update(guards)
    return tuple(sorted(found))


def _directed(role: Role, zone: str, other: str) -> tuple[str, str]:
    return (zone, other) if role is Role.SOURCE else (other, zone)


def guards_against(policy: Policy, flow: Flow, source: str, destination: str) -> tuple[str, ...]:
    """Return the guards between two zones that no packet of this flow passes."""
    return tuple(
        guard.id
        for guard in policy.guards
        if source in guard.sources
        and destination in guard.destinations
        and (not guard.actions or flow.action in guard.actions)
    )


def _reaches(policy: Policy, flows: tuple[Holding, ...], zones: set[str], role: Role) -> tuple[Reach, ...]:
    """Return what is open from (or to) the subject, by zone and action; denies open nothing."""
    found: dict[tuple[str, Action], list[Flow]] = {}
    for holding in flows:
        flow = holding.flow
        if holding.role is not role or not holding.open or not flow.allowing:
            continue
        mine = {end.zone for end in (flow.sources if role is Role.SOURCE else flow.destinations)} & zones
        for end in flow.destinations if role is Role.SOURCE else flow.sources:
            if end.name is None and any(
                not guards_against(policy, flow, *_directed(role, zone, end.zone)) for zone in mine
            ):
                entries = found.setdefault((end.zone, flow.action), [])
                if flow not in entries:
                    entries.append(flow)
    order = [*policy.zones, GATEWAY]
    return tuple(
        Reach(
            zone,
            action,
            tuple(dict.fromkeys(name for flow in entries for name in flow.service_names)),
            tuple(flow.id for flow in entries),
        )
        for (zone, action), entries in sorted(
            found.items(), key=lambda item: (order.index(item[0][0]), list(Action).index(item[0][1]))
        )
    )
