"""The pcapng format: blocks in sections, several interfaces, nanoseconds and directions; read and written.

Source: the IETF draft "PCAP Next Generation (pcapng) Capture File Format". Blocks of unknown type are
skipped; every block tells its length twice, so damage is noticed where it happens.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from gateway.replay.packets import (
    MAX_PACKET_BYTES,
    Direction,
    Interface,
    Packet,
    Trouble,
    clamp_length,
    clamp_time,
)
from gateway.replay.pcap import NATIVE_ORDER
from gateway.replay.stream import CaptureCut

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gateway.replay.stream import ByteStream
    from gateway.replay.window import Records, Walker

SECTION_MAGIC = b"\x0a\x0d\x0d\x0a"
_ORDERS = {b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">"}
_SECTION, _INTERFACE, _OLD_PACKET, _SIMPLE, _ENHANCED = 0x0A0D0D0A, 1, 2, 3, 6
_MAX_BODY_BYTES = MAX_PACKET_BYTES + 65_536  # of a packet's block: the packet and its options
_MAX_DESCRIPTION_BYTES = 65_536  # an interface description block; names and filters are short
_MAX_INTERFACES = 65_536  # per section: a file of nothing but interfaces must not fill memory
_END, _IF_NAME, _IF_DESCRIPTION, _IF_TSRESOL, _IF_TSOFFSET, _EPB_FLAGS = 0, 2, 3, 9, 14, 2
_NANO = 1_000_000_000
_MICROSECONDS = (1000, 1)


class _Clock(NamedTuple):
    """Nanoseconds are `ticks * multiply // divide + offset_ns`."""

    multiply: int
    divide: int
    offset_ns: int

    def time_ns(self, ticks: int) -> int:
        return clamp_time(ticks * self.multiply // self.divide + self.offset_ns)


class _Section:
    """What is known inside one section: byte order, interfaces, and the time of the packet before."""

    def __init__(self, order: str) -> None:
        self.order = order
        self.interfaces: list[tuple[Interface, _Clock]] = []
        self.last_ns = 0
        self.head = struct.Struct(order + "II")
        self.enhanced = struct.Struct(order + "IIIII")
        self.old = struct.Struct(order + "HHIIII")

    def interface(self, index: int) -> tuple[Interface, _Clock]:
        """Return a described interface, or a stand-in without a link type: its packets stay accounted for."""
        if index < len(self.interfaces):
            return self.interfaces[index]
        return Interface(index, None), _Clock(*_MICROSECONDS, 0)


def read_pcapng(stream: ByteStream, walker: Walker | None = None) -> Iterator[Packet | Trouble | Records]:
    """Yield the packets of a pcapng stream whose first four bytes have been read already.

    A `walker` takes the plain packet blocks.
    """
    try:
        section = _section(stream, stream.exactly(4), walker)
        while True:
            if walker is not None and (records := walker.pcapng(section.interfaces)) is not None:
                section.last_ns = records.pointer[records.number - 1].time_ns
                yield records
                continue
            start = stream.offset
            head = stream.take(8)
            if len(head) < 8:
                if head:
                    raise CaptureCut(stream.offset, "capture-cut")
                return
            if head[:4] == SECTION_MAGIC:
                section = _section(stream, head[4:], walker)
                continue
            kind, total = section.head.unpack(head)
            if total < 12 or total % 4:
                raise CaptureCut(start, "block-length")
            packet = _block(stream, section, kind, total - 12)
            if stream.exactly(4) != head[4:]:
                raise CaptureCut(start, "block-trailer")
            if packet is not None:
                yield packet
    except CaptureCut as cut:
        yield Trouble(cut.offset, cut.code)


def _section(stream: ByteStream, length: bytes, walker: Walker | None) -> _Section:
    """Read a section header behind its length; a section may change the byte order of all that follows."""
    start = stream.offset - 8
    magic = stream.exactly(4)
    order = _ORDERS.get(magic)
    if order is None:
        raise CaptureCut(start, "section-order")
    (total,) = struct.unpack(order + "I", length)
    if total < 28 or total % 4:
        raise CaptureCut(start, "block-length")
    if struct.unpack(order + "H", stream.exactly(2))[0] != 1:
        raise CaptureCut(start, "section-version")
    stream.skip(total - 18)
    if stream.exactly(4) != length:
        raise CaptureCut(start, "block-trailer")
    if walker is not None:
        walker.begin_section(swapped=order != NATIVE_ORDER)
    return _Section(order)


def _block(stream: ByteStream, section: _Section, kind: int, size: int) -> Packet | None:
    """Consume the `size` bytes of one block's body; a packet comes back from the blocks that hold one."""
    if kind == _INTERFACE:
        _describe_interface(stream, section, size)
    elif kind in {_ENHANCED, _OLD_PACKET}:
        return _timed_packet(stream, section, size, enhanced=kind == _ENHANCED)
    elif kind == _SIMPLE:
        return _simple_packet(stream, section, size)
    else:
        stream.skip(size)
    return None


def _timed_packet(stream: ByteStream, section: _Section, size: int, *, enhanced: bool) -> Packet:
    start = stream.offset
    if size < 20:
        raise CaptureCut(start, "block-length")
    body = stream.exactly(min(size, _MAX_BODY_BYTES))
    stream.skip(size - len(body))
    if enhanced:
        number, high, low, captured, wire = section.enhanced.unpack_from(body)
    else:
        number, _, high, low, captured, wire = section.old.unpack_from(body)
    end = 20 + captured
    if end > size:
        raise CaptureCut(start, "packet-length")
    options = body[end + -captured % 4 :]
    direction = _direction(section.order, options) if options else Direction.UNKNOWN
    interface, clock = section.interface(number)
    time_ns = section.last_ns = clock.time_ns(high << 32 | low)
    data = body[20 : min(end, 20 + MAX_PACKET_BYTES)]
    return Packet(time_ns, interface, clamp_length(wire, captured), data, direction)


