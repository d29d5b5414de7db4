"""Proofs over random policies: regions, verify, shadow and diff against brute force over small header spaces.

The spaces are small because the policies are: a handful of addresses, ports and types stand for every class
of packets that such a policy can tell apart. `decide` is the meaning.
"""

from __future__ import annotations

import json
from itertools import product
from typing import Any

from hypothesis import event, given
from hypothesis import strategies as st

from zones import Outcome, PacketKey, Policy, decide, load_policy
from zones.address import parse_address
from zones.decide import destination_zone, source_zone
from zones.expiry import closed_because
from zones.model import GATEWAY, Action
from zones.proof.diff import Change, diff
from zones.proof.packets import point_of
from zones.proof.regions import Region, Regions
from zones.proof.shadow import never_decides, redundant
from zones.proof.space import inside
from zones.proof.verify import State, counted, verify
from zones.verdict import Connection, Reason
from zones.verdict import State as Tracked

NOW = 1_791_162_000.0  # a Monday morning in the policy's time zone
_DAY = 86_400
SUNDAY, MOMENTS = NOW - _DAY, (NOW + _DAY, NOW + 5 * _DAY)  # a Tuesday, a Saturday
ZONES = {
    "a": {"interfaces": ["a0"], "networks": ["10.1.0.0/30", "2001:db8:1::/126"], "gateway": ["10.1.0.3"]},
    "b": {"interfaces": ["b0"], "networks": ["10.2.0.0/30", "2001:db8:2::/126"], "gateway": ["10.2.0.3"]},
    "c": {"interfaces": ["c0"], "networks": ["10.3.0.0/30"]},
}
HOSTS = {
    "a1": {"zone": "a", "ip": "10.1.0.1"},
    "b1": {"zone": "b", "ip": ["10.2.0.1", "2001:db8:2::1"]},
    "b2": {"zone": "b", "ip": "10.2.0.2"},
    "b3": {"zone": "b", "ip": ["10.2.0.2", "10.2.0.0"]},  # another name for b2, with one address more
    "c1": {"zone": "c", "ip": "10.3.0.1"},
}
GROUPS = {
    "a-low": {"zone": "a", "networks": ["10.1.0.0/31", "2001:db8:1::/127"]},
    "b-part": {"zone": "b", "networks": ["10.2.0.0/31"]},  # one address each of b1 and b3, which have more
}
NAMES = {"saas": {"hosts": ["*.example.jp"], "zone": "b"}}
SOURCES = [*ZONES, *HOSTS, *GROUPS, GATEWAY]
ENDS = [*SOURCES, "saas"]
SERVICES = ["any", "tcp", "tcp/443", "tcp/25", "tcp/20-30", "udp/53", "icmp/echo-request", "icmp", "proto/47"]
FITTING = {"sanitize:mail": ["tcp/25"], "sanitize:web": ["tcp/443"], "render": ["tcp/443", "tcp/80-90"]}
WHENS = [
    {"days": "mon-fri", "from": "08:30", "to": "17:15"},
    {"days": "sat"},
    {"approval": {"people": 2, "max_minutes": 60}},
]
# One address at least of every kind that the hosts, groups and zones above tell apart.
ADDRESSES = {
    4: [*(f"10.{zone}.0.{last}" for zone in (1, 2) for last in range(4)), "10.3.0.0", "10.3.0.1"],
    6: ["2001:db8:1::", "2001:db8:1::2", "2001:db8:2::", "2001:db8:2::1"],
}
PACKETS = [
    (6, 443),
    (6, 25),
    (6, 22),
    (6, 80),
    (6, 7),
    (17, 53),
    (17, 9),
    (1, 8),
    (1, 5),
    (1, 0),
    (47, 0),
    (99, 0),
]


def fits(action: str, names: list[str]) -> bool:
    """The gateway itself is the end of what is allowed, never of what is handed on."""
    return GATEWAY not in names or action in {"allow", "deny"}


