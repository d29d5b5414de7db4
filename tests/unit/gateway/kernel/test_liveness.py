"""Which flows are open and for how long, and what to change in the kernel when time went otherwise."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.kernel.liveness import (
    MAX_TIMEOUT_SECONDS,
    TOLERANCE_SECONDS,
    TRIAL_MARK,
    TimedSet,
    live_elements,
    set_elements,
    valid_elements,
)
from zones.load import load_policy

if TYPE_CHECKING:
    from collections.abc import Iterable

    from zones.model import Policy

NOON = 1806462000.0  # 2027-03-31T12:00 in Tokyo, a Wednesday
DAY, HOUR = 86400.0, 3600.0


def policy_of(*flows: dict[str, Any], **meta: Any) -> Policy:
    zones = {
        "a": {"interfaces": ["a0"], "networks": ["10.1.0.0/16"]},
        "b": {"interfaces": ["b0"], "networks": ["10.2.0.0/16"]},
    }
    whole = [
        {"id": f"F{n}", "from": "a", "to": "b", "service": "tcp/1", "action": "allow", **flow}
        for n, flow in enumerate(flows)
    ]
    document = {"schema": "1", "meta": {"name": "x", **meta}, "zones": zones, "flows": whole}
    return load_policy({"x.yaml": json.dumps(document)})


def named(policy: Policy, entries: Iterable[tuple[int, float | None]]) -> dict[str, float | None]:
    ids = {flow.number: flow.id for flow in policy.flows} | {TRIAL_MARK: "trial"}
    return {ids[number]: seconds for number, seconds in entries}


def test_open_flows_are_live_until_they_close() -> None:
    policy = policy_of(
        {},
        {"expires": "2027-03-31"},
        {"expires": "2027-03-30"},
        {"when": {"from": "09:00", "to": "17:00"}},
        {"when": {"to": "09:00"}},
        {"when": {"from": "09:00", "to": "17:00"}, "expires": "2027-03-31"},
        {"when": {"approval": {"people": 2, "max_minutes": 60}}},
        {"mode": "audit"},
        {"mode": "disabled"},
        {"action": "deny"},
        {"action": "sanitize:mail", "service": "tcp/25"},
    )
    assert named(policy, live_elements(policy, NOON)) == {
        "F0": None,
        "F1": 12 * HOUR,
        "F3": 5 * HOUR,
        "F5": 5 * HOUR,
        "F10": None,
    }
    assert named(policy, valid_elements(policy, NOON)) == {
        "F3": None,
        "F4": None,
        "F5": 12 * HOUR,
        "F6": None,
    }


def test_at_the_very_moment_of_expiry_nothing_is_left() -> None:
    policy = policy_of({"expires": "2027-03-31"}, {"expires": "2027-03-31", "when": {"from": "00:00"}})
    midnight = NOON + 12 * HOUR
    assert set(named(policy, live_elements(policy, midnight - 0.001))) == {"F0", "F1"}
    assert live_elements(policy, midnight) == []
    assert valid_elements(policy, midnight) == []


def test_a_trial_is_live_until_its_last_day_is_over() -> None:
    policy = policy_of(enforcement={"audit_until": "2027-03-31"})
    assert named(policy, live_elements(policy, NOON)) == {"trial": 12 * HOUR}
    assert live_elements(policy, NOON + 12 * HOUR) == []
    assert all(flow.number < TRIAL_MARK for flow in policy.flows)


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (None, "0x1"),
        (90.25, "0x1 timeout 90s250ms"),
        (0.9999, "0x1 timeout 0s999ms"),
        # 0 would be for ever.
        (0.0001, "0x1 timeout 0s1ms"),
        (1e12, f"0x1 timeout {MAX_TIMEOUT_SECONDS}s0ms"),
    ],
)
def test_time_outs_are_never_rounded_up(seconds: float | None, written: str) -> None:
    assert set_elements([(1, seconds)]) == written


class Kernel:
    """The set as a kernel keeps it: elements with an end, adding what is there changes nothing."""

    def __init__(self, entries: Iterable[tuple[int, float | None]], tick: float) -> None:
        self.ends = {n: None if s is None else tick + s for n, s in entries}

    def load(self, texts: Iterable[str], tick: float) -> None:
        for text in texts:
            for line in text.splitlines():
                found = re.fullmatch(
                    r"(add|delete) element inet t live \{ 0x([0-9a-f]+)(?: timeout (\d+)s(\d+)ms)? \}", line
                )
                assert found is not None, line
                verb, number = found[1], int(found[2], 16)
                there = number in self.held(tick)
                if verb == "delete":
                    assert there, "what is not there cannot be deleted: the transaction would fail"
                    del self.ends[number]
                elif not there:
                    timed = found[3] is not None
                    self.ends[number] = tick + int(found[3]) + int(found[4]) / 1000 if timed else None

    def held(self, tick: float) -> dict[int, float | None]:
        self.ends = {n: end for n, end in self.ends.items() if end is None or end > tick}
        return self.ends


def agrees(kernel: Kernel, entries: Iterable[tuple[int, float | None]], tick: float) -> bool:
    held, wanted = kernel.held(tick), dict(entries)
    if set(held) != set(wanted):
        return False
    for number, seconds in wanted.items():
        end = held[number]
        if (seconds is None) != (end is None):
            return False
        if seconds is not None and end is not None:
            if seconds > MAX_TIMEOUT_SECONDS:
                if end - tick < MAX_TIMEOUT_SECONDS / 2 - 1:
                    return False
            elif not -TOLERANCE_SECONDS - 0.002 <= end - tick - seconds <= TOLERANCE_SECONDS + 0.002:
                return False
    return True


# No element ends within a millisecond of being looked at: which side it then is on is anybody's guess.
SECONDS = st.none() | st.integers(1, 500 * 86400).map(float) | st.sampled_from([0.25, 1.5, 3600.0])
ENTRIES = st.dictionaries(st.integers(1, 6), SECONDS, max_size=6).map(lambda d: list(d.items()))


@given(ENTRIES, st.lists(st.tuples(ENTRIES, st.sampled_from([0.0, 0.1, 20.0, 1000.0, 3e6])), max_size=5))
def test_whatever_time_does_the_kernel_comes_to_hold_what_it_should(
    first: list[tuple[int, float | None]],
    rounds: list[tuple[list[tuple[int, float | None]], float]],
) -> None:
    tick = 1000.0
    # Loading took seven seconds, by which every end is late.
    kernel = Kernel([(n, None if s is None else min(s, MAX_TIMEOUT_SECONDS)) for n, s in first], tick + 7)
    held = TimedSet("live", first)
    for entries, later in rounds:
        tick += later
        kernel.load(held.changes("t", entries, tick), tick)
        assert agrees(kernel, entries, tick)
        assert list(held.changes("t", entries, tick)) == []


def test_time_that_goes_as_expected_changes_nothing() -> None:
    held = TimedSet("live", [(1, None), (2, 100.0)])
    assert (
        list(held.changes("t", [(1, None), (2, 100.0)], 0.0)) != []
    )  # once: when it was loaded is not known
    for tick in (20.0, 40.02, 60.0):
        assert list(held.changes("t", [(1, None), (2, 100.0 - tick)], tick)) == []


def test_an_end_beyond_what_the_kernel_takes_is_renewed_in_time() -> None:
    far = MAX_TIMEOUT_SECONDS * 3.0
    held = TimedSet("live", [(1, far)])
    assert len(list(held.changes("t", [(1, far)], 0.0))) == 1
    assert list(held.changes("t", [(1, far - DAY)], DAY)) == []
    half = MAX_TIMEOUT_SECONDS / 2 + 1
    assert len(list(held.changes("t", [(1, far - half)], half))) == 1


def test_after_a_failed_load_everything_is_said_again() -> None:
    held = TimedSet("live", [(1, None), (2, 100.0)])
    list(held.changes("t", [(1, None), (2, 100.0)], 0.0))
    held.forget()
    (text,) = held.changes("t", [(1, None), (2, 100.0)], 0.0)
    assert text.count("add element inet t live { 0x1 }\n") == 2
    assert "0x2 timeout 100s0ms" in text


def test_many_changes_are_several_transactions() -> None:
    held = TimedSet("live", [])
    texts = list(held.changes("t", [(n, None) for n in range(1, 1001)], 0.0))
    assert len(texts) == 5
    assert max(map(len, texts)) < 60_000
