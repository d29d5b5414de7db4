"""A policy in force: time works in the kernel, with the enforcer dead, and nothing opens by accident."""

from __future__ import annotations

import json
import re
import signal
from typing import Any

import pytest

from zones.verdict import TCP, UDP

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(60)]

NOON = 1806462000.0  # 2027-03-31T12:00 in Tokyo
MIDNIGHT = NOON + 12 * 3600
QUARTER_PAST_FIVE = NOON + 5.25 * 3600


def flow(flow_id: str, service: str, **more: object) -> dict[str, object]:
    return {"id": flow_id, "from": "a", "to": "b", "service": service, "action": "allow", **more}


EXPIRING = {"flows": [flow("F1", "tcp/7", expires="2027-03-31"), flow("F2", "tcp/8")]}
IN_HOURS = {"flows": [flow("F1", "tcp/7", when={"days": "mon-fri", "from": "08:30", "to": "17:15"})]}


def verdicts(enforced: Any, *packets: Any) -> list[tuple[str, str | None]]:
    """Send packets, and return reason and flow the kernel named for each."""
    sent = enforced.send(packets)
    said = {record["id"]: (record["reason"], record["decided_by"]) for record in enforced.records()}
    return [said[number] for number in sent]


def test_an_expiring_flow_is_cut_in_the_kernel_with_nobody_there(town: Any, packet: Any) -> None:
    with (
        town.enforce(EXPIRING) as enforced,
        town.line("alice", "bob", "10.2.0.1", 7) as expiring,
        town.line("amy", "bob", "10.2.0.1", 8) as lasting,
    ):
        enforced.be(MIDNIGHT - 1.5)
        enforced.program.process.send_signal(signal.SIGKILL)
        enforced.program.process.wait(10)
        assert expiring.speak()
        enforced.wait_for(MIDNIGHT)
        assert not expiring.speak(patience=0.6)
        assert lasting.speak()
        # New ones neither: nobody is there to log, but nothing arrives.
        assert town.probe("alice", "tcp", "10.2.0.1", 7, seconds=0.3) == "silent"
        assert town.probe("alice", "udp", "10.2.0.1", 8, seconds=0.3) == "silent"
        assert town.probe("amy", "tcp", "10.2.0.1", 8, seconds=3.0) == "open"


def kernels_end(town: Any, enforced: Any) -> tuple[float, float]:
    """Return when the one expiring flow ends by the kernel's own clock: no earlier, no later than."""
    earliest = enforced.now
    text = town.gateway("nft list sets")
    found = re.search(r"expires (?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?", text)
    assert found is not None, text
    days, hours, minutes, seconds, rest = (int(part or 0) for part in found.groups())
    left = ((days * 24 + hours) * 60 + minutes) * 60 + seconds + rest / 1000
    return earliest + left, enforced.now + left


def test_until_its_last_moment_a_flow_is_open_and_then_says_why_it_is_not(town: Any, packet: Any) -> None:
    asked = packet("alice", "10.2.0.1", TCP, 7)
    with town.enforce(EXPIRING) as enforced:
        # Loading took a while; the flow must not live on for it.
        earliest, latest = kernels_end(town, enforced)
        assert earliest - 0.1 < MIDNIGHT < latest + 0.1
        enforced.be(MIDNIGHT - 0.8)
        assert verdicts(enforced, asked) == [("flow", "F1")]
        enforced.wait_for(MIDNIGHT)
        assert verdicts(enforced, asked) == [("expired", "F1")]


