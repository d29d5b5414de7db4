"""What proofs show is so, in every engine: each packet of a counterexample, a difference or a shadow.

The packets come from `verify`, `diff` and `never_decides`; the engines are a table: a further one is one more
line, and is asked the same.
"""

from __future__ import annotations

import importlib.util
import json
import os
import random
import sys
from collections import Counter
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from program_interpreter import Question, interpret

from gateway.cli.frames import frame
from gateway.filter.engine import PacketBatch
from gateway.filter.engines import engine_by_name
from zones import Policy, decide, load_policy
from zones.address import address_text, parse_network
from zones.model import GATEWAY, Action
from zones.program import compile_policy
from zones.proof.diff import Change, diff
from zones.proof.packets import familiar, packet_key
from zones.proof.regions import Regions
from zones.proof.shadow import never_decides
from zones.proof.space import find_point, meet
from zones.proof.verify import State, verify
from zones.verdict import ICMP, ICMP6, TCP, UDP, Connection, Outcome, PacketKey, Reason
from zones.verdict import State as Tracked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

pytestmark = pytest.mark.timeout(90)

ROOT = Path(__file__).resolve().parents[2]
CITY = ROOT / "examples" / "sample-city"
NOON = 1806462000.0  # 2027-03-31T12:00 in Tokyo, a Wednesday: the town's present
ETHERNET = 1

Said = tuple[Outcome, Reason, str | None]


class Claim(NamedTuple):
    """A packet, and what is said of it. `opened` is the packet whose connection a reply belongs to."""

    about: str
    policy: Policy
    at: float
    packet: PacketKey
    meant: Said
    opened: PacketKey | None = None


# --- policies ----------------------------------------------------------------------------------------------


def _city(**more: str) -> Policy:
    files = {path.name: path.read_text(encoding="utf-8") for path in sorted(CITY.glob("*.yaml"))}
    return load_policy({name: text for name, text in (files | more).items() if text})


def _more(flow: str) -> dict[str, str]:
    return {"99-more.yaml": f"flows: [{{{flow}}}]"}


# Somebody opens a way, lets mail through raw, closes too much, or takes the guards out.
TAMPERED = {
    "opened": _more("id: F999, from: mn-pc1, to: outside, service: any, action: allow"),
    "raw-mail": _more("id: F000, from: in-mx, to: lg-mail, service: tcp, action: allow"),
    "denied": _more("id: F000, from: internet, to: lgwan, service: any, action: deny"),
    "unguarded": {"30-guards.yaml": "", "91-tests.yaml": ""}
    | _more("id: F999, from: outside, to: [lgwan, mynumber], service: tcp, action: allow"),
}

TOWN_ENDS = ["a", "b", "w", "alice", "amy", "bob", "bea", "wes"]
TOWN_SERVICES = ["any", "tcp", "tcp/443", "tcp/20-443", "udp/53", "icmp/echo-request", "icmp6/echo-request"]
FITTING = {"sanitize:mail": ["tcp/25"], "sanitize:web": ["tcp/443"], "render": ["tcp/443", "tcp/80-90"]}


def _town_entries(seed: int) -> dict[str, Any]:
    """Some flows, guards and invariants for the lab that tests of enforcement use; the same for a seed."""
    chosen = random.Random(seed)
    flows = []
    for number in range(8):
        action = chosen.choice([*(str(action) for action in Action), "allow", "allow", "allow"])
        flow = {
            "id": f"F{number}",
            "from": chosen.sample(TOWN_ENDS, chosen.choice((1, 1, 2))),
            "to": chosen.sample(TOWN_ENDS, chosen.choice((1, 1, 2))),
            "service": chosen.choice(FITTING.get(action, TOWN_SERVICES)),
            "action": action,
        }
        if action != "deny" and chosen.random() < 0.2:
            flow["expires"] = chosen.choice(("2027-03-30", "2027-04-30"))
        flows.append(flow)
    guards = [
        {"id": f"G{number}", "from": chosen.choice("abw"), "to": chosen.choice("abw")}
        | chosen.choice(({}, {"actions": ["allow"]}, {"actions": ["sanitize:web", "render"]}))
        for number in range(chosen.choice((0, 1)))
    ]
    ends = [(one, other) for one in "abw" for other in "abw" if one != other]
    invariants = [
        {"id": f"I{number}", "never": {"from": one, "to": other}, "over": ["sanitize:web"]}
        for number, (one, other) in enumerate(ends)
    ]
    invariants += [
        {"id": "I8", "never": {"from": "alice", "to": "wes"}, "transitive": True},
        {"id": "I9", "from": "w", "to": "a", "require_action": ["sanitize:mail"]},
    ]
    return {"flows": flows, "guards": guards, "invariants": invariants}


