"""Several files become one policy: maps must not name a thing twice, lists follow one another."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from zones.schema import SCHEMA_VERSION, PolicyFile
from zones.shape import validate

if TYPE_CHECKING:
    from zones.errors import Problem
    from zones.source import Document

SECTIONS_BY_NAME = ("zones", "hosts", "groups", "services", "names")
SECTIONS_IN_ORDER = ("guards", "flows", "invariants", "tests")


@dataclass
class Merged:
    """All files as one: per section, entries with the document and path they came from."""

    documents: list[Document]
    meta: tuple[Document, Any] | None = None
    management: tuple[Document, Any] | None = None
    named: dict[str, dict[str, tuple[Document, Any]]] = field(
        default_factory=lambda: {section: {} for section in SECTIONS_BY_NAME}
    )
    ordered: dict[str, list[tuple[Document, int, Any]]] = field(
        default_factory=lambda: {section: [] for section in SECTIONS_IN_ORDER}
    )
    problems: list[Problem] = field(default_factory=list)


def merge(merged: Merged, document: Document) -> None:
    """Validate one file and put its entries where those of all files meet."""
    entries = validate(document, PolicyFile, merged.problems)
    if entries is None:
        return
    if entries.version is not None and entries.version != SCHEMA_VERSION:
        merged.problems.append(
            document.problem("schema-version", ("schema",), seen=entries.version, known=SCHEMA_VERSION)
        )
    for section in ("meta", "management"):
        value = getattr(entries, section)
        if value is not None and getattr(merged, section) is not None:
            merged.problems.append(
                document.problem("section-twice", (section,), at_key=True, section=section)
            )
        elif value is not None:
            setattr(merged, section, (document, value))
    for section in SECTIONS_BY_NAME:
        for name, value in getattr(entries, section).items():
            if name in merged.named[section]:
                first = merged.named[section][name][0].file
                merged.problems.append(
                    document.problem("duplicate-name", (section, name), at_key=True, name=name, first=first)
                )
            else:
                merged.named[section][name] = (document, value)
    for section in SECTIONS_IN_ORDER:
        merged.ordered[section] += [
            (document, document.position(section, index), value)
            for index, value in enumerate(getattr(entries, section))
            if value is not None
        ]
