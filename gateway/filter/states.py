"""What each packet does to a connection: the state tables and time-outs of the tracker.

They follow what Linux connection tracking does with `nf_conntrack_tcp_loose=0` (RFC 9293 seen from the
middle of the path): only a SYN opens, every answer must have been asked for. A pair that is not listed is
invalid. `KEEP` lets a packet pass without changing anything (a repeated SYN, say); `REOPEN` ends what was
closed and starts anew, decided by the policy again.
"""

from __future__ import annotations

from enum import IntEnum

NANO = 1_000_000_000
"""Nanoseconds in a second: time-outs are written in whole seconds, times are counted in whole nanoseconds."""


class Tcp(IntEnum):
    """Where a TCP connection stands, seen from the middle."""

    NONE = 0
    SYN_SENT = 1
    SYN_RECEIVED = 2
    ESTABLISHED = 3
    FIN_WAIT = 4
    CLOSE_WAIT = 5
    LAST_ACK = 6
    TIME_WAIT = 7
    CLOSED = 8
    BOTH_SYN_SENT = 9


class Segment(IntEnum):
    """The kinds of segments that the tables tell apart; a reset counts before a SYN, a SYN before a FIN."""

    SYN = 0
    SYN_ACK = 1
    FIN = 2
    ACK = 3
    RST = 4


class Step(IntEnum):
    """What the tables say instead of a next state."""

    KEEP = -1
    REOPEN = -2
    INVALID = -3


class Last(IntEnum):
    """What the side that opened a connection sent last, where that matters for the next step."""

    OTHER = 0
    SYN = 1
    RST = 2
    CHALLENGED = 3
    """A SYN that was answered by a mere acknowledgement (RFC 5961 4.2)."""


_FIN, _SYN, _RST, _ACK, _URG = 0x01, 0x02, 0x04, 0x10, 0x20
_COUNTED = _FIN | _SYN | _RST | _ACK | _URG  # PSH, ECE and CWR say nothing about the state

# The only combinations a sane stack sends; a scan that uses others (NULL, SYN+FIN, Xmas) opens nothing.
_SEGMENTS: dict[int, Segment] = {
    _SYN: Segment.SYN,
    _SYN | _URG: Segment.SYN,
    _SYN | _ACK: Segment.SYN_ACK,
    _RST: Segment.RST,
    _RST | _ACK: Segment.RST,
    _FIN | _ACK: Segment.FIN,
    _FIN | _ACK | _URG: Segment.FIN,
    _ACK: Segment.ACK,
    _ACK | _URG: Segment.ACK,
}
SEGMENTS: tuple[Segment | None, ...] = tuple(_SEGMENTS.get(flags & _COUNTED) for flags in range(256))
"""TCP flags → the kind of segment, None for an invalid combination."""

_OPEN = (Tcp.SYN_RECEIVED, Tcp.ESTABLISHED, Tcp.FIN_WAIT, Tcp.CLOSE_WAIT, Tcp.LAST_ACK)
_ANY = tuple(state for state in Tcp if state is not Tcp.NONE)
_FINISHING: dict[Tcp, Tcp | Step] = {
    Tcp.SYN_RECEIVED: Tcp.FIN_WAIT,
    Tcp.ESTABLISHED: Tcp.FIN_WAIT,
    Tcp.FIN_WAIT: Tcp.LAST_ACK,
    Tcp.CLOSE_WAIT: Tcp.LAST_ACK,
    Tcp.LAST_ACK: Tcp.LAST_ACK,
    Tcp.TIME_WAIT: Tcp.TIME_WAIT,
    Tcp.CLOSED: Tcp.CLOSED,
}
_GOING_ON: dict[Tcp, Tcp | Step] = {
    Tcp.ESTABLISHED: Tcp.ESTABLISHED,
    Tcp.FIN_WAIT: Tcp.CLOSE_WAIT,
    Tcp.CLOSE_WAIT: Tcp.CLOSE_WAIT,
    Tcp.LAST_ACK: Tcp.TIME_WAIT,
    Tcp.TIME_WAIT: Tcp.TIME_WAIT,
    Tcp.CLOSED: Tcp.CLOSED,
}
_RESET: dict[Tcp, Tcp | Step] = dict.fromkeys(_ANY, Tcp.CLOSED)