@cache
def _town_module() -> Any:
    """The lab that tests of enforcement use, and how they ask it."""
    path = ROOT / "tests" / "e2e" / "conftest.py"
    spec = importlib.util.spec_from_file_location("town_of_enforcement", path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _town_document(seed: int) -> dict[str, Any]:
    wes = {"zone": "w", "ip": ["198.51.100.1", "2001:db8:ffff::1"]}
    return {
        "meta": {"name": f"town-{seed}"},
        "hosts": _town_module().BASE["hosts"] | {"wes": wes},
        **_town_entries(seed),
    }


@cache
def _town(seed: int) -> Policy:
    text = json.dumps({**_town_module().BASE, **_town_document(seed)})
    return load_policy({"policy.json": text})


# --- claims ------------------------------------------------------------------------------------------------


def _answer(
    policy: Policy, packet: PacketKey, at: float, flow: str | None = None, *, known: bool = False
) -> Said:
    connection = Connection(Tracked.ESTABLISHED, flow) if known else None
    verdict = decide(policy, packet, now=at, connection=connection)
    return verdict.outcome, verdict.reason, verdict.decided_by


def _as_sent(policy: Policy, packet: PacketKey) -> PacketKey:
    """The packet as its host sends it: from the MAC its address is tied to, where nothing else is said."""
    known = policy.macs.get((packet.version, packet.src))
    return packet if packet.src_mac or packet.ingress is None else packet._replace(src_mac=known)


def of_verify(policy: Policy, **how: Any) -> Iterator[Claim]:
    for result in verify(policy, now=NOON, **how):
        assert (result.state is State.VIOLATED) == bool(result.counterexamples)
        for step in (step for example in result.counterexamples for step in example.steps):
            if step.seen is None:
                continue
            seen, about = step.seen, f"verify {result.invariant.id}"
            meant = seen.verdict.outcome, seen.verdict.reason, seen.verdict.decided_by
            crosses = seen.verdict.passes or seen.verdict.reason in (Reason.USE_RENDER, Reason.USE_PORTAL)
            assert crosses, about
            yield Claim(about, policy, step.at, seen.packet, meant)
            # What goes by a portal or a screen has no connection here on which something could come back.
            if seen.reply is not None and seen.verdict.passes:
                meant = _answer(policy, seen.reply, step.at, seen.flow, known=True)
                yield Claim(f"{about}, reply", policy, step.at, seen.reply, meant, seen.packet)


def of_diff(before: Policy, after: Policy) -> Iterator[Claim]:
    for found in diff(before, after, now=NOON):
        assert found.before != found.after
        about = f"diff {found.change}"
        if found.change is not Change.REPLIES or found.opened is not None:
            for policy, meant in ((before, found.before), (after, found.after)):
                opened = _as_sent(policy, found.opened) if found.opened is not None else None
                yield Claim(about, policy, NOON, _as_sent(policy, found.packet), meant, opened)


def of_shadows(policy: Policy) -> Iterator[Claim]:
    """A packet of each flow that never decides, for each pair of zones: one of those named decides it."""
    regions = Regions(policy, now=NOON)
    zones = [*policy.zones, GATEWAY]
    for dead in never_decides(policy, now=NOON):
        for pair in (
            regions.pair(one, other) for one in zones for other in zones if (one, other) != (GATEWAY,) * 2
        ):
            for region in (region for region in pair.all_regions if region.flow == dead.flow):
                for family in pair.families:
                    box = meet(region.box, family)
                    point = find_point(box, []) if box is not None else None
                    if point is None:
                        continue
                    shown = packet_key(pair.source, familiar(policy, box, [], point))
                    packet = _as_sent(policy, shown)
                    meant = _answer(policy, packet, NOON)
                    assert meant[2] in dead.by, dead
                    yield Claim(f"shadow {dead.flow}", policy, NOON, packet, meant)


@cache
def city_claims() -> tuple[Claim, ...]:
    """Claims about the sample city as it is, with distrust, and as somebody has tampered with it."""
    city = _city()
    claims = [*of_verify(city), *of_verify(city, distrust_relays=True, transitive=True), *of_shadows(city)]
    for more in TAMPERED.values():
        tampered = _city(**more)
        claims += [
            *of_verify(tampered, distrust_relays=True),
            *of_diff(city, tampered),
            *of_shadows(tampered),
        ]
    return tuple(claims)


@cache
def town_claims(seed: int) -> tuple[Claim, ...]:
    """Claims about one small policy, and about what makes another of it."""
    policy, other = _town(seed), _town(seed + 1)
    return (
        *of_verify(policy, distrust_relays=True),
        *(claim for claim in of_diff(policy, other) if claim.policy is policy),
        *of_shadows(policy),
    )


# --- engines -----------------------------------------------------------------------------------------------


def by_decide(claims: Sequence[Claim], _request: pytest.FixtureRequest) -> Iterator[Said]:
    for claim in claims:
        flow = _answer(claim.policy, claim.opened, claim.at)[2] if claim.opened is not None else None
        yield _answer(claim.policy, claim.packet, claim.at, flow, known=claim.opened is not None)


def by_program(claims: Sequence[Claim], _request: pytest.FixtureRequest) -> Iterator[Said]:
    programs: dict[int, Any] = {}
    for claim in claims:
        verdict = decide(claim.policy, claim.packet, now=claim.at)
        flow = claim.policy.flow(verdict.decided_by) if verdict.decided_by is not None else None
        mark = flow.number if flow is not None and verdict.source_zone == GATEWAY else 0
        ends = str(verdict.source_zone), str(verdict.destination_zone)
        program = programs.setdefault(id(claim.policy), compile_policy(claim.policy))
        yield interpret(claim.policy, program, Question(*ends, claim.packet, mark), claim.at)[0]


def by_frames(name: str) -> Callable[[Sequence[Claim], pytest.FixtureRequest], Iterator[Said]]:
    """An engine that reads packets as they are on the wire."""

    def answers(claims: Sequence[Claim], _request: pytest.FixtureRequest) -> Iterator[Said]:
        for claim in claims:
            engine = engine_by_name(name, claim.policy, now=claim.at)
            packets = [claim.packet] if claim.opened is None else [claim.opened, claim.packet]
            judged = engine.judge_batch(_batch(claim, packets))
            verdict = judged.verdicts[-1]
            assert verdict is not None, (claim, judged)
            yield verdict.outcome, verdict.reason, verdict.decided_by

    return answers


def _batch(claim: Claim, packets: Sequence[PacketKey]) -> PacketBatch:
    frames = [frame(packet, reply=number > 0) for number, packet in enumerate(packets)]
    ours = [packet.ingress == GATEWAY for packet in packets]
    # What we send is seen as it leaves, by an interface of the zone it goes to.
    zones = [
        claim.policy.zone_of(packet.version, packet.dst) if own else packet.ingress
        for packet, own in zip(packets, ours, strict=True)
    ]
    times = [int(claim.at * 1e9) + number * 1_000_000 for number in range(len(packets))]
    lengths = [len(data) for data in frames]
    return PacketBatch([ETHERNET] * len(packets), frames, lengths, times, zones, ours)


# Where the lab's hosts are: what is for others of a zone would leave by the default route.
ATTACHED = {"10.1.0.0/24": "alice", "10.1.1.0/24": "amy", "10.2.0.0/16": "bob", "198.51.100.0/24": "wes"}
ATTACHED |= {"203.0.113.0/24": "wes", "2001:db8:ffff::/64": "wes"}
ATTACHED |= {"2001:db8:1::/64": "alice", "2001:db8:1:1::/64": "amy", "2001:db8:2::/64": "bob"}
QUERIES = {4: {(ICMP, 8)}, 6: {(ICMP6, 128)}}


def _sender(version: int, address: int) -> str | None:
    for name, host in _town(0).hosts.items():
        if any(network.holds(version, address) for network in host.addresses):
            return name
    nets = ((parse_network(text), name) for text, name in ATTACHED.items())
    return next((name for net, name in nets if net.holds(version, address)), None)


def in_the_lab(claim: Claim) -> bool:
    """Whether some host of the lab can send this now, as the first packet of a connection."""
    packet = claim.packet
    ends = [_sender(packet.version, end) for end in (packet.src, packet.dst)]
    first = packet.protocol in (TCP, UDP) or (packet.protocol, packet.dport) in QUERIES[packet.version]
    ours = packet.ingress == GATEWAY or claim.opened is not None
    return None not in ends and not ours and first and claim.at == NOON


def by_kernel(claims: Sequence[Claim], request: pytest.FixtureRequest) -> Iterator[Said]:
    """The ruleset in a network namespace, and what it logs of packets that hosts send through it."""
    town = request.getfixturevalue("proof_town")
    for seed in range(KERNEL_POLICIES):
        mine = [claim for claim in claims if claim.policy is _town(seed)]
        # Each packet once, host by host: a second echo request would belong to the first one's connection.
        once = sorted({claim.packet for claim in mine}, key=lambda key: str(_sender(key.version, key.src)))
        with town.enforce(_town_document(seed), at=NOON) as enforced:
            numbers = dict(zip(once, enforced.send(_in_the_lab(packet) for packet in once), strict=True))
            records = {(r["id"], r["src"], r["dst"]): r for r in enforced.records()}
        for claim in mine:
            ends = (address_text(claim.packet.version, end) for end in (claim.packet.src, claim.packet.dst))
            record = records[numbers[claim.packet], *ends]
            yield Outcome(record["outcome"]), Reason(record["reason"]), record["decided_by"]


def _in_the_lab(packet: PacketKey) -> Any:
    src, dst = (address_text(packet.version, end) for end in (packet.src, packet.dst))
    sender = str(_sender(packet.version, packet.src))
    return _town_module().Packet(sender, dst, packet.protocol, packet.dport, src=src)


@pytest.fixture(scope="module")
def proof_town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    module = _town_module()
    module.need_tools()
    runtime = tmp_path_factory.mktemp("proofs")
    runtime.chmod(0o700)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", str(runtime))
        plan = module.load_plan(module.LAB.replace("NAME", f"proof-{os.getpid() % 100_000}"), "town.yaml")
        lab = module.Lab.up(plan)
        made = None
        try:
            made = module.Town(lab, runtime)
            yield made
        finally:
            made.stop() if made is not None else lab.down()


def anything(_claim: Claim) -> bool:
    return True


def new_and_in_place(claim: Claim) -> bool:
    """A filter program begins where it is known that a packet is new, and between which zones it goes."""
    return claim.opened is None and claim.meant[1] not in OUT_OF_PLACE


OUT_OF_PLACE = {
    *(Reason.UNKNOWN_ZONE, Reason.MISROUTED, Reason.SPOOFED_SOURCE),
    *(Reason.MANAGEMENT, Reason.INVALID_STATE),
}
POLICIES, KERNEL_POLICIES = 25, 6


class Contract(NamedTuple):
    """How an engine answers, what it can be asked about, and about how many of the small policies it is."""

    answers: Callable[[Sequence[Claim], pytest.FixtureRequest], Iterator[Said]]
    asked: Callable[[Claim], bool] = anything
    city: bool = True
    policies: int = POLICIES
    least: int = 500


ENGINES = {
    "decide": Contract(by_decide),
    "program": Contract(by_program, new_and_in_place),
    "reference": Contract(by_frames("reference")),
    "native": Contract(by_frames("native")),
    "kernel": Contract(by_kernel, in_the_lab, city=False, policies=KERNEL_POLICIES, least=100),
}
MARKS = {"kernel": pytest.mark.kernel}


def engines(*, city: bool) -> list[Any]:
    kept = [name for name, contract in ENGINES.items() if contract.city or not city]
    return [pytest.param(ENGINES[name], id=name, marks=MARKS.get(name, ())) for name in kept]


def differences(contract: Contract, claims: list[Claim], request: pytest.FixtureRequest) -> list[str]:
    return [
        f"{claim.about}: {claim.packet.describe()} meant {claim.meant}, said {said}"
        for claim, said in zip(claims, contract.answers(claims, request), strict=True)
        if said != claim.meant
    ]


@pytest.mark.parametrize("contract", engines(city=True))
def test_what_is_shown_of_the_sample_city_is_so(contract: Contract, request: pytest.FixtureRequest) -> None:
    claims = [claim for claim in city_claims() if contract.asked(claim)]

    kinds = Counter(claim.about.split()[0] for claim in claims)
    assert kinds["verify"] >= 20
    assert kinds["diff"] >= 20
    assert kinds["shadow"] >= 1
    assert differences(contract, claims, request) == []


@pytest.mark.parametrize("contract", engines(city=False))
def test_what_is_shown_of_small_policies_is_so(contract: Contract, request: pytest.FixtureRequest) -> None:
    shown = (claim for seed in range(contract.policies) for claim in town_claims(seed))
    claims = [claim for claim in shown if contract.asked(claim)]

    meant = Counter(" ".join(claim.meant[:2]) for claim in claims)
    assert len(claims) >= contract.least
    assert set(meant) >= {
        *("allow flow", "sanitize:web flow", "deny flow", "deny default-deny"),
        *("deny guard", "deny expired", "deny use-render", "deny use-portal"),
    }
    assert differences(contract, claims, request) == []
