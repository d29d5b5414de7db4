"""Columns of coloured words: the colour is added when the width is known, and only on a terminal.

The words carry the meaning, the colours only help: what is piped, or written under NO_COLOR, says the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from gateway.cli.layout import width
from gateway.cli.terminal import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# kind → SGR parameters (ECMA-48 8.3.117). The sixteen colours of the terminal's own scheme, so that light
# and dark screens both read; the hues are those of the pictures.
STYLES = {
    "allow": "32",
    "deny": "31",
    "sanitize:mail": "94",
    "sanitize:web": "36",
    "render": "35",
    "file-transfer": "33",
    "guard": "1;31",
    "barred": "31",
    "dormant": "2",
    "audited": "2;3",
    "nothing": "2",
    "heading": "1",
}


class Span(NamedTuple):
    """Words of one kind; a kind without a style is written plainly."""

    text: str
    kind: str = ""


def painted(spans: Sequence[Span], *, color: bool) -> str:
    """Return the words of the spans, each in the colour of its kind; control characters are made visible."""
    return "".join(_painted(span) if color else printable(span.text) for span in spans)


def _painted(span: Span) -> str:
    style = STYLES.get(span.kind)
    if style is None or not span.text.strip():
        return printable(span.text)
    return f"\x1b[{style}m{printable(span.text)}\x1b[0m"


def grid(rows: Sequence[Sequence[Sequence[Span]]], *, color: bool, gap: str = "  ") -> Iterator[str]:
    """Yield each row as a line in which the columns of all rows stand under each other."""
    if not rows:
        return
    widths = [max(_width(row[index]) for row in rows) for index in range(len(rows[0]))]
    for row in rows:
        cells = (
            painted(cell, color=color) + " " * (places - _width(cell))
            for cell, places in zip(row, widths, strict=True)
        )
        yield gap.join(cells).rstrip()


def _width(cell: Sequence[Span]) -> int:
    return sum(width(printable(span.text)) for span in cell)
