"""A logged packet and a policy → the fields of its event."""

from __future__ import annotations

import struct
from typing import ClassVar

import pytest

from gateway.audit.packets import packet_event, wire_bytes
from gateway.audit.sink import MemorySink
from gateway.kernel.nflog import Hook, Record

ZONES = {1: "mn0", 2: "in0"}


def name_of(index):
    return ZONES.get(index)


class Policy:
    """The three questions `packet_event` asks of a policy."""

    gateway_addresses: ClassVar = {(4, 0x0A0AFFFE): "mynumber"}

    def zone_of_interface(self, interface):
        return {"mn0": "mynumber", "in0": "internet"}.get(interface)

    def zone_of(self, version, address):
        return "internet" if version == 4 and address >> 16 == 0x0A1E else None


def ipv4(
    protocol: int, payload: bytes, dst: bytes = bytes([10, 30, 5, 80]), length: int | None = None
) -> bytes:
    total = 20 + len(payload) if length is None else length
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, total, 7, 0, 64, protocol, 0, bytes([10, 10, 3, 4]), dst)
    words = sum(struct.unpack("!10H", header))
    while words >> 16:
        words = (words & 0xFFFF) + (words >> 16)
    return header[:10] + struct.pack("!H", ~words & 0xFFFF) + header[12:] + payload


def tcp(flags: int = 2) -> bytes:
    return struct.pack("!HHIIBBHHH", 40000, 443, 1, 0, 0x50, flags, 1024, 0, 0)


def record(payload: bytes, prefix: str = "masugata|deny|guard|G1", **other) -> Record:
    values = {"in_index": 1, "out_index": 2, "mac": "02:00:0a:0a:05:0a", "seconds": 1.5, **other}
    return Record(
        group=5, sequence=0, prefix=prefix, payload=payload, family=2, ethertype=0x800, hook=Hook(2), **values
    )


def event(*arguments, **options):
    kind, fields = packet_event(record(*arguments, **options), Policy(), name_of)
    sink = MemorySink()
    sink.emit(kind, **fields)
    return kind, dict(sink.drafts[0].fields)


def test_a_denied_tcp_packet_says_who_wanted_what_and_which_guard_decided():
    kind, fields = event(ipv4(6, tcp()))
    assert kind == "packet"
    assert fields == {
        "outcome": "deny",
        "reason": "guard",
        "decided_by": "G1",
        "source_zone": "mynumber",
        "destination_zone": "internet",
        "src": "10.10.3.4",
        "dst": "10.30.5.80",
        "protocol": "tcp",
        "sport": 40000,
        "dport": 443,
        "tcp_flags": "S",
        "in_interface": "mn0",
        "out_interface": "in0",
        "mac": "02:00:0a:0a:05:0a",
        "hook": "forward",
        "bytes": 40,
        "observed": "1970-01-01T00:00:01.500000Z",
    }


def test_icmp_has_type_and_code_and_no_ports():
    _, fields = event(ipv4(1, struct.pack("!BBHHH", 8, 0, 0, 1, 1)))
    assert (fields["protocol"], fields["icmp_type"], fields["icmp_code"]) == ("icmp", 8, 0)
    assert "dport" not in fields


def test_a_packet_to_ourselves_is_to_the_gateway():
    _, fields = event(ipv4(6, tcp(), dst=bytes([10, 10, 255, 254])))
    assert fields["destination_zone"] == "gateway"


def test_a_packet_of_our_own_comes_from_the_gateway():
    _, fields = event(ipv4(6, tcp()), in_index=None, mac=None)
    assert fields["source_zone"] == "gateway"
    assert "mac" not in fields


def test_a_packet_of_an_interface_that_is_gone_has_no_zone():
    _, fields = event(ipv4(6, tcp()), in_index=99)
    assert "source_zone" not in fields
    assert "in_interface" not in fields


def test_the_copy_is_cut_but_the_length_is_the_whole():
    cut = ipv4(17, struct.pack("!HHHH", 1, 53, 1480, 0) + bytes(100), length=1500)
    _, fields = event(cut)
    assert (fields["bytes"], fields["dport"]) == (1500, 53)


@pytest.mark.parametrize("payload", [b"", b"\x45", bytes(20), b"\x60" + bytes(10), ipv4(6, b"\0\1")])
def test_what_cannot_be_parsed_is_recorded_with_the_reason(payload):
    kind, fields = event(payload, "masugata|deny|malformed|")
    assert kind == "packet"
    assert fields["unparsed"]
    assert "src" not in fields
    assert "decided_by" not in fields


def test_another_rule_that_logs_to_our_group_is_a_fault():
    kind, fields = event(ipv4(6, tcp()), "someone else's")
    assert kind == "fault"
    assert fields["code"] == "foreign-log-prefix"


def test_the_length_of_ipv6_is_payload_and_header():
    assert wire_bytes(b"\x60" + bytes(3) + struct.pack("!H", 100) + bytes(34)) == 140


def test_an_audit_mode_flow_that_matched_is_an_event_of_its_own_and_no_verdict():
    kind, fields = event(ipv4(6, tcp()), "masugata|audit|flow|F110")
    assert (kind, fields["decided_by"]) == ("audited", "F110")
    assert not {"outcome", "reason"} & set(fields)
