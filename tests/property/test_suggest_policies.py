"""Suggestions over random policies and traffic: nothing that held is broken, nothing unseen is opened.

Traffic is drawn from a small space of packets and judged by `decide`; what is suggested is applied as text,
loaded, and asked again.
"""

from __future__ import annotations

from datetime import date
from typing import Any

import yaml
from hypothesis import event, given
from hypothesis import strategies as st

from gateway.suggest.evidence import Collector, Exchange, Sightings
from gateway.suggest.proposals import Proposal, Style
from gateway.suggest.score import space_of
from gateway.suggest.suggest import Question, Suggestions, suggest
from gateway.suggest.triage import Thresholds
from zones import Outcome, PacketKey, Policy, decide, load_policy
from zones.decide import DIRECT, destination_zone, source_zone
from zones.messages import Language
from zones.model import GATEWAY
from zones.proof.diff import Change, diff
from zones.proof.packets import point_of
from zones.proof.space import holds
from zones.proof.verify import State, verify

NOW = 1_791_162_000.0
ZONES = {
    "a": {"interfaces": ["a0"], "networks": ["10.1.0.0/29"], "gateway": ["10.1.0.7"], "class": "other"},
    "b": {"interfaces": ["b0"], "networks": ["10.2.0.0/29"], "gateway": ["10.2.0.7"], "class": "other"},
    "c": {"interfaces": ["c0"], "networks": ["10.3.0.0/29"], "class": "other"},
}
RELAY = {"never": True, "because": "reviewed"}
HOSTS = {
    "a1": {"zone": "a", "ip": "10.1.0.1", "relay": RELAY},
    "b1": {"zone": "b", "ip": ["10.2.0.1", "10.2.0.2"], "relay": RELAY},
    "b3": {"zone": "b", "ip": "10.2.0.3"},
    "c1": {"zone": "c", "ip": "10.3.0.1", "relay": RELAY},
}
GROUPS = {
    "low": {"zone": "a", "networks": ["10.1.0.2/31"]},
    "wide": {"zone": "c", "networks": ["10.3.0.0/29"]},
}
SERVICES = {"web": ["tcp/80", "tcp/443"], "mail": ["tcp/25"], "updates": ["tcp/8530-8531"]}
NAMES = [*ZONES, *HOSTS, *GROUPS]
PACKETS = [(6, 443), (6, 80), (6, 25), (6, 8530), (17, 53), (1, 8), (47, 0), (6, 50_000)]
ADDRESSES = [f"10.{zone}.0.{last}" for zone in (1, 2, 3) for last in (1, 2, 3, 4, 5)] + [
    "10.1.0.7",
    "10.2.0.7",
]
FITTING = {"sanitize:mail": ["mail"], "sanitize:web": ["web"], "render": ["web"]}
ACTIONS = ["allow", "allow", "deny", "sanitize:mail", "sanitize:web", "render", "file-transfer"]


