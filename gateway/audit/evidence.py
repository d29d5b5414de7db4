"""From an audit log to what it shows: its chain first, and only of a whole one the records are counted."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from gateway.audit.reading import events
from gateway.audit.verify import verify
from zones.evidence import LogEvidence

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.audit.chain import Head
    from gateway.audit.event import AuditEvent

# Kinds that are counted whatever their outcome; packets and connections count by it.
_BY_KIND = {
    "mail-sanitized": "sanitised",
    "mail-refused": "mail-refused",
    "mail-quarantined": "mail-refused",
    "apply": "applied",
}
_BY_OUTCOME = {
    "allow": "allowed",
    "deny": "refused",
    "sanitize:mail": "sanitised",
    "sanitize:web": "sanitised",
}


def log_evidence(directory: Path, *, revision: str, anchor: Head | None = None) -> LogEvidence:
    """Return what the log below `directory` shows of a policy of this revision.

    Raises:
        ConfigurationError: no such directory.
        BackendError: a file cannot be read.
    """
    report = verify(directory, anchor=anchor)
    errors = sum(finding.severity == "error" for finding in report.findings)
    if not report.sound:
        return LogEvidence(intact=False, findings=errors, anchored=report.anchored)
    seen = _Seen(revision)
    for place in events(directory):
        if place.event is not None:
            seen.take(place.event)
    return LogEvidence(
        intact=True,
        events=seen.events,
        first=seen.first,
        last=seen.last,
        gaps=seen.gaps,
        lost=seen.lost,
        crashes=sum(finding.code == "audit-boot-crashed" for finding in report.findings),
        anchored=report.anchored,
        of_revision=seen.of_revision,
        counts=dict(seen.counts),
    )


def counted_as(event: AuditEvent) -> str | None:
    """Return what a record counts as; None for one that is no decision (and for the end of a connection)."""
    if event.kind == "packet" or (event.kind == "connection" and event.fields.get("phase") == "opened"):
        return _BY_OUTCOME.get(str(event.fields.get("outcome")))
    return _BY_KIND.get(event.kind)


class _Seen:
    def __init__(self, revision: str) -> None:
        self.revision = revision
        self.events = self.gaps = self.lost = self.of_revision = 0
        self.first = self.last = ""
        self.counts: Counter[str] = Counter()

    def take(self, event: AuditEvent) -> None:
        self.events += 1
        self.first = self.first or event.time
        self.last = event.time
        self.of_revision += event.revision == self.revision
        if event.kind == "gap":
            self.gaps += 1
            # How many is not always known; one at least.
            self.lost += max(int(event.fields.get("lost", 1)), 1)
        counter = counted_as(event)
        if counter is not None:
            self.counts[counter] += 1
