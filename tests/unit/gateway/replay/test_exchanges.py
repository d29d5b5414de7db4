"""Exchanges and timeline: sums that stay right, whatever does not fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from scapy.all import IP, TCP, UDP, Ether

from gateway.filter.reference import ReferenceEngine
from gateway.replay.exchanges import NO_PORT, Ends, ExchangeRow, Exchanges
from gateway.replay.ingress import ZoneMap
from gateway.replay.lines import exchange_line
from gateway.replay.packets import Interface, Packet
from gateway.replay.replay import Replay
from gateway.replay.timeline import Timeline
from gateway.replay.views import by_host, by_pair, folded, top, unused_flows

if TYPE_CHECKING:
    from scapy.packet import Packet as Layers

    from gateway.replay.flows import FlowRecord
    from gateway.replay.records import PacketRecord
    from gateway.replay.summary import Summary
    from zones.model import Policy

NANO = 1_000_000_000
START = 1_791_000_000 * NANO
LG, OUT = Interface(1, 1, "lg0"), Interface(3, 1, "wan0")
HERE, THERE = "10.20.0.9", "198.51.100.10"


class Nothing:
    wants_packets = False

    def packet(self, record: PacketRecord, flow: FlowRecord | None) -> None:
        raise AssertionError("packets were not wanted")

    def flow(self, record: FlowRecord) -> None:
        assert record.answers <= record.packets


def seen(layers: Layers, interface: Interface, seconds: float = 0) -> Packet:
    data = bytes(Ether() / layers)
    return Packet(START + int(seconds * NANO), interface, len(data), data)


def tcp(src: str, dst: str, flags: str, sport: int, dport: int) -> Layers:
    return IP(src=src, dst=dst) / TCP(sport=sport, dport=dport, flags=flags)


def talk(sport: int = 4000, dport: int = 443) -> list[Packet]:
    return [
        seen(tcp(HERE, THERE, "S", sport, dport), LG),
        seen(tcp(THERE, HERE, "SA", dport, sport), OUT, 0.1),
        seen(tcp(HERE, THERE, "A", sport, dport), LG, 0.2),
    ]


def replayed(policy: Policy, packets: list[Packet]) -> Summary:
    replay = Replay(policy, ReferenceEngine(policy), ZoneMap(policy), Nothing())
    replay.read("x.pcap", packets)
    return replay.finish()


def test_connections_between_the_same_ends_for_the_same_service_are_one_exchange(city: Policy) -> None:
    summary = replayed(city, [*talk(4000), *talk(4001)])

    (row,) = summary.exchanges
    line = exchange_line(row)
    assert (line["src"], line["dst"], line["protocol"], line["port"]) == (HERE, THERE, "tcp", 443)
    assert (line["source_zone"], line["destination_zone"]) == ("lgwan", "outside")
    assert (line["packets"], line["answers"], line["flows"]) == (6, 2, 2)
    assert (line["outcome"], line["decided_by"], line["first_packet"]) == ("allow", "F020", "x.pcap:1")


def test_the_answer_to_a_refused_question_belongs_to_the_question(city: Policy) -> None:
    question = IP(src=HERE, dst=THERE) / UDP(sport=5000, dport=9)
    answer = IP(src=THERE, dst=HERE) / UDP(sport=9, dport=5000)
    summary = replayed(city, [seen(question, LG), seen(answer, OUT)])

    (row,) = summary.exchanges
    assert (row.ends.port, row.packets, row.answers) == (9, 2, 1)
    assert (row.ends.source_zone, row.ends.destination_zone) == ("lgwan", "outside")
    # The packets themselves went both ways, and are counted so.
    assert {(zones[0], zones[1]) for zones in summary.verdicts} == {
        ("lgwan", "outside"),
        ("outside", "lgwan"),
    }


def test_what_follows_a_refused_beginning_is_told_under_its_reason(city: Policy) -> None:
    summary = replayed(city, [seen(tcp(HERE, THERE, f, 4000, 22), LG) for f in ("S", "A", "PA")])

    assert sorted(row.ends.reason for row in summary.exchanges) == ["default-deny", "invalid-state"]
    (row,) = folded(summary.exchanges)
    assert (row.ends.reason, row.packets, row.flows) == ("default-deny", 3, 1)
    assert sum(row.packets for row in summary.exchanges) == 3, "the table itself is left alone"


def test_every_sum_of_a_full_table_stays_exact(city: Policy) -> None:
    packets = [seen(tcp(HERE, f"198.51.100.{n}", "S", 4000, 22), LG) for n in range(1, 41)]
    replay = Replay(city, ReferenceEngine(city), ZoneMap(city), Nothing())
    replay.summary.exchanges = Exchanges(max_rows=10)
    replay.read("x", packets)
    summary = replay.finish()

    assert len(summary.exchanges) == 10
    assert summary.exchanges.others == 30
    assert sum(row.packets for row in summary.exchanges) == summary.judged == 40
    *_, other = summary.exchanges
    assert exchange_line(other)["src"] is None
    assert (other.ends.source_zone, other.ends.reason) == ("lgwan", "default-deny")
    assert top(summary.exchanges)[-1].ends.other


def test_rows_added_in_bulk_give_what_packets_give(city: Policy) -> None:
    by_packet = replayed(city, talk()).exchanges
    bulk = Exchanges()
    (row,) = by_packet
    packets = talk()
    for answers, chosen in ((True, (1,)), (False, (0, 2))):
        size = sum(packets[n].wire_length for n in chosen)
        times = [packets[n].time_ns for n in chosen]
        first = f"x.pcap:{chosen[0] + 1}"
        sums = (len(chosen), size, int(not answers), times[0], times[-1], chosen[0], first)
        bulk.add_rows([ExchangeRow(row.ends, answers, *sums)])

    assert [exchange_line(r) for r in bulk] == [exchange_line(r) for r in by_packet]


def test_hosts_are_told_by_what_they_began_and_what_they_served(city: Policy) -> None:
    refused = [seen(tcp(HERE, THERE, "S", 4000, 22), LG)]
    hosts = {str(sums.host.address): sums for sums in by_host(replayed(city, [*talk(), *refused]).exchanges)}
    here, there = hosts[str(0x0A140009)], hosts[str(0xC633640A)]

    assert (here.flows, here.served, here.denied_from, here.denied_to, here.peers) == (2, 0, 1, 0, 1)
    assert (there.flows, there.served, there.denied_from, there.denied_to) == (0, 2, 0, 1)


def test_zone_pairs_are_those_of_who_began(city: Policy) -> None:
    pairs = by_pair(replayed(city, talk()).exchanges)

    assert list(pairs) == [("lgwan", "outside")]
    assert (pairs["lgwan", "outside"].packets, pairs["lgwan", "outside"].denied) == (3, 0)


def test_flows_of_the_policy_that_decided_nothing_are_unused(city: Policy) -> None:
    unused = {flow.id for flow in unused_flows(city, replayed(city, talk()))}

    assert "F020" not in unused
    assert unused
    assert unused < {flow.id for flow in city.flows}


def ends(**changed: object) -> Ends:
    plain = Ends("a", "b", 4, 1, 2, 6, 80, "allow", "flow", "F1")
    return plain._replace(**changed)  # type: ignore[arg-type]


def test_bulk_rows_of_the_same_ends_add_up() -> None:
    table = Exchanges(max_rows=1)
    table.add_rows(
        ExchangeRow(ends(), n % 2 == 1, 1, 10, n == 3, 97 + n, 103 - n, n, f"x:{n}") for n in (3, 2, 1, 0)
    )
    table.add_rows([ExchangeRow(ends(src=9), False, 7, 70, 1, 5, 6, 9, "x:9")])
    first, other = table

    assert (first.packets, first.answers, first.flows) == (4, 2, 1)
    assert (first.first_ns, first.last_ns, first.first) == (97, 103, "x:0")
    assert (other.ends.other, other.packets, other.ends.port) == (True, 7, NO_PORT)


@pytest.mark.parametrize("step", [1, 7, 3600, 100_000])
def test_a_timeline_becomes_coarser_and_loses_nothing(step: int) -> None:
    timeline = Timeline(max_spans=16)
    for number in range(500):
        timeline.add(START + number * step * NANO, "allow" if number % 5 else "deny")
    spans = timeline.spans()

    assert len(spans) <= 16
    assert sum(sum(span.packets.values()) for span in spans) == 500
    assert sum(span.packets.get("deny", 0) for span in spans) == 100
    assert all(span.start % timeline.width_seconds == 0 for span in spans)


def test_a_clock_that_lies_by_centuries_costs_one_span() -> None:
    timeline = Timeline()
    for time_ns in (0, START, START + NANO, 2**63 - 1):
        timeline.add(time_ns, "allow")

    assert len(timeline) == 4
    assert timeline.width_seconds == 1
