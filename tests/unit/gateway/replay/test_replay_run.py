"""Captures in; records, flows and a summary in which every packet is counted once."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING

import pytest
from scapy.all import ARP, ICMP, IP, TCP, UDP, Dot1Q, Ether

from gateway.filter.frames import Unparsed
from gateway.filter.reference import ReferenceEngine
from gateway.replay.flows import FlowTable
from gateway.replay.ingress import ZoneMap, parse_map
from gateway.replay.lines import flow_line, packet_line, summary_line
from gateway.replay.packets import Direction, Interface, Packet, Trouble
from gateway.replay.replay import Replay
from zones.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from scapy.packet import Packet as Layers

    from gateway.replay.flows import FlowRecord
    from gateway.replay.records import PacketRecord
    from zones.model import Policy

NANO = 1_000_000_000
START = int(datetime.fromisoformat("2026-10-06T10:00:00+09:00").timestamp()) * NANO
MN, LG, IN, OUT = (Interface(n, 1, name) for n, name in enumerate(("mn0", "lg0", "in0", "wan0")))
NAMELESS = Interface(0, 1)
HERE, THERE = "10.20.0.9", "198.51.100.10"


class Kept:
    """A sink that keeps the lines."""

    wants_packets = True

    def __init__(self) -> None:
        self.packets: list[dict[str, Any]] = []
        self.flows: list[dict[str, Any]] = []

    def packet(self, record: PacketRecord, flow: FlowRecord | None) -> None:
        self.packets.append(packet_line(record, flow))

    def flow(self, record: FlowRecord) -> None:
        self.flows.append(flow_line(record))


class Run:
    """One replay over lists of packets."""

    def __init__(self, policy: Policy, *mapping: str) -> None:
        self.kept = Kept()
        self.replay = Replay(
            policy, ReferenceEngine(policy), ZoneMap(policy, parse_map(mapping, policy)), self.kept
        )

    def read(self, items: Sequence[Packet | Trouble], name: str = "x.pcapng") -> Run:
        self.replay.read(name, items)
        return self

    def finish(self) -> dict[str, Any]:
        return summary_line(self.replay.finish())


def seen(
    layers: Layers, interface: Interface, seconds: float = 0, direction: Direction = Direction.UNKNOWN
) -> Packet:
    data = bytes(layers)
    return Packet(START + int(seconds * NANO), interface, len(data), data, direction)


def tcp(src: str, dst: str, flags: str, sport: int = 4000, dport: int = 443) -> Layers:
    return Ether() / IP(src=src, dst=dst) / TCP(sport=sport, dport=dport, flags=flags)


def opened(here: str = HERE, there: str = THERE, sport: int = 4000) -> list[Packet]:
    return [
        seen(tcp(here, there, "S", sport), LG),
        seen(tcp(there, here, "SA", 443, sport), OUT, 0.01),
        seen(tcp(here, there, "A", sport), LG, 0.02),
    ]


def test_a_connection_becomes_three_packets_and_one_flow(city: Policy) -> None:
    run = Run(city).read(opened())
    summary = run.finish()

    assert [line["outcome"] for line in run.kept.packets] == ["allow"] * 3
    assert [line["state"] for line in run.kept.packets] == ["new", "established", "established"]
    assert {line["flow"] for line in run.kept.packets} == {1}
    (flow,) = run.kept.flows
    assert (flow["src"], flow["sport"], flow["dst"], flow["dport"]) == (HERE, 4000, THERE, 443)
    assert (flow["packets"], flow["denied_packets"], flow["initiator"]) == (3, 0, "syn")
    assert (flow["source_zone"], flow["destination_zone"], flow["decided_by"]) == ("lgwan", "outside", "F020")
    assert summary["anti_spoof"] == {"checked": 3, "inferred": 0}
    assert summary["engine"] == "reference"


def test_every_packet_is_judged_unparsed_or_skipped_and_nothing_else(city: Policy) -> None:
    items = [
        *opened(),
        seen(Ether() / ARP(), LG),
        seen(Ether() / IP(src=HERE, dst=THERE, ihl=4), LG),
        seen(tcp(HERE, THERE, "S"), OUT, direction=Direction.OUTBOUND),
        seen(Ether() / ARP(), OUT, direction=Direction.OUTBOUND),
        seen(tcp("10.30.0.1", THERE, "S"), LG),
        seen(tcp(HERE, THERE, "S", dport=22), LG),
        Packet(START, Interface(9, None), 60, bytes(60)),
        Packet(START, Interface(8, 127), 60, bytes(60)),
    ]
    summary = Run(city).read([*items, Trouble(99, "capture-cut")]).finish()

    assert summary["packets"] == len(items)
    assert (summary["judged"], summary["unparsed"], summary["skipped"]) == (6, 3, 2)
    assert summary["judged"] == sum(row["packets"] for row in summary["by_zones"])
    assert summary["judged"] == sum(row["packets"] for row in summary["by_decision"])
    assert summary["denied"] == 3
    reasons = {row["reason"]: (row["packets"], row["refused"]) for row in summary["not_parsed"]}
    assert reasons == {
        Unparsed.ARP.value: (1, False),
        Unparsed.BAD_IHL.value: (1, True),
        Unparsed.UNKNOWN_INTERFACE.value: (1, False),
        Unparsed.LINKTYPE.value: (1, False),
    }
    assert summary["files"] == [
        {
            "file": "x.pcapng",
            "packets": len(items),
            "readable": True,
            "troubles": [{"offset": 99, "code": "capture-cut"}],
        }
    ]


def test_every_packet_line_has_the_same_keys(city: Policy) -> None:
    items = [*opened(), seen(Ether() / ARP(), LG), seen(Ether() / IP(src=HERE, dst=THERE) / ICMP(), NAMELESS)]
    run = Run(city).read(items)

    assert len({tuple(line) for line in run.kept.packets}) == 1
    assert [line["number"] for line in run.kept.packets] == [1, 2, 3, 4, 5]
    assert run.kept.packets[3]["outcome"] == "unparsed"
    assert run.kept.packets[3]["flow"] is None
    assert (run.kept.packets[4]["icmp_type"], run.kept.packets[4]["dport"]) == (8, None)
    json.dumps(run.kept.packets)


def test_the_same_captures_give_the_same_lines(city: Policy) -> None:
    def lines() -> str:
        run = Run(city).read(opened()).read([seen(tcp(HERE, THERE, "S", 5000, 22), LG)], "y.pcap")
        return json.dumps([run.kept.packets, run.finish(), run.kept.flows])

    assert lines() == lines()


def test_connections_live_on_from_one_file_to_the_next(city: Policy) -> None:
    packets = opened()
    run = Run(city).read(packets[:1], "1.pcap").read(packets[1:], "2.pcap")

    assert [line["outcome"] for line in run.kept.packets] == ["allow"] * 3
    assert [(line["file"], line["number"]) for line in run.kept.packets] == [
        ("1.pcap", 1),
        ("2.pcap", 1),
        ("2.pcap", 2),
    ]
    run.finish()
    assert len(run.kept.flows) == 1


def test_a_capture_that_starts_mid_stream_marks_it_and_tells_no_port_tales(city: Policy) -> None:
    run = Run(city).read([seen(tcp(THERE, HERE, "A", 443, 4000), OUT), seen(tcp(HERE, THERE, "A"), LG, 1)])
    summary = run.finish()

    (flow,) = run.kept.flows
    assert flow["initiator"] == "first-packet"
    assert (flow["src"], flow["sport"]) == (THERE, 443)
    assert (flow["outcome"], flow["reason"], flow["denied_packets"]) == ("deny", "invalid-state", 2)
    assert flow["marks"] == ["mid-stream"]
    assert summary["marks"] == {"mid-stream": 2}


def test_what_follows_a_refused_beginning_is_not_called_mid_stream(city: Policy) -> None:
    trace = [seen(tcp(HERE, THERE, flags, dport=22), LG) for flags in ("S", "A", "PA")]
    summary = Run(city).read(trace).finish()

    assert summary["marks"] == {}
    assert [row["reason"] for row in summary["by_decision"]] == ["invalid-state", "default-deny"]


def test_flags_that_nobody_sends_are_not_the_middle_of_anything(city: Policy) -> None:
    assert Run(city).read([seen(tcp(HERE, THERE, "SF"), LG)]).finish()["marks"] == {}


def test_a_syn_ack_names_the_other_side_as_initiator(city: Policy) -> None:
    run = Run(city).read([seen(tcp(THERE, HERE, "SA", 443, 4000), OUT)])
    run.finish()

    (flow,) = run.kept.flows
    assert (flow["initiator"], flow["src"], flow["dport"]) == ("syn-ack", HERE, 443)
    assert (flow["source_zone"], flow["destination_zone"]) == ("lgwan", "outside")


def test_ports_used_again_are_another_flow(city: Policy) -> None:
    again = [p._replace(time_ns=p.time_ns + 60 * NANO) for p in opened()]
    run = Run(city).read([*opened(), seen(tcp(HERE, THERE, "R"), LG, 1), *again])
    run.finish()

    assert [flow["packets"] for flow in run.kept.flows] == [4, 3]
    assert [flow["connection"] for flow in run.kept.flows] == [1, 2]


def test_denied_attempts_between_the_same_ends_are_one_flow_until_they_pause(city: Policy) -> None:
    attempts = [seen(tcp(HERE, THERE, "S", dport=22), LG, seconds) for seconds in (0, 1, 3, 700)]
    run = Run(city).read(attempts)
    run.finish()

    assert [flow["packets"] for flow in run.kept.flows] == [3, 1]


def test_a_full_flow_table_hands_over_the_oldest_and_loses_no_packet() -> None:
    from gateway.filter.link import parse_frame
    from gateway.replay.records import PacketRecord
    from zones.verdict import Outcome, Reason, Verdict

    done: list[FlowRecord] = []
    table = FlowTable(done.append, max_flows=2)
    verdict = Verdict(Outcome.DENY, Reason.DEFAULT_DENY)
    for number, port in enumerate((1, 2, 3, 1), 1):
        packet = seen(Ether() / IP(src=HERE, dst=THERE) / UDP(sport=port, dport=9), LG)
        frame = parse_frame(1, packet.data, packet.wire_length)
        assert not isinstance(frame, Unparsed)
        table.add(PacketRecord("x", number, packet, None, frame, verdict, 0, 0), frame, verdict)
    table.finish()

    assert [flow.frame.sport for flow in done] == [1, 2, 3, 1]
    assert table.split == 2
    assert sum(flow.packets for flow in done) == 4


@pytest.mark.parametrize(
    ("mapping", "interface", "zone"),
    [
        ((), MN, "mynumber"),
        ((), NAMELESS, None),
        ((), Interface(3, 1, "eth9"), None),
        (("mn0=lgwan",), MN, "lgwan"),
        (("0=lgwan",), NAMELESS, "lgwan"),
        (("*=outside",), NAMELESS, "outside"),
        (("*=outside", "mn0=mynumber"), MN, "mynumber"),
        (("0=internet", "*=outside"), Interface(1, 1, "eth1"), "outside"),
        (("a=b=lgwan",), Interface(0, 1, "a=b"), "lgwan"),
    ],
)
def test_the_ingress_zone_comes_from_the_map_then_the_policy(
    city: Policy, mapping: tuple[str, ...], interface: Interface, zone: str | None
) -> None:
    assert ZoneMap(city, parse_map(mapping, city)).zone_of(interface) == zone


@pytest.mark.parametrize(
    ("entries", "code"),
    [
        (["mn0"], "replay-map-syntax"),
        (["=lgwan"], "replay-map-syntax"),
        (["mn0="], "replay-map-syntax"),
        (["mn0=nowhere"], "replay-map-zone"),
        (["mn0=lgwan", "mn0=internet"], "replay-map-twice"),
    ],
)
def test_a_wrong_map_is_refused(city: Policy, entries: list[str], code: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_map(entries, city)
    assert caught.value.code == code


def test_a_map_entry_that_no_interface_answers_to_is_reported(city: Policy) -> None:
    assert Run(city, "lg9=lgwan", "lg0=lgwan").read(opened()).finish()["map_unused"] == ["lg9"]


def test_inferred_zones_are_never_counted_as_checked(city: Policy) -> None:
    items = [p._replace(interface=NAMELESS) for p in opened()]
    summary = Run(city).read(items).finish()

    assert summary["anti_spoof"] == {"checked": 0, "inferred": 3}
    assert summary["marks"] == {"zone-inferred": 3}


def test_clocks_that_jump_back_are_counted(city: Policy) -> None:
    items = [seen(tcp(HERE, THERE, "S"), LG, seconds) for seconds in (10, 9.5, 3, 4)]
    summary = Run(city).read(items).finish()

    assert summary["times_backwards"] == 1
    assert (summary["first"][17:19], summary["last"][17:19]) == ("03", "10")


def test_a_vlan_tag_is_shown(city: Policy) -> None:
    tagged = Ether() / Dot1Q(vlan=12) / IP(src=HERE, dst=THERE) / TCP(dport=443)
    run = Run(city).read([seen(tagged, LG)])

    assert run.kept.packets[0]["vlan"] == 12
    assert run.kept.packets[0]["marks"] == ["vlan"]
