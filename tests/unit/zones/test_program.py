"""The program of a pair, step by step: what decides first, what needs an open flow, what needs a mark."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError
from typing import TYPE_CHECKING, Any

import pytest

from zones.address import parse_network
from zones.load import load_policy
from zones.model import GATEWAY
from zones.program import compile_policy, may_close
from zones.verdict import Outcome, Reason

if TYPE_CHECKING:
    from zones.program import PairProgram, Step

ZONES = {
    "a": {"interfaces": ["a0"], "networks": ["10.1.0.0/16"]},
    "b": {"interfaces": ["b0"], "networks": ["10.2.0.0/16"]},
    "c": {"interfaces": ["c0"], "networks": ["10.3.0.0/16"]},
}
HOSTS = {
    "a1": {"zone": "a", "ip": "10.1.0.1"},
    "b1": {"zone": "b", "ip": "10.2.0.1"},
    "b2": {"zone": "b", "ip": "10.2.0.2"},
}
NAMES = {"saas": {"hosts": ["x.example"], "zone": "b"}}


def flow(flow_id: str, action: str = "allow", service: str = "tcp/443", **more: Any) -> dict[str, Any]:
    return {"id": flow_id, "from": "a", "to": "b", "service": service, "action": action, **more}


def program(*flows: dict[str, Any], **sections: Any) -> dict[tuple[str, str], PairProgram]:
    document = {"schema": "1", "meta": {"name": "x"}, "zones": ZONES, "hosts": HOSTS, "names": NAMES}
    policy = load_policy({"x.yaml": json.dumps({**document, "flows": flows, **sections})})
    return dict(compile_policy(policy).pairs)


def said(steps: tuple[Step, ...]) -> list[tuple[str, str, str]]:
    return [(step.decided_by, str(step.outcome), str(step.reason)) for step in steps]


def test_pairs_of_which_the_policy_says_nothing_have_no_program() -> None:
    assert set(program(flow("F1"))) == {("a", "b")}
    assert program() == {}


def test_the_strictest_action_is_tried_first_and_among_equals_the_smallest_id() -> None:
    pair = program(
        flow("F1"),
        flow("F2", "sanitize:web"),
        flow("F3", "render"),
        flow("F4", "file-transfer"),
        flow("F6", "deny"),
        flow("F5", "deny"),
    )["a", "b"]
    assert said(pair.steps) == [
        ("F5", "deny", "flow"),
        ("F6", "deny", "flow"),
        ("F4", "deny", "use-portal"),
        ("F3", "deny", "use-render"),
        ("F2", "sanitize:web", "flow"),
        ("F1", "allow", "flow"),
    ]
    assert not any(step.closed or step.marked for step in pair.steps)


def test_a_guard_without_actions_is_asked_before_any_step_and_replies_too() -> None:
    pairs = program(
        flow("F1"), guards=[{"id": "G2", "from": "a", "to": ["b", "c"]}, {"id": "G1", "from": "a", "to": "b"}]
    )
    assert pairs["a", "b"].guards == ("G1", "G2")
    assert pairs["a", "c"].guards == ("G2",)
    assert ("b", "a") not in pairs


def test_a_guard_with_actions_answers_for_the_flows_it_bars_and_for_nothing_else() -> None:
    pair = program(
        flow("F1"),
        flow("F2", "sanitize:web"),
        guards=[
            {"id": "G2", "from": "a", "to": "b", "actions": ["allow"]},
            {"id": "G1", "from": "a", "to": "b", "actions": ["allow", "render"]},
        ],
    )["a", "b"]
    assert pair.guards == ()
    # The last one answers where no flow is open at all: only an allow could let it pass.
    assert said(pair.steps) == [
        ("F2", "sanitize:web", "flow"),
        ("G1", "deny", "guard"),
        ("G1", "deny", "guard"),
    ]
    assert (pair.steps[1].flow, pair.steps[2].flow) == ("F1", None)


def test_flows_that_time_may_close_say_at_last_why_nothing_is_open() -> None:
    pair = program(flow("F1", expires="2027-03-31"), flow("F2", when={"to": "09:00"}), flow("F3"))["a", "b"]
    assert [(step.decided_by, step.closed) for step in pair.steps] == [
        ("F1", False),
        ("F2", False),
        ("F3", False),
        ("F1", True),
        ("F2", True),
    ]
    assert all(step.outcome is Outcome.DENY for step in pair.steps if step.closed)


def test_a_stricter_flow_that_has_closed_does_not_hand_over_to_a_wider_one() -> None:
    pair = program(flow("F1"), flow("F2", "render", expires="2027-03-31"))["a", "b"]
    assert [(step.decided_by, step.closed) for step in pair.steps] == [
        ("F2", False),
        ("F2", True),
        ("F1", False),
    ]


def test_audit_mode_is_noted_apart_and_disabled_flows_are_not_there() -> None:
    pair = program(flow("F1", mode="audit"), flow("F2", "deny", mode="disabled"))["a", "b"]
    assert [step.decided_by for step in pair.audited] == ["F1"]
    assert pair.steps == ()


def test_a_destination_known_by_name_is_refused_and_never_an_address() -> None:
    pair = program(flow("F1", to="saas", **{"from": "a1"}))["a", "b"]
    (step,) = pair.steps
    assert (step.reason, step.destinations) == (Reason.NO_PROXY, None)
    assert step.sources == (parse_network("10.1.0.1/32"),)


def test_ends_in_several_zones_are_parted_and_within_one_joined() -> None:
    pairs = program(flow("F1", to=["b2", "b1", "c"], **{"from": ["a1", "c"]}))
    assert set(pairs) == {("a", "b"), ("a", "c"), ("c", "b"), ("c", "c")}
    (step,) = pairs["a", "b"].steps
    assert step.destinations == (parse_network("10.2.0.1/32"), parse_network("10.2.0.2/32"))
    (step,) = pairs["c", "c"].steps
    assert (step.sources, step.destinations) == (None, None)
    # A whole zone swallows the hosts in it.
    (step,) = program(flow("F1", to=["b", "b1"]))["a", "b"].steps
    assert step.destinations is None


def test_the_second_half_of_a_proxied_connection_passes_by_its_mark_alone() -> None:
    pairs = program(flow("F1", "sanitize:mail", "tcp/25", to="b1", expires="2027-03-31"))
    assert set(pairs) == {("a", "b"), (GATEWAY, "b")}
    opened, closed = pairs[GATEWAY, "b"].steps
    assert (opened.outcome, opened.marked, opened.sources) == (Outcome.ALLOW, True, None)
    assert opened.destinations == (parse_network("10.2.0.1/32"),)
    assert (closed.closed, closed.marked) == (True, True)
    first = pairs["a", "b"].steps[0]
    assert (first.outcome, first.marked) == (Outcome.SANITIZE_MAIL, False)


def test_what_the_gateway_itself_may_ask_needs_no_mark() -> None:
    ((pair, steps),) = ((p, v.steps) for p, v in program(flow("F1", **{"from": GATEWAY})).items())
    assert pair == (GATEWAY, "b")
    assert [step.marked for step in steps] == [False]


@pytest.mark.parametrize(
    ("more", "closes"),
    [
        ({}, False),
        ({"expires": "2027-03-31"}, True),
        ({"when": {"to": "09:00"}}, True),
        ({"when": {"approval": {"people": 1, "max_minutes": 5}}}, True),
        ({"action": "deny"}, False),
    ],
)
def test_only_allowing_flows_with_a_time_may_close(more: dict[str, Any], closes: bool) -> None:
    document = {"schema": "1", "meta": {"name": "x"}, "zones": ZONES, "flows": [{**flow("F1"), **more}]}
    policy = load_policy({"x.yaml": json.dumps(document)})
    assert may_close(policy.flows[0]) is closes


def test_a_program_names_its_policy_and_cannot_be_changed() -> None:
    policy = load_policy(
        {"x.yaml": json.dumps({"schema": "1", "meta": {"name": "x"}, "zones": ZONES, "flows": [flow("F1")]})}
    )
    compiled = compile_policy(policy)
    assert compiled.revision == policy.revision
    with pytest.raises(FrozenInstanceError):
        compiled.pairs["a", "b"].steps[0].flow = None  # type: ignore[misc]
