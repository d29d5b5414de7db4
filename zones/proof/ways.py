"""By which ways data crosses from one zone to another: new connections, and what comes back on them.

Every connection carries bytes both ways, so data flows from A to B over a connection that A opens to B and
over one that B opens to A. A guard that drops every packet from A to B, replies too, stops the second way
where the two speak to each other. It does not where they speak to us: what a proxy, a screen or the portal
fetched from A comes to B from the gateway.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from zones.decide import PROXIED, decide
from zones.model import GATEWAY, Action
from zones.proof.packets import EVERY_SERVICE, familiar, packet_key
from zones.proof.space import common, find_point, meet
from zones.verdict import ICMP, ICMP6, Connection, Reason, State

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from zones.model import Policy
    from zones.proof.regions import Region, Regions
    from zones.proof.space import Box, Budget, Point, Ranges
    from zones.verdict import PacketKey, Verdict


class Disagreement(Exception):
    """A point found here is decided otherwise by `decide`: a bug of ours, never a result."""


class Carried(StrEnum):
    """How one hop carries data."""

    OPENED = "opened"
    """By a connection in this direction."""
    REPLIED = "replied"
    """By what comes back on a connection in the other direction."""
    SEGMENT = "segment"
    """Without us: both ends are on one segment."""


@dataclass(frozen=True, kw_only=True)
class Crossing:
    """A way that exists: `point` is a first packet of such a connection, in `box` and in none of `minus`.

    `zones` are the ends of the connection, from the one that opens it; data goes the other way where it
    is `REPLIED`.
    """

    carried: Carried
    zones: tuple[str, str]
    box: Box
    minus: Sequence[Box]
    point: Point
    region: Region

    @property
    def data_ends(self) -> tuple[int, int]:
        """Return where data comes from and goes to, as places on the line of addresses."""
        source, destination = self.point[0], self.point[1]
        return (source, destination) if self.carried is Carried.OPENED else (destination, source)


class _Open(NamedTuple):
    region: Region
    before: int
    """How many of the pair's uncounted regions come before it."""


class Ways:
    """The ways by some actions, other than those that the flows in `exceptions` open."""

    def __init__(
        self, regions: Regions, actions: frozenset[Action], exceptions: frozenset[str], budget: Budget
    ) -> None:
        self.regions, self.actions, self.exceptions, self.budget = regions, actions, exceptions, budget
        self._sorted: dict[tuple[str, str], tuple[list[_Open], list[Box]]] = {}

    def data(self, source: str, destination: str, ends: tuple[Ranges, Ranges]) -> Iterator[Crossing]:
        """Yield one crossing for each region by which data gets from `ends[0]` to `ends[1]`."""
        for attempt in self.attempts(source, destination):
            crossing = attempt.find(ends)
            if crossing is not None:
                yield crossing

    def attempts(self, source: str, destination: str) -> Iterator[Attempt]:
        """Yield every way that may carry data from one zone to another, to be tried with addresses."""
        yield from self._attempts(Carried.OPENED, source, destination)
        for attempt in self._attempts(Carried.REPLIED, destination, source):
            if self._comes_back(attempt.region, source, destination):
                yield attempt

    def _attempts(self, carried: Carried, source: str, destination: str) -> Iterator[Attempt]:
        opened, uncounted = self._of(source, destination)
        for region, before in opened:
            yield Attempt(self, carried, (source, destination), region, uncounted, before)

    def _comes_back(self, region: Region, source: str, destination: str) -> bool:
        """Whether what answers a connection from `destination` gets there from `source`."""
        if region.action is Action.ALLOW or GATEWAY in (source, destination):
            return self.regions.pair(source, destination).guard is None
        legs = ((source, GATEWAY), (GATEWAY, destination))
        return all(self.regions.pair(*leg).guard is None for leg in legs)

    def _of(self, source: str, destination: str) -> tuple[list[_Open], list[Box]]:
        """Return the counted regions of a pair, and the boxes of all others in their order."""
        key = (source, destination)
        if key not in self._sorted:
            pair = self.regions.pair(*key)
            opened: list[_Open] = []
            uncounted: list[Box] = []
            for region in (*pair.regions, pair.rest):
                if region.action is None or region.action not in self.actions:
                    uncounted.append(region.box)
                elif region.decided_by not in self.exceptions:
                    opened.append(_Open(region, len(uncounted)))
            self._sorted[key] = opened, uncounted
        return self._sorted[key]


