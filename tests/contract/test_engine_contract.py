"""One contract, two engines: every judgement of the native engine is the reference engine's."""

from __future__ import annotations

import io
import random
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.filter.native_engine import NativeEngine
from gateway.filter.reference import ReferenceEngine
from gateway.filter.track import Tracker
from gateway.replay.bulk import BulkReplay
from gateway.replay.captures import read_capture, walk_capture
from gateway.replay.ingress import ZoneMap
from gateway.replay.packets import Direction, Packet
from gateway.replay.pcapng import PcapngWriter
from gateway.replay.replay import Replay, Sinks
from zones.load import load_policy
from zones.verdict import Reason

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gateway.filter.engine import PacketBatch
    from gateway.replay.summary import Summary
    from zones.model import Policy

CORPUS = Path(__file__).resolve().parents[1] / "corpus"
NANO = 1_000_000_000
MONDAY = 1_791_162_000 * NANO  # 10:00 in Tokyo
CITY = """
schema: 1
meta: {name: two-engines, timezone: Asia/Tokyo}
zones:
  mn: {interfaces: [mn0], networks: [10.1.0.0/24], class: mynumber, gateway: [10.1.0.254]}
  lg: {interfaces: [lg0], networks: [10.2.0.0/24, "2001:db8:2::/64"], class: lgwan, gateway: [10.2.0.254]}
  out: {interfaces: [wan0], networks: [0.0.0.0/0, "::/0"], class: outside, gateway: [198.51.100.254]}
management: {interface: mg0, networks: [10.9.0.0/24]}
hosts:
  fixed: {zone: mn, ip: 10.1.0.10, mac: "02:00:00:00:00:10"}
  mail: {zone: lg, ip: 10.2.0.25}
names: {saas: {hosts: ["*.example.jp"], zone: out}}
guards:
  - {id: G1, from: mn, to: out}
  - {id: G2, from: out, to: mn, actions: [allow]}
flows:
  - {id: F01, from: fixed, to: lg, service: [tcp/443, icmp/echo-request], action: allow}
  - {id: F02, from: lg, to: mn, service: tcp/443, action: allow,
     when: {days: mon-fri, from: "09:00", to: "17:00"}}
  - {id: F03, from: lg, to: out, service: [tcp/443, udp/53, icmp/echo-request, icmp6/echo-request, proto/47,
     sctp/7], action: allow, expires: 2026-10-05}
  - {id: F04, from: out, to: mail, service: tcp/25, action: "sanitize:mail"}
  - {id: F05, from: out, to: lg, service: tcp/25, action: allow}
  - {id: F06, from: lg, to: saas, service: tcp/443, action: allow}
  - {id: F07, from: lg, to: out, service: any, action: allow, mode: audit}
  - {id: F08, from: out, to: mn, service: tcp/443, action: allow}
  - {id: F09, from: lg, to: gateway, service: udp/53, action: allow}
  - {id: F10, from: lg, to: out, service: tcp/8080, action: render, when: {days: mon-fri}}
  - {id: F11, from: lg, to: out, service: tcp/8080, action: allow}
"""
TRIAL = CITY.replace("timezone: Asia/Tokyo", "timezone: Asia/Tokyo, enforcement: {audit_until: 2026-10-05}")
POLICIES = {name: load_policy({"c.yaml": text}) for name, text in (("enforced", CITY), ("trial", TRIAL))}

V4 = [
    "10.1.0.10",
    "10.1.0.11",
    "10.1.0.254",
    "10.2.0.25",
    "10.2.0.7",
    "10.2.0.254",
    "198.51.100.9",
    "10.9.0.3",
]
V4 += ["203.0.113.5", "198.51.100.254", "127.0.0.1", "224.0.0.1"]
V6 = ["2001:db8:2::7", "2001:db8:2::8", "2001:db8:9::1", "fe80::1", "ff02::1"]
PORTS = [25, 53, 443, 8080, 7, 40000, 40001]
FLAGS = [0x02, 0x12, 0x10, 0x11, 0x04, 0x14, 0x18, 0x00, 0x29, 0x03]


