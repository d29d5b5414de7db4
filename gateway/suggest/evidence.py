"""Evidence: what a replay saw, gathered by who spoke to whom, for which service, and what became of it.

The collector takes the packets and flows of a replay as a `Sink`. Memory is bounded by the number of
different exchanges (`MAX_EXCHANGES`), not by the length of the capture; what found no room is counted and
never proposed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from gateway.filter.frames import LATER_FRAGMENT, Frame
from gateway.filter.states import SEGMENTS, Segment
from gateway.replay.flows import MAX_FLOWS
from gateway.replay.records import MID_STREAM
from zones.verdict import TCP, PacketKey, Reason, State

if TYPE_CHECKING:
    from gateway.replay.flows import FlowRecord
    from gateway.replay.records import PacketRecord
    from zones.verdict import Verdict

MAX_EXCHANGES = 200_000
MAX_PLACES = 3
"""So many first packets are named as evidence."""

GAP_NS = 600 * 1_000_000_000
"""A stretch without any packet that is longer is a gap in the observation."""

_MAX_GAPS = 100
_MAX_DAYS = 400
_DAY_NS = 86_400 * 1_000_000_000
_VISIT_NS = 30 * 1_000_000_000
"""Datagrams between the same ports that pause longer count as another connection."""

# Protocols that agree on further ports inside: their control ports (IANA registry).
CONTROL_PORTS = {21: "ftp", 69: "tftp", 111: "sunrpc", 135: "msrpc", 554: "rtsp", 5060: "sip"}


class Exchange(NamedTuple):
    """One kind of exchange, told from the initiator's side. `protocol` and `dport` as in a `PacketKey`."""

    source_zone: str | None
    destination_zone: str | None
    version: int
    source: int
    destination: int
    protocol: int
    dport: int
    reason: Reason
    decided_by: str | None
    state: State
    passes: bool
    audited: tuple[str, ...] = ()
    """Flows in audit mode that would have had it."""

    @property
    def service(self) -> tuple[int, int]:
        """Protocol and destination port (or ICMP type)."""
        return self.protocol, self.dport

    @property
    def packet(self) -> PacketKey:
        """A packet that opens this exchange, from the zone it was seen in."""
        port = 49152 if self.protocol in (TCP, 17, 132) else 0
        return PacketKey(
            self.source_zone, self.version, self.source, self.destination, self.protocol, port, self.dport
        )