@st.composite
def flows(draw: st.DrawFn, flow_id: str) -> dict[str, Any]:
    action = draw(st.sampled_from([*(str(action) for action in Action), "allow", "allow"]))
    # What is not simply forwarded is carried past the gateway, never to it.
    ours = {GATEWAY} if action not in {"allow", "deny"} else set()
    sources, ends = ([name for name in names if name not in ours] for names in (SOURCES, ENDS))
    source = draw(st.lists(st.sampled_from(sources), min_size=1, max_size=2, unique=True))
    targets = st.lists(st.sampled_from(ends), min_size=1, max_size=2, unique=True)
    flow: dict[str, Any] = {
        "id": flow_id,
        "from": source,
        "to": draw(targets.filter(lambda names: {*names, *source} != {GATEWAY} and fits(action, names))),
        "service": draw(st.lists(st.sampled_from(FITTING.get(action, SERVICES)), min_size=1, max_size=2)),
        "action": action,
        "mode": draw(st.sampled_from(["enforce"] * 5 + ["audit", "disabled"])),
    }
    if action != "deny":
        if draw(st.integers(0, 4)) == 0:
            flow["expires"] = draw(st.sampled_from(["2026-01-31", "2030-03-31"]))
        if draw(st.integers(0, 4)) == 0:
            flow["when"] = draw(st.sampled_from(WHENS))
    return flow


@st.composite
def guards(draw: st.DrawFn, guard_id: str) -> dict[str, Any]:
    guard: dict[str, Any] = {
        "id": guard_id,
        "from": draw(st.sampled_from([*ZONES])),
        "to": draw(st.sampled_from([*ZONES])),
    }
    if draw(st.booleans()):
        guard["actions"] = draw(
            st.lists(
                st.sampled_from([str(a) for a in Action if a is not Action.DENY]), min_size=1, max_size=2
            )
        )
    return guard


@st.composite
def texts(draw: st.DrawFn) -> dict[str, Any]:
    never_relay = draw(st.sampled_from([(), ("b1",), ("b1", "b2"), ("b2", "b3"), ("a1", "c1")]))
    meta: dict[str, Any] = {"name": "small", "timezone": "Asia/Tokyo"}
    if draw(st.integers(0, 5)) == 0:
        meta["enforcement"] = {"audit_until": "2027-01-01"}
    return {
        "schema": 1,
        "meta": meta,
        "zones": ZONES,
        "hosts": {
            name: host | ({"relay": {"never": True, "because": "x"}} if name in never_relay else {})
            for name, host in HOSTS.items()
        },
        "groups": GROUPS,
        "names": NAMES,
        "flows": [draw(flows(f"F{number}")) for number in range(draw(st.integers(0, 5)))],
        "guards": [draw(guards(f"G{number}")) for number in range(draw(st.integers(0, 2)))],
    }


def policy_of(entries: dict[str, Any]) -> Policy:
    return load_policy({"policy.json": json.dumps(entries)})


def packets(policy: Policy) -> list[tuple[PacketKey, str, str]]:
    """Every packet of the small space that stands in its right place, with its zones."""
    found = []
    for addresses in ADDRESSES.values():
        for src, dst in product(addresses, repeat=2):
            version, source = parse_address(src)
            _, destination = parse_address(dst)
            for protocol, dport in PACKETS:
                key = PacketKey(None, version, source, destination, protocol, 49152, dport)
                zone = source_zone(policy, key)
                other = destination_zone(policy, key, zone)
                if zone is not None and other is not None and (zone, other) != (GATEWAY, GATEWAY):
                    found.append((key._replace(ingress=zone), zone, other))
    return found


def region_of(regions: Regions, key: PacketKey, source: str, destination: str) -> Region | None:
    """The region that answers for a packet; None for packets that no pair counts among its own."""
    pair = regions.pair(source, destination)
    point = point_of(key)
    if not any(inside(family, point) for family in pair.families):
        return None
    return next((region for region in pair.regions if inside(region.box, point)), pair.rest)


@given(texts())
def test_regions_answer_as_decide_does(entries: dict[str, Any]) -> None:
    policy = policy_of(entries)
    regions = Regions(policy, now=NOW)
    for key, source, destination in packets(policy):
        region = region_of(regions, key, source, destination)
        verdict = decide(policy, key, now=NOW)
        if region is None:
            assert verdict.outcome is Outcome.DENY
            assert verdict.reason in (Reason.MISROUTED, Reason.INVALID_STATE, Reason.GUARD)
        else:
            assert region.answer == (verdict.outcome, verdict.reason, verdict.decided_by)


