"""Traffic over every flow of the sample city; some flows are taken out; suggest finds exactly those again."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from gateway.suggest.naming import term_of
from zones.address import address_text
from zones.decide import decide
from zones.load import load_policy, read_sources
from zones.model import Action
from zones.services import service_text
from zones.verdict import PacketKey

if TYPE_CHECKING:
    from collections.abc import Callable

    from zones.model import Flow, Policy, Selector

    Ends = tuple[str, str, str]

pytestmark = pytest.mark.checkout

CITY = Path(__file__).parents[4] / "examples" / "sample-city"
NOW = 1_796_601_600.0
TAKEN_OUT = {
    "F001": Action.ALLOW,
    "F012": Action.ALLOW,
    "F016": Action.ALLOW,
    "F019": Action.ALLOW,
    "F030": Action.ALLOW,
    "F043": Action.SANITIZE_MAIL,
    "F044": Action.SANITIZE_MAIL,
    "F064": Action.ALLOW,
}


def talk(policy: Policy, flow: Flow) -> PacketKey | None:
    """Return a packet that this flow decides; None for one that asks for more than a packet."""
    term = flow.services[0]
    if term.protocol is None or not flow.allowing:
        return None
    version, source = address(policy, flow.sources[0])
    other, destination = address(policy, flow.destinations[0])
    if version != other:
        return None
    zone = policy.zone_of(version, source)
    key = PacketKey(zone, version, source, destination, term.protocol, 40_000, term.low or 0)
    verdict = decide(policy, key, now=NOW)
    return key if verdict.passes and verdict.decided_by == flow.id else None


def address(policy: Policy, selector: Selector) -> tuple[int, int]:
    networks = selector.networks
    if networks is None:
        networks = policy.networks_of(selector.zone, 4) if selector.zone in policy.zones else ()
    if not networks or networks[0].length == 0:
        return (0, 0)
    network = networks[0]
    return network.version, network.first + (9 if network.last - network.first > 20 else 0)


def without(sources: dict[str, str], ids: set[str]) -> dict[str, str]:
    """Return the files without some flows, without the tests that name them and the exceptions for them."""
    named = "|".join(ids)
    found = {}
    for file, text in sources.items():
        entries = re.split(r"(?m)^(?=  - |  #|[a-z])", text)
        taken_out = re.compile(rf"  - id: ({named})\n|  - [\s\S]*\bby: ({named})\b")
        kept = [entry for entry in entries if not taken_out.match(entry)]
        found[file] = "".join(kept)
    return found


def test_exactly_the_flows_that_were_taken_out_are_found_again(
    make_traffic: Any, ask: Callable[..., Any]
) -> None:
    sources = read_sources(CITY)
    whole = load_policy(sources)
    reduced = without(sources, set(TAKEN_OUT))
    assert len(load_policy(reduced).flows) == len(whole.flows) - len(TAKEN_OUT)
    traffic = make_traffic(load_policy(reduced))
    expected: set[tuple[str, Ends, Action]] = set()
    said = 0
    for flow in whole.flows:
        key = talk(whole, flow)
        if key is None or key.ingress is None:
            continue
        said += 1
        service = service_text(term_of((key.protocol, key.dport)))
        ends = address_text(4, key.src), address_text(4, key.dst), service
        traffic.say(f"{ends[0]} > {ends[1]}", service, times=3, answered=True)
        if flow.id in TAKEN_OUT:
            expected.add((flow.id, ends, TAKEN_OUT[flow.id]))
    found = ask(traffic, sources=reduced, new_file=str(CITY / "suggested.yaml"))
    answered = {
        (ends_of(seen.exchange), proposal.draft.action)
        for proposal in found.proposals
        for seen in proposal.draft.evidence
    }

    assert said > 50
    assert {flow_id for flow_id, *_ in expected} == set(TAKEN_OUT)
    assert answered == {(ends, action) for _, ends, action in expected}
    assert found.refused == ()
    assert set(found.scores.values()) == {0.0}


def ends_of(exchange: Any) -> Ends:
    return (
        address_text(exchange.version, exchange.source),
        address_text(exchange.version, exchange.destination),
        service_text(term_of(exchange.service)),
    )
