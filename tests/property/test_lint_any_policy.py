"""What holds for lint of every policy: places exist; accepting a finding silences exactly it; flows called
shadowed or redundant can be taken out, all at once, without a packet noticing."""

from __future__ import annotations

import json
from datetime import date, timedelta
from itertools import product
from typing import Any

from hypothesis import event, given
from hypothesis import strategies as st

from zones import Outcome, PacketKey, decide
from zones.expiry import end_of_day
from zones.lint.codes import CODES
from zones.lint.engine import Report, lint
from zones.load import load_policy, load_written
from zones.model import GATEWAY, Action, Policy

ZONES = {
    "a": {"interfaces": ["a0"], "networks": ["10.1.0.0/16"], "gateway": ["10.1.255.254"], "class": "lgwan"},
    "b": {
        "interfaces": ["b0"],
        "networks": ["10.2.0.0/16", "2001:db8:2::/48"],
        "gateway": ["10.2.255.254"],
        "class": "internet",
    },
    "w": {"interfaces": ["w0"], "networks": ["0.0.0.0/0", "::/0"], "class": "outside"},
}
HOSTS = {
    "a1": {"zone": "a", "ip": "10.1.0.1", "mac": "02:00:00:00:00:01"},
    "b1": {"zone": "b", "ip": ["10.2.0.1", "2001:db8:2::1"], "relay": {"never": "true", "because": "x"}},
    "w1": {"zone": "w", "ip": ["203.0.113.1", "2001:db8:ffff::1"]},
}
GROUPS = {
    "a-low": {"zone": "a", "networks": ["10.1.0.0/24"]},
    "a-two": {"zone": "a", "networks": ["10.1.0.0/25", "10.1.0.128/25"]},
    "b-low": {"zone": "b", "networks": ["10.2.0.0/24", "2001:db8:2::/64"]},
}
NAMES = {"saas": {"hosts": ["*.example.jp"]}}
SOURCES = ["a", "a1", "a-low", "a-two", "b", "b1", "b-low", "w", "w1", GATEWAY]
DESTINATIONS = [*SOURCES, "saas"]
SERVICES = [
    "any",
    "tcp/443",
    "tcp/25",
    "tcp/20-30",
    "tcp/1-1024",
    "tcp",
    "udp/53",
    "udp/443",
    "icmp",
    "proto/47",
]
FITTING = {
    "sanitize:mail": ["tcp/25", "tcp/587"],
    "sanitize:web": ["tcp/443", "tcp/80"],
    "render": ["tcp/443", "tcp/80"],
}
DAY = date(2027, 3, 31)
ADDRESSES = {
    4: ["10.1.0.1", "10.1.0.127", "10.1.0.128", "10.1.9.9", "10.2.0.1", "10.2.9.9", "203.0.113.1", "8.8.8.8"],
    6: ["2001:db8:2::1", "2001:db8:2::9", "2001:db8:2:1::1", "2001:db8:ffff::1"],
}
PACKETS = [(6, 443), (6, 25), (6, 22), (6, 2000), (17, 53), (17, 443), (1, 8), (47, 0), (132, 9)]
ACCEPTS = {"flows", "guards", "hosts", "groups", "names", "zones"}


@st.composite
def flows(draw: st.DrawFn, flow_id: str, narrow: bool) -> dict[str, Any]:
    action = str(draw(st.sampled_from([*Action, Action.ALLOW, Action.ALLOW])))
    sources = ["a", "a1", "a-low", "a-two"] if narrow else SOURCES
    targets = ["b", "b1", "b-low"] if narrow else DESTINATIONS
    if action not in {"allow", "deny"}:  # these carry past the gateway, never to it
        sources = [name for name in sources if name != GATEWAY]
        targets = [name for name in targets if name != GATEWAY]
    names = draw(st.lists(st.sampled_from(sources), min_size=1, max_size=2, unique=True))
    others = st.lists(st.sampled_from(targets), min_size=1, max_size=2, unique=True)
    flow: dict[str, Any] = {
        "id": flow_id,
        "from": names,
        "to": draw(others.filter(lambda found: {*names, *found} != {GATEWAY})),
        "service": draw(st.lists(st.sampled_from(FITTING.get(action, SERVICES)), min_size=1, max_size=2)),
        "action": action,
        "mode": draw(st.sampled_from(["enforce"] * 8 + ["audit", "disabled"])),
    }
    if action != "deny" and draw(st.integers(0, 2)) == 0:
        flow["expires"] = (DAY + timedelta(days=draw(st.integers(-2, 2)))).isoformat()
    if action != "deny" and draw(st.integers(0, 5)) == 0:
        flow["when"] = {"days": "mon-fri", "from": "08:30", "to": "17:15"}
    if draw(st.integers(0, 4)) == 0:
        flow["owner"] = "o"
    return flow


@st.composite
def written(draw: st.DrawFn) -> dict[str, Any]:
    narrow = draw(st.booleans())
    zones = st.lists(st.sampled_from([*ZONES]), min_size=1, max_size=2, unique=True)
    forbidden = st.lists(st.sampled_from([str(action) for action in Action]), max_size=2, unique=True)
    guards = [
        {"id": f"G{index}", "from": draw(zones), "to": draw(zones), "actions": draw(forbidden)}
        for index in range(draw(st.integers(0, 2)))
    ]
    meta: dict[str, Any] = {"name": "any"}
    if draw(st.integers(0, 4)) == 0:
        meta["enforcement"] = {"audit_until": (DAY + timedelta(days=draw(st.integers(-1, 1)))).isoformat()}
    return {
        "schema": "1",
        "meta": meta,
        "zones": ZONES,
        "hosts": HOSTS,
        "groups": GROUPS,
        "services": {"unused": ["tcp/7"]},
        "names": NAMES,
        "guards": guards,
        "flows": [draw(flows(f"F{index}", narrow)) for index in range(draw(st.integers(1, 8)))],
    }


