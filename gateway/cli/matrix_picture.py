"""The matrix as one self-contained SVG: a coloured label for each way that is open between two ends."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from gateway.cli.layout import width
from gateway.cli.matrix import LETTERS, legend, parts_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from zones.matrix import Matrix

# kind → fill and text colour, with a contrast of at least 4.5 (WCAG AA). The words carry the meaning, the
# colours only help.
COLOURS = {
    "allow": ("#cdeac0", "#1e4620"),
    "deny": ("#d9d9d9", "#333333"),
    "sanitize:mail": ("#bfdcf7", "#0b3a63"),
    "sanitize:web": ("#c4eef0", "#0b4a50"),
    "render": ("#dccff5", "#3d2170"),
    "file-transfer": ("#fde5b0", "#5c3d00"),
    "guard": ("#b23a48", "#ffffff"),
    "barred": ("#f7dfe2", "#7a1f2b"),
    "dormant": ("#ececec", "#5a5a5a"),
    "audited": ("#ececec", "#5a5a5a"),
    "nothing": ("none", "#8a8a8a"),
}
_FONT = "font-family=\"'Noto Sans CJK JP','Noto Sans JP',sans-serif\""
_LABEL_HEIGHT, _LINE, _PLACE, _MARGIN, _HEAD = 20, 24, 7.4, 24, 64


def picture(matrix: Matrix, say: Callable[..., str], *, title: str, note: str, compact: bool = False) -> str:
    """Return the matrix as SVG; `compact` has one letter a cell and numbers over the columns."""
    body = _Compact(matrix, say) if compact else _Full(matrix, say)
    marks = list(body.marks())
    top = body.height + _HEAD + 28
    notes = list(_legend(matrix, say, top, compact=compact))
    total_width = max(body.width + 2 * _MARGIN, 760)
    total_height = top + _LINE * (len(notes) // 2 + 1) + _MARGIN
    return "\n".join(
        [
            _opening(total_width, total_height),
            f"<title>{escape(title)}</title>",
            '<rect width="100%" height="100%" fill="#ffffff"/>',
            _words(_MARGIN, 30, title, size=16, weight="bold"),
            _words(_MARGIN, 48, note, colour="#666666"),
            *marks,
            *notes,
            "</svg>",
        ]
    )


def _opening(wide: float, high: float) -> str:
    size = f'viewBox="0 0 {wide:.0f} {high:.0f}" width="{wide:.0f}" height="{high:.0f}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} {_FONT} font-size="12">'


class _Full:
    """Zones: every cell as wide as its widest label, as high as its row's fullest cell."""

    def __init__(self, matrix: Matrix, say: Callable[..., str]) -> None:
        self.names = matrix.names
        self.cells = {pair: parts_of(cell, say) for pair, cell in matrix.cells.items()}
        texts = [text for parts in self.cells.values() for _, text in parts] + list(self.names)
        self.cell_width = max(width(text) for text in texts) * _PLACE + 28
        self.row_head = max(width(name) for name in self.names) * 8 + 24
        self.heights = [max(self._labels(name), 1) * (_LABEL_HEIGHT + 4) + 12 for name in self.names]
        self.width = self.row_head + self.cell_width * len(self.names)
        self.height = 28 + sum(self.heights)

    def _labels(self, source: str) -> int:
        return max(len(self.cells.get((source, destination), ())) for destination in self.names)

    def marks(self) -> Iterator[str]:
        for index, name in enumerate(self.names):
            middle = _MARGIN + self.row_head + self.cell_width * (index + 0.5)
            yield _words(middle, _HEAD + 18, name, weight="bold", anchor="middle")
        top = _HEAD + 28.0
        for source, height in zip(self.names, self.heights, strict=True):
            yield _words(_MARGIN, top + height / 2 + 4, source, weight="bold")
            for index, destination in enumerate(self.names):
                left = _MARGIN + self.row_head + self.cell_width * index
                yield from self._cell((source, destination), left, top, height)
            top += height

    def _cell(self, pair: tuple[str, str], left: float, top: float, height: float) -> Iterator[str]:
        fill = "#f4f4f4" if pair[0] == pair[1] else "#ffffff"
        yield _box(left, top, self.cell_width, height, fill, stroke="#c8c8c8")
        for line, (kind, text) in enumerate(self.cells.get(pair, ())):
            place = top + 6 + line * (_LABEL_HEIGHT + 4)
            yield from _label(kind, text, left + 6, place + 1, self.cell_width - 12)