class Sightings:
    """How often an exchange was seen, when, and where to find its first packets."""

    __slots__ = (
        "answered",
        "bytes",
        "connections",
        "days",
        "earliest",
        "first_ns",
        "last_ns",
        "marks",
        "packets",
    )

    def __init__(self) -> None:
        self.connections = self.answered = self.packets = self.bytes = self.marks = 0
        self.first_ns = self.last_ns = -1
        self.days: set[int] = set()
        self.earliest: list[tuple[int, str]] = []
        """The first packets of the earliest flows: when, and file and number."""

    @property
    def places(self) -> list[str]:
        """File and number of the first packets, in the order of time."""
        return [place for _, place in self.earliest]

    def add(self, flow: FlowRecord, connections: int, *, answered: bool) -> None:
        """Count one flow of the replay."""
        if not self.connections or flow.first_ns < self.first_ns:
            self.first_ns = flow.first_ns
        self.last_ns = max(self.last_ns, flow.last_ns)
        self.connections += connections
        self.answered += connections if answered else 0
        self.packets += flow.packets
        self.bytes += flow.bytes
        self.marks |= flow.marks
        if len(self.earliest) < MAX_PLACES or flow.first_ns < self.earliest[-1][0]:
            # Flows come when they are over: one that ends later may have begun before.
            self.earliest = sorted([*self.earliest, (flow.first_ns, flow.first)])[:MAX_PLACES]
        if len(self.days) < _MAX_DAYS:
            self.days.update((flow.first_ns // _DAY_NS, flow.last_ns // _DAY_NS))


def together(sightings: list[Sightings]) -> Sightings:
    """Return several sightings as one; the first packets are those of the earliest."""
    whole = Sightings()
    for one in sorted(sightings, key=lambda each: each.first_ns):
        whole.first_ns = one.first_ns if whole.first_ns < 0 else min(whole.first_ns, one.first_ns)
        whole.last_ns = max(whole.last_ns, one.last_ns)
        for name in ("connections", "answered", "packets", "bytes"):
            setattr(whole, name, getattr(whole, name) + getattr(one, name))
        whole.marks |= one.marks
        whole.days |= one.days
        whole.earliest = sorted([*whole.earliest, *one.earliest])[:MAX_PLACES]
    return whole


class Window:
    """When was looked: begin and end of the traffic, and the stretches in which nothing was seen at all."""

    def __init__(self) -> None:
        self.first_ns: int | None = None
        self.last_ns = 0
        self.packets = 0
        self.gaps: list[tuple[int, int]] = []
        self.gaps_left_out = 0

    def add(self, time_ns: int) -> None:
        """Count one packet; captures of several interfaces need not be in step."""
        self.packets += 1
        if self.first_ns is None:
            self.first_ns = self.last_ns = time_ns
        if time_ns - self.last_ns > GAP_NS:
            if len(self.gaps) < _MAX_GAPS:
                self.gaps.append((self.last_ns, time_ns))
            else:
                self.gaps_left_out += 1
        self.first_ns = min(self.first_ns, time_ns)
        self.last_ns = max(self.last_ns, time_ns)


class _Talk:
    """What is remembered of a flow that still goes on: answers, and the visits of the initiator."""

    __slots__ = ("answered", "last_ns", "visits")

    def __init__(self, time_ns: int) -> None:
        self.answered = False
        self.last_ns = time_ns
        self.visits = 1


class Collector:
    """A `Sink` that gathers exchanges. `since_ns` ≤ first packet < `until_ns` are counted.

    Exchanges that a flow admitted are kept only with `admitted`: they show what open flows are used for.
    """

    wants_packets = True

    def __init__(
        self,
        *,
        since_ns: int | None = None,
        until_ns: int | None = None,
        admitted: bool = False,
        max_exchanges: int = MAX_EXCHANGES,
    ) -> None:
        self._since, self._until = since_ns, until_ns
        self._admitted = admitted
        self._limit = max_exchanges
        self._talks: dict[int, _Talk] = {}
        self.window = Window()
        self.exchanges: dict[Exchange, Sightings] = {}
        self.controls: dict[tuple[int, int, int], str] = {}
        """Pairs of addresses that spoke a protocol which agrees on further ports → that protocol."""
        self.no_room = 0
        self.unread = 0
        """Packets refused because they could not be read (malformed)."""

    def packet(self, record: PacketRecord, flow: FlowRecord | None) -> None:
        """Take one packet: it may be an answer, or a new visit."""
        time_ns = record.packet.time_ns
        if not self._inside(time_ns):
            return
        self.window.add(time_ns)
        if record.verdict is None:
            return
        if flow is None or not isinstance(record.frame, Frame):
            self.unread += 1
            return
        talk = self._talks.get(flow.number)
        if talk is None:
            if len(self._talks) >= 2 * MAX_FLOWS:
                self._talks.clear()  # an engine that never ends its flows: fewer answers are known
            talk = self._talks[flow.number] = _Talk(time_ns)
        if record.frame.key == flow.frame.key:
            if time_ns - talk.last_ns > _VISIT_NS:
                talk.visits += 1
            talk.last_ns = max(talk.last_ns, time_ns)
        elif not talk.answered and record.verdict.reason is not Reason.SPOOFED_SOURCE:
            talk.answered = _answers(record.frame)

    def flow(self, record: FlowRecord) -> None:
        """Take one finished flow."""
        talk = self._talks.pop(record.number, None)
        if not self._inside(record.first_ns):
            return
        answered = talk is not None and talk.answered
        if answered or record.verdict.passes:
            self._note_control(record)
        exchange = _exchange(record)
        if exchange.decided_by is not None and exchange.passes and not self._admitted:
            return
        sightings = self.exchanges.get(exchange)
        if sightings is None:
            if len(self.exchanges) >= self._limit:
                self.no_room += 1
                return
            sightings = self.exchanges[exchange] = Sightings()
        visits = talk.visits if talk is not None and exchange.protocol != TCP else 1
        sightings.add(record, visits, answered=answered)

    def _inside(self, time_ns: int) -> bool:
        return (self._since is None or time_ns >= self._since) and (
            self._until is None or time_ns < self._until
        )

    def _note_control(self, record: FlowRecord) -> None:
        frame = record.frame
        if frame.dport in CONTROL_PORTS and len(self.controls) < self._limit:
            self.controls[frame.version, frame.src, frame.dst] = CONTROL_PORTS[frame.dport]


def _answers(frame: Frame) -> bool:
    """Return whether a packet that comes back is an answer; a reset says that nobody listens."""
    if frame.protocol != TCP or frame.fragment == LATER_FRAGMENT:
        return True
    return SEGMENTS[frame.control] is not Segment.RST


def _exchange(record: FlowRecord) -> Exchange:
    frame, verdict = record.frame, record.verdict
    ends = (frame.src, frame.dst) if not record.reversed else (frame.dst, frame.src)
    zones = _zones(verdict) if not record.reversed else _zones(verdict)[::-1]
    return Exchange(
        zones[0],
        zones[1],
        frame.version,
        *ends,
        frame.protocol,
        frame.dport if not record.reversed else frame.sport,
        _reason(record),
        verdict.decided_by,
        verdict.state,
        verdict.passes,
        verdict.audited,
    )


def _reason(record: FlowRecord) -> Reason:
    """Return why; what is in the middle of an exchange is refused for that, whatever stands before it."""
    if record.verdict.state is State.INVALID or record.marks & MID_STREAM:
        keep = record.verdict.reason is Reason.SPOOFED_SOURCE
        return Reason.SPOOFED_SOURCE if keep else Reason.INVALID_STATE
    return record.verdict.reason


def _zones(verdict: Verdict) -> tuple[str | None, str | None]:
    return verdict.source_zone, verdict.destination_zone
