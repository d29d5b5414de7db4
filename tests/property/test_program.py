"""The filter program against its meaning: whatever the policy, packet and moment, it decides as `decide`.

The interpreter (`tests/support`) tries one step after another, as a ruleset would; it shares no code
with `decide` but the values. What stands before the program (sources, places, states) is asked in
`decide` itself: the packets here are new connections at their right place.
"""

from __future__ import annotations

import json
from typing import Any

from hypothesis import assume, event, given
from hypothesis import strategies as st
from program_interpreter import Question, interpret

from zones import Outcome, PacketKey, Reason, decide, load_policy
from zones.decide import destination_zone, source_zone
from zones.expiry import closed_because, end_of_day
from zones.model import GATEWAY, Action, Policy
from zones.program import compile_policy, may_close
from zones.verdict import ICMP, ICMP6

ZONES = {
    "a": {
        "interfaces": ["a0", "a1"],
        "networks": ["10.1.0.0/16", "2001:db8:1::/48"],
        "gateway": ["10.1.255.254", "10.1.1.254", "2001:db8:1::fe"],
    },
    "b": {
        "interfaces": ["b0"],
        "networks": ["10.2.0.0/16", "2001:db8:2::/48"],
        "gateway": ["10.2.255.254", "2001:db8:2::fe"],
    },
    "w": {"interfaces": ["w0"], "networks": ["0.0.0.0/0", "::/0"], "class": "outside"},
}
HOSTS = {
    "a1h": {"zone": "a", "ip": ["10.1.0.1", "2001:db8:1::1"], "mac": "02:00:00:00:00:01"},
    "b1h": {"zone": "b", "ip": ["10.2.0.1", "2001:db8:2::1"]},
    "b4": {"zone": "b", "ip": "10.2.0.4"},
    "w6": {"zone": "w", "ip": "2001:db8:ffff::1"},
}
GROUPS = {
    "a-low": {"zone": "a", "networks": ["10.1.0.0/24", "2001:db8:1:0::/64"]},
    "b-low": {"zone": "b", "networks": ["10.2.0.0/25"], "hosts": ["b1h"]},
}
NAMES = {"saas": {"hosts": ["*.example.jp"]}, "inner": {"hosts": ["x.example.jp"], "zone": "b"}}
ENDS = [*ZONES, *HOSTS, *GROUPS, GATEWAY]
SERVICES = (
    *("any", "tcp", "tcp/443", "tcp/25", "tcp/20-30", "tcp/25-443", "udp/53", "udp/1-65535"),
    *("icmp", "icmp/echo-request", "icmp6", "icmp6/echo-request", "proto/47", "sctp/99"),
)
FITTING = {"sanitize:mail": ("tcp/25", "tcp/587"), "sanitize:web": ("tcp/443", "tcp/80")}
FITTING["render"] = ("tcp/443", "tcp/80-90")
WHENS = (
    {"days": "mon-fri", "from": "08:30", "to": "17:15"},
    {"from": "22:00", "to": "05:00"},
    {"days": "wed", "approval": {"people": 2, "max_minutes": 120}},
)
DAYS = ("2027-03-30", "2027-03-31", "2027-04-01")
ADDRESSES = {
    4: (
        *("10.1.0.1", "10.1.0.2", "10.1.7.7", "10.1.255.254", "10.1.1.254"),
        *("10.2.0.1", "10.2.0.4", "10.2.0.127", "10.2.0.128", "10.2.255.254", "203.0.113.9", "10.3.0.1"),
    ),
    6: (
        *("2001:db8:1::1", "2001:db8:1::2", "2001:db8:1:1::2", "2001:db8:1::fe"),
        *("2001:db8:2::1", "2001:db8:2::2", "2001:db8:2::fe", "2001:db8:ffff::1", "2001:db8:3::1"),
    ),
}
PACKETS = ((6, 443), (6, 25), (6, 80), (6, 587), (17, 53), (17, 9), (1, 8), (1, 0), (58, 128), (58, 1))
PACKETS += ((47, 0), (132, 99), (255, 0))


@st.composite
def flows(draw: st.DrawFn, flow_id: str, sources: list[str], destinations: list[str]) -> dict[str, Any]:
    action = draw(st.sampled_from([str(action) for action in Action]))
    if action not in {"allow", "deny"}:  # these carry past the gateway, never to it
        sources = [name for name in sources if name != GATEWAY]
        destinations = [name for name in destinations if name != GATEWAY]
    names = draw(st.lists(st.sampled_from(sources), min_size=1, max_size=2, unique=True))
    targets = st.lists(st.sampled_from(destinations), min_size=1, max_size=2, unique=True)
    flow: dict[str, Any] = {
        "id": flow_id,
        "from": names,
        "to": draw(targets.filter(lambda others: {*names, *others} != {GATEWAY})),
        "service": draw(st.lists(st.sampled_from(FITTING.get(action, SERVICES)), min_size=1, max_size=2)),
        "action": action,
        "mode": draw(st.sampled_from(["enforce"] * 4 + ["audit", "disabled"])),
    }
    if action != "deny":
        time = draw(st.sampled_from(("always", "always", "expires", "when", "both")))
        if time in ("expires", "both"):
            flow["expires"] = draw(st.sampled_from(DAYS))
        if time in ("when", "both"):
            flow["when"] = draw(st.sampled_from(WHENS))
    return flow


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    sources, destinations = ENDS, [*ENDS, *NAMES]
    # Half of all policies are about one direction, in which many flows meet.
    if draw(st.booleans()):
        sources, destinations = ["a", "a1h", "a-low"], ["b", "b1h", "b-low", "b4", "inner"]
    zones = st.lists(st.sampled_from([*ZONES]), min_size=1, max_size=2, unique=True)
    barred = st.lists(
        st.sampled_from([str(action) for action in Action]), min_size=1, max_size=2, unique=True
    )
    mostly = st.sampled_from(([], ["allow"])) | barred
    document = {
        "schema": "1",
        "meta": {"name": "any"},
        "zones": ZONES,
        "hosts": HOSTS,
        "groups": GROUPS,
        "names": NAMES,
        "guards": [
            {"id": f"G{index}", "from": draw(zones), "to": draw(zones), "actions": draw(mostly)}
            for index in range(draw(st.sampled_from((0, 0, 1, 2))))
        ],
        "flows": [
            draw(flows(f"F{index}", sources, destinations)) for index in range(draw(st.integers(0, 8)))
        ],
    }
    if draw(st.integers(0, 3)) == 0:
        document["meta"] = {"name": "any", "enforcement": {"audit_until": draw(st.sampled_from(DAYS))}}
    return load_policy({"any.yaml": json.dumps(document, default=str)})


