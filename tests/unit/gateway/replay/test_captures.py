"""Bytes of a file go in; packets come out, and where reading had to stop."""

from __future__ import annotations

import gzip
import io
import struct
from typing import TYPE_CHECKING

import pytest

from gateway.replay.captures import open_capture, read_capture
from gateway.replay.packets import LAST_NS, MAX_PACKET_BYTES, Direction, Packet, Trouble
from gateway.replay.pcapng import PcapngWriter, write_pcapng
from zones.errors import ConfigurationError, Unreadable

if TYPE_CHECKING:
    from pathlib import Path

SECOND = 1_000_000_000
DATA = b"abcdefg"


def read(data: bytes) -> tuple[list[Packet], list[Trouble]]:
    items = list(read_capture(io.BytesIO(data), "x"))
    return [i for i in items if isinstance(i, Packet)], [i for i in items if isinstance(i, Trouble)]


def pcap(
    order: str = "<", magic: int = 0xA1B2C3D4, *, link: int = 1, snap: int = 65535, major: int = 2
) -> bytes:
    return struct.pack(order + "IHHiIII", magic, major, 4, 0, 0, snap, link)


def record(  # noqa: PLR0917  the fields in their order
    order: str, seconds: int, ticks: int, data: bytes, wire: int | None = None, extra: bytes = b""
) -> bytes:
    return (
        struct.pack(order + "IIII", seconds, ticks, len(data), len(data) if wire is None else wire)
        + extra
        + data
    )


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("magic", "tick"), [(0xA1B2C3D4, 1000), (0xA1B23C4D, 1)])
def test_pcap_in_either_byte_order_and_resolution(order: str, magic: int, tick: int) -> None:
    packets, troubles = read(pcap(order, magic, link=101) + record(order, 7, 5, DATA, 60))

    assert troubles == []
    (packet,) = packets
    assert packet.time_ns == 7 * SECOND + 5 * tick
    assert (packet.data, packet.wire_length, packet.interface.linktype) == (DATA, 60, 101)
    assert packet.direction is Direction.UNKNOWN


@pytest.mark.parametrize(("kind", "direction"), [(4, Direction.OUTBOUND), (0, Direction.INBOUND)])
def test_the_modified_pcap_tells_directions(kind: int, direction: Direction) -> None:
    extra = struct.pack("<IHBx", 3, 0x0800, kind)
    packets, troubles = read(pcap(magic=0xA1B2CD34) + record("<", 1, 0, DATA, extra=extra) * 2)

    assert troubles == []
    assert [(p.data, p.direction) for p in packets] == [(DATA, direction)] * 2


def test_the_frame_check_bits_of_the_link_field_are_not_part_of_the_link_type() -> None:
    packets, _ = read(pcap(link=0x54000001) + record("<", 1, 0, DATA))

    assert packets[0].interface.linktype == 1


def block(kind: int, body: bytes, order: str = "<") -> bytes:
    body += bytes(-len(body) % 4)
    total = struct.pack(order + "I", len(body) + 12)
    return struct.pack(order + "I", kind) + total + body + total


def section(order: str = "<", options: bytes = b"") -> bytes:
    return block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1) + options, order)


def option(code: int, value: bytes, order: str = "<") -> bytes:
    return struct.pack(order + "HH", code, len(value)) + value + bytes(-len(value) % 4)


def interface(*options: bytes, order: str = "<", link: int = 1, snap: int = 0) -> bytes:
    return block(1, struct.pack(order + "HxxI", link, snap) + b"".join(options), order)


def enhanced(number: int, ticks: int, data: bytes = DATA, *options: bytes, order: str = "<") -> bytes:
    head = struct.pack(order + "IIIII", number, ticks >> 32, ticks & 0xFFFFFFFF, len(data), len(data))
    return block(6, head + data + bytes(-len(data) % 4) + b"".join(options), order)


@pytest.mark.parametrize("order", ["<", ">"])
def test_pcapng_tells_interfaces_times_and_directions(order: str) -> None:
    flags = option(2, struct.pack(order + "I", 2), order)
    file = section(order) + interface(option(2, b"mn0", order), option(3, b"My Number", order), order=order)
    file += interface(option(2, b"lg0", order), option(9, b"\x09", order), order=order, link=101)
    file += enhanced(0, 5_000_000, order=order) + enhanced(1, 5 * SECOND + 1, DATA, flags, order=order)
    packets, troubles = read(file)

    assert troubles == []
    assert [p.interface.name for p in packets] == ["mn0", "lg0"]
    assert packets[0].interface.description == "My Number"
    assert [p.time_ns for p in packets] == [5 * SECOND, 5 * SECOND + 1]
    assert [p.direction for p in packets] == [Direction.UNKNOWN, Direction.OUTBOUND]
    assert packets[1].interface.linktype == 101


