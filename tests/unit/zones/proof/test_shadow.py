"""Shadow analysis of first-match lists: complete, and each shadow with what casts it."""

from __future__ import annotations

import random
from itertools import product
from typing import TYPE_CHECKING

import pytest

from zones.proof.shadow import first_match_redundant, first_match_shadows, never_decides, redundant
from zones.proof.space import Box, Budget, Undecided, find_point, inside, normal

if TYPE_CHECKING:
    from collections.abc import Callable

    from zones import Policy

TOP = 5
NOW = 1_791_162_000.0


def some_list(random_: random.Random) -> list[Box]:
    def field() -> tuple[tuple[int, int], ...]:
        if random_.random() < 0.3:
            return ((0, TOP),)
        pieces = random_.choice([1, 1, 2])
        low_high = [sorted(random_.randint(0, TOP) for _ in range(2)) for _ in range(pieces)]
        return normal((low, high) for low, high in low_high)

    return [tuple(field() for _ in range(3)) for _ in range(random_.randint(1, 14))]


def deciders(boxes: list[Box]) -> dict[tuple[int, ...], int]:
    space = product(range(TOP + 1), repeat=3)
    found = {point: [i for i, box in enumerate(boxes) if inside(box, point)] for point in space}
    return {point: holding[0] for point, holding in found.items() if holding}


@pytest.mark.parametrize("seed", range(200))
def test_a_rule_is_shadowed_exactly_where_it_decides_nothing(seed: int) -> None:
    boxes = some_list(random.Random(seed))

    shadows = first_match_shadows(boxes)

    assert {shadow.rule for shadow in shadows} == set(range(len(boxes))) - set(deciders(boxes).values())
    for shadow in shadows:
        assert max(shadow.by) < shadow.rule
        assert find_point(boxes[shadow.rule], [boxes[one] for one in shadow.by]) is None


@pytest.mark.parametrize("seed", range(200))
def test_a_rule_is_redundant_exactly_where_taking_it_out_changes_no_answer(seed: int) -> None:
    random_ = random.Random(seed)
    boxes = some_list(random_)
    answers = [random_.choice(["allow", "deny"]) for _ in boxes]

    found = {one.rule for one in first_match_redundant(boxes, answers, "deny")}

    space = list(product(range(TOP + 1), repeat=3))

    def answer(point: tuple[int, ...], skipped: int | None) -> str:
        held = (i for i, box in enumerate(boxes) if i != skipped and inside(box, point))
        first = next(held, None)
        return "deny" if first is None else answers[first]

    for rule in set(deciders(boxes).values()):
        same = all(answer(point, None) == answer(point, rule) for point in space)
        assert same == (rule in found)


def test_several_rules_together_cast_a_shadow() -> None:
    boxes: list[Box] = [(((0, 4),), ((0, 9),)), (((7, 9),), ((0, 9),)), (((0, 9),), ((0, 3),))]
    boxes += [(((5, 6),), ((4, 9),)), (((0, 9),), ((0, 9),))]

    (shadow,) = first_match_shadows(boxes)

    assert (shadow.rule, shadow.by) == (4, (0, 1, 2, 3))


def test_one_rule_that_holds_all_is_named_alone() -> None:
    boxes: list[Box] = [(((0, 4),),), (((5, 9),),), (((0, 9),),), (((3, 6),),)]

    assert [(shadow.rule, shadow.by) for shadow in first_match_shadows(boxes)] == [(2, (0, 1)), (3, (2,))]


def test_no_answer_when_the_budget_is_spent() -> None:
    boxes: list[Box] = [(((at, at + 1),), ((0, at),)) for at in range(200)]

    with pytest.raises(Undecided):
        first_match_shadows([*boxes, (((0, 200),), ((0, 200),))], budget=Budget(steps=100))


FLOWS = """
    flows:
      - {id: F1, from: a, to: b, service: tcp/443, action: allow}
      - {id: F2, from: h, to: b, service: tcp/443, action: allow}
      - {id: F3, from: h, to: b, service: tcp/80, action: allow}
      - {id: F4, from: a, to: w, service: tcp/80, action: allow}
      - {id: D1, from: a, to: b, service: tcp/25, action: deny}
      - {id: F0, from: h, to: b, service: tcp/25, action: 'sanitize:mail'}
    guards: [{id: G1, from: a, to: w}]
    hosts: {h: {zone: a, ip: 10.1.0.1}}
"""


def test_flows_that_never_decide_and_what_stands_before_them(small: Callable[[str], Policy]) -> None:
    found = never_decides(small(FLOWS), now=NOW)

    assert [(one.flow, one.by) for one in found] == [("F2", ("F1",)), ("F4", ("G1",))]


def test_flows_that_change_nothing_are_redundant(small: Callable[[str], Policy]) -> None:
    policy = small(FLOWS.replace("{id: F2,", "{id: A0,"))

    assert [one.flow for one in never_decides(policy, now=NOW)] == ["F4"]
    assert redundant(policy, now=NOW) == ["A0", "F4"]
