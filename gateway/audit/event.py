"""The audit event: its kinds, its fields, and the one way it is written down.

An event is one JSON object on one line, in canonical form: keys sorted, no spaces, UTF-8, integers only (no
floats, so no two ways to write one number). The frame (`FRAME`) is the same for every kind; the fields
beside it are those of the kind's row in `KINDS`, and nothing else is ever written: never a body, never a
credential, never a subject line.

A line's hash is the SHA-256 of its bytes without the newline. It is not a member of the line: the next line
carries it as `prev`. So there is nothing to leave out before hashing, and one rule checks all.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from gateway.audit.fields import (
    ADDRESS,
    CODE,
    COUNT,
    DIGEST,
    FLAG,
    HARDWARE,
    PORT,
    STAMP,
    TEXT,
    TEXTS,
    FieldType,
    one_of,
)
from zones.verdict import Outcome, Reason, State

if TYPE_CHECKING:
    from collections.abc import Mapping

SCHEMA = 1
"""Version of the event's form; a reader refuses one it does not know."""
GENESIS = "0" * 64
"""`prev` of the first line of a file."""
MAX_LINE_BYTES = 524_288
"""A canonical line is never longer than this: the clipping of fields sees to it (tested)."""

# What every line has. `pid` and `uid` are what the kernel says of the sender (SO_PEERCRED).
FRAME: dict[str, FieldType] = {
    "schema": COUNT,
    "gateway": CODE,
    "boot": CODE,
    "seq": COUNT,
    "time": STAMP,
    "kind": CODE,
    "actor": TEXT,
    "pid": COUNT,
    "uid": COUNT,
    "revision": TEXT,
    "prev": DIGEST,
}

# Allowed with every kind: `observed` is when it happened, where that differs from when it was written;
# `resent` marks an event whose first copy may have been written before the recorder went away.
COMMON: dict[str, FieldType] = {"observed": STAMP, "resent": FLAG}

_VERDICT: dict[str, FieldType] = {
    "outcome": one_of(Outcome),
    "reason": one_of(Reason),
    "decided_by": TEXT,
    "also": TEXTS,
    "audited": TEXTS,
    "state": one_of(State),
    "source_zone": TEXT,
    "destination_zone": TEXT,
    "zone_inferred": FLAG,
}
# What an audit-mode flow says of a packet it matched without taking part in the verdict.
_WOULD: dict[str, FieldType] = {"decided_by": TEXT, "source_zone": TEXT, "destination_zone": TEXT}
_ENDS: dict[str, FieldType] = {
    "src": ADDRESS,
    "dst": ADDRESS,
    "protocol": TEXT,
    "sport": PORT,
    "dport": PORT,
    "icmp_type": COUNT,
    "icmp_code": COUNT,
}
_PACKET: dict[str, FieldType] = {
    **_VERDICT,
    **_ENDS,
    "in_interface": TEXT,
    "out_interface": TEXT,
    "mac": HARDWARE,
    "vlan": COUNT,
    "bytes": COUNT,
    "fragment": FLAG,
    "tcp_flags": TEXT,
    "unparsed": CODE,
    "mark": COUNT,
    "hook": TEXT,
    "repeated": COUNT,
}
_CONNECTION: dict[str, FieldType] = {
    **_VERDICT,
    **_ENDS,
    "phase": one_of(("opened", "closed")),
    "service": TEXT,
    "bytes_out": COUNT,
    "bytes_in": COUNT,
    "packets_out": COUNT,
    "packets_in": COUNT,
    "duration_ms": COUNT,
    "tls": TEXT,
    "code": CODE,
}
_MAIL: dict[str, FieldType] = {
    **_VERDICT,
    "job": TEXT,
    "session": TEXT,
    "sender": TEXT,
    "recipient": TEXT,
    "recipients": TEXTS,
    "peer": ADDRESS,
    "peer_port": PORT,
    "helo": TEXT,
    "tls": TEXT,
    "message_id": TEXT,
    "bytes": COUNT,
    "sha256": DIGEST,
    "output_bytes": COUNT,
    "output_sha256": DIGEST,
    "charset": TEXT,
    "parts": COUNT,
    "attachments": COUNT,
    "attachment_names": TEXTS,
    "attachment_sha256": TEXTS,
    "removed": TEXTS,
    "sandbox": TEXTS,
    "code": CODE,
    "detail": TEXT,
    "reply_code": COUNT,
    "enhanced_code": TEXT,
    "reply": TEXT,
    "remote": TEXT,
    "attempts": COUNT,
    "retry_seconds": COUNT,
    "age_seconds": COUNT,
    "duration_ms": COUNT,
}
_ROLE: dict[str, FieldType] = {
    "role": TEXT,
    "role_pid": COUNT,
    "exit_code": COUNT,
    "signal": TEXT,
    "restarts": COUNT,
    "reason": CODE,
}
_APPLY: dict[str, FieldType] = {
    "policy": TEXT,
    "from_revision": TEXT,
    "flows": COUNT,
    "guards": COUNT,
    "code": CODE,
    "detail": TEXT,
    "duration_ms": COUNT,
}
_START: dict[str, FieldType] = {
    "version": TEXT,
    "host": TEXT,
    "previous_boot": CODE,
    "previous_seq": COUNT,
    "previous_head": DIGEST,
    "previous_torn_bytes": COUNT,
    "previous_torn_sha256": DIGEST,
}


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A row of the table: which fields an event of this kind may have, and which it must."""

    fields: Mapping[str, FieldType]
    required: frozenset[str] = frozenset()


def _kind(fields: Mapping[str, FieldType], required: str = "") -> Kind:
    return Kind(fields={**fields, **COMMON}, required=frozenset(required.split()))


KINDS: dict[str, Kind] = {
    "packet": _kind(_PACKET, "outcome reason"),
    "audited": _kind(
        {name: kind for name, kind in _PACKET.items() if name not in _VERDICT} | _WOULD, "decided_by"
    ),
    "connection": _kind(_CONNECTION, "phase src dst protocol"),
    "mail-accepted": _kind(_MAIL, "job sender recipients bytes sha256"),
    "mail-refused": _kind(_MAIL, "code"),
    "mail-sanitized": _kind(_MAIL, "job sha256 output_sha256"),
    "mail-delivered": _kind(_MAIL, "job"),
    "mail-deferred": _kind(_MAIL, "job code"),
    "mail-quarantined": _kind(_MAIL, "job code"),
    "mail-dead": _kind(_MAIL, "job code"),
    "apply": _kind(_APPLY, "policy"),
    "apply-refused": _kind(_APPLY, "code"),
    "gateway-stopping": _kind({"reason": CODE}),
    "role-started": _kind(_ROLE, "role role_pid"),
    "role-ended": _kind(_ROLE, "role"),
    "gap": _kind({"where": TEXT, "lost": COUNT, "cause": CODE}, "where"),
    "fault": _kind({"where": TEXT, "code": CODE, "detail": TEXT, "count": COUNT}, "where code"),
    "start": _kind(_START),
    "stop": _kind({"reason": CODE}),
}
RESERVED = frozenset({"start", "stop"})
"""The first and the last event of a file: the recorder's own, refused from anyone else."""


