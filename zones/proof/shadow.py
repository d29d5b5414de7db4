"""Rules that never decide, and rules that could go: complete for first-match lists and for policies.

The list is indexed once: for every field, which boxes are active in each segment of its values. A question
about one box then starts without any other box and takes in, one by one, only those that hold the points it
finds; it ends with a point that none holds, or with a small set of boxes that together hold the whole box.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, NamedTuple

from zones.model import Mode
from zones.proof.regions import Regions
from zones.proof.space import Budget, covers, find_point, meet

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Sequence

    from zones.model import Policy
    from zones.proof.regions import Pair, Region
    from zones.proof.space import Box, Point


class Shadow(NamedTuple):
    """A rule of a list that never decides: the earlier ones in `by` hold all of it (the fewest we found)."""

    rule: int
    by: tuple[int, ...]


class Redundant(NamedTuple):
    """A rule that decides, but without it every packet would get the same answer from a later one."""

    rule: int


class DeadFlow(NamedTuple):
    """A flow that takes part but never decides. `by` are the flows and guards in front of it.

    `by` is empty where the flow matches no packet that can come to the gateway.
    """

    flow: str
    by: tuple[str, ...]


class BoxIndex:
    """A list of boxes that knows which of them hold a point."""

    def __init__(self, boxes: Sequence[Box], *, budget: Budget | None = None) -> None:
        self.boxes, self.budget = boxes, budget or Budget(steps=1 << 62)
        fields = len(boxes[0]) if boxes else 0
        self._starts: list[list[int]] = []
        self._active: list[list[int]] = []
        for at in range(fields):
            starts, active = _segments([box[at] for box in boxes])
            self._starts.append(starts)
            self._active.append(active)

    def holding(self, point: Point, among: int) -> int:
        """Return, as a bit set, which boxes of the bit set `among` hold a point."""
        for value, starts, active in zip(point, self._starts, self._active, strict=True):
            at = bisect_right(starts, value) - 1
            among &= active[at] if at >= 0 else 0
            if not among:
                return 0
        return among

    def outside(self, box: Box, among: int) -> tuple[Point | None, tuple[int, ...]]:
        """Return a point of `box` that no box of `among` holds; or None, and the boxes that hold it all.

        Raises:
            Undecided: the budget is spent.
        """
        used: list[int] = []
        always = among
        while True:
            point = find_point(box, [self.boxes[index] for index in used], budget=self.budget)
            if point is None:
                return None, self._alone(box, always) or tuple(sorted(used))
            hits = self.holding(point, among)
            self.budget.spend(1)
            if not hits:
                return point, ()
            always &= hits
            used.append(_lowest(hits))

    def _alone(self, box: Box, among: int) -> tuple[int, ...]:
        """Return the first box of `among` that holds all of `box` by itself."""
        return next(((index,) for index in _bits(among) if covers(self.boxes[index], box)), ())


def _segments(fields: Sequence[tuple[tuple[int, int], ...]]) -> tuple[list[int], list[int]]:
    """Return where segments begin, and which boxes are active in each, as bit sets."""
    same: dict[tuple[tuple[int, int], ...], int] = {}
    for index, ranges in enumerate(fields):
        same[ranges] = same.get(ranges, 0) | 1 << index
    changes: dict[int, int] = {}
    for ranges, bits in same.items():
        for low, high in ranges:
            changes[low] = changes.get(low, 0) ^ bits
            changes[high + 1] = changes.get(high + 1, 0) ^ bits
    starts, active, now = sorted(changes), [], 0
    for start in starts:
        now ^= changes[start]
        active.append(now)
    return starts, active


def _lowest(bits: int) -> int:
    return (bits & -bits).bit_length() - 1


def _bits(bits: int) -> Iterator[int]:
    while bits:
        yield _lowest(bits)
        bits &= bits - 1


def first_match_shadows(boxes: Sequence[Box], *, budget: Budget | None = None) -> list[Shadow]:
    """Return every rule of a first-match list that never decides, with what stands before it.

    Raises:
        Undecided: the budget is spent (without one, it takes as long as it takes).

    >>> ports = [((0, 9),), ((10, 19),), ((5, 14),)]
    >>> first_match_shadows([(port,) for port in ports])
    [Shadow(rule=2, by=(0, 1))]
    """
    index = BoxIndex(boxes, budget=budget)
    found = []
    for at, box in enumerate(boxes):
        point, by = index.outside(box, (1 << at) - 1)
        if point is None:
            found.append(Shadow(at, by))
    return found


def first_match_redundant(
    boxes: Sequence[Box], answers: Sequence[Hashable], default: Hashable, *, budget: Budget | None = None
) -> list[Redundant]:
    """Return every rule that decides, and that could be taken out without a change of any answer.

    Each is meant by itself: two that are redundant may need one another.

    Raises:
        Undecided: the budget is spent.

    >>> ports = [((0, 9),), ((0, 19),)]
    >>> first_match_redundant([(port,) for port in ports], ["allow", "allow"], "deny")
    [Redundant(rule=0)]
    """
    index = BoxIndex(boxes, budget=budget)
    return [
        Redundant(at)
        for at, box in enumerate(boxes)
        if index.outside(box, (1 << at) - 1)[0] is not None
        and not _matters(index, at, answers, default, frozenset({at}))
    ]


def _matters(
    index: BoxIndex, at: int, answers: Sequence[Hashable], default: Hashable, gone: frozenset[int]
) -> bool:
    """Whether some packet that rule `at` decides gets another answer once the rules in `gone` are away."""
    box, before = index.boxes[at], (1 << at) - 1
    for later in range(at + 1, len(index.boxes)):
        if later in gone:
            continue
        if answers[later] == answers[at]:
            before |= 1 << later
            continue
        shared = meet(box, index.boxes[later])
        if shared is not None and index.outside(shared, before)[0] is not None:
            return True
    return default != answers[at] and index.outside(box, before)[0] is not None


# --- policies ------------------------------------------------------------------------------------------


def never_decides(policy: Policy, *, now: float, budget: Budget | None = None) -> list[DeadFlow]:
    """Return every open flow that decides no packet at `now`: others come before it for all it matches.

    Raises:
        Undecided: the budget is spent.
    """
    living: set[str] = set()
    asked = Regions(policy, now=now)
    before: dict[str, set[str]] = {flow: set() for flow in _taking_part(asked)}
    for pair, regions, boxes in _lists(asked):
        index = BoxIndex(boxes, budget=budget)
        for at, region in enumerate(regions):
            if region.flow is None:
                continue
            by = before[region.flow]
            if pair.guard is not None or region.decided_by != region.flow:
                by.add(pair.guard or region.decided_by or "")
            elif region.flow not in living:
                point, used = index.outside(boxes[at], (1 << at) - 1)
                if point is not None:
                    living.add(region.flow)
                by.update(name for one in used if (name := _name(regions[one])) is not None)
    return [
        DeadFlow(flow.id, tuple(sorted(before[flow.id] - {flow.id})))
        for flow in policy.flows
        if flow.id in before and flow.id not in living
    ]


def redundant(policy: Policy, *, now: float, budget: Budget | None = None) -> list[str]:
    """Return every open flow without which no packet would cross otherwise than now, at `now`.

    Each is meant by itself. Flows that never decide are among them, but none to a domain name: what that is
    for, packets do not show.

    Raises:
        Undecided: the budget is spent.
    """
    needed = {flow.id for flow in policy.flows if any(end.name is not None for end in flow.destinations)}
    asked = Regions(policy, now=now)
    for pair, regions, boxes in _lists(asked):
        index = BoxIndex(boxes, budget=budget)
        answers = [region.crossing for region in regions]
        for at, region in enumerate(regions):
            if region.flow is None:
                continue
            if pair.guard is None and region.flow not in needed:
                same = frozenset(i for i, other in enumerate(regions) if other.flow == region.flow)
                if _matters(index, at, answers, pair.rest.crossing, same):
                    needed.add(region.flow)
    seen = _taking_part(asked)
    return [flow.id for flow in policy.flows if flow.id in seen and flow.id not in needed]


def _pairs(regions: Regions) -> Iterator[Pair]:
    zones = regions.zones
    for one in zones:
        yield from (regions.pair(one, other) for other in zones if one != other or one in zones[:-1])


def _taking_part(regions: Regions) -> set[str]:
    """Return every open flow, also one that no packet can match (redirects, a denial by name)."""
    flows = regions.policy.flows
    return {flow.id for flow in flows if flow.mode is Mode.ENFORCE and regions.closed(flow.id) is None}


def _lists(regions: Regions) -> Iterator[tuple[Pair, list[Region], list[Box]]]:
    """Yield the regions of every pair of zones and IP version as a first-match list of boxes."""
    for pair in _pairs(regions):
        for family in pair.families:
            kept = [
                (region, box) for region in pair.all_regions if (box := meet(region.box, family)) is not None
            ]
            yield pair, [region for region, _ in kept], [box for _, box in kept]


def _name(region: Region) -> str | None:
    return region.flow or region.decided_by