def test_a_large_allowlist_loads_whole_and_none_of_its_flows_lives_longer_for_it(
    town: Any, packet: Any
) -> None:
    """In a user namespace one transaction could not hold it; built in pieces, it takes its time."""
    count = 2000
    groups = {f"g{n}": {"zone": "a", "networks": [f"10.1.{n // 250 + 2}.{n % 250}/32"]} for n in range(count)}
    flows = [flow(f"F{n:04}", f"tcp/{n + 1}", expires="2027-03-31") | {"from": f"g{n}"} for n in range(count)]
    flows.append(flow("F9999", "tcp/9999"))
    with town.enforce({"groups": groups, "flows": flows}) as enforced:
        earliest, latest = kernels_end(town, enforced)
        assert earliest - 0.3 < MIDNIGHT < latest + 0.3
        asked = [packet("alice", "10.2.0.1", TCP, port) for port in (9999, 2000)]
        assert verdicts(enforced, *asked) == [("flow", "F9999"), ("default-deny", None)]
        last = packet("alice", "10.2.0.1", TCP, count, src="10.1.9.249")
        assert verdicts(enforced, last) == [("flow", "F1999")]
        enforced.be(MIDNIGHT)
        assert verdicts(enforced, last, asked[0]) == [("expired", "F1999"), ("flow", "F9999")]


def test_hours_end_by_themselves_and_begin_with_the_next_renewal(town: Any, packet: Any) -> None:
    asked = packet("alice", "10.2.0.1", TCP, 7)
    with town.enforce(IN_HOURS) as enforced, town.line("amy", "bob", "10.2.0.1", 7) as line:
        enforced.be(QUARTER_PAST_FIVE - 1.0)
        assert verdicts(enforced, asked) == [("flow", "F1")]
        assert line.speak()
        enforced.wait_for(QUARTER_PAST_FIVE)
        assert verdicts(enforced, asked) == [("outside-hours", "F1")]
        assert not line.speak(patience=0.4)
        # The next morning.
        enforced.order("ahead", enforced.ahead + 15.5 * 3600)
        assert verdicts(enforced, asked) == [("outside-hours", "F1")]
        enforced.order("renew")
        assert verdicts(enforced, asked) == [("flow", "F1")]


def test_a_clock_that_is_set_moves_the_end_of_every_flow(town: Any, packet: Any) -> None:
    """A gateway that started with a wrong clock must not keep to the ends it computed then."""
    asked = packet("alice", "10.2.0.1", TCP, 7)
    with town.enforce(EXPIRING) as enforced, town.line("alice", "bob", "10.2.0.1", 7) as line:
        # Set back by a day and forward by half of one: the end is always the policy's.
        enforced.be(NOON - 86400)
        assert line.speak()
        earliest, latest = kernels_end(town, enforced)
        assert earliest - 0.1 < MIDNIGHT < latest + 0.1
        enforced.be(MIDNIGHT + 60)
        assert verdicts(enforced, asked) == [("expired", "F1")]
        assert not line.speak(patience=0.4)
        # And back again, as by an operator who mistyped the date.
        enforced.be(NOON)
        assert verdicts(enforced, asked) == [("flow", "F1")]


@pytest.fixture(autouse=True)
def _closed_before(town: Any) -> None:
    """Begin closed: a test that killed its enforcer has left a policy in force."""
    town.close_gates()


def test_a_killed_enforcer_leaves_the_ruleset_and_the_next_one_takes_it_over(town: Any, packet: Any) -> None:
    with town.enforce(EXPIRING) as enforced, town.line("alice", "bob", "10.2.0.1", 8) as line:
        # What somebody did to the table meanwhile does not outlive the take-over.
        town.gateway("nft insert rule inet masugata_a forward accept")
        assert enforced.order("reopen") == "done"
        assert line.speak()
        assert town.gateway("nft list tables").split() == ["table", "inet", "masugata_b"]
        assert verdicts(enforced, packet("alice", "10.2.0.1", TCP, 9)) == [("default-deny", None)]
        assert town.gateway("cat /proc/sys/net/ipv4/ip_forward").strip() == "1"


def test_another_policy_forgets_the_connections_of_the_one_before(town: Any) -> None:
    with town.enforce(EXPIRING) as enforced:
        enforced.program.kill()
    with (
        town.enforce({"flows": [flow("F2", "tcp/8", owner="somebody else")]}),
        town.line("alice", "bob", "10.2.0.1", 8) as line,
    ):
        assert line.speak()
        count = town.gateway("cat /proc/sys/net/netfilter/nf_conntrack_count")
        assert int(count) < 20


