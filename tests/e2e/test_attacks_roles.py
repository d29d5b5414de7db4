"""A whole gateway, attacked: what its processes still hold, and what forged packets bring across."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from topology.namespaces import Lab
from topology.plan import load_plan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(120)]

SECONDS = 30.0
NET_ADMIN = 1 << 12
LAB = """\
schema: 1
name: NAME
segments:
  slg: {networks: [10.20.0.0/16]}
  sin: {networks: [10.30.0.0/16]}
  swan: {networks: [198.51.100.0/24]}
gateway:
  interfaces:
    lg0: {segment: slg, addresses: [10.20.255.254]}
    in0: {segment: sin, addresses: [10.30.255.254]}
    wan0: {segment: swan, addresses: [198.51.100.254]}
  default_route: [198.51.100.1]
hosts:
  wsus: {segment: slg, addresses: [10.20.5.30]}
  relay: {segment: sin, addresses: [10.30.5.30]}
  mallory: {segment: swan, addresses: [198.51.100.1]}
"""
POLICY = """\
schema: 1
meta: {name: attacked}
zones:
  lgwan: {interfaces: [lg0], networks: [10.20.0.0/16], gateway: [10.20.255.254], class: lgwan}
  internet: {interfaces: [in0], networks: [10.30.0.0/16], gateway: [10.30.255.254], class: internet}
  outside: {interfaces: [wan0], networks: [0.0.0.0/0], gateway: [198.51.100.254], class: outside}
services: {wsus: [tcp/8530]}
guards:
  - {id: G2, from: outside, to: lgwan, actions: [allow]}
flows:
  - {id: F040, from: lgwan, to: internet, service: wsus, action: allow}
"""


def until(condition: Callable[[], Any], what: str) -> Any:
    end = time.monotonic() + SECONDS
    while not (value := condition()):
        assert time.monotonic() < end, f"never happened: {what}"
        time.sleep(0.02)
    return value


class Gateway:
    """A lab with `masugata run` in it."""

    def __init__(self, folder: Path) -> None:
        self.state = folder / "state"
        (folder / "city.yaml").write_text(POLICY)
        name = f"attacked-{os.getpid() % 100_000}"
        self.lab = Lab.up(load_plan(LAB.replace("NAME", name), "lab.yaml"))
        command = ["-m", "gateway", "run", str(folder / "city.yaml"), "--state", str(self.state), "--json"]
        self.process = self.lab.popen(
            "gateway", [sys.executable, *command], stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        assert self.process.stdout is not None
        assert any('"ready"' in line for line in iter(self.process.stdout.readline, "")), "it never got ready"

    def down(self) -> None:
        self.lab.down()
        self.process.communicate(timeout=SECONDS)

    def processes(self) -> dict[str, int]:
        """Return the roles' process ids as this host sees them."""
        found = {}
        for node in self.lab.status():
            for pid, words in node.processes:
                if node.name == "gateway" and "gateway.roles " in words:
                    found[words.split("gateway.roles ")[1].split()[0]] = pid
        return found

    def events(self) -> list[dict[str, Any]]:
        files = sorted((self.state / "audit").glob("*.jsonl"))
        return [json.loads(line) for file in files for line in file.read_text().splitlines()]


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    if not all(shutil.which(tool) for tool in ("nft", "ip", "unshare")):
        pytest.skip("needs nft, ip and unshare")
    runtime = tmp_path_factory.mktemp("runtime")
    runtime.chmod(0o700)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", str(runtime))
        made = Gateway(tmp_path_factory.mktemp("gw"))
        try:
            yield made
        finally:
            made.down()


def held(pid: int) -> dict[str, set[int]]:
    """Return every value of the capability sets among all threads of a process."""
    sets: dict[str, set[int]] = {}
    for status in Path(f"/proc/{pid}/task").glob("*/status"):
        for line in status.read_text().splitlines():
            name, _, value = line.partition(":")
            if name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs"):
                sets.setdefault(name, set()).add(int(value, 16))
    return sets


