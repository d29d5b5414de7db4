"""Proofs about whole policies against a straight encoding of `zones.decide` for Z3: all packets.

The encoding is written from what `decide` says, step by step, and shares nothing with `zones.proof`.
Addresses are bit vectors of 128 bits, ports of 16; there are no boxes. It is held to `decide` itself by
packets drawn at random, and every answer of Z3 is a packet that is decided again. Brute force over
small spaces is next door (`test_proof_policies`).
"""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
import z3
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from zones import Outcome, PacketKey, Policy, Reason, decide, load_policy
from zones.decide import in_trial
from zones.expiry import closed_because
from zones.model import GATEWAY, Action, Flow, Mode
from zones.proof.diff import Change, diff
from zones.proof.shadow import never_decides, redundant
from zones.proof.verify import State, verify

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

pytestmark = pytest.mark.timeout(60)


# The same examples in every run: a disagreement is a bug to look at, not weather.
def few(examples: int) -> settings:
    return settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


NOW = 1_791_162_000.0  # a Monday morning in the policy's time zone

# --- policies ----------------------------------------------------------------------------------------------

ZONES = {
    "a": {
        "interfaces": ["a0"],
        "networks": ["10.1.0.0/16", "2001:db8:1::/48"],
        "gateway": ["10.1.255.254", "2001:db8:1::fe"],
    },
    "b": {"interfaces": ["b0"], "networks": ["10.2.0.0/16"], "gateway": ["10.2.255.254"]},
    "w": {"interfaces": ["w0"], "networks": ["0.0.0.0/0", "::/0"], "class": "outside"},
}
HOSTS = {
    "a1": {"zone": "a", "ip": ["10.1.0.1", "2001:db8:1::1"]},
    "b1": {"zone": "b", "ip": ["10.2.0.1", "10.2.0.2"]},
    "b2": {"zone": "b", "ip": ["10.2.0.2", "10.2.0.3"]},  # the same machine
    "w1": {"zone": "w", "ip": ["203.0.113.9", "2001:db8:ffff::1"]},
}
GROUPS = {
    "a-low": {"zone": "a", "networks": ["10.1.0.0/17", "2001:db8:1::/64"]},
    "a-high": {"zone": "a", "networks": ["10.1.128.0/17"]},
    "b-some": {"zone": "b", "networks": ["10.2.0.3", "10.2.0.4/30"]},  # the machine by one address
    "w-some": {"zone": "w", "networks": ["203.0.113.0/24", "2001:db8:ffff::/48"]},
}
NAMES = {"saas": {"hosts": ["*.example.jp"], "zone": "w"}}
MANAGEMENT = {"interface": "m0", "networks": ["10.99.0.0/24"]}
INSIDE = [*ZONES, *HOSTS, *GROUPS]
NEAR = [
    "a",
    "a1",
    "a-low",
    "a-high",
    "b",
    "b1",
    "b2",
    "b-some",
]  # half of all policies: few places, where much meets
SERVICES = [
    *("any", "tcp", "tcp/443", "tcp/25", "tcp/20-443", "tcp/444", "tcp/0-65535", "udp/53", "udp"),
    *("icmp/echo-request", "icmp", "icmp6", "icmp/redirect", "proto/47", "sctp/9"),
]
FITTING = {"sanitize:mail": ["tcp/25"], "sanitize:web": ["tcp/443"], "render": ["tcp/443", "tcp/80-90"]}
WHENS = [
    {"days": "mon-fri", "from": "08:30", "to": "17:15"},
    {"days": "sat"},
    {"approval": {"people": 2, "max_minutes": 60}},
]
PACKETS = [(6, 443), (6, 25), (6, 19), (17, 53), (1, 8), (1, 5), (58, 128), (58, 137), (47, 0), (132, 9)]