def test_closed_nothing_passes_and_nothing_is_forwarded(town: Any) -> None:
    with town.enforce(EXPIRING) as enforced:
        assert town.probe("alice", "tcp", "10.2.0.1", 8) == "refused"
        assert enforced.program.process.poll() is None
    assert town.gateway("nft list tables").split() == ["table", "inet", "masugata_closed"]
    assert town.gateway(
        "cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv6/conf/all/forwarding"
    ).split() == [
        "0",
        "0",
    ]
    assert town.probe("alice", "ping", "10.1.0.254", seconds=0.3) == "silent"


BROKEN = """
from gateway.kernel.host import list_chains, put_in_force
from gateway.kernel.staging import Ruleset, stage
from zones.errors import BackendError
begun = "table inet masugata_b { chain x { } }"
broken = {
    "stage": Ruleset(table="masugata_b", stages=(begun, "nonsense"), swap=""),
    "swap": Ruleset(table="masugata_b", stages=(begun,), swap="nonsense"),
}
for name, ruleset in broken.items():
    try:
        put_in_force(ruleset)
    except BackendError as error:
        print(name, error.code, len(list_chains("masugata_a")) > 5, list_chains("masugata_b"))
"""


def test_a_ruleset_that_does_not_load_leaves_the_one_in_force(town: Any, packet: Any) -> None:
    with town.enforce(EXPIRING) as enforced:
        done = town.lab.run("gateway", [*python(), BROKEN], timeout=20)
        assert done.stdout.splitlines() == ["stage tool-failed True set()", "swap tool-failed True set()"]
        assert verdicts(enforced, packet("alice", "10.2.0.1", TCP, 8)) == [("flow", "F2")]


UNSURE = """
from gateway.kernel import host
from gateway.kernel.nftables import closed_ruleset
from zones.errors import BackendError
load, seen = host.load_ruleset, []
def killed_after_its_commit(text):
    load(text)
    if "hook" in text:
        raise BackendError("tool-timeout", tool="nft", seconds=30)
host.load_ruleset = killed_after_its_commit
try:
    host.put_in_force(closed_ruleset())
except BackendError as error:
    print(error.code, sorted(host.list_chains("masugata_closed")))
"""


def test_a_swap_that_only_seemed_to_fail_is_not_undone(town: Any) -> None:
    """Without the others, the table just swapped in is all that stands between the segments."""
    with town.enforce(EXPIRING):
        done = town.lab.run("gateway", [*python(), UNSURE], timeout=20)
        assert done.stdout.strip() == "tool-timeout ['forward', 'input', 'output', 'prerouting']", done.stderr


def python() -> list[str]:
    import sys

    return [sys.executable, "-c"]


OURS: dict[str, Any] = {
    "services": {"ping": ["icmp/echo-request", "icmp6/echo-request"]},
    "flows": [
        {"id": "F1", "from": "a", "to": "bob", "service": "tcp/25", "action": "sanitize:mail"},
        {"id": "F2", "from": "w", "to": "bea", "service": "tcp/587", "action": "sanitize:mail",
         "when": {"to": "09:00"}},
        {"id": "F3", "from": "gateway", "to": "w", "service": "udp/123", "action": "allow"},
        {"id": "F4", "from": "a", "to": "b", "service": "any", "action": "allow"},
    ],
}  # fmt: skip