@pytest.mark.parametrize(("role", "mask"), [("recorder", 0), ("mail", 0), ("enforcer", NET_ADMIN)])
def test_no_thread_of_a_role_holds_more_than_its_role(gateway: Gateway, role: str, mask: int) -> None:
    sets = held(gateway.processes()[role])
    assert sets.pop("NoNewPrivs") == {1}
    assert sets == {name: {mask} for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")}


def test_a_role_started_again_refuses_settings_that_somebody_wrote_over(gateway: Gateway) -> None:
    [settings] = (gateway.state / "run").glob("settings-*.json")
    true = settings.read_text()
    enforcer = gateway.processes()["enforcer"]
    settings.write_text(true.replace(str(gateway.state / "policy"), "/tmp/of-somebody-else"))
    try:
        os.kill(enforcer, 9)
        until(lambda: gateway.processes().get("enforcer", enforcer) != enforcer, "it is started again")
        until(lambda: len([e for e in gateway.events() if e["kind"] == "role-ended"]) >= 2, "it has refused")
    finally:
        settings.write_text(true)
    until(lambda: [e for e in gateway.events() if e["kind"] == "apply"][1:], "it takes what was frozen")
    assert len({event["revision"] for event in gateway.events() if event["kind"] == "apply"}) == 1


FORGERY = """
import socket, struct, sys
source, kind = sys.argv[1], int(sys.argv[2])

def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF

ends = socket.inet_aton("10.20.5.30"), socket.inet_aton("10.30.5.30")
quoted = struct.pack("!BBHHHBBH4s4s", 69, 0, 40, 1, 0, 64, 6, 0, *ends)
quoted = quoted[:10] + struct.pack("!H", checksum(quoted)) + quoted[12:]
quoted += struct.pack("!HHIIBBHHH", 45000, 8530, 1, 1, 0x50, 0x10, 1000, 0, 0)
body = struct.pack("!I", 0) + quoted + b"carried past the guards." * 40
code = struct.pack("!BBH", kind, 1, 0)
code = code[:2] + struct.pack("!H", checksum(code + body))
with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as out:
    out.bind((source, 0))
    out.sendto(code + body, ("10.20.5.30", 0))
"""
LISTEN = """
import socket
with socket.create_server(("10.30.5.30", 8530)) as server:
    print("ready", flush=True)
    peer, _ = server.accept()
    peer.recv(1)
"""
CLIENT = """
import socket, sys
errors = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
with socket.socket() as line:
    line.bind(("10.20.5.30", 45000))
    line.connect(("10.30.5.30", 8530))
    print("ready", flush=True)
    sys.stdin.readline()
    errors.setblocking(False)
    senders = []
    try:
        while True:
            data, (sender, _) = errors.recvfrom(65535)
            if b"carried past" in data:
                senders.append(sender)
    except BlockingIOError:
        print(senders)
"""


def test_an_error_forged_from_outside_carries_nothing_into_a_connection_of_others(gateway: Gateway) -> None:
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    python = [sys.executable, "-c"]
    with gateway.lab.popen("relay", [*python, LISTEN], **pipes) as server:
        assert server.stdout is not None
        assert server.stdout.readline() == "ready\n"
        with gateway.lab.popen("wsus", [*python, CLIENT], **pipes) as client:
            assert client.stdout is not None
            assert client.stdout.readline() == "ready\n"
            for node, source in (("mallory", "198.51.100.1"), ("relay", "10.30.5.30")):
                for kind in ("3", "11", "12"):
                    program = textwrap.dedent(FORGERY)
                    done = gateway.lab.run(node, [*python, program, source, kind], timeout=SECONDS)
                    assert done.returncode == 0, done.stderr
            until(
                lambda: len([e for e in gateway.events() if e.get("src") == "198.51.100.1"]) >= 3,
                "the refusals are recorded",
            )
            senders, _ = client.communicate("\n", timeout=SECONDS)
    # What the far end itself has to say about the connection arrives.
    assert json.loads(senders.replace("'", '"')) == ["10.30.5.30"] * 3
    refused = [e for e in gateway.events() if e.get("src") == "198.51.100.1" and e["kind"] == "packet"]
    assert {(e["outcome"], e["reason"]) for e in refused} == {("deny", "invalid-state")}