class _Compact:
    """Hosts: a square a cell, coloured by the first thing that stands in it."""

    _SIDE = 18

    def __init__(self, matrix: Matrix, say: Callable[..., str]) -> None:
        self.matrix = matrix
        self.cells = {pair: parts_of(cell, say) for pair, cell in matrix.cells.items()}
        self.row_head = max((width(name) for name in matrix.names), default=0) * _PLACE + 48
        self.width = self.row_head + self._SIDE * len(matrix.names)
        self.height = 28 + self._SIDE * len(matrix.names)

    def marks(self) -> Iterator[str]:
        names, side = self.matrix.names, self._SIDE
        for index in range(len(names)):
            middle = _MARGIN + self.row_head + side * (index + 0.5)
            yield _words(middle, _HEAD + 20, str(index + 1), size=9, anchor="middle")
        for row, source in enumerate(names):
            top = _HEAD + 28 + side * row
            yield _words(_MARGIN, top + 13, f"{row + 1}  {source}", size=11)
            for column, destination in enumerate(names):
                left = _MARGIN + self.row_head + side * column
                yield from self._cell((source, destination), left, top)

    def _cell(self, pair: tuple[str, str], left: float, top: float) -> Iterator[str]:
        parts = self.cells.get(pair, [])
        kind = next((kind for kind, _ in parts if kind in LETTERS), "nothing")
        fill, colour = COLOURS[kind]
        same = self.matrix.zones[pair[0]] == self.matrix.zones[pair[1]]
        empty = "#f4f4f4" if same else "#ffffff"
        words = escape(f"{pair[0]} → {pair[1]}: {', '.join(text for _, text in parts)}")
        yield "<g>"
        yield f"<title>{words}</title>"
        yield _box(left, top, self._SIDE, self._SIDE, empty if fill == "none" else fill, stroke="#dddddd")
        if kind in LETTERS:
            middle = left + self._SIDE / 2
            yield _words(middle, top + 13, LETTERS[kind], size=10, colour=colour, anchor="middle")
        yield "</g>"


def _legend(matrix: Matrix, say: Callable[..., str], top: float, *, compact: bool) -> Iterator[str]:
    """Yield label and meaning of every kind, one a line of 24; and in the end what the diagonal means."""
    entries = [entry for entry in legend(matrix, say) if not compact or entry[0] in LETTERS]
    wide = max((width(sample) for _, sample, _ in entries), default=0) * _PLACE + 28
    for line, (kind, sample, meaning) in enumerate(entries):
        letter = f"{LETTERS[kind]} · " if compact else ""
        yield "".join(_label(kind, sample, _MARGIN, top + line * _LINE, wide))
        yield _words(_MARGIN + wide + 12, top + line * _LINE + 14, letter + meaning)
    yield _words(_MARGIN, top + len(entries) * _LINE + 14, say("matrix-legend-within"), colour="#666666")


def _label(kind: str, text: str, left: float, top: float, wide: float) -> Iterator[str]:
    fill, colour = COLOURS[kind]
    if fill != "none":
        yield _box(left, top, wide, _LABEL_HEIGHT, fill, radius=4)
    yield _words(left + wide / 2, top + 14.5, text, colour=colour, anchor="middle")


def _box(
    left: float, top: float, wide: float, high: float, fill: str, *, stroke: str = "none", radius: int = 0
) -> str:
    return (
        f'<rect x="{left:.1f}" y="{top:.1f}" width="{wide:.1f}" height="{high:.1f}" rx="{radius}" '
        f'fill="{fill}" stroke="{stroke}"/>'
    )


def _words(
    left: float,
    baseline: float,
    text: str,
    *,
    size: int = 12,
    weight: str = "normal",
    colour: str = "#222222",
    anchor: str = "start",
) -> str:
    return (
        f'<text x="{left:.1f}" y="{baseline:.1f}" font-size="{size}" font-weight="{weight}" '
        f'fill="{colour}" text-anchor="{anchor}">{escape(text)}</text>'
    )
