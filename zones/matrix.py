"""Who may reach whom, and how: every pair of zones (or hosts) with the ways that are open between them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from zones.errors import ConfigurationError
from zones.expiry import closed_because
from zones.model import GATEWAY, Action, Mode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from zones.address import Network
    from zones.model import Flow, Host, Policy, Selector

MAX_HOSTS = 400
"""The most hosts a host matrix is made of: their square is what people have to look at."""

_ORDER = (*(action for action in Action if action is not Action.DENY), Action.DENY)


@dataclass(frozen=True, kw_only=True)
class Cell:
    """What can happen between two ends.

    `ways` counts the open flows by action, denies included; `guards` close the direction whatever the
    flows say; `barred` are the actions that a guard forbids to new connections here. `dormant` flows are
    closed for now (expired, outside their hours, not approved), `audited` ones take no part in verdicts.
    """

    source: str
    destination: str
    ways: Mapping[Action, int] = field(default_factory=dict)
    guards: tuple[str, ...] = ()
    barred: Mapping[str, tuple[Action, ...]] = field(default_factory=dict)
    dormant: int = 0
    audited: int = 0

    @property
    def opens(self) -> bool:
        """Whether anything at all can cross here, directly or through one of our proxies."""
        return any(action is not Action.DENY for action in self.ways)


@dataclass(frozen=True, kw_only=True)
class Matrix:
    """Rows (from) and columns (to) by name, and a cell for each pair except gateway to gateway."""

    names: tuple[str, ...]
    zones: Mapping[str, str]
    cells: Mapping[tuple[str, str], Cell]


def zone_matrix(policy: Policy, *, now: float) -> Matrix:
    """Return what is possible between the zones, and between each zone and the gateway itself, at `now`."""
    names = (*policy.zones, GATEWAY)
    cells = {
        (source, destination): _cell(policy, now, (source, source), (destination, destination), _any_flow)
        for source in names
        for destination in names
        if (source, destination) != (GATEWAY, GATEWAY)
    }
    return Matrix(names=names, zones={name: name for name in names}, cells=cells)


def host_matrix(policy: Policy, *, now: float) -> Matrix:
    """Return what is possible between the hosts of the policy at `now`, in the order of their zones.

    Raises:
        ConfigurationError: more hosts than a matrix can show.
    """
    if len(policy.hosts) > MAX_HOSTS:
        raise ConfigurationError("matrix-many-hosts", count=len(policy.hosts), limit=MAX_HOSTS)
    order = list(policy.zones)
    hosts = sorted(policy.hosts.values(), key=lambda host: order.index(host.zone))
    cells = {
        (one.name, other.name): _cell(
            policy, now, (one.name, one.zone), (other.name, other.zone), _between(one, other)
        )
        for one in hosts
        for other in hosts
        if one is not other
    }
    return Matrix(
        names=tuple(host.name for host in hosts), zones={host.name: host.zone for host in hosts}, cells=cells
    )


def _cell(
    policy: Policy,
    now: float,
    source: tuple[str, str],
    destination: tuple[str, str],
    concerns: Callable[[Flow], bool],
) -> Cell:
    """Return the cell of two ends, each given as its name and its zone."""
    guards = [
        guard
        for guard in policy.guards
        if source[1] in guard.sources and destination[1] in guard.destinations
    ]
    barred = {guard.id: guard.actions for guard in sorted(guards, key=lambda g: g.id) if guard.actions}
    flows = [flow for flow in _direct(policy, source[1], destination[1]) if concerns(flow)]
    enforced = [flow for flow in flows if flow.mode is Mode.ENFORCE]
    closed = [flow for flow in enforced if closed_because(flow, now, policy.timezone) is not None]
    absolute = tuple(sorted(guard.id for guard in guards if not guard.actions))
    forbidden = {action for actions in barred.values() for action in actions}
    live = [flow for flow in enforced if flow not in closed and flow.action not in forbidden]
    return Cell(
        source=source[0],
        destination=destination[0],
        ways={} if absolute else _counts(flow.action for flow in live),
        guards=absolute,
        barred=barred,
        dormant=0 if absolute else len(closed),
        audited=len(flows) - len(enforced),
    )


def _direct(policy: Policy, source: str, destination: str) -> list[Flow]:
    """Return the flows between two zones that have addresses at both ends; no second halves of a proxy."""
    return [
        flow
        for flow in policy.flows_between(source, destination)
        if any(end.zone == source and end.name is None for end in flow.sources)
        and any(end.zone == destination and end.name is None for end in flow.destinations)
    ]


def _counts(actions: Iterable[Action]) -> dict[Action, int]:
    seen = list(actions)
    return {action: seen.count(action) for action in _ORDER if action in seen}


def _any_flow(_: Flow) -> bool:
    return True


def _between(one: Host, other: Host) -> Callable[[Flow], bool]:
    """Return whether a flow leads from an address of `one` to an address of `other` of the same family."""

    def concerns(flow: Flow) -> bool:
        sources = {n.version for n in one.addresses if _held(flow.sources, one.zone, n)}
        return any(n.version in sources and _held(flow.destinations, other.zone, n) for n in other.addresses)

    return concerns


def _held(ends: tuple[Selector, ...], zone: str, address: Network) -> bool:
    return any(end.holds(zone, address.version, address.first) for end in ends)