def linted(document: dict[str, Any], moment: date = DAY) -> tuple[Policy, Report, str]:
    text = json.dumps(document, indent=1)
    policy, documents = load_written({"any.yaml": text})
    return policy, lint(policy, documents, now=noon(policy, moment)), text


def noon(policy: Policy, day: date) -> float:
    return end_of_day(day, policy.timezone) - 12 * 3600


@given(written())
def test_every_place_exists(document: dict[str, Any]) -> None:
    _, report, text = linted(document)
    lines = text.splitlines()

    for finding in report.findings:
        for place in (finding.place, *(place for _, place in finding.related)):
            assert place.file == "any.yaml"
            assert 1 <= place.column <= len(lines[place.line - 1])
            assert not lines[place.line - 1][place.column - 1].isspace()


@given(written(), st.data())
def test_accepting_a_finding_silences_exactly_it(document: dict[str, Any], data: st.DataObject) -> None:
    _, before, _ = linted(document)
    chosen = data.draw(st.sampled_from(before.open))
    ignore = {"code": chosen.code, "because": "looked at"}
    if chosen.subject.section in ACCEPTS:
        entry = entry_of(document, *chosen.subject)
    else:
        entry, ignore = (
            document["meta"],
            {**ignore, **({"on": chosen.subject.name} if chosen.subject.name else {})},
        )
    accepting = json.loads(json.dumps(document))
    target = accepting["meta"] if entry is document["meta"] else entry_of(accepting, *chosen.subject)
    target["lint"] = {"ignore": [ignore]}

    _, after, _ = linted(accepting)

    def told(report: Report) -> list[tuple[str, object, str]]:
        return sorted((f.code, tuple(f.subject), f.aspect) for f in report.open)

    meant = (chosen.code, tuple(chosen.subject))
    assert told(after) == [found for found in told(before) if found[:2] != meant]
    assert len(after.findings) == len(before.findings)


def entry_of(document: dict[str, Any], section: str, name: str) -> Any:
    entries = document[section]
    return entries[name] if isinstance(entries, dict) else next(e for e in entries if e["id"] == name)


@st.composite
def keys(draw: st.DrawFn) -> PacketKey:
    addresses = st.sampled_from(ADDRESSES[draw(st.sampled_from([4, 4, 4, 6]))])
    protocol, port = draw(st.sampled_from(PACKETS))
    return PacketKey.of(None, draw(addresses), draw(addresses), protocol, port)


@given(written(), st.data())
def test_shadowed_and_redundant_flows_can_all_be_taken_out(
    document: dict[str, Any], data: st.DataObject
) -> None:
    policy, report, _ = linted(document)
    out = {f.subject.name for f in report.open if f.code in ("shadowed", "redundant")}
    event(f"taken out: {min(len(out), 3)}")
    left = {**document, "flows": [flow for flow in document["flows"] if flow["id"] not in out]}
    without, _, _ = linted(left)

    for key in data.draw(st.lists(keys(), min_size=20, max_size=40)):
        # At any later moment too: a cover lasts as long as what it covers.
        now = noon(policy, DAY + timedelta(days=data.draw(st.integers(0, 3))))
        assert passes(policy, key, now) == passes(without, key, now)


def passes(policy: Policy, key: PacketKey, now: float) -> Outcome:
    return decide(policy, key, now=now).outcome


@given(written())
def test_a_dead_flow_decides_nothing(document: dict[str, Any]) -> None:
    policy, report, _ = linted(document)
    dead = {
        f.subject.name
        for f in report.open
        if f.code in ("guard-makes-dead", "deny-never-matches", "shadowed")
    }

    for version, addresses in ADDRESSES.items():
        for source in addresses[: 5 if version == 4 else 2]:
            for destination in addresses:
                for protocol, port in PACKETS[:6]:
                    key = PacketKey.of(None, source, destination, protocol, port)
                    assert decide(policy, key, now=noon(policy, DAY)).decided_by not in dead


@given(written())
def test_what_lint_says_to_take_out_opens_nothing_when_it_is_gone(document: dict[str, Any]) -> None:
    policy, report, _ = linted(document)
    named = {
        f.subject.name
        for f in report.open
        if f.code in ("guard-makes-dead", "deny-never-matches", "shadowed", "redundant") and not f.variant
    }
    for flow_id in sorted(named):
        left = [flow for flow in document["flows"] if flow["id"] != flow_id]
        without = load_policy({"any.yaml": json.dumps(document | {"flows": left})})
        for version, addresses in ADDRESSES.items():
            for source, destination in product(addresses[: 5 if version == 4 else 2], addresses):
                for protocol, port in PACKETS[:6]:
                    key = PacketKey.of(None, source, destination, protocol, port)
                    now = noon(policy, DAY)
                    assert passes(without, key, now) in (passes(policy, key, now), Outcome.DENY)


@given(written(), st.sets(st.sampled_from(sorted(CODES)), min_size=1, max_size=3))
def test_only_never_changes_what_is_found(document: dict[str, Any], only: set[str]) -> None:
    text = json.dumps(document)
    policy, documents = load_written({"any.yaml": text})
    now = noon(policy, DAY)

    whole = lint(policy, documents, now=now)
    assert lint(policy, documents, now=now, only=only).findings == tuple(
        finding for finding in whole.findings if finding.code in only
    )