# --- verify ------------------------------------------------------------------------------------------------

Edge = tuple[str, str, str, str]  # zone, address → zone, address
Member = tuple[str, str]
BY_ANOTHER_WAY = (Reason.USE_RENDER, Reason.USE_PORTAL)


def edges(policy: Policy, actions: frozenset[Action], exceptions: frozenset[str], now: float) -> set[Edge]:
    """Every pair of ends between which data gets by those actions, both ways, at one moment or another."""
    return set().union(*(edges_at(policy, actions, exceptions, moment) for moment in (now, *MOMENTS)))


def edges_at(policy: Policy, actions: frozenset[Action], exceptions: frozenset[str], now: float) -> set[Edge]:
    found = set()
    for key, source, destination in packets(policy):
        verdict = decide(policy, key, now=now)
        if not verdict.passes and verdict.reason not in BY_ANOTHER_WAY:
            continue
        flow = policy.flow(verdict.decided_by) if verdict.decided_by else None
        action = flow.action if flow is not None else Action.ALLOW
        peers = [other for other in verdict.also if (f := policy.flow(other)) and f.action is action]
        if action not in actions or (verdict.decided_by and {verdict.decided_by, *peers} <= exceptions):
            continue
        found.add((source, str(key.src), destination, str(key.dst)))
        reply = key._replace(ingress=destination, src=key.dst, dst=key.src, dport=49152)
        answer = decide(
            policy, reply, now=now, connection=Connection(Tracked.ESTABLISHED, verdict.decided_by)
        )
        # What we fetched ourselves comes from us: no guard of these policies stands in that way.
        ours = action is not Action.ALLOW and GATEWAY not in (source, destination)
        if ours or answer.passes or answer.reason in BY_ANOTHER_WAY:
            found.add((destination, str(key.dst), source, str(key.src)))
    return found


def members(policy: Policy, name: str) -> set[tuple[str, str]]:
    found = set()
    for version, addresses in ADDRESSES.items():
        for text in addresses:
            _, address = parse_address(text)
            ours = (version, address) in policy.gateway_addresses
            zone = GATEWAY if ours else policy.zone_of(version, address)
            host = policy.hosts.get(name)
            group = policy.groups.get(name)
            networks = host.addresses if host else group.networks if group else ()
            if zone == name or (not ours and any(n.holds(version, address) for n in networks)):
                found.add((str(zone), str(address)))
    return found


def brute_force(
    policy: Policy, invariant: Any, asleep: frozenset[str], now: float, *, transitive: bool, trust: bool
) -> bool:
    """Whether data gets from the sources to the destinations; hop by hop, in any order, where asked."""
    ways = edges(policy, counted(invariant), asleep, now)
    starts = [members(policy, name) for name in invariant.sources]
    target = set().union(*(members(policy, name) for name in invariant.destinations))
    if any((s, a) in start and (d, b) in target for start in starts for s, a, d, b in ways):
        return True
    return transitive and any(hop_by_hop(policy, ways, start, target, trust=trust) for start in starts)


def machine(policy: Policy, member: Member) -> tuple[set[Member], list[Any]]:
    """All addresses of the machine that has this one, and the names that it goes by."""
    addresses, names = {member}, []
    while grown := [
        host
        for host in policy.hosts.values()
        if host not in names and addresses & {(host.zone, str(n.first)) for n in host.addresses}
    ]:
        names += grown
        addresses |= {(host.zone, str(n.first)) for host in grown for n in host.addresses}
    return addresses, names


def hop_by_hop(
    policy: Policy, ways: set[Edge], start: set[Member], target: set[Member], *, trust: bool
) -> bool:
    machines = {member for name in [*ZONES, GATEWAY] for member in members(policy, name)}

    def relays(member: Member) -> bool:
        names = machine(policy, member)[1]
        never = bool(names) and all(host.relay is not None for host in names)
        begins = bool(machine(policy, member)[0] & start)
        return member[0] != GATEWAY and (begins or not (trust and never))

    got: set[tuple[str, str]] = set()
    front = set(start)
    arrivals: set[tuple[str, str]] = set()
    while front:
        reached = {(d, b) for s, a, d, b in ways if (s, a) in front and s != d}
        for zone, _ in front:
            if zone != GATEWAY:
                reached |= {member for member in machines if member[0] == zone}
        reached = set().union(*(machine(policy, member)[0] for member in reached))
        new = reached - got
        got |= new
        arrivals |= new - start
        front = {member for member in new if relays(member)}
    return bool(target & arrivals)


