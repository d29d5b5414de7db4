"""Packets in, verdicts out: the engine's own part between tracking and the policy."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

import pytest
from scapy.all import ICMP, IP, TCP, UDP, Dot1Q, Ether, IPv6, Raw

from gateway.filter.engine import (
    CHECKSUM_IGNORED,
    FRAGMENT,
    GATEWAY_ANSWER,
    ORPHAN_FRAGMENT,
    OUTBOUND_COPY,
    TRUNCATED,
    VLAN_TAG,
    ZONE_INFERRED,
    PacketBatch,
)
from gateway.filter.engines import engine_by_name, engines
from gateway.filter.frames import Frame, Unparsed
from gateway.filter.reference import ReferenceEngine
from gateway.filter.track import Tracker
from zones.errors import BackendError
from zones.verdict import Outcome, Reason, State, Verdict

if TYPE_CHECKING:
    from scapy.packet import Packet

    from zones.model import Policy

RENKEI_MAC = "02:00:0a:0a:05:0a"
NANO = 1_000_000_000


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp()) * NANO


TUESDAY = at("2026-10-06T10:00:00+09:00")


class Answer(NamedTuple):
    frame: Frame | Unparsed
    verdict: Verdict | None
    connection: int
    marks: int

    def __str__(self) -> str:
        v = self.verdict
        return f"{v.outcome} {v.reason} {v.decided_by} {v.state}" if v else f"- {self.frame} {self.marks}"


class Bench:
    """An engine and a clock; `see` asks for one packet."""

    def __init__(self, engine: ReferenceEngine) -> None:
        self.engine = engine
        self.now = TUESDAY

    def see(
        self,
        packet: Packet | bytes,
        ingress: str | None = None,
        *,
        linktype: int = 1,
        outbound: bool = False,
        wire: int | None = None,
    ) -> Answer:
        data = bytes(packet)
        length = len(data) if wire is None else wire
        batch = PacketBatch([linktype], [data], [length], [self.now], [ingress], [outbound])
        columns = self.engine.judge_batch(batch)
        assert {len(column) for column in columns} == {1}
        return Answer(*(column[0] for column in columns))  # type: ignore[arg-type]

    def outcome(self, packet: Packet, ingress: str | None = None, **options: bool) -> str:
        return str(self.see(packet, ingress, **options))


@pytest.fixture
def bench(city: Policy) -> Bench:
    return Bench(ReferenceEngine(city))


def tcp(  # noqa: PLR0917  in the order they are spoken of
    src: str, dst: str, flags: str, sport: int = 4000, dport: int = 443, mac: str = RENKEI_MAC
) -> Packet:
    return Ether(src=mac) / IP(src=src, dst=dst) / TCP(sport=sport, dport=dport, flags=flags)


LG, WEB, RENKEI, ASP, MX, MAIL = (
    "10.20.0.9",
    "198.51.100.10",
    "10.10.5.10",
    "10.20.200.5",
    "10.30.5.25",
    "10.20.5.25",
)


def test_a_connection_is_admitted_by_its_flow_and_answered_by_it(bench: Bench) -> None:
    first = bench.see(tcp(LG, WEB, "S"), "lgwan")
    answer = bench.see(tcp(WEB, LG, "SA", 443, 4000), "outside")

    assert str(first) == "allow flow F020 new"
    assert str(answer) == "allow flow F020 established"
    assert first.connection == answer.connection == 1
    assert answer.verdict is not None
    assert (answer.verdict.source_zone, answer.verdict.destination_zone) == ("outside", "lgwan")


def test_a_denied_packet_leaves_no_connection(bench: Bench) -> None:
    assert bench.outcome(tcp(LG, WEB, "S", dport=22), "lgwan") == "deny default-deny None new"
    answer = bench.see(tcp(WEB, LG, "SA", 22, 4000), "outside")

    assert str(answer) == "deny invalid-state None invalid"
    assert (answer.connection, answer.marks) == (0, 0)


def test_a_guard_wins_over_state(bench: Bench) -> None:
    assert bench.outcome(tcp(RENKEI, WEB, "S"), "mynumber") == "deny guard G1 new"
    assert bench.outcome(tcp(RENKEI, WEB, "A"), "mynumber") == "deny guard G1 invalid"


def test_a_forged_reset_does_not_end_a_connection(bench: Bench) -> None:
    bench.see(tcp(LG, WEB, "S"), "lgwan")
    bench.see(tcp(WEB, LG, "SA", 443, 4000), "outside")

    assert bench.outcome(tcp(WEB, LG, "R", 443, 4000), "internet") == "deny spoofed-source None new"
    assert bench.outcome(tcp(LG, WEB, "A"), "lgwan") == "allow flow F020 established"
    assert bench.outcome(tcp(LG, WEB, "A"), "internet") == "deny spoofed-source None new"


def test_a_fixed_mac_counts_on_a_known_interface_only(bench: Bench) -> None:
    other = "02:00:00:00:00:99"

    assert bench.outcome(tcp(RENKEI, ASP, "S", mac=other), "mynumber") == "deny spoofed-source None new"
    assert bench.outcome(tcp(RENKEI, ASP, "S"), "mynumber") == "allow flow F012 new"
    assert bench.outcome(tcp(ASP, RENKEI, "SA", 443, 4000), "lgwan") == "allow flow F012 established"
    assert bench.outcome(tcp(RENKEI, ASP, "A"), "mynumber") == "allow flow F012 established"
    assert bench.outcome(tcp(RENKEI, ASP, "A", mac=other), "mynumber") == "deny spoofed-source None new"
    inferred = bench.see(tcp(RENKEI, ASP, "A", mac=other))
    assert str(inferred) == "allow flow F012 established"
    assert inferred.marks == ZONE_INFERRED


def test_without_an_interface_the_verdict_is_marked(bench: Bench) -> None:
    seen = bench.see(tcp(LG, WEB, "S"))

    assert seen.marks == ZONE_INFERRED
    assert seen.verdict is not None
    assert seen.verdict.zone_inferred


def test_expiry_and_hours_end_established_connections_on_the_clock_of_the_capture(bench: Bench) -> None:
    bench.now = at("2027-03-31T23:59:50+09:00")
    for packet, zone in ((tcp(RENKEI, ASP, "S"), "mynumber"), (tcp(ASP, RENKEI, "SA", 443, 4000), "lgwan")):
        bench.see(packet, zone)
    assert bench.outcome(tcp(RENKEI, ASP, "A"), "mynumber") == "allow flow F012 established"
    bench.now = at("2027-04-01T00:00:00+09:00")
    assert bench.outcome(tcp(RENKEI, ASP, "A"), "mynumber") == "deny expired F012 established"

    bench.now = at("2026-10-06T16:59:59+09:00")
    bench.see(tcp(LG, RENKEI, "S"), "lgwan")
    assert bench.outcome(tcp(RENKEI, LG, "SA", 443, 4000), "mynumber") == "allow flow F030 established"
    bench.now = at("2026-10-06T17:00:00+09:00")
    assert bench.outcome(tcp(LG, RENKEI, "A"), "lgwan") == "deny outside-hours F030 established"


def test_a_fixed_now_judges_every_packet_by_that_day(city: Policy) -> None:
    bench = Bench(ReferenceEngine(city, now=at("2030-01-01T00:00:00+09:00") / NANO))

    assert bench.outcome(tcp(RENKEI, ASP, "S"), "mynumber") == "deny expired F012 new"


def test_a_closed_connection_that_reopens_is_decided_and_tracked_anew(bench: Bench) -> None:
    trace = [
        (tcp(LG, WEB, "S"), "lgwan"),
        (tcp(LG, WEB, "S"), "lgwan"),
        (tcp(WEB, LG, "SA", 443, 4000), "outside"),
    ]
    trace += [(tcp(LG, WEB, "A"), "lgwan"), (tcp(LG, WEB, "R"), "lgwan")]
    numbers = [bench.see(packet, zone).connection for packet, zone in trace]
    bench.now += NANO

    again = bench.see(tcp(LG, WEB, "S"), "lgwan")
    assert set(numbers) == {1}
    assert (str(again), again.connection) == ("allow flow F020 new", 2)


def test_an_error_about_an_admitted_packet_is_related_to_its_flow(bench: Bench) -> None:
    bench.see(tcp(LG, WEB, "S"), "lgwan")
    about = IP(src=LG, dst=WEB) / TCP(sport=4000, dport=443)
    error = Ether() / IP(src="198.51.100.1", dst=LG) / ICMP(type=3, code=1) / about
    redirect = Ether() / IP(src="198.51.100.1", dst=LG) / ICMP(type=5, code=1) / about

    assert bench.outcome(error, "outside") == "allow flow F020 related"
    assert bench.outcome(redirect, "outside") == "deny invalid-state None invalid"


@pytest.mark.parametrize(("sender", "zone"), [("10.10.16.11", "mynumber"), ("10.30.5.25", "internet")])
def test_an_error_from_another_zone_than_the_far_end_is_made_up(bench: Bench, sender: str, zone: str) -> None:
    bench.see(tcp(LG, WEB, "S"), "lgwan")
    about = IP(src=LG, dst=WEB) / TCP(sport=4000, dport=443) / (b"carried past the guards" * 40)
    error = Ether() / IP(src=sender, dst=LG) / ICMP(type=3, code=1) / about

    assert bench.outcome(error, zone) == "deny invalid-state None invalid"


def test_a_redirected_connection_is_followed_and_the_gateways_part_of_it_is_not_judged(bench: Bench) -> None:
    def mail(flags: str) -> Packet:
        return tcp(MX, MAIL, flags, 4000, 25)

    def answer(flags: str) -> Packet:
        return tcp(MAIL, MX, flags, 25, 4000)

    assert bench.outcome(mail("S"), "internet") == "sanitize:mail flow F040 new"
    ours = bench.see(answer("SA"), "internet", outbound=True)
    assert (ours.verdict, ours.marks, ours.connection) == (None, GATEWAY_ANSWER, 1)
    assert bench.outcome(mail("A"), "internet") == "sanitize:mail flow F040 established"


def test_a_redirected_connection_is_followed_where_only_what_came_in_was_recorded(bench: Bench) -> None:
    bench.see(tcp(MX, MAIL, "S", 4000, 25), "internet")

    assert bench.outcome(tcp(MX, MAIL, "A", 4000, 25), "internet") == "sanitize:mail flow F040 established"


def test_the_gateways_delivery_is_followed_under_the_flow_it_serves(bench: Bench) -> None:
    own = "10.20.255.254"
    opening = bench.outcome(tcp(own, MAIL, "S", 5000, 25), "lgwan", outbound=True)
    elsewhere = bench.outcome(tcp(own, MAIL, "S", 5001, 22), "lgwan", outbound=True)

    assert opening == "allow flow F040 new"
    assert elsewhere == "deny default-deny None new"
    assert bench.outcome(tcp(MAIL, own, "SA", 25, 5000), "lgwan") == "allow flow F040 established"
    assert bench.outcome(tcp(MAIL, own, "SA", 22, 5001), "lgwan") == "deny invalid-state None invalid"


def test_a_copy_on_its_way_out_is_not_judged_twice(bench: Bench) -> None:
    copy = bench.see(tcp(LG, WEB, "S"), "outside", outbound=True)

    assert (copy.verdict, copy.marks) == (None, OUTBOUND_COPY)
    assert str(bench.see(tcp(LG, WEB, "S"), outbound=True)) == "allow flow F020 new", "no interface: judged"


def fragments(size: int = 32) -> list[Packet]:
    whole = bytes(UDP(sport=5000, dport=53, len=8 + 3 * size) / Raw(bytes(3 * size)))
    parts = [whole[start : start + size] for start in range(0, len(whole), size)]
    return [
        Ether()
        / IP(
            src=LG,
            dst=WEB,
            id=7,
            proto=17,
            frag=number * size // 8,
            flags="MF" if part is not parts[-1] else 0,
        )
        / Raw(part)
        for number, part in enumerate(parts)
    ]


def test_later_fragments_follow_the_first(bench: Bench) -> None:
    seen = [bench.see(part, "lgwan") for part in fragments()]

    assert {str(answer) for answer in seen} == {"allow flow F020 new"}
    assert {answer.connection for answer in seen} == {1}
    assert {answer.marks for answer in seen} == {FRAGMENT}
    assert {answer.frame.dport for answer in seen if isinstance(answer.frame, Frame)} == {53}


def test_a_fragment_that_comes_alone_late_elsewhere_or_on_top_of_the_first_is_refused(bench: Bench) -> None:
    first, second, third, *_ = fragments()
    refused = "deny invalid-state None invalid"

    alone = bench.see(second, "lgwan")
    assert (str(alone), alone.marks) == (refused, FRAGMENT | ORPHAN_FRAGMENT)
    bench.see(first, "lgwan")
    overlap = second.copy()
    overlap[IP].frag = 1
    assert bench.outcome(overlap, "lgwan") == refused
    rewritten = first.copy()
    rewritten[Raw].load = bytes(UDP(sport=5000, dport=22, len=104))[:8] + bytes(24)
    assert bench.outcome(rewritten, "lgwan") == refused
    assert bench.see(second, None).marks & ORPHAN_FRAGMENT
    bench.now += 31 * NANO
    assert bench.outcome(third, "lgwan") == refused


def test_what_the_kernel_drops_is_denied_as_malformed_and_the_rest_is_left_open(bench: Bench) -> None:
    malformed = bench.see(Ether() / IP(ihl=4) / TCP(), "lgwan")
    unread = bench.see(Ether(type=0x0806) / Raw(bytes(40)), "lgwan")

    assert malformed.verdict is not None
    assert (malformed.verdict.outcome, malformed.verdict.reason) == (Outcome.DENY, Reason.MALFORMED)
    assert malformed.frame is Unparsed.BAD_IHL
    assert (unread.frame, unread.verdict) == (Unparsed.ARP, None)


@pytest.mark.parametrize(
    ("checksum", "ingress", "ignore", "judged"),
    [(0, None, False, True), (0, "lgwan", False, False), (5, None, False, False), (5, "lgwan", True, True)],
)
def test_a_wrong_header_checksum(
    city: Policy, checksum: int, ingress: str | None, ignore: bool, judged: bool
) -> None:
    bench = Bench(ReferenceEngine(city, ignore_checksums=ignore))
    seen = bench.see(Ether() / IP(src=LG, dst=WEB, chksum=checksum) / TCP(sport=4000, dport=443), ingress)

    if judged:
        assert str(seen) == "allow flow F020 new"
        assert seen.marks & CHECKSUM_IGNORED
    else:
        assert seen.frame is Unparsed.BAD_CHECKSUM


def test_marks_for_cut_and_tagged_packets(bench: Bench) -> None:
    data = bytes(tcp(LG, WEB, "S") / Raw(bytes(100)))

    assert bench.see(data[:60], "lgwan", wire=len(data)).marks == TRUNCATED
    tagged = Ether() / Dot1Q(vlan=5) / IP(src=LG, dst=WEB) / TCP(sport=4001, dport=443)
    assert bench.see(tagged, "lgwan").marks == VLAN_TAG


def test_ipv6_is_judged_by_the_same_flows(bench: Bench) -> None:
    packet = Ether() / IPv6(src="2001:db8:20::5", dst="2001:db8:ffff::1") / TCP(sport=4000, dport=443)

    assert bench.outcome(packet, "lgwan") == "allow flow F020 new"


def test_a_full_table_refuses_with_a_reason(city: Policy) -> None:
    bench = Bench(ReferenceEngine(city, tracker=Tracker(max_connections=1)))
    for packet, zone in (
        (tcp(LG, WEB, "S"), "lgwan"),
        (tcp(WEB, LG, "SA", 443, 4000), "outside"),
        (tcp(LG, WEB, "A"), "lgwan"),
    ):
        bench.see(packet, zone)

    assert bench.outcome(tcp(LG, WEB, "S", 4001), "lgwan") == "deny limit F020 new"


def test_engines_are_chosen_by_name_and_never_fall_back(city: Policy) -> None:
    for name in engines():
        assert engine_by_name(name, city).name == name
    with pytest.raises(BackendError) as caught:
        engine_by_name("fpga", city)
    assert caught.value.exit_code == 3


def test_without_the_core_the_native_engine_is_refused(city: Policy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.filter.engines.find_spec", lambda _name: None)

    assert engines() == ("reference",)
    with pytest.raises(BackendError) as caught:
        engine_by_name("native", city)
    assert caught.value.params["engines"] == "reference"


def test_states_are_those_of_the_verdict(bench: Bench) -> None:
    seen = bench.see(tcp(LG, WEB, "SF"), "lgwan")

    assert seen.verdict is not None
    assert seen.verdict.state is State.INVALID
