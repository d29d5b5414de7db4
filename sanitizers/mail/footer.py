"""The end of every body we write: what was removed, hidden, changed, and under which number to ask."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sanitizers.artefact import Removed
    from sanitizers.mail.limits import Ledger

TITLE = "mail-footer-title"
_MAX_LISTED = 100


def footer(ledger: Ledger, provenance_id: str) -> str:
    """Return the footer as lines; the first is the only line of a body that can be the footer's title."""
    voice = ledger.voice
    lines = [voice.title(TITLE), voice.say("mail-footer-rewritten")]
    lines += _removed(ledger)
    lines += [f"- {voice.say(note.code, count=note.count, detail=note.detail)}" for note in ledger.notes()]
    lines += _charsets(ledger)
    if provenance_id:
        lines.append(voice.say("mail-footer-number", number=provenance_id))
    return "\n".join(lines)


def _removed(ledger: Ledger) -> list[str]:
    if not ledger.removed:
        return []
    lines = [f"- {ledger.voice.say('mail-footer-removed', count=len(ledger.removed))}"]
    for number, removed in enumerate(ledger.removed[:_MAX_LISTED], 1):
        lines += _entry(number, removed, ledger)
    if len(ledger.removed) > _MAX_LISTED:
        lines.append(f"  {ledger.voice.say('mail-footer-more', count=len(ledger.removed) - _MAX_LISTED)}")
    return lines


def _entry(number: int, removed: Removed, ledger: Ledger) -> list[str]:
    name = removed.name or ledger.voice.say("mail-footer-unnamed")
    kind = removed.media_type or removed.kind
    size = ledger.voice.say("mail-footer-size", size=f"{removed.size_bytes:,}")
    return [f"  {number}. {name} ({kind}, {size})", f"     SHA-256 {removed.sha256}"]


def _charsets(ledger: Ledger) -> list[str]:
    unsure = {reading.used for reading in ledger.charsets if reading.confidence in {"guessed", "damaged"}}
    if not unsure:
        return []
    return [f"- {ledger.voice.say('mail-footer-charset', charset=', '.join(sorted(unsure)))}"]
