"""Captures as C records: a stream read into a window, and the plain records in it found by the core.

The readers of `pcap` and `pcapng` stay in charge: they offer the window to a `Walker` where a record may
begin, hand on the `Records` it found, and read whatever it did not take (a cut, a lie, another block)
packet by packet themselves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from gateway.filter._native import ffi, lib
from gateway.replay.stream import BROKEN, ByteStream

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gateway.replay.packets import Interface

WINDOW_BYTES = 1 << 19
_MOST_RECORDS = 4096
_LARGEST = 2**64


class Records(NamedTuple):
    """Packets in the window: good until the next item is asked of the reader."""

    pointer: Any
    number: int


class WindowStream(ByteStream):
    """A byte stream that lets one look at what comes next."""

    def __init__(self, source: BinaryIO, start: bytes = b"") -> None:
        super().__init__(source)
        self._window = bytearray(WINDOW_BYTES)
        self._view = memoryview(self._window)
        self._pointer = ffi.from_buffer("uint8_t[]", self._window)
        self._window[: len(start)] = start
        self._from, self._to = 0, len(start)
        self._broken: Exception | None = None
        self._into: Callable[[memoryview], int] = source.readinto1  # type: ignore[attr-defined]

    def peek(self) -> tuple[Any, int]:
        """Return a pointer to what was read ahead, and how much it is."""
        return self._pointer + self._from, self._to - self._from

    def consume(self, count: int) -> None:
        """Count so many bytes of the window as taken."""
        self._from += count
        self.offset += count

    def fill(self) -> bool:
        """Read more into the window; False where nothing more fits, or comes without waiting or failing."""
        rest = self._to - self._from
        if self._from:
            self._view[:rest] = bytes(self._view[self._from : self._to])
            self._from, self._to = 0, rest
        if rest == WINDOW_BYTES or self._broken is not None:
            return False
        try:
            # One read of what is below: a stream that breaks must not take along what came before.
            count = self._into(self._view[rest:])
        except BROKEN as error:
            self._broken = error  # for whoever needs what is not there
            return False
        self._to += count
        return count > 0

    def _read(self, count: int) -> bytes:
        taken = bytes(self._view[self._from : min(self._from + count, self._to)])
        if len(taken) < count and self._broken is not None:
            raise self._cut(self._broken)
        rest = super()._read(count - len(taken)) if len(taken) < count else b""
        self._from += len(taken)
        return taken + rest


class Walker:
    """Finds the plain records of one capture after the other.

    `zone_number` tells the number of the zone behind an interface.
    """

    def __init__(self, zone_number: Callable[[Interface], int]) -> None:
        self._zone_number = zone_number
        self._stream: WindowStream | None = None
        self._records = ffi.new("struct mg_record[]", _MOST_RECORDS)
        self._used = ffi.new("size_t *")
        self._pcap = ffi.new("struct mg_pcap *")
        self._section = ffi.new("struct mg_section *")
        self._interfaces: Any = ffi.new("struct mg_interface[]", 0)
        self._known = 0

    def stream(self, source: BinaryIO, start: bytes) -> WindowStream:
        """Return the stream that is walked from now on."""
        self._stream = WindowStream(source, start)
        return self._stream

    def begin_pcap(self, interface: Interface, *, swapped: bool, extended: bool, tick_ns: int) -> None:
        """Say how the records of the next capture are laid out."""
        self._pcap.swapped, self._pcap.extended = swapped, extended
        self._pcap.tick_ns = tick_ns
        self._pcap.linktype = _linktype(interface)
        self._pcap.ingress = self._zone_number(interface)

    def pcap(self) -> Records | None:
        """Return the records that come next in a classic capture; None where the reader must look itself."""
        return self._walk(lib.mg_walk_pcap, self._pcap)

    def begin_section(self, *, swapped: bool) -> None:
        """Begin a section of a pcapng capture: no interface is described yet."""
        self._section.swapped = swapped
        self._section.interface_count = self._known = 0

    def pcapng(self, interfaces: Sequence[tuple[Interface, tuple[int, int, int]]]) -> Records | None:
        """Return the packet blocks that come next; clocks are (multiply, divide, offset in nanoseconds)."""
        if len(interfaces) > self._known:
            self._describe(interfaces)
        return self._walk(lib.mg_walk_pcapng, self._section)

    def _describe(self, interfaces: Sequence[tuple[Interface, tuple[int, int, int]]]) -> None:
        """Take over the interfaces that are new; a capture may bring a new one with every packet."""
        if len(interfaces) > len(self._interfaces):
            grown = ffi.new("struct mg_interface[]", max(64, 2 * len(interfaces)))
            ffi.memmove(grown, self._interfaces, ffi.sizeof(self._interfaces))
            self._interfaces = grown
            self._section.interfaces = grown
        for at in range(self._known, len(interfaces)):
            interface, (multiply, divide, offset_ns) = interfaces[at]
            row = self._interfaces[at]
            if divide < _LARGEST and -(2**63) <= offset_ns < 2**63:
                row.multiply, row.divide, row.offset_ns = multiply, divide, offset_ns
            else:
                row.divide = 0
            row.linktype, row.ingress = _linktype(interface), self._zone_number(interface)
        self._section.interface_count = self._known = len(interfaces)

    def _walk(self, walk: Callable[..., int], layout: Any) -> Records | None:
        stream = self._stream
        while stream is not None:
            pointer, length = stream.peek()
            count = walk(layout, pointer, length, self._records, _MOST_RECORDS, self._used)
            if count:
                stream.consume(self._used[0])
                return Records(self._records, count)
            if not stream.fill():
                break
        return None


def _linktype(interface: Interface) -> int:
    return -1 if interface.linktype is None else interface.linktype
