"""Connection tracking as the kernel does it, on capture time.

Modelled on Linux conntrack with loose=0 (`gateway.filter.states` holds the tables): a connection exists
only after a packet of state `new` was admitted by the policy; a refused one leaves nothing behind. Out of
scope is TCP window tracking: a segment with a wrong sequence number passes here and is invalid there.

The table is bounded. When it is full, a few of the connections both sides have spoken on are looked at, in
turn, and those that expired are forgotten; failing that, the oldest of the others makes room; with none of
that kind, new connections are refused. What was forgotten is invalid (TCP) or decided anew (the rest):
eviction never opens anything. No step looks at the whole table, so a flood cannot make it slow.

Times are whole nanoseconds. `native/track.h` is the same in C: tests hold the two to each other.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from gateway.filter.frames import ICMP_QUERIES, Frame, reverse_key
from gateway.filter.states import (
    GENERIC_SECONDS,
    NANO,
    SECONDS,
    SEGMENTS,
    STEPS,
    TCP_SECONDS,
    UDP_STREAM_SECONDS,
    Last,
    Segment,
    Step,
    Tcp,
    exceptional_step,
)
from zones.verdict import ICMP, ICMP6, SCTP, TCP, UDP, State

if TYPE_CHECKING:
    from zones.verdict import Verdict

MAX_CONNECTIONS = 262_144
_NO_NEXT_HEADER = 59
_SCTP_INIT = 1
_TCP_NS = tuple(TCP_SECONDS[state] * NANO for state in Tcp)
_SILENCE_NS = {protocol: (before * NANO, after * NANO) for protocol, (before, after) in SECONDS.items()}
_GENERIC_NS = (GENERIC_SECONDS[0] * NANO, GENERIC_SECONDS[1] * NANO)
_UDP_STREAM_NS = UDP_STREAM_SECONDS * NANO
_LAST_OF = {Segment.SYN: int(Last.SYN), Segment.RST: int(Last.RST)}
LOOKS = 4
"""How many lasting connections are looked at for expiry each time room is needed."""


class Entry:
    """One admitted connection; `key` is that of its first packet, `flow` what admitted it."""

    __slots__ = (
        "answered",
        "answers",
        "assured",
        "born",
        "expires",
        "finished",
        "flow",
        "forward",
        "key",
        "last",
        "local",
        "number",
        "protocol",
        "state",
    )

    def __init__(self, number: int, frame: Frame, now: int, flow: str | None, *, local: bool) -> None:
        self.number = number
        self.key = frame.key
        self.protocol = frame.protocol
        self.flow = flow
        self.local = local
        """It ends at the gateway itself, whose answers a capture of what came in does not hold."""
        self.state = int(Tcp.NONE)
        self.last = int(Last.SYN)
        self.finished = False
        self.answered = False
        self.assured = False
        self.born = now
        self.expires = now
        self.forward: Remembered | None = None
        self.answers: Remembered | None = None


class Remembered:
    """A verdict of one direction of a connection and all it depended on (besides the policy)."""

    __slots__ = ("ingress", "mac", "moment", "state", "verdict")

    def __init__(self, ingress: str | None, mac: int, moment: int, state: State, verdict: Verdict) -> None:
        self.ingress, self.mac, self.moment = ingress, mac, moment
        self.state, self.verdict = state, verdict


class Tracker:
    """The table of admitted connections. Times are nanoseconds; every method is told the time."""

    def __init__(self, *, max_connections: int = MAX_CONNECTIONS) -> None:
        self._limit = max_connections
        self._index: dict[bytes, Entry] = {}
        # An entry is in one of the two: oldest first, and next to be looked at first.
        self._unassured: OrderedDict[bytes, Entry] = OrderedDict()
        self._assured: OrderedDict[bytes, Entry] = OrderedDict()
        self._admitted = self.evicted = 0

    def __len__(self) -> int:
        """Return how many connections are remembered, silent ones that have not been met again included."""
        return len(self._unassured) + len(self._assured)

    def find(self, key: bytes, now: int) -> Entry | None:
        """Return the connection that packets with this key belong to, in either direction."""
        entry = self._index.get(key)
        if entry is not None and now >= entry.expires:
            self._forget(entry)
            return None
        return entry

    def advance(self, entry: Entry | None, frame: Frame, now: int) -> tuple[State, Entry | None]:
        """Return the state of a packet and its connection, None for one that must be admitted first."""
        if entry is None:
            return self._unknown(frame, now)
        reply = frame.key != entry.key
        if entry.protocol == TCP:
            step = self._tcp(entry, frame, reply=reply)
            if step == Step.REOPEN:
                self._forget(entry)
                return self._unknown(frame, now)
            if step == Step.INVALID:
                return State.INVALID, entry
            self._tcp_done(entry, step, now)
        else:
            self._other(entry, now)
        if reply and not entry.answered:
            entry.answered = True
        return (State.ESTABLISHED if reply or entry.answered else State.NEW), entry

    def admit(self, frame: Frame, now: int, flow: str | None, *, local: bool) -> Entry | None:
        """Remember the connection a `new` packet opens; None when the table has no room for it.

        A connection that was known by this key is forgotten.
        """
        if (known := self._index.get(frame.key)) is not None:
            self._forget(known)
        if len(self) >= self._limit and not self._make_room(now):
            return None
        self._admitted += 1
        entry = Entry(self._admitted, frame, now, flow, local=local)
        if frame.protocol == TCP:
            entry.state = int(Tcp.SYN_SENT)
            entry.expires = now + _TCP_NS[Tcp.SYN_SENT]
        else:
            entry.expires = now + _SILENCE_NS.get(frame.protocol, _GENERIC_NS)[0]
        self._index[frame.key] = self._index[reverse_key(frame.key)] = entry
        self._unassured[frame.key] = entry
        return entry

    def _unknown(self, frame: Frame, now: int) -> tuple[State, Entry | None]:
        """Return the state of a packet that no connection claims: opening, reporting on one, or invalid."""
        if frame.quoted is not None:
            return self._related(frame, now)
        protocol = frame.protocol
        if protocol == TCP:
            opens = SEGMENTS[frame.control] is Segment.SYN
        elif protocol in (ICMP, ICMP6):
            opens = frame.dport in ICMP_QUERIES[protocol]
        elif protocol == SCTP:
            opens = frame.control == _SCTP_INIT
        else:
            opens = protocol != _NO_NEXT_HEADER
        return (State.NEW if opens else State.INVALID), None

    def _related(self, frame: Frame, now: int) -> tuple[State, Entry | None]:
        """Return whether an ICMP error reports on a packet of a connection, to the one who sent it."""
        quoted = frame.quoted or b""
        entry = self.find(quoted, now)
        size = 4 if frame.version == 4 else 16
        # The report must go to the sender of what it quotes; otherwise it was made up.
        if entry is None or frame.dst.to_bytes(size) != quoted[:size]:
            return State.INVALID, None
        return State.RELATED, entry

    def _tcp(self, entry: Entry, frame: Frame, *, reply: bool) -> int:
        segment = SEGMENTS[frame.control]
        if segment is None:
            return Step.INVALID
        if (
            entry.local
            and not reply
            and entry.state == Tcp.SYN_SENT
            and segment in (Segment.ACK, Segment.FIN)
        ):
            # The gateway's own SYN-ACK is not in a capture of what came in: presume it.
            entry.state, entry.answered = int(Tcp.SYN_RECEIVED), True
        step = STEPS[reply][segment][entry.state]
        if step == Step.INVALID:
            return step
        return _remember_last(entry, segment, step, reply=reply)

    def _tcp_done(self, entry: Entry, step: int, now: int) -> None:
        if step == Step.KEEP:
            return
        if step == Tcp.ESTABLISHED and not entry.assured:
            self._assure(entry)
        entry.state = step
        entry.expires = now + _TCP_NS[step]
        if step == Tcp.CLOSED and not entry.answered:
            # Reset before anything was answered: nothing is left to track.
            self._forget(entry)

    def _other(self, entry: Entry, now: int) -> None:
        unanswered, answered = _SILENCE_NS.get(entry.protocol, _GENERIC_NS)
        lasting = entry.answered and (entry.protocol != UDP or now - entry.born > _UDP_STREAM_NS)
        entry.expires = now + (answered if lasting else unanswered)
        if lasting and not entry.assured and entry.protocol not in (ICMP, ICMP6):
            self._assure(entry)

    def _assure(self, entry: Entry) -> None:
        """Both sides have spoken: this one is not evicted to make room."""
        entry.assured = True
        del self._unassured[entry.key]
        self._assured[entry.key] = entry

    def _make_room(self, now: int) -> bool:
        """Forget what has expired of the next few; failing that, the oldest that is not assured."""
        before = len(self)
        for _ in range(min(LOOKS, len(self._assured))):
            key, entry = next(iter(self._assured.items()))
            if now >= entry.expires:
                self._forget(entry)
            else:
                self._assured.move_to_end(key)
        if len(self) < before:
            return True
        if not self._unassured:
            return False
        oldest = next(iter(self._unassured.values()))
        self.evicted += now < oldest.expires
        self._forget(oldest)
        return True

    def _forget(self, entry: Entry) -> None:
        del (self._assured if entry.assured else self._unassured)[entry.key]
        self._index.pop(entry.key, None)
        self._index.pop(reverse_key(entry.key), None)


def _remember_last(entry: Entry, segment: Segment, step: int, *, reply: bool) -> int:
    """Return the step with its exceptions, and keep what the next one's hang on."""
    state, last = entry.state, entry.last
    entry.last = int(Last.OTHER) if reply else _LAST_OF.get(segment, int(Last.OTHER))
    if last == Last.OTHER and step != Step.REOPEN:
        found = step
    else:
        found = exceptional_step(
            step, segment=segment, state=state, reply=reply, last=last, finished=entry.finished
        )
    if found == Tcp.FIN_WAIT:
        entry.finished = True
    elif found != step and found == Tcp.SYN_RECEIVED:
        entry.finished = False
    elif found != step and reply:
        entry.last = int(Last.CHALLENGED)
    return found
