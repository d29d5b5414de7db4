"""Descriptions, the frames made of them, and the reader that shares no code with what made them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from topology.traffic.arrival import read_arrival
from topology.traffic.description import Description, read_description
from topology.traffic.frames import build_frames
from topology.traffic.tagging import read_tag, tag
from zones.errors import ConfigurationError

HERE, THERE = "02:00:00:00:00:01", "02:00:00:00:00:02"
V4 = {"id": 7, "src": "10.10.16.11", "dst": "10.20.5.25"}
V6 = {"id": 7, "src": "2001:db8::1", "dst": "2001:db8::2"}
ETHERNET = 14


def described(**fields: Any) -> Description:
    return read_description(json.dumps(fields), 1)


def packets(**fields: Any) -> list[bytes]:
    return [frame[ETHERNET:] for frame in build_frames(described(**fields), HERE, THERE)]


def arrived(**fields: Any) -> dict[str, Any]:
    [packet] = packets(**fields)
    found = read_arrival(packet)
    assert found is not None
    return found


def inet_sum(data: bytes) -> int:
    """Return the ones' complement sum of RFC 1071: 0xffff over a packet with a right checksum."""
    words = int.from_bytes(data + b"\0" * (len(data) % 2), "big")
    return words % 0xFFFF or 0xFFFF


