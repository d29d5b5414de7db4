"""For all bytes: reading a capture ends, stays bounded, and every packet is accounted for."""

from __future__ import annotations

import gzip
import io
import struct
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import zstandard
from hypothesis import given
from hypothesis import strategies as st

from gateway.filter.frames import Frame, Unparsed, reverse_key
from gateway.filter.link import SUPPORTED_LINKTYPES, parse_frame
from gateway.filter.reference import ReferenceEngine
from gateway.replay.captures import read_capture
from gateway.replay.following import Following
from gateway.replay.ingress import ZoneMap
from gateway.replay.lines import flow_line, packet_line, summary_line
from gateway.replay.packets import MAX_PACKET_BYTES, Packet, Trouble
from gateway.replay.pcapng import PcapngWriter
from gateway.replay.replay import Replay
from gateway.replay.sources import find_sources
from zones.decide import decide
from zones.errors import ConfigurationError, Unreadable
from zones.load import load_policy
from zones.verdict import PacketKey, State

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.replay.flows import FlowRecord
    from gateway.replay.records import PacketRecord

CITY = load_policy(
    {
        "city.yaml": """
schema: 1
meta: {name: any-bytes, model: alpha, timezone: Asia/Tokyo}
zones:
  lgwan: {interfaces: [lg0], networks: [10.0.0.0/9], class: lgwan}
  internet: {interfaces: [in0], networks: [10.128.0.0/9], class: internet}
  outside: {interfaces: [wan0], networks: [0.0.0.0/0, "::/0"], class: outside}
services: {web: [tcp/80-443], dns: [udp/53], ping: [icmp/echo-request]}
guards: [{id: G1, from: internet, to: outside}]
flows:
  - {id: F1, from: lgwan, to: [outside, internet], service: [web, dns, ping], action: allow}
  - {id: F2, from: outside, to: lgwan, service: dns, action: allow, when: {days: mon-fri}}
"""
    }
)
ZSTD = zstandard.ZstdCompressor(level=1, write_checksum=True).compress
PCAP = [struct.pack(o + "IHHiIII", m, 2, 4, 0, 0, 65535, 1) for o in "<>" for m in (0xA1B2C3D4, 0xA1B2CD34)]
_writer_file = io.BytesIO()
_writer = PcapngWriter(_writer_file, ["lg0", "wan0"])
for _number in range(3):
    _writer.write(_number % 2, 1_700_000_000_000_000_000 + _number, bytes(range(60)))
VALID = [_writer_file.getvalue(), PCAP[0] + (struct.pack("<IIII", 1, 2, 60, 60) + bytes(60)) * 3]

starts = st.sampled_from(
    [b"", b"\x0a\x0d\x0d\x0a", b"\x1f\x8b\x08\x00\0\0\0\0\0\0", *PCAP, VALID[0][:28], VALID[0]]
)
files = st.one_of(
    st.builds(lambda start, tail: start + tail, starts, st.binary(max_size=400)),
    st.builds(
        lambda file, at, patch: file[: at % len(file)] + patch + file[at % len(file) + len(patch) :],
        st.sampled_from(VALID),
        st.integers(0, 1000),
        st.binary(min_size=1, max_size=4),
    ),
)

packed = st.one_of(
    st.builds(lambda data, pack: pack(data), files, st.sampled_from([gzip.compress, ZSTD])),
    st.builds(
        lambda data, pack, at, patch: pack(data)[: at % 60] + patch + pack(data)[at % 60 + len(patch) :],
        st.sampled_from(VALID),
        st.sampled_from([gzip.compress, ZSTD]),
        st.integers(0, 1000),
        st.binary(max_size=4),
    ),
    st.builds(
        lambda start, tail: start + tail,
        st.sampled_from([b"\x28\xb5\x2f\xfd", b"\x50\x2a\x4d\x18"]),
        st.binary(max_size=200),
    ),
)