@st.composite
def flows(draw: st.DrawFn, flow_id: str, places: list[str]) -> dict[str, Any]:
    action = draw(st.sampled_from([*(str(action) for action in Action), "allow", "allow", "allow"]))
    raw = action in ("allow", "deny")  # what carries past the gateway never ends there
    ends = [*places, GATEWAY] if raw else places
    source = draw(st.lists(st.sampled_from(ends), min_size=1, max_size=2, unique=True))
    targets = st.lists(st.sampled_from([*ends, "saas"]), min_size=1, max_size=2, unique=True)
    flow: dict[str, Any] = {
        "id": flow_id,
        "from": source,
        "to": draw(targets.filter(lambda names: {*names, *source} != {GATEWAY})),
        "service": draw(st.lists(st.sampled_from(FITTING.get(action, SERVICES)), min_size=1, max_size=2)),
        "action": action,
        "mode": draw(st.sampled_from(["enforce"] * 6 + ["audit", "disabled"])),
    }
    if action != "deny":
        if draw(st.integers(0, 4)) == 0:
            flow["expires"] = draw(st.sampled_from(["2026-01-31", "2030-03-31"]))
        if draw(st.integers(0, 4)) == 0:
            flow["when"] = draw(st.sampled_from(WHENS))
    return flow


@st.composite
def guards(draw: st.DrawFn, guard_id: str, places: list[str]) -> dict[str, Any]:
    zones = [name for name in places if name in ZONES]
    ends = st.lists(st.sampled_from(zones), min_size=1, max_size=2, unique=True)
    guard: dict[str, Any] = {"id": guard_id, "from": draw(ends), "to": draw(ends)}
    actions = [str(action) for action in Action if action is not Action.DENY]
    barred = draw(st.lists(st.sampled_from(actions), max_size=2, unique=True))
    return guard | ({"actions": barred} if barred else {})


@st.composite
def texts(draw: st.DrawFn, *, most: int = 6) -> dict[str, Any]:
    places = draw(st.sampled_from([INSIDE, NEAR]))
    never = draw(st.sampled_from([(), ("b1",), ("a1", "b1", "b2"), ("b1", "b2", "w1")]))
    meta: dict[str, Any] = {"name": "any", "timezone": "Asia/Tokyo"}
    if draw(st.integers(0, 5)) == 0:
        meta["enforcement"] = {"audit_until": "2027-01-01"}
    relay = {"relay": {"never": True, "because": "x"}}
    return {
        "schema": 1,
        "meta": meta,
        "zones": ZONES,
        "management": MANAGEMENT,
        "hosts": {name: host | (relay if name in never else {}) for name, host in HOSTS.items()},
        "groups": GROUPS,
        "names": NAMES,
        "flows": [draw(flows(f"F{number}", places)) for number in range(draw(st.integers(0, most)))],
        "guards": [
            draw(guards(f"G{number}", places)) for number in range(draw(st.sampled_from([0, 0, 1, 2])))
        ],
    }


def policy_of(entries: dict[str, Any]) -> Policy:
    return load_policy({"policy.json": json.dumps(entries)})


# --- decide, for Z3 ----------------------------------------------------------------------------------------


class Answer(NamedTuple):
    """What `decide` says, and by which action the content crosses (None: not at all)."""

    source: str
    destination: str
    outcome: Outcome
    reason: Reason
    decided_by: str | None
    action: Action | None


REFUSED = {
    Action.DENY: Reason.FLOW,
    Action.FILE_TRANSFER: Reason.USE_PORTAL,
    Action.RENDER: Reason.USE_RENDER,
}
CLEANED = {Action.SANITIZE_MAIL: Outcome.SANITIZE_MAIL, Action.SANITIZE_WEB: Outcome.SANITIZE_WEB}
STRICTEST_FIRST = (
    *(Action.DENY, Action.FILE_TRANSFER, Action.RENDER),
    *(Action.SANITIZE_WEB, Action.SANITIZE_MAIL, Action.ALLOW),
)
MARTIAN = {
    4: ["0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4"],
    6: ["::/128", "::1/128", "::ffff:0:0/96", "fe80::/10", "ff00::/8"],
}

SIX = z3.Bool("six")
SRC, DST = z3.BitVecs("src dst", 128)
PROTOCOL = z3.BitVec("protocol", 8)
DPORT = z3.BitVec("dport", 16)
# What exists: IPv4 addresses have 32 bits, ICMP types 8, and other protocols no ports.
EXISTS = z3.And(
    z3.Or(SIX, z3.And(z3.ULT(SRC, 1 << 32), z3.ULT(DST, 1 << 32))),
    z3.Implies(z3.Or(PROTOCOL == 1, PROTOCOL == 58), z3.ULT(DPORT, 256)),
    z3.Or(*(number == PROTOCOL for number in (1, 6, 17, 58, 132)), DPORT == 0),
)


def within(address: z3.BitVecRef, networks: Iterable[Any]) -> z3.BoolRef:
    return _within(address, tuple(networks))


