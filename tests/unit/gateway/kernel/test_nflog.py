"""NFLOG bytes made by hand → records, prefixes and counted losses."""

from __future__ import annotations

import struct

import pytest

from gateway.kernel.netlink import MalformedNetlink, encode_attribute, encode_netfilter
from gateway.kernel.nflog import (
    Gap,
    Hook,
    InterfaceNames,
    NflogReader,
    Sequence,
    decode_record,
    format_prefix,
    parse_prefix,
)
from zones.verdict import Outcome, Reason

HEADER = encode_attribute(1, struct.pack("!HBx", 0x0800, 2))


def body(*attributes: bytes) -> bytes:
    return encode_netfilter(2, 5, attributes)


def test_a_full_record_is_read():
    record = decode_record(
        body(
            HEADER,
            encode_attribute(2, struct.pack("!I", 0x80000001)),
            encode_attribute(3, struct.pack("!QQ", 12, 500_000)),
            encode_attribute(4, struct.pack("!I", 3)),
            encode_attribute(5, struct.pack("!I", 4)),
            encode_attribute(8, struct.pack("!HH8s", 6, 0, bytes([2, 0, 10, 10, 5, 10]))),
            encode_attribute(9, b"\x45payload"),
            encode_attribute(10, b"masugata|deny|guard|G1\0"),
            encode_attribute(12, struct.pack("!I", 77)),
        )
    )
    assert (record.group, record.family, record.ethertype, record.hook) == (5, 2, 0x0800, Hook(2))
    assert (record.prefix, record.payload) == ("masugata|deny|guard|G1", b"\x45payload")
    assert (record.in_index, record.out_index, record.mark) == (3, 4, 0x80000001)
    assert (record.mac, record.seconds, record.sequence) == ("02:00:0a:0a:05:0a", 12.5, 77)


def test_a_record_with_nothing_but_its_header_is_read():
    record = decode_record(body(HEADER))
    assert (record.prefix, record.payload, record.in_index, record.mac) == ("", b"", None, None)


def test_a_hardware_address_that_is_not_ethernet_is_left_out():
    long_address = encode_attribute(8, struct.pack("!HH8s", 20, 0, bytes(8)))
    assert decode_record(body(HEADER, long_address)).mac is None


def test_a_prefix_that_is_not_utf8_is_made_visible():
    assert decode_record(body(HEADER, encode_attribute(10, b"\xff\0"))).prefix == "\\xff"


@pytest.mark.parametrize(
    "untrusted",
    [
        body(),
        body(encode_attribute(1, b"\x08")),
        body(HEADER, encode_attribute(2, b"\0")),
        body(HEADER, encode_attribute(3, bytes(15))),
        body(HEADER, encode_attribute(8, bytes(6))),
        body(HEADER, HEADER),
        body(HEADER)[:-1],
    ],
)
def test_what_is_no_record_is_refused(untrusted):
    with pytest.raises(MalformedNetlink):
        decode_record(untrusted)


@pytest.mark.parametrize("outcome", Outcome)
@pytest.mark.parametrize("reason", Reason)
def test_every_verdict_has_a_prefix_that_reads_back(outcome, reason):
    for decided_by in (None, "F012", "更新-1"):
        assert parse_prefix(format_prefix(outcome, reason, decided_by)) == (outcome, reason, decided_by)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "masugata",
        "masugata|deny|guard",
        "masugata|deny|guard|G1|",
        "masugata|DENY|guard|G1",
        "masugata|deny|because|G1",
        "Masugata|deny|guard|G1",
        "masugata|deny|guard|G 1",
        "masugata|deny|guard|G\x07",
        " masugata|deny|guard|G1",
    ],
)
def test_another_prefix_is_not_ours(text):
    assert parse_prefix(text) is None


@pytest.mark.parametrize("decided_by", ["a|b", "a b", "x" * 200, "a\nb"])
def test_an_id_that_would_not_read_back_is_refused(decided_by):
    with pytest.raises(ValueError, match="masugata"):
        format_prefix(Outcome.DENY, Reason.GUARD, decided_by)


def test_losses_are_counted_for_each_group_and_over_the_wrap():
    sequence = Sequence()
    assert [sequence.missing(5, n) for n in (10, 11, 14, 15)] == [0, 0, 2, 0]
    assert sequence.missing(6, 0xFFFFFFFF) == 0
    assert sequence.missing(6, 1) == 1
    assert sequence.missing(5, None) == 0


def test_interface_names_are_asked_once_and_again_after_a_while():
    now = [0.0]
    names = InterfaceNames(max_age_seconds=5, clock=lambda: now[0])
    assert names.name(1) == "lo"
    names._names[1] = (0.0, "renamed")
    assert names.name(1) == "renamed"
    now[0] = 6.0
    assert names.name(1) == "lo"
    assert names.name(None) is None
    assert names.name(0) is None
    assert names.name(2**31 - 1) is None


def test_bytes_that_are_no_record_become_a_gap():
    reader = NflogReader.__new__(NflogReader)
    gaps: list[Gap] = []
    reader._sequence, reader._on_gap, reader._on_record = Sequence(), gaps.append, lambda _: None
    reader._take(b"\x01")
    assert gaps == [Gap(None, 1, "malformed")]