class _Plain(yaml.SafeDumper):
    """The policy language has no aliases: what stands in two places is written twice."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


@st.composite
def flows(draw: st.DrawFn, flow_id: str) -> dict[str, Any]:
    action = draw(st.sampled_from(ACTIONS))
    services = FITTING.get(action, ["web", "mail", "tcp/1-1000", "udp/53", "icmp", "any"])
    flow = {
        "id": flow_id,
        "from": draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=2, unique=True)),
        "to": draw(st.sampled_from(NAMES)),
        "service": draw(st.sampled_from(services)),
        "action": action,
    }
    if action != "deny" and draw(st.integers(0, 3)) == 0:
        flow["expires"] = "2026-01-31"
    return flow


@st.composite
def guards(draw: st.DrawFn, guard_id: str) -> dict[str, Any]:
    guard = {"id": guard_id, "from": draw(st.sampled_from([*ZONES])), "to": draw(st.sampled_from([*ZONES]))}
    return guard | ({"actions": ["allow"]} if draw(st.booleans()) else {})


@st.composite
def invariants(draw: st.DrawFn, invariant_id: str) -> dict[str, Any]:
    ends = {"from": draw(st.sampled_from(NAMES)), "to": draw(st.sampled_from([*ZONES]))}
    if draw(st.booleans()):
        return {"id": invariant_id, "never": ends, "transitive": draw(st.booleans())}
    actions = st.lists(st.sampled_from(ACTIONS[3:]), min_size=1, max_size=2, unique=True)
    return {"id": invariant_id, **ends, "require_action": draw(actions)}


@st.composite
def texts(draw: st.DrawFn) -> str:
    def some(of: Any, prefix: str, most: int) -> list[dict[str, Any]]:
        return [draw(of(f"{prefix}{number}")) for number in range(1, draw(st.integers(0, most)) + 1)]

    entries = {
        "schema": 1,
        "meta": {"name": "small", "timezone": "Asia/Tokyo"},
        "zones": ZONES,
        "hosts": HOSTS,
        "groups": GROUPS,
        "services": SERVICES,
        "flows": some(flows, "F", 3),
        "guards": some(guards, "G", 2),
        "invariants": some(invariants, "I", 2),
    }
    style = draw(st.sampled_from([None, False, True]))
    text = yaml.dump(entries, Dumper=_Plain, default_flow_style=style, sort_keys=False, width=200)
    return text if style else f"# first\n{text}# last\n"


def sighted(connections: int) -> Sightings:
    seen = Sightings()
    seen.connections, seen.packets, seen.bytes = connections, 2 * connections, 100
    seen.first_ns, seen.last_ns = int(NOW * 1e9), int(NOW * 1e9) + 1
    seen.earliest, seen.days = [(seen.first_ns, "x.pcap:1")], {1}
    return seen


def collected(policy: Policy, talks: list[tuple[str, str, tuple[int, int], int]]) -> Collector:
    collector = Collector()
    for source, destination, (protocol, port), connections in talks:
        key = PacketKey.of(None, source, destination, protocol, port, sport=49_152)
        key = key._replace(ingress=source_zone(policy, key))
        verdict = decide(policy, key, now=NOW)
        exchange = Exchange(
            verdict.source_zone,
            destination_zone(policy, key, key.ingress),
            key.version,
            key.src,
            key.dst,
            protocol,
            port,
            verdict.reason,
            verdict.decided_by,
            verdict.state,
            verdict.passes,
        )
        collector.exchanges[exchange] = sighted(connections)
    return collector


TALKS = st.lists(
    st.tuples(
        st.sampled_from(ADDRESSES), st.sampled_from(ADDRESSES), st.sampled_from(PACKETS), st.integers(1, 3)
    ).filter(lambda talk: talk[0] != talk[1]),
    max_size=12,
)


def suggested(text: str, talks: Any) -> tuple[Policy, Suggestions]:
    policy = load_policy({"p.yaml": text})
    question = Question(
        now=NOW,
        style=Style(expires=date(2030, 1, 1), language=Language.JA),
        thresholds=Thresholds(min_connections=1),
    )
    return policy, suggest(policy, {"p.yaml": text}, collected(policy, talks), question)


@given(texts(), TALKS)
def test_applied_together_all_proposals_keep_what_held_and_serve_what_was_seen(text: str, talks: Any) -> None:
    before, found = suggested(text, talks)
    after, sources = found.trial.applied(found.proposals)
    event(f"proposals: {len(found.proposals)}, refused: {len(found.refused)}")

    assert load_policy(sources) == after
    held = {r.invariant.id for r in verify(before, now=NOW) if r.state is State.PROVED}
    assert held <= {r.invariant.id for r in verify(after, now=NOW) if r.state is State.PROVED}
    for proposal in found.proposals:
        for seen in proposal.draft.evidence:
            verdict = decide(after, seen.exchange.packet, now=NOW)
            assert (verdict.outcome, verdict.reason) == DIRECT[proposal.draft.action]


@given(texts(), TALKS)
def test_nothing_is_opened_beyond_what_was_seen_and_the_stated_excess(text: str, talks: Any) -> None:
    before, found = suggested(text, talks)
    after, _ = found.trial.applied(found.proposals)
    seen = {
        (e.source, e.destination, e.protocol, e.dport)
        for proposal in found.proposals
        for e, _ in proposal.draft.evidence
    }
    opened = 0.0
    for proposal in found.proposals:
        flow = after.flow(proposal.id)
        assert flow is not None
        assert space_of(after, flow).size == round(proposal.draft.triples * 2 ** found.scores[proposal.id])
        opened += found.scores[proposal.id]
    for difference in diff(before, after, now=NOW):
        packet = difference.packet if difference.opened is None else difference.opened
        assert any(_inside(after, proposal, packet) for proposal in found.proposals)
        # What passed before passes as before: a stricter action must not close what was open.
        assert difference.change is not Change.CROSSING or difference.before[0] is Outcome.DENY
        if (
            opened == 0
            and difference.change is Change.CROSSING
            and GATEWAY
            not in (
                difference.source,
                difference.destination,
            )
        ):
            assert (packet.src, packet.dst, packet.protocol, packet.dport) in seen


def _inside(policy: Policy, proposal: Proposal, packet: PacketKey) -> bool:
    """Whether a packet is one that a proposal opens; a proxy of ours connects on in the sender's place."""
    flow = policy.flow(proposal.id)
    assert flow is not None
    space, point = space_of(policy, flow), point_of(packet)
    ours = packet.ingress == GATEWAY
    return (
        (ours or holds(space.sources, point[0]))
        and holds(space.destinations, point[1])
        and holds(space.services, point[2])
    )


@given(texts(), TALKS)
def test_every_line_of_the_policy_stays_as_it_is(text: str, talks: Any) -> None:
    _, found = suggested(text, talks)
    _, sources = found.trial.applied(found.proposals)
    if text.startswith("{") or "flows: []" in text:
        return  # the list itself stands on a line with others: that line grows
    left = iter(text.split("\n"))
    expected = next(left)
    for line in sources["p.yaml"].split("\n"):
        if line == expected:
            expected = next(left, "\0")
    assert expected == "\0"


@given(texts(), TALKS)
def test_every_exchange_is_accounted_for_once(text: str, talks: Any) -> None:
    policy, found = suggested(text, talks)
    told = [seen.exchange for proposal in found.proposals for seen in proposal.draft.evidence]
    told += [seen.exchange for refusal in found.refused for seen in refusal.proposal.draft.evidence]
    told += [seen.exchange for aside in found.set_aside for seen in aside.exchanges]
    open_before = [e for e in collected(policy, talks).exchanges if e.passes and e.decided_by]

    assert sorted(map(str, [*told, *open_before])) == sorted(map(str, collected(policy, talks).exchanges))
