"""The shapes of nftables text: what a step of the program becomes."""

from __future__ import annotations

import pytest

from gateway.kernel.nflog import MAX_PREFIX_BYTES, parse_prefix
from gateway.kernel.ruleset import address_match, block, elements, log, service_matches, step_matches
from zones.address import parse_network
from zones.program import Step
from zones.services import parse_service
from zones.verdict import Outcome, Reason

FOUR = (parse_network("10.1.0.0/16"), parse_network("10.9.9.9/32"))
SIX = (parse_network("2001:db8::/32"),)


def terms(*services: str):
    return tuple(parse_service(service) for service in services)


def step(*services: str, sources=None, destinations=None) -> Step:
    return Step(
        decided_by="F1",
        outcome=Outcome.ALLOW,
        reason=Reason.FLOW,
        services=terms(*services),
        sources=sources,
        destinations=destinations,
    )


@pytest.mark.parametrize(
    ("services", "version", "lines"),
    [
        (["any"], None, [""]),
        (["any", "tcp/1"], 4, [""]),
        (["tcp/443"], None, ["tcp dport { 443 }"]),
        (["tcp/80", "tcp/443"], 4, ["tcp dport { 80, 443 }"]),
        # An interval set refuses overlaps; what touches is one range.
        (["tcp/80-90", "tcp/85-95", "tcp/96", "tcp/98"], 4, ["tcp dport { 80-96, 98 }"]),
        (["tcp/80-90", "tcp/82"], 4, ["tcp dport { 80-90 }"]),
        (["tcp/0-65535"], 4, ["tcp dport { 0-65535 }"]),
        (["tcp/1", "udp/2"], None, ["tcp dport { 1 }", "udp dport { 2 }"]),
        (["sctp/9"], None, ["sctp dport { 9 }"]),
        # A protocol without ports, or with all of them, swallows its ranges.
        (["tcp", "tcp/443"], 4, ["meta l4proto { 6 }"]),
        (["proto/47", "proto/50", "tcp/1"], 4, ["meta l4proto { 47, 50 }", "tcp dport { 1 }"]),
        # ICMP is of one family: in the other it says nothing.
        (["icmp/echo-request"], 4, ["icmp type { 8 }"]),
        (["icmp/echo-request"], 6, []),
        (["icmp6/echo-request"], 6, ["icmpv6 type { 128 }"]),
        (["icmp6/echo-request"], 4, []),
        (["icmp"], 6, []),
        (["icmp/8", "icmp6/128"], None, ["icmp type { 8 }", "icmpv6 type { 128 }"]),
    ],
)
def test_services_become_one_match_for_each_kind(
    services: list[str], version: int | None, lines: list[str]
) -> None:
    assert list(service_matches(terms(*services), version)) == lines


def test_a_step_between_whole_zones_asks_for_the_service_only() -> None:
    assert list(step_matches(step("tcp/443", "icmp/8"))) == ["icmp type { 8 }", "tcp dport { 443 }"]


def test_a_step_speaks_once_for_each_family_its_ends_have_in_common() -> None:
    both = step("tcp/443", sources=FOUR + SIX, destinations=FOUR + SIX)
    assert list(step_matches(both)) == [
        "ip saddr { 10.1.0.0/16, 10.9.9.9 } ip daddr { 10.1.0.0/16, 10.9.9.9 } tcp dport { 443 }",
        "ip6 saddr { 2001:db8::/32 } ip6 daddr { 2001:db8::/32 } tcp dport { 443 }",
    ]
    assert list(step_matches(step("tcp/443", sources=FOUR, destinations=SIX))) == []
    assert list(step_matches(step("any", sources=SIX))) == ["ip6 saddr { 2001:db8::/32 }"]
    assert list(step_matches(step("any", destinations=FOUR))) == ["ip daddr { 10.1.0.0/16, 10.9.9.9 }"]


def test_a_ping_of_the_other_family_is_not_a_match_of_everything() -> None:
    """An empty match means every packet: ICMP of IPv4 must not become that for an IPv6 end."""
    assert list(step_matches(step("icmp/echo-request", sources=SIX))) == []
    assert list(step_matches(step("icmp6/echo-request", "tcp/1", sources=FOUR))) == [
        "ip saddr { 10.1.0.0/16, 10.9.9.9 } tcp dport { 1 }"
    ]


def test_ends_without_a_single_address_match_nothing() -> None:
    assert list(step_matches(step("any", sources=()))) == []
    assert list(step_matches(step("any", sources=FOUR, destinations=()))) == []


def test_addresses_are_written_as_nft_takes_them() -> None:
    assert elements(FOUR) == "10.1.0.0/16, 10.9.9.9"
    assert address_match("daddr", (*FOUR, *SIX), 6) == "ip6 daddr { 2001:db8::/32 }"
    assert block("chain x", ["a", "b"]) == ["chain x {", "\ta", "\tb", "}"]


@pytest.mark.parametrize("outcome", list(Outcome))
@pytest.mark.parametrize("decided_by", [None, "F", "a" * 32])
def test_every_log_prefix_fits_the_kernel_and_is_read_back(outcome: Outcome, decided_by: str | None) -> None:
    for reason in Reason:
        prefix = log(outcome, reason, decided_by).split('"')[1]
        assert len(prefix.encode()) <= MAX_PREFIX_BYTES
        assert parse_prefix(prefix) == (outcome, reason, decided_by)