BEGINNINGS = [*ZONES, "a1", "a-low", "b1", "b3", "b-part", GATEWAY]
GOALS = [*ZONES, "c1", "b1", "b2", "b-part", GATEWAY]


@given(
    texts(),
    st.lists(st.sampled_from(BEGINNINGS), min_size=1, max_size=3, unique=True),
    st.lists(st.sampled_from(GOALS), min_size=1, max_size=3, unique=True),
    st.sampled_from([[], ["sanitize:mail", "sanitize:web"], ["render", "file-transfer"]]),
    st.sampled_from([NOW, SUNDAY]),
)
def test_who_asks_for_more_never_hears_less(
    entries: dict[str, Any], sources: list[str], goals: list[str], over: list[str], now: float
) -> None:
    """Over hops, with relays distrusted, by more actions, from more or to more places: still broken."""
    few = {"id": "few", "never": {"from": sources[:1], "to": goals[:1]}}
    asked = [
        few,
        few | {"id": "hops", "transitive": True},
        few | {"id": "more", "never": {"from": sources, "to": goals}, "over": over},
        few | {"id": "all", "never": {"from": sources, "to": goals}, "over": over, "transitive": True},
    ]
    policy = policy_of(entries | {"invariants": asked})

    def broken(*, distrust: bool) -> set[str]:
        results = {r.invariant.id: r.state for r in verify(policy, now=now, distrust_relays=distrust)}
        for less, more in (("few", "hops"), ("more", "all")):
            assert results[less] is State.PROVED or results[more] is State.VIOLATED
        return {asked for asked, state in results.items() if state is not State.PROVED}

    trusting, wary = broken(distrust=False), broken(distrust=True)

    event(f"{sorted(trusting)}")
    assert trusting <= wary
    for found in (trusting, wary):
        for less, more in (("few", "more"), ("hops", "all")):
            assert less not in found or more in found


@given(st.data())
def test_an_invariant_is_proved_exactly_where_brute_force_finds_no_way(data: st.DataObject) -> None:
    entries = data.draw(texts())
    kind = data.draw(st.sampled_from(["never", "require"]))
    ends = {
        "from": data.draw(st.lists(st.sampled_from(BEGINNINGS), min_size=1, max_size=2)),
        "to": data.draw(st.lists(st.sampled_from(GOALS), min_size=1, max_size=2)),
    }
    transitive = data.draw(st.booleans())
    trust = data.draw(st.booleans())
    invariant: dict[str, Any] = {"id": "I", "transitive": transitive}
    if kind == "never":
        invariant |= {"never": ends, "over": data.draw(st.sampled_from([[], ["sanitize:mail"], ["render"]]))}
    else:
        required = data.draw(st.sampled_from([["sanitize:mail"], ["render", "file-transfer"], ["allow"]]))
        invariant |= {**ends, "require_action": required}
    if entries["flows"] and data.draw(st.integers(0, 3)) == 0:
        excepted = data.draw(
            st.sampled_from([f["id"] for f in entries["flows"] if f["action"] == "allow"] or [None])
        )
        if excepted is not None:
            invariant |= {"except": [excepted], "because": "x"}
    policy = policy_of(entries | {"invariants": [invariant]})

    now = data.draw(st.sampled_from([NOW, SUNDAY]))
    (result,) = verify(policy, now=now, distrust_relays=not trust)

    # What an exception opens counts as absent; while it is closed it opens nothing, and refuses as it does.
    opening = {
        flow.id
        for flow in policy.flows
        if flow.id in policy.invariants[0].exceptions and closed_because(flow, now, policy.timezone) is None
    }
    left = [flow for flow in entries["flows"] if flow["id"] not in opening]
    without = policy_of(entries | {"flows": left, "invariants": [invariant | {"except": []}]})
    asleep = frozenset(policy.invariants[0].exceptions) - opening
    expected = brute_force(without, without.invariants[0], asleep, now, transitive=transitive, trust=trust)
    event(f"{kind} {transitive=} {result.state} {expected=}")
    if result.unclear == "undecided-order":
        assert expected or policy.invariants[0].exceptions
    else:
        assert result.state is (State.VIOLATED if expected else State.PROVED)
    for example in result.counterexamples:
        assert list(example.steps) == sorted(example.steps, key=lambda step: step.at)
    for step in (step for example in result.counterexamples for step in example.steps):
        if step.seen is not None:
            again = decide(policy, step.seen.packet, now=step.at)
            assert again == step.seen.verdict
            assert again.passes or again.reason in BY_ANOTHER_WAY


