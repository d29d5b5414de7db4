"""Packets sent as described, and what the receiving node says arrived."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from topology.namespaces import Lab
from topology.plan import EXAMPLE, load_plan

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(60)]

SECONDS = 30.0
TRAFFIC = [sys.executable, "-m", "topology.traffic"]
HERE, THERE = "192.0.2.1", "192.0.2.129"
IPV6 = (
    EXAMPLE.replace("[192.0.2.0/25]", '[192.0.2.0/25, "2001:db8:1::/64"]')
    .replace("[192.0.2.128/25]", '[192.0.2.128/25, "2001:db8:2::/64"]')
    .replace("[192.0.2.126]", '[192.0.2.126, "2001:db8:1::fe"]')
    .replace("[192.0.2.254]", '[192.0.2.254, "2001:db8:2::fe"]')
    .replace("[192.0.2.1]", '[192.0.2.1, "2001:db8:1::1"]')
    .replace("[192.0.2.129]", '[192.0.2.129, "2001:db8:2::1"], extra_addresses: [203.0.113.0/24]')
    .replace("    right0: {", '    right0: {mac: "02:00:00:00:00:fe", ')
    .replace("hosts:", "  default_route: [192.0.2.129]\nhosts:")
)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    runtime: Path = tmp_path_factory.mktemp("runtime")
    runtime.chmod(0o700)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", str(runtime))
        name = f"traffic-{os.getpid() % 100_000}"
        lab = Lab.up(load_plan(IPV6.replace("two-wires", name), "traffic.yaml"))
        try:
            on = "echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding"
            lab.run("gateway", ["sh", "-c", on], timeout=SECONDS)
            yield lab
        finally:
            lab.down()


@contextmanager
def listening(lab: Lab, node: str) -> Iterator[list[dict[str, Any]]]:
    """Collect what arrives on a node while the block runs; the kernel must have dropped none of it."""
    arrived: list[dict[str, Any]] = []
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with lab.popen(node, [*TRAFFIC, "listen", "--until-stdin-closes"], **pipes) as listener:
        assert json.loads(listener.stdout.readline())["ready"] is True
        yield arrived
        output, _ = listener.communicate(timeout=SECONDS)
    *packets, end = [json.loads(line) for line in output.splitlines()]
    assert end == {"end": True, "received": len(packets), "dropped": 0}
    arrived += packets


def send(lab: Lab, *descriptions: dict[str, Any], interval_us: int = 0) -> list[dict[str, Any]]:
    """Send from alice and return the sender's own lines, its first ("ready") left out."""
    [foot] = [link for link in lab.plan.gateway.links if link.segment == "left"]
    lines = "\n".join(json.dumps({"src": HERE, "dst": THERE, **each}) for each in descriptions)
    program = [*TRAFFIC, "send", "--via-mac", foot.mac, "--interval-us", str(interval_us)]
    done = lab.run("alice", program, input=lines, timeout=SECONDS)
    assert done.stderr == ""
    return [json.loads(line) for line in done.stdout.splitlines()][1:]


def test_what_is_sent_arrives_and_says_which_it_was(lab: Lab) -> None:
    with listening(lab, "bob") as arrived:
        sent = send(
            lab,
            {"id": 1, "protocol": "tcp", "sport": 40_000, "dport": 25},
            {"id": 2, "protocol": "udp", "sport": 40_000, "dport": 53, "payload_len": 200},
            {"id": 3, "protocol": "icmp"},
            {"id": 4, "protocol": 50},
        )
    assert [record["id"] for record in sent] == [1, 2, 3, 4]
    assert [packet["ip_id"] for packet in arrived] == [1, 2, 3, 4]
    assert [packet["protocol"] for packet in arrived] == ["tcp", "udp", "icmp", 50]
    assert [packet["id"] for packet in arrived] == [None, 2, 3, 4]
    # One router lies between: every packet came through the gateway and from its interface.
    assert {packet["ttl"] for packet in arrived} == {63}
    assert {packet["src_mac"] for packet in arrived} == {"02:00:00:00:00:fe"}


def test_flags_no_stack_would_send_are_carried_as_they_are(lab: Lab) -> None:
    with listening(lab, "bob") as arrived:
        send(
            lab,
            *({"id": 10 + n, "protocol": "tcp", "dport": 9, "flags": f} for n, f in enumerate(("", "FS"))),
        )
    assert [(packet["seq"], packet["flags"]) for packet in arrived] == [(10, ""), (11, "FS")]


