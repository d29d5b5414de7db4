"""What changes between two policies: which packets get another answer, each kind with one that shows it.

Only packets that a changed region decides, before or after, can get another answer: regions that both
policies have, in the same order, decide alike. So the search starts from the changed ones and asks, for each
answer of the other policy that overlaps, for a packet that gets both. Where zones own other addresses than
before, every region of the addresses concerned counts as changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from itertools import product
from typing import TYPE_CHECKING, NamedTuple

from zones.decide import decide
from zones.model import GATEWAY, Action
from zones.proof.packets import FAMILIES, OPEN_SERVICES, address_number, familiar, packet_key
from zones.proof.regions import EVERY_ADDRESS, Region, Regions
from zones.proof.space import Budget, common, covers, find_point, meet, normal, without
from zones.proof.ways import Disagreement, reply_to
from zones.verdict import Connection, Outcome, Reason, State

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from zones.model import Policy
    from zones.proof.regions import Pair
    from zones.proof.space import Box, Ranges
    from zones.verdict import PacketKey, Verdict


class Change(StrEnum):
    """What is another: listed from what matters most."""

    CROSSING = "crossing"
    """Whether and how content crosses: the packet's outcome, or the way it is told to take instead."""
    REPLIES = "replies"
    """Whether what comes back on connections of the other direction passes."""
    REASON = "reason"
    """Refused before and after, for another reason."""
    ATTRIBUTION = "attribution"
    """The same answer, by another flow or guard."""


Answer = tuple[Outcome, Reason, str | None]


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One group of packets that get another answer, and one of them (new, or a reply) that shows it.

    `opened` is the connection that a `REPLIES` sample belongs to.
    """

    change: Change
    source: str | None
    destination: str | None
    before: Answer
    after: Answer
    packet: PacketKey
    opened: PacketKey | None = None


class _Place(NamedTuple):
    """Addresses that belong to one zone before and to one after (None: to nobody)."""

    before: str | None
    after: str | None


class _Side(NamedTuple):
    """One policy's answers for packets between two places."""

    pair: Pair | None
    regions: Sequence[Region]
    rest: Region


def diff(before: Policy, after: Policy, *, now: float, budget: Budget | None = None) -> list[Difference]:
    """Return the differences between two policies at `now`, what matters most first.

    Equal policies, however they are written, differ at most in `ATTRIBUTION`. Packets are new connections
    at their right place; those from a fixed MAC are asked about where that MAC is another.
    What no policy lets pass (redirects, our address on another segment) is left out.

    Raises:
        Undecided: the budget is spent.
        Disagreement: `decide` answers a sample otherwise (a bug).
    """
    question = _Diff(before, after, now, budget or Budget(steps=1 << 62))
    order = list(Change)
    return sorted(
        question.differences(), key=lambda d: (order.index(d.change), d.source or "", d.destination or "")
    )


