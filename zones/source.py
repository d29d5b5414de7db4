"""YAML text → a tree in which every node knows its line and column.

Only the plain part of YAML is read: no aliases (an expansion bomb, and two places that change together),
no tags, no second document, no duplicate keys. Scalars stay text; the schema gives them their type, so
that `no`, `1e3` and `08` mean what they say. Built from parser events without recursion: nesting is
counted before memory is spent.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

from zones.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_BYTES = 32 * 1024 * 1024
MAX_DEPTH = 16
_NULLS = frozenset({"", "~", "null"})
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(slots=True)
class Node:
    """A scalar, list or mapping with its place (1-based).

    `value` is None, text, a list of nodes or a dict of nodes.
    """

    value: Any
    line: int
    column: int
    keys: dict[str, tuple[int, int]] = field(default_factory=dict)

    def plain(self) -> Any:
        """Return the same tree as ordinary lists, dicts, strings and None."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value

    def place(self, path: Sequence[str | int]) -> tuple[int, int]:
        """Return line and column of the value at `path`, or of the nearest parent that exists."""
        node = self
        for step in path:
            child = node._child(step)
            if child is None:
                # Not a value but a key (an unknown one): point at the key itself.
                return node.keys.get(str(step), (node.line, node.column))
            node = child
        return node.line, node.column

    def key_place(self, path: Sequence[str | int]) -> tuple[int, int]:
        """Return line and column of the key that leads to `path`."""
        parent = self
        for step in path[:-1]:
            child = parent._child(step)
            if child is None:
                return self.place(path)
            parent = child
        return parent.keys.get(str(path[-1])) or self.place(path)

    def _child(self, step: str | int) -> Node | None:
        if isinstance(self.value, dict):
            return self.value.get(str(step))
        if isinstance(self.value, list) and isinstance(step, int) and step < len(self.value):
            found: Node = self.value[step]
            return found
        return None


@dataclass(slots=True)
class Document:
    """One file read: its tree (None when it could not be read) and what is wrong with it as YAML.

    `order` says, for a list from which validation took entries out, where those left over stand in the file.
    """

    file: str
    root: Node | None
    problems: list[Problem] = field(default_factory=list)
    order: dict[str, list[int]] = field(default_factory=dict)

    @property
    def unread(self) -> bool:
        """Whether the file could not be read as YAML: nobody knows what it would have defined."""
        return self.root is None and bool(self.problems)

    def position(self, section: str, index: int) -> int:
        """Return where in the file the entry stands that validation left at `index` of a section."""
        order = self.order.get(section)
        return order[index] if order is not None else index

    def problem(
        self, code: str, path: Sequence[str | int], /, *, at_key: bool = False, **params: object
    ) -> Problem:
        """Return a problem at the value (or with `at_key` the key) at `path`."""
        line, column = (1, 1)
        if self.root is not None:
            line, column = self.root.key_place(path) if at_key and path else self.root.place(path)
        return Problem(
            code=code, file=self.file, line=line, column=column, path=".".join(map(str, path)), params=params
        )


def read_document(file: str, text: str) -> Document:
    """Return the tree of one YAML file; never raises for its content."""
    if len(text) > MAX_BYTES:
        return Document(file, None, [_at(file, 1, 1, "yaml-too-large", seen=len(text), limit=MAX_BYTES)])
    builder = _Builder(file)
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            builder.take(event)
            if builder.hopeless:
                break
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        builder.report(line, column, "yaml-syntax", detail=error.problem or error.context or "")
        builder.root = None
    except (yaml.YAMLError, ValueError) as error:
        # A reader error (NUL, invalid UTF-8 surrogates) carries a position in characters, not a mark.
        position = int(getattr(error, "position", 0) or 0)
        line = text.count("\n", 0, position) + 1
        builder.report(line, 1, "yaml-syntax", detail=str(getattr(error, "reason", error)))
        builder.root = None
    return Document(file, builder.root, builder.problems)


def _at(file: str, line: int, column: int, code: str, **params: object) -> Problem:
    return Problem(code=code, file=file, line=line, column=column, params=params)


class _Builder:
    """Puts parser events together; an explicit stack instead of recursion."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.root: Node | None = None
        self.problems: list[Problem] = []
        self.hopeless = False
        self._stack: list[Node] = []
        self._key: list[str | None] = []
        self._documents = 0

    def report(self, line: int, column: int, code: str, **params: object) -> None:
        self.problems.append(_at(self.file, line, column, code, **params))

    def take(self, event: Any) -> None:
        kind = type(event)
        if kind is yaml.ScalarEvent:
            self._scalar(event)
        elif kind in (yaml.MappingStartEvent, yaml.SequenceStartEvent):
            self._open(event, {} if kind is yaml.MappingStartEvent else [])
        elif kind in (yaml.MappingEndEvent, yaml.SequenceEndEvent):
            self._stack.pop()
            self._key.pop()
        elif kind is yaml.AliasEvent:
            self._stop(event, "yaml-alias")
        elif kind is yaml.DocumentStartEvent:
            self._documents += 1
            if self._documents > 1:
                self._stop(event, "yaml-documents")

    def _stop(self, event: Any, code: str, **params: object) -> None:
        self.report(event.start_mark.line + 1, event.start_mark.column + 1, code, **params)
        self.root, self.hopeless = None, True

    def _scalar(self, event: Any) -> None:
        mark = event.start_mark
        if event.anchor or (event.tag is not None and not event.implicit[0]):
            self._stop(event, "yaml-alias" if event.anchor else "yaml-tag", tag=event.tag)
            return
        parent = self._stack[-1] if self._stack else None
        if parent is not None and isinstance(parent.value, dict) and self._key[-1] is None:
            self._take_key(parent, event.value, mark.line + 1, mark.column + 1)
            return
        plain = event.style is None or event.style == ""
        value = None if plain and event.value in _NULLS else event.value
        self._place(Node(value, mark.line + 1, mark.column + 1))

    def _take_key(self, parent: Node, key: str, line: int, column: int) -> None:
        if key in parent.keys:
            first = parent.keys[key]
            self.report(line, column, "duplicate-key", key=key, first=first[0])
        parent.keys.setdefault(key, (line, column))
        self._key[-1] = key

    def _open(self, event: Any, value: Any) -> None:
        mark = event.start_mark
        if event.anchor or event.tag is not None:
            self._stop(event, "yaml-alias" if event.anchor else "yaml-tag", tag=event.tag)
            return
        if len(self._stack) >= MAX_DEPTH:
            self._stop(event, "yaml-too-deep", limit=MAX_DEPTH)
            return
        parent = self._stack[-1] if self._stack else None
        if parent is not None and isinstance(parent.value, dict) and self._key[-1] is None:
            self._stop(event, "yaml-key")
            return
        node = Node(value, mark.line + 1, mark.column + 1)
        self._place(node)
        self._stack.append(node)
        self._key.append(None)

    def _place(self, node: Node) -> None:
        if not self._stack:
            self.root = node
            return
        parent = self._stack[-1]
        if isinstance(parent.value, list):
            parent.value.append(node)
            return
        key = self._key[-1]
        self._key[-1] = None
        # The first of two equal keys stays; the second is reported already.
        parent.value.setdefault(key, node)