def _direction(order: str, raw: bytes) -> Direction:
    """Return what the option behind a packet tells of its direction (2 in both kinds of block)."""
    flags = _options(order, raw).get(_EPB_FLAGS, b"")
    if len(flags) != 4:
        return Direction.UNKNOWN
    return _DIRECTIONS[struct.unpack(order + "I", flags)[0] & 3]


_DIRECTIONS = (Direction.UNKNOWN, Direction.INBOUND, Direction.OUTBOUND, Direction.UNKNOWN)


def _simple_packet(stream: ByteStream, section: _Section, size: int) -> Packet:
    """Read a block without time or interface: the first interface, at the time of the packet before."""
    if size < 4:
        raise CaptureCut(stream.offset, "block-length")
    (wire,) = struct.unpack(section.order + "I", stream.exactly(4))
    interface, _ = section.interface(0)
    captured = min(wire, interface.snap_length or wire, size - 4)
    data = stream.exactly(min(captured, MAX_PACKET_BYTES))
    stream.skip(size - 4 - len(data))
    return Packet(section.last_ns, interface, clamp_length(wire, captured), data)


def _describe_interface(stream: ByteStream, section: _Section, size: int) -> None:
    start = stream.offset
    if size < 8 or size > _MAX_DESCRIPTION_BYTES:
        raise CaptureCut(start, "block-length")
    if len(section.interfaces) >= _MAX_INTERFACES:
        raise CaptureCut(start, "too-many-interfaces")
    body = stream.exactly(size)
    linktype, snap = struct.unpack_from(section.order + "HxxI", body)
    options = _options(section.order, body[8:])
    interface = Interface(
        len(section.interfaces),
        linktype,
        _text(options.get(_IF_NAME)),
        _text(options.get(_IF_DESCRIPTION)),
        snap,
    )
    section.interfaces.append((interface, _clock(section.order, options)))


def _clock(order: str, options: dict[int, bytes]) -> _Clock:
    offset = options.get(_IF_TSOFFSET, b"")
    offset_ns = struct.unpack(order + "q", offset)[0] * _NANO if len(offset) == 8 else 0
    resolution = options.get(_IF_TSRESOL, b"")
    if len(resolution) != 1:
        return _Clock(*_MICROSECONDS, offset_ns)
    exponent = resolution[0] & 0x7F
    return _Clock(_NANO, 2**exponent if resolution[0] & 0x80 else 10**exponent, offset_ns)


def _options(order: str, raw: bytes) -> dict[int, bytes]:
    """Return the first value of every option up to the end mark; a lying length ends the list."""
    found: dict[int, bytes] = {}
    at = 0
    while at + 4 <= len(raw):
        code, length = struct.unpack_from(order + "HH", raw, at)
        at += 4
        if code == _END or at + length > len(raw):
            break
        found.setdefault(code, raw[at : at + length])
        at += length + -length % 4
    return found


def _text(value: bytes | None) -> str:
    return (value or b"").rstrip(b"\0").decode("utf-8", "replace")


class PcapngWriter:
    """Write packets of interfaces with nanosecond times and directions.

    An interface is given by its name (then `linktype` is its link type) or described as it was read.
    Every packet is one `write` to the stream, so a file that is still being written ends on a block.
    """

    def __init__(
        self, stream: BinaryIO, interfaces: Sequence[str | Interface], *, linktype: int = 1, snap: int = 0
    ) -> None:
        self._stream = stream
        section = struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)
        stream.write(_framed(_SECTION, section))
        for entry in interfaces:
            described = entry if isinstance(entry, Interface) else Interface(0, linktype, entry)
            name = _option(_IF_NAME, described.name.encode()) if described.name else b""
            options = name + _option(_IF_TSRESOL, b"\x09") + _option(_END, b"")
            stream.write(_framed(_INTERFACE, struct.pack("<HxxI", described.linktype or 0, snap) + options))

    def write(
        self,
        interface: int,
        time_ns: int,
        data: bytes,
        *,
        wire_length: int | None = None,
        direction: Direction = Direction.UNKNOWN,
    ) -> None:
        """Append one packet seen on the interface of this number."""
        length = len(data)
        head = struct.pack(
            "<IIIII",
            interface,
            time_ns >> 32,
            time_ns & 0xFFFFFFFF,
            length,
            length if wire_length is None else wire_length,
        )
        body = head + data + bytes(-length % 4)
        if direction is not Direction.UNKNOWN:
            bits = 1 if direction is Direction.INBOUND else 2
            body += _option(_EPB_FLAGS, struct.pack("<I", bits)) + _option(_END, b"")
        self._stream.write(_framed(_ENHANCED, body))


def _framed(kind: int, body: bytes) -> bytes:
    total = len(body) + 12
    return struct.pack("<II", kind, total) + body + struct.pack("<I", total)


def _option(code: int, value: bytes) -> bytes:
    return struct.pack("<HH", code, len(value)) + value + bytes(-len(value) % 4)


def write_pcapng(stream: BinaryIO, interfaces: Sequence[str], packets: Sequence[tuple[str, Packet]]) -> None:
    """Write a whole capture: pairs of interface name and packet, in order."""
    writer = PcapngWriter(stream, interfaces)
    for name, packet in packets:
        writer.write(
            interfaces.index(name),
            packet.time_ns,
            packet.data,
            wire_length=packet.wire_length,
            direction=packet.direction,
        )