class _Diff:
    def __init__(self, before: Policy, after: Policy, now: float, budget: Budget) -> None:
        self.policies, self.now, self.budget = (before, after), now, budget
        self.regions = (Regions(before, now=now), Regions(after, now=now))
        self.places = self._places()
        self.seen: set[tuple[object, ...]] = set()

    def _places(self) -> dict[_Place, Ranges]:
        """Return the addresses by the zone they belong to before and after."""
        old, new = self.regions
        mine = {zone: old.members(zone) for zone in old.zones}
        theirs = {zone: new.members(zone) for zone in new.zones}
        found: dict[_Place, Ranges] = {}
        for zone, ranges in mine.items():
            left = ranges
            for other, others in theirs.items():
                shared = common(ranges, others)
                if shared:
                    found[_Place(zone, other)] = shared
                    left = without(left, shared)
            if left:
                found[_Place(zone, None)] = left
        taken = normal(piece for ranges in mine.values() for piece in ranges)
        for other, others in theirs.items():
            left = without(others, taken)
            if left:
                found[_Place(None, other)] = left
        return found

    def differences(self) -> Iterator[Difference]:
        for source, mine in self.places.items():
            for destination, theirs in self.places.items():
                for _, family in FAMILIES:
                    box = (common(mine, family), common(theirs, family), OPEN_SERVICES)
                    if all(box):
                        yield from self._between(source, destination, box)
                        yield from self._replies(source, destination, box)
        yield from self._macs()

    def _side(self, which: int, source: str | None, destination: str | None) -> _Side:
        if source is None or destination is None or (source, destination) == (GATEWAY, GATEWAY):
            return _Side(None, (), _nowhere(Reason.UNKNOWN_ZONE))
        pair = self.regions[which].pair(source, destination)
        return _Side(pair, pair.regions, pair.rest)

    def _between(self, source: _Place, destination: _Place, box: Box) -> Iterator[Difference]:
        for part, sides in self._parts(source, destination, box):
            old, new = sides
            if old.rest.answer == new.rest.answer and _contents(old) == _contents(new):
                continue
            changed = _changed(old, new)
            for one, other, minus in _combinations(old, new, changed, part):
                yield from self._sample((source, destination), (one, other), minus, part)

    def _parts(
        self, source: _Place, destination: _Place, box: Box
    ) -> Iterator[tuple[Box, tuple[_Side, _Side]]]:
        """Yield the packets of two places in parts whose zones are the same throughout, on each side.

        Our own address on the source's segment is the gateway; on another it is out of reach.
        """
        if GATEWAY not in destination:
            sides = (
                self._side(0, source.before, destination.before),
                self._side(1, source.after, destination.after),
            )
            yield box, sides
            return
        own = [
            regions.reached(zone, GATEWAY) if zone is not None and whose == GATEWAY else ()
            for regions, zone, whose in zip(self.regions, source, destination, strict=True)
        ]
        for here in (True, False):
            for there in (True, False):
                addresses = box[1]
                for inside, ranges in ((here, own[0]), (there, own[1])):
                    addresses = common(addresses, ranges) if inside else without(addresses, ranges)
                if addresses:
                    part = (box[0], addresses, box[2])
                    yield (
                        part,
                        (self._end(0, source, destination, here), self._end(1, source, destination, there)),
                    )

    def _end(self, which: int, source: _Place, destination: _Place, at_home: bool) -> _Side:
        if destination[which] == GATEWAY and not at_home:
            return _Side(None, (), _nowhere(Reason.MISROUTED))
        return self._side(which, source[which], destination[which])

    def _sample(
        self, ends: tuple[_Place, _Place], answers: tuple[Region, Region], minus: list[Box], part: Box
    ) -> Iterator[Difference]:
        """Yield the difference between two answers, with a packet that gets both, if there is one."""
        (source, destination), (one, other) = ends, answers
        group = (source, destination, one.answer, other.answer)
        if group in self.seen or one.answer == other.answer:
            return
        shared = meet(one.box, other.box)
        box = meet(shared, part) if shared is not None else None
        point = find_point(box, minus, budget=self.budget) if box is not None else None
        if box is None or point is None:
            return
        self.seen.add(group)
        point = familiar(self.policies[1], box, minus, point)
        ingress = source.before if source.before == source.after else None
        packet = packet_key(ingress, point)
        verdicts = [decide(policy, packet, now=self.now) for policy in self.policies]
        if not all(_is(verdict, region) for verdict, region in zip(verdicts, (one, other), strict=True)):
            raise Disagreement(packet, one.answer, other.answer, verdicts)
        yield Difference(
            change=_kind(one, other),
            source=verdicts[1].source_zone or verdicts[0].source_zone,
            destination=verdicts[1].destination_zone or verdicts[0].destination_zone,
            before=_answer(verdicts[0]),
            after=_answer(verdicts[1]),
            packet=packet,
        )

    def _replies(self, source: _Place, destination: _Place, box: Box) -> Iterator[Difference]:
        """Yield whether replies from `source` to `destination` began or ceased to be dropped by a guard."""
        if None in source or None in destination or GATEWAY in (*source, *destination):
            return
        replies = [self._side(which, source[which], destination[which]).pair for which in (0, 1)]
        opening = [self._side(which, destination[which], source[which]) for which in (0, 1)]
        if replies[0] is None or replies[1] is None or (not replies[0].guard) == (not replies[1].guard):
            return
        openers = [side.pair for side in opening if side.pair is not None]
        back = (box[1], box[0], box[2])
        for one in (*opening[0].regions, opening[0].rest):
            for other in (*opening[1].regions, opening[1].rest):
                if not (one.action and other.action and one.outcome is other.outcome is Outcome.ALLOW):
                    continue
                minus = [*_before_in(openers[0], one), *_before_in(openers[1], other)]
                shared = meet(one.box, other.box)
                part = meet(shared, back) if shared is not None else None
                point = find_point(part, minus, budget=self.budget) if part is not None else None
                if part is None or point is None:
                    continue
                opened = packet_key(destination.after, familiar(self.policies[1], part, minus, point))
                reply = reply_to(opened, str(source.after))
                answers = [
                    decide(
                        policy, reply, now=self.now, connection=Connection(State.ESTABLISHED, r.decided_by)
                    )
                    for policy, r in zip(self.policies, (one, other), strict=True)
                ]
                if answers[0].passes == answers[1].passes:
                    raise Disagreement(reply, answers)
                yield Difference(
                    change=Change.REPLIES,
                    source=source.after,
                    destination=destination.after,
                    before=_answer(answers[0]),
                    after=_answer(answers[1]),
                    packet=reply,
                    opened=opened,
                )
                return

    def _macs(self) -> Iterator[Difference]:
        """Yield each address that is tied to another MAC than before, with a packet that shows it."""
        old, new = self.policies
        for address in sorted({*old.macs, *new.macs}):
            macs = old.macs.get(address), new.macs.get(address)
            zones = [policy.zone_of(*address) for policy in self.policies]
            if macs[0] == macs[1] or zones[0] is None or zones[0] != zones[1]:
                continue
            # From the old MAC where there was one and still is one; else from one that nobody has.
            shown = macs[0] if all(macs) and macs[0] is not None else _NOBODYS_MAC
            packet = self._passing(zones[0], address_number(*address), shown)
            if packet is not None:
                verdicts = [decide(policy, packet, now=self.now) for policy in self.policies]
                yield Difference(
                    change=Change.CROSSING,
                    source=zones[0],
                    destination=verdicts[1].destination_zone,
                    before=_answer(verdicts[0]),
                    after=_answer(verdicts[1]),
                    packet=packet,
                )

    def _passing(self, zone: str, address: int, mac: str) -> PacketKey | None:
        """Return a packet from this address and MAC that passes before or after, but not both."""
        for regions in self.regions:
            for other in regions.zones:
                pair = regions.pair(zone, other)
                for region, family in product((*pair.regions, pair.rest), pair.families):
                    if region.outcome is Outcome.DENY:
                        continue
                    there = meet(family, (((address, address),), EVERY_ADDRESS, OPEN_SERVICES))
                    box = meet(region.box, there) if there is not None else None
                    point = find_point(box, _before_in(pair, region), budget=self.budget) if box else None
                    if point is not None:
                        packet = packet_key(zone, point)._replace(src_mac=mac)
                        passing = [decide(policy, packet, now=self.now).passes for policy in self.policies]
                        if passing[0] != passing[1]:
                            return packet
        return None


