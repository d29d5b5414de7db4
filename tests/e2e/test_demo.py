"""The demonstration as people start it; and that it fails when the kernel does otherwise than the policy."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from gateway.demo.city import City
from gateway.demo.compare import Comparison, compare_generated
from gateway.demo.generated import Generated, generate
from topology.namespaces import Lab
from topology.plan import read_plan
from zones.load import read_policy
from zones.verdict import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.kernel, pytest.mark.checkout, pytest.mark.timeout(120)]

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "examples/sample-city"
SENDERS = {"mn-pc1", "lg-pc1", "in-pc1", "out-web"}
RECEIVERS = SENDERS | {"mn-core", "lg-mail", "in-mx"}


@pytest.fixture(scope="module", autouse=True)
def _apart(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep these labs apart from those of the user."""
    if any(shutil.which(tool) is None for tool in ("nft", "ip", "unshare")):
        pytest.skip("missing tool: nft, ip or unshare")
    runtime = tmp_path_factory.mktemp("demo-rt")
    runtime.chmod(0o700)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", str(runtime))
        yield
        for lab in Lab.all():
            lab.down()


def test_the_whole_demonstration_holds(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "gateway", "demo", str(SAMPLE), "--once", "--json"]
    done = subprocess.run(
        [*command, "--dir", str(tmp_path / "demo")],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
        env={**os.environ},
    )
    assert done.returncode == 0, done.stderr + done.stdout[-2000:]
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["held"] is True
    assert told["mail"]["held"] is True
    assert len(told["asked"]) >= 12
    assert all(answer["right"] for answer in told["asked"])
    assert 0 < told["allowed"] < len(told["asked"])
    assert told["generated"]["compared"] >= 1000
    assert told["generated"]["mismatches"] == []
    assert len(told["generated"]["counts"]) >= 10
    assert told["replay"]["compared"] >= 1000
    assert told["replay"]["mismatches"] == []
    assert told["replay"]["counts"]["forwarded"] > 100
    assert told["capture"]["kernel_drops"] == 0
    assert told["capture"]["packets"] >= told["replay"]["compared"]
    assert told["gaps"] == 0
    # It ended by itself and left nobody.
    assert Lab.all() == []
    verified = subprocess.run(
        [sys.executable, "-m", "gateway", "audit", "verify", str(tmp_path / "demo/state/audit")],
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert verified.returncode == 0


# --- it can fail -------------------------------------------------------------------------------------------


class Tampered:
    """The running city, whose ruleset somebody changes behind the gateway's back."""

    def __init__(self, city: City) -> None:
        # The same city, seen by as many hosts as it takes.
        few = tuple(node for node in city.plan.hosts if node.name in RECEIVERS)
        self.city = replace(city, plan=replace(city.plan, hosts=few))
        self.owners = {str(a.ip): node.name for node in few for a in node.addresses}
        elsewhere = {str(a.ip) for node in city.plan.hosts for a in node.addresses} - set(self.owners)
        packets = generate(city.policy, city.plan, now=time.time(), count=1)
        # A few of every kind of verdict from a host of each segment are enough to see a change.
        chosen: dict[tuple[str, str], list[Generated]] = {}
        for packet in packets:
            kind = str(packet.expected.reason), packet.expected.decided_by or ""
            near = packet.sender in SENDERS and packet.key.dst not in elsewhere
            if near and len(chosen.setdefault(kind, [])) < 8:
                chosen[kind].append(packet)
        self.packets = [packet for some in chosen.values() for packet in some]

    def nft(self, command: str) -> str:
        done = self.city.lab.run("gateway", ["sh", "-c", command], timeout=20)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def compare(self) -> Comparison:
        """Send the packets anew and hold the kernel's verdicts against the policy's."""
        before = len(self.city.events())
        # What an earlier round opened must not make this one's packets known.
        forget = "from gateway.kernel import conntrack; conntrack.flush()"
        self.city.lab.run("gateway", [sys.executable, "-c", forget], timeout=20, check=True)
        listeners = self.city.listen()
        self.city.send(self.packets, interval_us=0)
        self.city.settle(quiet_seconds=0.6)
        arrived = self.city.arrivals(listeners)
        return compare_generated(self.packets, self.city.events()[before:], arrived, self.owners)


@pytest.fixture(scope="module")
def tampered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tampered]:
    directory = tmp_path_factory.mktemp("city")
    city = City.up(read_plan(SAMPLE / "lab/city.yaml"), read_policy(SAMPLE), directory)
    try:
        city.start_gateway(SAMPLE)
        yield Tampered(city)
    finally:
        city.down()