def pseudo(packet: bytes) -> bytes:
    """Return the pseudo header and segment of an IPv4 packet, the bytes its transport checksum covers."""
    body = packet[20:]
    return packet[12:20] + bytes([0, packet[9]]) + len(body).to_bytes(2, "big") + body


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"src": "nowhere"}, "src"),
        ({"dst": "2001:db8::2"}, "IP versions"),
        ({"protocol": "sctp"}, "protocol"),
        ({"protocol": "icmp6"}, "IPv4"),
        ({"protocol": 256}, "protocol"),
        ({"protocol": "tcp", "flags": "SX"}, "flags"),
        ({"protocol": "udp", "dport": 65536}, "dport"),
        ({"protocol": "udp", "color": "red"}, "color"),
        ({"protocol": "udp", "payload_len": 10_000}, "payload_len"),
        ({"protocol": "udp", "fragment_bytes": 16, "mf": True}, "fragment_bytes"),
        ({"protocol": "udp", "ip_id": 65536}, "16 bits"),
        ({"protocol": "udp", "dst_mac": "gateway"}, "dst_mac"),
    ],
)
def test_a_line_that_describes_no_packet_is_refused_by_its_number(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_description(json.dumps({**V4, "protocol": "udp", **change}), 41)
    assert caught.value.params["line"] == 41
    assert words in str(caught.value.params["detail"])


@pytest.mark.parametrize("line", ["", "{", "[]", "null", '{"id": 1}'])
def test_a_line_that_is_no_description_is_refused(line: str) -> None:
    with pytest.raises(ConfigurationError):
        read_description(line, 1)


def test_a_connection_request_arrives_as_described() -> None:
    found = arrived(**V4, protocol="tcp", sport=40_000, dport=25, ttl=9)
    assert (found["protocol"], found["sport"], found["dport"], found["flags"]) == ("tcp", 40_000, 25, "S")
    assert (found["src"], found["dst"], found["ttl"]) == (V4["src"], V4["dst"], 9)
    # A handshake carries no data: its number is in the sequence number and the identification.
    assert (found["id"], found["seq"], found["ip_id"]) == (None, 7, 7)


@pytest.mark.parametrize("flags", ["", "FS", "FSRPAUEC"])
def test_flags_that_no_stack_would_set_are_sent_all_the_same(flags: str) -> None:
    assert arrived(**V4, protocol="tcp", flags=flags)["flags"] == flags


@pytest.mark.parametrize("ends", [V4, V6], ids=["v4", "v6"])
def test_a_datagram_carries_its_number(ends: dict[str, Any]) -> None:
    found = arrived(**ends, protocol="udp", sport=1, dport=53, payload_len=100)
    assert (found["protocol"], found["dport"], found["id"]) == ("udp", 53, 7)


def test_an_echo_carries_its_number_in_its_header_too() -> None:
    four = arrived(**{**V4, "id": 0x30007}, protocol="icmp")
    six = arrived(**{**V6, "id": 0x30007}, protocol="icmp6")
    assert (four["icmp_type"], four["icmp_id"], four["icmp_seq"], four["id"]) == (8, 3, 7, 0x30007)
    assert (six["icmp_type"], six["icmp_id"], six["icmp_seq"], six["id"]) == (128, 3, 7, 0x30007)


def test_an_icmp_error_quotes_the_packet_it_is_about() -> None:
    quote = {"src": V4["dst"], "dst": V4["src"], "sport": 53, "dport": 4000}
    [packet] = packets(**V4, protocol="icmp", icmp_type=3, icmp_code=3, quote=quote)
    inner = read_arrival(packet[28:])
    assert inner is not None
    assert (inner["src"], inner["sport"], inner["dport"]) == (V4["dst"], 53, 4000)


def test_any_protocol_number_can_be_sent() -> None:
    assert arrived(**V4, protocol=50)["protocol"] == 50
    assert arrived(**V6, protocol=50)["protocol"] == 50


def test_checksums_are_right_unless_asked_otherwise() -> None:
    [right] = packets(**V4, protocol="udp", payload_len=33)
    [no_ip] = packets(**V4, protocol="udp", payload_len=33, corrupt=["ip"])
    [no_udp] = packets(**V4, protocol="udp", payload_len=33, corrupt=["transport"])
    assert inet_sum(right[:20]) == inet_sum(pseudo(right)) == 0xFFFF
    assert inet_sum(no_ip[:20]) != 0xFFFF
    assert inet_sum(pseudo(no_ip)) == 0xFFFF
    assert inet_sum(no_udp[:20]) == 0xFFFF
    assert inet_sum(pseudo(no_udp)) != 0xFFFF


@pytest.mark.parametrize("ends", [V4, V6], ids=["v4", "v6"])
def test_a_large_packet_is_cut_into_fragments_that_belong_together(ends: dict[str, Any]) -> None:
    found = [
        read_arrival(packet)
        for packet in packets(**ends, protocol="udp", payload_len=3000, fragment_bytes=1400)
    ]
    pieces = [piece for piece in found if piece is not None]
    assert len(pieces) == 3
    assert [piece["mf"] for piece in pieces] == [True, True, False]
    assert {piece["ip_id"] for piece in pieces} == {7}
    assert [piece["offset"] for piece in pieces] == [0, 175, 350]
    assert pieces[0]["id"] == 7


@pytest.mark.parametrize("ends", [V4, V6], ids=["v4", "v6"])
def test_a_lone_last_fragment_has_no_transport_header(ends: dict[str, Any]) -> None:
    found = arrived(**ends, protocol="udp", offset=100)
    assert (found["offset"], found["mf"], found["id"]) == (100, False, 7)
    assert "sport" not in found


def test_a_vlan_tag_comes_before_the_packet() -> None:
    [frame] = build_frames(described(**V4, protocol="udp", vlan=7), HERE, THERE)
    assert frame[12:18] == b"\x81\x00\x00\x07\x08\x00"


def test_macs_in_the_description_win() -> None:
    [frame] = build_frames(described(**V4, protocol="udp", src_mac="02:00:00:00:00:09"), HERE, THERE)
    assert frame[:12].hex() == "020000000002" + "020000000009"


@given(st.binary(max_size=200))
def test_the_reader_takes_any_bytes(untrusted: bytes) -> None:
    found = read_arrival(untrusted)
    assert found is None or "src" in found


@given(st.integers(0, 2**32 - 1), st.binary(max_size=20))
def test_a_tag_is_read_back(number: int, rest: bytes) -> None:
    assert read_tag(tag(number) + rest) == number