_NOBODYS_MAC = "02:00:00:00:00:00"


def _combinations(
    old: _Side, new: _Side, changed: tuple[set[int], set[int]], part: Box
) -> Iterator[tuple[Region, Region, list[Box]]]:
    """Yield each pair of answers that a packet may get, one of them changed, and what goes before."""
    sides = [(*old.regions, old.rest), (*new.regions, new.rest)]
    for which, other in ((0, 1), (1, 0)):
        for at in sorted(changed[which]):
            box = meet(sides[which][at].box, part)
            if box is None:
                continue
            before = _meeting(sides[which][:at], box)
            if any(covers(one, box) for one in before):
                continue
            ahead: list[Box] = []
            for number, answer in enumerate(sides[other]):
                shared = meet(answer.box, box)
                if shared is None:
                    continue
                # Two changed ones have met from the other side already.
                if which == 0 or number not in changed[0]:
                    pair = (sides[0][at], answer) if which == 0 else (answer, sides[1][at])
                    yield *pair, [*before, *ahead]
                ahead.append(shared)
                if shared == box:
                    break


def _meeting(regions: Sequence[Region], box: Box) -> list[Box]:
    shared = (meet(region.box, box) for region in regions)
    return [one for one in shared if one is not None]


def _before_in(pair: Pair, region: Region) -> list[Box]:
    boxes = []
    for one in pair.regions:
        if one is region:
            break
        boxes.append(one.box)
    return boxes


def _contents(side: _Side) -> list[tuple[Box, Answer, Action | None]]:
    return [_content(region) for region in side.regions]


def _content(region: Region) -> tuple[Box, Answer, Action | None]:
    return region.box, region.answer, region.action


def _changed(old: _Side, new: _Side) -> tuple[set[int], set[int]]:
    """Return which regions of each side (the rest is the last) the other has not, or has in another order."""
    mine = [*_contents(old), _content(old.rest)]
    theirs = [*_contents(new), _content(new.rest)]
    positions = {content: at for at, content in reversed(list(enumerate(theirs)))}
    kept: list[tuple[int, int]] = []
    last = -1
    for at, content in enumerate(mine):
        position = positions.get(content)
        if position is not None and position > last:
            kept.append((at, position))
            last = position
    return (
        set(range(len(mine))) - {one for one, _ in kept},
        set(range(len(theirs))) - {other for _, other in kept},
    )


def _nowhere(reason: Reason) -> Region:
    return Region(box=(EVERY_ADDRESS, EVERY_ADDRESS, OPEN_SERVICES), outcome=Outcome.DENY, reason=reason)


def _kind(one: Region, other: Region) -> Change:
    if one.crossing != other.crossing:
        return Change.CROSSING
    return Change.REASON if one.reason is not other.reason else Change.ATTRIBUTION


def _is(verdict: Verdict, region: Region) -> bool:
    """Whether a verdict is the region's answer; where no zone owns an end, only the refusal is claimed."""
    if region.reason in (Reason.UNKNOWN_ZONE, Reason.MISROUTED):
        return not verdict.passes
    return _answer(verdict) == region.answer


def _answer(verdict: Verdict) -> Answer:
    return verdict.outcome, verdict.reason, verdict.decided_by
