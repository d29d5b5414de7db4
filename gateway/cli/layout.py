"""Columns of text that hold in a terminal: a Japanese character takes two places."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


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