def kinds(found: Comparison) -> set[tuple[str, str]]:
    return {(mismatch.expected, mismatch.got) for mismatch in found.mismatches}


def test_untouched_the_comparison_finds_nothing(tampered: Tampered) -> None:
    found = tampered.compare()
    assert found.mismatches == ()
    assert found.compared > 100
    assert {"allow flow", "deny guard", "deny default-deny", "deny flow"} <= set(found.counts)


def test_a_rule_that_lets_everything_pass_is_found(tampered: Tampered) -> None:
    listed = tampered.nft(
        "nft insert rule inet masugata_a forward accept; nft -a list chain inet masugata_a forward"
    )
    handle = next(
        line.rpartition("# handle ")[2] for line in listed.splitlines() if line.strip().startswith("accept")
    )
    try:
        found = tampered.compare()
    finally:
        tampered.nft(f"nft delete rule inet masugata_a forward handle {handle}")
    said = kinds(found)
    assert ("no arrival", "arrived") in said
    assert any(expected.startswith("deny default-deny") and got == "nothing" for expected, got in said)
    # Refusals before `forward` are still there: guards, spoofed sources.
    assert not any(expected.startswith(("deny guard G1", "deny spoofed")) for expected, _ in said)


def test_a_guard_that_somebody_took_out_is_found(tampered: Tampered) -> None:
    """Default-deny holds what the guard held; only the verdict's name betrays that the guard is gone."""
    before = tampered.nft("nft list chain inet masugata_a from_mynumber")
    listed = tampered.nft("nft -a list chain inet masugata_a from_mynumber")
    handles = [line.rpartition("# handle ")[2] for line in listed.splitlines() if "goto g_G1" in line]
    assert handles
    tampered.nft(
        "; ".join(f"nft delete rule inet masugata_a from_mynumber handle {handle}" for handle in handles)
    )
    try:
        found = tampered.compare()
    finally:
        rules = "".join(line for line in before.splitlines(keepends=True) if not line.startswith("\t\ttype "))
        text = f"flush chain inet masugata_a from_mynumber\n{rules}"
        tampered.city.lab.run("gateway", ["nft", "-f", "-"], input=text, timeout=20, check=True)
    said = kinds(found)
    assert said
    assert all(expected == "deny guard G1" for expected, _ in said)


def test_a_flow_that_somebody_closed_is_found(tampered: Tampered) -> None:
    passing = next(
        p for p in tampered.packets if p.expected.outcome is Outcome.ALLOW and p.key.dst in tampered.owners
    )
    flow: Any = tampered.city.policy.flow(str(passing.expected.decided_by))
    tampered.nft(f"nft delete element inet masugata_a live {{ {flow.number:#x} }}")
    try:
        found = tampered.compare()
    finally:
        tampered.nft(f"nft add element inet masugata_a live {{ {flow.number:#x} }}")
    assert {m.key for m in found.mismatches} >= {passing.key}
    assert ("nothing arrived" in {m.got for m in found.mismatches}) is True


def test_a_packet_log_that_somebody_stopped_is_found(tampered: Tampered) -> None:
    """Nothing passes that should not; but what is not recorded cannot be held against the policy."""
    before = tampered.nft("nft list chain inet masugata_a r_default-deny")
    tampered.nft(
        "nft flush chain inet masugata_a r_default-deny; nft add rule inet masugata_a r_default-deny drop"
    )
    try:
        found = tampered.compare()
    finally:
        text = f"flush chain inet masugata_a r_default-deny\n{before}"
        tampered.city.lab.run("gateway", ["nft", "-f", "-"], input=text, timeout=20, check=True)
    assert kinds(found) == {("deny default-deny None", "nothing")}
