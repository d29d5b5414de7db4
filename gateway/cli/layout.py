"""Text that holds in a terminal, where a Japanese character takes two places: columns, and folded lines."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


MIN_COLUMNS = 40
"""A terminal narrower than this folds lines by itself: there is no room for a hanging indent."""

# A line may end after a blank and between two wide characters. What follows JIS X 4051: closing marks do not
# begin a line, opening ones do not end it.
_CLOSING = "、。,.・:;?!)」』】〉》]}〕ー々…ぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮ、。,.!?:;)]}"
_OPENING = "(「『【〈《[{〔([{"
_WORD = re.compile(r"\s+|[^\s\u2e80-\ua4cf\uac00-\ud7af\uf900-\ufaff\uff00-\uffee]+|.", re.DOTALL)


def width(text: str) -> int:
    """Return the number of places `text` takes in a terminal (UAX #11: wide and full-width are two).

    >>> width("gate 門")
    7
    """
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text
    )


def padded(text: str, places: int) -> str:
    """Return `text` followed by blanks up to `places`."""
    return text + " " * max(places - width(text), 0)


def columns(rows: Sequence[Sequence[str]], gap: str = "  ") -> Iterator[str]:
    """Yield each row as a line in which the columns of all rows stand under each other."""
    if not rows:
        return
    widths = [max(width(row[index]) for row in rows) for index in range(len(rows[0]))]
    for row in rows:
        yield gap.join(padded(cell, places) for cell, places in zip(row, widths, strict=True)).rstrip()


def folded(text: str, columns: int, *, hang: int | None = None) -> Iterator[str]:
    """Yield `text` in lines of at most `columns` places, the later ones indented by `hang`.

    Without `hang` they stand two places further in than the first. A word that is longer than a line stays
    whole: an address or a path must be there to copy. Zero `columns` (no terminal), and a terminal narrower
    than `MIN_COLUMNS`, leave the text as it is.

    >>> list(folded("a: 許可するフローがない、何も", 40, hang=3))
    ['a: 許可するフローがない、何も']
    """
    if columns < MIN_COLUMNS or width(text) <= columns:
        yield text
        return
    first = len(text) - len(text.lstrip())
    later = " " * min(first + 2 if hang is None else hang, columns // 2)
    line = text[:first]
    for unit in pieces(text[first:]):
        if line.strip() and width(line) + width(unit.rstrip()) > columns:
            yield line.rstrip()
            line = later + unit.lstrip()
        else:
            line += unit
    yield line.rstrip()


def pieces(text: str) -> Iterator[str]:
    """Yield the pieces of `text` between which a line may end; the blanks after a piece belong to it."""
    unit = ""
    for piece in _WORD.findall(text):
        glued = piece.isspace() or piece[0] in _CLOSING or (unit and unit[-1] in _OPENING)
        if unit and not glued:
            yield unit
            unit = ""
        unit += piece
    if unit:
        yield unit
