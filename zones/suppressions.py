"""What the files themselves accept of lint: `lint: {ignore: [{code, because, until}]}` of any entry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zones.expiry import end_of_day
from zones.model import Suppression

if TYPE_CHECKING:
    from collections.abc import Iterator
    from zoneinfo import ZoneInfo

    from zones.merge import Merged
    from zones.source import Document


def suppressions_of(merged: Merged, timezone: ZoneInfo) -> Iterator[Suppression]:
    """Yield every accepted finding; only `meta` may speak of other entries than its own (`on`)."""
    for section, name, document, path, entry in _entries(merged):
        lint = getattr(entry, "lint", None)
        for index, ignore in enumerate(lint.ignore if lint is not None else ()):
            place = (*path, "lint", "ignore", index)
            line, column = document.root.place(place) if document.root else (0, 0)
            for meant in getattr(ignore, "on", None) or (name,):
                yield Suppression(
                    code=ignore.code,
                    section=section,
                    name=meant,
                    because=ignore.because,
                    until=ignore.until,
                    until_at=end_of_day(ignore.until, timezone) if ignore.until else None,
                    line=line,
                    column=column,
                    file=document.file,
                )


def _entries(merged: Merged) -> Iterator[tuple[str, str, Document, tuple[str | int, ...], Any]]:
    """Yield section, name, document and path of every entry that can hold `lint`."""
    if merged.meta is not None:
        document, meta = merged.meta
        yield "meta", "", document, ("meta",), meta
    for section, named in merged.named.items():
        for name, (document, entry) in named.items():
            yield section, name, document, (section, name), entry
    for section in ("guards", "flows"):
        for document, index, entry in merged.ordered[section]:
            yield section, entry.id, document, (section, index), entry
