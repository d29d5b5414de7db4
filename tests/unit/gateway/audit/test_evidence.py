"""Records → evidence: a whole chain is counted, a broken one never, and what is missing is said."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from gateway.audit.event import make_draft
from gateway.audit.evidence import log_evidence
from gateway.audit.log import open_for_append
from gateway.audit.verify import verify
from zones.errors import ConfigurationError
from zones.evidence import COUNTERS

if TYPE_CHECKING:
    from pathlib import Path

ENDS = {"src": "10.1.0.1", "dst": "10.2.0.1", "protocol": "tcp"}
DIGESTS = {"sha256": "0" * 64, "output_sha256": "1" * 64}
EVENTS: list[tuple[str, dict[str, Any]]] = [
    ("apply", {"policy": "city"}),
    ("packet", {"outcome": "deny", "reason": "guard"}),
    ("packet", {"outcome": "allow", "reason": "flow"}),
    ("packet", {"outcome": "sanitize:mail", "reason": "flow"}),
    ("connection", {"phase": "opened", "outcome": "allow", **ENDS}),
    ("connection", {"phase": "closed", "outcome": "allow", **ENDS}),
    ("mail-sanitized", {"job": "1", **DIGESTS}),
    ("mail-refused", {"code": "too-large"}),
    ("mail-quarantined", {"job": "2", "code": "encrypted"}),
]


def write(directory: Path, *events: tuple[str, dict[str, Any]], stop: bool = True) -> Path:
    log = open_for_append(directory, gateway="gw")
    for kind, fields in events:
        log.append(make_draft(kind, fields, actor="test", revision="r1"))
    if stop:
        log.close()
    else:
        os.close(log._descriptor)
        os.close(log._lock)
    return log.path


def test_decisions_are_counted_and_the_end_of_a_connection_is_none(tmp_path: Path) -> None:
    write(tmp_path, *EVENTS)

    seen = log_evidence(tmp_path, revision="r1")

    assert seen.intact
    assert seen.counts == {"allowed": 2, "refused": 1, "sanitised": 2, "mail-refused": 2, "applied": 1}
    assert seen.counts.keys() == {*COUNTERS}
    assert (seen.events, seen.of_revision) == (len(EVENTS) + 2, len(EVENTS))
    assert seen.first <= seen.last
    assert (seen.gaps, seen.crashes, seen.anchored) == (0, 0, False)


def test_nothing_of_a_broken_chain_is_counted(tmp_path: Path) -> None:
    path = write(tmp_path, *EVENTS)
    path.write_bytes(path.read_bytes().replace(b'"outcome":"deny"', b'"outcome":"allow"'))

    seen = log_evidence(tmp_path, revision="r1")

    assert (seen.intact, seen.events, dict(seen.counts)) == (False, 0, {})
    assert seen.findings > 0


def test_an_empty_directory_is_no_evidence(tmp_path: Path) -> None:
    assert not log_evidence(tmp_path, revision="r1").intact


def test_what_was_lost_is_said(tmp_path: Path) -> None:
    write(tmp_path, ("gap", {"where": "nflog", "lost": 3}), ("gap", {"where": "outbox"}), stop=False)
    write(tmp_path, *EVENTS)

    seen = log_evidence(tmp_path, revision="r2")

    assert (seen.intact, seen.gaps, seen.lost, seen.crashes, seen.of_revision) == (True, 2, 4, 1, 0)


def test_an_anchor_finds_the_end_that_was_cut(tmp_path: Path) -> None:
    path = write(tmp_path, *EVENTS)
    (head,) = verify(tmp_path).heads
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-3]))

    assert log_evidence(tmp_path, revision="r1").intact, "without an anchor nobody can tell"
    assert not log_evidence(tmp_path, revision="r1", anchor=head).intact


def test_no_such_directory_is_the_operators_mistake(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError):
        log_evidence(tmp_path / "nowhere", revision="r1")
