"""A small town for the tests of enforcement: one lab, policies put in force on it one after another."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from topology.namespaces import Lab
from topology.plan import load_plan
from zones.decide import decide
from zones.load import load_policy
from zones.verdict import ICMP, ICMP6, PORT_PROTOCOLS, TCP, Connection, Outcome, PacketKey, State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from zones.model import Policy
    from zones.verdict import Verdict

HERE = Path(__file__).parent
SECONDS = 20.0
MAIL_PORT = 10025
NOON = datetime(2027, 3, 31, 12, 0, tzinfo=ZoneInfo("Asia/Tokyo")).timestamp()
"""A Wednesday noon: the moment at which policies are in force unless a test says another."""

LAB = """\
schema: 1
name: NAME
segments:
  sa0: {networks: [10.1.0.0/24, "2001:db8:1::/64"]}
  sa1: {networks: [10.1.1.0/24, "2001:db8:1:1::/64"]}
  sb: {networks: [10.2.0.0/16, "2001:db8:2::/64"]}
  sw: {networks: [198.51.100.0/24, "2001:db8:ffff::/64"]}
  sad: {networks: [10.99.0.0/24]}
gateway:
  interfaces:
    a0: {segment: sa0, addresses: [10.1.0.254, "2001:db8:1::fe"]}
    a1: {segment: sa1, addresses: [10.1.1.254, "2001:db8:1:1::fe"]}
    b0: {segment: sb, addresses: [10.2.255.254, "2001:db8:2::fe"]}
    w0: {segment: sw, addresses: [198.51.100.254, "2001:db8:ffff::fe"]}
    ad0: {segment: sad, addresses: [10.99.0.254]}
  default_route: [198.51.100.1, "2001:db8:ffff::1"]
hosts:
  alice: {segment: sa0, addresses: [10.1.0.1, "2001:db8:1::1"]}
  amy: {segment: sa1, addresses: [10.1.1.1, "2001:db8:1:1::1"]}
  bob: {segment: sb, addresses: [10.2.0.1, "2001:db8:2::1"]}
  bea: {segment: sb, addresses: [10.2.0.2, "2001:db8:2::2"], mac: "02:00:00:00:0b:02"}
  wes: {segment: sw, addresses: [198.51.100.1, "2001:db8:ffff::1"], extra_addresses: [203.0.113.0/24]}
  adam: {segment: sad, addresses: [10.99.0.1]}
"""
BASE: dict[str, Any] = {
    "schema": "1",
    "meta": {"name": "town"},
    "zones": {
        "a": {
            "interfaces": ["a0", "a1"],
            "networks": ["10.1.0.0/16", "2001:db8:1::/48"],
            "gateway": ["10.1.0.254", "10.1.1.254", "2001:db8:1::fe", "2001:db8:1:1::fe"],
        },
        "b": {
            "interfaces": ["b0"],
            "networks": ["10.2.0.0/16", "2001:db8:2::/48"],
            "gateway": ["10.2.255.254", "2001:db8:2::fe"],
        },
        "w": {
            "interfaces": ["w0"],
            "networks": ["0.0.0.0/0", "::/0"],
            "gateway": ["198.51.100.254", "2001:db8:ffff::fe"],
            "class": "outside",
        },
    },
    "management": {"interface": "ad0", "networks": ["10.99.0.0/24"]},
    "hosts": {
        "alice": {"zone": "a", "ip": ["10.1.0.1", "2001:db8:1::1"]},
        "amy": {"zone": "a", "ip": ["10.1.1.1", "2001:db8:1:1::1"]},
        "bob": {"zone": "b", "ip": ["10.2.0.1", "2001:db8:2::1"]},
        "bea": {"zone": "b", "ip": ["10.2.0.2", "2001:db8:2::2"], "mac": "02:00:00:00:0b:02"},
    },
}


def need_tools() -> None:
    missing = [tool for tool in ("nft", "ip", "unshare") if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"missing tool: {', '.join(missing)}")


def until(condition: Callable[[], Any], what: str, seconds: float = SECONDS) -> Any:
    """Wait for something to come true, and return it."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, f"never happened: {what}"
        time.sleep(0.005)
    return value


@dataclass(frozen=True)
class Packet:
    """One packet a host sends to the gateway. `more` goes into its description as it is."""

    sender: str
    dst: str
    protocol: int
    dport: int = 0
    src: str | None = None
    flags: str = "S"
    state: State | None = None
    flow: str | None = None
    more: dict[str, Any] = field(default_factory=dict)

    @property
    def connection(self) -> Connection | None:
        """What the kernel must know of it: what was asked for, or what its kind and flags make of it."""
        state = self.state
        if state is None:
            odd = self.protocol == TCP and self.flags != "S"
            queries = {ICMP: {8, 13, 15, 17}, ICMP6: {128, 139}}.get(self.protocol)
            odd = odd or (queries is not None and self.dport not in queries)
            state = State.INVALID if odd else State.NEW
        return None if state is State.NEW else Connection(state, self.flow)