def test_our_own_connections_lead_only_where_their_mark_says(town: Any) -> None:
    with town.enforce(OURS) as enforced:
        number = {entry.id: entry.number for entry in enforced.policy.flows}

        def connect(flow_id: str | None, address: str, port: int) -> str:
            mark = number[flow_id] if flow_id else 0
            return str(enforced.order("mark", mark, 6 if ":" in address else 4, address, port))

        # Refused by the far end's own kernel: the SYN has passed. Silent: it has not.
        assert connect("F1", "10.2.0.1", 25) == "Connection refused"
        assert connect("F1", "2001:db8:2::1", 25) == "Connection refused"
        assert connect("F1", "10.2.0.2", 25) == "silent"
        assert connect("F1", "10.2.0.1", 26) == "silent"
        assert connect("F1", "198.51.100.1", 25) == "silent"
        assert connect(None, "10.2.0.1", 25) == "silent"
        assert connect("F4", "10.2.0.1", 443) == "silent"
        assert connect("F2", "10.2.0.2", 587) == "silent"
        enforced.settle()
        ours = {
            (r["dst"], r["dport"], r["outcome"], r["reason"], r["decided_by"])
            for r in enforced.records()
            if r["hook"] == "output" and r.get("dport")
        }
        assert ours == {
            ("10.2.0.1", 25, "allow", "flow", "F1"),
            ("2001:db8:2::1", 25, "allow", "flow", "F1"),
            ("10.2.0.1", 25, "deny", "default-deny", None),
            ("10.2.0.2", 25, "deny", "default-deny", None),
            ("10.2.0.1", 26, "deny", "default-deny", None),
            ("198.51.100.1", 25, "deny", "default-deny", None),
            ("10.2.0.1", 443, "deny", "default-deny", None),
            ("10.2.0.2", 587, "deny", "outside-hours", "F2"),
        }


def test_the_gateway_itself_asks_and_answers_only_what_flows_allow(town: Any, packet: Any) -> None:
    flows = [
        {"id": "F1", "from": "a", "to": "gateway", "service": "ping", "action": "allow"},
        {"id": "F2", "from": "gateway", "to": "b", "service": "udp/7", "action": "allow"},
        {"id": "F3", "from": "b", "to": "gateway", "service": "ping", "action": "deny"},
    ]
    with (
        town.enforce({"services": OURS["services"], "flows": flows}),
        town.serving("bob", "udp-echo", 7),
    ):
        assert town.probe("alice", "ping", "10.1.0.254") == "answered"
        assert town.probe("alice", "ping", "2001:db8:1::fe") == "answered"
        assert town.probe("alice", "ping", "10.1.1.254") == "answered"
        assert town.probe("alice", "ping", "10.2.255.254", seconds=0.3) == "silent"
        assert town.probe("bob", "ping", "10.2.255.254", seconds=0.3) == "silent"
        assert town.probe("wes", "ping", "198.51.100.254", seconds=0.3) == "silent"
        ask = "from topology.probe import probe; print(probe('udp', '10.2.0.1', {port}, 0.5)['result'])"
        answers = [
            town.lab.run("gateway", [*python(), ask.format(port=port)], timeout=20).stdout.strip()
            for port in (7, 8)
        ]
        assert answers == ["answered", "unreachable"]


def test_an_unanswered_question_is_noted_once_however_often_it_is_asked(town: Any, packet: Any) -> None:
    asked = [packet("alice", "10.2.0.99", UDP, 7, more={"sport": 4000}) for _ in range(5)]
    with town.enforce({"flows": [flow("F1", "udp/7")]}) as enforced:
        sent = enforced.send(asked)
        assert [r["decided_by"] for r in enforced.records() if r["id"] in sent] == ["F1"]


def test_counters_say_what_passed_and_what_did_not(town: Any, packet: Any) -> None:
    with town.enforce(EXPIRING) as enforced:
        enforced.send([packet("alice", "10.2.0.1", TCP, port) for port in (7, 8, 8, 9, 10)])
        listed = json.loads(town.gateway("nft -j list counters table inet masugata_a"))["nftables"]
        counted = {entry["counter"]["name"]: entry["counter"]["packets"] for entry in listed[1:]}
    # The far end answers a SYN to a closed port with a reset, which counts for the flow too.
    assert (counted["f_F1"], counted["f_F2"], counted["r_default-deny"]) == (2, 4, 2)
