"""Packets go by; the tracker tells new, established, related and invalid, as the kernel would."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from scapy.all import (
    GRE,
    ICMP,
    IP,
    SCTP,
    TCP,
    UDP,
    ICMPv6EchoReply,
    ICMPv6EchoRequest,
    IPv6,
    Raw,
    SCTPChunkInit,
)

from gateway.filter.frames import Frame
from gateway.filter.link import parse_frame
from gateway.filter.states import NANO, ORIGINAL, REPLY, SECONDS, SEGMENTS, TCP_SECONDS, Segment, Step, Tcp
from gateway.filter.track import LOOKS, Entry, Tracker
from zones.verdict import State

if TYPE_CHECKING:
    from scapy.packet import Packet

HERE, THERE = "10.20.0.1", "198.51.100.9"
NEW, ESTABLISHED, RELATED, INVALID = State.NEW, State.ESTABLISHED, State.RELATED, State.INVALID


def frame(packet: Packet) -> Frame:
    data = bytes(packet)
    found = parse_frame(101, data, len(data))
    assert isinstance(found, Frame), found
    return found


def go(flags: str, sport: int = 4000) -> Frame:
    return frame(IP(src=HERE, dst=THERE) / TCP(sport=sport, dport=443, flags=flags))


def back(flags: str, sport: int = 4000) -> Frame:
    return frame(IP(src=THERE, dst=HERE) / TCP(sport=443, dport=sport, flags=flags))


class Watch:
    """A tracker whose policy admits everything, and a clock."""

    def __init__(self, tracker: Tracker | None = None, *, local: bool = False) -> None:
        self.tracker = Tracker() if tracker is None else tracker
        self.now = 1000 * NANO
        self.local = local

    def see(self, packet: Frame) -> State:
        state, entry = self.tracker.advance(self.tracker.find(packet.key, self.now), packet, self.now)
        if state is NEW and entry is None:
            assert self.tracker.admit(packet, self.now, "F1", local=self.local) is not None
        return state

    def entry(self, packet: Frame) -> Entry | None:
        return self.tracker.find(packet.key, self.now)

    def open(self) -> Watch:
        assert [self.see(p) for p in (go("S"), back("SA"), go("A"))] == [NEW, ESTABLISHED, ESTABLISHED]
        return self


def test_a_connection_opens_talks_and_closes() -> None:
    watch = Watch().open()
    ends = [go("PA"), back("A"), back("FA"), go("A"), go("FA"), back("A")]

    assert {watch.see(packet) for packet in ends} == {ESTABLISHED}
    entry = watch.entry(go("A"))
    assert entry is not None
    assert entry.state == Tcp.TIME_WAIT


@pytest.mark.parametrize("flags", ["", "SF", "SR", "FR", "F", "FPU", "SFRPAU", "U", "P"])
def test_flags_no_sane_stack_sends_are_invalid_before_and_inside_a_connection(flags: str) -> None:
    assert Watch().see(go(flags)) is INVALID
    assert Watch().open().see(go(flags)) is INVALID
    assert Watch().open().see(back(flags)) is INVALID


@pytest.mark.parametrize("flags", ["A", "SA", "FA", "R", "RA", "PA"])
def test_nothing_but_a_syn_opens(flags: str) -> None:
    watch = Watch()

    assert watch.see(go(flags)) is INVALID
    assert len(watch.tracker) == 0


def test_an_acknowledgement_before_the_answer_is_invalid() -> None:
    watch = Watch()
    watch.see(go("S"))

    assert watch.see(go("A")) is INVALID


def test_a_repeated_syn_is_still_new_until_it_is_answered() -> None:
    watch = Watch()

    assert [watch.see(go("S")), watch.see(go("S"))] == [NEW, NEW]
    assert len(watch.tracker) == 1


def test_a_syn_inside_a_connection_passes_without_changing_it() -> None:
    watch = Watch().open()
    entry = watch.entry(go("A"))
    assert entry is not None
    until = entry.expires
    watch.now += 5 * NANO

    assert watch.see(go("S")) is ESTABLISHED
    assert (entry.state, entry.expires) == (Tcp.ESTABLISHED, until)
    assert watch.see(back("S")) is INVALID


def test_a_refused_connection_leaves_nothing() -> None:
    watch = Watch()
    watch.see(go("S"))

    assert watch.see(back("RA")) is ESTABLISHED
    assert len(watch.tracker) == 0
    assert watch.see(back("A")) is INVALID


def test_after_a_reset_only_a_new_syn_opens_again() -> None:
    watch = Watch().open()
    watch.see(go("R"))
    watch.now += NANO

    first = watch.entry(go("A"))
    assert watch.see(go("S")) is NEW
    second = watch.entry(go("A"))
    assert first is not None
    assert second is not None
    assert second.number != first.number


def test_a_syn_after_the_others_reset_may_be_an_old_one_until_it_is_answered() -> None:
    watch = Watch().open()
    watch.see(back("R"))
    entry = watch.entry(go("A"))
    assert entry is not None

    assert watch.see(go("S")) is ESTABLISHED
    assert (entry.state, watch.entry(go("A"))) == (Tcp.CLOSED, entry)
    assert watch.see(back("SA")) is ESTABLISHED
    assert entry.state == Tcp.SYN_RECEIVED


def test_a_challenge_does_not_acknowledge_the_last_fin() -> None:
    watch = Watch().open()
    for packet in (go("FA"), back("A"), back("FA"), go("S")):
        watch.see(packet)
    entry = watch.entry(go("A"))
    assert entry is not None

    watch.see(back("A"))
    assert entry.state == Tcp.LAST_ACK
    watch.see(back("A"))
    assert entry.state == Tcp.TIME_WAIT


def test_both_ends_may_open_at_once() -> None:
    watch = Watch()

    states = [watch.see(p) for p in (go("S"), back("S"), go("SA"), back("SA"), go("A"))]
    assert states == [NEW, ESTABLISHED, ESTABLISHED, ESTABLISHED, ESTABLISHED]
    entry = watch.entry(go("A"))
    assert entry is not None
    assert entry.state == Tcp.ESTABLISHED


@pytest.mark.parametrize(
    ("before", "seconds"),
    [
        ([go("S")], TCP_SECONDS[Tcp.SYN_SENT]),
        ([go("S"), back("SA")], TCP_SECONDS[Tcp.SYN_RECEIVED]),
        ([go("S"), back("SA"), go("A")], TCP_SECONDS[Tcp.ESTABLISHED]),
        ([go("S"), back("SA"), go("A"), go("FA")], TCP_SECONDS[Tcp.FIN_WAIT]),
        ([go("S"), back("SA"), go("A"), back("R")], TCP_SECONDS[Tcp.CLOSED]),
    ],
)
def test_each_state_times_out_on_its_own(before: list[Frame], seconds: int) -> None:
    watch = Watch()
    for packet in before:
        watch.see(packet)

    watch.now += seconds * NANO - 1
    assert watch.entry(go("A")) is not None
    watch.now += 1
    assert watch.entry(go("A")) is None
    assert watch.see(back("A")) is INVALID


def datagram(src: str, dst: str, sport: int, dport: int) -> Frame:
    return frame(IP(src=src, dst=dst) / UDP(sport=sport, dport=dport))


def test_udp_is_established_by_its_answer_and_lasts_longer_as_a_stream() -> None:
    watch = Watch()
    ask, answer = datagram(HERE, THERE, 5000, 53), datagram(THERE, HERE, 53, 5000)
    before, after = SECONDS[17]

    assert [watch.see(ask), watch.see(ask), watch.see(answer), watch.see(ask)] == [
        NEW,
        NEW,
        ESTABLISHED,
        ESTABLISHED,
    ]
    watch.now += before * NANO
    assert watch.see(answer) is NEW, "a short exchange is over: the other side would open one of its own"

    watch = Watch()
    for packet in (ask, answer):
        watch.see(packet)
    watch.now += 5 * NANO
    watch.see(ask)
    watch.now += after * NANO - 1
    assert watch.see(answer) is ESTABLISHED


def echo(src: str, dst: str, kind: int, ident: int) -> Frame:
    return frame(IP(src=src, dst=dst) / ICMP(type=kind, id=ident))


def test_an_echo_is_answered_by_its_own_id_only() -> None:
    watch = Watch()

    assert watch.see(echo(HERE, THERE, 8, 5)) is NEW
    assert watch.see(echo(THERE, HERE, 0, 6)) is INVALID
    assert watch.see(echo(THERE, HERE, 0, 5)) is ESTABLISHED
    assert watch.see(echo(THERE, HERE, 8, 5)) is NEW


def test_the_same_holds_for_ipv6() -> None:
    watch = Watch()
    ends, back_ends = IPv6(src="2001:db8::1", dst="2001:db8::2"), IPv6(src="2001:db8::2", dst="2001:db8::1")

    assert watch.see(frame(ends / ICMPv6EchoRequest(id=3))) is NEW
    assert watch.see(frame(back_ends / ICMPv6EchoReply(id=4))) is INVALID
    assert watch.see(frame(back_ends / ICMPv6EchoReply(id=3))) is ESTABLISHED


@pytest.mark.parametrize("kind", [0, 3, 5, 9, 10, 14, 16, 40])
def test_icmp_that_asks_nothing_opens_nothing(kind: int) -> None:
    assert Watch().see(frame(IP(src=HERE, dst=THERE) / ICMP(type=kind) / Raw(bytes(40)))) is INVALID


def report(to: str, about: Packet, source: str = "198.51.100.1", kind: int = 3) -> Frame:
    return frame(IP(src=source, dst=to) / ICMP(type=kind, code=1) / about)


def test_an_error_about_a_connection_is_related_to_it_in_both_directions() -> None:
    watch = Watch().open()
    sent = IP(src=HERE, dst=THERE) / TCP(sport=4000, dport=443)
    answered = IP(src=THERE, dst=HERE) / TCP(sport=443, dport=4000)

    assert watch.see(report(HERE, sent)) is RELATED
    assert watch.see(report(THERE, answered, source="10.20.0.254")) is RELATED


def test_an_error_that_is_not_for_the_sender_or_about_a_stranger_is_invalid() -> None:
    watch = Watch().open()
    sent = IP(src=HERE, dst=THERE) / TCP(sport=4000, dport=443)
    stranger = IP(src=HERE, dst=THERE) / TCP(sport=4001, dport=443)

    assert watch.see(report("10.20.0.77", sent)) is INVALID
    assert watch.see(report(HERE, stranger)) is INVALID
    assert watch.see(report(HERE, sent, kind=5)) is INVALID, "a redirect changes routes: never related"


def test_an_error_does_not_keep_a_connection_alive() -> None:
    watch = Watch()
    watch.see(go("S"))
    watch.now += TCP_SECONDS[Tcp.SYN_SENT] * NANO - 1
    watch.see(report(HERE, IP(src=HERE, dst=THERE) / TCP(sport=4000, dport=443)))
    watch.now += 1

    assert watch.entry(go("S")) is None


def test_other_protocols_are_tracked_by_their_ends() -> None:
    watch = Watch()

    assert watch.see(frame(IP(src=HERE, dst=THERE) / GRE())) is NEW
    assert watch.see(frame(IP(src=THERE, dst=HERE) / GRE())) is ESTABLISHED


def test_sctp_opens_by_an_init_chunk_only() -> None:
    head = IP(src=HERE, dst=THERE) / SCTP(sport=1, dport=2)

    assert Watch().see(frame(head / Raw(b"\0\0\0\x10" + bytes(12)))) is INVALID
    assert Watch().see(frame(head / SCTPChunkInit())) is NEW


def test_ipv6_without_a_next_header_is_invalid() -> None:
    assert Watch().see(frame(IPv6(src="2001:db8::1", dst="2001:db8::2", nh=59))) is INVALID


def test_the_gateways_own_answer_is_presumed_where_it_cannot_be_seen() -> None:
    watch = Watch(local=True)

    assert [watch.see(p) for p in (go("S"), go("A"), go("PA"), go("FA"))] == [NEW] + [ESTABLISHED] * 3


def test_a_full_table_forgets_the_oldest_unanswered_and_keeps_what_is_established() -> None:
    watch = Watch(Tracker(max_connections=4)).open()
    for port in range(5000, 5010):
        watch.now += NANO
        assert watch.see(go("S", port)) is NEW

    assert len(watch.tracker) == 4
    assert watch.tracker.evicted == 7
    assert watch.see(go("PA")) is ESTABLISHED
    assert watch.see(back("SA", 5000)) is INVALID, "what was evicted is gone: its answer opens nothing"
    assert watch.see(back("SA", 5009)) is ESTABLISHED


def test_a_table_full_of_established_connections_takes_no_more() -> None:
    watch = Watch(Tracker(max_connections=3))
    for port in range(3):
        for packet in (go("S", 6000 + port), back("SA", 6000 + port), go("A", 6000 + port)):
            watch.see(packet)

    assert watch.tracker.admit(go("S", 7000), watch.now, "F1", local=False) is None
    watch.now += TCP_SECONDS[Tcp.ESTABLISHED] * NANO
    assert watch.tracker.admit(go("S", 7000), watch.now, "F1", local=False) is not None


def test_dead_connections_make_room_before_living_ones_a_few_looks_at_a_time() -> None:
    watch = Watch(Tracker(max_connections=3 * LOOKS))
    for port in range(3 * LOOKS):
        for packet in (go("S", 6000 + port), back("SA", 6000 + port), go("A", 6000 + port)):
            watch.see(packet)
        if port >= 2 * LOOKS:
            watch.see(back("R", 6000 + port))
    watch.now += TCP_SECONDS[Tcp.CLOSED] * NANO

    tries = [watch.tracker.admit(go("S", 7000), watch.now, "F1", local=False) for _ in range(3)]
    assert [entry is not None for entry in tries] == [False, False, True]
    assert len(watch.tracker) == 2 * LOOKS + 1
    assert watch.tracker.evicted == 0, "what had expired was not evicted"


def test_a_connection_that_is_admitted_again_replaces_the_first() -> None:
    watch = Watch(Tracker(max_connections=1))
    watch.see(go("S"))

    again = watch.tracker.admit(back("S"), watch.now, "F2", local=False)
    assert watch.entry(go("S")) is again
    assert (len(watch.tracker), watch.tracker.evicted) == (1, 0)


def test_every_flag_byte_and_state_has_one_defined_step() -> None:
    for table in (ORIGINAL, REPLY):
        assert set(table) == set(Segment)
        assert all(isinstance(step, (Tcp, Step)) for row in table.values() for step in row.values())
    valid = [flags for flags in range(256) if SEGMENTS[flags] is not None]
    assert len(valid) == 9 * 8, "nine combinations, whatever PSH, ECE and CWR say"
    # Only a SYN leads out of nothing; no answer ever does.
    assert [s for s in Segment if Tcp.NONE in ORIGINAL[s]] == [Segment.SYN]
    assert not any(Tcp.NONE in row for row in REPLY.values())