class Program:
    """A program on a node that speaks JSON lines, read as they come."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[dict[str, Any]] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(json.loads(line))

    def tell(self, *lines: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("".join(f"{line}\n" for line in lines))
        self.process.stdin.flush()

    def stop(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            self.process.wait(SECONDS)
        finally:
            self.kill()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(SECONDS)
        self._reader.join(SECONDS)
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None and not stream.closed:
                stream.close()


# One connection that is spoken on again and again: what comes back, comes back on it.
ECHO = """
import json, socket, sys
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
server = socket.create_server((sys.argv[1], int(sys.argv[2])), family=family)
print(json.dumps({"ready": True}), flush=True)
line, _ = server.accept()
while data := line.recv(100):
    line.sendall(data)
"""
SPEAK = """
import json, socket, sys
try:
    line = socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=3)
except OSError as error:
    print(json.dumps({"connected": False, "why": str(error)}), flush=True)
    sys.exit()
print(json.dumps({"connected": True}), flush=True)
line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
for word in sys.stdin:
    line.settimeout(float(word))
    try:
        line.sendall(b"hello")
        answered = bool(line.recv(100))
    except OSError:
        answered = False
    print(json.dumps({"answered": answered}), flush=True)
"""


class Line:
    """The near end of a connection."""

    def __init__(self, program: Program) -> None:
        self._program = program

    def speak(self, *, patience: float = 1.0) -> bool:
        """Say something; return whether an answer came in time."""
        before = len(self._program.lines)
        self._program.tell(str(patience))
        until(lambda: len(self._program.lines) > before, "the near end says what came of it")
        return bool(self._program.lines[before]["answered"])


class Town:
    """The lab with a sender and a listener on each host."""

    def __init__(self, lab: Lab, directory: Path) -> None:
        self.lab, self.directory = lab, directory
        self.ids = itertools.count(1)
        self.senders = {
            node.name: self._traffic(node.name, "send", self.gateway_mac(node.name))
            for node in lab.plan.hosts
        }
        self.listeners = {node.name: self._traffic(node.name, "listen") for node in lab.plan.hosts}
        for program in (*self.senders.values(), *self.listeners.values()):
            until(lambda program=program: program.lines, "traffic programs are ready")
        self.owner = {str(a.ip): node.name for node in lab.plan.hosts for a in node.addresses}
        self.owner |= {f"203.0.113.{last}": "wes" for last in range(256)}

    def _traffic(self, node: str, verb: str, mac: str = "") -> Program:
        options = {"send": ["--via-mac", mac], "listen": ["--until-stdin-closes"]}[verb]
        return self.start(node, "-m", "topology.traffic", verb, *options)

    def start(self, node: str, *arguments: str) -> Program:
        """Start a Python program on a node."""
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        return Program(self.lab.popen(node, [sys.executable, *arguments], **pipes))

    def gateway_mac(self, host: str) -> str:
        return self.link(host).mac

    def link(self, host: str) -> Any:
        """The gateway's link on a host's segment."""
        segment = self.lab.plan.node(host).links[0].segment
        return next(link for link in self.lab.plan.gateway.links if link.segment == segment)

    def address(self, host: str, version: int = 4) -> str:
        return next(str(a.ip) for a in self.lab.plan.node(host).addresses if a.version == version)

    def gateway(self, command: str, *, text: str = "") -> str:
        """Run a shell command on the gateway."""
        done = self.lab.run("gateway", ["sh", "-c", command], timeout=SECONDS, input=text)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def close_gates(self) -> None:
        program = "from gateway.kernel.enforcer import close_gates; close_gates()"
        done = self.lab.run("gateway", [sys.executable, "-c", program], timeout=SECONDS)
        assert done.returncode == 0, done.stderr

    # --- packets -------------------------------------------------------------------------------------

    def describe(self, packet: Packet) -> dict[str, Any]:
        number = next(self.ids)
        src = packet.src or self.address(packet.sender, 6 if ":" in packet.dst else 4)
        made: dict[str, Any] = {"id": number, "src": src, "dst": packet.dst, "protocol": packet.protocol}
        if packet.protocol in (TCP, 17):
            made |= {"sport": 20_000 + number % 40_000, "dport": packet.dport}
        if packet.protocol == TCP:
            made["flags"] = packet.flags
        if packet.protocol in (ICMP, ICMP6):
            made["icmp_type"] = packet.dport
        return made | packet.more

    def send(self, sender: str, *descriptions: dict[str, Any]) -> None:
        """Send from a host, and return when all of it is on the wire."""
        program = self.senders[sender]
        for chunk in (descriptions[at : at + 100] for at in range(0, len(descriptions), 100)):
            before = len(program.lines)
            program.tell(*map(json.dumps, chunk))
            until(lambda: len(program.lines) >= before + len(chunk), f"{sender} has sent")  # noqa: B023
            refused = [line for line in program.lines[before:] if "error" in line]
            assert not refused, refused

    def arrived(self, host: str) -> list[dict[str, Any]]:
        """What has arrived at a host so far."""
        return [line for line in list(self.listeners[host].lines) if "src" in line]

    def arrivals(self) -> set[tuple[str, int, str, str]]:
        """Host, number, source and destination of everything that has arrived so far."""
        return {
            (
                host,
                packet["ip_id" if "ip_id" in packet and "." in packet["src"] else "flow_label"],
                packet["src"],
                packet["dst"],
            )
            for host in self.listeners
            for packet in self.arrived(host)
        }

    def probe(self, host: str, method: str, address: str, port: int = 0, *, seconds: float = 3.0) -> str:
        """Make one real attempt from a host; return what came of it."""
        arguments = [
            sys.executable,
            "-m",
            "topology.probe",
            method,
            address,
            str(port),
            "--seconds",
            str(seconds),
        ]
        done = self.lab.run(host, arguments, timeout=SECONDS)
        assert done.returncode == 0, done.stderr
        return str(json.loads(done.stdout)["result"])

    @contextmanager
    def serving(
        self, host: str, kind: str, port: int, address: str = "0.0.0.0", *, directory: Path | None = None
    ) -> Iterator[None]:
        """Run one of the lab's small servers on a host."""
        arguments = ["topology.services", kind, "--name", host, "--port", str(port), "--address", address]
        arguments += ["--directory", str(directory)] if directory is not None else []
        server = self.lab.popen(host, [sys.executable, "-m", *arguments], stdout=subprocess.PIPE, text=True)
        try:
            assert server.stdout.readline() == "ready\n"
            yield
        finally:
            server.terminate()
            server.wait(SECONDS)
            server.stdout.close()

    @contextmanager
    def line(self, client: str, server: str, address: str, port: int) -> Iterator[Line]:
        """Hold one TCP connection open between two hosts."""
        there = self.start(server, "-c", ECHO, address, str(port))
        here = None
        try:
            until(lambda: there.lines, "the far end listens")
            here = self.start(client, "-c", SPEAK, address, str(port))
            until(lambda: here.lines, "the connection is there")
            assert here.lines[0] == {"connected": True}, here.lines
            yield Line(here)
        finally:
            for program in filter(None, (here, there)):
                program.kill()

    def document(self, document: dict[str, Any]) -> str:
        """Return the text of a policy for this town."""
        return json.dumps({**BASE, **document}, indent=1)

    # --- policies ------------------------------------------------------------------------------------

    @contextmanager
    def enforce(
        self, document: dict[str, Any], *, at: float | None = NOON, ahead: float | None = None
    ) -> Iterator[Enforced]:
        """Put a policy in force at a moment; afterwards the gates are closed."""
        text = self.document(document)
        policy = load_policy({"policy.yaml": text})
        file = self.directory / "policy.yaml"
        file.write_text(text, encoding="utf-8")
        seconds = ahead if ahead is not None else (0.0 if at is None else at - time.time())
        arguments = [str(HERE / "enforcer_process.py"), str(file), str(MAIL_PORT), str(seconds)]
        program = self.start("gateway", *arguments)
        enforced = Enforced(self, policy, program, seconds)
        try:
            enforced.await_ready()
            yield enforced
        finally:
            program.stop()

    def stop(self) -> None:
        for program in (*self.senders.values(), *self.listeners.values()):
            program.stop()
        self.lab.down()


