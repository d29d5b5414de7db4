"""The classic capture format: one link type, one clock, records one after the other.

Magic numbers: microseconds, nanoseconds, and the variant with an interface index and packet type in
each record (as written by patched Linux libpcaps); all of them in either byte order.
"""

from __future__ import annotations

import struct
import sys
from typing import TYPE_CHECKING, NamedTuple

from gateway.replay.packets import (
    MAX_PACKET_BYTES,
    Direction,
    Interface,
    Packet,
    Trouble,
    clamp_length,
    clamp_time,
)
from gateway.replay.stream import CaptureCut

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.replay.stream import ByteStream
    from gateway.replay.window import Records, Walker

HEADER_BYTES = 24
_MAX_SNAP_BYTES = 1 << 27  # what a snap length may claim before it counts as damage itself
NATIVE_ORDER = "<" if sys.byteorder == "little" else ">"
_PACKET_OUTGOING = 4  # <linux/if_packet.h>


class _Variant(NamedTuple):
    order: str
    nanoseconds_per_tick: int
    extended: bool = False


_MAGICS = {
    0xA1B2C3D4: (1000, False),
    0xA1B23C4D: (1, False),
    0xA1B2CD34: (1000, True),
}
VARIANTS: dict[bytes, _Variant] = {
    struct.pack(order + "I", magic): _Variant(order, tick, extended)
    for magic, (tick, extended) in _MAGICS.items()
    for order in "<>"
}


def read_pcap(
    stream: ByteStream, magic: bytes, walker: Walker | None = None
) -> Iterator[Packet | Trouble | Records]:
    """Yield the packets of a pcap stream whose magic number has been read already.

    A record longer than the snap length and `MAX_PACKET_BYTES` is a lie or damage; since nothing marks
    the start of a record, reading ends there. A packet in which the file is cut
    is not yielded (nor counted by other tools). A `walker` takes the plain records.
    """
    variant = VARIANTS[magic]
    try:
        # No reader, ours or libpcap's, knows where a record of another major version begins.
        major, _, _, _, snap, link = struct.unpack(variant.order + "HHiIII", stream.exactly(HEADER_BYTES - 4))
        if major != 2:
            yield Trouble(stream.offset, "pcap-version")
            return
        # The upper half of the field tells the length of frame check sequences, not the link type.
        yield from _records(stream, variant, Interface(0, link & 0xFFFF, snap_length=snap), walker)
    except CaptureCut as cut:
        yield Trouble(cut.offset, cut.code)


def _records(
    stream: ByteStream, variant: _Variant, interface: Interface, walker: Walker | None
) -> Iterator[Packet | Trouble | Records]:
    header = struct.Struct(variant.order + ("IIIIIHBx" if variant.extended else "IIII"))
    ceiling = max(MAX_PACKET_BYTES, min(interface.snap_length, _MAX_SNAP_BYTES))
    tick, size, unpack = variant.nanoseconds_per_tick, header.size, header.unpack
    direction = Direction.UNKNOWN
    if walker is not None:
        swapped = variant.order != NATIVE_ORDER
        walker.begin_pcap(interface, swapped=swapped, extended=variant.extended, tick_ns=tick)
    while True:
        if walker is not None and (records := walker.pcap()) is not None:
            yield records
            continue
        raw = stream.take(size)
        if len(raw) < size:
            if raw:
                yield Trouble(stream.offset, "capture-cut")
            return
        fields = unpack(raw)
        seconds, ticks, captured, wire = fields[:4]
        if captured > ceiling:
            yield Trouble(stream.offset - size, "record-length")
            return
        if variant.extended:
            direction = Direction.OUTBOUND if fields[6] == _PACKET_OUTGOING else Direction.INBOUND
        data = stream.exactly(min(captured, MAX_PACKET_BYTES))
        stream.skip(captured - len(data))
        time_ns = clamp_time(seconds * 1_000_000_000 + ticks * tick)
        yield Packet(time_ns, interface, clamp_length(wire, captured), data, direction)
