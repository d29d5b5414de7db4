"""The order of the decision: place, guards, state, flows by rank; and what a connection keeps."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

import pytest

from zones import Connection, Outcome, PacketKey, Policy, Reason, State, Verdict, decide, parse_packet
from zones.expiry import start_of_day

if TYPE_CHECKING:
    from collections.abc import Callable

    Small = Callable[[str], Policy]

NOW = 1_790_000_000.0  # 2026-09-21
WEB = parse_packet("a:10.1.0.1 > b:10.2.0.1 tcp/443").key
BACK = parse_packet("b:10.2.0.1 > a:10.1.0.1 tcp/50000").key


def answer(policy: Policy, key: PacketKey, **more: object) -> tuple[str, str, str | None]:
    verdict = decide(policy, key, **{"now": NOW, **more})  # type: ignore[arg-type]
    return verdict.outcome, verdict.reason, verdict.decided_by


def test_nothing_said_is_a_deny(small: Small) -> None:
    assert answer(small(""), WEB) == ("deny", "default-deny", None)


def test_every_verdict_names_the_revision_and_both_zones(small: Small) -> None:
    policy = small("")

    verdict = decide(policy, WEB, now=NOW)

    assert (verdict.revision, verdict.source_zone, verdict.destination_zone) == (policy.revision, "a", "b")


# --- the packet's place --------------------------------------------------------------------------------

OPEN = """
flows:
  - {id: F1, from: [a, b, w], to: [a, b, w, gateway], service: any, action: allow}
