"""The named limits of one mail, and the meter that counts against them while reading."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING

from sanitizers.artefact import Budget, CharsetReading, Note, Removed
from zones.errors import LimitExceeded

if TYPE_CHECKING:
    from sanitizers.mail.charset import Decoded
    from sanitizers.mail.voice import Voice

_MAX_DETAIL = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class MailLimits:
    """What one mail may cost. In configuration and refusals each is `mail.NAME`."""

    max_bytes: int = 50 << 20
    max_header_line_bytes: int = 64 << 10
    max_header_bytes: int = 1 << 20
    max_header_fields: int = 2_000
    max_parts: int = 1_000
    max_depth: int = 50
    max_html_bytes: int = 8 << 20
    max_html_depth: int = 2_000
    max_text_bytes: int = 8 << 20
    max_removed: int = 2_000
    max_addresses: int = 1_000


_NAMES = tuple(item.name for item in fields(MailLimits))


@dataclass(kw_only=True)
class Ledger:
    """What was found while reading one mail: removed things, notes, charsets, budgets used."""

    limits: MailLimits
    voice: Voice
    removed: list[Removed] = field(default_factory=list)
    charsets: list[CharsetReading] = field(default_factory=list)
    _notes: dict[tuple[str, str], int] = field(default_factory=dict)
    _used: dict[str, int] = field(default_factory=dict)

    def spend(self, name: str, amount: int = 1) -> None:
        """Add to what was used of a limit.

        Raises:
            LimitExceeded: the sum is above the limit.
        """
        self.require(name, self._used.get(name, 0) + amount)

    def require(self, name: str, seen: int) -> None:
        """Record the largest amount seen of a limit.

        Raises:
            LimitExceeded: it is above the limit.
        """
        self._used[name] = max(seen, self._used.get(name, 0))
        limit: int = getattr(self.limits, name)
        if seen > limit:
            raise LimitExceeded(f"mail.{name}", seen, limit)

    def note(self, code: str, count: int = 1, detail: str = "") -> None:
        """Count an observation; equal ones are counted together."""
        if count:
            key = (code, _plain(detail))
            self._notes[key] = self._notes.get(key, 0) + count

    def record_charset(self, where: str, declared: str, decoded: Decoded) -> None:
        """Record how a run of text was decoded."""
        self.charsets.append(
            CharsetReading(
                where=_plain(where),
                declared=_plain(declared),
                used=decoded.charset,
                confidence=decoded.confidence,
                replaced=decoded.replaced,
            )
        )

    def remove(self, removed: Removed) -> None:
        """Record something that will not cross.

        Raises:
            LimitExceeded: more things than a person could read about.
        """
        self.spend("max_removed")
        self.removed.append(removed)

    def notes(self) -> tuple[Note, ...]:
        """Return the observations in the order they were first made."""
        return tuple(Note(code=code, count=n, detail=detail) for (code, detail), n in self._notes.items())

    def budgets(self) -> tuple[Budget, ...]:
        """Return what was used of each limit that was touched."""
        return tuple(
            Budget(name=f"mail.{name}", used=self._used[name], limit=getattr(self.limits, name))
            for name in _NAMES
            if name in self._used
        )


def _plain(untrusted: str) -> str:
    """Return a short detail that may stand in the footer: printable, and without the gateway's marks."""
    short = untrusted[:_MAX_DETAIL]
    return "".join(
        character if character.isprintable() and character not in "〘〙" else "?" for character in short
    )
