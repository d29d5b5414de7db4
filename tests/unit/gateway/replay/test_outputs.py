"""What a replay hands on: EVE lines, Parquet, the comparison of two policies, the page, the progress line."""

from __future__ import annotations

import io
import json
import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pyarrow.parquet
import pytest
from scapy.all import ICMP, IP, TCP, UDP, Dot1Q, Ether, IPv6

from gateway.cli.terminal import Terminal
from gateway.filter.reference import ReferenceEngine
from gateway.replay.against import Against, Kind
from gateway.replay.eve import EveWriter
from gateway.replay.ingress import ZoneMap
from gateway.replay.lines import change_line, changes_line
from gateway.replay.packets import Interface, Packet, Trouble
from gateway.replay.page import html_page
from gateway.replay.page_chart import bars_of
from gateway.replay.parquet import EXCHANGE_COLUMNS, FLOW_COLUMNS, ParquetWriter
from gateway.replay.progress import Progress
from gateway.replay.replay import Replay, Sinks
from gateway.replay.timeline import Timeline
from zones.load import load_policy
from zones.messages import Language, catalogue
from zones.verdict import Reason

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from scapy.packet import Packet as Layers

    from gateway.replay.replay import Sink
    from gateway.replay.summary import Summary
    from zones.model import Policy

NANO = 1_000_000_000
START = 1_791_250_000 * NANO
MN, LG, IN, OUT = (Interface(n, 1, name) for n, name in enumerate(("mn0", "lg0", "in0", "wan0")))
HERE, THERE = "10.20.0.9", "198.51.100.10"


def seen(layers: Layers, interface: Interface, seconds: float = 0) -> Packet:
    data = bytes(layers if layers.haslayer(Ether) else Ether() / layers)
    return Packet(START + int(seconds * NANO), interface, len(data), data)


def tcp(src: str, dst: str, flags: str, sport: int = 4000, dport: int = 443) -> Layers:
    return IP(src=src, dst=dst) / TCP(sport=sport, dport=dport, flags=flags)


TRAFFIC = [
    seen(tcp(HERE, THERE, "S"), LG),
    seen(tcp(THERE, HERE, "SA", 443, 4000), OUT, 0.1),
    seen(tcp(HERE, THERE, "A"), LG, 0.2),
    seen(tcp(HERE, THERE, "S", 4001, 22), LG, 1),
    seen(tcp(HERE, THERE, "S", 4001, 22), LG, 2),
    seen(Ether() / Dot1Q(vlan=12) / IP(src="10.30.0.1", dst=THERE) / UDP(sport=1, dport=53), LG, 3),
    seen(IP(src=HERE, dst=THERE) / ICMP(id=7), LG, 4),
    seen(IPv6(src="2001:db8:20::1", dst="2001:db8::9") / TCP(dport=443, flags="S"), LG, 5),
    seen(Ether(type=0x0806) / bytes(40), LG, 6),
]


def replayed(policy: Policy, *sinks: Sink, against: Against | None = None) -> Summary:
    replay = Replay(policy, ReferenceEngine(policy), ZoneMap(policy), Sinks(sinks), against=against)
    replay.read("day/x.pcap", TRAFFIC)
    return replay.finish()


def eve(policy: Policy) -> list[dict[str, Any]]:
    out = io.StringIO()
    replayed(policy, EveWriter(out, revision="r1"))
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_eve_tells_an_admitted_flow_the_way_suricata_does(city: Policy) -> None:
    event = next(e for e in eve(city) if e["event_type"] == "flow" and e.get("dest_port") == 443)

    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}[+-]\d{4}", event["timestamp"])
    assert (event["src_ip"], event["src_port"], event["dest_ip"], event["proto"]) == (
        HERE,
        4000,
        THERE,
        "TCP",
    )
    assert (event["pcap_filename"], event["pcap_cnt"]) == ("day/x.pcap", 1)
    flow = event["flow"]
    assert (flow["pkts_toserver"], flow["pkts_toclient"], flow["state"]) == (2, 1, "established")
    assert (flow["action"], flow["alerted"]) == ("accept", False)
    assert event["masugata"]["decided_by"] == "F020"
    assert event["masugata"]["revision"] == "r1"


