"""Zones by VLAN, by source address, by interface: which goes before which, and what is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from scapy.all import IP, TCP, Dot1AD, Dot1Q, Ether, IPv6

from gateway.filter.reference import ReferenceEngine
from gateway.replay.ingress import Ingress, ZoneMap, parse_map
from gateway.replay.lines import packet_line, summary_line
from gateway.replay.packets import Interface, Packet
from gateway.replay.replay import Replay
from zones.errors import ConfigurationError

if TYPE_CHECKING:
    from typing import Any

    from scapy.packet import Packet as Layers

    from gateway.replay.flows import FlowRecord
    from gateway.replay.records import PacketRecord
    from zones.model import Policy

NAMELESS, TRUNK = Interface(0, 1), Interface(1, 1, "trunk0")
HERE, THERE = "10.20.0.9", "198.51.100.10"


def packet(layers: Layers, interface: Interface = NAMELESS) -> Packet:
    data = bytes(layers)
    return Packet(1_791_000_000_000_000_000, interface, len(data), data)


def tagged(*tags: Layers, src: str = HERE) -> Layers:
    layers = Ether()
    for tag in tags:
        layers /= tag
    return layers / IP(src=src, dst=THERE) / TCP(dport=443, flags="S")


@pytest.mark.parametrize(
    ("entries", "layers", "interface", "expected"),
    [
        (["vlan:120=lgwan"], tagged(Dot1Q(vlan=120)), TRUNK, Ingress("lgwan")),
        (["vlan:120=lgwan"], tagged(Dot1Q(vlan=121)), TRUNK, Ingress(None)),
        (["vlan:120=lgwan"], tagged(), TRUNK, Ingress(None)),
        (["vlan:7=lgwan"], tagged(Dot1AD(vlan=7), Dot1Q(vlan=120)), TRUNK, Ingress("lgwan")),
        (["vlan:120=lgwan", "trunk0=internet"], tagged(Dot1Q(vlan=120)), TRUNK, Ingress("lgwan")),
        (["vlan:120=lgwan", "trunk0=internet"], tagged(Dot1Q(vlan=5)), TRUNK, Ingress("internet")),
        (["10.20.0.0/16=lgwan"], tagged(), NAMELESS, Ingress("lgwan", by_address=True)),
        (
            ["10.20.0.0/16=lgwan", "10.20.0.9=internet"],
            tagged(),
            NAMELESS,
            Ingress("internet", by_address=True),
        ),
        (["10.20.0.0/16=lgwan", "0=internet"], tagged(), NAMELESS, Ingress("internet")),
        (["10.20.0.0/16=lgwan", "*=internet"], tagged(), NAMELESS, Ingress("lgwan", by_address=True)),
        (
            ["10.20.0.0/16=lgwan", "*=internet"],
            tagged(src="10.30.0.1"),
            NAMELESS,
            Ingress("internet", by_address=True),
        ),
        (
            ["2001:db8:20::/48=lgwan"],
            Ether() / IPv6(src="2001:db8:20::1", dst="2001:db8::2") / TCP(),
            NAMELESS,
            Ingress("lgwan", by_address=True),
        ),
    ],
)
def test_the_more_certain_answer_goes_first(
    city: Policy, entries: list[str], layers: Layers, interface: Interface, expected: Ingress
) -> None:
    zones = ZoneMap(city, parse_map(entries, city))

    assert zones.by_packet
    assert zones.ingress_of(packet(layers, interface)) == expected


def test_a_frame_that_cannot_be_read_has_the_zone_of_its_interface(city: Policy) -> None:
    zones = ZoneMap(city, parse_map(["vlan:120=lgwan", "trunk0=internet"], city))

    assert zones.ingress_of(packet(Ether() / b"", TRUNK)) == Ingress("internet")


@pytest.mark.parametrize(
    ("entry", "code"),
    [
        ("vlan:0=lgwan", "replay-map-vlan"),
        ("vlan:4095=lgwan", "replay-map-vlan"),
        ("vlan:x=lgwan", "replay-map-vlan"),
        ("vlan:=lgwan", "replay-map-vlan"),
        ("10.20.0.1/16=lgwan", "replay-map-host-bits"),
        ("10.20.0.0/33=lgwan", "replay-map-prefix"),
        ("10.20.0/16=lgwan", "replay-map-prefix"),
        ("2001:db8::/200=lgwan", "replay-map-prefix"),
        ("vlan:3=nowhere", "replay-map-zone"),
        ("10.0.0.0/8=nowhere", "replay-map-zone"),
    ],
)
def test_a_wrong_entry_is_refused(city: Policy, entry: str, code: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_map([entry], city)
    assert caught.value.code == code


@pytest.mark.parametrize("name", ["vlan:3", "10.20.0.0/16"])
def test_nothing_belongs_to_two_zones(city: Policy, name: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_map([f"{name}=lgwan", f"{name}=internet"], city)
    assert caught.value.code == "replay-map-twice"


def test_names_that_only_look_like_something_else_are_interfaces(city: Policy) -> None:
    mapping = parse_map(["0=lgwan", "eth0.120=lgwan", "br-10=lgwan", "any/1=lgwan"], city)

    assert set(mapping.interfaces) == {"0", "eth0.120", "br-10", "any/1"}


class Kept:
    wants_packets = True

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []

    def packet(self, record: PacketRecord, flow: FlowRecord | None) -> None:
        self.lines.append(packet_line(record, flow))

    def flow(self, record: FlowRecord) -> None:
        pass


def test_a_zone_by_address_is_marked_and_proves_nothing_about_spoofing(city: Policy) -> None:
    kept = Kept()
    zones = ZoneMap(city, parse_map(["10.20.0.0/16=lgwan", "vlan:9=internet", "10.99.0.0/16=lgwan"], city))
    replay = Replay(city, ReferenceEngine(city), zones, kept)
    replay.read("x", [packet(tagged())])
    summary = summary_line(replay.finish())

    (line,) = kept.lines
    assert (line["ingress"], line["outcome"], line["marks"]) == ("lgwan", "allow", ["zone-by-address"])
    assert summary["anti_spoof"] == {"checked": 0, "inferred": 1}
    assert summary["map_unused"] == ["vlan:9", "10.99.0.0/16"]