@dataclass(frozen=True)
class Attempt:
    """One region by which data may cross."""

    ways: Ways
    carried: Carried
    zones: tuple[str, str]
    region: Region
    uncounted: list[Box]
    before: int

    def find(self, ends: tuple[Ranges, Ranges]) -> Crossing | None:
        """Return how data gets from `ends[0]` to `ends[1]` by this region; None proves that it does not.

        Raises:
            Undecided: the budget is spent.
        """
        opens, answers = ends if self.carried is Carried.OPENED else (ends[1], ends[0])
        if self.carried is Carried.REPLIED and self.zones[0] == GATEWAY:
            # What answers us from one segment cannot come to our address on another: `misrouted`.
            opens = common(opens, self.ways.regions.reached(self.zones[1], GATEWAY))
        self.ways.budget.spend(1)
        wanted = meet(self.region.box, (opens, answers, EVERY_SERVICE))
        if wanted is None:
            return None
        minus = self.uncounted[: self.before]
        self.ways.budget.watch(len(minus))
        for family in self.ways.regions.pair(*self.zones).families:
            box = meet(wanted, family)
            point = None if box is None else find_point(box, minus, budget=self.ways.budget)
            if box is not None and point is not None:
                return Crossing(
                    carried=self.carried,
                    zones=self.zones,
                    box=box,
                    minus=minus,
                    point=point,
                    region=self.region,
                )
        return None


class Seen(NamedTuple):
    """A crossing as packets: the one that opens the connection, and what `decide` says of it.

    `flow` admits it (None in a trial); `reply` is a packet that carries the data back. None where data goes
    the other way, and where it comes back from us alone: by a proxy, a screen or the portal.
    """

    packet: PacketKey
    verdict: Verdict
    flow: str | None
    action: Action
    reply: PacketKey | None


def shown(policy: Policy, crossing: Crossing, exceptions: frozenset[str], *, now: float) -> Seen:
    """Return a crossing as packets people recognise, decided as claimed.

    Raises:
        Disagreement: `decide` says something else.
    """
    point = familiar(policy, crossing.box, crossing.minus, crossing.point)
    packet = _with_mac(policy, packet_key(crossing.zones[0], point))
    verdict = decide(policy, packet, now=now)
    flow, action = _admitted(policy, crossing, verdict, exceptions)
    if crossing.carried is Carried.OPENED or verdict.reason in _BY_ANOTHER_WAY:
        return Seen(packet, verdict, flow, action, None)
    reply = _with_mac(policy, reply_to(packet, crossing.zones[1]))
    known = Connection(State.ESTABLISHED, flow)
    answer = decide(policy, reply, now=now, connection=known)
    if answer.passes:
        return Seen(packet, verdict, flow, action, reply)
    ours = _our_address(policy, crossing.zones[1], packet.version)
    if verdict.outcome not in PROXIED:
        raise Disagreement(reply, answer)
    if ours is not None:
        to_us = decide(policy, reply._replace(dst=ours), now=now, connection=known)
        if not to_us.passes:
            raise Disagreement(reply, to_us)
    return Seen(packet, verdict, flow, action, None)


def _our_address(policy: Policy, zone: str, version: int) -> int | None:
    """Return the address that our proxy has on a segment."""
    own = (
        address for (v, address), where in policy.gateway_addresses.items() if (v, where) == (version, zone)
    )
    return next(own, None)


_BY_ANOTHER_WAY = frozenset({Reason.USE_RENDER, Reason.USE_PORTAL})


def _admitted(
    policy: Policy, crossing: Crossing, verdict: Verdict, exceptions: frozenset[str]
) -> tuple[str | None, Action]:
    region = crossing.region
    if region.action is None or not (verdict.passes or verdict.reason in _BY_ANOTHER_WAY):
        raise Disagreement(crossing, verdict)
    if region.decided_by is None:
        if verdict.decided_by is not None and verdict.decided_by not in exceptions:
            flow = policy.flow(verdict.decided_by)
            return verdict.decided_by, flow.action if flow is not None else region.action
        return None, region.action
    if region.decided_by not in (verdict.decided_by, *verdict.also):
        raise Disagreement(crossing, verdict)
    # The flow that decides is named, unless it is one that the question leaves out.
    chosen = region.decided_by if verdict.decided_by in exceptions else verdict.decided_by
    flow = policy.flow(chosen) if chosen is not None else None
    return chosen, flow.action if flow is not None else region.action


def _with_mac(policy: Policy, packet: PacketKey) -> PacketKey:
    """Return the packet as its host sends it: from the MAC that the policy ties its address to."""
    return packet._replace(src_mac=policy.macs.get((packet.version, packet.src)))


_ECHO_REPLIES = {(ICMP, 8): 0, (ICMP6, 128): 129}


def reply_to(packet: PacketKey, ingress: str) -> PacketKey:
    """Return a packet that answers `packet`, coming from the zone of its destination."""
    sport, dport = packet.dport, packet.sport
    if packet.protocol in (ICMP, ICMP6):
        sport, dport = 0, _ECHO_REPLIES.get((packet.protocol, packet.dport), packet.dport)
    return packet._replace(
        ingress=ingress, src=packet.dst, dst=packet.src, sport=sport, dport=dport, src_mac=None
    )
