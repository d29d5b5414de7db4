"""The exact search: against brute force in small spaces, against z3 in large ones."""

from __future__ import annotations

import random
from itertools import product

import pytest
import z3

from zones.proof.space import (
    Box,
    Budget,
    Ranges,
    Undecided,
    common,
    covers,
    find_point,
    inside,
    normal,
    without,
)

TOP = 7


def some_ranges(random_: random.Random, top: int = TOP, pieces: int = 2) -> Ranges:
    ends = (
        sorted(random_.randint(0, top) for _ in range(2)) for _ in range(random_.choice([1, 1, 1, pieces]))
    )
    return normal((low, high) for low, high in ends)


def some_box(random_: random.Random, fields: int = 3, top: int = TOP) -> Box:
    whole = ((0, top),)
    return tuple(whole if random_.random() < 0.3 else some_ranges(random_, top) for _ in range(fields))


@pytest.mark.parametrize("seed", range(400))
def test_a_point_is_found_exactly_where_one_exists(seed: int) -> None:
    random_ = random.Random(seed)
    box, minus = some_box(random_), [some_box(random_) for _ in range(random_.randint(0, 14))]

    point = find_point(box, minus)

    outside = [
        candidate
        for candidate in product(range(TOP + 1), repeat=3)
        if inside(box, candidate) and not any(inside(other, candidate) for other in minus)
    ]
    assert (point is None) == (outside == [])
    assert point is None or point in outside


def z3_finds(box: Box, minus: list[Box]) -> bool:
    values = [z3.Int(f"field{at}") for at in range(len(box))]

    def within(boxed: Box) -> z3.BoolRef:
        return z3.And(
            *(
                z3.Or(*(z3.And(low <= value, value <= high) for low, high in field))
                for field, value in zip(boxed, values, strict=True)
            )
        )

    solver = z3.Solver()
    solver.add(within(box), *(z3.Not(within(other)) for other in minus))
    return bool(solver.check() == z3.sat)


@pytest.mark.parametrize("seed", range(40))
def test_it_agrees_with_z3_in_a_large_space(seed: int) -> None:
    random_ = random.Random(1000 + seed)
    top = (1 << 128) - 1
    # Few distinct ends, so that boxes often close on one another.
    ends = sorted({0, top, *(random_.randint(1, top - 1) for _ in range(4))})

    def field() -> Ranges:
        low, high = sorted(random_.sample(range(len(ends)), 2))
        return ((ends[low], ends[high] - (high < len(ends) - 1)),)

    box = tuple(((0, top),) for _ in range(4))
    minus = [tuple(field() if random_.random() < 0.4 else box[0] for _ in box) for _ in range(12)]

    assert (find_point(box, minus) is not None) == z3_finds(box, minus)


def test_many_boxes_that_leave_one_point() -> None:
    size = 40
    grid = [(((x, x),), ((y, y),)) for x, y in product(range(size), repeat=2) if (x, y) != (17, 23)]

    assert find_point((((0, size - 1),), ((0, size - 1),)), grid) == (17, 23)
    assert find_point((((0, size - 1),), ((0, size - 1),)), [*grid, (((17, 17),), ((23, 23),))]) is None


def test_a_spent_budget_is_neither_a_point_nor_a_proof() -> None:
    random_ = random.Random(5)
    box = tuple(((0, 999),) for _ in range(3))
    minus = [tuple(((low, low + 400),) for low in (random_.randint(0, 599) for _ in box)) for _ in range(200)]

    with pytest.raises(Undecided):
        find_point(box, minus, budget=Budget(steps=500))


def test_a_passed_deadline_is_undecided_too() -> None:
    with pytest.raises(Undecided):
        find_point((((0, 9),),), [(((0, 4),),)], budget=Budget(expired=lambda: True))


def test_an_empty_box_has_no_point() -> None:
    assert find_point((((0, 9),), ()), []) is None


@pytest.mark.parametrize("seed", range(60))
def test_ranges_are_sets(seed: int) -> None:
    random_ = random.Random(seed)
    one, other = some_ranges(random_, 20, 4), some_ranges(random_, 20, 4)

    def values(ranges: Ranges) -> set[int]:
        return {value for low, high in ranges for value in range(low, high + 1)}

    assert values(common(one, other)) == values(one) & values(other)
    assert values(without(one, other)) == values(one) - values(other)
    assert covers((one,), (other,)) == (values(other) <= values(one))
    assert normal(common(one, other)) == common(one, other)
