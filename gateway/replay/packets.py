"""What a capture holds: packets, the interfaces they were seen on, and where reading had to stop."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

MAX_PACKET_BYTES = 262_144
"""The largest packet kept whole (libpcap's own ceiling); what a block holds beyond it is skipped."""

LAST_NS = 2**62
"""The latest time of a packet, in 2116: later ones are taken for it, and time-outs may be added to it."""


class Direction(StrEnum):
    """Which way a packet went through the interface it was captured on."""

    UNKNOWN = "unknown"
    INBOUND = "inbound"
    OUTBOUND = "outbound"


class Interface(NamedTuple):
    """One interface of a capture. `number` counts from 0 in its section; `name` is empty in a plain pcap.

    `linktype` None stands for an interface that a packet names but the capture never describes.
    """

    number: int
    linktype: int | None
    name: str = ""
    description: str = ""
    snap_length: int = 0

    @property
    def label(self) -> str:
        """The name people see: the interface's own, else its number."""
        return self.name or str(self.number)


class Packet(NamedTuple):
    """One captured packet: nanoseconds since the epoch, length on the wire, and the bytes that were kept.

    `wire_length` is at least the length of `data` and at most `MAX_PACKET_BYTES`, whatever the file says.
    """

    time_ns: int
    interface: Interface
    wire_length: int
    data: bytes
    direction: Direction = Direction.UNKNOWN


class Trouble(NamedTuple):
    """Where reading stopped short of the end, and why; always the last thing a reader yields.

    `offset` counts bytes of the (decompressed) stream.
    """

    offset: int
    code: str


def clamp_length(wire: int, captured: int) -> int:
    """Return a length on the wire that is neither shorter than what was captured nor absurd."""
    return min(max(wire, captured), MAX_PACKET_BYTES)


def clamp_time(nanoseconds: int) -> int:
    """Return a time that calendars can show: a capture may claim any 64-bit number of any unit."""
    return min(max(nanoseconds, 0), LAST_NS)