def test_eve_has_a_drop_for_what_is_refused_and_an_alert_for_who_pretends(city: Policy) -> None:
    events = eve(city)
    kinds = {}
    for event in events:
        kinds.setdefault(event["flow_id"], []).append(event["event_type"])

    assert sorted(kinds.values()) == [
        ["alert", "drop", "flow"],
        ["drop", "flow"],
        ["flow"],
        ["flow"],
        ["flow"],
    ]
    alert = next(e for e in events if e["event_type"] == "alert")
    assert (alert["alert"]["action"], alert["alert"]["severity"], alert["vlan"]) == ("blocked", 1, [12])
    drop = next(e for e in events if e["event_type"] == "drop" and e.get("dest_port") == 22)
    assert drop["drop"]["reason"] == "default-deny"
    ping = next(e for e in events if e["proto"] == "ICMP")
    assert (ping["icmp_type"], "src_port" in ping) == (8, False)
    assert next(e for e in events if e["ip_v"] == 6)["src_ip"] == "2001:db8:20::1"


def test_parquet_holds_every_flow_in_groups_with_the_policy_beside_them(city: Policy, tmp_path: Path) -> None:
    path = tmp_path / "flows.parquet"
    with ParquetWriter(path, {"engine": "reference", "revision": city.revision}, group_rows=2) as writer:
        summary = replayed(city, writer)
    file = pyarrow.parquet.ParquetFile(path)
    rows = file.read().to_pylist()

    assert file.num_row_groups == 3
    assert file.schema_arrow.names == list(FLOW_COLUMNS)
    assert file.schema_arrow.metadata[b"masugata.revision"] == city.revision.encode()
    assert len(rows) == summary.flows == 5
    assert {row["decided_by"] for row in rows if row["outcome"] == "allow"} == {"F020"}
    first = next(row for row in rows if row["flow"] == 1)
    assert (first["packets"], first["answers"], first["first_packet"]) == (3, 1, "day/x.pcap:1")
    assert first["first"].timestamp() == pytest.approx(START / NANO)


def test_sums_are_handed_on_without_single_flows(city: Policy, tmp_path: Path) -> None:
    path, out = tmp_path / "x.parquet", io.StringIO()
    eve_writer = EveWriter(out, revision="r1", flows=False)
    with ParquetWriter(path, {}, flows=False, group_rows=2) as writer:
        sinks = Sinks([writer, eve_writer])
        assert not sinks.wants_flows
        summary = replayed(city, writer, eve_writer)
        assert out.getvalue() == ""
        for each in (writer, eve_writer):
            each.exchanges(summary.exchanges)
    table = pyarrow.parquet.ParquetFile(path).read()
    rows = table.to_pylist()
    events = [json.loads(line) for line in out.getvalue().splitlines()]

    assert table.column_names == list(EXCHANGE_COLUMNS)
    assert sum(row["packets"] for row in rows) == summary.judged == 8
    assert len(events) == len(rows) == len(summary.exchanges)
    assert sum(e["flow"]["pkts_toserver"] + e["flow"]["pkts_toclient"] for e in events) == 8
    assert sum(e["masugata"]["flows"] for e in events) == summary.flows
    assert [e["icmp_type"] for e in events if e["proto"] == "ICMP"] == [8]
    assert {e["event_type"] for e in events} == {"flow"}


def changed(policy_text: str, *edits: tuple[str, str]) -> Policy:
    for before, after in edits:
        assert before in policy_text, before
        policy_text = policy_text.replace(before, after)
    return load_policy({"b.yaml": policy_text})


POLICY = """
schema: 1
meta: {name: before, model: alpha, timezone: Asia/Tokyo}
zones:
  lgwan: {interfaces: [lg0], networks: [10.20.0.0/16, "2001:db8:20::/48"], class: lgwan}
  internet: {interfaces: [in0], networks: [10.30.0.0/16], class: internet}
  outside: {interfaces: [wan0], networks: [0.0.0.0/0, "::/0"], class: outside}
services: {https: [tcp/443], ping: [icmp/echo-request], ssh: [tcp/22]}
flows:
  - {id: F1, from: lgwan, to: outside, service: https, action: allow, expires: 2027-03-31}
  - {id: F2, from: lgwan, to: outside, service: ping, action: allow, expires: 2027-03-31}
"""


