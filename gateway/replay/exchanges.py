"""Exchanges: packets added up by who spoke to whom, for which service, and what became of it.

Everything a replay reports besides lists of packets and flows is read from this table, so that an engine
that adds up in columns of its own can hand its sums over (`Exchanges.add_rows`) in place of packets.

An exchange is told from the side of its initiator: the sender of the SYN, or the receiver of the SYN-ACK
where the SYN is missing, else the sender of the first packet seen between the two sockets. Packets that
went the other way are its `answers`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from zones.verdict import ICMP, ICMP6, PORT_PROTOCOLS, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from gateway.replay.flows import FlowRecord
    from gateway.replay.records import PacketRecord
    from zones.verdict import Verdict

MAX_EXCHANGES = 262_144
NO_PORT = -1


class Ends(NamedTuple):
    """What tells exchanges apart, from the initiator's side.

    Zones are empty where not known. `version` is 4 or 6, addresses are integers; for what did not fit into
    the table `version` is 0 and the ends are not known. `port` is the destination port, or the ICMP type,
    or `NO_PORT`. `decided_by` is empty where neither flow nor guard decided.
    """

    source_zone: str
    destination_zone: str
    version: int
    src: int
    dst: int
    protocol: int
    port: int
    outcome: str
    reason: str
    decided_by: str

    @property
    def other(self) -> bool:
        """Whether this stands for exchanges that did not fit."""
        return self.version == 0

    @property
    def denied(self) -> bool:
        """Whether the packets were refused."""
        return self.outcome == Outcome.DENY


class ExchangeRow(NamedTuple):
    """Packets of one exchange in one direction, added up elsewhere: the columns of `Exchanges.add_rows`.

    `answers` tells the direction: False from the initiator, True towards it. `flows` counts the flows whose
    first packet is among these (connections opened; for what was refused: attempts), `bytes` those on the
    wire, times are nanoseconds since the epoch, `first` is the place of the first packet (`file:number`), and
    `order` its number over all files.
    """

    ends: Ends
    answers: bool
    packets: int
    bytes: int
    flows: int
    first_ns: int
    last_ns: int
    order: int
    first: str


class Exchange:
    """One row of the table: the sums of both directions, and of the answers alone."""

    __slots__ = (
        "answer_bytes",
        "answers",
        "bytes",
        "ends",
        "first",
        "first_ns",
        "flows",
        "last_ns",
        "order",
        "packets",
    )

    def __init__(self, ends: Ends, first: str, first_ns: int, order: int = 0) -> None:
        self.ends = ends
        self.first, self.order = first, order
        self.first_ns = self.last_ns = first_ns
        self.packets = self.bytes = self.flows = self.answers = self.answer_bytes = 0


class Exchanges:
    """The table, bounded: what does not fit is added up by zones and decision alone.

    The rows for what did not fit are at most as many as the policy has ways to decide, so every sum by
    zone pair, flow or reason stays exact; only the ends are lost, and `others` says for how many packets.
    """

    def __init__(self, *, max_rows: int = MAX_EXCHANGES) -> None:
        self._limit = max_rows
        self._rows: dict[Ends, Exchange] = {}
        self._others: dict[Ends, Exchange] = {}

    def __len__(self) -> int:
        """Return how many rows have ends of their own."""
        return len(self._rows)

    def __iter__(self) -> Iterator[Exchange]:
        """Yield every row in the order they began, then those that stand for what did not fit."""
        yield from self._rows.values()
        yield from self._others.values()

    @property
    def others(self) -> int:
        """How many packets are counted without their ends, because the table was full."""
        return sum(row.packets for row in self._others.values())

    def add(self, record: PacketRecord, flow: FlowRecord, verdict: Verdict, *, answer: bool) -> None:
        """Count one judged packet of `flow`; `answer` says that it went towards the initiator."""
        known = flow.rows[answer]
        if known is not None and known[0] is verdict:
            row = known[1]
        else:
            row = self._row(ends_of(flow, verdict, answer=answer), record.place, record.packet.time_ns)
            flow.rows[answer] = (verdict, row)
        length, time_ns = record.packet.wire_length, record.packet.time_ns
        row.packets += 1
        row.bytes += length
        row.flows += flow.packets == 1
        if answer:
            row.answers += 1
            row.answer_bytes += length
        if time_ns > row.last_ns:
            row.last_ns = time_ns
        elif time_ns < row.first_ns:
            row.first_ns = time_ns

    def add_rows(self, rows: Iterable[ExchangeRow]) -> None:
        """Add sums that an engine made by itself, in any order; rows of the same ends may come many times."""
        for ends, answers, packets, size, flows, first_ns, last_ns, order, first in rows:
            row = self._row(ends, first, first_ns, order)
            row.packets += packets
            row.bytes += size
            row.flows += flows
            if answers:
                row.answers += packets
                row.answer_bytes += size
            if order < row.order:
                row.order, row.first = order, first
            row.first_ns = min(row.first_ns, first_ns)
            row.last_ns = max(row.last_ns, last_ns)

    def _row(self, ends: Ends, first: str, first_ns: int, order: int = 0) -> Exchange:
        row = self._rows.get(ends)
        if row is not None:
            return row
        table = self._rows
        if len(table) >= self._limit:
            table, ends = self._others, _without_ends(ends)
            row = table.get(ends)
        if row is None:
            row = table[ends] = Exchange(ends, first, first_ns, order)
        return row


def _without_ends(ends: Ends) -> Ends:
    return ends._replace(version=0, src=0, dst=0, protocol=0, port=NO_PORT)


def ends_of(flow: FlowRecord, verdict: Verdict, *, answer: bool) -> Ends:
    """Return where a packet of a flow counts: the flow's ends, its own verdict."""
    frame = flow.frame
    src, dst, port = frame.src, frame.dst, frame.dport
    if flow.reversed:
        src, dst, port = dst, src, frame.sport
    source, destination = verdict.source_zone or "", verdict.destination_zone or ""
    if answer:
        source, destination = destination, source
    return Ends(
        source,
        destination,
        frame.version,
        src,
        dst,
        frame.protocol,
        port if frame.protocol in PORTED else NO_PORT,
        verdict.outcome.value,
        verdict.reason.value,
        verdict.decided_by or "",
    )


PORTED = PORT_PROTOCOLS | {ICMP, ICMP6}