# --- flows that do nothing ---------------------------------------------------------------------------------


def crossing(policy: Policy, key: PacketKey) -> tuple[Outcome, Action | None]:
    """What becomes of a packet and its content, whoever says so."""
    verdict = decide(policy, key, now=NOW)
    if not verdict.passes and verdict.reason not in BY_ANOTHER_WAY:
        return verdict.outcome, None
    flow = policy.flow(verdict.decided_by) if verdict.decided_by else None
    return verdict.outcome, flow.action if flow is not None else Action.ALLOW


def open_flows(policy: Policy) -> set[str]:
    """The flows that take part."""
    return {
        flow.id
        for flow in policy.flows
        if flow.mode == "enforce" and closed_because(flow, NOW, policy.timezone) is None
    }


@given(texts())
def test_a_flow_is_reported_exactly_where_no_packet_is_decided_by_it(entries: dict[str, Any]) -> None:
    policy = policy_of(entries)

    dead = {found.flow for found in never_decides(policy, now=NOW)}

    deciding = {decide(policy, key, now=NOW).decided_by for key, _, _ in packets(policy)}
    event(f"{len(dead)} dead")
    assert dead <= open_flows(policy)
    assert dead.isdisjoint(deciding)
    assert open_flows(policy) - dead == open_flows(policy) & deciding


@given(texts())
def test_what_is_redundant_can_be_taken_out(entries: dict[str, Any]) -> None:
    policy = policy_of(entries)

    found = set(redundant(policy, now=NOW))

    event(f"{len(found)} redundant")
    for flow in open_flows(policy):
        left = [entry for entry in entries["flows"] if entry["id"] != flow]
        without = policy_of(entries | {"flows": left})
        same = all(crossing(policy, key) == crossing(without, key) for key, _, _ in packets(policy))
        (entry,) = (entry for entry in entries["flows"] if entry["id"] == flow)
        by_name = "saas" in entry["to"]
        assert (same and not by_name) == (flow in found)


# --- differences -------------------------------------------------------------------------------------------


def answer(policy: Policy, key: PacketKey) -> tuple[Outcome, Reason, str | None]:
    verdict = decide(policy, key, now=NOW)
    return verdict.outcome, verdict.reason, verdict.decided_by


@given(texts(), texts(), st.booleans())
def test_a_difference_is_reported_exactly_where_some_packet_gets_another_answer(
    entries: dict[str, Any], others: dict[str, Any], mixed: bool
) -> None:
    if mixed:  # most of the flows in common: what an edit looks like
        others = others | {
            "flows": [*entries["flows"][1:], *({**f, "id": "X" + f["id"]} for f in others["flows"][:1])]
        }
        others["guards"] = entries["guards"]
    before, after = policy_of(entries), policy_of(others)

    found = diff(before, after, now=NOW)

    changed: set[tuple[Any, ...]] = set()
    for key, source, destination in packets(before):
        reasons = {answer(policy, key)[1] for policy in (before, after)}
        if reasons & {Reason.MISROUTED, Reason.INVALID_STATE}:
            continue  # no policy lets these pass
        if answer(before, key) != answer(after, key):
            changed.add((source, destination, answer(before, key), answer(after, key)))
    reported = {(d.source, d.destination, d.before, d.after) for d in found if d.change is not Change.REPLIES}
    event(f"{len(changed)} groups")
    assert reported == changed
    for difference in found:
        if difference.change is Change.CROSSING:
            assert crossing(before, difference.packet) != crossing(after, difference.packet)