def compared(*edits: tuple[str, str]) -> Against:
    before, after = load_policy({"a.yaml": POLICY}), changed(POLICY, *edits)
    against = Against(after, ReferenceEngine(after), ZoneMap(after))
    replayed(before, against=against)
    return against


def test_two_policies_that_say_the_same_show_nothing() -> None:
    against = compared(("name: before", "name: after"))

    assert list(against.changes) == []
    assert not against.changes.crossing
    assert against.changes.compared == 8, "all but the ARP frame"


def test_what_would_be_refused_allowed_and_decided_otherwise_is_told_apart() -> None:
    against = compared(("service: https", "service: ssh"), ("id: F2", "id: F9"))
    groups = against.changes.by_kind()
    told = {
        kind: [(line["port"], line["packets"], line["flows"], line["first_packet"]) for line in lines]
        for kind, rows in groups.items()
        if (lines := [change_line(key, row) for key, row in rows])
    }

    assert told == {
        Kind.REFUSED: [(443, 3, 1, "day/x.pcap:1"), (443, 1, 1, "day/x.pcap:8")],
        Kind.ALLOWED: [(22, 2, 1, "day/x.pcap:4")],
        Kind.DECIDED: [(8, 1, 1, "day/x.pcap:7")],
    }
    ((refused, _),) = groups[Kind.REFUSED][:1]
    # What follows a refused beginning counts under its reason, not as a change of its own.
    assert (refused.before, refused.after) == (("allow", "flow", "F1"), ("deny", "default-deny", ""))
    assert changes_line(against)["newly-refused"] == {"exchanges": 2, "packets": 4, "bytes": 236, "flows": 2}
    assert against.changes.crossing


def test_another_flow_for_the_same_is_no_crossing() -> None:
    against = compared(("id: F1", "id: F7"))

    assert {key.kind for key, _ in against.changes} == {Kind.DECIDED}
    assert not against.changes.crossing


def test_the_zones_of_the_other_policy_are_its_own() -> None:
    against = compared(("interfaces: [lg0]", "interfaces: [lg9]"), ("interfaces: [in0]", "interfaces: [lg0]"))

    assert {key.after.reason for key, _ in against.changes} == {"spoofed-source", "default-deny"}