@cache
def _within(address: z3.BitVecRef, networks: tuple[Any, ...]) -> z3.BoolRef:
    held = (
        z3.And(SIX if n.version == 6 else z3.Not(SIX), z3.UGE(address, n.first), z3.ULE(address, n.last))
        for n in networks
    )
    return z3.Or(z3.BoolVal(False), *held)


class Encoding:
    """One policy at one moment, without the flows `gone`; closed for a reason in `awake` counts as open."""

    def __init__(
        self, policy: Policy, *, awake: frozenset[Reason] = frozenset(), gone: frozenset[str] = frozenset()
    ) -> None:
        from zones.address import host_network, parse_network

        self.policy, self.awake, self.gone = policy, awake, gone
        self.martian = [parse_network(text) for texts in MARTIAN.values() for text in texts]
        self.ours = {
            zone: [host_network(v, a) for (v, a), where in policy.gateway_addresses.items() if where == zone]
            for zone in policy.zones
        }
        self.every_own = [network for networks in self.ours.values() for network in networks]
        self.answers: list[tuple[z3.BoolRef, Answer]] = list(self._answers())

    def closed(self, flow: Flow) -> Reason | None:
        reason = closed_because(flow, NOW, self.policy.timezone)
        return None if reason in self.awake else reason

    def owned(self, zone: str, address: z3.BitVecRef) -> z3.BoolRef:
        """The address is of this zone, or the gateway's own on it."""
        entry = self.policy.zones[zone]
        taken = [network for other in self.policy.zones.values() for network in other.networks]
        taken += [*(self.policy.management.networks if self.policy.management else ()), *self.martian]
        rest = z3.And(within(address, entry.rest), z3.Not(within(address, taken)))
        return z3.Or(within(address, entry.networks), rest)

    def comes_from(self, zone: str) -> z3.BoolRef:
        if zone == GATEWAY:
            return within(SRC, self.every_own)
        return z3.And(self.owned(zone, SRC), z3.Not(within(SRC, self.every_own)))

    def goes_to(self, source: str, zone: str) -> z3.BoolRef:
        home = within(DST, self.ours.get(source, ()))
        return home if zone == GATEWAY else z3.And(self.owned(zone, DST), z3.Not(home))

    def _answers(self) -> Iterator[tuple[z3.BoolRef, Answer]]:
        """Every answer with the packets that get it; no two hold the same packet."""
        zones = [*self.policy.zones, GATEWAY]
        for source in zones:
            for destination in zones:
                if (source, destination) == (GATEWAY, GATEWAY):
                    continue
                left = z3.And(EXISTS, self.comes_from(source), self.goes_to(source, destination))
                for condition, said in self._steps(source, destination):
                    yield z3.And(left, condition), Answer(source, destination, *said)
                    left = z3.And(left, z3.Not(condition))

    def _steps(self, source: str, destination: str) -> Iterator[tuple[z3.BoolRef, tuple[Any, ...]]]:
        deny = Outcome.DENY
        always = z3.BoolVal(True)
        guards = sorted(
            (g for g in self.policy.guards if source in g.sources and destination in g.destinations),
            key=lambda guard: guard.id,
        )
        for guard in guards:
            if not guard.actions:
                yield always, (deny, Reason.GUARD, guard.id, None)
        if destination != GATEWAY:
            yield within(DST, self.every_own), (deny, Reason.MISROUTED, None, None)
        redirect = z3.Or(z3.And(PROTOCOL == 1, DPORT == 5), z3.And(PROTOCOL == 58, DPORT == 137))
        yield redirect, (deny, Reason.INVALID_STATE, None, None)
        flows = [
            f
            for f in sorted(self.policy.flows, key=lambda flow: flow.id)
            if f.mode is Mode.ENFORCE and f.id not in self.gone and _may_match(f, source, destination)
        ]
        for action in STRICTEST_FIRST:
            mine = [flow for flow in flows if flow.action is action]
            for flow in (flow for flow in mine if self.closed(flow) is None):
                yield self.matches(flow, source, destination), self._means(flow, source, guards)
            for flow in (
                flow for flow in mine if self.closed(flow) is not None and action is not Action.ALLOW
            ):
                yield (
                    self.matches(flow, source, destination),
                    (deny, self.closed(flow), flow.id, None),
                )
        for guard in guards:
            if Action.ALLOW in guard.actions:
                yield always, (deny, Reason.GUARD, guard.id, None)
        for flow in flows:
            if flow.allowing and self.closed(flow) is None:
                yield self.by_name(flow, source, destination), (deny, Reason.NO_PROXY, flow.id, None)
        for flow in flows:
            if flow.action is Action.ALLOW and self.closed(flow) is not None:
                yield self.matches(flow, source, destination), (deny, self.closed(flow), flow.id, None)
        if in_trial(self.policy, NOW) and GATEWAY not in (source, destination):
            yield always, (Outcome.ALLOW, Reason.WOULD_DENY, None, Action.ALLOW)
        yield always, (deny, Reason.DEFAULT_DENY, None, None)

    def _means(self, flow: Flow, source: str, guards: list[Any]) -> tuple[Any, ...]:
        barring = [guard.id for guard in guards if flow.action in guard.actions]
        if barring:
            return Outcome.DENY, Reason.GUARD, barring[0], None
        if flow.action in REFUSED:
            crosses = None if flow.action is Action.DENY else flow.action
            return Outcome.DENY, REFUSED[flow.action], flow.id, crosses
        outcome = Outcome.ALLOW if source == GATEWAY else CLEANED.get(flow.action, Outcome.ALLOW)
        return outcome, Reason.FLOW, flow.id, flow.action

    def _end(self, selectors: Iterable[Any], zone: str, address: z3.BitVecRef) -> z3.BoolRef:
        here = [end for end in selectors if end.zone == zone and end.name is None]
        return z3.Or(
            z3.BoolVal(False),
            *(z3.BoolVal(True) if end.networks is None else within(address, end.networks) for end in here),
        )

    def _service(self, flow: Flow) -> z3.BoolRef:
        terms = []
        for term in flow.services:
            if term.protocol is None:
                return z3.BoolVal(True)
            high = term.low if term.high is None else term.high
            ports = [] if term.low is None else [z3.UGE(DPORT, term.low), z3.ULE(DPORT, high)]
            terms.append(z3.And(z3.BitVecVal(term.protocol, 8) == PROTOCOL, *ports))
        return z3.Or(z3.BoolVal(False), *terms)

    def matches(self, flow: Flow, source: str, destination: str) -> z3.BoolRef:
        second_half = source == GATEWAY and flow.action in CLEANED
        ours = z3.BoolVal(True) if second_half else self._end(flow.sources, source, SRC)
        return z3.And(ours, self._end(flow.destinations, destination, DST), self._service(flow))

    def by_name(self, flow: Flow, source: str, destination: str) -> z3.BoolRef:
        named = any(end.name is not None and end.zone == destination for end in flow.destinations)
        return z3.And(z3.BoolVal(named), self._end(flow.sources, source, SRC), self._service(flow))


