"""Whether an audit log is whole: every line of every file, and the seals that join the files.

Errors are what no crash explains. Notices are what a crash or a recorder still at work leaves behind.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from gateway.audit.chain import ChainVerifier, Finding, Head
from gateway.audit.event import line_hash
from gateway.audit.files import log_files, open_log, read_lines

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gateway.audit.event import AuditEvent
    from gateway.audit.files import LogFile

MAX_FINDINGS_PER_FILE = 100
"""After so many the file is hopeless; the rest are counted, not listed."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """What `verify` found. `heads` are the ends to note down elsewhere as anchors, one per gateway."""

    files: int
    events: int
    findings: tuple[Finding, ...]
    heads: tuple[Head, ...]
    anchored: bool

    @property
    def sound(self) -> bool:
        """Whether nothing was found that must not be (notices aside)."""
        return not any(finding.severity == "error" for finding in self.findings)


@dataclass(frozen=True, kw_only=True)
class _Read:
    """One file, read."""

    file: LogFile
    findings: tuple[Finding, ...]
    events: int
    head: Head
    start: AuditEvent | None
    stopped: bool
    torn_bytes: int
    torn_sha256: str | None
    anchor_hash: str | None

    @property
    def name(self) -> str:
        return self.file.path.name

    @property
    def stillborn(self) -> bool:
        """Whether it holds no event at all: the recorder died while beginning it."""
        return self.events == 0


def verify(directory: Path, *, anchor: Head | None = None) -> Report:
    """Return everything that is altered, missing, out of order or duplicated below `directory`.

    With an `anchor` (a head noted down elsewhere) a cut end or a rewrite up to that head is found too;
    without one that cannot be seen, and the report's `anchored` says so.

    Raises:
        ConfigurationError: no such directory.
        BackendError: a file cannot be read.
    """
    files, others = log_files(directory)
    findings = [Finding(code="audit-foreign-file", file=name, severity="notice") for name in others]
    heads, read = [], [_read(file, anchor) for file in files]
    for found in read:
        findings += found.findings
    for _, group in groupby(read, key=lambda found: found.file.gateway):
        whole = list(group)
        chain = [found for found in whole if not found.stillborn]
        findings += [
            Finding(code="audit-stillborn", file=found.name, severity="notice")
            for found in whole
            if found.stillborn
        ]
        findings += _joins(chain)
        heads += [found.head for found in _unsealed(chain)[-1:]]
    if anchor is not None:
        findings += _anchored(read, anchor)
    if not files:
        findings.append(Finding(code="audit-empty", file=str(directory)))
    return Report(
        files=len(files),
        events=sum(found.events for found in read),
        findings=tuple(findings),
        heads=tuple(heads),
        anchored=anchor is not None,
    )


def _read(file: LogFile, anchor: Head | None) -> _Read:
    verifier = ChainVerifier(file=file.path.name, gateway=file.gateway, boot=file.boot)
    findings: list[Finding] = []
    torn, at_anchor, more = b"", None, 0
    with open_log(file.path) as stream:
        for line in read_lines(stream):
            if not line.whole:
                torn = line.data
                continue
            found = verifier.feed(line.data)
            if len(findings) < MAX_FINDINGS_PER_FILE:
                findings += found
            else:
                more += len(found)
            if anchor is not None and anchor.boot == file.boot and verifier.head.seq == anchor.seq:
                at_anchor = at_anchor or line_hash(line.data)
    if more:
        params = {"count": more}
        findings.append(Finding(code="audit-more-findings", file=file.path.name, params=params))
    return _Read(
        file=file,
        findings=tuple(findings),
        events=verifier.lines,
        head=verifier.head,
        start=verifier.start,
        stopped=verifier.stopped,
        torn_bytes=len(torn),
        torn_sha256=hashlib.sha256(torn).hexdigest() if torn else None,
        anchor_hash=at_anchor,
    )


def _previous(found: _Read) -> str | None:
    return found.start.fields.get("previous_boot") if found.start else None


def _unsealed(chain: list[_Read]) -> list[_Read]:
    # By the seals, not by the names: a corrected clock can make a later boot sort first.
    sealed = {_previous(found) for found in chain}
    return [found for found in chain if found.file.boot not in sealed]


def _joins(chain: list[_Read]) -> Iterator[Finding]:
    """Hold the files of one gateway against each other: each boot seals the end of the one before."""
    by_boot = {found.file.boot: found for found in chain}
    sealed_by: dict[str, str] = {}
    roots = [found for found in chain if found.start is not None and _previous(found) is None]
    for found in roots[1:]:
        yield Finding(code="audit-second-beginning", file=found.name)
    for found in chain:
        previous = _previous(found)
        if previous is None or found.start is None:
            continue
        if previous in sealed_by:
            params = {"boot": previous, "other": sealed_by[previous]}
            yield Finding(code="audit-fork", file=found.name, params=params)
        sealed_by[previous] = found.name
        if previous not in by_boot:
            yield Finding(code="audit-missing-file", file=found.name, params={"boot": previous})
        else:
            yield from _seal(by_boot[previous], found.start)
    yield from _ends(_unsealed(chain))


def _seal(found: _Read, start: AuditEvent) -> Iterator[Finding]:
    """Hold a file's end against what the next boot saw of it."""
    seq, digest = start.fields.get("previous_seq", 0), start.fields.get("previous_head")
    torn_bytes = start.fields.get("previous_torn_bytes", 0)
    params = {"seq": found.head.seq, "sealed": seq, "boot": start.boot}
    if found.head.seq < seq:
        yield Finding(code="audit-end-cut", file=found.name, params=params)
    elif found.head.seq > seq:
        yield Finding(code="audit-end-added", file=found.name, params=params)
    elif found.head.hash != digest:
        yield Finding(code="audit-end-altered", file=found.name, line=found.events, params=params)
    if (found.torn_bytes, found.torn_sha256) != (torn_bytes, start.fields.get("previous_torn_sha256")):
        yield Finding(code="audit-torn-altered", file=found.name, params=params)
    elif torn_bytes:
        yield Finding(
            code="audit-torn-sealed", file=found.name, severity="notice", params={"bytes": torn_bytes}
        )
    if not found.stopped:
        yield Finding(code="audit-boot-crashed", file=found.name, severity="notice")


def _ends(unsealed: list[_Read]) -> Iterator[Finding]:
    """Only one file, the newest, may be without a seal."""
    for found in unsealed[:-1]:
        yield Finding(code="audit-unsealed", file=found.name)
    for newest in unsealed[-1:]:
        if newest.torn_bytes:
            params = {"bytes": newest.torn_bytes}
            yield Finding(code="audit-torn-end", file=newest.name, severity="notice", params=params)
        if not newest.stopped:
            yield Finding(code="audit-open-end", file=newest.name, severity="notice")


def _anchored(read: list[_Read], anchor: Head) -> Iterator[Finding]:
    found = next((found for found in read if found.file.boot == anchor.boot), None)
    params = {"boot": anchor.boot, "seq": anchor.seq}
    if found is None:
        yield Finding(code="audit-anchor-file-missing", file="", params=params)
    elif found.anchor_hash is None:
        yield Finding(code="audit-anchor-cut", file=found.name, params={**params, "end": found.head.seq})
    elif found.anchor_hash != anchor.hash:
        yield Finding(code="audit-anchor-rewritten", file=found.name, params=params)