@pytest.mark.parametrize(
    ("options", "ticks", "expected"),
    [
        ([option(9, b"\x00")], 3, 3 * SECOND),
        ([option(9, b"\x03")], 1500, 1_500_000_000),
        ([option(9, b"\x8a")], 512, SECOND // 2),
        ([option(9, b"\x06"), option(14, struct.pack("<q", 100))], 1, 100 * SECOND + 1000),
        ([option(14, struct.pack("<q", -100))], 1, 0),
        ([option(9, b"\x00")], 2**64 - 1, LAST_NS),
        ([option(9, b"\x7f")], 2**64 - 1, 0),
        ([option(9, b"\xff")], 2**64 - 1, 0),
        ([option(9, b"\x00\x00")], 1, 1000),
    ],
)
def test_every_resolution_and_offset_gives_a_time_a_calendar_can_show(
    options: list[bytes], ticks: int, expected: int
) -> None:
    packets, _ = read(section() + interface(*options) + enhanced(0, ticks))

    assert packets[0].time_ns == expected


def test_a_new_section_may_turn_the_byte_order_and_has_its_own_interfaces() -> None:
    file = section("<") + interface(option(2, b"one")) + enhanced(0, 1)
    file += section(">") + interface(option(2, b"two", ">"), order=">") + enhanced(0, 2, order=">")
    packets, troubles = read(file)

    assert troubles == []
    assert [(p.interface.name, p.time_ns) for p in packets] == [("one", 1000), ("two", 2000)]


def test_simple_and_obsolete_packet_blocks_are_read_and_unknown_blocks_skipped() -> None:
    simple = block(3, struct.pack("<I", 100) + DATA + b"\0")
    old = block(2, struct.pack("<HHIIII", 0, 0, 0, 9, len(DATA), 60) + DATA + b"\0")
    unknown = block(0x0BAD, bytes(200_000))
    packets, troubles = read(section() + unknown + interface(snap=7) + old + unknown + simple)

    assert troubles == []
    assert [(p.data, p.wire_length, p.time_ns) for p in packets] == [(DATA, 60, 9000), (DATA, 100, 9000)]


def test_a_packet_of_an_interface_that_was_never_described_is_still_accounted_for() -> None:
    packets, troubles = read(section() + enhanced(5, 1))

    assert troubles == []
    assert (packets[0].interface.number, packets[0].interface.linktype) == (5, None)


def test_gzip_is_opened_and_a_broken_one_is_read_up_to_the_break() -> None:
    plain = pcap() + record("<", 1, 0, bytes(range(200))) * 500
    packed = gzip.compress(plain)

    assert len(read(packed)[0]) == 500
    packets, troubles = read(packed[: len(packed) // 2])
    assert 0 <= len(packets) < 500
    assert [t.code for t in troubles] == ["capture-cut"]
    packets, troubles = read(packed[:-8] + b"\xff" * 8)
    assert len(packets) == 500
    assert [t.code for t in troubles] == ["capture-unreadable"]


def test_a_huge_packet_is_kept_up_to_the_limit_and_the_next_one_is_found() -> None:
    huge = bytes(MAX_PACKET_BYTES + 5000)
    ng, ng_troubles = read(section() + interface() + enhanced(0, 1, huge) + enhanced(0, 2))
    old, old_troubles = read(pcap(snap=1 << 20) + record("<", 1, 0, huge) + record("<", 2, 0, DATA))

    assert ng_troubles == old_troubles == []
    for packets in (ng, old):
        assert [len(p.data) for p in packets] == [MAX_PACKET_BYTES, len(DATA)]


def test_a_length_on_the_wire_shorter_than_the_packet_or_absurd_is_corrected() -> None:
    packets, _ = read(pcap() + record("<", 1, 0, DATA, 2) + record("<", 1, 0, DATA, 2**32 - 1))

    assert [p.wire_length for p in packets] == [len(DATA), MAX_PACKET_BYTES]


@pytest.mark.parametrize(
    ("tail", "code"),
    [
        (struct.pack("<IIII", 1, 0, 2**31, 60) + DATA, "record-length"),
        (struct.pack("<IIII", 1, 0, 60, 60) + DATA, "capture-cut"),
        (b"\x01\x02\x03", "capture-cut"),
    ],
)
def test_pcap_that_is_cut_or_lies_gives_all_before_it_then_the_trouble(tail: bytes, code: str) -> None:
    packets, troubles = read(pcap() + record("<", 1, 0, DATA) * 3 + tail)

    assert len(packets) == 3
    assert [t.code for t in troubles] == [code]
    assert troubles[0].offset >= 24 + 3 * 23


GOOD = section() + interface() + enhanced(0, 1)


@pytest.mark.parametrize(
    ("tail", "code"),
    [
        (enhanced(0, 2)[:-6], "capture-cut"),
        (b"\x06\0", "capture-cut"),
        (struct.pack("<II", 6, 0), "block-length"),
        (struct.pack("<II", 6, 13), "block-length"),
        (struct.pack("<II", 6, 2**32 - 4) + bytes(64), "capture-cut"),
        (struct.pack("<II", 0x0BAD, 2**32 - 4) + bytes(64), "capture-cut"),
        (block(6, bytes(8)), "block-length"),
        (enhanced(0, 2)[:-4] + b"\x0c\0\0\0", "block-trailer"),
        (block(6, struct.pack("<IIIII", 0, 0, 0, 5000, 5000) + DATA), "packet-length"),
        (block(1, bytes(4)), "block-length"),
        (block(3, b""), "block-length"),
        (b"\x0a\x0d\x0d\x0a" + bytes(24), "section-order"),
        (b"\x0a\x0d\x0d\x0a" + struct.pack("<IIH", 28, 0x1A2B3C4D, 9) + bytes(14), "section-version"),
        (b"\x0a\x0d\x0d\x0a" + struct.pack("<II", 12, 0x1A2B3C4D) + bytes(14), "block-length"),
    ],
)
def test_pcapng_that_is_cut_or_lies_gives_all_before_it_then_the_trouble(tail: bytes, code: str) -> None:
    packets, troubles = read(GOOD + tail)

    assert len(packets) == 1
    assert [t.code for t in troubles] == [code]


@pytest.mark.parametrize("file", [GOOD * 2, pcap() + record("<", 1, 0, DATA) * 3])
def test_cut_at_every_byte_it_yields_a_prefix_and_at_most_one_trouble(file: bytes) -> None:
    whole, _ = read(file)
    for end in range(4, len(file)):
        packets, troubles = read(file[:end])
        assert packets == whole[: len(packets)]
        assert len(troubles) <= 1


def test_a_file_of_nothing_but_interfaces_does_not_fill_memory() -> None:
    packets, troubles = read(section() + interface() * 65_537)

    assert packets == []
    assert [t.code for t in troubles] == ["too-many-interfaces"]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "capture-empty"),
        (b"\xa1", "capture-empty"),
        (b"\x1f\x8b\x08\x00", "capture-empty"),
        (b"hello world", "capture-not-recognised"),
        (gzip.compress(b"hello"), "capture-not-recognised"),
        (b"PK\3\4", "capture-not-recognised"),
    ],
)
def test_what_is_no_capture_is_refused_at_once(data: bytes, code: str) -> None:
    with pytest.raises(Unreadable) as caught:
        read_capture(io.BytesIO(data), "x")
    assert caught.value.code == code


