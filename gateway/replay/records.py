"""One packet of a replay and what became of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from gateway.filter.engine import MARKS as ENGINE_MARKS

if TYPE_CHECKING:
    from gateway.filter.frames import Frame, Unparsed
    from gateway.replay.packets import Packet
    from zones.verdict import Verdict


MID_STREAM = 1 << len(ENGINE_MARKS)
"""A TCP packet of no connection, where the capture does not show how the exchange began."""

ZONE_BY_ADDRESS = MID_STREAM << 1
"""The zone is what `--map` says of the source address: that proves nothing about spoofing."""

MARKS: dict[int, str] = {**ENGINE_MARKS, MID_STREAM: "mid-stream", ZONE_BY_ADDRESS: "zone-by-address"}


class PacketRecord(NamedTuple):
    """One packet, its place in its file (from 1), the zone of its interface, and the engine's answer.

    `verdict` is None for a packet that was not read (`frame` says why) or was skipped (`marks` says why).
    """

    file: str
    number: int
    packet: Packet
    ingress: str | None
    frame: Frame | Unparsed
    verdict: Verdict | None
    connection: int
    marks: int

    @property
    def place(self) -> str:
        """Where to find the packet again: file and number."""
        return f"{self.file}:{self.number}"
