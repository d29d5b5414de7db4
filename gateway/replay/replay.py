"""Replay: packets of captures → engine → one record for each packet, one for each flow, and a summary.

The same way as the live packet: parsed, tracked, decided, with the capture's clock as now. Connections
live on from one file to the next, so rotated captures are given in their order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from gateway.filter.engine import SKIPPED, PacketBatch
from gateway.filter.frames import Unparsed
from gateway.filter.link import leaves
from gateway.replay.flows import FlowTable, strays
from gateway.replay.packets import Direction, Packet, Trouble
from gateway.replay.records import MID_STREAM, PacketRecord
from gateway.replay.summary import FileResult, Summary, Tally
from zones.verdict import State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from gateway.filter.engine import Engine
    from gateway.replay.flows import FlowRecord
    from gateway.replay.ingress import ZoneMap
    from gateway.replay.packets import Interface
    from zones.model import Policy

BATCH_PACKETS = 512
_MAX_INTERFACES = 4096
_JUMP_NS = 1_000_000_000


class Sink(Protocol):
    """Where records go; a flow comes when it is over, so after its packets."""

    wants_packets: bool

    def packet(self, record: PacketRecord, flow: FlowRecord | None) -> None:
        """Take one packet, and its flow if it was judged."""

    def flow(self, record: FlowRecord) -> None:
        """Take one finished flow."""


class Replay:
    """One run over any number of captures: `read` each of them, then `finish`."""

    def __init__(self, policy: Policy, engine: Engine, zones: ZoneMap, sink: Sink) -> None:
        self._engine = engine
        self._zones = zones
        self._sink = sink
        self._flows = FlowTable(sink.flow)
        self._ingress: dict[Interface, str | None] = {}
        self._before_ns = 0
        self.summary = Summary(engine=engine.name, policy=policy.name, revision=policy.revision)

    def read(
        self, name: str, packets: Iterable[Packet | Trouble], progress: Callable[[int], None] | None = None
    ) -> FileResult:
        """Judge every packet of one capture; `progress` hears the number read so far, batch by batch."""
        result = FileResult(name=name)
        self.summary.files.append(result)
        batch: list[Packet] = []
        for item in packets:
            if isinstance(item, Trouble):
                result.troubles.append((item.offset, item.code))
                continue
            batch.append(item)
            if len(batch) == BATCH_PACKETS:
                self._judge(result, batch)
                batch = []
                if progress is not None:
                    progress(self.summary.packets)
        self._judge(result, batch)
        return result

    def unreadable(self, name: str) -> None:
        """Note a file that is no capture at all."""
        self.summary.files.append(FileResult(name=name, unreadable=True))

    def finish(self) -> Summary:
        """Hand over the flows that are still open and return the summary."""
        self._flows.finish()
        self.summary.flows = self._flows.count
        self.summary.flows_split = self._flows.split
        self.summary.evicted = self._engine.evicted
        self.summary.unused_map = self._zones.unused
        return self.summary

    def _zone(self, interface: Interface) -> str | None:
        if interface not in self._ingress:
            if len(self._ingress) >= _MAX_INTERFACES:
                # A capture may name a new interface in every packet.
                self._ingress.clear()
            self._ingress[interface] = self._zones.zone_of(interface)
        return self._ingress[interface]

    def _judge(self, result: FileResult, batch: list[Packet]) -> None:
        zones = [self._zone(packet.interface) for packet in batch]
        judged = self._engine.judge_batch(
            PacketBatch(
                [packet.interface.linktype for packet in batch],
                [packet.data for packet in batch],
                [packet.wire_length for packet in batch],
                [packet.time_ns for packet in batch],
                zones,
                [_outbound(packet) for packet in batch],
            )
        )
        for packet, zone, frame, verdict, connection, marks in zip(
            batch, zones, judged.frames, judged.verdicts, judged.connections, judged.marks, strict=True
        ):
            result.packets += 1
            record = PacketRecord(
                result.name, result.packets, packet, zone, frame, verdict, connection, marks
            )
            flow = None
            if verdict is not None and not isinstance(frame, Unparsed):
                flow = self._flows.add(record, frame, verdict)
                if verdict.state is State.INVALID and strays(flow, frame):
                    record = record._replace(marks=marks | MID_STREAM)
                    flow.marks |= MID_STREAM
            self._count(record)
            if self._sink.wants_packets:
                self._sink.packet(record, flow)

    def _count(self, record: PacketRecord) -> None:
        """Put a packet under exactly one of judged, skipped, unparsed."""
        summary, length = self.summary, record.packet.wire_length
        self._clock(record.packet.time_ns)
        if record.marks:
            summary.marks[record.marks] += 1
        if record.verdict is not None:
            summary.judged += 1
            summary.tally(record.verdict, record).add(length)
        elif record.marks & SKIPPED:
            summary.skipped += 1
            return
        else:
            summary.unparsed += 1
        if isinstance(record.frame, Unparsed):
            summary.reasons.setdefault(record.frame, Tally(first=record.place)).add(length)

    def _clock(self, time_ns: int) -> None:
        """Keep the span of time; several interfaces are seldom in step, but more than a second is a jump."""
        summary = self.summary
        if summary.first_ns is None or summary.last_ns is None:
            summary.first_ns = summary.last_ns = self._before_ns = time_ns
        elif time_ns < summary.first_ns:
            summary.first_ns = time_ns
        elif time_ns > summary.last_ns:
            summary.last_ns = time_ns
        summary.backwards += self._before_ns - time_ns > _JUMP_NS
        self._before_ns = time_ns


def _outbound(packet: Packet) -> bool:
    if packet.direction is not Direction.UNKNOWN:
        return packet.direction is Direction.OUTBOUND
    return bool(leaves(packet.interface.linktype, packet.data))
