"""Patch: entries put into policy files; every other line stays as it is, byte for byte.

New flows follow the last flow of the file that holds the flows, in the indent found there; where flows are
in several files, or in none, they go to a file of their own. Comments and layout are never touched, because
nothing is rewritten: text is only inserted. The result is read back and compared before it is given out.
"""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, NamedTuple

from gateway.suggest.entries import NamedEntry
from zones.errors import ConfigurationError
from zones.source import read_document
from zones.written import read_written

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from gateway.suggest.entries import Addition, FlowEntry
    from zones.written import Entry, Position, Value

_SECTIONS = ("hosts", "groups", "flows")
# The line breaks that the YAML parser counts (YAML 1.1).
_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
_STEP = "  "
_LITERALS = ("|", ">")


class Edit(NamedTuple):
    """Text to insert, and where (characters from the start)."""

    offset: int
    text: str


def insert(sources: Mapping[str, str], addition: Addition, new_file: str | None) -> dict[str, str]:
    """Return the files of a policy with the entries added; `new_file` is the name of one that may be made.

    Without `new_file` everything goes into the one file there is. The files must be free of problems.

    Raises:
        ConfigurationError: a file is written in a way that nothing can be inserted into.
    """
    written = {file: read_written(text).root for file, text in sources.items()}
    result = dict(sources)
    by_file: dict[str, list[tuple[str, tuple[FlowEntry | NamedEntry, ...]]]] = {}
    target = _file_for("flows", written, new_file)
    for section in _SECTIONS:
        entries: tuple[FlowEntry | NamedEntry, ...] = getattr(addition, section)
        if entries:
            holding = [file for file, root in written.items() if _section(root, section) is not None]
            file = target if section == "flows" or len(holding) != 1 else holding[0]
            by_file.setdefault(file, []).append((section, entries))
    for file, parts in by_file.items():
        text = sources.get(file, "")
        result[file] = _with(text, [edit for part in parts for edit in _edits(text, *part)])
        _unharmed(file, text, result[file], parts)
    return result


def _file_for(section: str, written: Mapping[str, Value | None], new_file: str | None) -> str:
    holding = [file for file, root in written.items() if _section(root, section) is not None]
    if new_file is None or len(holding) == 1:
        return (holding or list(written))[0]
    return new_file


def _section(root: Value | None, section: str) -> Entry | None:
    entries = (root.entries or ()) if root is not None else ()
    return next((entry for entry in entries if entry.key is not None and entry.key.text == section), None)


def _edits(text: str, section: str, entries: tuple[FlowEntry | NamedEntry, ...]) -> Iterator[Edit]:
    root = read_written(text).root
    entry = _section(root, section)
    listed = section == "flows"
    if root is not None and root.flow:
        yield _into_braces(
            text, root if entry is None else entry.value, section, entries, whole=entry is None
        )
    elif entry is None:
        yield _at_the_end(text, section, entries)
    elif entry.value.flow:
        yield _into_braces(text, entry.value, section, entries, whole=False)
    elif entry.value.entries:
        indent = " " * _indent(text, entry.value.entries[-1], listed=listed)
        row = _last_row(_BREAK.split(text), entry.value.entries[-1])
        yield _whole_lines(text, _offset(text, (row + 1, 0)), _block(entries, indent))
    # A section without a value cannot be told from a mistake: `_unharmed` says so.


def _block(entries: Iterable[FlowEntry | NamedEntry], indent: str) -> list[str]:
    return [indent + line for entry in entries for line in entry.block()]


def _indent(text: str, entry: Entry, *, listed: bool) -> int:
    """Return the column of an entry: of its dash in a list."""
    line, column = entry.start
    if not listed:
        return column
    before = _BREAK.split(text)[line][:column].rstrip()
    return len(before) - 1 if before.endswith("-") else max(0, column - 2)


