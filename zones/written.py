"""A policy file as it is written: values in order, with the comments that belong to each.

Reading is done by the YAML parser; what it throws away (comments, blank lines) is found between the scalars
it reports, because a `#` outside every scalar begins a comment. A comment belongs to what it stands beside,
else to what follows it; one that is indented deeper than what follows ends the block before it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

Position = tuple[int, int]
"""Line and column, counted from 0 as the parser counts them."""

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# The line breaks that the parser counts (YAML 1.1); `str.splitlines` knows others.
_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
_BLOCK_STYLES = ("|", ">")


@dataclass(slots=True)
class Comment:
    """A comment with its `#`; `blank` says that an empty line stands before it."""

    text: str
    blank: bool = False


@dataclass(slots=True)
class Value:
    """A scalar (`entries` is None), or a mapping or list with its entries in order.

    `foot` are the comments after the last entry.
    """

    text: str
    style: str | None
    start: Position
    end: Position
    flow: bool = False
    keyed: bool = False
    entries: list[Entry] | None = None
    foot: list[Comment] = field(default_factory=list)


@dataclass(slots=True)
class Entry:
    """One key with its value, or one item of a list.

    `head` is the comment beside a key that opens a block, `beside` the one after the value.
    """

    key: Value | None
    value: Value
    start: Position
    blank: bool = False
    above: list[Comment] = field(default_factory=list)
    head: str | None = None
    beside: str | None = None

    @property
    def end(self) -> Position:
        """Where the value ends."""
        return self.value.end


class Written(NamedTuple):
    """A file as written: its value (None for one that holds none), and all its comments in order."""

    root: Value | None
    comments: tuple[str, ...]


def read_written(text: str) -> Written:
    """Return a file as it is written.

    The text must be one that `zones.source.read_document` found nothing wrong with.
    """
    node = yaml.compose(text, Loader=_LOADER)
    lines = _BREAK.split(text)
    found = list(_found(node, lines))
    root = _value(node, lines) if node is not None else None
    if root is not None:
        _attach(root, lines, found)
    return Written(root, tuple(comment for _, _, comment in found))


def _attach(root: Value, lines: list[str], found: list[tuple[int, int, str]]) -> None:
    places = _Places(root)
    for line, column, comment in found:
        own = not lines[line][:column].strip(" \t\ufeff")
        blank = own and line > 0 and not lines[line - 1].strip()
        if own or not places.beside((line, column), comment):
            _place_above(root, (line, column), Comment(comment, blank))


def comments_in(text: str) -> tuple[str, ...]:
    """Return every comment of a well-formed file, with its `#`, in order."""
    return tuple(comment for _, _, comment in _found(yaml.compose(text, Loader=_LOADER), _BREAK.split(text)))


def _found(node: Any, lines: list[str]) -> Iterator[tuple[int, int, str]]:
    """Yield line, column and text of every comment."""
    spans = _spans(node) if node is not None else {}
    for number, line in enumerate(lines):
        at = _comment_start(line, spans.get(number, ()))
        if at is not None:
            yield number, at, line[at:].rstrip()


def _comment_start(line: str, taken: Any) -> int | None:
    at = line.find("#")
    while at >= 0:
        inside = next((last for first, last in taken if first <= at < last), None)
        if inside is None:
            return at
        at = line.find("#", inside) if inside <= len(line) else -1
    return None


def _spans(root: Any) -> dict[int, list[tuple[int, int]]]:
    """Return, by line, the columns that scalars take."""
    spans: dict[int, list[tuple[int, int]]] = {}
    endless = 1 << 30
    for node in _scalars(root):
        first, last = node.start_mark, node.end_mark
        if node.style in _BLOCK_STYLES:
            # The line of the indicator may end in a comment; the lines below are text.
            for number in range(first.line + 1, last.line if last.column == 0 else last.line + 1):
                spans.setdefault(number, []).append((0, endless))
            continue
        for number in range(first.line, last.line + 1):
            begin = first.column if number == first.line else 0
            end = last.column if number == last.line else endless
            spans.setdefault(number, []).append((begin, end))
    return spans


def _scalars(node: Any) -> Iterator[Any]:
    if isinstance(node, yaml.ScalarNode):
        yield node
        return
    for child in node.value:
        for part in child if isinstance(child, tuple) else (child,):
            yield from _scalars(part)


def _value(node: Any, lines: list[str]) -> Value:
    start = (node.start_mark.line, node.start_mark.column)
    end = (node.end_mark.line, node.end_mark.column)
    if isinstance(node, yaml.ScalarNode):
        if node.style in _BLOCK_STYLES:
            # Its end is wherever the next token begins; its header is what a comment can stand beside.
            end = (start[0], len(lines[start[0]].partition("#")[0].rstrip()))
        return Value(node.value, node.style, start, end)
    keyed = isinstance(node, yaml.MappingNode)
    pairs = node.value if keyed else [(None, item) for item in node.value]
    entries = [_entry(key, value, lines) for key, value in pairs]
    flow = bool(node.flow_style)
    if not flow and entries:
        end = entries[-1].end
    return Value("", None, start, end, flow, keyed, entries)


def _entry(key: Any, node: Any, lines: list[str]) -> Entry:
    value = _value(node, lines)
    name = _value(key, lines) if key is not None else None
    start = name.start if name is not None else value.start
    return Entry(name, value, start, blank=start[0] > 0 and not lines[start[0] - 1].strip())


class _Places:
    """What ends, or opens, on each line: what a comment at the end of that line is about."""

    def __init__(self, root: Value) -> None:
        self._ends: dict[int, list[tuple[int, int, Entry, str]]] = {}
        self._collect(root, 0)

    def _collect(self, value: Value, depth: int) -> None:
        for entry in value.entries or ():
            self._note(entry.end, depth, entry, "end")
            if entry.key is not None and entry.value.start[0] > entry.key.end[0]:
                self._note(entry.key.end, depth, entry, "key")
            if entry.value.flow and entry.value.entries:
                line, column = entry.value.start
                self._note((line, column + 1), depth, entry, "open")
            self._collect(entry.value, depth + 1)

    def _note(self, position: Position, depth: int, entry: Entry, what: str) -> None:
        self._ends.setdefault(position[0], []).append((position[1], depth, entry, what))

    def beside(self, position: Position, comment: str) -> bool:
        """Attach a comment to what stands before it on its line; False when nothing does."""
        before = [place for place in self._ends.get(position[0], ()) if place[0] <= position[1]]
        if not before:
            return False
        _, _, entry, what = max(before, key=lambda place: place[:2])
        if what == "end" and entry.beside is None:
            entry.beside = comment
        elif what == "key" and entry.value.entries:
            entry.head = comment
        elif what == "key":
            entry.above.append(Comment(comment))
        else:
            return False
        return True


def _place_above(value: Value, position: Position, comment: Comment) -> None:
    """Attach a comment to the entry that follows it, or to the end of the block it closes."""
    entries = value.entries or []
    last = None
    for entry in entries:
        if entry.start > position:
            break
        last = entry
    if last is not None:
        inner = last.value
        if position < inner.start or (inner.flow and not inner.entries and position < inner.end):
            (inner.entries[0] if inner.entries and not inner.flow else last).above.append(comment)
            return
        if inner.entries and _within(value, inner, position):
            _place_above(inner, position, comment)
            return
    following = entries[0] if last is None and entries else None
    if last is not None:
        place = next(number for number, entry in enumerate(entries) if entry is last)
        following = entries[place + 1] if place + 1 < len(entries) else None
    (following.above if following is not None else value.foot).append(comment)


def _within(outer: Value, inner: Value, position: Position) -> bool:
    if position < inner.end or inner.flow:
        return position < inner.end
    return position[1] >= inner.start[1] and position[1] > outer.start[1]
