"""Packets gathered into flows: who spoke to whom, how much, and what became of it."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from gateway.filter.frames import LATER_FRAGMENT, reverse_key
from gateway.filter.states import SEGMENTS, Segment
from zones.verdict import TCP, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.filter.frames import Frame
    from gateway.replay.exchanges import Exchange
    from gateway.replay.records import PacketRecord
    from zones.verdict import Verdict

MAX_FLOWS = 262_144
_IDLE_NS = 600 * 1_000_000_000  # an unadmitted exchange that pauses longer is told as two


class FlowRecord:
    """One exchange between two ends: an admitted connection, or packets that none was made for.

    Ends are given as `source` → `destination` from the initiator's side: the sender of the SYN, or the
    receiver of the SYN-ACK where the SYN is missing (`initiator` tells which), else the sender of the
    first packet seen; never guessed from a port. `verdict` is that of the first packet. `answers` are the
    packets towards the initiator.
    """

    __slots__ = (
        "against",
        "answer_bytes",
        "answers",
        "bytes",
        "connection",
        "denied",
        "first",
        "first_ns",
        "frame",
        "initiator",
        "last_ns",
        "marks",
        "number",
        "packets",
        "rows",
        "verdict",
    )

    def __init__(self, number: int, first: PacketRecord, frame: Frame, verdict: Verdict) -> None:
        self.number = number
        self.first = first.place
        self.frame = frame
        self.verdict = verdict
        self.connection = first.connection
        self.first_ns = self.last_ns = first.packet.time_ns
        self.packets = self.bytes = self.denied = self.marks = 0
        self.answers = self.answer_bytes = 0
        self.against: Verdict | None = None
        """What the other policy says of the first packet, where two are compared."""
        self.rows: list[tuple[Verdict, Exchange] | None] = [None, None]
        """Where packets from, and towards, the initiator were counted last, and by which verdict."""
        self.initiator = _initiator(frame)

    @property
    def reversed(self) -> bool:
        """Whether the first packet seen was an answer."""
        return self.initiator == "syn-ack"

    def answered_by(self, frame: Frame) -> bool:
        """Return whether a packet of this flow went towards its initiator."""
        return (frame.key != self.frame.key) is not self.reversed


def _initiator(frame: Frame) -> str:
    segment = None
    if frame.protocol == TCP and frame.fragment != LATER_FRAGMENT:
        segment = SEGMENTS[frame.control]
    return {Segment.SYN: "syn", Segment.SYN_ACK: "syn-ack"}.get(segment, "first-packet")  # type: ignore[arg-type]


class FlowTable:
    """The flows that may still go on; a finished one is handed to `retire`.

    Bounded: when it is full, the flow that began first is handed over early, and goes on as another.
    """

    def __init__(self, retire: Callable[[FlowRecord], None], *, max_flows: int = MAX_FLOWS) -> None:
        self._retire = retire
        self._limit = max_flows
        self._flows: OrderedDict[int, FlowRecord] = OrderedDict()
        self._index: dict[bytes, FlowRecord] = {}
        self.count = 0
        self.split = 0

    def add(self, packet: PacketRecord, frame: Frame, verdict: Verdict) -> FlowRecord:
        """Count one judged packet and return its flow."""
        record = self._index.get(frame.key)
        if record is None or _another(record, packet):
            record = self._begin(record, FlowRecord(self.count + 1, packet, frame, verdict))
        length = packet.packet.wire_length
        record.packets += 1
        record.bytes += length
        if record.answered_by(frame):
            record.answers += 1
            record.answer_bytes += length
        record.last_ns = max(record.last_ns, packet.packet.time_ns)
        record.marks |= packet.marks
        if verdict.outcome is Outcome.DENY:
            record.denied += 1
        return record

    def finish(self) -> None:
        """Hand over every flow that is left, in the order they began."""
        for record in self._flows.values():
            self._retire(record)
        self._flows.clear()
        self._index.clear()

    def _begin(self, before: FlowRecord | None, record: FlowRecord) -> FlowRecord:
        if before is not None:
            self._end(before)
        elif len(self._flows) >= self._limit:
            self.split += 1
            self._end(next(iter(self._flows.values())))
        self.count += 1
        key = record.frame.key
        self._flows[record.number] = record
        self._index[key] = self._index[reverse_key(key)] = record
        return record

    def _end(self, record: FlowRecord) -> None:
        del self._flows[record.number]
        for key in (record.frame.key, reverse_key(record.frame.key)):
            if self._index.get(key) is record:
                del self._index[key]
        self._retire(record)


def _another(record: FlowRecord, packet: PacketRecord) -> bool:
    """Return whether a packet between the same ends belongs to a later exchange."""
    if packet.connection:
        return packet.connection != record.connection
    return record.connection == 0 and packet.packet.time_ns - record.last_ns > _IDLE_NS


def strays(flow: FlowRecord, frame: Frame) -> bool:
    """Return whether a packet of no connection is in the middle of an exchange that began out of sight.

    Behind a SYN that was refused nothing is out of sight; flags that nobody sends are no exchange.
    """
    if frame.protocol != TCP or frame.fragment == LATER_FRAGMENT or flow.connection:
        return False
    return flow.initiator != "syn" and SEGMENTS[frame.control] is not None
