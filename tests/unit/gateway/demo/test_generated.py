"""Generated packets meet every rule, are told apart, and carry the verdict of the policy."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gateway.demo.generated import Generated, Key, generate, key_of_event, key_of_packet
from gateway.demo.show import GENERATED_PACKETS
from topology.plan import read_plan
from topology.traffic.description import Description
from zones.load import read_policy
from zones.model import GATEWAY, Action, Mode
from zones.verdict import ICMP, TCP, UDP, PacketKey

if TYPE_CHECKING:
    from topology.plan import LabPlan
    from zones.model import Policy

pytestmark = pytest.mark.checkout

CITY = Path(__file__).parents[4] / "examples/sample-city"
NOON = 1795316400.0  # 2026-11-22T12:00 in Tokyo
COUNT = GENERATED_PACKETS


@pytest.fixture(scope="module")
def policy() -> Policy:
    return read_policy(CITY)


@pytest.fixture(scope="module")
def plan() -> LabPlan:
    return read_plan(CITY / "lab/city.yaml")


@pytest.fixture(scope="module")
def packets(policy: Policy, plan: LabPlan) -> list[Generated]:
    return generate(policy, plan, now=NOON, count=COUNT)


def test_the_same_policy_and_lab_give_the_same_packets(
    policy: Policy, plan: LabPlan, packets: list[Generated]
) -> None:
    assert generate(policy, plan, now=NOON, count=COUNT) == packets
    assert len(packets) >= COUNT


def test_no_two_packets_share_a_key(packets: list[Generated]) -> None:
    assert max(Counter(packet.key for packet in packets).values()) == 1


def test_every_packet_can_be_sent_and_is_the_one_its_key_says(packets: list[Generated]) -> None:
    for packet in packets:
        sent = Description.model_validate(packet.description)
        assert (str(sent.src), str(sent.dst), sent.number) == packet.key[:3]
        if sent.number in (TCP, UDP):
            assert (sent.sport, sent.dport) == packet.key[3:]
        if sent.number == ICMP:
            assert sent.icmp_type == packet.key.dport


def test_every_kind_of_verdict_is_expected_of_some(packets: list[Generated]) -> None:
    counts = Counter(f"{packet.expected.outcome} {packet.expected.reason}" for packet in packets)
    assert set(counts) >= {
        *("allow flow", "deny flow", "deny guard", "deny default-deny", "deny outside-hours"),
        *("deny use-render", "deny use-portal", "deny invalid-state", "deny spoofed-source"),
        *("deny unknown-zone", "sanitize:mail flow", "sanitize:web flow"),
    }
    assert {packet.kind.split(" ")[0] for packet in packets} == {
        *("flow", "first", "odd-flags", "icmp", "protocol", "spoofed", "wrong-mac", "nowhere"),
    }


def test_every_flow_that_speaks_of_addresses_in_the_lab_has_packets_of_its_own(
    policy: Policy, packets: list[Generated]
) -> None:
    met = {packet.kind.removeprefix("flow ") for packet in packets if packet.kind.startswith("flow ")}
    decided = {packet.expected.decided_by for packet in packets}
    enforced = {
        flow.id
        for flow in policy.flows
        if flow.mode is Mode.ENFORCE
        and not any(end.name for end in (*flow.sources, *flow.destinations))
        and GATEWAY not in {end.zone for end in (*flow.sources, *flow.destinations)}
    }
    assert len(enforced - met) <= len(enforced) * 0.2
    assert len(decided & enforced) > len(enforced) / 2
    assert {policy.flow(i).action for i in decided if i and policy.flow(i)} == set(Action)  # type: ignore[union-attr]


def test_every_host_sends_and_its_own_segment_is_left_alone(plan: LabPlan, packets: list[Generated]) -> None:
    assert {packet.sender for packet in packets} == {node.name for node in plan.hosts}
    segment = {str(a.ip): node.links[0].segment for node in plan.hosts for a in node.addresses}
    for packet in packets:
        if packet.kind == "first":
            # Neighbours do not ask the gateway.
            assert segment.get(packet.key.dst) != plan.node(packet.sender).links[0].segment


def test_events_and_packets_of_the_log_have_the_same_key() -> None:
    tcp = {"src": "10.1.0.1", "dst": "10.2.0.1", "protocol": "tcp", "sport": 7, "dport": 443}
    ping = {"src": "10.1.0.1", "dst": "10.2.0.1", "protocol": "icmp", "icmp_type": 8, "icmp_code": 0}
    other = {"src": "10.1.0.1", "dst": "10.2.0.1", "protocol": "proto/47"}
    assert key_of_event(tcp) == Key("10.1.0.1", "10.2.0.1", 6, 7, 443)
    assert key_of_event(ping) == Key("10.1.0.1", "10.2.0.1", 1, 0, 8)
    assert key_of_event(other) == Key("10.1.0.1", "10.2.0.1", 47, 0, 0)
    assert key_of_event({"unparsed": "cut"}) is None
    asked = PacketKey.of("a", "10.1.0.1", "10.2.0.1", "icmp", 8, sport=3)
    assert key_of_packet(asked) == key_of_event(ping)
    asked = PacketKey.of("a", "10.1.0.1", "10.2.0.1", "tcp", 443, sport=7)
    assert key_of_packet(asked) == key_of_event(tcp)