ORIGINAL: dict[Segment, dict[Tcp, Tcp | Step]] = {
    Segment.SYN: {
        Tcp.NONE: Tcp.SYN_SENT,
        Tcp.SYN_SENT: Tcp.SYN_SENT,
        Tcp.BOTH_SYN_SENT: Tcp.BOTH_SYN_SENT,
        **dict.fromkeys(_OPEN, Step.KEEP),
        Tcp.TIME_WAIT: Step.REOPEN,
        Tcp.CLOSED: Step.REOPEN,
    },
    # From the initiator it is legal only when both sides opened at once (RFC 9293 3.5, figure 8).
    Segment.SYN_ACK: {Tcp.SYN_RECEIVED: Tcp.SYN_RECEIVED, Tcp.BOTH_SYN_SENT: Tcp.SYN_RECEIVED},
    Segment.FIN: _FINISHING,
    Segment.ACK: {**_GOING_ON, Tcp.SYN_RECEIVED: Tcp.ESTABLISHED},
    Segment.RST: _RESET,
}
"""Segments of the side that opened the connection: state → next."""

REPLY: dict[Segment, dict[Tcp, Tcp | Step]] = {
    Segment.SYN: {
        Tcp.SYN_SENT: Tcp.BOTH_SYN_SENT,
        Tcp.BOTH_SYN_SENT: Tcp.BOTH_SYN_SENT,
        Tcp.TIME_WAIT: Step.REOPEN,
    },
    Segment.SYN_ACK: {
        Tcp.SYN_SENT: Tcp.SYN_RECEIVED,
        Tcp.BOTH_SYN_SENT: Tcp.SYN_RECEIVED,
        **dict.fromkeys((*_OPEN, Tcp.TIME_WAIT, Tcp.CLOSED), Step.KEEP),
    },
    Segment.FIN: _FINISHING,
    # An acknowledgement in place of a SYN-ACK comes from a half-open peer; the reset that follows ends it.
    Segment.ACK: {
        **_GOING_ON,
        Tcp.SYN_SENT: Step.KEEP,
        Tcp.BOTH_SYN_SENT: Step.KEEP,
        Tcp.SYN_RECEIVED: Tcp.SYN_RECEIVED,
    },
    Segment.RST: _RESET,
}
"""Segments of the side that answers."""


def _rows(table: dict[Segment, dict[Tcp, Tcp | Step]]) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(int(table[segment].get(state, Step.INVALID)) for state in Tcp) for segment in Segment)


STEPS = (_rows(ORIGINAL), _rows(REPLY))
"""The two tables as `STEPS[is_reply][segment][state]`; `exceptional_step` says where they are not all."""


def exceptional_step(step: int, *, segment: int, state: int, reply: bool, last: int, finished: bool) -> int:
    """Return the next step where it hangs on more than the state; `step` anywhere else.

    `last` is what the opening side sent, if nothing came after it; `finished` whether a side has closed.
    """
    if step == Step.REOPEN and state == Tcp.CLOSED and not finished and last != Last.RST:
        # Only the side that reset may begin anew at once. The other's SYN may be an old one.
        return Step.KEEP
    if not reply or last not in (Last.SYN, Last.CHALLENGED):
        return step
    if step == Step.KEEP and segment == Segment.SYN_ACK:
        # The peer took the SYN that we had taken for an old one: the connection begins again.
        return Tcp.SYN_RECEIVED
    if segment == Segment.ACK and state == Tcp.LAST_ACK and last == Last.SYN:
        # RFC 5961 4.2: it challenges that SYN, it does not acknowledge the FIN.
        return Step.KEEP
    return step


TCP_SECONDS: dict[Tcp, int] = {
    Tcp.NONE: 0,
    Tcp.SYN_SENT: 120,
    Tcp.SYN_RECEIVED: 60,
    Tcp.ESTABLISHED: 432_000,
    Tcp.FIN_WAIT: 120,
    Tcp.CLOSE_WAIT: 60,
    Tcp.LAST_ACK: 30,
    Tcp.TIME_WAIT: 120,
    Tcp.CLOSED: 10,
    Tcp.BOTH_SYN_SENT: 120,
}
"""How long a connection in this state may stay silent: the kernel's defaults."""

# protocol → seconds of silence before and after an answer was seen
_UDP, _ICMP, _ICMP6, _GRE, _SCTP = 17, 1, 58, 47, 132
SECONDS: dict[int, tuple[int, int]] = {
    _UDP: (30, 120),
    _ICMP: (30, 30),
    _ICMP6: (30, 30),
    _GRE: (30, 180),
    _SCTP: (10, 210),
}
GENERIC_SECONDS = (600, 600)
UDP_STREAM_SECONDS = 2
"""Only a UDP exchange older than this counts as a stream and gets the longer time-out."""

FRAGMENT_SECONDS = 30
"""How long the rest of a datagram may take (the kernel's `ipfrag_time`)."""