@given(texts(), texts())
def test_replies_that_begin_or_cease_to_pass_are_reported(
    entries: dict[str, Any], others: dict[str, Any]
) -> None:
    before, after = policy_of(entries), policy_of(entries | {"guards": others["guards"]})

    found = {(d.source, d.destination) for d in diff(before, after, now=NOW) if d.change is Change.REPLIES}

    expected = set()
    for key, source, destination in packets(before):
        verdicts = [decide(policy, key, now=NOW) for policy in (before, after)]
        if GATEWAY in (source, destination) or not all(v.outcome is Outcome.ALLOW for v in verdicts):
            continue
        reply = key._replace(ingress=destination, src=key.dst, dst=key.src, sport=0, dport=9)
        passing = [
            decide(policy, reply, now=NOW, connection=Connection(Tracked.ESTABLISHED, v.decided_by)).passes
            for policy, v in zip((before, after), verdicts, strict=True)
        ]
        if passing[0] != passing[1]:
            expected.add((destination, source))
    assert found == expected


@given(texts(), st.randoms(use_true_random=False))
def test_the_order_of_lines_and_equal_writings_differ_in_nothing(
    entries: dict[str, Any], random_: Any
) -> None:
    shuffled = {key: value for key, value in entries.items() if key not in ("flows", "guards")}
    shuffled["flows"] = random_.sample(entries["flows"], len(entries["flows"]))
    shuffled["guards"] = random_.sample(entries["guards"], len(entries["guards"]))
    split = entries | {
        "flows": [
            {**flow, "id": f"{flow['id']}-{number}", "from": [source]}
            for flow in entries["flows"]
            for number, source in enumerate(flow["from"])
            if {source, *flow["to"]} != {GATEWAY}
        ]
    }

    assert diff(policy_of(entries), policy_of(shuffled), now=NOW) == []
    assert {d.change for d in diff(policy_of(entries), policy_of(split), now=NOW)} <= {Change.ATTRIBUTION}
    states = [
        [result.state for result in verify(policy_of(one | {"invariants": INVARIANTS}), now=NOW)]
        for one in (entries, shuffled)
    ]
    assert states[0] == states[1]


INVARIANTS = [
    {"id": "I1", "never": {"from": "a", "to": "c"}, "transitive": True},
    {"id": "I2", "from": "a", "to": "b", "require_action": ["sanitize:mail"]},
]
MOVED = {
    "a": {"interfaces": ["a0"], "networks": ["10.1.0.0/31"], "gateway": ["10.1.0.1"]},
    "b": {"interfaces": ["b0"], "networks": ["10.2.0.0/30", "10.1.0.2/31"], "gateway": ["10.2.0.2"]},
    "d": {"interfaces": ["c0"], "networks": ["10.3.0.0/30", "2001:db8:1::/126"]},
}


@given(texts())
def test_zones_that_move_are_compared_too(entries: dict[str, Any]) -> None:
    plain = {
        key: value for key, value in entries.items() if key not in ("hosts", "groups", "flows", "guards")
    }
    flow = {"id": "F1", "from": "a", "to": ["b", GATEWAY], "service": "tcp/443", "action": "allow"}
    before = policy_of(plain | {"flows": [flow]})
    after = policy_of(plain | {"flows": [flow], "zones": MOVED})

    crossings = [d for d in diff(before, after, now=NOW) if d.change is Change.CROSSING]

    expected = set()
    for key, _, _ in [*packets(before), *packets(after)]:
        anywhere = key._replace(ingress=None)
        if crossing(before, anywhere) != crossing(after, anywhere):
            expected.add((answer(before, anywhere), answer(after, anywhere)))
    assert {(d.before, d.after) for d in crossings} == expected


@given(texts())
def test_a_flow_that_never_decides_can_be_taken_out_without_a_difference(entries: dict[str, Any]) -> None:
    policy = policy_of(entries)
    for dead in never_decides(policy, now=NOW):
        left = [entry for entry in entries["flows"] if entry["id"] != dead.flow]
        assert diff(policy, policy_of(entries | {"flows": left}), now=NOW) == []
