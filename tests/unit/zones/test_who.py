"""Everything a policy says about one thing; and it agrees with what `decide` says of packets."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import pytest

from zones import Outcome, decide
from zones.errors import ConfigurationError
from zones.question import packets_asked
from zones.who import Kind, Role, who

if TYPE_CHECKING:
    from collections.abc import Callable

    from zones import Policy

SECTIONS = """
hosts:
  h1: {zone: a, ip: 10.1.5.5}
groups:
  g: {zone: a, networks: [10.1.5.0/24]}
names:
  cloud: {hosts: ["*.example.com", "example.net"], zone: w}
guards:
  - {id: G1, from: b, to: a}
  - {id: G2, from: a, to: w, actions: [allow]}
flows:
  - {id: F1, from: g, to: b, service: tcp/443, action: allow, expires: 2027-03-31}
  - {id: F2, from: b, to: h1, service: tcp/22, action: allow}
  - {id: F3, from: [h1, b], to: w, service: tcp/80, action: allow}
  - {id: F4, from: h1, to: b, service: tcp/25, action: allow, mode: audit}
  - {id: F5, from: h1, to: cloud, service: tcp/443, action: allow}
  - {id: F6, from: a, to: b, service: [tcp/443, tcp/80], action: render, mode: disabled}
"""


def at(policy: Policy, text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=policy.timezone).timestamp()


@pytest.fixture
def policy(small: Callable[[str], Policy]) -> Policy:
    return small(SECTIONS)


def test_an_address_is_in_its_zone_its_hosts_and_its_groups(policy: Policy) -> None:
    answer = who(policy, "10.1.5.5", now=0)

    assert (answer.kind, answer.zones) == (Kind.ADDRESS, ("a",))
    assert (answer.hosts, answer.groups) == (("h1",), ("g",))


def test_a_flow_holds_all_of_a_subject_or_a_part(policy: Policy) -> None:
    def holdings(asked: str) -> dict[tuple[str, Role], bool]:
        return {(h.flow.id, h.role): h.whole for h in who(policy, asked, now=0).flows}

    assert holdings("10.1.5.9") == {("F1", Role.SOURCE): True, ("F6", Role.SOURCE): True}
    assert holdings("g")["F1", Role.SOURCE] is True
    assert holdings("g")["F3", Role.SOURCE] is False
    assert holdings("10.1.0.0/16")["F1", Role.SOURCE] is False
    assert holdings("10.1.0.0/16")["F6", Role.SOURCE] is True


def test_a_flow_is_closed_by_its_day_its_mode_or_a_guard(policy: Policy) -> None:
    def open_flows(moment: str) -> set[str]:
        return {h.flow.id for h in who(policy, "h1", now=at(policy, moment)).flows if h.open}

    assert open_flows("2027-03-31T23:59") == {"F1"}
    assert open_flows("2027-04-01") == set()
    assert {h.flow.id: h.barred for h in who(policy, "h1", now=0).flows if h.barred} == {
        "F2": ("G1",),
        "F3": ("G2",),
        "F5": ("G2",),
    }


def test_what_reaches_what_names_zones_services_and_flows(policy: Policy) -> None:
    answer = who(policy, "h1", now=0)

    assert [(r.zone, str(r.action), r.services, r.flows) for r in answer.reaches] == [
        ("b", "allow", ("tcp/443",), ("F1",))
    ]
    assert answer.reached_by == ()
    assert [r.flows for r in who(policy, "w", now=0).reached_by] == [("F3",)]  # from b; G2 shuts a


def test_guards_bind_on_either_end(policy: Policy) -> None:
    assert [(g.guard.id, g.role) for g in who(policy, "h1", now=0).guards] == [
        ("G1", Role.DESTINATION),
        ("G2", Role.SOURCE),
    ]


def test_a_network_may_lie_in_several_zones(policy: Policy) -> None:
    assert who(policy, "10.0.0.0/8", now=0).zones == ("a", "b", "w")
    assert who(policy, "2001:db8::/32", now=0).zones == ("w",)


def test_a_domain_is_found_by_the_names_that_mean_it(policy: Policy) -> None:
    for asked in ("cloud", "www.example.com", "example.net"):
        answer = who(policy, asked, now=0)
        assert (answer.kind, answer.names) == (Kind.NAME, ("cloud",))
        assert [h.flow.id for h in answer.flows] == ["F5"]


def test_a_way_by_name_is_shut_until_a_proxy_serves_names(small: Callable[[str], Policy]) -> None:
    policy = small("""
        names: {cloud: {hosts: ["*.example.com"], zone: w}}
        flows: [{id: F1, from: a, to: cloud, service: tcp/443, action: allow}]
    """)

    for asked in ("cloud", "a"):
        answer = who(policy, asked, now=0)
        assert [(h.closed, h.open) for h in answer.flows] == [("no-proxy", False)]
        assert (answer.reaches, answer.reached_by) == ((), ())


def test_our_own_address_is_the_gateway_and_a_martian_nobodys(policy: Policy) -> None:
    assert who(policy, "10.1.255.254", now=0).zones == ("gateway",)
    assert who(policy, "gateway", now=0).kind is Kind.GATEWAY
    assert who(policy, "127.0.0.1", now=0).ends == ()


def test_what_nobody_is_called_is_an_error_with_a_neighbour(policy: Policy) -> None:
    with pytest.raises(ConfigurationError) as refused:
        who(policy, "coud", now=0)

    assert (refused.value.code, refused.value.params["suggestion"]) == ("unknown-name-near", "cloud")


@pytest.mark.parametrize("moment", ["2026-10-05T10:00", "2027-04-01"])
def test_what_a_host_of_the_sample_city_reaches_is_what_decide_lets_pass(city: Policy, moment: str) -> None:
    now = at(city, moment)
    asked = 0
    for host in city.hosts:
        for holding in who(city, host, now=now).flows:
            flow = holding.flow
            if holding.role is not Role.SOURCE or str(flow.action) != "allow" or not holding.whole:
                continue
            for other in flow.destination_names:
                if other not in city.hosts or city.hosts[other].zone == "gateway":
                    continue
                for key in packets_asked(city, f"{host} > {other} {flow.service_names[0]}"):
                    verdict = decide(city, key, now=now)
                    passes = verdict.outcome is Outcome.ALLOW
                    by = {verdict.decided_by, *verdict.also}
                    asked += 1
                    assert (passes and flow.id in by) == holding.open, (host, other, flow.id)
    assert asked > 50
