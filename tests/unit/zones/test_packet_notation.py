"""Packets, services, addresses in writing."""

from __future__ import annotations

import pytest

from zones.address import Network, address_text, is_martian, parse_address, parse_network, subtract, whole
from zones.model import ServiceTerm
from zones.packet import DEFAULT_SPORT, parse_packet
from zones.services import parse_service, service_text


def test_a_packet_in_writing() -> None:
    written = parse_packet("mynumber:10.10.3.4 > outside:198.51.100.1 tcp/443")

    assert written.destination_zone == "outside"
    assert written.key.describe() == "mynumber:10.10.3.4 > 198.51.100.1 tcp/443"
    assert written.key.sport == DEFAULT_SPORT


@pytest.mark.parametrize("arrow", [" > ", ">", " → ", " -> "])
def test_arrows(arrow: str) -> None:
    assert parse_packet(f"10.0.0.1{arrow}10.0.0.2 udp/53").key.dport == 53


def test_ipv6_with_and_without_zone() -> None:
    key = parse_packet("a:[2001:db8::1] > lgwan:2001:db8::2 icmp6/echo-request").key

    assert (key.ingress, key.version, key.protocol, key.dport, key.sport) == ("a", 6, 58, 128, 0)
    assert parse_packet("2001:db8::1 > 2001:db8::2 proto/50").key.ingress is None


def test_a_zone_that_could_be_the_start_of_an_address_needs_brackets() -> None:
    assert parse_packet("a:2001:db8::1 > ::2 tcp/80").key.ingress is None
    assert parse_packet("a:[2001:db8::1] > ::2 tcp/80").key.ingress == "a"


def test_extras() -> None:
    key = parse_packet("a:10.0.0.1 > 10.0.0.2 tcp/22 sport=65535 mac=02:00:0A:0A:05:0A").key

    assert (key.sport, key.src_mac) == (65535, "02:00:0a:0a:05:0a")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "10.0.0.1",
        "10.0.0.1 > 10.0.0.2",
        "10.0.0.1 10.0.0.2 tcp/443",
        "10.0.0.1 > 2001:db8::1 tcp/443",
        "10.0.0.256 > 10.0.0.2 tcp/443",
        "10.0.0.1 > 10.0.0.0/24 tcp/443",
        "10.0.0.1 > 10.0.0.2 tcp",
        "10.0.0.1 > 10.0.0.2 icmp",
        "10.0.0.1 > 10.0.0.2 proto/6",
        "10.0.0.1 > 10.0.0.2 tcp/65536",
        "10.0.0.1 > 10.0.0.2 tcp/1-2",
        "10.0.0.1 > 10.0.0.2 any",
        "10.0.0.1 > 10.0.0.2 tcp/443 sport=65536",
        "10.0.0.1 > 10.0.0.2 tcp/443 sport=-1",
        "10.0.0.1 > 10.0.0.2 tcp/443 mac=02:00",
        "10.0.0.1 > 10.0.0.2 tcp/443 ttl=1",
        "fe80::1%eth0 > 2001:db8::1 tcp/443",
        "10.0.0.1 > 10.0.0.2 tcp/४४३",
        "a b:10.0.0.1 > 10.0.0.2 tcp/443",
    ],
)
def test_what_is_no_packet(text: str) -> None:
    with pytest.raises(ValueError):
        parse_packet(text)


@pytest.mark.parametrize(
    "text",
    [
        "any",
        "tcp",
        "tcp/443",
        "udp/5000-5010",
        "icmp/echo-request",
        "icmp6/nd-redirect",
        "icmp/42",
        "proto/47",
    ],
)
def test_a_service_is_written_as_it_was_read(text: str) -> None:
    assert service_text(parse_service(text)) == text


@pytest.mark.parametrize(
    "text", ["", "TCP/443", "tcp/", "tcp/a", "tcp/2-1", "proto", "proto/256", "icmp/nope", "ip/4", "tcp/-1"]
)
def test_what_is_no_service(text: str) -> None:
    with pytest.raises(ValueError):
        parse_service(text)


def test_a_range_holds_both_its_ends() -> None:
    term = parse_service("tcp/8530-8531")

    assert [term.holds(6, port) for port in (8529, 8530, 8531, 8532)] == [False, True, True, False]
    assert not term.holds(17, 8530)
    assert parse_service("tcp/0").holds(6, 0)
    assert not parse_service("tcp/0").holds(6, 1)


def test_any_holds_everything() -> None:
    assert ServiceTerm(protocol=None).holds(255, 0)


def test_a_prefix_must_not_have_host_bits() -> None:
    with pytest.raises(ValueError, match="host bits"):
        parse_network("10.1.2.3/16")


@pytest.mark.parametrize("text", ["fe80::1%eth0", "010.1.1.1", "1.2.3", "::g", " 10.0.0.1"])
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(ValueError):
        parse_address(text)


def test_subtraction_leaves_exactly_the_rest() -> None:
    holes = [parse_network("10.0.0.0/9"), parse_network("10.200.0.0/16")]

    rest = list(subtract([parse_network("10.0.0.0/8")], holes))

    assert sum(network.last - network.first + 1 for network in rest) == 2**24 - 2**23 - 2**16
    assert not any(network.overlaps(hole) for network in rest for hole in holes)
    assert list(subtract([whole(4)], [whole(4)])) == []
    assert list(subtract([whole(6)], [whole(4)])) == [whole(6)]


def test_networks_compare_within_their_family_only() -> None:
    four, six = whole(4), whole(6)

    assert not four.overlaps(six)
    assert not six.covers(four)
    assert not six.holds(4, 0)
    assert str(Network(4, 0, 255, 24)) == "0.0.0.0/24"


@pytest.mark.parametrize(
    ("address", "martian"),
    [
        ("127.255.255.255", True),
        ("128.0.0.0", False),
        ("223.255.255.255", False),
        ("224.0.0.0", True),
        ("10.0.0.1", False),
        ("::ffff:10.0.0.1", True),
        ("fe80::1", True),
        ("2001:db8::1", False),
    ],
)
def test_martians(address: str, martian: bool) -> None:
    assert is_martian(*parse_address(address)) is martian
    version, number = parse_address(address)
    assert parse_address(address_text(version, number)) == (version, number)
