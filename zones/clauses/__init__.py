"""Clauses of published security policies as data: what each says, and what could show that it holds.

A flow, guard or invariant names the clauses it rests on by id (`basis: ["ono-2026:6.3.2"]`). Ids of packs
that are not known here are accepted as they are: a city may keep a list of its own.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from zones.nearest import closest

if TYPE_CHECKING:
    from collections.abc import Mapping

_PACKS = {"ono-2026": "ono_2026.toml"}


@dataclass(frozen=True, kw_only=True)
class Outside:
    """A part of a clause that no network policy can show, and who shows it instead."""

    kind: str
    what: str
    what_en: str
    by: str
    by_en: str


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """What a policy must hold for one part of a clause; `kind` says how it is looked for.

    The kinds and their details are listed in `docs/reference/clauses.md`; `zones.report` answers them.
    """

    kind: str
    detail: Any


@dataclass(frozen=True, kw_only=True)
class Clause:
    """One clause: its own words, a short English gloss, and what supports it.

    `evidence` names kinds of evidence; `expects` is empty for what lies outside this product altogether.
    `records` are the counters of an audit log (`zones.evidence`) of which at least one must have counted.
    """

    id: str
    heading: str
    text: str
    gloss: str
    evidence: tuple[str, ...] = ()
    expects: tuple[Expectation, ...] = ()
    outside: tuple[Outside, ...] = ()
    records: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ClausePack:
    """The clauses of one document, in its order, by their full ids."""

    id: str
    title: str
    title_en: str
    revised: str
    clauses: Mapping[str, Clause]


def known_packs() -> tuple[str, ...]:
    """Return the ids of the packs that come with this package."""
    return tuple(_PACKS)


@cache
def clause_pack(pack_id: str) -> ClausePack:
    """Return a pack by its id.

    Raises:
        KeyError: no pack has this id.

    >>> clause_pack("ono-2026").clauses["ono-2026:6.3.2"].heading
    '対策 (3)② LGWAN 接続系'
    """
    text = resources.files(__name__).joinpath(_PACKS[pack_id]).read_text(encoding="utf-8")
    data = tomllib.loads(text)
    clauses = [_clause(pack_id, entry) for entry in data["clauses"]]
    head = data["pack"]
    return ClausePack(
        id=head["id"],
        title=head["title"],
        title_en=head["title_en"],
        revised=head["revised"],
        clauses={clause.id: clause for clause in clauses},
    )


def find_clause(clause_id: str) -> Clause | None:
    """Return the clause with this full id; None when it, or its pack, is not known.

    >>> find_clause("ono-2026:99") is None
    True
    """
    pack = clause_id.partition(":")[0]
    return clause_pack(pack).clauses.get(clause_id) if pack in _PACKS else None


def clauses_near(clause_id: str) -> tuple[str, ...]:
    """Return the ids most like one that does not exist; none if it exists, or its pack is not known.

    >>> clauses_near("ono-2026:６.3.1")
    ('ono-2026:6.3.1',)
    """
    pack = clause_id.partition(":")[0]
    if pack not in _PACKS or find_clause(clause_id) is not None:
        return ()
    return tuple(closest(clause_id, clause_pack(pack).clauses))


def _clause(pack_id: str, entry: Mapping[str, Any]) -> Clause:
    # Sections of the same document are written without the name of the pack.
    full = f"{pack_id}:"
    expects = []
    for wanted in entry.get("expects", ()):
        ((kind, detail),) = wanted.items()
        expects.append(
            Expectation(kind=kind, detail=[full + part for part in detail] if kind == "clauses" else detail)
        )
    return Clause(
        id=full + entry["id"],
        heading=entry["heading"],
        text=entry["text"],
        gloss=entry["gloss"],
        evidence=tuple(entry["evidence"]),
        expects=tuple(expects),
        outside=tuple(Outside(**part) for part in entry.get("outside", ())),
        records=tuple(entry.get("records", ())),
    )