"""


@pytest.mark.parametrize(
    ("packet", "reason"),
    [
        ("a:10.2.0.1 > b:10.2.0.2 tcp/443", "spoofed-source"),
        ("w:10.1.0.1 > b:10.2.0.2 tcp/443", "spoofed-source"),
        ("a:127.0.0.1 > b:10.2.0.2 tcp/443", "spoofed-source"),
        ("a:10.1.255.254 > b:10.2.0.2 tcp/443", "spoofed-source"),
        ("nowhere:10.1.0.1 > b:10.2.0.2 tcp/443", "spoofed-source"),
        ("127.0.0.1 > 10.2.0.2 tcp/443", "unknown-zone"),
        ("a:10.1.0.1 > 224.0.0.1 udp/5353", "unknown-zone"),
        ("a:10.1.0.1 > 255.255.255.255 udp/67", "unknown-zone"),
        ("w:2001:db8::1 > fe80::1 icmp6/echo-request", "unknown-zone"),
        ("w:2001:db8::1 > ::ffff:10.1.0.1 tcp/80", "unknown-zone"),
        ("a:10.1.0.1 > 10.2.255.254 tcp/22", "misrouted"),
        ("a:10.1.0.1 > 10.2.0.1 icmp/redirect", "invalid-state"),
        ("w:2001:db8::1 > 2001:db8::2 icmp6/nd-redirect", "invalid-state"),
    ],
)
def test_a_packet_in_the_wrong_place_is_refused_before_any_flow(
    small: Small, packet: str, reason: str
) -> None:
    assert answer(small(OPEN), parse_packet(packet).key)[:2] == ("deny", reason)


def test_our_own_address_on_the_senders_segment_is_the_gateway(small: Small) -> None:
    verdict = decide(small(OPEN), parse_packet("a:10.1.0.1 > 10.1.255.254 tcp/22").key, now=NOW)

    assert (verdict.outcome, verdict.destination_zone) == ("allow", "gateway")


def test_without_an_interface_the_zone_is_inferred_and_says_so(small: Small) -> None:
    verdict = decide(small(OPEN), parse_packet("10.1.0.1 > 10.2.0.1 tcp/443").key, now=NOW)

    assert verdict.passes
    assert verdict.zone_inferred


MAC = 'hosts:\n  a1: {zone: a, ip: 10.1.0.1, mac: "02:00:00:00:00:01"}\n'


@pytest.mark.parametrize(
    ("mac", "passes"), [("02:00:00:00:00:01", True), ("02:00:00:00:00:02", False), (None, True)]
)
def test_a_fixed_mac_counts_where_it_was_seen(small: Small, mac: str | None, passes: bool) -> None:
    assert decide(small(MAC + OPEN), WEB._replace(src_mac=mac), now=NOW).passes is passes


def test_management_is_never_reached(small: Small) -> None:
    policy = small("management: {interface: m0, networks: [10.99.0.0/24]}\n" + OPEN)

    assert answer(policy, parse_packet("a:10.1.0.1 > 10.99.0.5 tcp/22").key)[:2] == ("deny", "management")


# --- guards and state --------------------------------------------------------------------------------------


def test_a_guard_without_actions_drops_replies_too(small: Small) -> None:
    policy = small("guards:\n  - {id: G1, from: b, to: a}\n" + OPEN)

    assert answer(policy, WEB) == ("allow", "flow", "F1")
    assert answer(policy, BACK, connection=Connection(State.ESTABLISHED, "F1")) == ("deny", "guard", "G1")


def test_a_guard_with_actions_lets_replies_live(small: Small) -> None:
    policy = small("guards:\n  - {id: G1, from: b, to: a, actions: [allow]}\n" + OPEN)

    assert answer(policy, BACK) == ("deny", "guard", "G1")
    assert answer(policy, BACK, connection=Connection(State.ESTABLISHED, "F1")) == ("allow", "flow", "F1")


def test_of_several_guards_the_smallest_id_speaks(small: Small) -> None:
    policy = small("guards:\n  - {id: G2, from: a, to: b}\n  - {id: G1, from: a, to: b}\n" + OPEN)

    verdict = decide(policy, WEB, now=NOW)

    assert (verdict.decided_by, verdict.also) == ("G1", ("G2",))


def test_an_invalid_packet_never_passes(small: Small) -> None:
    assert answer(small(OPEN), WEB, connection=Connection(State.INVALID)) == ("deny", "invalid-state", None)


@pytest.mark.parametrize("state", [State.ESTABLISHED, State.RELATED])
def test_a_known_connection_lives_by_its_flow(small: Small, state: State) -> None:
    policy = small("flows:\n  - {id: F1, from: a, to: b, service: tcp/443, action: allow}")

    assert answer(policy, BACK, connection=Connection(state, "F1")) == ("allow", "flow", "F1")
    assert answer(policy, BACK, connection=Connection(state, "F2")) == ("deny", "default-deny", None)
    assert answer(policy, BACK, connection=Connection(state, None)) == ("deny", "default-deny", None)


@pytest.mark.parametrize("mode", ["audit", "disabled"])
def test_a_connection_ends_when_its_flow_leaves_enforcement(small: Small, mode: str) -> None:
    policy = small(f"flows:\n  - {{id: F1, from: a, to: b, service: tcp/443, action: allow, mode: {mode}}}")

    assert answer(policy, BACK, connection=Connection(State.ESTABLISHED, "F1"))[0] == "deny"


# --- flows by rank -----------------------------------------------------------------------------------------

BY_RANK = ["deny", "file-transfer", "render", "sanitize:web", "allow"]
MEANS = {
    "deny": ("deny", "flow"),
    "file-transfer": ("deny", "use-portal"),
    "render": ("deny", "use-render"),
    "sanitize:web": ("sanitize:web", "flow"),
    "allow": ("allow", "flow"),
}


@pytest.mark.parametrize("first", range(len(BY_RANK)))
def test_the_stricter_action_decides_whatever_the_ids_are(small: Small, first: int) -> None:
    lines = [
        f'  - {{id: F{9 - rank}, from: a, to: b, service: tcp/443, action: "{action}"}}'
        for rank, action in enumerate(BY_RANK)
        if rank >= first
    ]
    policy = small("flows:\n" + "\n".join(lines))

    assert answer(policy, WEB) == (*MEANS[BY_RANK[first]], f"F{9 - first}")


MAIL = """
flows:
  - {id: F1, from: b, to: a, service: tcp/25, action: "sanitize:mail"}