def _may_match(flow: Flow, source: str, destination: str) -> bool:
    second_half = source == GATEWAY and flow.action in CLEANED
    return (second_half or any(end.zone == source for end in flow.sources)) and any(
        end.zone == destination for end in flow.destinations
    )


def witness(*conditions: z3.BoolRef) -> PacketKey | None:
    """A packet for which all of this is so, or None."""
    solver = z3.SolverFor("QF_BV")
    solver.add(*conditions)
    return packet_of(solver)


def packet_of(solver: z3.Solver) -> PacketKey | None:
    result = solver.check()
    assert result != z3.unknown
    if result == z3.unsat:
        return None
    model = solver.model()

    def value(variable: Any) -> int:
        return int(model.eval(variable, model_completion=True).as_long())

    version = 6 if z3.is_true(model.eval(SIX, model_completion=True)) else 4
    return PacketKey(None, version, value(SRC), value(DST), value(PROTOCOL), 49152, value(DPORT))


def said(policy: Policy, packet: PacketKey) -> tuple[Any, ...]:
    verdict = decide(policy, packet, now=NOW)
    return (
        *(verdict.source_zone, verdict.destination_zone),
        *(verdict.outcome, verdict.reason, verdict.decided_by),
    )


def crossing(answer: Answer) -> tuple[Outcome, Action | None]:
    return answer.outcome, answer.action