class Everything:
    wants_packets = True

    def __init__(self) -> None:
        self.packets = 0
        self.flow_packets = 0

    def packet(self, record: PacketRecord, flow: FlowRecord | None) -> None:
        assert packet_line(record, flow)["outcome"]
        self.packets += 1

    def flow(self, record: FlowRecord) -> None:
        assert flow_line(record)["packets"] > 0
        self.flow_packets += record.packets


@given(files)
def test_any_bytes_as_a_capture_end_bounded_and_accounted_for(data: bytes) -> None:
    sink = Everything()
    replay = Replay(CITY, ReferenceEngine(CITY), ZoneMap(CITY, {}), sink)
    try:
        source = read_capture(io.BytesIO(data), "x")
    except Unreadable:
        return
    items = list(source)
    packets = [item for item in items if isinstance(item, Packet)]
    replay.read("x", items)
    summary = summary_line(replay.finish())

    # The smallest record is 12 bytes, so neither packets nor troubles can outgrow the file.
    assert len(items) <= len(data) * 50 + 2
    assert all(len(p.data) <= MAX_PACKET_BYTES and p.wire_length <= MAX_PACKET_BYTES for p in packets)
    assert sum(isinstance(item, Trouble) for item in items) <= 1
    assert all(isinstance(item, Packet) for item in items[:-1])
    assert summary["packets"] == len(packets) == sink.packets
    assert summary["packets"] == summary["judged"] + summary["unparsed"] + summary["skipped"]
    malformed = sum(row["packets"] for row in summary["not_parsed"] if row["refused"])
    assert sink.flow_packets == summary["judged"] - malformed


@given(packed)
def test_any_bytes_in_any_compression_end_in_packets_and_at_most_one_trouble(data: bytes) -> None:
    try:
        items = list(read_capture(io.BytesIO(data), "x"))
    except Unreadable:
        return
    assert all(isinstance(item, Packet) for item in items[:-1])
    assert sum(isinstance(item, Trouble) for item in items) <= 1


@given(st.lists(st.one_of(files, packed), max_size=5))
def test_a_directory_of_any_files_loses_none_of_them(contents: list[bytes]) -> None:
    with tempfile.TemporaryDirectory() as name:
        for number, data in enumerate(contents):
            (Path(name) / f"{number}.pcap").write_bytes(data)
        try:
            sources = find_sources([name])
        except ConfigurationError:
            return
        assert len(sources.names) + len(sources.passed_over) == len(contents)
        assert len(set(sources.names) | set(sources.passed_over)) == len(contents)


