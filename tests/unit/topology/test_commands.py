from __future__ import annotations

from topology.commands import Step, Tool, build, text
from topology.plan import EXAMPLE, load_plan

SIX = (
    EXAMPLE.replace("[192.0.2.0/25]", '[192.0.2.0/25, "2001:db8:1::/64"]')
    .replace(
        "left0: {segment: left, addresses: [192.0.2.126]}",
        'left0: {segment: left, addresses: [192.0.2.126, "2001:db8:1::fe"]}',
    )
    .replace("[192.0.2.1]", '[192.0.2.1, "2001:db8:1::1"]')
)


def steps(example: str = EXAMPLE) -> tuple[Step, ...]:
    return build(load_plan(example, "lab.yaml"))


def lines(namespace: str, tool: Tool, example: str = EXAMPLE) -> list[str]:
    return [line for step in steps(example) if step[:2] == (namespace, tool) for line in step.lines]


def test_the_same_plan_gives_the_same_commands() -> None:
    assert steps() == steps("# other layout\n" + EXAMPLE)


def test_a_host_gets_its_wire_address_and_way_out() -> None:
    assert "link add alice type veth peer name eth0 address 02:b9:07:c9:eb:44 netns alice" in lines(
        "switch", Tool.IP
    )
    assert lines("alice", Tool.IP) == [
        "link set lo up",
        "addr add 192.0.2.1/25 dev eth0",
        "link set eth0 up",
        "route add default via 192.0.2.126",
    ]


def test_segments_meet_nowhere_but_in_the_gateway() -> None:
    masters = [line.split() for line in lines("switch", Tool.IP) if " master " in line]
    assert {(words[2], words[4]) for words in masters} == {
        ("alice", "left"), ("left0", "left"), ("bob", "right"), ("right0", "right")
    }  # fmt: skip


def test_the_gateway_starts_closed_and_strict_on_every_interface() -> None:
    settings = lines("gateway", Tool.SYSCTL)
    # Changing ip_forward resets the rest of the family, so it comes first.
    assert settings[0] == "net.ipv4.ip_forward=0"
    for key in ("rp_filter=0", "arp_ignore=1", "arp_announce=2", "send_redirects=0", "accept_redirects=0"):
        for scope in ("all", "default", "left0", "right0"):
            assert f"net.ipv4.conf.{scope}.{key}" in settings
    assert "-net.netfilter.nf_conntrack_tcp_loose=0" in settings
    assert "-net.netfilter.nf_conntrack_acct=1" in settings
    assert "net.ipv4.ip_unprivileged_port_start=0" in settings


def test_ipv6_is_off_where_nobody_gave_an_address() -> None:
    assert "-net.ipv6.conf.eth0.disable_ipv6=1" in lines("alice", Tool.SYSCTL)
    assert "-net.ipv6.conf.eth0.disable_ipv6=0" in lines("alice", Tool.SYSCTL, SIX)
    assert "-net.ipv6.conf.eth0.disable_ipv6=1" in lines("bob", Tool.SYSCTL, SIX)


def test_an_ipv6_host_speaks_at_once_and_has_a_link_local_address() -> None:
    commands = lines("alice", Tool.IP, SIX)
    assert "addr add 2001:db8:1::1/64 dev eth0 nodad" in commands
    assert "addr add fe80::b9:7ff:fec9:eb44/64 dev eth0 nodad" in commands
    assert "route add default via 2001:db8:1::fe" in commands


def test_a_host_answers_for_its_extra_addresses() -> None:
    extra = EXAMPLE.replace(
        "[192.0.2.1]", "[192.0.2.1], extra_addresses: [203.0.113.0/24], default_route: none"
    )
    assert lines("alice", Tool.IP, extra)[-1] == "route add local 203.0.113.0/24 dev lo"


def test_offload_is_off_at_both_ends_of_every_wire() -> None:
    ends = [(step.namespace, *step.lines) for step in steps() if step.tool is Tool.OFFLOAD]
    assert ends == [
        ("switch", "left0", "right0", "alice", "bob"),
        ("gateway", "left0", "right0"),
        ("alice", "eth0"),
        ("bob", "eth0"),
    ]


def test_what_is_printed_could_be_typed() -> None:
    printed = list(text(steps()))
    assert printed[0] == "ip netns add switch"
    assert "ip netns exec alice ip addr add 192.0.2.1/25 dev eth0" in printed
    assert "ip netns exec gateway sysctl -w -e net.netfilter.nf_conntrack_acct=1" in printed