class Traffic:
    """Packets of few hosts, so that connections, fragments and errors meet; drawn from a seeded generator."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.time_ns = MONDAY
        self.sent: list[tuple[str, str, int, int, int]] = []
        self.opening: list[tuple[str, str, int, int, int]] = []  # TCP: ends, ports, flags

    def packets(self, count: int) -> Iterator[Packet]:
        for _ in range(count):
            data, linktype = self.frame()
            yield Packet(self.clock(), self.interface(linktype), len(data), data, self.direction())

    def clock(self) -> int:
        step = self.rng.choice(
            [0, 1, 10**6, NANO, NANO, 35 * NANO, 130 * NANO, -NANO, 7 * 3600 * NANO, 86_400 * NANO]
        )
        if self.rng.random() < 0.9:
            step = self.rng.randrange(2 * NANO)
        self.time_ns = max(0, self.time_ns + step)
        return self.time_ns

    def direction(self) -> Direction:
        return self.rng.choice([*[Direction.UNKNOWN] * 6, Direction.INBOUND, Direction.OUTBOUND])

    def interface(self, linktype: int) -> Any:
        from gateway.replay.packets import Interface

        name = self.rng.choice(["", "mn0", "lg0", "wan0", "lg0", "wan0"])
        return Interface(["", "mn0", "lg0", "wan0"].index(name), linktype, name)

    def frame(self) -> tuple[bytes, int]:
        rng = self.rng
        kind, packet = self.packet()
        if rng.random() < 0.04:
            packet = packet[: rng.randrange(len(packet) + 1)]
        if rng.random() < 0.04 and packet:
            at = rng.randrange(len(packet))
            packet = packet[:at] + rng.randbytes(1) + packet[at + 1 :]
        if rng.random() < 0.1:
            return packet, 101
        if rng.random() < 0.1:
            outgoing = rng.choice([0, 4])
            return struct.pack("!HHH8sH", outgoing, 1, 6, b"\2\0\0\0\0\x10\0\0", kind) + packet, 113
        mac = rng.choice([b"\2\0\0\0\0\x10", b"\2\0\0\0\0\x11"])
        tag = struct.pack("!HH", 0x8100, rng.randrange(4096)) if rng.random() < 0.1 else b""
        return bytes(6) + mac + tag + struct.pack("!H", kind) + packet, 1

    def packet(self) -> tuple[int, bytes]:
        if not self.opening and self.rng.random() < 0.03:
            one, other = "10.2.0.7", self.rng.choice(["198.51.100.9", "10.1.0.11"])
            sport, dport = self.rng.choice([40000, 40001]), self.rng.choice([443, 443, 8080])
            there, back = (one, other, sport, dport), (other, one, dport, sport)
            self.sent.append((one, other, 6, sport, dport))
            self.opening = [(*there, 0x02), (*back, 0x12), (*there, 0x10)]
        if self.opening and self.rng.random() < 0.5:
            source, destination, sport, dport, flags = self.opening.pop(0)
            segment = struct.pack("!HHIIBBHHH", sport, dport, 1, 1, 0x50, flags, 100, 0, 0)
            return self.wrapped(source, destination, 6, segment, whole=True)
        source, destination, protocol, sport, dport = self.conversation()
        carried = self.carried(source, destination, protocol, sport, dport)
        return self.wrapped(source, destination, protocol, carried)

    def conversation(self) -> tuple[str, str, int, int, int]:
        rng = self.rng
        if self.sent and rng.random() < 0.75:
            source, destination, protocol, sport, dport = rng.choice(self.sent[-12:])
            if rng.random() < 0.5:
                return destination, source, protocol, dport, sport
            return source, destination, protocol, sport, dport
        family = V4 if rng.random() < 0.8 else V6
        source, destination = rng.choice(family), rng.choice(family)
        protocol = rng.choice([6, 6, 6, 17, 1 if family is V4 else 58, 47, 132, 59])
        made = (source, destination, protocol, rng.choice([40000, 40001, 53]), rng.choice(PORTS))
        self.sent.append(made)
        return made

    def carried(self, source: str, destination: str, protocol: int, sport: int, dport: int) -> bytes:
        rng = self.rng
        if protocol == 6:
            flags = rng.choice(FLAGS[:4] if rng.random() < 0.8 else FLAGS)
            return struct.pack("!HHIIBBHHH", sport, dport, 1, 1, 0x50, flags, 100, 0, 0) + bytes(
                rng.choice([0, 9])
            )
        if protocol == 17:
            return struct.pack("!HHHH", sport, dport, 16, 0) + bytes(8)
        if protocol == 132:
            return struct.pack("!HHIIBBH", sport, 7, 1, 0, rng.choice([1, 2, 0]), 0, 4)
        if protocol in (1, 58):
            return self.control_message(source, destination, protocol)
        return rng.randbytes(12)

    def control_message(self, source: str, destination: str, protocol: int) -> bytes:
        rng = self.rng
        errors, queries = ([3, 11], [8, 0, 5, 13]) if protocol == 1 else ([1, 3], [128, 129, 137, 135])
        if rng.random() < 0.5 and self.sent:
            one, other, carried, sport, dport = rng.choice(self.sent[-6:])
            if (":" in one) == (":" in source):
                inside = (
                    self.carried(one, other, carried, sport, dport) if carried not in (1, 58) else bytes(8)
                )
                quoted = self.wrapped(one, other, carried, inside, whole=True)[1]
                return struct.pack("!BBHI", rng.choice(errors), 0, 0, 0) + quoted[:60]
        return struct.pack("!BBHHH", rng.choice(queries), 0, 0, rng.choice([1, 2]), 1)

    def wrapped(
        self, source: str, destination: str, protocol: int, carried: bytes, *, whole: bool = False
    ) -> tuple[int, bytes]:
        from ipaddress import ip_address

        rng = self.rng
        ends = ip_address(source).packed + ip_address(destination).packed
        if ":" in source:
            return 0x86DD, struct.pack("!IHBB", 6 << 28, len(carried), protocol, 64) + ends + carried
        fragment = 0 if whole or rng.random() < 0.85 else rng.choice([0x2000, 0x2003, 0x0003, 0x0001])
        if fragment & 0x2000:
            carried += bytes(-len(carried) % 8)
        head = struct.pack(
            "!BBHHHBBH", 0x45, 0, 20 + len(carried), rng.choice([7, 8]), fragment, 64, protocol, 0
        )
        total = sum(struct.unpack("!10H", head + ends)) % 0xFFFF
        checksum = 0xFFFF - total if rng.random() < 0.97 else rng.choice([0, 1])
        return 0x0800, head[:10] + struct.pack("!H", checksum) + ends + carried


def columns(policy: Policy, packets: Sequence[Packet]) -> PacketBatch:
    from gateway.replay.ingress import Ingress
    from gateway.replay.replay import as_columns

    zones = ZoneMap(policy)
    return as_columns(packets, [Ingress(zones.zone_of(packet.interface)) for packet in packets])


@given(
    seed=st.integers(0, 2**32),
    policy=st.sampled_from(sorted(POLICIES)),
    batch=st.sampled_from([1, 7, 64, 200]),
    limit=st.sampled_from([2, 8, 1000]),
    ignore=st.booleans(),
    now=st.sampled_from([None, None, MONDAY / NANO, MONDAY / NANO + 86_400 * 5]),
)
def test_the_native_engine_says_what_the_reference_says(
    seed: int, policy: str, batch: int, limit: int, now: float | None, *, ignore: bool
) -> None:
    city = POLICIES[policy]
    packets = list(Traffic(seed).packets(200))
    reference = ReferenceEngine(
        city, now=now, ignore_checksums=ignore, tracker=Tracker(max_connections=limit)
    )
    native = NativeEngine(city, now=now, ignore_checksums=ignore, max_connections=limit, max_verdicts=512)

    for at in range(0, len(packets), batch):
        asked = columns(city, packets[at : at + batch])
        expected, answered = reference.judge_batch(asked), native.judge_batch(asked)
        rows = zip(*expected, *answered, strict=True)
        for number, (frame, verdict, connection, marks, *given_) in enumerate(rows, at):
            assert (number, *given_) == (number, frame, verdict, connection, marks)
    assert native.evicted == reference.evicted


def test_the_traffic_of_these_tests_meets_every_reason() -> None:
    engine = ReferenceEngine(POLICIES["enforced"], tracker=Tracker(max_connections=1))
    trial = ReferenceEngine(POLICIES["trial"])
    met: set[Reason] = set()
    for seed in range(120):
        for city, one in zip(("enforced", "trial"), (engine, trial), strict=True):
            asked = columns(POLICIES[city], list(Traffic(seed).packets(200)))
            met |= {verdict.reason for verdict in one.judge_batch(asked).verdicts if verdict is not None}

    assert set(Reason) - met == {Reason.NEEDS_APPROVAL, Reason.USE_PORTAL}


# --- adding up ---------------------------------------------------------------------------------------------


def sums(summary: Summary) -> dict[str, Any]:
    """Everything a summary says, in a form that can be compared."""
    tallies = {
        name: {key: (t.first, t.packets, t.bytes) for key, t in getattr(summary, name).items()}
        for name in ("verdicts", "reasons")
    }
    rows = {
        row.ends: (
            row.first,
            row.packets,
            row.bytes,
            row.flows,
            row.answers,
            row.answer_bytes,
            row.first_ns,
            row.last_ns,
        )
        for row in summary.exchanges
    }
    names = (
        "judged",
        "unparsed",
        "skipped",
        "flows",
        "flows_split",
        "evicted",
        "backwards",
        "first_ns",
        "last_ns",
    )
    return {
        **{name: getattr(summary, name) for name in (*names, "marks", "audited")},
        **tallies,
        "files": [(file.name, file.packets, file.troubles) for file in summary.files],
        "timeline": [(span.start, span.packets) for span in summary.timeline.spans()],
        "exchanges": rows,
    }


def replayed(policy: Policy, captures: Sequence[bytes]) -> Iterator[dict[str, Any]]:
    reference = Replay(policy, ReferenceEngine(policy), ZoneMap(policy), Sinks([]))
    bulk = BulkReplay(policy, ZoneMap(policy))
    for number, capture in enumerate(captures):
        reference.read(str(number), read_capture(io.BytesIO(capture), ""))
        bulk.read(str(number), walk_capture(io.BytesIO(capture), "", bulk.walker))
    yield sums(reference.finish())
    yield sums(bulk.finish())


def capture(packets: Sequence[Packet]) -> bytes:
    file = io.BytesIO()
    writer = PcapngWriter(file, ["mn0", "lg0", "wan0"])
    for packet in packets:
        if packet.interface.linktype == 1 and packet.interface.name:
            writer.write(packet.interface.number - 1, packet.time_ns, packet.data, direction=packet.direction)
    return file.getvalue()


@given(seed=st.integers(0, 2**32), cut=st.integers(0, 2000), damage=st.integers(0, 100_000))
def test_a_replay_that_adds_up_in_the_core_counts_the_same(seed: int, cut: int, damage: int) -> None:
    traffic = Traffic(seed)
    captures = [capture(list(traffic.packets(150))) for _ in range(2)]
    captures[0] = captures[0][: len(captures[0]) - cut] if cut % 3 == 0 else captures[0]
    if damage % 3 == 0:
        at = damage % len(captures[1])
        captures[1] = captures[1][:at] + b"\xff" + captures[1][at + 1 :]
    captures = [one for one in captures if one[:4] == b"\x0a\x0d\x0d\x0a"]

    expected, answered = replayed(POLICIES["enforced"], captures)

    assert answered == expected


@pytest.mark.parametrize("case", sorted(path.parent.name for path in CORPUS.glob("replay-*/*.pcap*")))
def test_corpus_captures_add_up_the_same(case: str) -> None:
    captures = [path.read_bytes() for path in sorted((CORPUS / case).glob("*.pcap*"))]

    expected, answered = replayed(POLICIES["enforced"], captures)

    assert answered == expected
