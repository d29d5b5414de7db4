"""The sample city is what it claims to be: whole, realistic, with its traps in it."""

from __future__ import annotations

from collections import Counter
from datetime import date
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

from zones import decide, parse_packet
from zones.checks import expired_flows, failed_tests, run_tests
from zones.decide import destination_zone, source_zone
from zones.expiry import start_of_day
from zones.model import Action, Mode
from zones.question import packets_asked
from zones.source import read_document
from zones.verdict import Reason

if TYPE_CHECKING:
    from zones import Policy

SAMPLE = Path(__file__).resolve().parents[3] / "examples" / "sample-city"
LONG_AFTER = 4_000_000_000.0  # 2096
# What this policy cannot give: it has no trial, no management segment and no flow by name in force. Malformed
# frames and limits are not for a policy to say.
NOT_HERE = {Reason.WOULD_DENY, Reason.MANAGEMENT, Reason.NO_PROXY, Reason.MALFORMED, Reason.LIMIT}


def test_its_own_tests_pass_today_and_will_in_years(city: Policy) -> None:
    for now in (0.0, 1_800_000_000.0, LONG_AFTER):
        assert list(failed_tests(run_tests(city, now=now))) == []


def test_its_tests_cover_every_pair_of_zones(city: Policy) -> None:
    asked = set()
    for test in city.tests:
        key = parse_packet(test.packet).key
        source = source_zone(city, key)
        asked.add((source, destination_zone(city, key, source)))

    assert set(product(city.zones, city.zones)) <= asked
    assert {(zone, "gateway") for zone in city.zones} <= asked


def test_its_tests_cover_every_reason_it_can_give(city: Policy) -> None:
    given = {result.verdict.reason for result in run_tests(city, now=LONG_AFTER)}

    assert given == set(Reason) - NOT_HERE


def test_every_guard_and_every_action_is_asked_for(city: Policy) -> None:
    deciders = {result.verdict.decided_by for result in run_tests(city, now=LONG_AFTER)}

    assert {guard.id for guard in city.guards} <= deciders
    actions = {flow.action for flow in city.flows if flow.id in deciders}
    assert actions == set(Action)


def test_the_lab_has_the_same_machines_behind_the_same_interfaces(city: Policy) -> None:
    lab = read_document("city.yaml", (SAMPLE / "lab" / "city.yaml").read_text(encoding="utf-8"))
    assert lab.root is not None
    tree = lab.root.plain()

    for name, machine in tree["hosts"].items():
        host = city.hosts[name]
        assert host.zone == machine["segment"], name
        assert [str(network).split("/")[0] for network in host.addresses] == machine["addresses"], name
        assert host.mac == machine.get("mac"), name
    for interface, link in tree["gateway"]["interfaces"].items():
        zone = city.zones[link["segment"]]
        assert zone.interfaces == (interface,)
        assert [str(network).split("/")[0] for network in zone.gateway] == link["addresses"]


def test_every_flow_has_somebody_to_ask(city: Policy) -> None:
    for flow in city.flows:
        assert flow.owner, flow.id
        assert flow.justification, flow.id
        assert flow.basis, flow.id
        assert flow.ticket or flow.action is Action.DENY, flow.id


# --- the traps ---------------------------------------------------------------------------------------------


def test_trap_dozens_of_flows_expire_on_one_day(city: Policy) -> None:
    days = Counter(flow.expires for flow in city.flows if flow.expires)

    assert days[date(2027, 3, 31)] >= 24


def test_trap_updates_are_a_way_of_three_hops_to_the_world(city: Policy) -> None:
    hops = ["mn-wsus > lg-wsus tcp/8530", "lg-wsus > in-relay tcp/8530", "in-relay > sc-proxy tcp/443"]

    assert [_ask(city, hop) for hop in hops] == ["allow", "allow", "allow"]
    relays = [city.hosts[name].relay for name in ("lg-wsus", "in-relay")]
    assert all(relay is not None and relay.never and relay.because for relay in relays)


def test_trap_names_may_carry_data_to_the_cloud(city: Policy) -> None:
    assert _ask(city, "mn-ad > gc-dns udp/53") == "allow"


def test_trap_quic_passes_beside_the_proxy(city: Policy) -> None:
    assert _ask(city, "internet:10.30.18.7 > sc-proxy tcp/8080") == "sanitize:web"
    assert _ask(city, "internet:10.30.18.7 > out-web udp/443") == "allow"


def test_trap_a_flow_has_outlived_its_year(city: Policy) -> None:
    autumn = _moment(city)

    assert [flow.id for flow in expired_flows(city, now=autumn)] == ["F025"]


def test_it_has_flows_in_every_mode(city: Policy) -> None:
    assert {flow.mode for flow in city.flows} == set(Mode)


def _ask(city: Policy, question: str) -> str:
    verdicts = {decide(city, key, now=_moment(city)).outcome for key in packets_asked(city, question)}
    assert len(verdicts) == 1
    return verdicts.pop()


def _moment(city: Policy) -> float:
    return start_of_day(date(2026, 10, 5), city.timezone) + 10 * 3600
