"""Event → canonical line → the same event; anything else is refused."""

from __future__ import annotations

import json

import pytest

from gateway.audit.chain import ChainWriter
from gateway.audit.event import (
    FRAME,
    KINDS,
    MAX_LINE_BYTES,
    canonical,
    line_hash,
    make_draft,
    parse_line,
    timestamp,
)
from gateway.audit.fields import MAX_ITEM_CHARACTERS, MAX_TEXT_CHARACTERS, MAX_TEXTS
from gateway.audit.schema import event_schema
from gateway.audit.sink import MemorySink
from zones.verdict import Outcome, Reason

PACKET = {"outcome": "deny", "reason": "guard", "decided_by": "G1", "src": "10.10.3.4", "sport": 40000}


def line_of(kind: str = "packet", **fields: object) -> bytes:
    writer = ChainWriter(gateway="gw", boot="20250401T000000Z-0a1b2c3d")
    return writer.append(make_draft(kind, fields or PACKET, actor="enforcer"), now=1.5, pid=7, uid=0)


def test_a_line_reads_back_as_the_event_that_was_written():
    line = line_of()
    event = parse_line(line)
    assert event is not None
    assert (event.kind, event.seq, event.actor, event.pid) == ("packet", 1, "enforcer", 7)
    assert event.fields == PACKET
    assert event.time == "1970-01-01T00:00:01.500000Z"
    assert event.line() == line


def test_a_line_is_sorted_compact_and_unescaped():
    line = line_of("fault", where="記録", code="x")
    assert line == canonical(json.loads(line))
    assert b" " not in line
    assert "記録".encode() in line


@pytest.mark.parametrize(
    "change",
    [
        lambda line: line.replace(b'"seq":1', b'"seq": 1'),
        lambda line: line.replace(b'"seq":1', b'"seq":1.0'),
        lambda line: line.replace(b'"seq":1', b'"seq":true'),
        lambda line: line.replace(b'"seq":1', b'"seq":1,"seq":1'),
        lambda line: line.replace(b'"seq":1', b'"seq":1,"sfx":1'),
        lambda line: line.replace(b'"schema":1', b'"schema":2'),
        lambda line: line.replace(b'"kind":"packet"', b'"kind":"parcel"'),
        lambda line: line.replace(b'"outcome":"deny"', b'"outcome":"maybe"'),
        lambda line: line.replace(b"10.10.3.4", b"10.10.3.04"),
        lambda line: line.replace(b'"outcome":"deny",', b""),
        lambda line: line.replace(b"enforcer", b"\\u0065nforcer"),
        lambda line: line.replace(b"enforcer", b"\xff"),
        lambda line: line[:-1],
        lambda line: line + b" ",
        lambda line: b"[" * 100_000,
        lambda line: b"[]",
        lambda line: b"",
    ],
)
def test_a_line_in_any_other_form_is_no_event(change):
    line = line_of()
    assert parse_line(line) is not None
    assert change(line) != line
    assert parse_line(change(line)) is None


@pytest.mark.parametrize(
    ("kind", "fields", "words"),
    [
        ("parcel", {}, "unknown audit event kind"),
        ("packet", {**PACKET, "body": "x"}, "has no field body"),
        ("packet", {"outcome": "deny"}, "lacks reason"),
        ("packet", {**PACKET, "reason": "because"}, "reason is not"),
        ("packet", {**PACKET, "sport": 65536}, "sport is not"),
        ("packet", {**PACKET, "sport": True}, "sport is not"),
        ("packet", {**PACKET, "src": "10.1"}, "src is not"),
        ("packet", {**PACKET, "src": "2001:DB8::1"}, "src is not"),
        ("packet", {**PACKET, "bytes": -1}, "bytes is not"),
        ("gap", {"where": "nflog", "lost": 1.0}, "lost is not"),
        ("mail-refused", {"code": "has a space"}, "code is not"),
        ("mail-refused", {"code": "x", "sha256": "00"}, "sha256 is not"),
    ],
)
def test_what_the_table_does_not_hold_is_refused_as_our_bug(kind, fields, words):
    with pytest.raises(ValueError, match=words):
        make_draft(kind, fields, actor="test")


def test_absent_fields_are_left_out_and_enum_members_become_plain_text():
    draft = make_draft(
        "packet", {"outcome": Outcome.DENY, "reason": Reason.GUARD, "dport": None}, actor="test"
    )
    assert draft.fields == {"outcome": "deny", "reason": "guard"}
    assert type(draft.fields["outcome"]) is str


def test_text_from_outside_cannot_suppress_its_own_event():
    sender = "a" * 10_000 + "\udcff"
    draft = make_draft("mail-refused", {"code": "too-long", "sender": sender, "helo": "\udc80"}, actor="mail")
    assert draft.fields["sender"] == "a" * (MAX_TEXT_CHARACTERS - 1) + "…"
    assert draft.fields["helo"] == "\\udc80"
    many = make_draft("mail-refused", {"code": "x", "recipients": [str(n) for n in range(100)]}, actor="mail")
    assert many.fields["recipients"][-1] == "… +69"
    assert len(many.fields["recipients"]) == MAX_TEXTS


@pytest.mark.parametrize("kind", KINDS)
def test_the_longest_line_of_every_kind_is_under_the_bound(kind):
    examples = {
        "text": "\x01" * MAX_TEXT_CHARACTERS,
        "list of texts": ["\x01" * MAX_ITEM_CHARACTERS] * MAX_TEXTS,
        "code": "c" * 96,
        "SHA-256 in hexadecimal": "0" * 64,
        "UTC time": timestamp(0),
        "MAC address": "00:00:00:00:00:00",
        "IP address": "2001:db8:1111:2222:3333:4444:5555:6666",
        "count": 2**63 - 1,
        "port": 65_535,
        "flag": True,
    }
    fields = {
        name: examples.get(field.name) or field.schema["enum"][0]
        for name, field in KINDS[kind].fields.items()
    }
    line = line_of(kind, **fields)
    assert len(line) <= MAX_LINE_BYTES
    assert parse_line(line) is not None


def test_no_field_hides_a_member_of_the_frame():
    for kind, row in KINDS.items():
        assert not row.fields.keys() & FRAME.keys(), kind
        assert row.required <= row.fields.keys(), kind


def test_the_published_schema_names_every_kind_and_field():
    schema = event_schema()
    by_kind = {entry["title"]: entry for entry in schema["oneOf"]}
    assert by_kind.keys() == KINDS.keys()
    for kind, entry in by_kind.items():
        assert entry["properties"].keys() == FRAME.keys() | KINDS[kind].fields.keys()
        assert entry["additionalProperties"] is False
    json.dumps(schema, allow_nan=False)


def test_the_hash_of_a_line_is_that_of_its_bytes():
    assert line_hash(b"") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_the_memory_sink_refuses_what_the_recorder_would():
    sink = MemorySink(actor="mail")
    sink.emit("gap", where="x", actor="other", revision="r1")
    assert (sink.drafts[0].actor, sink.drafts[0].revision) == ("other", "r1")
    with pytest.raises(ValueError, match="no field body"):
        sink.emit("gap", where="x", body="secret")
