"""Packets through a real kernel: its verdict, the flow it names and what arrives are those of `decide`."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

import pytest

from zones.verdict import ICMP, ICMP6, TCP, UDP

NOON = 1806462000.0  # 2027-03-31T12:00 in Tokyo, the town's present

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(90)]

GRE, SCTP = 47, 132
CITY: dict[str, Any] = {
    "services": {
        "ping": ["icmp/echo-request", "icmp6/echo-request"],
        "web": ["tcp/80", "tcp/443"],
        "wide": ["tcp/8000-8100", "udp/8000-8100"],
    },
    "groups": {
        "a-low": {"zone": "a", "networks": ["10.1.0.0/24", "2001:db8:1:0::/64"]},
        "b-low": {"zone": "b", "networks": ["10.2.0.0/25", "2001:db8:2::/64"]},
    },
    "names": {"inner": {"hosts": ["*.example.jp"], "zone": "b"}},
    "guards": [
        {"id": "G1", "from": "b", "to": "w"},
        {"id": "G2", "from": "w", "to": "a", "actions": ["allow"]},
        {"id": "G3", "from": "a", "to": "w", "actions": ["sanitize:web"]},
    ],
    "flows": [
        # Ties: the smallest id decides; a narrower one is no better than a wide one.
        {"id": "F10", "from": "a-low", "to": "b", "service": "web", "action": "allow"},
        {"id": "F09", "from": "a", "to": "b-low", "service": "tcp/443", "action": "allow"},
        {"id": "F11", "from": "alice", "to": "bob", "service": ["ping", "proto/47"], "action": "allow"},
        # Precedence: deny, file-transfer, render, sanitize, allow.
        {"id": "F20", "from": "a", "to": "b", "service": "wide", "action": "allow"},
        {"id": "F21", "from": "a", "to": "bea", "service": "tcp/8050-8060", "action": "deny"},
        {"id": "F22", "from": "a", "to": "b", "service": "tcp/8040-8055", "action": "render"},
        {"id": "F23", "from": "a", "to": "b", "service": "tcp/8030-8045", "action": "file-transfer"},
        {"id": "F24", "from": "a", "to": "b", "service": "tcp/8020", "action": "sanitize:web"},
        # Time: expired, out of hours, in hours, waiting for somebody.
        {"id": "F30", "from": "a", "to": "b", "service": "udp/53", "action": "allow",
         "expires": "2027-03-30"},
        {"id": "F31", "from": "a", "to": "b", "service": "udp/54", "action": "allow",
         "when": {"to": "09:00"}},
        {"id": "F32", "from": "a", "to": "b", "service": "udp/55", "action": "allow",
         "when": {"from": "09:00"}},
        {"id": "F33", "from": "a", "to": "b", "service": "udp/56", "action": "allow",
         "when": {"approval": {"people": 2, "max_minutes": 120}}},
        {"id": "F34", "from": "a", "to": "b", "service": "udp/54", "action": "allow", "mode": "disabled"},
        {"id": "F35", "from": "a", "to": "b", "service": "udp/53-55", "action": "allow", "mode": "audit"},
        # Inside one zone, outward, inward, to and from ourselves, by name only.
        {"id": "F40", "from": "a", "to": "a", "service": ["tcp/22", "ping"], "action": "allow"},
        {"id": "F41", "from": "a", "to": "w", "service": "any", "action": "allow"},
        {"id": "F42", "from": "a", "to": "w", "service": "tcp/80", "action": "sanitize:web"},
        {"id": "F43", "from": "w", "to": "bob", "service": "tcp/443", "action": "allow"},
        {"id": "F44", "from": "w", "to": "a", "service": "any", "action": "allow"},
        {"id": "F45", "from": ["a", "bob"], "to": "gateway", "service": "ping", "action": "allow"},
        {"id": "F46", "from": "w", "to": "inner", "service": "tcp/8101", "action": "allow"},
        {"id": "F47", "from": "b", "to": "a", "service": "sctp/99", "action": "allow"},
    ],
}  # fmt: skip
SERVICES = (
    *((TCP, port) for port in (22, 25, 80, 443, 8000, 8020, 8030, 8045, 8050, 8060, 8061, 8101)),
    *((UDP, port) for port in (53, 54, 55, 56, 443, 8100)),
    *((GRE, 0), (50, 0), (41, 0)),
)
ECHO = {4: [(ICMP, 8), (ICMP, 5), (ICMP, 13), (ICMP, 3)]}
ECHO[6] = [(ICMP6, kind) for kind in (128, 137, 1, 130, 134, 135, 143)]
DESTINATIONS = {
    4: [
        *("10.1.0.1", "10.1.1.1", "10.2.0.1", "10.2.0.2", "198.51.100.1", "203.0.113.9"),
        *(
            "10.1.0.254",
            "10.2.255.254",
            "198.51.100.254",
            "10.99.0.1",
            "10.99.0.254",
            "240.0.0.1",
            "169.254.9.9",
        ),
    ],
    6: [
        *("2001:db8:1::1", "2001:db8:1:1::1", "2001:db8:2::1", "2001:db8:2::2", "2001:db8:ffff::1"),
        *("2001:db8:1::fe", "2001:db8:2::fe", "2001:db8:ffff::fe", "fe80::99"),
    ],
}
HOSTS = ("alice", "amy", "bob", "bea", "wes")


def everything(packet: Callable[..., Any], town: Any) -> Iterator[Any]:
    for sender, version in product(HOSTS, (4, 6)):
        own = town.address(sender, version)
        for dst, (protocol, port) in product(DESTINATIONS[version], [*SERVICES, *ECHO[version]]):
            # Without ports, what goes back belongs to what went there.
            answer = protocol in (GRE, 50, 41) and sender in ("bob", "bea", "wes") and dst != "10.2.0.1"
            # Neighbour messages to ourselves are the link's own affair: tested apart.
            neighbour = (protocol, port) == (ICMP6, 135) and (dst == "fe80::99" or dst.endswith("::fe"))
            if dst != own and not answer and not neighbour:
                yield packet(sender, dst, protocol, port)


def test_every_host_to_every_address_by_every_service(town: Any, packet: Any) -> None:
    with town.enforce(CITY) as enforced:
        counts, found = enforced.differences(everything(packet, town))

    assert found[:20] == [], "\n".join(found)
    assert sum(counts.values()) > 2000
    assert set(counts) >= {
        *("allow flow", "deny flow", "deny guard", "deny default-deny", "deny expired", "deny outside-hours"),
        *("deny needs-approval", "deny use-render", "deny use-portal", "deny no-proxy", "deny management"),
        *("deny misrouted", "deny unknown-zone", "deny invalid-state", "sanitize:web flow"),
    }


PLAIN: dict[str, Any] = {
    "services": {"ping": ["icmp/echo-request", "icmp6/echo-request"]},
    "flows": [
        {"id": "F1", "from": "a", "to": ["b", "w"], "service": "any", "action": "allow"},
        {"id": "F2", "from": "bea", "to": "a", "service": "tcp/443", "action": "allow"},
        {"id": "F3", "from": ["a", "b"], "to": "gateway", "service": "ping", "action": "allow"},
    ],
}


def test_who_is_not_where_it_claims_to_be_is_refused_before_anything_else(town: Any, packet: Any) -> None:
    claimed = [
        *("10.2.0.1", "198.51.100.1", "203.0.113.7", "10.1.0.254", "10.1.1.254", "10.2.255.254", "10.99.0.1"),
        *("127.0.0.1", "0.0.0.0", "169.254.1.1", "224.0.0.9", "240.0.0.1", "255.255.255.255"),
    ]
    # Of `::1`, mapped and multicast sources the kernel's own IPv6 input lets nothing come as far as a rule.
    claimed6 = ["2001:db8:2::1", "2001:db8:ffff::1", "2001:db8:1::fe", "fe80::1", "::"]
    packets = [packet("alice", "10.2.0.1", TCP, 443, src=src) for src in claimed]
    packets += [packet("alice", "2001:db8:2::1", TCP, 443, src=src) for src in claimed6]
    packets += [packet("wes", "10.2.0.1", UDP, 9, src=src) for src in ("10.1.0.1", "10.2.0.2", "10.99.0.1")]
    with town.enforce(PLAIN) as enforced:
        counts, found = enforced.differences(packets)

    assert found == []
    assert counts == {"deny spoofed-source": len(packets)}


def test_a_host_with_a_fixed_mac_speaks_by_it_alone(town: Any, packet: Any) -> None:
    addresses = (("10.2.0.2", "10.1.0.1"), ("2001:db8:2::2", "2001:db8:1::1"))
    own = [packet("bea", dst, TCP, 443, src=src) for src, dst in addresses]
    forged = [packet("bob", dst, TCP, 443, src=src) for src, dst in addresses]
    with town.enforce(PLAIN) as enforced:
        assert enforced.differences(own) == ({"allow flow": 2}, [])
        assert enforced.differences(forged) == ({"deny spoofed-source": 2}, [])


def test_only_a_syn_opens_a_connection_and_only_a_question_gets_an_answer(town: Any, packet: Any) -> None:
    odd = ["A", "SA", "SF", "", "FPU", "R", "F", "PA", "SR"]
    packets = [packet("alice", dst, TCP, 443, flags=f) for dst in ("10.2.0.1", "2001:db8:2::1") for f in odd]
    packets += [packet("alice", "10.2.0.1", ICMP, kind) for kind in (0, 3, 4, 5, 11, 12, 14, 18)]
    packets += [packet("alice", "2001:db8:2::1", ICMP6, kind) for kind in (1, 2, 3, 4, 129, 133, 134, 137)]
    with town.enforce(PLAIN) as enforced:
        counts, found = enforced.differences(packets)

    assert found == []
    assert counts == {"deny invalid-state": len(packets)}


def test_neighbours_find_each_other_and_nobody_passes_as_one(town: Any, packet: Any) -> None:
    """Only hop limit 255 to the link itself makes a neighbour; the type alone must not open a way."""
    flush = "ip -6 neigh flush all; ip -6 neigh flush nud permanent || true"
    with town.enforce(PLAIN) as enforced:
        town.gateway(flush)
        town.lab.run("alice", ["sh", "-c", flush], timeout=10)
        assert town.probe("alice", "ping", "2001:db8:1::fe") == "answered"
        assert town.probe("alice", "ping", "2001:db8:2::1") == "answered"
        solicit = {"ttl": 255}
        forwarded = [packet("alice", "2001:db8:2::1", ICMP6, kind, more=solicit) for kind in (135, 136)]
        assert enforced.differences(forwarded) == ({"deny invalid-state": 2}, [])
        # Not of this link, though it says so: a router has had it in hands.
        remote = [packet("alice", "2001:db8:1::fe", ICMP6, kind, more={"ttl": 254}) for kind in (135, 136)]
        assert enforced.differences(remote) == ({"deny invalid-state": 2}, [])
        # As a neighbour of another zone, straight through the guards.
        spoofed = [
            packet("alice", dst, ICMP6, 136, src=src, more=solicit)
            for src in ("2001:db8:ffff::1", "fe80::1", "2001:db8:2::9")
            for dst in ("2001:db8:2::1", "2001:db8:2::fe")
        ]
        assert enforced.differences(spoofed) == ({"deny spoofed-source": 6}, [])


def test_a_datagram_in_pieces_is_one_packet(town: Any, packet: Any) -> None:
    pieces = {"payload_len": 3000, "fragment_bytes": 1400}
    with town.enforce(
        {"flows": [{"id": "F1", "from": "a", "to": "b", "service": "udp/9", "action": "allow"}]}
    ) as e:
        counts, found = e.differences(
            packet("alice", dst, UDP, port, more=pieces)
            for dst in ("10.2.0.1", "2001:db8:2::1")
            for port in (9, 10)
        )
        assert found == []
        assert counts == {"allow flow": 2, "deny default-deny": 2}
        # A piece without the others is held until it is forgotten, and no later one passes without the first.
        before = len(e.records())
        sent = e.send([packet("alice", "10.2.0.1", UDP, 9, more={"offset": 100, "payload_len": 64})])
        (number,) = sent
        assert number not in {record["id"] for record in e.records()[before:]}
        assert number not in {seen for _, seen, _, _ in town.arrivals()}


def test_replies_pass_a_guard_with_actions_and_die_at_one_without(town: Any, packet: Any) -> None:
    flows = [{"id": "F1", "from": "a", "to": "b", "service": ["tcp/443", "udp/443"], "action": "allow"}]
    conditional = {"guards": [{"id": "G1", "from": "b", "to": "a", "actions": ["allow"]}], "flows": flows}
    absolute = {"guards": [{"id": "G1", "from": "b", "to": "a"}], "flows": flows}
    for address, bound in (("10.2.0.1", "0.0.0.0"), ("2001:db8:2::1", "::")):
        with town.serving("bob", "web", 443, bound):
            with town.enforce(conditional) as enforced:
                assert town.probe("alice", "tcp", address, 443) == "answered"
                assert enforced.differences([packet("bob", town.address("alice"), TCP, 443)])[1] == []
            with town.enforce(absolute) as enforced:
                assert town.probe("alice", "tcp", address, 443, seconds=0.5) == "silent"
                enforced.settle()
                (refused,) = {
                    (record["src"], record["reason"], record["decided_by"], record["tcp_flags"])
                    for record in enforced.records()
                    if record["dst"] == town.address("alice", 6 if ":" in address else 4)
                }
                assert refused == (address, "guard", "G1", "SA")


def test_an_error_about_a_connection_reaches_who_opened_it_and_comes_only_from_where_it_leads(
    town: Any, packet: Any
) -> None:
    opened = {"flows": [{"id": "F1", "from": "a", "to": "b", "service": "udp", "action": "allow"}]}
    with town.enforce(opened) as enforced:
        assert town.probe("alice", "udp", "10.2.0.1", 9) == "refused"
        assert town.probe("alice", "udp", "2001:db8:2::1", 9) == "refused"
        for sender, reason, sport in (("bob", None, 7777), ("wes", "invalid-state", 7778)):
            for version, protocol in ((4, ICMP), (6, ICMP6)):
                here, there = town.address("alice", version), town.address("bob", version)
                first = packet("alice", there, UDP, 7, more={"sport": sport})
                assert enforced.differences([first])[1] == []
                quote = {"src": here, "dst": there, "sport": sport, "dport": 7}
                error = packet(sender, here, protocol, 3 if version == 4 else 1, more={"quote": quote})
                (number,) = enforced.send([error])
                said = {r["reason"] for r in enforced.records() if r["id"] == number and r["dst"] == here}
                assert said == ({reason} if reason else set())
                reached = (number, town.address(sender, version)) in {
                    (seen, src) for host, seen, src, _ in town.arrivals() if host == "alice"
                }
                assert reached == (reason is None)


def test_during_a_trial_passes_what_only_the_default_would_stop(town: Any, packet: Any) -> None:
    trial = {
        "meta": {"name": "town", "enforcement": {"audit_until": "2027-03-31"}},
        "guards": [
            {"id": "G1", "from": "b", "to": "w"},
            {"id": "G2", "from": "w", "to": "a", "actions": ["allow"]},
        ],
        "flows": [
            {"id": "F1", "from": "a", "to": "b", "service": "tcp/443", "action": "deny"},
            {"id": "F2", "from": "a", "to": "b", "service": "tcp/80", "action": "allow",
             "expires": "2027-01-01"},
            {"id": "F3", "from": "a", "to": "b", "service": "tcp/81", "action": "render"},
        ],
    }  # fmt: skip
    packets = [
        packet(sender, dst, TCP, port)
        for sender in ("alice", "bob", "wes")
        for dst in ("10.1.1.1", "10.2.0.1", "10.2.0.2", "198.51.100.1", "2001:db8:2::1", "10.1.0.254")
        for port in (22, 80, 81, 443)
        if dst != town.address(sender) and not (sender == "bob" and ":" in dst)
    ]
    with town.enforce(trial) as enforced:
        counts, found = enforced.differences(packets)
    assert found == []
    assert set(counts) >= {"allow would-deny", "deny guard", "deny flow", "deny expired", "deny use-render"}
    assert counts["deny default-deny"] >= 4  # the gateway itself takes part in no trial

    with town.enforce(trial, at=NOON + 86400) as enforced:
        counts, found = enforced.differences(packets)
    assert found == []
    assert "allow would-deny" not in counts


def test_a_trial_ends_in_the_kernel_too(town: Any, packet: Any) -> None:
    trial = {"meta": {"name": "town", "enforcement": {"audit_until": "2027-03-31"}}}
    with town.enforce(trial) as enforced, town.line("alice", "bob", "10.2.0.1", 7) as line:
        enforced.be(NOON + 12 * 3600 - 1.0)
        assert line.speak()
        enforced.wait_for(NOON + 12 * 3600)
        assert not line.speak(patience=0.4)
        counts, found = enforced.differences([packet("alice", "10.2.0.1", TCP, 9)])
    assert (counts, found) == ({"deny default-deny": 1}, [])


def test_a_flow_in_audit_mode_is_noted_and_opens_nothing(town: Any, packet: Any) -> None:
    audited = {
        "flows": [
            {"id": "F1", "from": "a", "to": "b", "service": "tcp/443", "action": "allow", "mode": "audit"},
            {
                "id": "F2",
                "from": "a",
                "to": "b",
                "service": ["tcp/25", "tcp/80"],
                "action": "allow",
                "mode": "audit",
            },
            {"id": "F3", "from": "alice", "to": "b", "service": "tcp/80", "action": "allow"},
            {"id": "F4", "from": "alice", "to": "bob", "service": "tcp/25", "action": "sanitize:mail"},
        ]
    }
    packets = [packet("alice", "10.2.0.1", TCP, port) for port in (443, 80, 25, 9)]
    with town.enforce(audited) as enforced:
        counts, found = enforced.differences(packets)
        noted = [(record["dport"], record["decided_by"]) for record in enforced.records("audited")]
    assert found == []
    assert counts == {"deny default-deny": 2, "allow flow": 1, "sanitize:mail flow": 1}
    assert noted == [(443, "F1"), (80, "F2"), (25, "F2")]


def test_the_management_segment_reaches_the_gateway_and_nothing_behind_it(town: Any, packet: Any) -> None:
    with town.enforce(PLAIN) as enforced:
        assert town.probe("adam", "ping", "10.99.0.254") == "answered"
        assert town.probe("adam", "tcp", "10.99.0.254", 22) == "refused"
        assert town.probe("alice", "tcp", "10.99.0.1", 22, seconds=0.3) == "silent"
        sent = enforced.send(
            [
                packet("adam", "10.2.0.1", TCP, 443),
                packet("adam", "10.99.0.254", TCP, 22, src="10.1.0.1"),
                packet("alice", "10.99.0.254", TCP, 22),
                packet("alice", "10.99.0.254", TCP, 22, src="10.99.0.1"),
            ]
        )
        said = {record["id"]: record["reason"] for record in enforced.records() if record["id"] in sent}
        assert list(said.values()) == ["default-deny", "spoofed-source", "management", "spoofed-source"]
        assert not any(number in sent for host, number, _, _ in town.arrivals() if host == "bob")


def test_mail_is_turned_to_the_proxy_and_nobody_reaches_it_otherwise(town: Any, packet: Any) -> None:
    mail = {
        "flows": [
            {"id": "F1", "from": "a", "to": "bob", "service": "tcp/25", "action": "sanitize:mail"},
            {"id": "F2", "from": "alice", "to": "bob", "service": "tcp/25", "action": "allow"},
            {"id": "F3", "from": "amy", "to": "bob", "service": "tcp/25", "action": "deny"},
            {"id": "F4", "from": "alice", "to": "bea", "service": "tcp/25", "action": "sanitize:mail",
             "when": {"to": "09:00"}},
        ]
    }  # fmt: skip
    packets = [
        packet(sender, dst, TCP, 25) for sender in ("alice", "amy") for dst in ("10.2.0.1", "2001:db8:2::1")
    ]
    packets += [packet("alice", "10.2.0.2", TCP, 25)]
    packets += [
        packet("alice", dst, TCP, port) for dst in ("10.1.0.254", "2001:db8:1::fe") for port in (25, 10025)
    ]
    with town.enforce(mail) as enforced:
        counts, found = enforced.differences(packets)
        # The proxy is not there in this test: the gateway's own stack answers, so it was turned to us.
        assert town.probe("alice", "tcp", "10.2.0.1", 25) == "refused"
        assert town.probe("alice", "tcp", "2001:db8:2::1", 25) == "refused"
        assert town.probe("alice", "tcp", "10.1.0.254", 10025, seconds=0.3) == "silent"
    assert found == []
    assert counts == {
        "sanitize:mail flow": 2,
        "deny flow": 2,
        "deny outside-hours": 1,
        "deny default-deny": 4,
    }