class Checked(HTMLParser):
    """What a browser would make of the page: its elements, and anything it would fetch or run."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.fetched: list[str] = []
        self.handlers: list[str] = []
        self.ids: list[str] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        if tag not in {"meta", "input", "br", "rect"}:
            self.open.append(tag)
        for name, value in attrs:
            if name in {"src", "href", "action", "data"} and not (value or "").startswith("#"):
                self.fetched.append(f"{tag} {name}={value}")
            if name.startswith("on") or name == "style":
                self.handlers.append(f"{tag} {name}")
            if name == "id":
                self.ids.append(value or "")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag != "rect":
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def page(policy: Policy, language: Language = Language.EN, against: Against | None = None) -> str:
    summary = replayed(policy, against=against)
    summary.files[0].troubles.append((99, "capture-cut"))
    return "".join(html_page(summary, policy, against, language=language))


@pytest.mark.parametrize("language", Language)
def test_the_page_needs_nothing_from_elsewhere_and_lets_nothing_else_run(
    city: Policy, language: Language
) -> None:
    text = page(city, language)
    checked = Checked(text)

    assert checked.open == []
    assert checked.fetched == []
    assert checked.handlers == []
    assert len(checked.ids) == len(set(checked.ids))
    assert "default-src 'none'" in text
    assert "http:" not in text
    assert "https:" not in text
    assert text.count("<script>") == text.count("<style>") == 1
    assert f'<html lang="{language.value}">' in text
    words = re.sub("<style>.*?</style>|<script>.*?</script>", "", text, flags=re.DOTALL)
    assert not re.search(r"page-[a-z]+-|replay-(column|cure)-|\{[a-z]+\}", words), "every word is there"


def test_the_hashes_of_the_page_are_those_of_its_script_and_style(city: Policy) -> None:
    import base64
    import hashlib

    text = page(city)
    for tag in ("script", "style"):
        inside = re.search(f"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        assert inside
        digest = base64.b64encode(hashlib.sha256(inside[1].encode()).digest()).decode()
        assert f"{tag}-src &#x27;sha256-{digest}&#x27;" in text or f"{tag}-src 'sha256-{digest}'" in text


def test_the_page_shows_what_was_refused_what_to_do_and_what_nobody_used(city: Policy) -> None:
    text = page(city)

    assert "default-deny" in text
    assert "No flow allows it." in text
    assert "spoofed-source" in text
    assert "F030" in text, "a flow that nobody used"
    assert "stopped at byte 99" in text
    assert city.revision in text
    assert "x.pcap:4" in text


def test_the_page_shows_what_another_policy_would_change() -> None:
    before, after = load_policy({"a": POLICY}), changed(POLICY, ("service: https", "service: ssh"))
    text = page(before, against=Against(after, ReferenceEngine(after), ZoneMap(after)))

    assert "Newly refused" in text
    assert "Newly allowed" in text


def test_nothing_of_a_capture_or_a_policy_becomes_part_of_the_page() -> None:
    owner = '"</td><script>alert(1)</script>\\u202e"'
    evil = "  - {id: F3, from: internet, to: lgwan, service: ssh, action: allow, expires: 2027-03-31, owner: "
    evil += owner + "}\n"
    policy = load_policy({"a": POLICY + evil})
    replay = Replay(policy, ReferenceEngine(policy), ZoneMap(policy), Sinks([]))
    replay.read('<img src=x onerror="alert(1)">\x1b[2J', [*TRAFFIC, Trouble(9, "capture-cut")])
    text = "".join(html_page(replay.finish(), policy))
    checked = Checked(text)

    assert "img" not in checked.elements
    assert checked.elements.count("script") == 1
    assert "alert(1)&lt;/script&gt;" in text
    assert checked.handlers == []
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_a_replay_of_nothing_still_has_a_page(city: Policy) -> None:
    summary = Replay(city, ReferenceEngine(city), ZoneMap(city), Sinks([])).finish()

    assert Checked("".join(html_page(summary, city))).open == []


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_a_cure(reason: Reason) -> None:
    assert f"replay-cure-{reason.value}" in catalogue()


def test_bars_are_few_whatever_the_clock_says() -> None:
    timeline = Timeline()
    for second in (0, 1, 5, 90, 86_400, 10**9, 10**9 + 7, 9 * 10**9):
        timeline.add(second * NANO, "allow")
    bars = bars_of(timeline)

    assert len(bars.bars) <= 200
    assert sum(bar.packets.get("allow", 0) for bar in bars.bars if bar.packets) == 8
    assert any(bar.packets is None for bar in bars.bars), "long silences are cut out, and marked"


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_tells_rate_and_time_left_where_the_size_is_known() -> None:
    now = iter([0.0, 1.0, 10.0])
    screen = Screen()
    progress = Progress(Terminal(err=screen), 1000, clock=lambda: next(now))
    source = io.BytesIO(bytes(1000))
    source.seek(250)
    progress.begin(source)  # type: ignore[arg-type]
    progress.packets(500)
    first = screen.getvalue()
    progress.end()
    progress.begin(io.BytesIO(bytes(750)))  # type: ignore[arg-type]
    progress.packets(5000)

    assert "25 %, 500 packets, 500 packets/s, 0:03 left" in first
    assert "25 %, 5,000 packets, 500 packets/s, 0:30 left" in screen.getvalue()


@pytest.mark.parametrize(("total", "screen"), [(None, Screen()), (1000, io.StringIO())])
def test_progress_promises_nothing_it_does_not_know(total: int | None, screen: io.StringIO) -> None:
    now = iter([0.0, 1.0])
    progress = Progress(Terminal(err=screen), total, clock=lambda: next(now))
    progress.packets(10)

    assert "left" not in screen.getvalue()
    assert bool(screen.getvalue()) == screen.isatty()
