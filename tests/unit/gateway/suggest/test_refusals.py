"""What the policy promises is held: a proposal that would break it is refused, and says what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from zones.load import load_policy
from zones.proof.verify import State, verify

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.suggest.suggest import Suggestions

    Ask = Callable[..., Suggestions]
    Traffic = Any

NOW = 1_796_601_600.0


def test_a_guard_refuses_and_names_itself_and_its_clause(traffic: Traffic, ask: Ask) -> None:
    found = ask(traffic.say("10.10.5.20 > 203.0.113.50", "tcp/443", times=3))
    (refusal,) = found.refused

    assert found.proposals == ()
    assert (refusal.kind, refusal.by, refusal.basis) == ("guard", "G1", ("ono-2026:6.3.1",))


def test_an_invariant_refuses_with_the_hops_that_would_break_it(traffic: Traffic, ask: Ask) -> None:
    # mail may be passed on to other hosts of its segment, and those reach the vendor outside.
    found = ask(traffic.say("10.10.5.20 > 10.20.5.25", "tcp/443", times=3))
    (refusal,) = found.refused

    assert (refusal.kind, refusal.by, refusal.together) == ("invariant", "I1", False)
    assert refusal.result is not None
    (example,) = [e for e in refusal.result.counterexamples if e.target == "outside"]
    flows = [step.seen.flow for step in example.steps if step.seen is not None]
    assert flows == ["F012", "F011"]


def test_where_an_invariant_wants_rendering_that_is_proposed_instead(traffic: Traffic, ask: Ask) -> None:
    found = ask(traffic.say("10.20.16.9 > 10.30.9.9", "tcp/443", times=3))

    assert [proposal.draft.action.value for proposal in found.proposals] == ["render"]


def test_where_no_action_fits_the_proposal_is_refused_by_what_stands_against_it(
    traffic: Traffic, ask: Ask
) -> None:
    found = ask(traffic.say("10.20.16.9 > 10.30.9.9", "udp/5000", times=3))

    assert [(refusal.kind, refusal.by) for refusal in found.refused] == [("invariant", "I2")]


def test_a_test_of_the_policy_refuses(traffic: Traffic, ask: Ask) -> None:
    found = ask(traffic.say("203.0.113.50 > 10.30.5.25", "tcp/22", times=3))
    (refusal,) = found.refused

    assert refusal.kind == "test"
    assert refusal.by == "outside:203.0.113.50 > internet:10.30.5.25 tcp/22"


def test_two_that_hold_alone_and_not_together(make_traffic: Any, ask: Ask) -> None:
    text = TWO_STEPS
    traffic = make_traffic(load_policy({"town.yaml": text}))
    traffic.say("10.1.0.1 > 10.2.0.1", "tcp/443", times=3).say("10.2.0.1 > 10.3.0.1", "tcp/443", times=2)
    found = ask(traffic, sources={"town.yaml": text})

    assert [proposal.sources.names for proposal in found.proposals] == [("a1",)]
    (refusal,) = found.refused
    assert (refusal.by, refusal.together) == ("I1", True)


def test_an_invariant_that_is_broken_already_is_said_and_not_held_against_anything(
    make_traffic: Any, ask: Ask
) -> None:
    text = TWO_STEPS.replace(
        "flows: []", "flows:\n  - {id: F1, from: a, to: c, service: tcp/22, action: allow}"
    )
    traffic = make_traffic(load_policy({"town.yaml": text}))
    found = ask(traffic.say("10.1.0.1 > 10.2.0.1", "tcp/443", times=3), sources={"town.yaml": text})

    assert found.unproved == ("I1",)
    assert len(found.proposals) == 1


@pytest.mark.parametrize("service", ["tcp/443", "udp/53", "icmp/echo-request", "tcp/25"])
def test_everything_proposed_leaves_every_invariant_proved(traffic: Traffic, ask: Ask, service: str) -> None:
    hosts = ["10.10.5.20", "10.20.5.45", "10.20.16.9", "10.20.5.25", "10.30.5.25", "203.0.113.50"]
    for source in hosts:
        for target in hosts:
            if source != target:
                traffic.say(f"{source} > {target}", service, times=3, answered=True)
    found = ask(traffic)
    policy, _ = found.trial.applied(found.proposals)

    assert found.proposals
    assert found.refused
    assert [result.state for result in verify(policy, now=NOW)] == [State.PROVED] * 2


TWO_STEPS = """\
schema: 1
meta: {name: steps, timezone: UTC}
zones:
  a: {interfaces: [a0], networks: [10.1.0.0/24], class: other}
  b: {interfaces: [b0], networks: [10.2.0.0/24], class: other}
  c: {interfaces: [c0], networks: [10.3.0.0/24], class: other}
hosts:
  a1: {zone: a, ip: 10.1.0.1}
  b1: {zone: b, ip: 10.2.0.1}
  c1: {zone: c, ip: 10.3.0.1}
flows: []
invariants:
  - {id: I1, never: {from: a, to: c}, transitive: true}
"""


def test_what_a_proof_takes_for_granted_only_with_the_proposals_is_said(make_traffic: Any, ask: Ask) -> None:
    text = TWO_STEPS.replace(
        "b1: {zone: b, ip: 10.2.0.1}", "b1: {zone: b, ip: 10.2.0.1, relay: {never: true, because: told}}"
    )
    text = text.replace("flows: []", "flows:\n  - {id: F1, from: b1, to: c, service: tcp/22, action: allow}")
    traffic = make_traffic(load_policy({"town.yaml": text}))
    found = ask(traffic.say("10.1.0.1 > 10.2.0.1", "tcp/443", times=3), sources={"town.yaml": text})

    assert len(found.proposals) == 1
    assert [(invariant, each.code, each.params["host"]) for invariant, each in found.assumptions] == [
        ("I1", "assume-relay", "b1")
    ]


def test_a_guard_that_drops_the_answers_refuses_what_needs_them(traffic: Traffic, ask: Ask) -> None:
    traffic.say("10.30.5.25 > 10.10.5.20", "tcp/443", times=3).say(
        "10.30.5.25 > 10.10.5.20", "udp/514", times=3
    )
    found = ask(traffic)

    assert [(refusal.kind, refusal.by) for refusal in found.refused] == [("guard", "G1")]
    assert [proposal.services for proposal in found.proposals] == [("udp/514",)]
