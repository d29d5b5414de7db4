"""Replay: packets of captures → engine → one record for each packet, one for each flow, and a summary.

The same way as the live packet: parsed, tracked, decided, with the capture's clock as now. Connections
live on from one file to the next, so rotated captures are given in their order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO, Protocol

from gateway.filter.engine import SKIPPED, PacketBatch
from gateway.filter.frames import Unparsed
from gateway.filter.link import leaves
from gateway.replay.captures import read_capture
from gateway.replay.flows import FlowTable, strays
from gateway.replay.ingress import Ingress, IngressTable
from gateway.replay.packets import Direction, Packet, Trouble
from gateway.replay.records import MID_STREAM, ZONE_BY_ADDRESS, PacketRecord
from gateway.replay.summary import FileResult, Summary, Tally
from gateway.replay.timeline import UNPARSED
from zones.verdict import State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from gateway.filter.engine import Engine
    from gateway.replay.against import Against
    from gateway.replay.flows import FlowRecord
    from gateway.replay.ingress import ZoneMap
    from zones.model import Policy
    from zones.verdict import Verdict

BATCH_PACKETS = 512
_JUMP_NS = 1_000_000_000


class Sink(Protocol):
    """Where records go; a flow comes when it is over, so after its packets."""

    wants_packets: bool

    def packet(self, record: PacketRecord, flow: FlowRecord | None) -> None:
        """Take one packet, and its flow if it was judged."""

    def flow(self, record: FlowRecord) -> None:
        """Take one finished flow."""


class Sinks:
    """Several sinks as one."""

    def __init__(self, sinks: Iterable[Sink]) -> None:
        self._sinks = tuple(sinks)
        self._of_packets = tuple(sink for sink in self._sinks if sink.wants_packets)
        self.wants_packets = bool(self._of_packets)
        self.wants_flows = any(getattr(sink, "wants_flows", True) for sink in self._sinks)
        """False where sums are enough, so that an engine need not tell one flow from another."""

    def packet(self, record: PacketRecord, flow: FlowRecord | None) -> None:
        """Hand one packet to each sink that wants packets."""
        for sink in self._of_packets:
            sink.packet(record, flow)

    def flow(self, record: FlowRecord) -> None:
        """Hand one finished flow to each sink."""
        for sink in self._sinks:
            sink.flow(record)


class Replay:
    """One run over any number of captures: `read` each of them, then `finish`.

    With `against`, every packet is judged by a second policy in the same pass.
    """

    def __init__(
        self,
        policy: Policy,
        engine: Engine,
        zones: ZoneMap,
        sink: Sink,
        *,
        against: Against | None = None,
    ) -> None:
        self._engine = engine
        self._zones = zones
        self._ingress = IngressTable(zones)
        self._sink = sink
        self._against = against
        self._flows = FlowTable(sink.flow)
        self._before_ns = 0
        self._batch: list[Packet] = []
        self._result: FileResult | None = None
        self.summary = Summary(engine=engine.name, policy=policy.name, revision=policy.revision)

    def items(self, source: BinaryIO, name: str) -> Iterator[Packet | Trouble]:
        """Yield what a capture holds, for `read`.

        Raises:
            Unreadable: it is no capture.
            BackendError: it is compressed, and the library for that is not installed.
        """
        return read_capture(source, name)

    def read(
        self, name: str, packets: Iterable[Packet | Trouble], progress: Callable[[int], None] | None = None
    ) -> FileResult:
        """Judge every packet of one capture; `progress` hears the number read so far, batch by batch."""
        result = self._result = FileResult(name=name)
        self.summary.files.append(result)
        for item in packets:
            if isinstance(item, Trouble):
                result.troubles.append((item.offset, item.code))
                continue
            self._batch.append(item)
            if len(self._batch) >= BATCH_PACKETS:
                self.flush()
                if progress is not None:
                    progress(self.summary.packets)
        self.flush()
        return result

    def flush(self) -> None:
        """Judge what was read so far without waiting for a full batch: a live capture may pause for long."""
        batch, self._batch = self._batch, []
        if batch and self._result is not None:
            self._judge(self._result, batch)

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

    def _judge(self, result: FileResult, batch: list[Packet]) -> None:
        ingress = self._ingress.of(batch)
        columns = as_columns(batch, ingress)
        judged = self._engine.judge_batch(columns)
        others: Sequence[Verdict | None] = ()
        if self._against is not None:
            others = self._against.judge(batch, columns)
        rows = zip(
            batch, ingress, judged.frames, judged.verdicts, judged.connections, judged.marks, strict=True
        )
        for at, (packet, (zone, by_address), frame, verdict, connection, marks) in enumerate(rows):
            result.packets += 1
            if by_address and verdict is not None:
                marks |= ZONE_BY_ADDRESS  # noqa: PLW2901  one more of the same
            record = PacketRecord(
                result.name, result.packets, packet, zone, frame, verdict, connection, marks
            )
            flow = None
            if verdict is not None and not isinstance(frame, Unparsed):
                flow = self._flows.add(record, frame, verdict)
                answer = flow.answered_by(frame)
                if verdict.state is State.INVALID and strays(flow, frame):
                    record = record._replace(marks=marks | MID_STREAM)
                    flow.marks |= MID_STREAM
                self.summary.exchanges.add(record, flow, verdict, answer=answer)
                if self._against is not None:
                    self._against.changes.add(record, flow, others[at], answer=answer)
            self._count(record)
            if self._sink.wants_packets:
                self._sink.packet(record, flow)

    def _count(self, record: PacketRecord) -> None:
        """Put a packet under exactly one of judged, skipped, unparsed."""
        summary, packet, verdict = self.summary, record.packet, record.verdict
        self._clock(packet.time_ns)
        if record.marks:
            summary.marks[record.marks] += 1
        if verdict is not None:
            summary.judged += 1
            summary.tally(verdict, record.place).add(packet.wire_length)
            summary.timeline.add(packet.time_ns, verdict.outcome.value)
            if verdict.audited:
                summary.audited.update(verdict.audited)
        elif record.marks & SKIPPED:
            summary.skipped += 1
            return
        else:
            summary.unparsed += 1
            summary.timeline.add(packet.time_ns, UNPARSED)
        if isinstance(record.frame, Unparsed):
            tally = summary.reasons.setdefault(record.frame, Tally(first=record.place))
            tally.add(packet.wire_length)

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


def as_columns(batch: Sequence[Packet], ingress: Sequence[Ingress]) -> PacketBatch:
    """Return packets the way an engine takes them."""
    return PacketBatch(
        [packet.interface.linktype for packet in batch],
        [packet.data for packet in batch],
        [packet.wire_length for packet in batch],
        [packet.time_ns for packet in batch],
        [found.zone for found in ingress],
        [_outbound(packet) for packet in batch],
    )


def _outbound(packet: Packet) -> bool:
    if packet.direction is not Direction.UNKNOWN:
        return packet.direction is Direction.OUTBOUND
    return bool(leaves(packet.interface.linktype, packet.data))
