"""The tracker in Python and the one in C give the same answer to every packet, whatever went before."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.filter.datagrams import Datagrams
from gateway.filter.frames import FIRST_FRAGMENT, LATER_FRAGMENT, Frame, reverse_key
from gateway.filter.states import NANO
from gateway.filter.track import Tracker
from zones.verdict import ICMP, ICMP6, SCTP, TCP, UDP, Outcome, Reason, State, Verdict

if TYPE_CHECKING:
    from gateway.filter.track import Entry

_native = pytest.importorskip("gateway.filter._native", reason="the C core was not built")
ffi, lib = _native.ffi, _native.lib
STATES = list(State)
GRE, NO_NEXT_HEADER = 47, 59
HALF = (1 << 64) - 1
START = 1_700_000_000 * NANO


# --- packets -----------------------------------------------------------------------------------------------


def key_bytes(version: int, src: int, dst: int, tail: int, protocol: int) -> bytes:
    size = 4 if version == 4 else 16
    return b"%b%b%b%c" % (src.to_bytes(size), dst.to_bytes(size), tail.to_bytes(4), protocol)


def fill_key(into: Any, key: bytes) -> None:
    size = (len(key) - 5) // 2
    src, dst = int.from_bytes(key[:size]), int.from_bytes(key[size : 2 * size])
    into.src_hi, into.src_lo, into.dst_hi, into.dst_lo = src >> 64, src & HALF, dst >> 64, dst & HALF
    into.tail = int.from_bytes(key[2 * size : -1])
    into.protocol, into.version = key[-1], 4 if size == 4 else 6


def in_c(frame: Frame) -> Any:
    made = ffi.new("struct mg_frame *")
    fill_key(made.key, frame.key)
    made.control, made.fragment, made.ident = frame.control, frame.fragment, frame.ident
    made.sport, made.dport, made.offset, made.payload = frame.sport, frame.dport, frame.offset, frame.payload
    if frame.quoted is not None:
        made.quotes = 1
        fill_key(made.quoted, frame.quoted)
    return made


ENDS = {4: (0x0A000001, 0x0A000002, 0xC6336409), 6: (1 << 96 | 5, 2 << 96 | 3, 0x0A000001)}
PROTOCOLS = st.sampled_from([TCP] * 8 + [UDP] * 3 + [ICMP, ICMP6, GRE, SCTP, NO_NEXT_HEADER, 250])
FLAGS = st.sampled_from([0x02, 0x12, 0x10, 0x18, 0x11, 0x04, 0x14]) | st.integers(0, 255)
TYPES = st.sampled_from([8, 0, 13, 14, 17, 3, 128, 129, 139, 1, 255])


@st.composite
def frames(draw: st.DrawFn) -> Frame:
    version = draw(st.sampled_from([4, 4, 6]))
    src, dst = (draw(st.sampled_from(ENDS[version])) for _ in range(2))
    protocol, control = draw(PROTOCOLS), 0
    sport = dport = tail = 0
    if protocol in (TCP, UDP, SCTP):
        sport, dport = (draw(st.sampled_from([53, 443])) for _ in range(2))
        tail = sport << 16 | dport
        control = draw(FLAGS) if protocol == TCP else draw(st.sampled_from([0, 1, 2]))
    elif protocol in (ICMP, ICMP6):
        dport = draw(TYPES)
        tail = draw(st.integers(1, 2)) << 16 | dport << 8
    key = key_bytes(version, src, dst, tail, protocol)
    return Frame(version, src, dst, protocol, sport, dport, key, control)


@st.composite
def errors(draw: st.DrawFn) -> Frame:
    about = draw(frames())
    far = draw(st.sampled_from(ENDS[about.version]))
    to = draw(st.sampled_from([about.src, about.src, far]))
    protocol = ICMP if about.version == 4 else ICMP6
    key = key_bytes(about.version, far, to, 3 << 8, protocol)
    quoted = about.key if draw(st.booleans()) else reverse_key(about.key)
    return Frame(about.version, far, to, protocol, 0, 3, key, quoted=quoted)


PAUSES = st.sampled_from([0] * 6 + [1, NANO, 2 * NANO, 2 * NANO + 1, 30 * NANO - 1, 30 * NANO, 10 * NANO])
JUMPS = st.sampled_from([60 * NANO, 120 * NANO, 432_000 * NANO, -NANO, -50 * NANO, -500_000 * NANO])
TIMES = PAUSES | JUMPS


# --- both trackers -----------------------------------------------------------------------------------------


class Pair:
    """The same packets for both; every answer is compared, and all that can be seen afterwards."""

    def __init__(self, limit: int, secret: bytes = bytes(range(16))) -> None:
        self.oracle = Tracker(max_connections=limit)
        self.core = ffi.gc(lib.mg_tracker_new(limit, secret), lib.mg_tracker_free)
        self.limit = limit
        self.found = ffi.new("struct mg_entry **")

    def see(self, frame: Frame, now: int, *, admit: bool = True, local: bool = False) -> State:
        packet = in_c(frame)
        number = lib.mg_tracker_hash(self.core, ffi.addressof(packet, "key"))
        known = self.oracle.find(frame.key, now)
        entry = lib.mg_track_find(self.core, ffi.addressof(packet, "key"), number, now)
        self.same(known, entry)
        state, known = self.oracle.advance(known, frame, now)
        assert STATES[lib.mg_track_advance(self.core, entry, packet, now, self.found)] is state
        self.same(known, self.found[0])
        if state is State.NEW and known is None and admit:
            flow = now % 1000
            known = self.oracle.admit(frame, now, str(flow), local=local)
            entry = lib.mg_track_admit(self.core, packet, number, now, flow, local)
            self.same(known, entry)
            if known is not None:
                assert entry.memo[0].verdict == entry.memo[1].verdict == entry.memo[0].sender == 0
                entry.memo[0].verdict = entry.memo[1].verdict = entry.memo[0].sender = 1
        assert lib.mg_tracker_live(self.core) == len(self.oracle) <= self.limit
        assert lib.mg_tracker_evicted(self.core) == self.oracle.evicted
        return state

    @staticmethod
    def same(known: Entry | None, entry: Any) -> None:
        if known is None or entry == ffi.NULL:
            assert known is None
            assert entry == ffi.NULL
            return
        flags = (
            (lib.MG_ANSWERED, known.answered),
            (lib.MG_ASSURED, known.assured),
            (lib.MG_LOCAL, known.local),
        )
        flags += ((lib.MG_FINISHED, known.finished),)
        for bit, said in flags:
            assert bool(entry.flags & bit) is said
        assert (entry.number, str(entry.flow)) == (known.number, known.flow)
        assert (entry.state, entry.last) == (known.state, known.last)
        assert (entry.born_ns, entry.expires_ns) == (known.born, known.expires)


@given(
    limit=st.integers(1, 8),
    steps=st.lists(
        st.tuples(frames() | frames() | errors(), TIMES, st.booleans(), st.booleans()), max_size=80
    ),
)
def test_the_same_packets_have_the_same_state_entry_and_evictions(
    limit: int, steps: list[tuple[Frame, int, bool, bool]]
) -> None:
    pair, now = Pair(limit), START
    for frame, pause, refused, local in steps:
        now += pause
        pair.see(frame, now, admit=not refused or frame.protocol == TCP, local=local)


TALK = st.sampled_from([0x02, 0x02, 0x12, 0x10, 0x10, 0x11, 0x04])


@given(
    limit=st.integers(1, 8),
    steps=st.lists(st.tuples(st.integers(0, 5), st.booleans(), TALK, TIMES, st.booleans()), max_size=120),
)
def test_conversations_that_crowd_each_other_out_end_alike(
    limit: int, steps: list[tuple[int, bool, int, int, bool]]
) -> None:
    """Few ends and sane segments: many connections are established, finished and reopened."""
    pair, now = Pair(limit), START
    here, there = ENDS[4][:2]
    for port, answers, flags, pause, local in steps:
        now += pause
        src, dst, sport, dport = (there, here, 443, port) if answers else (here, there, port, 443)
        key = key_bytes(4, src, dst, sport << 16 | dport, TCP)
        pair.see(Frame(4, src, dst, TCP, sport, dport, key, flags), now, local=local)


def test_a_long_flood_ends_alike() -> None:
    """More connections than room, in and out of buckets, with answers, resets and pauses."""
    pair, now, chance = Pair(300), START, random.Random(4)
    seen = set()
    for _ in range(8000):
        now += chance.choice([0, NANO // 100, NANO // 20])
        port, answers = chance.randrange(1000), chance.random() < 0.5
        src, dst, sport, dport = 0x0A000000 + port, 0x0B000000, 1000 + port, 443
        if answers:
            src, dst, sport, dport = dst, src, dport, sport
        flags = chance.choice([0x02, 0x02, 0x02, 0x12, 0x10, 0x11, 0x04])
        key = key_bytes(4, src, dst, sport << 16 | dport, TCP)
        seen.add(pair.see(Frame(4, src, dst, TCP, sport, dport, key, flags), now))
    assert pair.oracle.evicted > 100
    assert seen == {State.NEW, State.ESTABLISHED, State.INVALID}


# --- fragments ---------------------------------------------------------------------------------------------

ALLOWED = Verdict(Outcome.ALLOW, Reason.FLOW)
ZONES = (None, "a", "b")


@st.composite
def fragments(draw: st.DrawFn) -> Frame:
    version = draw(st.sampled_from([4, 6]))
    src, dst = (draw(st.sampled_from(ENDS[version][:2])) for _ in range(2))
    protocol, ident = draw(st.sampled_from([TCP, UDP])), draw(st.integers(1, 3))
    first = draw(st.booleans())
    sport, dport = (draw(st.sampled_from([53, 443])) if first else 0 for _ in range(2))
    key = key_bytes(version, src, dst, sport << 16 | dport, protocol)
    offset = 0 if first else 8 * draw(st.integers(1, 4))
    return Frame(
        *(version, src, dst, protocol, sport, dport, key),
        ident=ident,
        fragment=FIRST_FRAGMENT if first else LATER_FRAGMENT,
        offset=offset,
        payload=8 * draw(st.integers(1, 3)),
    )


@given(
    limit=st.integers(1, 6),
    steps=st.lists(st.tuples(fragments(), st.integers(0, 2), TIMES), max_size=60),
)
def test_fragments_follow_the_same_first_one(limit: int, steps: list[tuple[Frame, int, int]]) -> None:
    oracle, now = Datagrams(max_datagrams=limit), START
    core = ffi.gc(lib.mg_datagrams_new(limit, bytes(16)), lib.mg_datagrams_free)
    for number, (frame, zone, pause) in enumerate(steps, 1):
        now += pause
        packet = in_c(frame)
        known = oracle.find(frame, ZONES[zone], now)
        found = lib.mg_datagrams_find(core, packet, zone, now)
        assert (known is None) == (found == ffi.NULL)
        if known is not None:
            assert (found.connection, found.verdict) == (known.connection, known.connection + 7)
            assert (found.sport, found.dport) == (known.first.sport, known.first.dport)
        rewrites = oracle.rewrites(frame, ZONES[zone], now)
        assert lib.mg_datagrams_rewrites(core, packet, zone, now) == rewrites
        if frame.fragment == FIRST_FRAGMENT:
            oracle.remember(frame, ZONES[zone], now, ALLOWED, number)
            lib.mg_datagrams_remember(core, packet, zone, now, number + 7, number)
