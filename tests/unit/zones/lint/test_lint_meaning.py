"""When a finding is one, and when it is none: what the owner of an allowlist need not hear."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from zones.lint.codes import CODES, Severity
from zones.lint.engine import lint
from zones.load import load_written, read_sources

if TYPE_CHECKING:
    from collections.abc import Callable

    from zones.lint.engine import Report

    Linted = Callable[..., Report]

CITY = Path(__file__).resolve().parents[4] / "examples" / "sample-city"


def codes(report: Report) -> list[tuple[str, str]]:
    return [(finding.code, finding.subject.name) for finding in report.open]


def flow(flow_id: str, rest: str) -> str:
    return f"  - {{id: {flow_id}, {rest}, owner: o, ticket: t, justification: j}}\n"


# --- the sample city ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def city() -> Report:
    policy, documents = load_written(read_sources(CITY))
    return lint(policy, documents, now=datetime(2026, 11, 22, tzinfo=UTC).timestamp())


def test_the_sample_city_hears_of_its_traps_and_of_nothing_else(city: Report) -> None:
    assert codes(city) == [
        ("expiring-together", ""),
        ("expired", "F025"),
        ("dns-tunnel", "F017"),
        ("asymmetric-service", "F018"),
        ("relay-host", "F019"),
        ("relay-host", "F020"),
        ("disabled-flow", "F111"),
        ("disabled-flow", "F112"),
        ("too-broad", "F068"),
        ("quic-beside-proxy", "F068"),
    ]
    assert city.undecided == ()


def test_its_update_chain_is_printed_hop_by_hop(city: Report) -> None:
    chain = next(finding for finding in city.open if finding.subject.name == "F019")

    assert chain.params["way"] == "mynumber → lg-wsus → in-relay → outside"
    assert [subject.name for subject, _ in chain.related] == ["F040", "F061", "lg-wsus", "in-relay"]
    assert chain.severity is Severity.NOTE  # every relay carries a reviewed claim


def test_dozens_of_its_flows_end_on_one_day(city: Report) -> None:
    together = next(finding for finding in city.open if finding.code == "expiring-together")

    assert str(together.params["day"]) == "2027-03-31"
    assert together.params["count"] == 1 + len(together.related) > 30


# --- lines that do nothing ---------------------------------------------------------------------------------


def test_a_stricter_flow_that_has_expired_still_shadows(linted: Linted) -> None:
    report = linted(
        "flows:\n"
        + flow("F1", 'from: relay, to: proxy, service: tcp/443, action: "sanitize:web", expires: 2026-01-01')
        + flow("F2", "from: relay, to: proxy, service: tcp/443, action: allow"),
        only=["shadowed"],
    )

    assert codes(report) == [("shadowed", "F2")]


def test_of_two_equal_flows_the_later_one_is_redundant(linted: Linted) -> None:
    same = "from: desk, to: app, service: tcp/443, action: allow"
    report = linted("flows:\n" + flow("F2", same) + flow("F1", same), only=["redundant"])

    assert codes(report) == [("redundant", "F1")]


@pytest.mark.parametrize(
    "difference",
    [
        'when: {days: mon-fri, from: "08:30", to: "17:15"}',
        "expires: 2027-03-31",
        "mode: audit",
        "mode: disabled",
    ],
)
def test_what_may_close_does_not_make_another_redundant(linted: Linted, difference: str) -> None:
    report = linted(
        "flows:\n"
        + flow("F1", "from: desk, to: app, service: tcp/443, action: allow")
        + flow("F2", f"from: office, to: core, service: tcp/443, action: allow, {difference}"),
        only=["redundant", "shadowed"],
    )

    assert codes(report) == []


def test_other_options_are_another_action(linted: Linted) -> None:
    mail = 'from: relay, to: desk, service: tcp/25, action: "sanitize:mail"'
    report = linted(
        "flows:\n"
        + flow("F1", f"{mail}, with: {{profile: inbound}}")
        + flow("F2", f"{mail}, with: {{profile: press}}"),
        only=["redundant", "overlapping-allows"],
    )

    assert codes(report) == [("overlapping-allows", "F2")]


def test_half_a_cover_is_none(linted: Linted) -> None:
    report = linted(
        "flows:\n"
        + flow("F1", "from: desk, to: app, service: [tcp/443, tcp/80], action: allow")
        + flow("D1", "from: office, to: core, service: tcp/443, action: deny"),
        only=["shadowed", "redundant"],
    )

    assert codes(report) == []


def test_while_a_city_is_on_trial_a_barred_flow_is_not_called_unneeded(linted: Linted) -> None:
    """Its packets are refused by the guard now, and would pass as `would-deny` with the flow gone."""
    sections = (
        "guards:\n  - {id: G1, from: net, to: office, actions: [render]}\nflows:\n"
        + flow("F1", "from: relay, to: office, service: tcp/443, action: render")
        + flow("D1", "from: world, to: office, service: tcp/443, action: deny")
    )

    assert codes(linted(sections, only=["redundant", "shadowed"])) == []


# --- wide lines --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "rest",
    [
        "from: world, to: relay, service: tcp/443, action: allow",  # a public service
        "from: office, to: desk, service: tcp/443, action: allow",  # within one zone
        "from: desk, to: app, service: tcp/49152-65535, action: allow",  # RPC (RFC 6335)
        "from: core, to: net, service: any, action: deny",
        "from: desk, to: net, service: tcp/443, action: render",
        "from: gateway, to: relay, service: tcp/22, action: allow",
        "from: desk, to: gateway, service: udp/161, action: allow",
    ],
)
def test_what_is_as_wide_as_its_purpose_is_not_reported(linted: Linted, rest: str) -> None:
    report = linted("flows:\n" + flow("F1", rest), only=["too-broad", "any-any", "high-risk-port"])

    assert codes(report) == []


@pytest.mark.parametrize(
    ("rest", "code"),
    [
        ("from: desk, to: app, service: tcp, action: allow", "too-broad"),
        ("from: desk, to: app, service: any, action: allow", "too-broad"),
        ("from: desk, to: app, service: tcp/1-2000, action: allow", "too-broad"),
        ("from: desk, to: world, service: udp/3478, action: allow", "too-broad"),
        ("from: office, to: net, service: any, action: allow", "any-any"),
        ("from: relay, to: app, service: tcp/3389, action: allow", "high-risk-port"),
        ("from: desk, to: app, service: tcp/2000-3400, action: allow", "high-risk-port"),
    ],
)
def test_what_is_wider_is(linted: Linted, rest: str, code: str) -> None:
    assert (code, "F1") in codes(linted("flows:\n" + flow("F1", rest)))


def test_a_wide_flow_that_a_guard_closes_is_dead_not_wide(linted: Linted) -> None:
    report = linted(
        "guards:\n  - {id: G1, from: office, to: net, actions: [allow]}\nflows:\n"
        + flow("F1", "from: office, to: net, service: any, action: allow"),
        only=["too-broad", "any-any", "guard-makes-dead"],
    )

    assert codes(report) == [("guard-makes-dead", "F1")]


# --- ways --------------------------------------------------------------------------------------------------

CHAIN = (
    "guards:\n  - {id: G1, from: core, to: [net, world]}\n"
    "flows:\n"
    + flow("F1", "from: app, to: desk, service: tcp/8530, action: allow")
    + flow("F2", "from: desk, to: relay, service: tcp/8530, action: allow")
    + flow("F3", "from: relay, to: proxy, service: tcp/8080, action: allow")
)


def test_a_chain_without_claims_is_a_warning(linted: Linted) -> None:
    (chain,) = linted(CHAIN, only=["relay-host"]).open

    assert (chain.severity, chain.params["hops"]) == (Severity.WARNING, 3)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("service: tcp/8530, action: allow, owner", "service: tcp/443, action: render, owner"),
        ("from: desk, to: relay", "from: desk, mode: audit, to: relay"),
        ("from: desk, to: relay", "from: desk, expires: 2026-12-31, to: relay"),
        ("from: desk", "from: gateway"),
    ],
)
def test_a_chain_with_a_gate_or_a_gap_in_it_is_none(linted: Linted, before: str, after: str) -> None:
    head, tail = CHAIN.split("  - {id: F2")

    assert codes(linted(f"{head}  - {{id: F2{tail.replace(before, after, 1)}", only=["relay-host"])) == []


def test_a_way_around_the_claimed_relay_is_a_warning(linted: Linted) -> None:
    """`kept` passes nothing on, somebody says; of `desk`, which the flow also reaches, nobody does."""
    claimed = 'hosts:\n  kept: {zone: office, ip: 10.2.5.30, relay: {never: true, because: "reviewed"}}\n'
    only_kept = claimed + CHAIN.replace("desk", "kept")
    both = claimed + CHAIN.replace("desk", "[kept, desk]")

    (cut,) = linted(only_kept, only=["relay-host"]).open
    assert (cut.severity, cut.params["relays"]) == (Severity.NOTE, "kept")
    assert [finding.severity for finding in linted(both, only=["relay-host"]).open] == [Severity.WARNING]


def test_a_sanitized_lookup_and_one_inside_are_no_tunnel(linted: Linted) -> None:
    report = linted(
        "flows:\n"
        + flow("F1", "from: app, to: core, service: udp/53, action: allow")
        + flow("F2", "from: relay, to: proxy, service: udp/53, action: allow")
        + flow("F3", "from: app, to: gateway, service: udp/53, action: allow"),
        only=["dns-tunnel"],
    )

    assert codes(report) == []


def test_quic_of_machines_without_a_web_gate_passes_nothing_by(linted: Linted) -> None:
    report = linted(
        "hosts:\n  room: {zone: net, ip: 10.3.18.1}\nflows:\n"
        + flow("F1", 'from: relay, to: proxy, service: tcp/8080, action: "sanitize:web"')
        + flow("F2", "from: room, to: proxy, service: udp/443, action: allow"),
        only=["quic-beside-proxy"],
    )

    assert codes(report) == []


def test_mail_servers_are_peers(linted: Linted) -> None:
    report = linted(
        "flows:\n"
        + flow("F1", "from: desk, to: relay, service: [tcp/25, udp/123, icmp/echo-request], action: allow")
        + flow("F2", "from: relay, to: desk, service: [tcp/25, udp/123, icmp/echo-request], action: allow"),
        only=["asymmetric-service"],
    )

    assert codes(report) == []


# --- the codes themselves ----------------------------------------------------------------------------------


def test_only_asks_for_codes_and_gets_no_others(linted: Linted) -> None:
    everything = linted(CHAIN)

    for code in {finding.code for finding in everything.open}:
        assert linted(CHAIN, only=[code]).open == tuple(f for f in everything.open if f.code == code)


def test_counts_come_in_the_order_of_the_codes(linted: Linted) -> None:
    counts = list(linted(CHAIN).counts)

    assert counts == [code for code in CODES if code in counts]
