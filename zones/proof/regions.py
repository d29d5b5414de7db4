"""A policy at one moment as regions: for each pair of zones, which packets get which answer, in order.

The regions are the steps of the filter program (`zones.program`) with the closed ones left out, as boxes. The
first region that holds a packet answers; `rest` answers for what no region holds. Connections of our own
are taken as marked for the flow whose second half they are, which is how `decide` reads them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from zones.decide import in_trial
from zones.expiry import closed_because, next_opening
from zones.model import GATEWAY, Action
from zones.program import compile_policy
from zones.proof.packets import (
    EVERY_SERVICE,
    FAMILIES,
    OPEN_SERVICES,
    address_number,
    address_ranges,
    service_ranges,
)
from zones.proof.space import common, normal, without
from zones.verdict import Outcome, Reason

if TYPE_CHECKING:
    from collections.abc import Collection

    from zones.address import Network
    from zones.model import Flow, Policy, ServiceTerm
    from zones.program import Step
    from zones.proof.space import Box, Ranges

EVERY_ADDRESS: Ranges = normal(piece for _, ranges in FAMILIES for piece in ranges)


@dataclass(frozen=True, kw_only=True)
class Region:
    """One answer and the packets it is for, unless an earlier region holds them.

    `action` is how the packet's content may cross: the action of the flow that decides, also where the
    packet itself is refused and told another way (`render`, `file-transfer`); None where nothing crosses.
    """

    box: Box
    outcome: Outcome
    reason: Reason
    decided_by: str | None = None
    action: Action | None = None
    flow: str | None = None
    """The open flow whose region this is, also where a guard answers in its place."""

    @property
    def crossing(self) -> tuple[Outcome, Action | None]:
        """What becomes of the packet and its content, whoever says so and why."""
        return self.outcome, self.action

    @property
    def answer(self) -> tuple[Outcome, Reason, str | None]:
        """What `decide` says of a packet of this region."""
        return self.outcome, self.reason, self.decided_by


@dataclass(frozen=True, kw_only=True)
class Pair:
    """All packets from one zone to another: `families` are their boxes, one for each IP version.

    `guard` is a guard that drops every packet of the direction, replies too.
    """

    source: str
    destination: str
    families: tuple[Box, ...]
    regions: tuple[Region, ...]
    rest: Region
    guard: str | None = None
    barred: tuple[Region, ...] = ()
    """What would be asked if the guard did not answer first."""

    @property
    def all_regions(self) -> tuple[Region, ...]:
        """The regions, whether or not a guard stands before all of them."""
        return self.regions or self.barred


class Regions:
    """The regions of a policy at `now`, made for each pair of zones when first asked for.

    Flows that are closed for one of the reasons in `awake` and may still open count as open, those in
    `asleep` not: since time only narrows, what holds then holds at every moment from `now` on at which no
    others open.
    """

    def __init__(
        self,
        policy: Policy,
        *,
        now: float,
        awake: Collection[Reason] = (),
        asleep: Collection[str] = (),
    ) -> None:
        self.policy, self.now = policy, now
        self._steps = compile_policy(policy).pairs
        self._closed = {flow.id: closed_because(flow, now, policy.timezone) for flow in policy.flows}
        self._closed |= {
            flow.id: None for flow in policy.flows if flow.id not in asleep and self._wakes(flow, awake)
        }
        self._addresses: dict[tuple[Network, ...], Ranges] = {}
        self._services: dict[tuple[ServiceTerm, ...], Ranges] = {}
        self._pairs: dict[tuple[str, str], Pair] = {}
        ours = {(v, a): zone for (v, a), zone in policy.gateway_addresses.items()}
        self._ours = normal((address_number(v, a),) * 2 for v, a in ours)
        self._own = {
            zone: normal((address_number(v, a),) * 2 for (v, a), where in ours.items() if where == zone)
            for zone in policy.zones
        }
        self._members = {zone: self._of_zone(zone) for zone in policy.zones}

    def _of_zone(self, zone: str) -> Ranges:
        networks = [network for version, _ in FAMILIES for network in self.policy.networks_of(zone, version)]
        return without(address_ranges(networks), self._ours)

    @property
    def zones(self) -> tuple[str, ...]:
        """Every zone, the gateway last."""
        return (*sorted(self.policy.zones), GATEWAY)

    def members(self, zone: str) -> Ranges:
        """Return the addresses of a zone's machines: all of the zone but the gateway's own."""
        return self._ours if zone == GATEWAY else self._members[zone]

    def reached(self, source: str, destination: str) -> Ranges:
        """Return the destinations that packets from `source` may have in `destination`."""
        if destination != GATEWAY:
            return self._members[destination]
        return self._own.get(source, ())

    def _wakes(self, flow: Flow, awake: Collection[Reason]) -> bool:
        closed = self._closed[flow.id]
        if closed is None or closed not in awake:
            return False
        # One that has expired before its hours come round again never opens.
        return (
            closed is not Reason.OUTSIDE_HOURS
            or next_opening(flow, self.now, self.policy.timezone) is not None
        )

    def closed(self, flow: str) -> Reason | None:
        """Return why a flow is closed, None where it is open or counts as open."""
        return self._closed[flow]

    def pair(self, source: str, destination: str) -> Pair:
        """Return the regions from one zone to another."""
        key = (source, destination)
        if key not in self._pairs:
            self._pairs[key] = self._pair(source, destination)
        return self._pairs[key]

    def _pair(self, source: str, destination: str) -> Pair:
        ends = (self.members(source), self.reached(source, destination))
        families = tuple(
            (mine, theirs, OPEN_SERVICES)
            for _, family in FAMILIES
            if (mine := common(ends[0], family)) and (theirs := common(ends[1], family))
        )
        program = self._steps.get((source, destination))
        guard = program.guards[0] if program is not None and program.guards else None
        made = (self._region(step) for step in program.steps) if program is not None else ()
        regions = tuple(region for region in made if region is not None)
        return Pair(
            source=source,
            destination=destination,
            families=families,
            regions=() if guard is not None else regions,
            barred=() if guard is None else regions,
            rest=self._rest(source, destination, guard),
            guard=guard,
        )

    def _rest(self, source: str, destination: str, guard: str | None) -> Region:
        box = (EVERY_ADDRESS, EVERY_ADDRESS, EVERY_SERVICE)
        if guard is not None:
            return Region(box=box, outcome=Outcome.DENY, reason=Reason.GUARD, decided_by=guard)
        if in_trial(self.policy, self.now) and GATEWAY not in (source, destination):
            return Region(box=box, outcome=Outcome.ALLOW, reason=Reason.WOULD_DENY, action=Action.ALLOW)
        return Region(box=box, outcome=Outcome.DENY, reason=Reason.DEFAULT_DENY)

    def _region(self, step: Step) -> Region | None:
        """Return the region of a step that takes part at this moment."""
        closed = self._closed[step.flow] if step.flow is not None else None
        if step.closed != (closed is not None):
            return None
        flow = self.policy.flow(step.flow) if step.flow is not None else None
        crosses = flow is not None and closed is None and step.reason not in (Reason.GUARD, Reason.NO_PROXY)
        return Region(
            box=(
                self._ranges(step.sources),
                self._ranges(step.destinations),
                self._terms(step.services),
            ),
            outcome=step.outcome,
            reason=closed or step.reason,
            decided_by=step.decided_by,
            action=flow.action if flow is not None and crosses and flow.allowing else None,
            flow=step.flow if closed is None else None,
        )

    def _ranges(self, networks: tuple[Network, ...] | None) -> Ranges:
        if networks is None:
            return EVERY_ADDRESS
        if networks not in self._addresses:
            self._addresses[networks] = address_ranges(networks)
        return self._addresses[networks]

    def _terms(self, services: tuple[ServiceTerm, ...]) -> Ranges:
        if services not in self._services:
            self._services[services] = service_ranges(services)
        return self._services[services]