@few(12)
@given(texts(), st.data())
def test_the_encoding_is_what_decide_says(entries: dict[str, Any], data: st.DataObject) -> None:
    policy = policy_of(entries)
    encoding = Encoding(policy)

    for condition, answer in encoding.answers:
        packet = witness(condition)
        if packet is not None:
            assert said(policy, packet) == answer[:5]

    some = {
        4: ["10.1.0.1", "10.1.200.1", "10.1.255.254", "10.2.0.1", "10.2.255.254", "203.0.113.9", "127.0.0.1"]
    }
    some[6] = ["2001:db8:1::1", "2001:db8:1::fe", "2001:db8:1:1::1", "2001:db8:ffff::1", "fe80::1", "2400::1"]
    for _ in range(10):
        version = data.draw(st.sampled_from((4, 4, 6)))
        ends = [data.draw(st.sampled_from(some[version])) for _ in range(2)]
        key = PacketKey.of(None, *ends, *data.draw(st.sampled_from(PACKETS)))
        known = [(SRC, key.src), (DST, key.dst)]
        place = [(v, z3.BitVecVal(n, 128)) for v, n in known] + [(SIX, z3.BoolVal(version == 6))]
        place += [(PROTOCOL, z3.BitVecVal(key.protocol, 8)), (DPORT, z3.BitVecVal(key.dport, 16))]
        held = [a for c, a in encoding.answers if z3.is_true(z3.simplify(z3.substitute(c, *place)))]
        meant = said(policy, key)
        refused = None in meant[:2] or meant[:2] == (GATEWAY, GATEWAY)
        assert [answer[:5] for answer in held] == ([] if refused else [meant])


# --- verify ------------------------------------------------------------------------------------------------


class Places(NamedTuple):
    """One kind of address: of a zone (or the gateway), and of the machine that some hosts are names of."""

    zone: str
    names: frozenset[str]
    hosts: frozenset[str]
    networks: tuple[Any, ...]
    without: tuple[Any, ...]

    def holds(self, address: z3.BitVecRef) -> z3.BoolRef:
        # An atom without networks is what no host or group of the zone has.
        inside = within(address, self.networks) if self.networks else z3.BoolVal(True)
        return z3.And(inside, z3.Not(within(address, self.without)))


def atoms(policy: Policy) -> list[Places]:
    """All addresses, in parts that no name of the policy tells apart further."""
    none: frozenset[str] = frozenset()
    found = [Places(GATEWAY, frozenset({GATEWAY}), none, (), ())]
    for zone in policy.zones:
        hosts = [host for host in policy.hosts.values() if host.zone == zone]
        groups = [group for group in policy.groups.values() if group.zone == zone]
        taken = tuple(network for host in hosts for network in host.addresses)
        for address in sorted(set(taken), key=str):
            names = {g.name for g in groups if any(n.covers(address) for n in g.networks)}
            names |= {zone, *(host.name for host in hosts if address in host.addresses)}
            found.append(Places(zone, frozenset(names), one_machine(hosts, address), (address,), ()))
        found += [
            Places(zone, frozenset({zone, group.name}), none, tuple(group.networks), taken)
            for group in groups
        ]
        every = (*taken, *(network for group in groups for network in group.networks))
        found.append(Places(zone, frozenset({zone}), none, (), every))
    return found


def one_machine(hosts: list[Any], address: Any) -> frozenset[str]:
    """The names of the machine with this address: a host that shares an address is the same machine."""
    names: set[str] = set()
    addresses = {address}
    while more := [host for host in hosts if host.name not in names and addresses & {*host.addresses}]:
        names |= {host.name for host in more}
        addresses |= {other for host in more for other in host.addresses}
    return frozenset(names)


def counted(invariant: Any) -> set[Action]:
    if invariant.never:
        return {Action.ALLOW, *invariant.over}
    return set(Action) - {Action.DENY, *invariant.require_action}


