"""Chains end: every loop gets nearer to its end, or says that it does not, and looks at the deadline."""

from __future__ import annotations

import json
from itertools import count
from typing import Any

import pytest

from zones import Policy, load_policy
from zones.model import Action
from zones.proof.reach import Machine, Reach
from zones.proof.regions import Regions
from zones.proof.space import Budget, Undecided
from zones.proof.verify import State, places, verify
from zones.proof.ways import Disagreement, Ways

pytestmark = pytest.mark.timeout(60)

NOW = 1_791_162_000.0
ZONES = {
    "a": {"interfaces": ["a0"], "networks": ["10.1.0.0/16"]},
    "b": {"interfaces": ["b0"], "networks": ["10.2.0.0/16"]},
    "c": {"interfaces": ["c0"], "networks": ["10.3.0.0/16"]},
}
A_TO_B = {"id": "F1", "from": "a", "to": "b", "service": "tcp/443", "action": "allow"}
NEVER = {"relay": {"never": True, "because": "x"}}


def policy_of(hosts: dict[str, Any], **more: Any) -> Policy:
    asked = {"id": "I", "never": {"from": "a", "to": "c"}, "transitive": True}
    entries = {"schema": 1, "meta": {"name": "many"}, "zones": ZONES, "hosts": hosts, "flows": [A_TO_B]}
    return load_policy({"policy.json": json.dumps(entries | {"invariants": [asked]} | more)})


def reach_of(policy: Policy, budget: Budget) -> Reach:
    regions = Regions(policy, now=NOW)
    start, target = places(regions, "a"), places(regions, "c")
    assert start is not None
    assert target is not None
    ways = Ways(regions, frozenset({Action.ALLOW}), frozenset(), budget)
    return Reach(regions, ways, start, {"c": target}, covered=start, trust=True)


def machines(hosts: dict[str, Any]) -> dict[str, bool]:
    """The named machines of the zone b, and whether they are trusted to pass nothing on."""
    found = reach_of(policy_of(hosts), Budget()).machines["b"]
    return {machine.name: machine.never for machine in found if machine.name is not None}


@pytest.mark.parametrize(
    ("one", "other", "third"),
    [
        ("10.2.0.6", ["10.2.0.6", "10.2.0.7"], "10.2.0.7"),
        (["10.2.0.1", "10.2.0.2"], ["10.2.0.2", "10.2.0.3"], ["10.2.0.3", "10.2.0.9"]),
        (["10.2.0.1", "10.2.0.2"], ["10.2.0.9", "10.2.0.2"], "10.2.0.1"),
    ],
)
def test_hosts_that_share_addresses_are_one_machine_trusted_as_the_least(
    one: Any, other: Any, third: Any
) -> None:
    ends = {"one": one, "other": other, "third": third}
    hosts: dict[str, Any] = {name: {"zone": "b", "ip": ip} | NEVER for name, ip in ends.items()}
    assert list(machines(hosts).values()) == [True]
    for least in hosts:
        found = machines({name: host if name != least else _open(host) for name, host in hosts.items()})
        assert found == {least: False}


def _open(host: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in host.items() if key != "relay"}


def test_neighbours_are_machines_of_their_own() -> None:
    hosts: dict[str, Any] = {
        "one": {"zone": "b", "ip": ["10.2.0.5", "10.2.0.7"]} | NEVER,
        "two": {"zone": "b", "ip": "10.2.0.6"},
    }
    assert machines(hosts) == {"one": True, "two": False}


def test_a_loop_that_gets_nowhere_is_a_disagreement(monkeypatch: pytest.MonkeyPatch) -> None:
    reach = reach_of(policy_of({"one": {"zone": "b", "ip": "10.2.0.6"}}), Budget())

    def nowhere(_: Reach, machine: Machine) -> None:
        """As if the address belonged to another machine."""

    monkeypatch.setattr(Reach, "_drop", nowhere)
    with pytest.raises(Disagreement):
        reach.closure()


@pytest.mark.parametrize("looks", range(1, 12))
def test_the_deadline_is_looked_at_while_machines_are_followed(looks: int) -> None:
    hosts = {
        f"h{number}": {"zone": "b", "ip": f"10.2.{number // 100}.{number % 100 * 2 + 1}"}
        for number in range(300)
    }
    policy = policy_of(hosts)
    assert [result.state for result in verify(policy, now=NOW)] == [State.PROVED]

    looked = count(1)
    budget = Budget(expired=lambda: next(looked) >= looks)
    [result] = verify(policy, now=NOW, budget=budget)

    assert (result.state, result.unclear) == (State.UNDECIDED, "undecided-budget")
    assert next(looked) == looks + 1


def test_work_that_is_no_step_is_looked_at_too() -> None:
    looked = count()
    budget = Budget(steps=10, expired=lambda: next(looked) > 2)
    for _ in range(3):
        budget.watch(5000)
    with pytest.raises(Undecided):
        budget.watch(5000)
    assert budget.left == 10


def test_what_is_broken_stays_broken_when_the_time_runs_out() -> None:
    hosts = {"one": {"zone": "b", "ip": "10.2.0.6"}}
    asked = {"id": "I", "never": {"from": "a", "to": ["b", "c"]}, "transitive": True}
    policy = policy_of(hosts, invariants=[asked])
    steps = 2  # enough for what is direct, not for what follows

    [result] = verify(policy, now=NOW, budget=Budget(steps))

    assert result.state is State.VIOLATED
    assert [example.target for example in result.counterexamples] == ["b"]