def test_an_unknown_major_version_yields_nothing() -> None:
    assert [t.code for t in read(pcap(major=3) + record("<", 1, 0, DATA))[1]] == ["pcap-version"]


def test_a_stream_that_cannot_seek_is_read_too() -> None:
    class Pipe(io.RawIOBase):
        def __init__(self, data: bytes) -> None:
            self._left = io.BytesIO(data)

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
            return self._left.readinto(memoryview(buffer)[:3])

    for data in (GOOD, gzip.compress(GOOD)):
        items = list(read_capture(io.BufferedReader(Pipe(data)), "-"))
        assert [type(item) for item in items] == [Packet]


def test_what_the_writer_writes_the_reader_reads(tmp_path: Path) -> None:
    plain, _ = read(section() + interface(option(2, b"mn0")) + enhanced(0, 1))
    packet = plain[0]._replace(time_ns=1_700_000_000_123_456_789, wire_length=60, direction=Direction.INBOUND)
    with (tmp_path / "x.pcapng").open("wb") as file:
        write_pcapng(
            file, ["mn0", "lg0"], [("mn0", packet), ("lg0", packet._replace(direction=Direction.OUTBOUND))]
        )
    with open_capture(str(tmp_path / "x.pcapng")) as source:
        back = [item for item in read_capture(source, "x") if isinstance(item, Packet)]

    assert [p.interface.name for p in back] == ["mn0", "lg0"]
    assert {(p.time_ns, p.wire_length, p.data) for p in back} == {(packet.time_ns, 60, DATA)}
    assert [p.direction for p in back] == [Direction.INBOUND, Direction.OUTBOUND]


def test_a_writer_without_directions_leaves_them_open() -> None:
    file = io.BytesIO()
    PcapngWriter(file, ["mn0"]).write(0, 1, DATA)

    assert read(file.getvalue())[0][0].direction is Direction.UNKNOWN


def test_a_missing_file_and_a_directory_are_the_operators_to_cure(tmp_path: Path) -> None:
    for name in (tmp_path / "none.pcap", tmp_path):
        with pytest.raises(ConfigurationError), open_capture(str(name)):
            pass
