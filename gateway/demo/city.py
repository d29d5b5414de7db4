"""The demonstration's city: a lab, real servers on its hosts, the gateway, and a capture of it all.

Everything runs inside the lab's own process and network namespaces: ending the lab ends it all.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TextIO

from gateway.audit.reading import events
from topology.namespaces import Lab
from zones.errors import BackendError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from gateway.demo.generated import Generated
    from topology.plan import LabPlan, Node
    from zones.model import Policy

READY_SECONDS = 30.0
_SENDERS_AT_ONCE = 3
_PYTHON = sys.executable


@dataclass
class City:
    """A running city. `directory` holds its state, logs, mails and the capture."""

    lab: Lab
    plan: LabPlan
    policy: Policy
    directory: Path
    programs: list[subprocess.Popen[str]] = field(default_factory=list)
    logs: list[TextIO] = field(default_factory=list)
    recorder: subprocess.Popen[str] | None = None

    @classmethod
    def up(cls, plan: LabPlan, policy: Policy, directory: Path) -> City:
        """Bring the lab up (in the place of one of its name) with nothing on it yet."""
        directory.mkdir(parents=True, exist_ok=True)
        return cls(Lab.up(plan, replace=True), plan, policy, directory)

    @property
    def state(self) -> Path:
        """The gateway's state directory."""
        return self.directory / "state"

    @property
    def capture(self) -> Path:
        """The capture of every packet on the gateway's interfaces."""
        return self.directory / "capture.pcapng"

    # --- programs on nodes -----------------------------------------------------------------------------

    def start(self, node: str, arguments: Sequence[str], log: str) -> subprocess.Popen[str]:
        """Start a program of ours on a node; its words go to a file of the city's directory.

        Raises:
            BackendError: it did not say `ready` in time.
        """
        words = (self.directory / f"{log}.log").open("w", encoding="utf-8")
        self.logs.append(words)
        program = self.lab.popen(
            node,
            [_PYTHON, "-m", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=words,
            text=True,
            start_new_session=True,
        )
        self.programs.append(program)
        return program

    def await_ready(self, program: subprocess.Popen[str], what: str, sign: str = "ready") -> None:
        """Wait until a program has written a line that holds `sign`.

        Raises:
            BackendError: it ended, or was silent for too long.
        """
        assert program.stdout is not None  # noqa: S101  piped by `start`
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            line = program.stdout.readline()
            if sign in line:
                return
            if not line:
                break
        raise BackendError("demo-not-ready", what=what, logs=str(self.directory))

    def start_services(self) -> int:
        """Start the servers the lab file names on its hosts; return how many."""
        started = []
        for node in self.plan.hosts:
            for service in node.services:
                kind = "smtp-sink" if service.name.startswith("smtp") else service.name.split("-")[0]
                arguments = ["topology.services", kind, "--name", node.name, "--port", str(service.port)]
                if kind == "smtp-sink":
                    arguments += ["--directory", str(self.mailbox(node.name))]
                started.append((self.start(node.name, arguments, f"{node.name}-{service.port}"), node.name))
        for program, name in started:
            self.await_ready(program, name)
        return len(started)

    def mailbox(self, node: str) -> Path:
        """Where the mail host `node` keeps what it is given."""
        return self.directory / "mail" / node

    def start_gateway(self, policy_path: Path) -> None:
        """Run `masugata run` on the gateway node and wait until it is in force."""
        arguments = ["gateway", "run", str(policy_path.absolute()), "--state", str(self.state), "--json"]
        program = self.start("gateway", arguments, "gateway")
        self.await_ready(program, "masugata run", '"ready"')

    def start_recorder(self) -> None:
        """Capture both directions on every interface of the gateway from now on."""
        interfaces = [part for link in self.plan.gateway.links for part in ("--interface", link.interface)]
        arguments = ["gateway.replay.recorder", *interfaces, "--both", "--write", str(self.capture)]
        self.recorder = self.start("gateway", arguments, "recorder")
        self.await_ready(self.recorder, "recorder")

    def stop_recorder(self) -> dict[str, Any]:
        """End the capture; return what the recorder says of it (packets, kernel drops)."""
        assert self.recorder is not None  # noqa: S101  started before
        self.recorder.terminate()
        said, _ = self.recorder.communicate(timeout=READY_SECONDS)
        told: dict[str, Any] = json.loads(said.strip().splitlines()[-1])
        return told

    def probe(self, node: str, method: str, address: str, port: int) -> subprocess.Popen[str]:
        """Begin one real attempt from a node; its answer is one JSON line on stdout."""
        arguments = [_PYTHON, "-m", "topology.probe", method, address, str(port)]
        return self.lab.popen(node, arguments, stdout=subprocess.PIPE, text=True)

    # --- generated packets -----------------------------------------------------------------------------

    def listen(self) -> dict[str, subprocess.Popen[str]]:
        """Begin to write down what arrives at each host; it ends when its stdin is closed."""
        listeners = {}
        for node in self.plan.hosts:
            arrivals = (self.directory / f"arrivals-{node.name}.jsonl").open("w+", encoding="utf-8")
            self.logs.append(arrivals)
            listeners[node.name] = self.lab.popen(
                node.name,
                [_PYTHON, "-m", "topology.traffic", "listen", "--until-stdin-closes"],
                stdin=subprocess.PIPE,
                stdout=arrivals,
                text=True,
            )
        for name in listeners:
            self._await_text(self.directory / f"arrivals-{name}.jsonl", '"ready"')
        return listeners

    def _await_text(self, file: Path, sign: str) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while sign not in file.read_text(encoding="utf-8"):
            if time.monotonic() > deadline:
                raise BackendError("demo-not-ready", what=file.name, logs=str(self.directory))
            time.sleep(0.02)

    def arrivals(self, listeners: dict[str, subprocess.Popen[str]]) -> dict[str, list[dict[str, Any]]]:
        """End the listeners and return what arrived where."""
        for program in listeners.values():
            program.communicate(timeout=READY_SECONDS)
        arrived = {}
        for name in listeners:
            lines = (self.directory / f"arrivals-{name}.jsonl").read_text(encoding="utf-8").splitlines()
            arrived[name] = [record for record in map(json.loads, lines) if "src" in record]
        return arrived

    def send(self, packets: Iterable[Generated], *, interval_us: int = 500) -> int:
        """Send each packet from its host as a raw frame to the gateway; return how many went out."""
        by_sender: dict[str, list[Generated]] = {}
        for packet in packets:
            by_sender.setdefault(packet.sender, []).append(packet)
        # Most of the time goes into starting the programs; more at once would only outrun the packet log.
        with ThreadPoolExecutor(_SENDERS_AT_ONCE) as pool:
            return sum(pool.map(lambda name: self._send_from(name, by_sender[name], interval_us), by_sender))

    def _send_from(self, name: str, packets: Sequence[Generated], interval_us: int) -> int:
        arguments = [
            _PYTHON, "-m", "topology.traffic", "send",
            "--via-mac", self._gateway_mac(self.plan.node(name)), "--interval-us", str(interval_us),
        ]  # fmt: skip
        lines = "".join(json.dumps(packet.description) + "\n" for packet in packets)
        done = self.lab.run(name, arguments, timeout=120, input=lines)
        return sum('"frames"' in line for line in done.stdout.splitlines())

    def _gateway_mac(self, node: Node) -> str:
        return next(link.mac for link in self.plan.gateway.links if link.segment == node.links[0].segment)

    # --- what the gateway recorded ---------------------------------------------------------------------

    def events(self) -> list[dict[str, Any]]:
        """Return every event of the gateway's audit log."""
        return [json.loads(place.data) for place in events(self.state / "audit") if place.event is not None]

    def settle(self, *, quiet_seconds: float = 1.0) -> None:
        """Wait until the audit log has not grown for a while (its writer syncs every 0.2 s)."""
        size, since = -1, time.monotonic()
        deadline = since + READY_SECONDS
        while time.monotonic() - since < quiet_seconds and time.monotonic() < deadline:
            now = sum(file.stat().st_size for file in (self.state / "audit").glob("*.jsonl"))
            if now != size:
                size, since = now, time.monotonic()
            time.sleep(0.1)

    def down(self) -> None:
        """End everything."""
        self.lab.down()
        for program in self.programs:
            program.wait(timeout=READY_SECONDS)
            if program.stdout is not None:
                program.stdout.close()
        for words in self.logs:
            words.close()
