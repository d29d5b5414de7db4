"""The clause pack: whole, quoted, and every id that the sample city names is in it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from zones.clauses import clause_pack, clauses_near, find_clause, known_packs
from zones.evidence import COUNTERS
from zones.model import Action, ZoneClass

if TYPE_CHECKING:
    from zones import Policy

PACK = clause_pack("ono-2026")
NUMBERS = [
    *(f"2.{number}" for number in range(8, 13)),
    *(f"3.{number}" for number in range(1, 6)),
    *("6.1", "6.2", "6.3", "6.3.1", "6.3.2", "6.3.3"),
    *(f"6.{number}" for number in range(4, 10)),
    *("7", "8"),
]
KINDS = {"zone", "never", "require", "sanitised", "narrow", "cited", "managed", "tests", "invariants"} | {
    "reviewed",
    "clauses",
}


def test_the_pack_has_every_clause_in_the_order_of_the_document() -> None:
    assert list(PACK.clauses) == [f"ono-2026:{number}" for number in NUMBERS]
    assert known_packs() == ("ono-2026",)


@pytest.mark.parametrize("clause", PACK.clauses.values(), ids=lambda clause: clause.id)
def test_a_clause_is_quoted_whole_and_glossed(clause) -> None:
    # The printed document breaks lines inside sentences; a quotation does not.
    for paragraph in clause.text.split("\n"):
        assert paragraph.endswith(("。", "。)", ")", "等"))
    assert re.search("[ぁ-ん]", clause.text)
    assert clause.gloss.isascii()


@pytest.mark.parametrize("clause", PACK.clauses.values(), ids=lambda clause: clause.id)
def test_a_clause_either_expects_something_of_us_or_says_who_shows_it(clause) -> None:
    assert clause.expects or clause.outside
    assert bool(clause.expects) == bool(clause.evidence)
    for part in clause.outside:
        assert part.by
        assert part.by_en
    assert {expectation.kind for expectation in clause.expects} <= KINDS


def test_records_are_asked_of_clauses_that_expect_something_and_by_counters_that_exist() -> None:
    wanting = [clause for clause in PACK.clauses.values() if clause.records]
    assert wanting
    for clause in PACK.clauses.values():
        assert bool(clause.records) == bool({"audit", "counts"} & set(clause.evidence)), clause.id
        assert {*clause.records} <= {*COUNTERS}
        assert clause.expects or not clause.records


def test_what_is_expected_is_written_in_words_of_the_policy() -> None:
    for clause in PACK.clauses.values():
        for expectation in clause.expects:
            detail = expectation.detail
            if expectation.kind in ("never", "require", "sanitised"):
                assert {*detail["from"], *detail["to"]} <= {*ZoneClass}
                assert {*detail.get("actions", ())} <= {*Action}
            elif expectation.kind == "clauses":
                assert {*detail} <= {*PACK.clauses}


def test_what_lies_with_people_and_premises_expects_nothing_of_us() -> None:
    for number in ("3.3", "3.4", "3.5", "6.1", "6.4", "6.5"):
        assert PACK.clauses[f"ono-2026:{number}"].expects == ()


def test_an_unknown_clause_has_a_neighbour_and_a_foreign_one_none() -> None:
    assert find_clause("ono-2026:6.3.9") is None
    assert all(near.startswith("ono-2026:") for near in clauses_near("ono-2026:6.3.9"))
    assert clauses_near("ono-2026:")
    assert clauses_near("ono-2026:6.3.1") == ()
    assert clauses_near("our-own:1") == ()
    assert clauses_near("plain words") == ()


def test_the_sample_city_names_clauses_that_exist(city: Policy) -> None:
    named = {clause for flow in city.flows for clause in flow.basis}
    assert named
    assert {clause for clause in named if find_clause(clause) is None} == set()