def _last_row(lines: list[str], entry: Entry) -> int:
    """Return the line on which an entry ends. A literal is known by its head: its text is indented deeper."""
    while entry.value.entries and not entry.value.flow:
        entry = entry.value.entries[-1]
    row = entry.end[0]
    if entry.value.style not in _LITERALS:
        return row
    line, column = entry.start
    indent = column if entry.key is not None else lines[line][:column].rfind("-")
    last = row
    for row in range(last + 1, len(lines)):
        text = lines[row]
        if text.strip() and len(text) - len(text.lstrip(" ")) <= indent:
            break
        last = row if text.strip() else last
    return last


def _at_the_end(text: str, section: str, entries: Iterable[FlowEntry | NamedEntry]) -> Edit:
    lines = [f"{section}:", *_block(entries, _STEP)]
    return _whole_lines(text, len(text), lines if not text.strip() else ["", *lines])


def _whole_lines(text: str, offset: int, lines: list[str]) -> Edit:
    newline = "\r\n" if "\r\n" in text else "\n"
    block = newline.join(lines)
    if offset and text[offset - 1] not in "\r\n":
        return Edit(offset, newline + block)  # the last line has no end, and still has none
    return Edit(offset, block + newline)


def _into_braces(
    text: str, value: Value, section: str, entries: tuple[FlowEntry | NamedEntry, ...], *, whole: bool
) -> Edit:
    """Return the edit of a value between braces or brackets: behind its last entry, or after the bracket."""
    inner = ", ".join(entry.inline() for entry in entries)
    if whole:
        inner = f"{section}: " + (f"[{inner}]" if section == "flows" else f"{{{inner}}}")
    if value.entries:
        return Edit(_offset(text, value.entries[-1].end), f", {inner}")
    return Edit(_offset(text, value.start) + 1, inner)


def _offset(text: str, position: Position) -> int:
    line, column = position
    start = 0
    for _ in range(line):
        found = _BREAK.search(text, start)
        if found is None:
            return len(text)
        start = found.end()
    return start + column


def _with(text: str, edits: list[Edit]) -> str:
    # From the end, so that what is still to come keeps its place; of two at one place the first stays first.
    for _, edit in sorted(enumerate(edits), key=lambda item: (-item[1].offset, -item[0])):
        text = text[: edit.offset] + edit.text + text[edit.offset :]
    return text


def _unharmed(
    file: str, before: str, after: str, parts: list[tuple[str, tuple[FlowEntry | NamedEntry, ...]]]
) -> None:
    """Refuse a result that does not say what the file said, and the new entries, and nothing else."""
    old, new = read_document(file, before).root, read_document(file, after).root
    expected = old.plain() if old is not None else None
    expected = expected if isinstance(expected, dict) else {}
    for section, entries in parts:
        if section == "flows":
            expected[section] = [*(expected.get(section) or []), *(entry.plain for entry in entries)]
        else:
            named = {entry.name: entry.plain for entry in entries if isinstance(entry, NamedEntry)}
            expected[section] = {**(expected.get(section) or {}), **named}
    if new is None or new.plain() != expected:
        raise ConfigurationError("suggest-not-inserted", file=file)


# --- as a patch ---


def unified(before: Mapping[str, str], after: Mapping[str, str], names: Mapping[str, str]) -> str:
    """Return the difference as `patch -p0` and `git apply -p0` read it; `names` are the paths to write."""
    return "".join(
        line
        for file in sorted(after, key=lambda file: names[file])
        if before.get(file) != after[file]
        for line in _difference(before.get(file), after[file], names[file])
    )


def _difference(before: str | None, after: str, name: str) -> Iterator[str]:
    # A name with a space ends at the tab.
    label = f"{name}\t" if " " in name else name
    old = _lines(before or "")
    lines = difflib.unified_diff(old, _lines(after), label if before is not None else "/dev/null", label)
    for line in lines:
        yield line
        if not line.endswith("\n"):
            yield "\n\\ No newline at end of file\n"


def _lines(text: str) -> list[str]:
    """Return the lines as `patch` counts them: only a line feed ends one."""
    return [line for line in re.split(r"(?<=\n)", text) if line]
