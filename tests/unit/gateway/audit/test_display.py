"""What people read of the log: one event is one line, whatever a stranger put into it."""

from __future__ import annotations

from gateway.audit.chain import ChainWriter
from gateway.audit.display import describe
from gateway.audit.event import make_draft, parse_line
from zones.messages import Language


def test_a_line_end_in_a_field_does_not_begin_an_event_of_its_own() -> None:
    forged = "x\n2026-11-22 22:42:04.486Z  allow (flow F001)"
    draft = make_draft("fault", {"where": forged, "code": "x"}, actor=f"mail\n{forged}")
    line = ChainWriter(gateway="gw", boot="b").append(draft, now=0.0, pid=1, uid=0)
    event = parse_line(line)
    assert event is not None
    for language in Language:
        assert len(describe(event, language).splitlines()) == 1