def test_the_kernel_between_drops_what_cannot_be_forwarded(lab: Lab) -> None:
    with listening(lab, "bob") as arrived:
        send(
            lab,
            {"id": 20, "protocol": "udp", "dport": 9, "ttl": 1},
            {"id": 21, "protocol": "udp", "dport": 9, "corrupt": ["ip"]},
            {"id": 22, "protocol": "udp", "dport": 9, "vlan": 7},
            {"id": 23, "protocol": "udp", "dport": 9, "corrupt": ["transport"]},
        )
    assert [packet["id"] for packet in arrived] == [23]


def test_fragments_arrive_piece_by_piece(lab: Lab) -> None:
    with listening(lab, "bob") as arrived:
        whole = {"protocol": "udp", "dport": 9, "payload_len": 3000, "fragment_bytes": 1400}
        [record] = send(lab, {"id": 30, **whole})
    assert record["frames"] == 3
    assert [(p["ip_id"], p["offset"], p["mf"]) for p in arrived] == [
        (30, 0, True),
        (30, 175, True),
        (30, 350, False),
    ]


def test_ipv6_goes_the_same_way(lab: Lab) -> None:
    six = {"src": "2001:db8:1::1", "dst": "2001:db8:2::1"}
    with listening(lab, "bob") as arrived:
        send(lab, {"id": 40, "protocol": "udp", "dport": 9, **six}, {"id": 41, "protocol": "icmp6", **six})
    packets = [packet for packet in arrived if packet["src"] == six["src"]]
    assert [(packet["flow_label"], packet["id"]) for packet in packets] == [(40, 40), (41, 41)]


def test_a_host_answers_for_every_extra_address(lab: Lab) -> None:
    with listening(lab, "bob") as arrived, listening(lab, "alice") as answers:
        send(lab, *({"id": 50 + n, "protocol": "icmp", "dst": f"203.0.113.{n}"} for n in (1, 77)))
        send(lab, {"id": 60, "protocol": "tcp", "sport": 4000, "dport": 9, "dst": "203.0.113.99"})
    assert [packet["dst"] for packet in arrived] == ["203.0.113.1", "203.0.113.77", "203.0.113.99"]
    echoes = [packet["src"] for packet in answers if packet.get("icmp_type") == 0]
    resets = [packet["src"] for packet in answers if "R" in packet.get("flags", "")]
    assert (echoes, resets) == (["203.0.113.1", "203.0.113.77"], ["203.0.113.99"])


def test_a_thousand_packets_arrive_a_thousand_times(lab: Lab) -> None:
    with listening(lab, "bob") as arrived:
        sent = send(
            lab, *({"id": 1000 + n, "protocol": "udp", "dport": 9} for n in range(1000)), interval_us=100
        )
    assert len(sent) == 1000
    assert sorted(packet["id"] for packet in arrived) == list(range(1000, 2000))


def test_a_bad_line_is_answered_and_the_others_still_go(lab: Lab) -> None:
    with listening(lab, "bob") as arrived:
        replies = send(
            lab,
            {"id": 70, "protocol": "udp", "dport": 70_000},
            {"id": 71, "protocol": "udp", "payload_len": 9000},
            {"id": 72, "protocol": "udp", "dport": 9},
        )
    assert [reply.get("error") for reply in replies] == ["traffic-bad-line", "refused", None]
    assert "dport" in replies[0]["message"]
    assert [packet["id"] for packet in arrived] == [72]


def test_large_writes_of_a_socket_leave_as_frames_of_the_wires_size(lab: Lab) -> None:
    """With offload on, one frame could hold 64 KiB and no valid checksum; a capture would not be a wire's."""
    receiver = (
        "import socket; s = socket.create_server(('', 5000)); print('up', flush=True); c, _ = s.accept()\n"
    )
    receiver += "while c.recv(65536): pass"
    sender = f"import socket; socket.create_connection(('{THERE}', 5000), 5).sendall(bytes(500_000))"
    with lab.popen("bob", [sys.executable, "-c", receiver], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        assert server.stdout.readline() == "up\n"
        with listening(lab, "bob") as arrived:
            done = lab.run("alice", [sys.executable, "-c", sender], timeout=SECONDS)
        assert (done.returncode, server.wait(SECONDS)) == (0, 0)
    lengths = [packet["length"] for packet in arrived if packet.get("dport") == 5000]
    assert len(lengths) > 300
    assert max(lengths) <= 1500
