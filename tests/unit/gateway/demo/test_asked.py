"""A question is answered rightly only if the kernel said what the policy says and the client saw as much."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from gateway.demo.asked import (
    QUESTIONS,
    Answer,
    Question,
    address_of,
    expected_verdict,
    logged_verdicts,
)
from topology.plan import read_plan
from zones.load import read_policy
from zones.verdict import Outcome, Reason, Verdict

if TYPE_CHECKING:
    from topology.plan import LabPlan
    from zones.model import Policy

pytestmark = pytest.mark.checkout

CITY = Path(__file__).parents[4] / "examples/sample-city"
NOON = 1795316400.0  # 2026-11-22T12:00 in Tokyo
ALLOW = Verdict(Outcome.ALLOW, Reason.FLOW, "F1")
DENY = Verdict(Outcome.DENY, Reason.GUARD, "G1")
SAID_ALLOW, SAID_DENY = ("allow", "flow", "F1"), ("deny", "guard", "G1")


@pytest.fixture(scope="module")
def policy() -> Policy:
    return read_policy(CITY)


@pytest.fixture(scope="module")
def plan() -> LabPlan:
    return read_plan(CITY / "lab/city.yaml")


@pytest.mark.parametrize(
    ("expected", "logged", "result", "right"),
    [
        (ALLOW, (SAID_ALLOW,), "answered", True),
        (ALLOW, (SAID_ALLOW,), "open", True),
        (ALLOW, (SAID_ALLOW, SAID_ALLOW), "answered", True),
        (DENY, (SAID_DENY,), "silent", True),
        (DENY, (SAID_DENY, SAID_DENY), "silent", True),
        # The client saw something else than the kernel said.
        (ALLOW, (SAID_ALLOW,), "silent", False),
        (DENY, (SAID_DENY,), "answered", False),
        (DENY, (SAID_DENY,), "open", False),
        # The kernel said nothing, something else, or two things.
        (ALLOW, (), "answered", False),
        (DENY, (), "silent", False),
        (ALLOW, (("allow", "flow", "F2"),), "answered", False),
        (DENY, (("deny", "default-deny", None),), "silent", False),
        (DENY, (SAID_DENY, SAID_ALLOW), "silent", False),
    ],
)
def test_an_answer_is_right_only_if_everybody_agrees(
    expected: Verdict, logged: tuple[tuple[str, str, str | None], ...], result: str, right: bool
) -> None:
    answer = Answer(
        question=Question("a", "b", "tcp", 1),
        service="tcp/1",
        expected=expected,
        result=result,
        said="",
        logged=logged,
    )
    assert answer.right is right


def test_a_dozen_questions_and_more_between_all_zones(policy: Policy, plan: LabPlan) -> None:
    assert len(QUESTIONS) >= 12
    expected = [expected_verdict(policy, plan, question, NOON) for question in QUESTIONS]
    assert {verdict.source_zone for verdict in expected} == {"mynumber", "lgwan", "internet", "outside"}
    assert {verdict.destination_zone for verdict in expected} >= {*policy.zones, "gateway"} - {"gateway"}
    assert {str(verdict.outcome) for verdict in expected} >= {"allow", "deny"}
    assert {verdict.reason for verdict in expected} >= {Reason.FLOW, Reason.GUARD, Reason.USE_RENDER}
    # Where something may pass, a server of the lab is there to answer.
    for question, verdict in zip(QUESTIONS, expected, strict=True):
        assert address_of(plan, question)
        if verdict.outcome is Outcome.ALLOW and question.target != "gateway":
            assert question.port in {service.port for service in plan.node(question.target).services}


def test_the_gateway_is_asked_at_its_address_on_the_askers_segment(plan: LabPlan) -> None:
    assert address_of(plan, Question("lg-pc1", "gateway", "ping")) == "10.20.255.254"
    assert address_of(plan, Question("out-web", "gateway", "ping")) == "198.51.100.254"


def event(**fields: Any) -> dict[str, Any]:
    base = {"kind": "packet", "outcome": "deny", "reason": "guard", "decided_by": "G1"}
    return {**base, "src": "10.10.16.11", "dst": "198.51.100.10", "dport": 443, **fields}


def test_only_the_packets_of_a_question_are_its_answer(plan: LabPlan) -> None:
    question = Question("mn-pc1", "out-web", "tcp", 443)
    others = [
        event(dport=80),
        event(src="10.10.5.20"),
        event(dst="198.51.100.25"),
        event(kind="audited"),
        event(src="198.51.100.10", dst="10.10.16.11"),
    ]
    assert logged_verdicts([*others, event(), event()], plan, question) == (SAID_DENY, SAID_DENY)
    assert logged_verdicts(others, plan, question) == ()