class World:
    """Which data gets where directly, by some actions."""

    def __init__(self, encoding: Encoding, actions: set[Action]) -> None:
        self.encoding = encoding
        self.open = [(c, a) for c, a in encoding.answers if a.action in actions]
        self._known: dict[tuple[Places, Places], bool] = {}

    def _dropped(self, source: str, destination: str) -> bool:
        """A guard drops every packet of this direction, replies too."""
        return any(
            not guard.actions and source in guard.sources and destination in guard.destinations
            for guard in self.encoding.policy.guards
        )

    def _by_us(self, answer: Any, *zones: str) -> bool:
        return answer.action is not Action.ALLOW and GATEWAY not in zones

    def gets(self, one: Places, other: Places) -> bool:
        """Data gets from one place to another: on what it opens, or on what comes back."""
        if (one, other) not in self._known:
            self._known[one, other] = self._gets(one, other)
        return self._known[one, other]

    def _gets(self, one: Places, other: Places) -> bool:
        there = [
            z3.And(c, one.holds(SRC), other.holds(DST))
            for c, a in self.open
            if (a.source, a.destination) == (one.zone, other.zone)
        ]
        # What a proxy of ours fetched does not come from there to here, so no guard on that way drops it.
        back = [
            z3.And(c, other.holds(SRC), one.holds(DST))
            for c, a in self.open
            if (a.source, a.destination) == (other.zone, one.zone)
            and (self._by_us(a, one.zone, other.zone) or not self._dropped(one.zone, other.zone))
        ]
        if other.zone == GATEWAY:  # an answer to our address on another segment is out of place
            back = [z3.And(c, within(SRC, self.encoding.ours[one.zone])) for c in back]
        ways = [*there, *back]
        return bool(ways) and witness(z3.Or(*ways)) is not None


def violated(encoding: Encoding, invariant: Any, *, transitive: bool, trust: bool) -> bool:
    policy = encoding.policy
    world = World(encoding, counted(invariant))
    everyone = atoms(policy)
    start = [place for place in everyone if place.names & set(invariant.sources)]
    wanted = [place for place in everyone if place.names & set(invariant.destinations)]
    direct = any(
        world.gets(one, other)
        for one in start
        for other in wanted
        if (one.zone, other.zone) != (GATEWAY,) * 2
    )
    if direct or not transitive:
        return direct
    return any(
        hop_by_hop(world, everyone, [place for place in start if name in place.names], wanted, trust=trust)
        for name in invariant.sources
    )


def hop_by_hop(
    world: World, everyone: list[Places], start: list[Places], wanted: list[Places], *, trust: bool
) -> bool:
    """Data gets from one source to what is wanted, other than that source itself."""
    hosts = world.encoding.policy.hosts
    got: set[Places] = set()
    front = list(start)
    while front:
        here = front.pop()
        near = {p for p in everyone if p.zone == here.zone != GATEWAY}
        far = {p for p in everyone if p.zone != here.zone and p not in got and world.gets(here, p)}
        whole = {p for place in near | far for p in everyone if p.hosts and p.hosts == place.hosts}
        for place in (near | far | whole) - got:
            got.add(place)
            never = bool(place.hosts) and all(hosts[name].relay is not None for name in place.hosts)
            begins = any(place.hosts & other.hosts for other in start)  # it has the data anyhow
            if place.zone != GATEWAY and (begins or not (trust and never)):
                front.append(place)
    return any(place in got and place not in start for place in wanted)


@st.composite
def invariants(draw: st.DrawFn, number: int, allows: list[str]) -> dict[str, Any]:
    some = st.lists(st.sampled_from([*INSIDE]), min_size=1, max_size=2, unique=True)
    ends = {"from": draw(some), "to": draw(some if draw(st.booleans()) else st.just([GATEWAY]))}
    invariant: dict[str, Any] = {"id": f"I{number}", "transitive": draw(st.booleans())}
    if draw(st.booleans()):
        over = [[], ["sanitize:mail"], ["render", "file-transfer"]]
        invariant |= {"never": ends, "over": draw(st.sampled_from(over))}
    else:
        required = [["sanitize:mail"], ["render", "file-transfer"], ["allow"]]
        invariant |= {**ends, "require_action": draw(st.sampled_from(required))}
    if allows and draw(st.integers(0, 3)) == 0:
        invariant |= {"except": [draw(st.sampled_from(allows))], "because": "x"}
    return invariant