"""


def test_sanitised_mail_is_redirected_and_its_second_half_is_ours(small: Small) -> None:
    policy = small(MAIL)
    ours = parse_packet("gateway:10.1.255.254 > a:10.1.0.25 tcp/25").key

    assert answer(policy, parse_packet("b:10.2.0.25 > a:10.1.0.25 tcp/25").key) == (
        "sanitize:mail",
        "flow",
        "F1",
    )
    assert answer(policy, ours) == ("allow", "flow", "F1")
    assert answer(policy, ours._replace(dport=80)) == ("deny", "default-deny", None)


def test_audit_flows_are_listed_and_decide_nothing(small: Small) -> None:
    policy = small(
        """
        flows:
          - {id: F1, from: a, to: b, service: tcp/443, action: allow, mode: audit}
          - {id: F2, from: a, to: b, service: tcp/443, action: deny, mode: audit}
          - {id: F3, from: a, to: b, service: tcp/443, action: allow, mode: disabled}
        """
    )

    verdict = decide(policy, WEB, now=NOW)

    assert (verdict.reason, verdict.audited) == (Reason.DEFAULT_DENY, ("F1", "F2"))


def test_a_flow_to_a_domain_name_never_matches_an_address(small: Small) -> None:
    policy = small(
        """
        names: {saas: {hosts: ["*.example.jp"]}}
        flows: [{id: F1, from: a, to: saas, service: tcp/443, action: allow}]
        """
    )

    assert answer(policy, parse_packet("a:10.1.0.1 > w:203.0.113.1 tcp/443").key) == (
        "deny",
        "no-proxy",
        "F1",
    )
    assert answer(policy, parse_packet("a:10.1.0.1 > w:203.0.113.1 tcp/80").key)[1] == "default-deny"


# --- time --------------------------------------------------------------------------------------------------

SEASONAL = """
flows:
  - {id: F1, from: a, to: b, service: tcp/443, action: allow, expires: 2027-03-31}
"""


def test_a_flow_counts_through_its_last_day_and_not_a_second_longer(small: Small) -> None:
    policy = small(SEASONAL)
    midnight = start_of_day(date(2027, 4, 1), policy.timezone)

    assert answer(policy, WEB, now=midnight - 1) == ("allow", "flow", "F1")
    assert answer(policy, WEB, now=midnight) == ("deny", "expired", "F1")


def test_expiry_ends_running_connections(small: Small) -> None:
    policy = small(SEASONAL)
    running = Connection(State.ESTABLISHED, "F1")
    midnight = start_of_day(date(2027, 4, 1), policy.timezone)

    assert answer(policy, BACK, now=midnight - 1, connection=running)[0] == "allow"
    assert answer(policy, BACK, now=midnight, connection=running) == ("deny", "expired", "F1")


def test_where_one_flow_has_expired_another_may_still_allow(small: Small) -> None:
    policy = small(
        SEASONAL + "  - {id: F2, from: a, to: b, service: tcp/443, action: allow, expires: 2028-03-31}\n"
    )
    after = start_of_day(date(2027, 4, 1), policy.timezone)

    assert answer(policy, WEB, now=after) == ("allow", "flow", "F2")


def test_a_trial_lets_pass_only_what_the_default_would_refuse(small: Small) -> None:
    policy = small(
        """
        flows:
          - {id: D1, from: a, to: b, service: tcp/445, action: deny}
          - {id: F1, from: a, to: b, service: tcp/80, action: "sanitize:web"}
        guards: [{id: G1, from: b, to: a}]
        """
    )
    trial = _in_trial(policy)

    assert answer(trial, WEB) == ("allow", "would-deny", None)
    assert answer(trial, WEB._replace(dport=445)) == ("deny", "flow", "D1")
    assert answer(trial, WEB._replace(dport=80)) == ("sanitize:web", "flow", "F1")
    assert answer(trial, BACK) == ("deny", "guard", "G1")
    assert answer(trial, parse_packet("a:10.1.0.1 > 10.1.255.254 tcp/22").key)[0] == "deny"
    assert answer(trial, WEB, now=NOW + 2 * 86400) == ("deny", "default-deny", None)


def _in_trial(policy: Policy) -> Policy:
    return replace(policy, audit_until_at=NOW + 86400)


def test_verdicts_say_whether_they_let_the_packet_on() -> None:
    assert [Verdict(outcome, Reason.FLOW).passes for outcome in Outcome] == [True, False, True, True]


def test_an_expired_sanitize_flow_does_not_hand_its_mail_to_a_wider_allow(small: Small) -> None:
    policy = small(
        """
        flows:
          - {id: F1, from: a, to: b, service: tcp/25, action: "sanitize:mail", expires: 2027-03-31}
          - {id: F2, from: a, to: b, service: any, action: allow}
        """
    )
    mail = parse_packet("a:10.1.0.1 > b:10.2.0.1 tcp/25").key
    last_day, next_day = (start_of_day(date(2027, *day), policy.timezone) for day in ((3, 31), (4, 1)))

    assert answer(policy, mail, now=last_day) == ("sanitize:mail", "flow", "F1")
    assert answer(policy, mail, now=next_day) == ("deny", "expired", "F1")
