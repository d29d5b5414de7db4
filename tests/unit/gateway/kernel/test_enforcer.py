"""The order in which the gates open and close: at no moment is more open than the policy says."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from gateway.kernel import enforcer
from gateway.kernel.enforcer import Enforcer
from gateway.kernel.host import Interface
from gateway.kernel.nftables import HOOKED, revision_chain
from gateway.kernel.staging import CLOSED_TABLE, TABLES
from zones.errors import BackendError
from zones.load import load_policy

if TYPE_CHECKING:
    from zones.model import Policy

pytestmark = pytest.mark.timeout(20)

NOON = 1806462000.0  # 2027-03-31T12:00 in Tokyo


class Host:
    """A host as the enforcer sees it: what was done to it, in order; any step may be made to fail."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.done: list[str] = []
        self.fails: set[str] = set()
        self.tables: dict[str, set[str]] = {}
        self.texts: list[str] = []
        names = ("demand_settings", "check_interfaces", "load_ruleset", "put_in_force", "set_forwarding")
        for name in (*names, "interfaces", "list_chains"):
            monkeypatch.setattr(enforcer, name, getattr(self, name))
        monkeypatch.setattr(enforcer.conntrack, "flush", lambda: self._step("flush"))

    def _step(self, name: str) -> None:
        self.done.append(name)
        if name in self.fails:
            self.fails.discard(name)
            raise BackendError("tool-failed", tool=name, detail="as the test wants it")

    def interfaces(self) -> list[Interface]:
        return [Interface("a0", True, ())]

    def demand_settings(self, present: Any = ()) -> None:
        assert list(present) == ["a0"]
        self._step("demand")

    def check_interfaces(self, policy: Policy, present: list[Interface]) -> None:
        self._step("check")

    def put_in_force(self, ruleset: Any) -> None:
        self._step("close" if ruleset.table == CLOSED_TABLE else f"load {ruleset.table}")
        revision = next((t for t in ruleset.text().split() if t.startswith("revision_")), "")
        self.tables = {ruleset.table: {revision, *HOOKED} if revision else {"forward"}}

    def list_chains(self, table: str) -> set[str]:
        return self.tables.get(table, set())

    def set_forwarding(self, on: bool) -> None:
        self._step("forward" if on else "stop forwarding")

    def load_ruleset(self, text: str) -> None:
        self.texts.append(text)
        self._step("renew")


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Host:
    return Host(monkeypatch)


class Clock:
    now, tick = NOON, 500.0


@pytest.fixture
def policy() -> Policy:
    zones = {
        "a": {"interfaces": ["a0"], "networks": ["10.1.0.0/16"]},
        "b": {"interfaces": ["b0"], "networks": ["10.2.0.0/16"]},
    }
    flow = {"from": "a", "to": "b", "service": "tcp/1", "action": "allow"}
    flows = [
        {"id": "F1", **flow},
        {"id": "F2", "expires": "2027-03-31", **flow},
        {"id": "F3", "when": {"from": "13:00", "to": "14:00"}, **flow},
    ]
    document = {"schema": "1", "meta": {"name": "x"}, "zones": zones, "flows": flows}
    return load_policy({"x.yaml": json.dumps(document)})


@pytest.fixture
def made(policy: Policy) -> Enforcer:
    Clock.now, Clock.tick = NOON, 500.0
    return Enforcer(policy, mail_port=10025, clock=lambda: Clock.now, ticks=lambda: Clock.tick)


CLOSING = ["close", "stop forwarding"]


def test_from_closed_over_checked_to_forwarding(host: Host, made: Enforcer) -> None:
    made.open_gates()
    assert host.done == [*CLOSING, "demand", "check", f"load {TABLES[0]}", "renew", "flush", "forward"]
    assert made.table == TABLES[0]
    # The flow that expires got its time-out anew, after all was loaded.
    (text,) = host.texts
    assert "timeout 43200s0ms" in text


@pytest.mark.parametrize("step", ["demand", "check", f"load {TABLES[0]}", "renew", "flush", "forward"])
def test_whatever_fails_on_the_way_the_gates_are_closed_again(host: Host, made: Enforcer, step: str) -> None:
    host.fails = {step}
    with pytest.raises(BackendError):
        made.open_gates()
    assert host.done[-3:] == [step, *CLOSING]
    assert set(host.tables) == {CLOSED_TABLE}


