"""What holds for every policy and every packet: default deny, guards above flows, time that only narrows."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import assume, given
from hypothesis import strategies as st

from zones import Connection, Outcome, PacketKey, Reason, State, decide, load_policy
from zones.decide import destination_zone, matching_flows, source_zone
from zones.expiry import closed_because, start_of_day
from zones.explain import explain, misses_of
from zones.model import GATEWAY, Action, Mode, Policy

ZONES = {
    "a": {"interfaces": ["a0"], "networks": ["10.1.0.0/16"], "gateway": ["10.1.255.254"]},
    "b": {"interfaces": ["b0"], "networks": ["10.2.0.0/16", "2001:db8:2::/48"], "gateway": ["10.2.255.254"]},
    "w": {"interfaces": ["w0"], "networks": ["0.0.0.0/0", "::/0"], "class": "outside"},
}
HOSTS = {
    "a1": {"zone": "a", "ip": "10.1.0.1", "mac": "02:00:00:00:00:01"},
    "b1": {"zone": "b", "ip": ["10.2.0.1", "2001:db8:2::1"]},
    "w1": {"zone": "w", "ip": "203.0.113.1"},
}
GROUPS = {"a-low": {"zone": "a", "networks": ["10.1.0.0/24"]}, "b-low": {"zone": "b", "hosts": ["b1"]}}
NAMES = {"saas": {"hosts": ["*.example.jp"]}}
SOURCES = [*ZONES, *HOSTS, *GROUPS, GATEWAY]
DESTINATIONS = [*SOURCES, *NAMES]
SERVICES = [
    "any",
    "tcp/443",
    "tcp/25",
    "tcp/1-1024",
    "udp/53",
    "udp/443",
    "icmp/echo-request",
    "proto/47",
    "any",
]
FITTING = {
    "sanitize:mail": ["tcp/25", "tcp/587"],
    "sanitize:web": ["tcp/443", "tcp/80"],
    "render": ["tcp/443"],
}
DAY = date(2027, 3, 31)

ADDRESSES = {
    4: [
        *("10.1.0.1", "10.1.0.2", "10.1.1.0", "10.1.255.254", "10.2.0.1", "10.2.255.255", "10.2.255.254"),
        *("203.0.113.1", "8.8.8.8", "0.0.0.0", "127.0.0.1", "169.254.1.1", "224.0.0.1", "255.255.255.255"),
        *("10.0.255.255", "10.3.0.0"),
    ],
    6: ["2001:db8:2::1", "2001:db8:2::2", "2001:db8::1", "fe80::1", "ff02::1", "::", "::ffff:10.1.0.1"],
}


@st.composite
def flows(
    draw: st.DrawFn,
    flow_id: str,
    *,
    actions: tuple[str, ...] = tuple(Action),
    sources: list[str] = SOURCES,
    destinations: list[str] = DESTINATIONS,
) -> dict[str, Any]:
    action = str(draw(st.sampled_from(actions)))
    if action not in {"allow", "deny"}:  # these carry past the gateway, never to it
        sources = [name for name in sources if name != GATEWAY]
        destinations = [name for name in destinations if name != GATEWAY]
    names = draw(st.lists(st.sampled_from(sources), min_size=1, max_size=2, unique=True))
    targets = st.lists(st.sampled_from(destinations), min_size=1, max_size=2, unique=True)
    services = draw(st.lists(st.sampled_from(FITTING.get(action, SERVICES)), min_size=1, max_size=2))
    flow: dict[str, Any] = {
        "id": flow_id,
        "from": names,
        "to": draw(targets.filter(lambda others: {*names, *others} != {GATEWAY})),
        "service": services,
        "action": action,
        "mode": draw(st.sampled_from(["enforce"] * 5 + ["audit", "disabled"])),
    }
    if action != "deny" and draw(st.booleans()):
        flow["expires"] = (DAY + timedelta(days=draw(st.integers(-3, 3)))).isoformat()
    if action != "deny" and draw(st.integers(0, 4)) == 0:
        flow["when"] = {"days": "mon-fri", "from": "08:30", "to": "17:15"}
    return flow


@st.composite
def documents(draw: st.DrawFn, /, *, guarded: bool = True, **options: Any) -> dict[str, Any]:
    # Half of all policies are about one direction, in which many flows meet.
    if draw(st.booleans()):
        options = {"sources": ["a", "a1", "a-low"], "destinations": ["b", "b1", "b-low", "saas"], **options}
    zones = st.lists(st.sampled_from([*ZONES]), min_size=1, max_size=2, unique=True)
    guards = [
        {"id": f"G{index}", "from": draw(zones), "to": draw(zones), "actions": draw(GUARD_ACTIONS)}
        for index in range(draw(st.integers(0, 2)) if guarded else 0)
    ]
    return {
        "schema": "1",
        "meta": {"name": "any"},
        "zones": ZONES,
        "hosts": HOSTS,
        "groups": GROUPS,
        "names": NAMES,
        "guards": guards,
        "flows": [draw(flows(f"F{index}", **options)) for index in range(draw(st.integers(0, 8)))],
    }


GUARD_ACTIONS = st.lists(st.sampled_from([str(action) for action in Action]), max_size=2, unique=True)


# What flows are written about: most questions are asked there, or hardly any flow would ever match.
LIKELY_ENDS = ["10.1.0.1", "10.1.0.2", "10.2.0.1", "203.0.113.1", "10.1.255.254", "10.2.255.254"]
LIKELY_SERVICES = [(6, 443), (6, 25), (17, 443), (17, 53), (1, 8), (47, 0)]


@st.composite
def likely_keys(draw: st.DrawFn) -> PacketKey:
    ends = st.permutations(LIKELY_ENDS).map(lambda ends: (ends[0], ends[1]))
    source, destination = draw(st.just(("10.1.0.1", "10.2.0.1")) | ends)
    protocol, port = draw(st.sampled_from(LIKELY_SERVICES))
    return PacketKey.of(None, source, destination, protocol, port)


@st.composite
def odd_keys(draw: st.DrawFn) -> PacketKey:
    addresses = st.sampled_from(ADDRESSES[draw(st.sampled_from([4, 4, 6]))])
    return PacketKey.of(
        draw(st.sampled_from([None, *ZONES, GATEWAY, "nowhere"])),
        draw(addresses),
        draw(addresses),
        draw(st.sampled_from([6, 6, 17, 1, 58, 47, 255])),
        draw(st.sampled_from([0, 5, 8, 25, 53, 80, 137, 443, 1024, 1025, 65535])),
        src_mac=draw(st.sampled_from([None, None, "02:00:00:00:00:01", "02:00:00:00:00:02"])),
    )


def keys() -> st.SearchStrategy[PacketKey]:
    return st.one_of(likely_keys(), likely_keys(), odd_keys())


CONNECTIONS = st.none() | st.builds(
    Connection, st.sampled_from(State), st.none() | st.sampled_from(["F0", "F1", "F2", "G0", "gone"])
)
MOMENTS = st.integers(-5, 5).map(
    lambda days: start_of_day(DAY + timedelta(days=days), ZoneInfo("Asia/Tokyo")) + 12 * 3600
) | st.floats(0, 4e9)


def policy_of(document: dict[str, Any]) -> Policy:
    base = {"schema": "1", "meta": {"name": "any"}, "zones": ZONES}
    return load_policy({"any.yaml": json.dumps({**base, **document}, default=str)})


def pair_of(policy: Policy, key: PacketKey) -> tuple[str | None, str | None]:
    source = source_zone(policy, key)
    return source, destination_zone(policy, key, source)


@given(keys(), CONNECTIONS, MOMENTS)
def test_without_flows_nothing_passes(key: PacketKey, connection: Connection | None, now: float) -> None:
    verdict = decide(policy_of({}), key, now=now, connection=connection)

    assert verdict.outcome is Outcome.DENY
    assert verdict.decided_by is None


@given(documents(), keys(), CONNECTIONS, MOMENTS)
def test_a_guard_stands_above_whatever_flows_say(
    document: dict[str, Any], key: PacketKey, connection: Connection | None, now: float
) -> None:
    source, destination = pair_of(policy_of({}), key)
    assume(source in ZONES and destination in ZONES)
    document["guards"] = [*document["guards"], {"id": "G9", "from": source, "to": destination}]

    verdict = decide(policy_of(document), key, now=now, connection=connection)

    assert not verdict.passes
    assert verdict.reason in (Reason.GUARD, Reason.SPOOFED_SOURCE)


@given(documents(), keys(), MOMENTS)
def test_a_guard_with_actions_forbids_new_connections_by_them(
    document: dict[str, Any], key: PacketKey, now: float
) -> None:
    source, destination = pair_of(policy_of({}), key)
    assume(source in ZONES and destination in ZONES)
    document["guards"] = [{"id": "G9", "from": source, "to": destination, "actions": ["allow"]}]
    policy = policy_of(document)

    verdict = decide(policy, key, now=now)

    assert verdict.outcome is not Outcome.ALLOW


@given(documents(), keys(), CONNECTIONS, MOMENTS, st.data())
def test_a_flow_that_does_not_concern_the_packet_changes_nothing(
    document: dict[str, Any], key: PacketKey, connection: Connection | None, now: float, data: st.DataObject
) -> None:
    other = data.draw(flows("F9").filter(lambda flow: not set(flow["to"]) & set(NAMES)))
    policy = policy_of(document)
    more = policy_of({**document, "flows": [*document["flows"], other]})
    source, destination = pair_of(policy, key)
    if source is not None and destination is not None:
        assume("F9" not in {flow.id for flow in matching_flows(more, key, source, destination)})

    before = decide(policy, key, now=now, connection=connection)
    after = decide(more, key, now=now, connection=connection)

    assert after._replace(revision="") == before._replace(revision="")


@given(documents(), keys(), MOMENTS, st.randoms())
def test_the_order_of_flows_and_guards_means_nothing(
    document: dict[str, Any], key: PacketKey, now: float, random: Any
) -> None:
    shuffled = {**document, "flows": [*document["flows"]], "guards": [*document["guards"]]}
    random.shuffle(shuffled["flows"])
    random.shuffle(shuffled["guards"])

    assert decide(policy_of(shuffled), key, now=now) == decide(policy_of(document), key, now=now)


OPENNESS = {Outcome.DENY: 0, Outcome.SANITIZE_WEB: 1, Outcome.SANITIZE_MAIL: 1, Outcome.ALLOW: 2}


@given(documents(), keys(), st.integers(-5, 5), st.integers(0, 10))
def test_as_expiry_dates_go_by_less_passes_and_nothing_passes_more_openly(
    document: dict[str, Any], key: PacketKey, day: int, later: int
) -> None:
    for flow in document["flows"]:
        flow.pop("when", None)
    policy = policy_of(document)
    earlier = start_of_day(DAY + timedelta(days=day), policy.timezone)

    before, after = (decide(policy, key, now=earlier + days * 86400).outcome for days in (0, later))

    assert OPENNESS[after] <= OPENNESS[before]


@given(documents(), keys(), CONNECTIONS, MOMENTS)
def test_what_passes_is_carried_by_a_flow_that_is_open_and_allows(
    document: dict[str, Any], key: PacketKey, connection: Connection | None, now: float
) -> None:
    policy = policy_of(document)

    verdict = decide(policy, key, now=now, connection=connection)

    if verdict.passes:
        flow = policy.flow(str(verdict.decided_by))
        assert flow is not None
        assert flow.allowing
        assert flow.mode is Mode.ENFORCE
        assert closed_because(flow, now, policy.timezone) is None


@given(documents(), keys(), MOMENTS, st.sampled_from([State.ESTABLISHED, State.RELATED]))
def test_a_connection_whose_flow_is_gone_never_passes(
    document: dict[str, Any], key: PacketKey, now: float, state: State
) -> None:
    verdict = decide(policy_of(document), key, now=now, connection=Connection(state, "gone"))

    assert not verdict.passes


MEETING: dict[str, Any] = {
    "sources": ["a", "a1", "a-low"],
    "destinations": ["b", "b1", "b-low"],
    "guarded": False,
}


@given(documents(**MEETING), st.sampled_from([25, 443]), MOMENTS)
def test_among_equals_the_smallest_id_decides_and_the_others_are_listed(
    document: dict[str, Any], port: int, now: float
) -> None:
    policy = policy_of(document)
    key = PacketKey.of("a", "10.1.0.1", "10.2.0.1", "tcp", port)
    live = [
        flow
        for flow in matching_flows(policy, key, "a", "b")
        if flow.mode is Mode.ENFORCE and closed_because(flow, now, policy.timezone) is None
    ]
    assume(live)

    verdict = decide(policy, key, now=now)
    assume(verdict.reason not in (Reason.EXPIRED, Reason.OUTSIDE_HOURS))  # a stricter flow has closed

    decisive = policy.flow(str(verdict.decided_by))
    assert decisive is not None

    assert decisive.id == min(flow.id for flow in live if flow.action is decisive.action)
    assert {decisive.id, *verdict.also} == {flow.id for flow in live}


INTEGERS = st.integers(0, 2**128 - 1)


@given(
    documents(),
    st.builds(
        PacketKey,
        st.none() | st.text(max_size=5) | st.sampled_from([*ZONES, GATEWAY]),
        st.sampled_from([0, 4, 5, 6]),
        INTEGERS,
        INTEGERS,
        st.integers(-1, 2**16),
        st.integers(-1, 2**17),
        st.integers(-1, 2**17),
        st.none() | st.text(max_size=20),
    ),
    CONNECTIONS,
    MOMENTS,
)
def test_no_key_makes_it_raise(
    document: dict[str, Any], key: PacketKey, connection: Connection | None, now: float
) -> None:
    policy = policy_of(document)

    assert explain(policy, key, now=now, connection=connection).verdict == decide(
        policy, key, now=now, connection=connection
    )


@given(documents(), keys(), CONNECTIONS, MOMENTS)
def test_an_explanation_tells_the_story_of_the_verdict(
    document: dict[str, Any], key: PacketKey, connection: Connection | None, now: float
) -> None:
    policy = policy_of(document)
    verdict = decide(policy, key, now=now, connection=connection)

    told = explain(policy, key, now=now, connection=connection)

    assert told.verdict == verdict
    open_and_matching = {entry.flow.id for entry in told.considered if not entry.misses}
    if verdict.reason is Reason.DEFAULT_DENY:
        assert open_and_matching == set()
    if verdict.reason is Reason.FLOW and connection is None:
        assert verdict.decided_by in open_and_matching
        assert set(verdict.also) <= open_and_matching
    if verdict.reason is Reason.GUARD:
        assert [seen.guard.id for seen in told.guards if seen.decided] == [verdict.decided_by]
    if told.nearest:
        assert not verdict.passes
        assert all(entry.misses and entry.flow.allowing for entry in told.nearest)


@given(documents(), keys(), MOMENTS)
def test_a_flow_without_misses_is_one_that_decide_takes_as_open(
    document: dict[str, Any], key: PacketKey, now: float
) -> None:
    policy = policy_of(document)
    source, destination = pair_of(policy, key)
    assume(source is not None and destination is not None)

    taken = {
        flow.id
        for flow in matching_flows(policy, key, str(source), str(destination))
        if flow.mode is Mode.ENFORCE and closed_because(flow, now, policy.timezone) is None
    }

    assert {flow.id for flow in policy.flows if not misses_of(policy, flow, key, now=now)} == taken
