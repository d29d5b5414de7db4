"""Exact search in a space of boxes: a point of one box that lies in none of many others, or proof of none.

A box is a product of fields, a field a set of integer ranges. For every field the ends of the other boxes
cut the box into segments; segments in which the same boxes are active are one class, and a class is the bit
set of its active boxes. The search walks field by field through these bit sets:

- no box active any more: every point below is outside of all of them;
- an active box that covers all remaining fields: no point below is;
- what failed for fewer active boxes fails for more, so only minimal bit sets are walked.

Exact because every point of a class behaves alike. The cost is counted in classes looked at and bounded by a
`Budget`; in the worst case the problem is as hard as satisfiability, and then the answer is `Undecided`.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

Range = tuple[int, int]
"""First and last value, both inclusive."""

Ranges = tuple[Range, ...]
"""Ranges in order that neither overlap nor touch (`normal`)."""

Box = tuple[Ranges, ...]
"""One `Ranges` for each field."""

Point = tuple[int, ...]

DEFAULT_STEPS = 20_000_000
"""Classes one question may look at: some seconds."""


class Undecided(Exception):
    """The budget is spent: there is neither a point nor a proof."""


class Budget:
    """What a search may cost: steps, and optionally a deadline that the caller watches."""

    _BETWEEN = 4096  # steps, or as much other work, between two looks at the deadline

    def __init__(self, steps: int = DEFAULT_STEPS, expired: Callable[[], bool] | None = None) -> None:
        self.left = steps
        self._expired = expired
        self._unseen = self._BETWEEN  # the first look is at the first step

    def spend(self, steps: int) -> None:
        """Take `steps` off.

        Raises:
            Undecided: nothing is left, or the deadline has passed.
        """
        self.left -= steps
        if self.left < 0:
            raise Undecided
        self.watch(steps)

    def watch(self, work: int) -> None:
        """Look at the deadline, if `work` has gone by: for what takes time, but is no search.

        Raises:
            Undecided: the deadline has passed.
        """
        self._unseen += work
        if self._expired is not None and self._unseen >= self._BETWEEN:
            self._unseen = 0
            if self._expired():
                raise Undecided


def normal(ranges: Iterable[Range]) -> Ranges:
    """Return the same values as ordered ranges that neither overlap nor touch.

    >>> normal([(5, 9), (0, 2), (3, 4), (20, 20)])
    ((0, 9), (20, 20))
    """
    merged: list[Range] = []
    for low, high in sorted(ranges):
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    return tuple(merged)


def common(one: Ranges, other: Ranges) -> Ranges:
    """Return the values that both hold.

    >>> common(((0, 9), (20, 29)), ((5, 24),))
    ((5, 9), (20, 24))
    """
    if len(one) == 1 and len(other) == 1:  # nearly all fields of nearly all rules
        low, high = max(one[0][0], other[0][0]), min(one[0][1], other[0][1])
        return ((low, high),) if low <= high else ()
    found, left, right = [], 0, 0
    while left < len(one) and right < len(other):
        low, high = max(one[left][0], other[right][0]), min(one[left][1], other[right][1])
        if low <= high:
            found.append((low, high))
        if one[left][1] < other[right][1]:
            left += 1
        else:
            right += 1
    return tuple(found)


def without(ranges: Ranges, holes: Ranges) -> Ranges:
    """Return the values of `ranges` that `holes` does not hold.

    >>> without(((0, 9),), ((3, 4), (9, 20)))
    ((0, 2), (5, 8))
    """
    left = []
    for low, high in ranges:
        start = low
        for first, last in holes:
            if last < start or first > high:
                continue
            if first > start:
                left.append((start, first - 1))
            start = last + 1
        if start <= high:
            left.append((start, high))
    return tuple(left)


def holds(ranges: Ranges, value: int) -> bool:
    """Return whether a value is in one of the ranges."""
    return any(low <= value <= high for low, high in ranges)


def inside(box: Box, point: Point) -> bool:
    """Return whether a point is in a box."""
    return all(holds(field, value) for field, value in zip(box, point, strict=True))


def meet(one: Box, other: Box) -> Box | None:
    """Return the box that both share; None where they share nothing."""
    fields = []
    for mine, theirs in zip(one, other, strict=True):
        shared = mine if mine == theirs else common(mine, theirs)
        if not shared:
            return None
        fields.append(shared)
    return tuple(fields)


def covers(one: Box, other: Box) -> bool:
    """Return whether `one` holds every point of `other`."""
    return meet(one, other) == other


def find_point(box: Box, minus: Iterable[Box], *, budget: Budget | None = None) -> Point | None:
    """Return a point that is in `box` and in none of `minus`; None is a proof that there is none.

    Raises:
        Undecided: the budget was spent before either was found.

    >>> find_point((((0, 9),), ((0, 9),)), [(((0, 4),), ((0, 9),)), (((5, 9),), ((0, 7),))])
    (5, 8)
    """
    if not all(box):
        return None
    cut = []
    for other in minus:
        shared = meet(box, other)
        if shared == box:
            return None
        if shared is not None:
            cut.append(shared)
    if not cut:
        return tuple(field[0][0] for field in box)
    return _Search(box, cut, budget or Budget()).point()


class _Search:
    """One question: the classes of each field, and the walk through them."""

    def __init__(self, box: Box, cut: Sequence[Box], budget: Budget) -> None:
        budget.spend(len(cut))
        self.box, self.budget, self.count = box, budget, len(cut)
        tables = [_classes(field, [other[at] for other in cut]) for at, field in enumerate(box)]
        # Narrow levels first: what they rule out is ruled out once.
        self.order = sorted(range(len(box)), key=lambda at: len(tables[at][0]))
        self.tables = [tables[at][0] for at in self.order]
        self.covering = [(1 << len(cut)) - 1] * (len(box) + 1)
        for depth in range(len(box) - 1, -1, -1):
            self.covering[depth] = self.covering[depth + 1] & tables[self.order[depth]][1]
        self.dead: list[set[int]] = [set() for _ in box]

    def point(self) -> Point | None:
        path = self._dive(0, (1 << self.count) - 1)
        if path is None:
            return None
        values = [field[0][0] for field in self.box]
        for at, value in zip(self.order, path, strict=False):
            values[at] = value
        return tuple(values)

    def _dive(self, depth: int, active: int) -> tuple[int, ...] | None:
        """Return values for the fields from `depth` on (as many as matter) that no active box holds."""
        if not active:
            return ()
        if active & self.covering[depth] or active in self.dead[depth]:
            return None
        table = self.tables[depth]
        self.budget.spend(len(table))
        below: dict[int, int] = {}
        for bits, value in table.items():
            below.setdefault(bits & active, value)
        failed: list[int] = []
        for bits in sorted(below, key=int.bit_count):
            if any(bits & fewer == fewer for fewer in failed):
                continue
            path = self._dive(depth + 1, bits)
            if path is not None:
                return (below[bits], *path)
            failed.append(bits)
            self.budget.spend(len(failed))
        self.dead[depth].add(active)
        return None


def _classes(field: Ranges, cut: Sequence[Ranges]) -> tuple[dict[int, int], int]:
    """Return the classes of one field (active boxes → the first such value) and the boxes in all of them."""
    same: dict[Ranges, int] = {}
    for at, ranges in enumerate(cut):
        same[ranges] = same.get(ranges, 0) | 1 << at
    everywhere = same.pop(field, 0)
    outside = 1 << len(cut)  # one more bit: set where the field has no values
    changes: dict[int, int] = {field[0][0]: 0, field[-1][1] + 1: outside}
    for (_, high), (low, _) in pairwise(field):
        changes[high + 1], changes[low] = outside, outside
    for ranges, bits in same.items():
        for low, high in ranges:
            changes[low] = changes.get(low, 0) ^ bits
            changes[high + 1] = changes.get(high + 1, 0) ^ bits
    table: dict[int, int] = {}
    active = everywhere
    for value in sorted(changes):
        active ^= changes[value]
        if not active & outside:
            table.setdefault(active, value)
    return table, everywhere