@dataclass(frozen=True, kw_only=True)
class Draft:
    """What a sender says: an event before the recorder gives it its place and time."""

    kind: str
    actor: str
    revision: str
    fields: Mapping[str, object]


@dataclass(frozen=True, kw_only=True)
class AuditEvent:
    """One event as it stands in the log."""

    schema: int
    gateway: str
    boot: str
    seq: int
    time: str
    kind: str
    actor: str
    pid: int
    uid: int
    revision: str
    prev: str
    fields: Mapping[str, Any]

    def line(self) -> bytes:
        """Return the canonical line, without a newline."""
        frame = {name: getattr(self, name) for name in FRAME}
        return canonical({**self.fields, **frame})


def make_draft(kind: str, fields: Mapping[str, object], *, actor: str, revision: str = "") -> Draft:
    """Return a checked draft: absent (None) fields left out, over-long text clipped.

    Text from outside cannot suppress its own event: what is too long is cut and ends in `…`, what is not
    Unicode is escaped. Only the caller's own mistakes raise.

    Raises:
        ValueError: unknown kind, unknown or missing field, or a value of another type than the table's.

    >>> make_draft("gap", {"where": "nflog", "lost": 3, "cause": None}, actor="enforcer").fields
    {'where': 'nflog', 'lost': 3}
    """
    row = KINDS.get(kind)
    if row is None:
        raise ValueError(f"unknown audit event kind: {kind}")
    present = {name: value for name, value in fields.items() if value is not None}
    if unknown := sorted(present.keys() - row.fields.keys()):
        raise ValueError(f"audit event {kind} has no field {', '.join(unknown)}")
    if missing := sorted(row.required - present.keys()):
        raise ValueError(f"audit event {kind} lacks {', '.join(missing)}")
    kept = {name: row.fields[name].take(kind, name, value) for name, value in present.items()}
    frame = {"actor": TEXT.take(kind, "actor", actor), "revision": TEXT.take(kind, "revision", revision)}
    return Draft(kind=kind, fields=kept, actor=str(frame["actor"]), revision=str(frame["revision"]))


def parse_line(untrusted: bytes) -> AuditEvent | None:
    """Return the event of one line (without newline); None if it is not exactly such a line.

    Exactly: canonical bytes, known schema and kind, the frame and the kind's fields and no other.
    """
    if len(untrusted) > MAX_LINE_BYTES:
        return None
    try:
        record = json.loads(untrusted)
    except (ValueError, RecursionError):
        return None
    if not isinstance(record, dict) or not _is_event(record) or canonical(record) != untrusted:
        return None
    frame = {name: record.pop(name) for name in FRAME}
    return AuditEvent(**frame, fields=record)


def _is_event(record: dict[str, object]) -> bool:
    if not all(name in record and field.holds(record[name]) for name, field in FRAME.items()):
        return False
    row = KINDS.get(str(record["kind"]))
    if row is None or record["schema"] != SCHEMA or not row.required <= record.keys():
        return False
    rest = record.keys() - FRAME.keys()
    return all(name in row.fields and row.fields[name].holds(record[name]) for name in rest)


def canonical(record: Mapping[str, object]) -> bytes:
    """Return the one byte string that stands for `record`."""
    text = json.dumps(record, ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":"))
    return text.encode()


def line_hash(line: bytes) -> str:
    """Return what the next line carries as `prev`."""
    return hashlib.sha256(line).hexdigest()


def timestamp(seconds: float) -> str:
    """Return RFC 3339 UTC with microseconds.

    >>> timestamp(1_763_800_000.25)
    '2025-11-22T08:26:40.250000Z'
    """
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
