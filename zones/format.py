"""The canonical writing of a policy file: one order of keys, one way to quote, one layout; comments stay.

An entry stands on one line where it fits and nothing is said inside it, else key by key. Sections and keys
come in the order of the language reference; entries keep theirs: an order that people chose says something.
Formatting never changes what a file means: the result is read back and compared before it is given out.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import yaml

from zones import wording  # noqa: F401  (declares the words of the problems reported here)
from zones.errors import PolicyError
from zones.merge import SECTIONS_BY_NAME
from zones.schema import PolicyFile
from zones.shape import known_keys, validate
from zones.source import read_document
from zones.written import Comment, Entry, Value, comments_in, read_written

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zones.source import Document
    from zones.written import Written

WIDTH = 120
"""The places an entry may take on one line; a Japanese character takes two."""

_STEP = 2
_NULLS = frozenset({"", "~", "null"})
# Plain only what no YAML reader could take for anything else; a colon only between words (`sanitize:mail`).
_PLAIN = re.compile(r"[^\W_](?:[\w ./+()、。・-]*[^\W_])?(?::[A-Za-z][\w.-]*)?|[^\W_][\w ./+()、。・-]*[)。]")
# Sexagesimal numbers of YAML 1.1: "17:15" would be 1035 to another program, a MAC address as well.
_COLONS = re.compile(r"[0-9A-Fa-f]+(?::[0-9A-Fa-f]+)+")
_RESOLVERS = yaml.SafeLoader.yaml_implicit_resolvers
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def format_text(file: str, text: str) -> str:
    """Return the text of one policy file in its canonical writing.

    Raises:
        PolicyError: the file has problems; a file that is not understood is not rewritten.

    >>> print(format_text("p.yaml", "zones: {a: {networks: ['10.1.0.0/16'], interfaces: [a0]}}"), end="")
    zones:
      a: {interfaces: [a0], networks: [10.1.0.0/16]}
    """
    text = text.removeprefix("\ufeff")
    document = read_document(file, text)
    problems = list(document.problems)
    if not problems:
        validate(document, PolicyFile, problems)
    if problems:
        raise PolicyError(problems)
    written = read_written(text)
    if written.root is None or not written.root.entries:
        return text
    formatted = "\n".join(_Writer().document(written.root)) + "\n"
    _same(document, written, formatted)
    return formatted


def _same(before: Document, written: Written, formatted: str) -> None:
    """Refuse a result that would say something else, or less, than the file did: a mistake of ours."""
    after = read_document(before.file, formatted)
    if before.root is None or after.root is None or before.root.plain() != after.root.plain():
        raise RuntimeError(f"{before.file}: the formatted text means something else")
    if Counter(written.comments) != Counter(comments_in(formatted)):
        raise RuntimeError(f"{before.file}: a comment would be lost")


class _Place(NamedTuple):
    """Where an entry is written: its path in the file, and its indent."""

    path: tuple[str | int, ...]
    indent: int

    @property
    def spaced(self) -> bool:
        """Whether empty lines between entries are kept here: between entries of a section, no deeper."""
        return len(self.path) <= 1


class _Writer:
    def document(self, root: Value) -> Iterator[str]:
        """Yield the lines of a file. What stands above everything stays there, whatever follows it."""
        entries = root.entries or []
        header, entries[0].above = entries[0].above, []
        after_header = bool(header) and entries[0].blank
        yield from self._comments(header, _Place((), 0), first=True)
        for number, entry in enumerate(_ordered(root, ())):
            first = number == 0
            if not first or after_header or (header and entry.above):
                yield ""
            yield from self._comments(entry.above, _Place((), 0), first=True)
            if entry.blank and entry.above:
                yield ""
            yield from self._pair(entry, _Place((), 0))
        if root.foot:
            yield ""
        yield from self._comments(root.foot, _Place((), 0), first=True)

    def _comments(self, comments: list[Comment], place: _Place, *, first: bool) -> Iterator[str]:
        for comment in comments:
            if comment.blank and not first and place.spaced:
                yield ""
            yield " " * place.indent + comment.text
            first = False

    def _block(self, value: Value, place: _Place) -> Iterator[str]:
        """Yield a mapping or list with each entry on lines of its own."""
        for number, entry in enumerate(_ordered(value, place.path)):
            lines = list((self._pair if value.keyed else self._item)(entry, place))
            above = entry.above
            if entry.beside is not None and not value.keyed and not lines[0].endswith(entry.beside):
                above.append(Comment(entry.beside))
            yield from self._comments(above, place, first=number == 0)
            if entry.blank and place.spaced and (number or above):
                yield ""
            yield from lines
        yield from self._comments(value.foot, place, first=False)

    def _pair(self, entry: Entry, place: _Place) -> Iterator[str]:
        key = entry.key
        assert key is not None  # noqa: S101  (entries of a mapping have one)
        name = scalar_text(key)
        below = _Place((*place.path, key.text), place.indent + _STEP)
        lead = " " * place.indent + name + ":"
        line = self._line(entry, below, len(lead) + 1)
        if line is not None:
            yield _with_comment(f"{lead} {line}", entry.beside)
        elif entry.value.entries is None:
            yield _with_comment(f"{lead} {_literal_mark(entry.value)}", entry.beside)
            yield from _literal_lines(entry.value, below.indent)
        else:
            notes = [note for note in (entry.head, entry.beside) if note is not None]
            yield _with_comment(lead, notes[0] if notes else None)
            yield from (" " * below.indent + note for note in notes[1:])
            yield from self._block(entry.value, below)

    def _item(self, entry: Entry, place: _Place) -> Iterator[str]:
        below = _Place((*place.path, 0), place.indent + _STEP)
        lead = " " * place.indent + "- "
        line = self._line(entry, below, len(lead))
        if line is not None:
            yield _with_comment(lead + line, entry.beside)
        elif entry.value.entries is None:
            yield _with_comment(lead + _literal_mark(entry.value), entry.beside)
            yield from _literal_lines(entry.value, below.indent)
        else:
            # What is said above the first key of an item stands above its dash.
            first = _ordered(entry.value, below.path)[0]
            entry.above += first.above
            first.above = []
            lines = self._block(entry.value, below)
            yield lead + next(lines)[below.indent :]
            yield from lines

    def _line(self, entry: Entry, place: _Place, taken: int) -> str | None:
        """Return the value on one line, or None: it does not fit, has comments inside, or is a section."""
        value = entry.value
        if value.entries is None:
            return None if _literal(value) else scalar_text(value)
        if value.entries and (len(place.path) == 1 or entry.head is not None or _spoken(value)):
            return None
        line = _flow(value, place.path)
        return line if line is not None and (taken + _width(line) <= WIDTH or not value.entries) else None


def _flow(value: Value, path: tuple[str | int, ...]) -> str | None:
    if value.entries is None:
        return None if _literal(value) else scalar_text(value)
    parts = []
    for entry in _ordered(value, path):
        step = entry.key.text if entry.key is not None else 0
        part = _flow(entry.value, (*path, step))
        if part is None:
            return None
        parts.append(f"{scalar_text(entry.key)}: {part}" if entry.key is not None else part)
    inner = ", ".join(parts)
    return f"{{{inner}}}" if value.keyed else f"[{inner}]"


def _ordered(value: Value, path: tuple[str | int, ...]) -> list[Entry]:
    """Return the entries of a mapping in the order of the language reference; lists and names as they are."""
    entries = value.entries or []
    if not value.keyed or (len(path) == 1 and path[0] in SECTIONS_BY_NAME):
        return entries
    if path and path[0] in SECTIONS_BY_NAME:
        path = (path[0], *path[2:])  # a host may be called `relay`
    known = _keys(path)
    return sorted(entries, key=lambda entry: known.index(entry.key.text) if entry.key else 0)


@cache
def _keys(path: tuple[str | int, ...]) -> list[str]:
    return known_keys(PolicyFile, path)


def _spoken(value: Value) -> bool:
    """Whether a comment stands anywhere inside."""
    return bool(value.foot) or any(
        entry.above or entry.head or entry.beside or _spoken(entry.value) for entry in value.entries or ()
    )


def _with_comment(line: str, comment: str | None) -> str:
    return line if comment is None else f"{line}  {comment}"


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


# --- scalars ---------------------------------------------------------------------------------------------


def scalar_text(value: Value) -> str:
    """Return a scalar as it is written on one line, in a block or between brackets."""
    text = value.text
    if not value.style and text in _NULLS:
        return "null"
    if _COLONS.fullmatch(text):
        return _quoted(text)
    # What another reader takes for a number, date or truth value keeps the writing it has.
    if _means_more(text):
        return _quoted(text) if value.style else text
    return text if _PLAIN.fullmatch(text) and ": " not in text else _quoted(text)


def _means_more(text: str) -> bool:
    rules = [*_RESOLVERS.get(text[:1], ()), *_RESOLVERS.get(None, ())]
    return any(pattern.match(text) for _, pattern in rules)


def _quoted(text: str) -> str:
    return '"' + "".join(_escaped(character) for character in text) + '"'


def _escaped(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    if character.isprintable() or character == "\u3000":
        return character
    number = ord(character)
    return f"\\u{number:04x}" if number <= 0xFFFF else f"\\U{number:08x}"


def _literal(value: Value) -> bool:
    """Whether a text of several lines can be written line by line (`|`)."""
    lines = value.text.removesuffix("\n").split("\n")
    if len(lines) < 2 or not lines[0] or not lines[-1]:
        return False
    return all(line.isprintable() and not line.startswith(" ") for line in lines)


def _literal_mark(value: Value) -> str:
    return "|" if value.text.endswith("\n") else "|-"


def _literal_lines(value: Value, indent: int) -> Iterator[str]:
    for line in value.text.removesuffix("\n").split("\n"):
        yield " " * indent + line if line else ""