@few(50)
@given(texts(), st.data())
def test_an_invariant_is_proved_exactly_where_z3_finds_no_way(
    entries: dict[str, Any], data: st.DataObject
) -> None:
    allows = [flow["id"] for flow in entries["flows"] if flow["action"] == "allow"]
    asked = [data.draw(invariants(number, allows)) for number in range(4)]
    policy = policy_of(entries | {"invariants": asked})
    trust = data.draw(st.booleans())

    results = list(verify(policy, now=NOW, distrust_relays=not trust))

    for result, invariant in zip(results, policy.invariants, strict=True):
        worlds = []
        for awake in (frozenset[Reason](), frozenset({Reason.OUTSIDE_HOURS})):
            # What an exception opens counts as absent; a closed one refuses as it does.
            base = Encoding(policy, awake=awake)
            excepted = [f for f in policy.flows if f.id in invariant.exceptions]
            gone = frozenset(f.id for f in excepted if base.closed(f) is None)
            encoding = Encoding(policy, awake=awake, gone=gone) if gone else base
            worlds.append(violated(encoding, invariant, transitive=invariant.transitive, trust=trust))
        event(f"transitive={invariant.transitive} now={worlds[0]} later={worlds[1]}")
        if any(worlds):
            expected = {State.VIOLATED}
            if not worlds[0] and invariant.transitive:
                expected |= {State.UNDECIDED}  # the steps are open, but maybe not in that order
        else:
            expected = {State.PROVED}
        assert result.state in expected, invariant


# --- differences, and flows that do nothing ----------------------------------------------------------------


@few(50)
@given(texts(), texts(most=2), st.booleans())
def test_differences_are_exactly_those_that_z3_finds(
    entries: dict[str, Any], others: dict[str, Any], guarded: bool
) -> None:
    edited = [*entries["flows"][1:], *({**flow, "id": f"X{flow['id']}"} for flow in others["flows"])]
    changed = entries | {"flows": edited} | ({"guards": others["guards"]} if guarded else {})
    before, after = policy_of(entries), policy_of(changed)

    found = diff(before, after, now=NOW)

    left_out = {Reason.MISROUTED, Reason.INVALID_STATE}
    were, will = Encoding(before).answers, Encoding(after).answers
    both = [
        (one[1], other[1], z3.And(one[0], other[0]))
        for one in were
        for other in will
        if one[1][:2] == other[1][:2] and one[1] != other[1]
        if not {one[1].reason, other[1].reason} & left_out
    ]
    meant = {
        (was.source, was.destination, was[2:5], now[2:5], crossing(was) != crossing(now))
        for was, now in _met(both, before, after)
    }
    event(f"{len(meant)} groups")
    assert {
        (d.source, d.destination, d.before, d.after, d.change is Change.CROSSING)
        for d in found
        if d.change is not Change.REPLIES
    } == meant


def _met(
    both: list[tuple[Answer, Answer, z3.BoolRef]], before: Policy, after: Policy
) -> Iterator[tuple[Answer, Answer]]:
    """The pairs of answers that some packet gets, each asked for until there is no other."""
    solver = z3.SolverFor("QF_BV")
    solver.add(z3.Or(z3.BoolVal(False), *(condition for _, _, condition in both)))
    while (packet := packet_of(solver)) is not None:
        answers = said(before, packet), said(after, packet)
        met = [one for one in both if (one[0][:5], one[1][:5]) == answers]
        solver.add(*(z3.Not(condition) for _, _, condition in met))
        [pair] = {(was, now) for was, now, _ in met}
        yield pair


@few(130)
@given(texts(most=8))
def test_flows_that_do_nothing_are_exactly_those_that_z3_finds(entries: dict[str, Any]) -> None:
    policy = policy_of(entries)
    encoding = Encoding(policy)

    dead = {found.flow for found in never_decides(policy, now=NOW)}
    gone = set(redundant(policy, now=NOW))

    for flow in policy.flows:
        if flow.mode is not Mode.ENFORCE or encoding.closed(flow) is not None:
            assert flow.id not in dead | gone
            continue
        mine = [c for c, answer in encoding.answers if answer.decided_by == flow.id]
        assert (flow.id in dead) == (not mine or witness(z3.Or(*mine)) is None)
        by_name = any(end.name is not None for end in flow.destinations)
        assert (flow.id in gone) == (
            not by_name and _same(encoding, Encoding(policy, gone=frozenset({flow.id})))
        )


def _same(one: Encoding, other: Encoding) -> bool:
    """Everything crosses in both, or in neither, in the same way."""
    ways = {crossing(answer) for _, answer in one.answers + other.answers}
    differs = [
        z3.Xor(
            z3.Or(z3.BoolVal(False), *(c for c, a in one.answers if crossing(a) == way)),
            z3.Or(z3.BoolVal(False), *(c for c, a in other.answers if crossing(a) == way)),
        )
        for way in ways
    ]
    return witness(z3.Or(*differs)) is None
