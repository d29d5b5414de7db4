"""Where the entries of a policy stand in its files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zones.lint.finding import Place, Subject

if TYPE_CHECKING:
    from collections.abc import Iterable

    from zones.source import Document, Node


class Places:
    """The place of every named entry, and of the values inside it."""

    def __init__(self, documents: Iterable[Document]) -> None:
        self._entries: dict[Subject, tuple[str, Node]] = {}
        for document in documents:
            sections = document.root.value if document.root is not None else None
            for section, node in sections.items() if isinstance(sections, dict) else ():
                self._take(document.file, section, node)

    def _take(self, file: str, section: str, node: Node) -> None:
        if section in ("meta", "management"):
            self._entries[Subject(section)] = (file, node)
        elif isinstance(node.value, dict):
            for name, entry in node.value.items():
                self._entries[Subject(section, name)] = (file, entry)
        elif isinstance(node.value, list):
            for entry in node.value:
                name = entry.value.get("id") if isinstance(entry.value, dict) else None
                if name is not None:
                    self._entries[Subject(section, str(name.value))] = (file, entry)

    def of(self, subject: Subject, *keys: str | int) -> Place:
        """Return the place of an entry, or of the value at `keys` in it (the entry where there is none)."""
        found = self._entries.get(subject)
        if found is None:
            return Place("", 1, 1)
        file, node = found
        return Place(file, *node.place(keys))
