"""Traffic, and what is proposed for it: never more than was seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from gateway.suggest.confidence import Confidence, confidence
from gateway.suggest.triage import Why

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.suggest.proposals import Proposal
    from gateway.suggest.suggest import Suggestions

    Ask = Callable[..., Suggestions]
    Traffic = Any


def said(proposal: Proposal) -> tuple[str, str, str, str]:
    return (
        ", ".join(proposal.sources.names),
        ", ".join(proposal.destinations.names),
        ", ".join(proposal.services),
        proposal.draft.action.value,
    )


def all_said(found: Suggestions) -> list[tuple[str, str, str, str]]:
    return [said(proposal) for proposal in found.proposals]


def whys(found: Suggestions) -> dict[str, int]:
    counts: dict[str, int] = {}
    for aside in found.set_aside:
        counts[aside.why.value] = counts.get(aside.why.value, 0) + len(aside.exchanges)
    return counts


def test_what_was_asked_for_twice_is_proposed_in_the_policy_s_words(traffic: Traffic, ask: Ask) -> None:
    found = ask(traffic.say("10.10.5.20 > 10.20.5.45", "tcp/443", times=2))

    assert all_said(found) == [("core", "files", "https", "allow")]
    (proposal,) = found.proposals
    assert proposal.id == "F012"
    assert found.scores == {"F012": 0.0}
    assert [
        field.value for field in proposal.addition.flows[0].fields if field.key in ("owner", "ticket")
    ] == [
        "",
        "",
    ]


def test_nothing_is_proposed_for_what_is_open(traffic: Traffic, ask: Ask) -> None:
    found = ask(traffic.say("10.20.5.45 > 203.0.113.50", "tcp/443", times=5, answered=True))

    assert not found.found
    assert found.set_aside == ()


def test_the_evidence_says_when_how_often_and_where(traffic: Traffic, ask: Ask) -> None:
    traffic.say("10.20.16.9 > 10.20.5.45", "tcp/443", answered=True).wait(86_400)
    traffic.say("10.20.16.9 > 10.20.5.45", "tcp/443", times=9, answered=True)
    seen = ask(traffic).proposals[0].sightings

    assert (seen.connections, seen.answered, seen.packets) == (10, 10, 20)
    assert seen.places == ["town.pcapng:1", "town.pcapng:3", "town.pcapng:5"]
    assert len(seen.days) == 2
    assert confidence(seen) is Confidence.STRONG


def test_sources_of_one_service_of_one_host_go_together(traffic: Traffic, ask: Ask) -> None:
    for last in (10, 11, 12):
        traffic.say(f"10.10.16.{last} > 10.20.5.45", "tcp/443", times=2)
    (proposal,) = ask(traffic).proposals

    assert proposal.sources.names == ("mynumber-10-10-16-10", "mynumber-10-10-16-11", "mynumber-10-10-16-12")
    assert [host.address for host in proposal.sources.hosts] == ["10.10.16.10", "10.10.16.11", "10.10.16.12"]


def test_hosts_and_services_merge_only_where_nothing_more_is_opened(traffic: Traffic, ask: Ask) -> None:
    for source, target, service in (
        ("10.10.5.20", "10.20.5.45", "tcp/443"),
        ("10.10.5.20", "10.20.5.45", "tcp/80"),
        ("10.10.5.20", "10.20.5.46", "tcp/443"),
        ("10.10.5.20", "10.20.5.46", "tcp/80"),
        ("10.20.5.46", "10.20.5.45", "tcp/443"),
    ):
        traffic.say(f"{source} > {target}", service, times=2)

    found = ask(traffic)
    assert sorted(all_said(found)) == [
        ("core", "files, docs", "web", "allow"),
        ("docs", "files", "https", "allow"),
    ]
    assert set(found.scores.values()) == {0.0}


def test_many_unnamed_addresses_become_a_group_of_exactly_them(traffic: Traffic, ask: Ask) -> None:
    for last in (8, 9, 10, 11, 20):
        traffic.say(f"10.10.16.{last} > 10.20.5.45", "tcp/443", times=2)
    found = ask(traffic)
    (proposal,) = found.proposals

    assert proposal.sources.groups[0].networks == ("10.10.16.8/30", "10.10.16.20/32")
    assert found.scores[proposal.id] == 0.0


def test_a_group_stands_for_hosts_only_if_nearly_all_of_it_was_seen(traffic: Traffic, ask: Ask) -> None:
    for last in (4, 5, 6, 7):
        traffic.say(f"10.20.6.{last} > 10.20.5.45", "tcp/443", times=2)
    for last in (1, 2, 3, 4):
        traffic.say(f"10.20.16.{last} > 10.20.5.25", "tcp/443", times=2)
    found = ask(traffic)
    by_target = {proposal.destinations.names: proposal for proposal in found.proposals}

    assert by_target["files",].sources.names == ("printers",)
    few = by_target["mail",]
    assert few.sources.groups[0].name == f"{few.id}-from"
    (option,) = [option for option in few.options if option.field == "from"]
    assert (option.name, option.seen, option.of, option.bits) == ("pcs", 4, 256, 6.0)


def test_a_small_prefix_is_mentioned_and_not_taken(traffic: Traffic, ask: Ask) -> None:
    for last in (17, 18, 20):
        traffic.say(f"10.10.16.{last} > 10.20.5.45", "tcp/443", times=2)
    (proposal,) = ask(traffic).proposals
    (option,) = [option for option in proposal.options if option.field == "from"]

    assert (option.name, option.seen, option.of) == ("10.10.16.16/29", 3, 8)


def test_a_service_is_named_if_all_of_it_was_seen_and_mentioned_if_not(traffic: Traffic, ask: Ask) -> None:
    traffic.say("10.20.5.45 > 10.20.5.25", "udp/53", times=2).say(
        "10.20.5.45 > 10.20.5.25", "tcp/53", times=2
    )
    traffic.say("10.20.5.45 > 10.20.5.41", "tcp/8530", times=2)
    found = ask(traffic)

    assert ("files", "mail", "dns", "allow") in all_said(found)
    other = next(proposal for proposal in found.proposals if proposal.services != ("dns",))
    assert other.services == ("tcp/8530",)
    assert [(o.field, o.name, o.seen, o.of) for o in other.options] == [("service", "updates", 1, 2)]


def test_a_host_with_two_addresses_is_named_and_the_other_address_counted(traffic: Traffic, ask: Ask) -> None:
    found = ask(traffic.say("10.20.5.45 > 10.20.5.41", "tcp/22", times=2))

    assert all_said(found) == [("files", "twin", "tcp/22", "allow")]
    assert found.scores == {"F012": 1.0}


def test_where_only_sanitised_mail_may_come_in_that_is_proposed(traffic: Traffic, ask: Ask) -> None:
    found = ask(traffic.say("10.30.5.25 > 10.20.5.25", "tcp/25", times=2))

    assert all_said(found) == [("mx", "mail", "smtp", "sanitize:mail")]


def test_the_proxy_s_own_half_of_a_proposed_flow_needs_no_flow(traffic: Traffic, ask: Ask) -> None:
    traffic.say("10.30.5.25 > 10.20.5.25", "tcp/25", times=2)
    traffic.say("10.20.255.254 > 10.20.5.25", "tcp/25", times=2, zone="lgwan")
    found = ask(traffic)

    assert all_said(found) == [("mx", "mail", "smtp", "sanitize:mail")]


def test_what_is_rendered_for_others_is_not_allowed_raw_to_one_more(traffic: Traffic, ask: Ask) -> None:
    found = ask(traffic.say("10.20.5.45 > 10.30.5.30", "tcp/443", times=2))

    assert all_said(found) == [("files", "relay", "https", "render")]


def test_a_first_deployment_that_lets_pass_is_evidence_as_well(
    make_traffic: Any, ask: Ask, town_text: str
) -> None:
    from zones.load import load_policy

    text = town_text.replace(
        "timezone: Asia/Tokyo", "timezone: Asia/Tokyo, enforcement: {audit_until: 2027-03-31}"
    )
    traffic = make_traffic(load_policy({"town.yaml": text}))
    found = ask(
        traffic.say("10.10.5.20 > 10.20.5.45", "tcp/443", times=2, answered=True), sources={"town.yaml": text}
    )

    assert all_said(found) == [("core", "files", "https", "allow")]


def test_ipv6_is_proposed_like_ipv4(traffic: Traffic, ask: Ask) -> None:
    found = ask(traffic.say("2001:db8:20::5 > 2001:db8:99::9", "tcp/22", times=2))
    (proposal,) = found.proposals

    assert proposal.sources.hosts[0].address == "2001:db8:20::5"
    assert "2001:db8:20::5" in found.trial.applied([proposal])[1]["town.yaml"]


@pytest.mark.parametrize(
    ("say", "why"),
    [
        (lambda t: t.say("10.10.5.20 > 10.20.5.45", "tcp/443"), Why.ONE_OFF),
        (lambda t: t.say("10.10.5.20 > 10.20.5.45", "tcp/443", packets=1), Why.ONE_OFF),
        (lambda t: t.say("10.20.16.9 > 10.20.6.5", "tcp/9100", times=3), Why.DENIED_BY_FLOW),
        (lambda t: t.say("10.20.16.9 > 10.20.5.45", "tcp/445", times=3), Why.EXPIRED),
        (lambda t: t.say("10.20.16.9 > 10.30.5.30", "tcp/443", times=3), Why.OTHER_WAY),
        (lambda t: t.say("10.30.9.9 > 10.20.5.45", "tcp/443", times=3, zone="lgwan"), Why.SPOOFED),
        (lambda t: t.say("10.10.5.20 > 224.0.0.9", "udp/520", times=3), Why.NO_ZONE),
        (lambda t: t.say("10.10.5.20 > 10.20.255.255", "udp/137", times=3), Why.BROADCAST),
        (lambda t: t.say("10.10.5.20 > 10.20.5.45", "tcp/50123", times=3, answered=True), Why.DYNAMIC_PORT),
    ],
    ids=lambda value: value.value if isinstance(value, Why) else "",
)
def test_what_is_not_proposed_is_listed_with_the_reason(
    traffic: Traffic, ask: Ask, say: Any, why: Why
) -> None:
    say(traffic)
    found = ask(traffic)

    assert not found.found
    assert {aside.why for aside in found.set_aside} == {why}


def test_a_lone_packet_is_a_probe_whatever_the_threshold(traffic: Traffic, ask: Ask) -> None:
    traffic.say("10.10.5.20 > 10.20.5.45", "tcp/443", packets=1)
    assert whys(ask(traffic, min_connections=1)) == {"one-off": 1}


def test_one_connection_is_enough_if_that_is_asked_for(traffic: Traffic, ask: Ask) -> None:
    found = ask(traffic.say("10.10.5.20 > 10.20.5.45", "tcp/443", answered=True), min_connections=1)
    assert all_said(found) == [("core", "files", "https", "allow")]


def test_answers_in_the_middle_of_a_connection_are_no_evidence(traffic: Traffic, ask: Ask, town: Any) -> None:
    from zones.verdict import PacketKey

    key = PacketKey.of("lgwan", "10.20.5.45", "10.10.5.20", "tcp", 50_000, sport=443)
    for _ in range(3):
        traffic.wait(1).put(key, reply=True)
    assert set(whys(ask(traffic))) <= {"invalid-state", "mid-stream"}


def test_a_port_scan_is_listed_and_its_real_neighbour_still_proposed(traffic: Traffic, ask: Ask) -> None:
    for port in range(20, 40):
        traffic.say("10.10.66.6 > 10.20.5.45", f"tcp/{port}")
    traffic.say("10.10.66.6 > 10.20.5.45", "tcp/443", times=4)
    traffic.say("10.10.5.20 > 10.20.5.45", "tcp/25", times=4, answered=True)
    found = ask(traffic, min_connections=1)

    assert whys(found) == {"scan-ports": 20}
    assert sorted(all_said(found)) == [
        ("core", "files", "smtp", "allow"),
        ("mynumber-10-10-66-6", "files", "https", "allow"),
    ]


def test_a_sweep_of_one_port_is_listed(traffic: Traffic, ask: Ask) -> None:
    for last in range(1, 30):
        traffic.say(f"10.10.66.6 > 10.20.16.{last}", "tcp/3389")
    assert whys(ask(traffic)) == {"scan-hosts": 29}


def test_the_data_ports_of_ftp_are_explained_and_not_proposed(traffic: Traffic, ask: Ask) -> None:
    traffic.say("10.10.5.20 > 10.20.5.45", "tcp/21", times=3, answered=True)
    traffic.say("10.10.5.20 > 10.20.5.45", "tcp/2121", times=2, answered=True)
    traffic.say("10.20.5.45 > 10.10.5.20", "tcp/2345", times=2, answered=True)
    found = ask(traffic)

    assert [said(proposal)[2] for proposal in found.proposals] == ["tcp/21"]
    assert {(aside.why, aside.detail) for aside in found.set_aside} == {(Why.DYNAMIC_PORT, "ftp")}


def test_a_wide_service_of_the_policy_explains_a_high_port(traffic: Traffic, ask: Ask) -> None:
    found = ask(traffic.say("10.10.5.20 > 10.20.5.45", "tcp/50123", times=3))
    assert [aside.detail for aside in found.set_aside] == ["directory"]


def test_only_the_zone_pairs_asked_for_are_proposed(traffic: Traffic, ask: Ask) -> None:
    traffic.say("10.10.5.20 > 10.20.5.45", "tcp/443", times=2).say(
        "10.20.5.45 > 10.10.5.20", "tcp/80", times=2
    )
    assert all_said(ask(traffic, zone_pairs=[("lgwan", "mynumber")])) == [
        ("files", "core", "tcp/80", "allow")
    ]


def test_what_began_outside_of_the_time_asked_for_does_not_count(traffic: Traffic, ask: Ask) -> None:
    traffic.say("10.10.5.20 > 10.20.5.45", "tcp/443", times=2).wait(3600)
    middle = traffic.now_ns
    traffic.say("10.20.5.45 > 10.10.5.20", "tcp/80", times=2)

    assert [said(p)[0] for p in ask(traffic, since_ns=middle).proposals] == ["files"]
    assert [said(p)[0] for p in ask(traffic, until_ns=middle).proposals] == ["core"]


def test_the_window_knows_when_nothing_was_seen(traffic: Traffic) -> None:
    traffic.say("10.10.5.20 > 10.20.5.45", "tcp/443").wait(3600).say("10.10.5.20 > 10.20.5.45", "tcp/443")
    window = traffic.collected().window

    assert window.packets == 4
    assert [(end - begin) // 1_000_000_000 for begin, end in window.gaps] == [3600]


def test_what_finds_no_room_is_counted_and_not_proposed(traffic: Traffic) -> None:
    for last in range(1, 6):
        traffic.say(f"10.10.5.{last} > 10.20.5.45", "tcp/443")
    collector = traffic.collected(max_exchanges=3)

    assert (len(collector.exchanges), collector.no_room) == (3, 2)


def test_datagrams_from_one_port_count_by_visit(traffic: Traffic, ask: Ask) -> None:
    from zones.verdict import PacketKey

    key = PacketKey.of("mynumber", "10.10.5.20", "10.20.5.45", "udp", 514, sport=514)
    for _ in range(4):
        traffic.wait(60).put(key)
    (proposal,) = ask(traffic).proposals

    assert proposal.sightings.connections == 4


def test_a_crowd_of_the_outside_is_a_decision_and_not_a_list(traffic: Traffic, ask: Ask) -> None:
    for number in range(300):
        traffic.say(f"198.51.{number // 100}.{number % 100 + 1} > 10.30.5.30", "tcp/443", answered=True)
    traffic.say("198.51.0.1 > 10.30.5.25", "tcp/25", times=2, answered=True)
    found = ask(traffic)

    assert whys(found) == {"crowd": 300}
    assert [aside.detail for aside in found.set_aside] == ["outside"]
    assert [said(proposal)[1] for proposal in found.proposals] == ["mx"]


def test_browsing_of_one_machine_is_a_crowd_as_well(traffic: Traffic, ask: Ask) -> None:
    for number in range(300):
        traffic.say(f"10.30.5.30 > 198.51.{number // 100}.{number % 100 + 1}", "tcp/443", answered=True)
    assert whys(ask(traffic)) == {"crowd": 300}


def test_a_stricter_action_names_no_address_that_was_not_seen(traffic: Traffic, ask: Ask) -> None:
    found = ask(traffic.say("10.30.5.25 > 10.20.5.41", "tcp/25", times=3))
    (proposal,) = found.proposals

    assert said(proposal) == ("mx", f"{proposal.id}-to", "smtp", "sanitize:mail")
    assert proposal.destinations.groups[0].networks == ("10.20.5.41/32",)
    assert found.scores[proposal.id] == 0.0


def test_a_forged_answer_is_none(traffic: Traffic, ask: Ask) -> None:
    from zones.verdict import PacketKey

    key = PacketKey.of("mynumber", "10.10.5.20", "10.20.5.45", "tcp", 443, sport=30_000)
    for port in (30_000, 30_001):
        traffic.wait(1).put(key._replace(sport=port))
        # From the Internet side, in the name of the file server.
        forged = PacketKey.of("internet", "10.20.5.45", "10.10.5.20", "tcp", port, sport=443)
        traffic.put(forged, reply=True)
    (proposal,) = ask(traffic).proposals

    assert (proposal.sightings.connections, proposal.sightings.answered) == (2, 0)


@pytest.mark.parametrize(("mode", "why"), [("audit", Why.IN_AUDIT), ("disabled", Why.SWITCHED_OFF)])
def test_a_flow_that_is_tried_out_or_switched_off_is_not_written_twice(
    make_traffic: Any, ask: Ask, town_text: str, mode: str, why: Why
) -> None:
    from zones.load import load_policy

    text = town_text.replace(
        "tcp/445, action: allow, expires: 2025-03-31", f"tcp/445, action: allow, mode: {mode}"
    )
    traffic = make_traffic(load_policy({"town.yaml": text}))
    found = ask(traffic.say("10.20.16.9 > 10.20.5.45", "tcp/445", times=3), sources={"town.yaml": text})

    assert not found.found
    assert [(aside.why, aside.detail) for aside in found.set_aside] == [(why, "F008")]


def test_the_first_packets_are_the_earliest_whichever_flow_ends_first(traffic: Traffic, ask: Ask) -> None:
    from zones.verdict import PacketKey

    slow = PacketKey.of("mynumber", "10.10.5.20", "10.20.5.45", "tcp", 443, sport=30_000)
    traffic.put(slow)
    traffic.say("10.10.5.20 > 10.20.5.45", "tcp/443", times=5)
    traffic.wait(5).put(slow)
    assert ask(traffic).proposals[0].sightings.places == ["town.pcapng:1", "town.pcapng:2", "town.pcapng:4"]
