"""Replay where sums are enough: the core judges and adds up, and only its sums come to Python.

The same answers as `gateway.replay.replay.Replay` gives, for captures that need no look at single packets
or flows. What the core adds up is fetched when its tables fill, and at the end of every file.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import starmap
from struct import Struct
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from gateway.filter._native import ffi, lib
from gateway.filter.frames import Unparsed
from gateway.filter.native_engine import Core
from gateway.replay.captures import walk_capture
from gateway.replay.exchanges import NO_PORT, PORTED, Ends, ExchangeRow
from gateway.replay.flows import MAX_FLOWS
from gateway.replay.packets import Direction, Packet, Trouble
from gateway.replay.summary import FileResult, Summary, Tally
from gateway.replay.timeline import UNPARSED
from gateway.replay.window import Records, Walker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from gateway.replay.ingress import ZoneMap
    from gateway.replay.packets import Interface
    from zones.model import Policy
    from zones.verdict import Verdict

_NANO = 1_000_000_000
_REASONS: tuple[Unparsed | None, ...] = (None, *Unparsed)
_DIRECTIONS = {Direction.UNKNOWN: 0, Direction.INBOUND: 1, Direction.OUTBOUND: 2}
_ROW = Struct("=QQQQIHBBQQQQQqq")
_PROGRESS_ITEMS = 64


class _Row(NamedTuple):
    """`struct mg_row`."""

    src_hi: int
    src_lo: int
    dst_hi: int
    dst_lo: int
    verdict: int
    port: int
    protocol: int
    version: int
    answers: int
    packets: int
    bytes: int
    flows: int
    first: int
    first_ns: int
    last_ns: int


class BulkReplay:
    """One run over any number of captures: `read` each of them, then `finish`.

    Raises:
        ConfigurationError: the policy is larger than the core can hold.
    """

    def __init__(
        self, policy: Policy, zones: ZoneMap, *, now: float | None = None, ignore_checksums: bool = False
    ) -> None:
        self._zones = zones
        self._core = Core(policy, now=now, ignore_checksums=ignore_checksums, max_flows=MAX_FLOWS)
        self._engine: Any = self._core.pointer
        self._stop = ffi.new("enum mg_stop *")
        self._single = ffi.new("struct mg_record *")
        self._starts: list[int] = []
        self._names: list[str] = []
        self.summary = Summary(engine="native", policy=policy.name, revision=policy.revision)
        self.walker = Walker(self._zone_number)

    def items(self, source: BinaryIO, name: str) -> Iterator[Records | Packet | Trouble]:
        """Yield what a capture holds, for `read`.

        Raises:
            Unreadable: it is no capture.
            BackendError: it is compressed, and the library for that is not installed.
        """
        return walk_capture(source, name, self.walker)

    def read(
        self,
        name: str,
        items: Iterable[Records | Packet | Trouble],
        progress: Callable[[int], None] | None = None,
    ) -> FileResult:
        """Judge every packet of one capture; `progress` hears the number read so far, now and then."""
        result = FileResult(name=name)
        self.summary.files.append(result)
        self._names.append(name)
        before = int(self._engine.totals.packets)
        self._starts.append(before)
        for number, item in enumerate(items):
            if isinstance(item, Records):
                self._run(item.pointer, item.number)
            elif isinstance(item, Packet):
                self._run_one(item)
            else:
                result.troubles.append((item.offset, item.code))
            if progress is not None and number % _PROGRESS_ITEMS == 0:
                progress(int(self._engine.totals.packets))
        result.packets = int(self._engine.totals.packets) - before
        return result

    def unreadable(self, name: str) -> None:
        """Note a file that is no capture at all."""
        self.summary.files.append(FileResult(name=name, unreadable=True))

    def finish(self) -> Summary:
        """Hand over the flows that are still open and return the summary."""
        while lib.mg_end_flows(self._engine):
            self._fetch()
        lib.mg_flush_seconds(self._engine)
        self._fetch()
        self._count_verdicts()
        self._count_totals()
        self.summary.flows = int(self._engine.flows.count)
        self.summary.flows_split = int(self._engine.flows.split)
        self.summary.evicted = int(lib.mg_tracker_evicted(self._engine.tracker))
        self.summary.unused_map = self._zones.unused
        return self.summary

    def _zone_number(self, interface: Interface) -> int:
        return self._core.zone_numbers[self._zones.zone_of(interface)]

    def _run_one(self, packet: Packet) -> None:
        data = ffi.from_buffer(packet.data)
        record = self._single
        record.data = ffi.cast("uint8_t *", data)
        record.time_ns, record.captured, record.wire = packet.time_ns, len(packet.data), packet.wire_length
        record.linktype = -1 if packet.interface.linktype is None else packet.interface.linktype
        record.ingress = self._zone_number(packet.interface)
        record.direction = _DIRECTIONS[packet.direction]
        self._run(record, 1)

    def _run(self, records: Any, count: int) -> None:
        done = 0
        while done < count:
            done += lib.mg_run(self._engine, records + done, count - done, self._stop)
            if self._stop[0] == lib.MG_OTHER_TIME:
                self._core.turn_to(records[done].time_ns)
            elif self._stop[0] == lib.MG_FULL_ROWS:
                self._fetch()
            elif self._stop[0] == lib.MG_FULL_VERDICTS:
                self._forget()

    # --- what was added up -------------------------------------------------------------------------------

    def _fetch(self) -> None:
        """Take over the rows and seconds that are ready."""
        summary, engine = self.summary, self._engine
        for second in engine.seconds_out[0 : engine.second_count]:
            verdict = self._core.verdict(second.verdict)
            outcome = UNPARSED if verdict is None else verdict.outcome.value
            summary.timeline.add(second.second * _NANO, outcome, second.packets)
        engine.second_count = 0
        summary.exchanges.add_rows(self._rows())
        lib.mg_flows_clear_rows(engine.flows)

    def _rows(self) -> Iterator[ExchangeRow]:
        flows = self._engine.flows
        packed = ffi.buffer(flows.rows, flows.row_count * _ROW.size)
        for row in starmap(_Row, _ROW.iter_unpack(packed)):
            verdict = self._core.verdict(row.verdict)
            if verdict is not None:
                yield ExchangeRow(
                    ends=_ends(row, verdict),
                    answers=bool(row.answers),
                    packets=row.packets,
                    bytes=row.bytes,
                    flows=row.flows,
                    first_ns=row.first_ns,
                    last_ns=row.last_ns,
                    order=row.first,
                    first=self._place(row.first),
                )

    def _place(self, number: int) -> str:
        """Return file and number of a packet that is counted over all files."""
        at = bisect_right(self._starts, number - 1) - 1
        return f"{self._names[at]}:{number - self._starts[at]}"

    def _forget(self) -> None:
        """Count what is known by numbers of verdicts, and begin these anew."""
        at = lib.mg_emit_flows(self._engine, 0)
        while at:
            self._fetch()
            at = lib.mg_emit_flows(self._engine, at)
        lib.mg_flush_seconds(self._engine)
        self._fetch()
        self._count_verdicts()
        self._core.forget_verdicts()

    def _count_verdicts(self) -> None:
        summary = self.summary
        counted = [
            (answer.first, answer.packets, answer.bytes, verdict)
            for number in range(1, self._engine.verdict_count)
            if (answer := self._engine.verdicts[number]).packets
            and (verdict := self._core.verdict(number)) is not None
        ]
        for first, packets, size, verdict in sorted(counted, key=lambda row: int(row[0])):
            tally = summary.tally(verdict, self._place(first))
            tally.packets += packets
            tally.bytes += size
            for flow in verdict.audited:
                summary.audited[flow] += packets

    def _count_totals(self) -> None:
        summary, totals = self.summary, self._engine.totals
        summary.judged, summary.unparsed, summary.skipped = totals.judged, totals.unparsed, totals.skipped
        summary.backwards = totals.backwards
        if totals.packets:
            summary.first_ns, summary.last_ns = totals.first_ns, totals.last_ns
        for bits in range(1, lib.MG_MARKS):
            if totals.marks[bits]:
                summary.marks[bits] = totals.marks[bits]
        for number, reason in enumerate(_REASONS):
            found = totals.reasons[number]
            if reason is not None and found.packets:
                place = self._place(found.first)
                summary.reasons[reason] = Tally(first=place, packets=found.packets, bytes=found.bytes)


def _ends(row: _Row, verdict: Verdict) -> Ends:
    """Return where the packets of a row count: the flows' ends, their own verdict."""
    source, destination = verdict.source_zone or "", verdict.destination_zone or ""
    if row.answers:
        source, destination = destination, source
    return Ends(
        source,
        destination,
        row.version,
        row.src_hi << 64 | row.src_lo,
        row.dst_hi << 64 | row.dst_lo,
        row.protocol,
        row.port if row.protocol in PORTED else NO_PORT,
        verdict.outcome.value,
        verdict.reason.value,
        verdict.decided_by or "",
    )
