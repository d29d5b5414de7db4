"""Each layout is a policy that loads, passes its own tests, proves its invariants and reads as its model."""

from __future__ import annotations

import re
from datetime import date, datetime

import pytest

from zones.checks import expired_flows, failed_tests, run_tests
from zones.clauses import clause_pack
from zones.format import format_text
from zones.load import load_policy
from zones.model import Action, Policy
from zones.models import MODELS, city_files, fiscal_year_end
from zones.proof.verify import State, verify
from zones.report import Standing, clause_report

DAY = date(2026, 10, 5)
NOW = datetime.fromisoformat("2026-10-05T10:00+09:00").timestamp()


def city(model: str) -> Policy:
    return load_policy(city_files(model, today=DAY, name="hill"))


@pytest.mark.parametrize("model", MODELS)
def test_a_new_city_passes_its_own_tests_and_proves_its_invariants(model: str) -> None:
    policy = city(model)
    results = list(verify(policy, now=NOW))

    assert (policy.name, policy.model) == ("hill", model)
    assert len(policy.tests) >= 20
    assert list(failed_tests(run_tests(policy, now=NOW))) == []
    assert len(results) >= 7
    assert {result.state for result in results} == {State.PROVED}
    assert expired_flows(policy, now=NOW) == ()


@pytest.mark.parametrize("model", MODELS)
def test_its_tests_hold_after_the_fiscal_year_too(model: str) -> None:
    later = datetime.fromisoformat("2035-05-07T10:00+09:00").timestamp()

    assert list(failed_tests(run_tests(city(model), now=later))) == []


@pytest.mark.parametrize("model", MODELS)
def test_no_clause_is_open_and_the_separation_is_proved_but_for_named_exceptions(model: str) -> None:
    found = clause_report(city(model), clause_pack("ono-2026"), now=NOW)

    assert [entry.clause.id for entry in found.clauses if entry.standing is Standing.OPEN] == []
    separation = {
        answer.code
        for entry in found.clauses
        if entry.clause.id in ("ono-2026:2.11", "ono-2026:6.3.2")
        for answer in entry.answers
    }
    assert separation <= {"report-proved", "report-proved-except", "report-basis-proved"}


@pytest.mark.parametrize("model", MODELS)
def test_its_files_are_canonical_and_commented_in_both_languages(model: str) -> None:
    for name, text in city_files(model, today=DAY).items():
        assert format_text(name, text) == text
        comments = " ".join(line for line in text.splitlines() if line.lstrip().startswith("#"))
        assert re.search("[ぁ-ん]", comments) or name == "20-services.yaml", name
        assert re.search("[a-z]{3}", comments), name
        assert "@" not in text


@pytest.mark.parametrize("model", MODELS)
def test_every_flow_has_owner_purpose_and_clause(model: str) -> None:
    for flow in city(model).flows:
        assert flow.owner
        assert flow.justification
        assert flow.basis
        assert flow.ticket or not flow.allowing


def actions(policy: Policy, flow_id: str) -> tuple[str, str, str] | None:
    flow = policy.flow(flow_id)
    return None if flow is None else (flow.source_names[0], flow.destination_names[0], flow.action.value)


def test_the_layouts_are_what_their_names_say() -> None:
    cities = {model: city(model) for model in MODELS}

    assert {model: actions(policy, "F030") for model, policy in cities.items()} == {
        "alpha": ("lg-pcs", "lg-groupware", "allow"),
        "alpha-prime": ("lg-pcs", "lg-groupware", "allow"),
        "beta": ("in-pcs", "lg-groupware", "render"),
        "beta-prime": ("in-pcs", "in-groupware", "allow"),
    }
    assert [model for model, policy in cities.items() if actions(policy, "F042")] == ["alpha", "alpha-prime"]
    assert [model for model, policy in cities.items() if policy.flow("F112")] == ["alpha-prime"]
    assert [model for model, policy in cities.items() if "in-edr" in policy.hosts] == ["beta-prime"]


def test_what_layouts_share_is_the_same_so_that_a_diff_is_a_plan_for_moving() -> None:
    alpha, beta = city("alpha"), city("beta")
    same = {flow.id for flow in alpha.flows if beta.flow(flow.id) == flow}
    changed = {flow.id for flow in alpha.flows} - same

    assert len(same) >= 55
    assert changed == {"F030", "F031", "F032", "F036", "F040", "F042", "F044", "F053", "F068"}


def test_the_traps_of_real_cities_are_in_them() -> None:
    policy = city("alpha")
    ends = [flow.expires for flow in policy.flows if flow.expires is not None]

    assert ends.count(date(2027, 3, 31)) > 20  # all at once
    assert {actions(policy, flow) for flow in ("F017", "F019", "F040")} == {
        ("mn-ad", "gc-dns", Action.ALLOW.value),
        ("mn-wsus", "lg-wsus", Action.ALLOW.value),
        ("lg-wsus", "in-relay", Action.ALLOW.value),
    }
    distrusting = {
        r.invariant.id for r in verify(policy, now=NOW, distrust_relays=True) if r.state != "proved"
    }
    assert "I1" in distrusting


@pytest.mark.parametrize(
    ("today", "end"),
    [
        (date(2026, 4, 1), date(2027, 3, 31)),
        (date(2026, 12, 31), date(2027, 3, 31)),
        (date(2027, 1, 1), date(2028, 3, 31)),
        (date(2027, 3, 31), date(2028, 3, 31)),
    ],
)
def test_flows_end_with_a_fiscal_year_that_is_at_least_three_months_away(today: date, end: date) -> None:
    assert fiscal_year_end(today) == end