@st.composite
def keys(draw: st.DrawFn) -> PacketKey:
    version = draw(st.sampled_from((4, 4, 6)))
    ends = ADDRESSES[version]
    common = (ends[0], "10.2.0.1" if version == 4 else "2001:db8:2::1")
    anything = st.tuples(st.sampled_from(ends), st.sampled_from(ends))
    src, dst = draw(st.just(common) | st.just(common) | anything)
    protocol, port = draw(st.sampled_from(((6, 443), (6, 25))) | st.sampled_from(PACKETS))
    return PacketKey.of(None, src, dst, protocol, port)


# Around the midnights on which flows expire, and within and outside of hours.
MOMENTS = st.tuples(
    st.integers(-2, 3), st.sampled_from((0, 0.001, 8.5 * 3600, 12 * 3600, 23 * 3600, 86399.999))
)


def moment(policy: Policy, drawn: tuple[int, float]) -> float:
    from datetime import date

    days, seconds = drawn
    return end_of_day(date(2027, 3, 29), policy.timezone) + days * 86400 + seconds


@given(policies(), keys(), MOMENTS)
def test_the_program_decides_as_decide_does(policy: Policy, key: PacketKey, drawn: tuple[int, float]) -> None:
    now = moment(policy, drawn)
    source = source_zone(policy, key)
    destination = destination_zone(policy, key, source)
    assert source is not None
    assert destination is not None
    foreign = destination != GATEWAY and (key.version, key.dst) in policy.gateway_addresses
    assume(not foreign and {source, destination} != {GATEWAY})
    assume((key.protocol, key.dport) not in {(ICMP, 5), (ICMP6, 137)})

    meant = decide(policy, key, now=now)
    # A proxy of ours connects on under the flow it was given: that is the mark.
    flow = policy.flow(meant.decided_by) if meant.decided_by is not None else None
    asked = Question(source, destination, key, flow.number if flow is not None and source == GATEWAY else 0)
    said, audited = interpret(policy, compile_policy(policy), asked, now)

    event(f"{meant.outcome} {meant.reason}")
    assert said == (meant.outcome, meant.reason, meant.decided_by)
    assert audited == set(meant.audited)


@given(policies(), keys(), MOMENTS, st.data())
def test_a_mark_opens_only_its_own_flow(
    policy: Policy, key: PacketKey, drawn: tuple[int, float], data: st.DataObject
) -> None:
    """A connection of our own that carries a number passes by that flow alone, and only where it leads."""
    now = moment(policy, drawn)
    destination = policy.zone_of(key.version, key.dst)
    assume(
        destination is not None and (key.version, key.dst) not in policy.gateway_addresses and policy.flows
    )
    marked = data.draw(st.sampled_from(policy.flows))
    program = compile_policy(policy)

    said, _ = interpret(policy, program, Question(GATEWAY, str(destination), key, marked.number), now)
    unmarked, _ = interpret(policy, program, Question(GATEWAY, str(destination), key, 0), now)

    if said != unmarked:
        # It is this flow that answers, and it leads there; it lets pass only while it is open.
        closed = closed_because(marked, now, policy.timezone)
        passes = (Outcome.ALLOW, Reason.FLOW) if closed is None else (Outcome.DENY, closed)
        assert said == (*passes, marked.id)
        assert any(end.holds(str(destination), key.version, key.dst) for end in marked.destinations)
        assert any(term.holds(key.protocol, key.dport) for term in marked.services)


@given(policies())
def test_equal_policies_give_equal_programs_and_every_step_is_sound(policy: Policy) -> None:
    program = compile_policy(policy)

    assert compile_policy(policy) == program
    assert program.revision == policy.revision
    for (source, destination), pair in program.pairs.items():
        assert (pair.source, pair.destination) == (source, destination) != (GATEWAY, GATEWAY)
        assert pair.steps or pair.guards or pair.audited
        for step in pair.steps:
            flow = policy.flow(step.flow) if step.flow is not None else None
            if step.closed:
                assert flow is not None
                assert may_close(flow)
            if step.outcome is Outcome.ALLOW:
                assert flow is not None
                assert flow.action is Action.ALLOW or (step.marked and source == GATEWAY)
            for end, zone in ((step.sources, source), (step.destinations, destination)):
                if end is not None and zone != GATEWAY:
                    assert all(policy.zone_of(n.version, n.first) == zone for n in end)
