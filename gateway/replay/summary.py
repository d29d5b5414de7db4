"""What a replay adds up to. Every packet read is counted exactly once: judged, unparsed or skipped."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gateway.filter.frames import UNREAD, Unparsed
from gateway.replay.exchanges import Exchanges
from gateway.replay.records import MARKS
from gateway.replay.timeline import Timeline
from zones.verdict import Outcome

if TYPE_CHECKING:
    from zones.verdict import Verdict


@dataclass(kw_only=True)
class FileResult:
    """What came out of one file: `troubles` are (offset, code) where reading had to stop."""

    name: str
    packets: int = 0
    troubles: list[tuple[int, str]] = field(default_factory=list)
    unreadable: bool = False
    """Not a capture at all."""


@dataclass(kw_only=True)
class Tally:
    """Packets, their bytes on the wire, and the place of the first one."""

    first: str
    packets: int = 0
    bytes: int = 0

    def add(self, wire_length: int) -> None:
        """Count one packet."""
        self.packets += 1
        self.bytes += wire_length


@dataclass(kw_only=True)
class Summary:
    """The counters of one replay; `verdicts` is keyed by zones, outcome, reason and what decided.

    Zones in `verdicts` are those of the packets themselves, in `exchanges` those of who began.
    """

    engine: str
    policy: str
    revision: str
    files: list[FileResult] = field(default_factory=list)
    judged: int = 0
    unparsed: int = 0
    skipped: int = 0
    flows: int = 0
    flows_split: int = 0
    evicted: int = 0
    backwards: int = 0
    first_ns: int | None = None
    last_ns: int | None = None
    verdicts: dict[tuple[str, str, str, str, str], Tally] = field(default_factory=dict)
    reasons: dict[Unparsed, Tally] = field(default_factory=dict)
    """Frames that could not be read, those refused as malformed included."""
    marks: Counter[int] = field(default_factory=Counter)
    unused_map: tuple[str, ...] = ()
    exchanges: Exchanges = field(default_factory=Exchanges)
    timeline: Timeline = field(default_factory=Timeline)
    audited: Counter[str] = field(default_factory=Counter)
    """Packets that flows in audit mode matched without deciding."""

    @property
    def packets(self) -> int:
        """Every packet that was read."""
        return self.judged + self.unparsed + self.skipped

    @property
    def troubled(self) -> bool:
        """Whether something in the captures could not be read: cut, damaged, or of an unknown link type."""
        broken = any(result.troubles for result in self.files)
        return broken or not UNREAD.isdisjoint(self.reasons)

    def tally(self, verdict: Verdict, place: str) -> Tally:
        """Return the counter of packets with this verdict; `place` is where the first of them is."""
        key = (
            verdict.source_zone or "",
            verdict.destination_zone or "",
            verdict.outcome.value,
            verdict.reason.value,
            verdict.decided_by or "",
        )
        found = self.verdicts.get(key)
        if found is None:
            found = self.verdicts[key] = Tally(first=place)
        return found

    def by(self, *columns: int) -> dict[tuple[str, ...], Tally]:
        """Return the verdict counters added up by some of their columns, most packets first."""
        sums: dict[tuple[str, ...], Tally] = {}
        for key, tally in self.verdicts.items():
            row = sums.setdefault(tuple(key[column] for column in columns), Tally(first=tally.first))
            row.packets += tally.packets
            row.bytes += tally.bytes
        return dict(sorted(sums.items(), key=lambda item: (-item[1].packets, item[0])))

    def marked(self) -> dict[str, int]:
        """Return how many packets carry each mark."""
        named = {name: sum(n for bits, n in self.marks.items() if bits & bit) for bit, name in MARKS.items()}
        return {name: count for name, count in named.items() if count}

    def denied(self) -> int:
        """Return how many judged packets were refused."""
        return sum(t.packets for key, t in self.verdicts.items() if key[2] == Outcome.DENY.value)


ZONES, DECISION, REASON = (0, 1, 2), (4, 3, 2), (3, 2)
"""Columns of the views people ask for: by zone pair, by what decided and why, by the reason alone."""