@dataclass
class Enforced:
    """A policy in force: ask it with packets, and hold what the kernel did against what the policy says."""

    town: Town
    policy: Policy
    program: Program
    ahead: float

    @property
    def now(self) -> float:
        return time.time() + self.ahead

    def await_ready(self) -> None:
        # An end without a word is an end too.
        until(
            lambda: self.program.lines or self.program.process.poll() is not None, "the enforcer has answered"
        )
        assert self.program.lines, "the enforcer ended without a word"
        assert self.program.lines[0]["kind"] == "ready", self.program.lines[0]

    def order(self, *words: object) -> Any:
        """Give an order, and return its answer."""
        before = sum(line["kind"] == "done" for line in list(self.program.lines))
        self.program.tell(json.dumps([str(word) for word in words]))
        said = until(
            lambda: [line for line in list(self.program.lines) if line["kind"] == "done"][before:],
            "it is done",
        )
        return said[0]["answer"]

    def be(self, moment: float) -> None:
        """Set the clock the enforcer goes by, and let it see that."""
        self.ahead = moment - time.time()
        self.order("ahead", self.ahead)
        self.order("renew")

    def wait_for(self, moment: float) -> None:
        """Wait until the enforcer's clock has passed a moment."""
        assert self.now < moment, "too slow a machine: nothing would be shown"
        time.sleep(moment - self.now + 0.05)

    def records(self, kind: str = "packet") -> list[dict[str, Any]]:
        return [line for line in list(self.program.lines) if line["kind"] == kind]

    def settle(self) -> None:
        """Wait until everything sent so far has been judged and logged: a last packet always is."""
        [last] = [self.town.describe(Packet("wes", "224.0.0.251", 17, 5353))]
        self.town.send("wes", last)
        until(lambda: any(r["id"] == last["id"] for r in self.records()), "the last packet is logged")
        time.sleep(0.05)  # another processor may still be at the one before

    def send(self, packets: Iterable[Packet]) -> dict[int, Packet]:
        """Send packets in order; return them by number."""
        made = [(packet, self.town.describe(packet)) for packet in packets]
        for sender, group in itertools.groupby(made, key=lambda entry: entry[0].sender):
            self.town.send(sender, *(description for _, description in group))
        self.settle()
        self._sent = {description["id"]: description for _, description in made}
        return {description["id"]: packet for packet, description in made}

    def expected(self, packet: Packet, description: dict[str, Any]) -> Verdict:
        zone = self.policy.zone_of_interface(self.town.link(packet.sender).interface)
        ports = packet.protocol in PORT_PROTOCOLS or packet.protocol in (ICMP, ICMP6)
        key = PacketKey.of(
            zone,
            description["src"],
            description["dst"],
            packet.protocol,
            packet.dport if ports else 0,
            src_mac=packet.more.get("src_mac") or self.town.lab.plan.node(packet.sender).links[0].mac,
        )
        return decide(self.policy, key, now=self.now, connection=packet.connection)

    def differences(self, packets: Iterable[Packet]) -> tuple[dict[str, int], list[str]]:
        """Send packets; return how often which verdict was expected, and where the kernel differs from it."""
        sent = self.send(packets)
        expected = {number: self.expected(packet, self._sent[number]) for number, packet in sent.items()}
        said: dict[tuple[int, str, str], list[tuple[str, str, str | None]]] = {}
        for record in self.records():
            key = record["id"], record["src"], record["dst"]
            said.setdefault(key, []).append((record["outcome"], record["reason"], record["decided_by"]))
        wanted = {
            (self.town.owner[packet.dst], number, self._sent[number]["src"], packet.dst)
            for number, packet in sent.items()
            if expected[number].outcome is Outcome.ALLOW and packet.dst in self.town.owner
        }
        with suppress(AssertionError):  # what is missing is told packet by packet
            until(lambda: wanted <= self.town.arrivals(), "what may pass arrives", 5.0)
        arrivals = {(number, src, dst) for _, number, src, dst in self.town.arrivals()}
        found, counts = [], {}
        for number, packet in sent.items():
            verdict, key = expected[number], (number, self._sent[number]["src"], packet.dst)
            name = f"{verdict.outcome} {verdict.reason}"
            counts[name] = counts.get(name, 0) + 1
            meant = [(str(verdict.outcome), str(verdict.reason), verdict.decided_by)]
            # Of a connection that is known and passes, the kernel says nothing more.
            if verdict.state in (State.ESTABLISHED, State.RELATED) and verdict.passes:
                meant = []
            got = said.get(key, [])
            if got != meant:
                found.append(f"{packet}: meant {meant}, kernel said {got}")
            passes = verdict.outcome is Outcome.ALLOW and packet.dst in self.town.owner
            if passes != (key in arrivals):
                found.append(f"{packet}: {meant}: {'did not arrive' if passes else 'arrived'}")
        return counts, found


@pytest.fixture(scope="session")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    need_tools()
    runtime = tmp_path_factory.mktemp("town")
    runtime.chmod(0o700)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", str(runtime))
        lab = Lab.up(load_plan(LAB.replace("NAME", f"town-{os.getpid() % 100_000}"), "town.yaml"))
        made = None
        try:
            made = Town(lab, runtime)
            yield made
        finally:
            made.stop() if made is not None else lab.down()


@pytest.fixture(scope="session")
def packet() -> type[Packet]:
    """How a test describes a packet: `packet(sender, dst, protocol, dport, …)`."""
    return Packet
