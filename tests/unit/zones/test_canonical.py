"""The canonical form: what belongs to a policy's meaning, and what does not."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from zones.canonical import canonical_form, flow_numbers, revision_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from zones import Policy

FLOWS = """
flows:
  - {id: F1, from: a, to: b, service: tcp/443, action: allow}
  - {id: F2, from: b, to: a, service: tcp/443, action: deny}
"""


def test_the_revision_is_the_digest_of_the_form(small: Callable[[str], Policy]) -> None:
    policy = small(FLOWS)

    assert policy.revision == revision_of(policy)
    assert len(policy.revision) == 64


def test_places_and_numbers_are_no_part_of_the_form(small: Callable[[str], Policy]) -> None:
    plain = json.loads(canonical_form(small(FLOWS)))

    assert {"line", "file", "number", "revision"}.isdisjoint({*plain, *plain["flows"][0]})


def test_two_spellings_of_one_thing_are_one_revision(small: Callable[[str], Policy]) -> None:
    spelled_out = """
    # the same, said with more words
    flows:
      - id: F2
        to: [a]
        from: [b]
        service: [tcp/443]
        action: "deny"
        mode: enforce
      - {id: F1, from: a, to: b, service: tcp/443, action: allow}
    """

    assert small(spelled_out).revision == small(FLOWS).revision


def test_numbers_follow_from_the_id_alone() -> None:
    assert flow_numbers(["F1"])["F1"] == flow_numbers(["F0", "F1", "F2"])["F1"]


def test_the_sample_city_keeps_its_numbers(city: Policy) -> None:
    numbers = [entry.number for entry in (*city.flows, *city.guards)]

    assert len(set(numbers)) == len(numbers)
    assert dict(flow_numbers(entry.id for entry in (*city.flows, *city.guards))) == {
        entry.id: entry.number for entry in (*city.flows, *city.guards)
    }
