"""The table of a policy as text: complete, deterministic, closed where the policy says nothing."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from gateway.kernel.nftables import HOOKED, closed_ruleset, compile_ruleset, revision_chain
from gateway.kernel.staging import CLOSED_TABLE, TABLES
from zones.load import load_policy, read_policy
from zones.verdict import Reason

pytestmark = pytest.mark.timeout(60)

NOON = 1806462000.0
CITY = Path(__file__).parents[4] / "examples/sample-city"
ZONES = {
    "a": {
        "interfaces": ["a0", "a1"],
        "networks": ["10.1.0.0/16", "2001:db8:1::/48"],
        "gateway": ["10.1.0.254", "2001:db8:1::fe"],
    },
    "b": {"interfaces": ["b0"], "networks": ["10.2.0.0/16"], "gateway": ["10.2.0.254"]},
    "w": {"interfaces": ["w0"], "networks": ["0.0.0.0/0", "::/0"], "class": "outside"},
}


def compiled(*flows: dict[str, Any], mail_port: int = 10025, now: float = NOON, **sections: Any) -> str:
    whole = [
        {"id": f"F{n}", "from": "a", "to": "b", "action": "allow", **flow} for n, flow in enumerate(flows)
    ]
    document = {"schema": "1", "meta": {"name": "x"}, "zones": ZONES, "flows": whole, **sections}
    policy = load_policy({"x.yaml": json.dumps(document)})
    return compile_ruleset(policy, now=now, mail_port=mail_port).text()


def chain(text: str, name: str) -> list[str]:
    """Return the rules of a chain."""
    blocks = re.findall(rf"^\tchain {re.escape(name)} \{{\n(.*?)^\t\}}", text, re.MULTILINE | re.DOTALL)
    return [line.strip() for block in blocks for line in block.splitlines()]


def nft_takes(text: str) -> None:
    """Have the real nft check a text, in a namespace where it may."""
    if not all(shutil.which(tool) for tool in ("unshare", "nft")):
        pytest.skip("needs unshare and nft")
    done = subprocess.run(
        ["unshare", "--user", "--map-root-user", "--net", "nft", "-c", "-f", "-"],
        input=text,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr[:500]


@pytest.mark.kernel
@pytest.mark.parametrize(
    "flows",
    [
        [],
        [{"service": "any"}],
        [{"service": "tcp/25", "action": "sanitize:mail"}],
        [{"service": ["icmp", "icmp6", "tcp/1-9", "udp", "sctp/3", "proto/47"], "expires": "2027-03-31"}],
        [{"service": "tcp/443", "action": a} for a in ("deny", "render", "file-transfer", "sanitize:web")],
        [{"service": "tcp/1", "when": {"to": "09:00"}}, {"service": "tcp/1", "mode": "audit"}],
        [{"service": "tcp/1", "from": "gateway"}, {"service": "udp/1", "from": "w", "to": "gateway"}],
    ],
)  # fmt: skip
def test_nft_takes_what_we_write(flows: list[dict[str, Any]]) -> None:
    nft_takes(compiled(*flows))


@pytest.mark.kernel
def test_nft_takes_every_name_a_policy_may_hold() -> None:
    zones = {
        "accept": {"interfaces": ["drop"], "networks": ["10.1.0.0/16"], "class": "other"},
        "9-a.b_c": {"interfaces": ["e.7"], "networks": ["10.2.0.0/16"], "gateway": ["10.2.0.1"]},
        "x" * 32: {"interfaces": ["any"], "networks": ["::/0"]},
    }
    flow = {"service": "tcp/25", "action": "sanitize:mail", "expires": "2027-03-31"}
    flows = [
        {"id": "fwd", "from": "accept", "to": "9-a.b_c", **flow},
        {"id": "1.2-3_4", "from": "9-a.b_c", "to": "accept", **flow},
        {"id": "y" * 32, "from": "accept", "to": "9-a.b_c", "service": "any", "action": "allow"},
    ]
    guards = [{"id": "add", "from": "accept", "to": "x" * 32}]
    document = {"schema": "1", "meta": {"name": "x"}, "zones": zones, "flows": flows, "guards": guards}
    policy = load_policy({"x.yaml": json.dumps(document)})
    nft_takes(compile_ruleset(policy, now=NOON, mail_port=10025).text())


@pytest.mark.kernel
def test_nft_takes_the_ruleset_that_lets_nothing_pass() -> None:
    nft_takes(closed_ruleset().text())


def test_closed_means_that_every_hook_drops_all_but_ourselves() -> None:
    made = closed_ruleset()
    assert made.table == CLOSED_TABLE
    assert made.swap.count("policy drop;") == 4
    assert "accept" not in re.sub(r"[io]ifname lo accept", "", made.swap)


def test_every_hook_of_a_policy_drops_what_nobody_lets_pass() -> None:
    text = compiled({"service": "tcp/1"})
    for name in HOOKED:
        (declared, *_) = chain(text, name)
        # The nat chain turns connections; what it leaves alone is judged in `forward`.
        assert declared.endswith("policy accept;" if name == "mail" else "policy drop;")
    for name in ("ingress", "forward", "input", "output"):
        assert chain(text, name)[-1].startswith("goto r_")


@pytest.mark.checkout
def test_equal_policies_at_the_same_moment_give_equal_text_and_name_their_revision() -> None:
    policy = read_policy(CITY)
    one, other = (compile_ruleset(policy, now=NOON, mail_port=1) for _ in range(2))
    assert one == other
    assert f"chain {revision_chain(policy.revision)} {{ }}" in one.text()
    second = compile_ruleset(policy, now=NOON, mail_port=1, table=TABLES[1])
    assert second.text().replace(TABLES[1], TABLES[0]).count("\n") == one.text().count("\n")


def test_every_reason_guard_and_flow_has_a_counter_and_only_once() -> None:
    text = compiled(
        {"service": "tcp/1"},
        {"service": "tcp/2", "mode": "audit"},
        {"service": "tcp/3", "mode": "disabled"},
        guards=[{"id": "G1", "from": "a", "to": "w"}],
    )
    counters = re.findall(r"counter (\S+) \{", text)
    assert sorted(counters) == sorted({*(f"r_{reason}" for reason in Reason), "f_F0", "f_F1", "f_G1"})


def test_guards_stand_before_connection_tracking_and_judge_every_packet() -> None:
    text = compiled({"service": "any"}, guards=[{"id": "G1", "from": "a", "to": "b"}])
    rules = chain(text, "from_a")
    assert "ip daddr @z_b_4 goto g_G1" in rules
    assert "ip6 daddr @z_b_6 goto g_G1" in rules
    assert rules.index("ip daddr @z_b_4 goto g_G1") < rules.index("accept")
    assert "hook prerouting priority raw" in text
    # Spoofed stands above guards.
    assert rules.index("ip saddr != @z_a_4 goto r_spoofed-source") < rules.index("ip daddr @z_b_4 goto g_G1")


def test_a_guard_with_actions_is_no_rule_for_every_packet() -> None:
    text = compiled({"service": "any"}, guards=[{"id": "G1", "from": "a", "to": "b", "actions": ["allow"]}])
    assert not any("g_G1" in rule for rule in chain(text, "from_a"))
    assert any("g_G1" in rule for rule in chain(text, "p_a/b"))


def test_a_zone_without_a_family_lets_none_of_it_in() -> None:
    text = compiled({"service": "any"})
    assert "ip6 saddr != @z_b_6 goto r_spoofed-source" in chain(text, "from_b")
    assert re.search(r"set z_b_6 \{\s+type ipv6_addr\s+flags interval\s+\}", text)
    assert not any("nd-neighbor" in rule for rule in chain(text, "from_b"))


def test_neighbour_messages_are_taken_by_the_link_and_for_the_link_only() -> None:
    rules = chain(compiled({"service": "any"}), "from_a")
    neighbours = [rule for rule in rules if "nd-neighbor" in rule]
    assert len(neighbours) == 2
    assert all("hoplimit 255" in rule for rule in neighbours)
    assert all("ip6 daddr { fe80::/10, ff02::/16, 2001:db8:1::fe }" in rule for rule in neighbours)
    spoofed = rules.index("ip6 saddr != @z_a_6 goto r_spoofed-source")
    before, after = (rules.index(rule) for rule in neighbours)
    assert before < spoofed < after
    assert rules[before].startswith("ip6 saddr { ::, fe80::/10 }")


def test_mail_is_turned_only_where_nothing_outranks_it() -> None:
    text = compiled(
        {"service": "tcp/25", "action": "sanitize:mail"},
        {"service": "tcp/20-30", "action": "deny"},
        {"service": "any", "action": "allow"},
        {"service": "tcp/587", "action": "sanitize:mail", "expires": "2027-03-31"},
    )
    rules = chain(text, "m_a/b")
    assert rules[0].endswith("return")
    assert "goto t_a/b/F0" in rules[1]
    assert "@live goto t_a/b/F3" in rules[2]
    assert len(rules) == 3
    assert chain(text, "t_a/b/F0")[-1].endswith("redirect to :10025")
    assert sum("goto m_a/b" in rule for rule in chain(text, "mail")) == 2  # one for each interface, IPv4 only


def test_during_a_trial_every_pair_of_zones_has_a_way_and_the_gateway_none() -> None:
    trial = {"name": "x", "enforcement": {"audit_until": "2027-12-31"}}
    text = compiled({"service": "tcp/1"}, meta=trial)
    (pairs,) = [rule for rule in chain(text, "forward") if rule.startswith("iifname . oifname vmap")]
    assert pairs.count(": jump trial") == 4 * 4 - 2  # all pairs of interfaces but a0, a1 → b0
    assert pairs.count(": goto p_a/b") == 2
    assert "jump trial" in chain(text, "p_a/b")
    assert not any("trial" in rule for name in ("input", "output") for rule in chain(text, name))
    assert "trial" not in compiled({"service": "tcp/1"})


def test_the_management_segment_comes_in_by_its_own_interface_only() -> None:
    text = compiled({"service": "any"}, management={"interface": "ad0", "networks": ["10.99.0.0/24"]})
    rules = chain(text, "ingress")
    assert rules[2:4] == [
        'iifname "ad0" ip saddr { 10.99.0.0/24 } accept',
        'iifname "ad0" goto r_spoofed-source',
    ]
    assert all("ip daddr { 10.99.0.0/24 } goto r_management" in chain(text, f"from_{z}") for z in "abw")
    assert not any("ad0" in rule for rule in chain(text, "forward"))


def test_unmarked_connections_of_our_own_pass_only_by_flows_from_the_gateway() -> None:
    text = compiled(
        {"service": "tcp/25", "action": "sanitize:mail"},
        {"service": "udp/123", "from": "gateway", "to": "w"},
    )
    (mail,) = [rule for rule in chain(text, "p_gateway/b") if "jump f_F0" in rule]
    assert mail.startswith("meta mark 0x")
    assert chain(text, "p_gateway/w")[0] == "udp dport { 123 } jump f_F1"
    assert chain(text, "output")[-1] == "goto r_default-deny"


def test_an_expiring_flow_carries_its_time_and_one_that_has_expired_is_not_there() -> None:
    def live(now: float) -> list[str]:
        text = compiled({"service": "tcp/1", "expires": "2027-03-31"}, {"service": "tcp/1"}, now=now)
        (listed,) = re.findall(r"set live \{.*?elements = \{ (.*?) \}", text, re.DOTALL)
        return [str(entry) for entry in listed.split(", ")]

    assert [" timeout 43200s0ms" in entry for entry in live(NOON)] == [True, False]
    assert [" timeout " in entry for entry in live(NOON + 43200)] == [False]
