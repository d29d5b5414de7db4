"""The chain: each line carries the hash of the line before it. No I/O here; time is an argument.

What the chain shows by itself: every line but the last of a file is fixed by its successor, and the last
line of a file is fixed by the first event of the next boot. What it cannot show: the end of the newest file,
and a rewrite of everything. For those a head (`Head`) has to be kept somewhere else: an anchor.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from gateway.audit.event import GENESIS, SCHEMA, canonical, line_hash, parse_line, timestamp

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.audit.event import AuditEvent, Draft

_REMEMBERED = 4096
"""Hashes kept to tell a duplicated line from one that is out of order."""


class Head(NamedTuple):
    """The end of a chain as of some moment; written `boot:seq:hash`, and of use as an anchor elsewhere."""

    boot: str
    seq: int
    hash: str

    def __str__(self) -> str:
        return f"{self.boot}:{self.seq}:{self.hash}"

    @classmethod
    def parse(cls, text: str) -> Head:
        """Return the head written as `boot:seq:hash`.

        Raises:
            ValueError: it is not so written.

        >>> Head.parse("20250401T000000Z-0a1b2c3d:7:" + "ab" * 32).seq
        7
        """
        boot, seq, digest = text.strip().split(":")
        if not boot or not (seq.isascii() and seq.isdigit() and int(seq)) or len(bytes.fromhex(digest)) != 32:
            raise ValueError(text)
        return cls(boot, int(seq), digest.lower())


class ChainWriter:
    """Gives drafts their place: sequence number, time, and the hash of the line before."""

    def __init__(self, *, gateway: str, boot: str) -> None:
        self._frame: dict[str, object] = {"schema": SCHEMA, "gateway": gateway, "boot": boot}
        self.head = Head(boot, 0, GENESIS)

    def append(self, draft: Draft, *, now: float, pid: int, uid: int) -> bytes:
        """Return the next line, without newline; the head is this line from now on.

        `now` is in seconds since the epoch. It may run backwards (a corrected clock): `seq` is the order.
        """
        seq = self.head.seq + 1
        line = canonical(
            {
                **draft.fields,
                **self._frame,
                "seq": seq,
                "time": timestamp(now),
                "kind": draft.kind,
                "actor": draft.actor,
                "pid": pid,
                "uid": uid,
                "revision": draft.revision,
                "prev": self.head.hash,
            }
        )
        self.head = Head(self.head.boot, seq, line_hash(line))
        return line


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Something `verify` saw: a code of the catalogue, its place (1-based line, 0 for the file) and words.

    `severity` is `error` for what must not be, `notice` for what a crash or a running recorder explains.
    """

    code: str
    file: str
    line: int = 0
    severity: str = "error"
    params: Mapping[str, Any] = field(default_factory=dict)


class ChainVerifier:
    """Checks the lines of one file in turn. Each line is held against the one physically before it."""

    def __init__(self, *, file: str, gateway: str, boot: str) -> None:
        self._file, self._gateway, self._boot = file, gateway, boot
        self._recent: deque[str] = deque(maxlen=_REMEMBERED)
        self._unreadable = 0
        self.lines = 0
        self.head = Head(boot, 0, GENESIS)
        self.start: AuditEvent | None = None
        self.stopped = False

    def feed(self, line: bytes) -> list[Finding]:
        """Return what is wrong with the next line (given without its newline), if anything."""
        self.lines += 1
        event = parse_line(line)
        if event is None:
            self._unreadable += 1
            return [self._finding("audit-unreadable-line")]
        if (event.gateway, event.boot) != (self._gateway, self._boot):
            self._unreadable += 1
            return [self._finding("audit-foreign-line", gateway=event.gateway, boot=event.boot)]
        digest = line_hash(line)
        findings = [*self._against_previous(event, digest), *self._against_kind(event)]
        self._recent.append(digest)
        self.head, self._unreadable = Head(self._boot, event.seq, digest), 0
        return findings

    def _against_previous(self, event: AuditEvent, digest: str) -> list[Finding]:
        skipped = event.seq - self.head.seq - 1
        if skipped < 0:
            code = "audit-duplicated-line" if digest in self._recent else "audit-reordered-line"
            return [self._finding(code, seq=event.seq, after=self.head.seq)]
        # Lines we could not read, and have reported, stand where the sequence jumps.
        if skipped > self._unreadable:
            return [self._finding("audit-missing-lines", count=skipped - self._unreadable, seq=event.seq)]
        if skipped == 0 and event.prev != self.head.hash:
            return [self._finding("audit-altered-line", seq=event.seq)]
        return []

    def _against_kind(self, event: AuditEvent) -> list[Finding]:
        findings = []
        if self.stopped:
            findings.append(self._finding("audit-line-after-stop", seq=event.seq))
        if (event.kind == "start") != (event.seq == 1):
            findings.append(self._finding("audit-start-misplaced", seq=event.seq))
        if event.kind == "start" and self.start is None:
            self.start = event
        self.stopped = event.kind == "stop"
        return findings

    def _finding(self, code: str, **params: object) -> Finding:
        return Finding(code=code, file=self._file, line=self.lines, params=params)
