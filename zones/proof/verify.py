"""Invariants over all packets: proved, violated (with packets that show it), or undecided.

`never` asks whether data gets from one place to another by `allow` and the actions in `over`;
`require_action` whether it gets there by any other action than those. Data goes both ways over a connection,
whoever opened it. `except` names flows whose ways do not count. A proof speaks of one moment and of all that
come after it, and lists what it takes for granted; every counterexample has been decided by `decide`, at the
moment it names, before it is reported.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from zones.decide import in_trial
from zones.expiry import closed_because, next_opening
from zones.model import GATEWAY, Action
from zones.proof.packets import EVERY_SERVICE, address_number, address_of, address_ranges
from zones.proof.reach import Reach
from zones.proof.regions import Regions
from zones.proof.space import Budget, Undecided, common, find_point, meet, normal, without
from zones.proof.ways import Carried, Disagreement, Seen, Ways, shown
from zones.verdict import Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from zones.model import Invariant, Policy
    from zones.proof.reach import Closure, Hop, Machine, Places
    from zones.proof.space import Ranges
    from zones.proof.ways import Crossing


_ASLEEP = (Reason.OUTSIDE_HOURS, Reason.NEEDS_APPROVAL)
_Way: TypeAlias = "Crossing | tuple[Hop, ...]"
"""One crossing, or a chain of hops."""


class State(StrEnum):
    """What is known of an invariant."""

    PROVED = "proved"
    VIOLATED = "violated"
    UNDECIDED = "undecided"


class Assumption(NamedTuple):
    """Something a proof takes for granted: a message code (`assume-…`) and its parameters."""

    code: str
    params: dict[str, object]


@dataclass(frozen=True, kw_only=True)
class Step:
    """One hop of a counterexample; `seen` is None where both ends are on one segment.

    `at` is the moment (seconds since the epoch): later than the question's where a flow opens only then.
    """

    at: float
    carried: Carried
    source: str
    source_address: tuple[int, int]
    destination: str
    destination_address: tuple[int, int]
    seen: Seen | None = None


@dataclass(frozen=True, kw_only=True)
class Counterexample:
    """How data gets to `target` all the same: one step, or a chain."""

    target: str
    steps: tuple[Step, ...]


@dataclass(frozen=True, kw_only=True)
class Result:
    """The answer for one invariant. `unclear` is a message code that says why it is undecided."""

    invariant: Invariant
    state: State
    transitive: bool
    counterexamples: tuple[Counterexample, ...] = ()
    assumptions: tuple[Assumption, ...] = ()
    unclear: str | None = None


def verify(
    policy: Policy,
    *,
    now: float,
    invariants: Iterable[Invariant] | None = None,
    distrust_relays: bool = False,
    transitive: bool = False,
    budget: Budget | None = None,
) -> Iterator[Result]:
    """Yield the answer for each invariant of a policy (or for those given) at `now`.

    `transitive` follows relays for all of them; `distrust_relays` ignores the claims of hosts that they
    pass nothing on. What `budget` does not suffice for is undecided; without one, each invariant may take
    `space.DEFAULT_STEPS`.

    Raises:
        Disagreement: a counterexample that `decide` decides otherwise (a bug).
    """
    regions = Regions(policy, now=now)

    @cache
    def awake(exceptions: frozenset[str], *reasons: Reason) -> Regions:
        # An exception that sleeps goes on refusing what only a wider flow would open; while it is open, it
        # decides instead of that. Either way the wider flow carries nothing.
        return Regions(policy, now=now, awake=reasons, asleep=exceptions)

    for invariant in policy.invariants if invariants is None else invariants:
        question = _Question(
            regions,
            invariant,
            transitive=transitive or invariant.transitive,
            trust=not distrust_relays,
            budget=budget or Budget(),
        )
        yield question.answer(awake)


def places(regions: Regions, name: str) -> Places | None:
    """Return the addresses behind a name of the policy, by zone; None for what is known by domain only."""
    policy = regions.policy
    if name in policy.zones or name == GATEWAY:
        return {name: regions.members(name)}
    if name in policy.hosts:
        host = policy.hosts[name]
        return {host.zone: address_ranges(host.addresses)}
    if name in policy.groups:
        group = policy.groups[name]
        return {group.zone: common(address_ranges(group.networks), regions.members(group.zone))}
    return None


def counted(invariant: Invariant) -> frozenset[Action]:
    """Return the actions by which data must not get there."""
    if invariant.never:
        return frozenset({Action.ALLOW, *invariant.over})
    return frozenset(Action) - {Action.DENY, *invariant.require_action}


class _NotInTime(Exception):
    """A way was found that needs flows in an order, or together, in which they may never be open."""


class _Question:
    def __init__(
        self, regions: Regions, invariant: Invariant, *, transitive: bool, trust: bool, budget: Budget
    ) -> None:
        self.regions, self.invariant, self.trust = regions, invariant, trust
        self.transitive, self.budget = transitive, budget
        self.exceptions = frozenset(invariant.exceptions)
        self.unmodelled = False
        self.starts = [self._together([name]) for name in invariant.sources]
        self.sources = self._together(invariant.sources)
        self.targets = {name: self._together([name]) for name in invariant.destinations}

    def _together(self, names: Iterable[str]) -> Places:
        found: dict[str, Ranges] = {}
        for name in names:
            known = places(self.regions, name)
            if known is None:
                self.unmodelled = True
            for zone, ranges in (known or {}).items():
                found[zone] = normal((*found.get(zone, ()), *ranges))
        return found

    def answer(self, awake: Callable[..., Regions]) -> Result:
        """Return the answer; `awake` gives the same policy with flows open that are closed for some reasons.

        What breaks it later, when the hours of a flow come round, breaks it. An approval is given by people,
        who may refuse it: the proof lists what it takes for granted of them.
        """
        try:
            for regions in (self.regions, awake(self.exceptions, Reason.OUTSIDE_HOURS)):
                ways, assumptions = self._found(regions)
                if ways:
                    return self._result(State.VIOLATED, counterexamples=self._examples(ways))
                if self.unmodelled:
                    return self._result(State.UNDECIDED, unclear="undecided-name")
            later, _ = self._found(awake(self.exceptions, *_ASLEEP))
        except Undecided:
            return self._result(State.UNDECIDED, unclear="undecided-budget")
        except _NotInTime:
            return self._result(State.UNDECIDED, unclear="undecided-order")
        return self._result(State.PROVED, assumptions=(*assumptions, *self._unapproved(later)))

    def _examples(self, ways: list[tuple[str, _Way]]) -> tuple[Counterexample, ...]:
        """Return each way as packets; one that may not be open in time is left out where another is.

        Raises:
            _NotInTime: none of them is.
        """
        examples = []
        for name, way in ways:
            with suppress(_NotInTime):
                examples.append(Counterexample(target=name, steps=tuple(self._steps(name, way))))
        if not examples:
            raise _NotInTime
        return tuple(examples)

    def _result(
        self,
        state: State,
        *,
        counterexamples: tuple[Counterexample, ...] = (),
        assumptions: tuple[Assumption, ...] = (),
        unclear: str | None = None,
    ) -> Result:
        return Result(
            invariant=self.invariant,
            state=state,
            transitive=self.transitive,
            counterexamples=counterexamples,
            assumptions=assumptions,
            unclear=unclear,
        )

    def _found(self, regions: Regions) -> tuple[list[tuple[str, _Way]], list[Assumption]]:
        """Return a way to each target that can be reached, and what the rest of the answer relies on."""
        ways = Ways(regions, counted(self.invariant), self.exceptions, self.budget)
        found: dict[str, _Way] = {}
        for name, target in self.targets.items():
            crossing = next(self._crossings(ways, target), None)
            if crossing is not None:
                found[name] = crossing
        assumptions = self._on_one_segment()
        if self.transitive:
            try:
                assumptions += self._follow(ways, found)
            except Undecided:
                # What is broken already stays broken: to look for more can only show more.
                if not found:
                    raise
        return [(name, found[name]) for name in self.targets if name in found], assumptions

    def _follow(self, ways: Ways, found: dict[str, _Way]) -> list[Assumption]:
        """Add a chain to each target that none crosses to directly; return what the rest relies on.

        Each source is asked for by itself: what another source has got is news where that one is a target.
        """
        relied: dict[str, Assumption] = {}
        for start in self.starts:
            targets = {name: target for name, target in self.targets.items() if name not in found}
            if not targets:
                break
            reach = Reach(ways.regions, ways, start, targets, covered=self.sources, trust=self.trust)
            closure = reach.closure()
            found.update(closure.chains)
            relied.update((str(assumption), assumption) for assumption in _relied_on(closure))
        return list(relied.values())

    def _on_one_segment(self) -> list[Assumption]:
        shared = sorted(
            {zone for target in self.targets.values() for zone in target if self._shared(zone, target)}
        )
        return [Assumption("assume-segment", {"zone": zone}) for zone in shared if zone != GATEWAY]

    def _shared(self, zone: str, target: Places) -> bool:
        """Whether the answer takes for granted that what this zone holds gets around in it."""
        if self.transitive:  # the segment is followed, to all but the sources themselves
            return any(common(start.get(zone, ()), target[zone]) for start in self.starts)
        return zone in self.sources

    def _crossings(self, ways: Ways, target: Places) -> Iterator[Crossing]:
        for source, mine in self.sources.items():
            for destination, theirs in target.items():
                if (source, destination) != (GATEWAY, GATEWAY):
                    yield from ways.data(source, destination, (mine, theirs))

    def _unapproved(self, later: list[tuple[str, _Way]]) -> Iterator[Assumption]:
        """Yield the flows that would break the invariant if people approved them."""
        crossings = [crossing for _, way in later for crossing in _crossings_of(way)]
        ids = {crossing.region.decided_by for crossing in crossings} - {None}
        closed = sorted(
            flow for flow in ids if flow is not None and self.regions.closed(flow) is Reason.NEEDS_APPROVAL
        )
        if closed:
            yield Assumption("assume-unapproved", {"ids": ", ".join(closed)})

    # --- chains as steps -----------------------------------------------------------------------------

    def _steps(self, target: str, way: _Way) -> Iterator[Step]:
        """Yield the hops with addresses that fit: where the next hop leaves from another one, by segment.

        Data may rest on a relay until the next flow opens, so the moments only go forward.

        Raises:
            _NotInTime: a flow of the chain closes for good before the data gets there.
        """
        now = self.regions.now
        if not isinstance(way, tuple):
            yield self._step(way, now)
            return
        at: int | None = None
        for hop in way:
            if hop.crossing is None:
                if hop is way[-1]:
                    yield self._segment((hop.source, at), hop.destination, self._goal(target, hop)[0][0], now)
                continue  # the next hop starts somewhere on this segment, and says where
            goal = self._goal(target, hop) if hop is way[-1] else hop.destination.addresses
            step = self._step(self._narrowed(hop, at, goal, first=hop is way[0]), now)
            start = address_number(*step.source_address)
            if at is None and hop is not way[0]:
                yield self._segment((way[0].source, None), hop.source, start, now)
            elif at is not None and start != at and not _one_machine(hop.source, at):
                yield self._segment((hop.source, at), hop.source, start, now)
            yield step
            now = step.at
            at = address_number(*step.destination_address)

    def _goal(self, target: str, hop: Hop) -> Ranges:
        """Return the addresses of a machine at which a hop gets to the target."""
        zone, addresses = hop.destination.zone, hop.destination.addresses
        wanted = common(addresses, self.targets[target].get(zone, ()))
        return without(wanted, self.sources.get(zone, ())) or wanted or addresses

    def _narrowed(self, hop: Hop, at: int | None, goal: Ranges, *, first: bool) -> Crossing:
        """Return the crossing with its ends on the machines of the hop, at best from `at` to the `goal`."""
        assert hop.crossing is not None  # noqa: S101  the caller has looked
        mine, theirs = hop.source.addresses, hop.destination.addresses
        if first:
            mine = common(mine, self.sources.get(hop.source.zone, ()))
        narrowed = _with_ends(hop.crossing, mine, theirs)
        there = () if at is None else common(mine, ((at, at),))
        for ends in ((there, goal), (mine, goal), (there, theirs)):
            box = _with_ends(hop.crossing, *ends).box if all(ends) else ()
            point = find_point(box, hop.crossing.minus, budget=self.budget) if box else None
            if point is not None:
                return replace(narrowed, box=box, point=point)
        return narrowed

    def _segment(self, start: tuple[Machine, int | None], destination: Machine, to: int, now: float) -> Step:
        """Return the hop within a segment: from a machine's address, or from the start itself."""
        source, at = start
        if at is None:
            places = common(self.sources.get(source.zone, ()), source.addresses)
            at = (places or source.addresses)[0][0]
        return Step(
            at=now,
            carried=Carried.SEGMENT,
            source=self._label(source.zone, at),
            source_address=address_of(at),
            destination=self._label(destination.zone, to),
            destination_address=address_of(to),
        )

    # --- what to show --------------------------------------------------------------------------------

    def _step(self, crossing: Crossing, now: float) -> Step:
        at = self._moment(crossing, now)
        try:
            seen = shown(self.regions.policy, crossing, self.exceptions, now=at)
        except Disagreement:
            if at > self.regions.now and self.exceptions:
                # The flow opens when an exception that is open now has closed, and refuses in its place.
                raise _NotInTime from None
            raise
        packet = seen.packet
        ends = [(packet.version, packet.src), (packet.version, packet.dst)]
        zones = list(crossing.zones)
        if crossing.carried is Carried.REPLIED:
            ends.reverse()
            zones.reverse()
        return Step(
            at=at,
            carried=crossing.carried,
            source=self._label(zones[0], address_number(*ends[0])),
            source_address=ends[0],
            destination=self._label(zones[1], address_number(*ends[1])),
            destination_address=ends[1],
            seen=seen,
        )

    def _moment(self, crossing: Crossing, now: float) -> float:
        """Return when, from `now` on, the crossing is first open.

        Raises:
            _NotInTime: never again.
        """
        policy = self.regions.policy
        flow = policy.flow(crossing.region.flow) if crossing.region.flow is not None else None
        if flow is None:
            if crossing.region.reason is Reason.WOULD_DENY and not in_trial(policy, now):
                raise _NotInTime
            return now
        closed = closed_because(flow, now, policy.timezone)
        if closed is None:
            return now
        opening = next_opening(flow, now, policy.timezone) if closed is Reason.OUTSIDE_HOURS else None
        if opening is None:
            raise _NotInTime
        return opening

    def _label(self, zone: str, place: int) -> str:
        """Return the name of the host with this address, or its zone."""
        version, address = address_of(place)
        names = (
            host.name
            for host in self.regions.policy.hosts.values()
            if host.zone == zone and any(network.holds(version, address) for network in host.addresses)
        )
        return next(names, zone)


def _crossings_of(way: _Way) -> list[Crossing]:
    if not isinstance(way, tuple):
        return [way]
    return [hop.crossing for hop in way if hop.crossing is not None]


def _relied_on(closure: Closure) -> Iterator[Assumption]:
    for machine in closure.relied_on:
        if machine.zone == GATEWAY:
            yield Assumption("assume-gateway", {})
        else:
            yield Assumption("assume-relay", {"host": machine.name, "because": machine.because or "-"})


def _with_ends(crossing: Crossing, mine: Ranges, theirs: Ranges) -> Crossing:
    opens, answers = (mine, theirs) if crossing.carried is Carried.OPENED else (theirs, mine)
    box = meet(crossing.box, (opens, answers, EVERY_SERVICE))
    return replace(crossing, box=box if box is not None else ())


def _one_machine(machine: Machine, place: int) -> bool:
    return machine.name is not None and any(low <= place <= high for low, high in machine.addresses)
