"""The engine: batches of captured packets in, columns of verdicts out.

`Engine` is the seam between the packet path and everything that reports on it. Its columns are sequences,
so that an engine may keep them as arrays and its verdicts as one small table. The reference engine is the
readable one, built of the parser, the tracker and `zones.decide`; the native one is the same in C, and one
contract test holds it to that. Engines are chosen by name, and whoever prints a result names the engine that
gave it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.filter.frames import Frame, Unparsed
    from zones.verdict import Verdict


class PacketBatch(NamedTuple):
    """Packets as columns of equal length.

    `ingress` is the zone of the interface a packet was seen on, None where that is not known; `outbound`
    whether it was leaving by that interface. Times are nanoseconds since the epoch.
    """

    linktypes: Sequence[int | None]
    frames: Sequence[bytes]
    wire_lengths: Sequence[int]
    times_ns: Sequence[int]
    ingress: Sequence[str | None]
    outbound: Sequence[bool]


class Judgements(NamedTuple):
    """One batch's answers as columns.

    `frames` holds what each packet said, or why it could not be read; `verdicts` None where there is none:
    the packet was not read (see `frames`), or it left by a mapped interface (see `SKIPPED`). `connections`
    numbers the admitted connection a packet belongs to, 0 without one. `marks` are bits of `MARKS`.
    """

    frames: Sequence[Frame | Unparsed]
    verdicts: Sequence[Verdict | None]
    connections: Sequence[int]
    marks: Sequence[int]


ZONE_INFERRED, TRUNCATED, FRAGMENT, ORPHAN_FRAGMENT = 1, 2, 4, 8
OUTBOUND_COPY, GATEWAY_ANSWER, VLAN_TAG, CHECKSUM_IGNORED = 16, 32, 64, 128
MARKS: dict[int, str] = {
    ZONE_INFERRED: "zone-inferred",
    TRUNCATED: "truncated",
    FRAGMENT: "fragment",
    ORPHAN_FRAGMENT: "orphan-fragment",
    OUTBOUND_COPY: "outbound-copy",
    GATEWAY_ANSWER: "gateway-answer",
    VLAN_TAG: "vlan",
    CHECKSUM_IGNORED: "checksum-ignored",
}
SKIPPED = OUTBOUND_COPY | GATEWAY_ANSWER
"""On its way out a packet was judged as it came in, or is the gateway's own answer to a redirected one."""


class Engine(Protocol):
    """What judges packets. It keeps the connections; batches must come in the order of capture."""

    @property
    def name(self) -> str:
        """The name under which it is chosen and reported."""

    @property
    def evicted(self) -> int:
        """How many connections had to be forgotten for want of room."""

    def judge_batch(self, batch: PacketBatch) -> Judgements:
        """Return the verdict on every packet; never raises, whatever the frames hold."""


NATIVE, REFERENCE = "native", "reference"
"""The names under which engines are chosen."""


def mac_text(mac: int) -> str:
    """Return a MAC address as people write it.

    >>> mac_text(0x02000A0A050A)
    '02:00:0a:0a:05:0a'
    """
    return mac.to_bytes(6).hex(":")