@given(st.lists(st.one_of(files, packed), min_size=1, max_size=3), st.lists(st.integers(1, 90), max_size=6))
def test_following_any_growing_file_gives_what_reading_it_gives(
    contents: list[bytes], cuts: list[int]
) -> None:
    """Each content is written in pieces, then replaced by the next one under the same name."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "x"
        followed: list[tuple[str, int]] = []
        steps = iter([step for data in contents for step in _pieces(path, data, cuts)])

        def pause(_seconds: float) -> None:
            step = next(steps, None)
            if step is None:
                following.stop()
            else:
                step()

        next(steps)()
        following = Following(path, lambda: None, pause=pause)
        for _, stream in following.streams():
            try:
                followed.extend(_told(item) for item in read_capture(stream, "x"))
            except Unreadable:
                followed.append(("unreadable", 0))
    expected = [told for data in contents for told in _read_whole(data)]

    assert followed == expected


def _pieces(path: Path, data: bytes, cuts: list[int]) -> list[Callable[[], object]]:
    """The steps in which a file of this content is begun and written to its end."""
    places = sorted({min(cut, len(data)) for cut in cuts} | {len(data)})

    def begin() -> None:
        path.unlink(missing_ok=True)
        path.write_bytes(data[: places[0]])

    def more(start: int, end: int) -> Callable[[], object]:
        def step() -> None:
            with path.open("ab") as file:
                file.write(data[start:end])

        return step

    return [begin, *(more(start, end) for start, end in pairwise(places))]


def _read_whole(data: bytes) -> list[tuple[str, int]]:
    try:
        return [_told(item) for item in read_capture(io.BytesIO(data), "x")]
    except Unreadable:
        return [("unreadable", 0)]


def _told(item: Packet | Trouble) -> tuple[str, int]:
    return (item.code, item.offset) if isinstance(item, Trouble) else ("packet", item.time_ns)


IPV4 = b"\x02" * 12 + b"\x08\x00" + b"\x45"
heads = st.sampled_from(
    [b"", IPV4, b"\x02" * 12 + b"\x86\xdd\x60", b"\x02" * 12 + b"\x81\x00", b"\x45", b"\x60"]
)
frames = st.builds(lambda head, tail: head + tail, heads, st.binary(max_size=120))
linktypes = st.one_of(st.sampled_from(sorted(SUPPORTED_LINKTYPES)), st.integers(0, 300), st.none())


@given(linktypes, frames, st.integers(0, 2000))
def test_any_bytes_as_a_frame_are_read_or_have_a_reason(linktype: int | None, data: bytes, more: int) -> None:
    found = parse_frame(linktype, data, len(data) + more)

    if isinstance(found, Unparsed):
        return
    assert isinstance(found, Frame)
    assert found.version in (4, 6)
    assert 0 <= found.sport <= 65535
    assert 0 <= found.dport <= 65535
    assert 0 <= found.protocol <= 255
    assert reverse_key(reverse_key(found.key)) == found.key
    assert len(found.key) == (13 if found.version == 4 else 37)
    assert found.truncated == (more > 0)


def ip(  # noqa: PLR0917  the fields in their order
    src: int, dst: int, sport: int, dport: int, protocol: int, flags: int
) -> bytes:
    carried = (
        struct.pack("!HHIIBBHHH", sport, dport, 0, 0, 0x50, flags, 0, 0, 0)
        if protocol == 6
        else struct.pack("!HHHH", sport, dport, 8, 0)
        if protocol == 17
        else struct.pack("!BBHHH", dport % 20, 0, 0, sport, 0)
    )
    head = struct.pack("!BBHHHBBHII", 0x45, 0, 20 + len(carried), 1, 0, 64, protocol, 0, src, dst)
    total = sum(struct.unpack("!10H", head))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return head[:10] + struct.pack("!H", ~total & 0xFFFF) + head[12:] + carried


addresses = st.sampled_from([0x0A000001, 0x0A800001, 0x08080808, 0x0A000002])
events = st.lists(
    st.tuples(
        st.builds(
            ip,
            addresses,
            addresses,
            st.sampled_from([53, 80, 4000]),
            st.sampled_from([53, 80, 4000]),
            st.sampled_from([6, 17, 1]),
            st.sampled_from([0x02, 0x12, 0x10, 0x11, 0x04, 0x00, 0x03]),
        ),
        st.sampled_from([None, "lgwan", "internet", "outside"]),
        st.sampled_from([0, 1, 5, 40, 3700, 90_000]),
    ),
    max_size=25,
)


@given(events)
def test_what_the_engine_remembers_never_changes_an_answer(
    trace: list[tuple[bytes, str | None, int]],
) -> None:
    """An engine that is asked for new connections only by `decide` agrees with the one that remembers."""
    from gateway.filter.engine import PacketBatch

    engine = ReferenceEngine(CITY)
    now = 1_790_000_000
    opened: set[bytes] = set()
    for data, ingress, pause in trace:
        now += pause
        batch = PacketBatch([101], [data], [len(data)], [now * 1_000_000_000], [ingress], [False])
        (frame,), (verdict,), (connection,), _ = engine.judge_batch(batch)
        assert isinstance(frame, Frame)
        assert verdict is not None
        ports = (frame.sport, frame.dport)
        key = PacketKey(ingress, frame.version, frame.src, frame.dst, frame.protocol, *ports)
        fresh = decide(CITY, key, now=now)
        if verdict.state is State.NEW:
            assert verdict == fresh
        if connection and verdict.passes and verdict.state is State.NEW:
            opened |= {frame.key, reverse_key(frame.key)}
        if verdict.passes and not fresh.passes:
            assert frame.key in opened, "only what a flow opened lets other packets pass"
        if not verdict.passes and verdict.state is State.NEW:
            assert fresh.passes is False
