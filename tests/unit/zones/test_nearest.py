"""Suggestions help or stay silent: a slip is named, a different number is no slip."""

from __future__ import annotations

import pytest

from zones.errors import PolicyError
from zones.load import load_policy
from zones.nearest import MAX_SUGGESTIONS, around, closest, full_width, half_width, nearest

KNOWN = ["renkei", "mn-core", "lg-pc1", "lg-pc12", "F010", "F011", "F101", "F012"]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("renkai", "renkei"),
        ("RENKEI", "renkei"),
        ("ｒｅｎｋｅｉ", "renkei"),
        ("mn_core", "mn-core"),
        ("lgpc1", "lg-pc1"),
        ("F10", "F010"),
        ("F0I2", None),
        ("F301", None),
        ("F021", "F012"),
        ("lg-pc2", None),
        ("zzz", None),
        ("", None),
    ],
)
def test_a_slip_is_named_and_another_number_is_none(written: str, meant: str | None) -> None:
    assert nearest(written, KNOWN) == meant


def test_nothing_known_means_nothing_near() -> None:
    assert nearest("a", []) is None
    assert closest("a", []) == around("F1", []) == []


def test_a_list_of_suggestions_is_bounded() -> None:
    assert len(closest("something", [f"name-{letter}" for letter in "abcdefghij"])) == MAX_SUGGESTIONS


def test_numbers_are_shown_with_their_neighbours() -> None:
    assert around("F100", KNOWN) == ["F011", "F012", "F101"]
    assert around("renkei", KNOWN) == []


def test_only_full_width_characters_are_replaced() -> None:
    assert half_width("１０．２０．0.0／16") == "10.20.0.0/16"
    assert half_width("2027ー03−31") == "2027-03-31"
    assert half_width("課①ﾊﾝｶｸ") == "課①ﾊﾝｶｸ"
    assert (half_width(" a "), full_width(" a ")) == (" a ", "")


def test_an_id_of_a_flow_is_no_place() -> None:
    """A flow's id in `from` once passed as broken elsewhere, and the flow was left without a source."""
    text = """schema: 1
meta: {name: x}
zones:
  a: {interfaces: [a0], networks: [10.1.0.0/16]}
flows:
  - {id: F1, from: a, to: a, service: any, action: allow}
  - {id: F2, from: F1, to: a, service: any, action: allow}
invariants:
  - {id: I1, never: {from: a, to: a}, except: [I1], because: x}
"""
    with pytest.raises(PolicyError) as refused:
        load_policy({"x.yaml": text})

    assert [(p.code, p.line) for p in refused.value.problems] == [("unknown-name", 7), ("unknown-name", 9)]