def test_gates_that_cannot_be_closed_first_are_not_opened(host: Host, made: Enforcer) -> None:
    host.fails = {"close"}
    with pytest.raises(BackendError):
        made.open_gates()
    assert host.done == CLOSING


def test_a_kernel_that_does_not_hold_what_was_loaded_is_closed(
    host: Host, made: Enforcer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(enforcer, "list_chains", lambda table: {"forward"})
    with pytest.raises(BackendError) as refused:
        made.open_gates()
    assert refused.value.code == "ruleset-not-loaded"
    assert host.done[-2:] == CLOSING


@pytest.mark.parametrize(("here", "next_"), [TABLES, TABLES[::-1]])
def test_its_own_policy_in_force_is_taken_over_without_closing(
    host: Host, made: Enforcer, policy: Policy, here: str, next_: str
) -> None:
    host.tables = {here: {revision_chain(policy.revision), *HOOKED}}
    made.open_gates()
    assert host.done == ["demand", "check", f"load {next_}", "renew", "forward"]


def test_taken_over_or_not_a_host_that_is_not_as_demanded_is_closed(
    host: Host, made: Enforcer, policy: Policy
) -> None:
    host.tables = {TABLES[0]: {revision_chain(policy.revision), *HOOKED}}
    host.fails = {"check"}
    with pytest.raises(BackendError):
        made.open_gates()
    assert host.done == ["demand", "check", *CLOSING]


@pytest.mark.parametrize(
    "tables",
    [
        {TABLES[0]: {"revision_of-another", *HOOKED}},
        # Half built when its enforcer was killed: it hooks nothing.
        {TABLES[0]: {"REVISION", "known"}},
        {TABLES[0]: {"REVISION", *HOOKED[1:]}},
        {CLOSED_TABLE: {"forward"}, TABLES[0]: {"REVISION", *HOOKED}},
        {"somebody_elses": {"REVISION", *HOOKED}},
    ],
)
def test_anything_else_is_closed_first_and_its_connections_are_forgotten(
    host: Host, made: Enforcer, policy: Policy, tables: dict[str, set[str]]
) -> None:
    mark = revision_chain(policy.revision)
    host.tables = {name: {mark if c == "REVISION" else c for c in chains} for name, chains in tables.items()}
    made.open_gates()
    assert host.done[:2] == CLOSING
    assert "flush" in host.done


def test_renewing_opens_what_has_opened_and_says_nothing_otherwise(host: Host, made: Enforcer) -> None:
    made.open_gates()
    host.texts.clear()
    for minutes in (10, 59):
        Clock.now, Clock.tick = NOON + minutes * 60, 500.0 + minutes * 60
        made.renew()
    assert host.texts == []
    Clock.now, Clock.tick = NOON + 3605, 500.0 + 3605
    made.renew()
    number = made.policy.flow("F3").number  # type: ignore[union-attr]
    (text,) = host.texts
    assert f"{number:#x} timeout 3595s0ms" in text


def test_a_renewal_that_fails_is_told_and_the_next_says_everything(host: Host, made: Enforcer) -> None:
    made.open_gates()
    host.texts.clear()
    Clock.now, Clock.tick = NOON + 3605, 500.0 + 3605
    host.fails = {"renew"}
    with pytest.raises(BackendError):
        made.renew()
    host.texts.clear()
    made.renew()
    assert all(f"{flow.number:#x}" in "".join(host.texts) for flow in made.policy.flows)


async def test_faults_of_renewing_are_reported_and_do_not_end_it(
    host: Host, made: Enforcer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(enforcer, "RENEW_SECONDS", 0.01)
    made.open_gates()
    faults: list[BackendError] = []
    Clock.now, Clock.tick = NOON + 3605, 500.0 + 3605
    host.fails = {"renew"}
    made.start_renewing(faults.append)
    async with asyncio.timeout(10):
        while host.done.count("renew") < 3:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    await made.close()
    assert [fault.code for fault in faults] == ["tool-failed"]
    assert host.done[-2:] == CLOSING
    ended = len(host.done)
    await asyncio.sleep(0.05)
    assert len(host.done) == ended


async def test_closing_what_never_opened_closes_all_the_same(host: Host, made: Enforcer) -> None:
    await made.close()
    assert host.done == CLOSING
