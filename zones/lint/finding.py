"""A finding as a value: what, where, about which entry, and what else to look at."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from zones.lint.codes import Severity
    from zones.model import Flow, Suppression


SHOWN = 8
"""How many names a sentence lists before it says how many more there are."""


class Subject(NamedTuple):
    """The entry a finding is about: section and name or id; `meta` without a name is the whole policy."""

    section: str
    name: str = ""


class Place(NamedTuple):
    """A place in a policy file; line and column count from 1, the column in characters."""

    file: str
    line: int
    column: int


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing worth hearing. `suppressed` is the reviewed reason for which it is not counted.

    `aspect` tells apart findings of one code about one entry; `variant` chooses another sentence.
    """

    code: str
    severity: Severity
    subject: Subject
    place: Place
    aspect: str = ""
    variant: str = ""
    params: Mapping[str, object] = field(default_factory=dict)
    related: tuple[tuple[Subject, Place], ...] = ()
    suppressed: Suppression | None = None

    @property
    def message(self) -> str:
        """The code of its sentence in the catalogue."""
        return f"lint-{self.code}-{self.variant}" if self.variant else f"lint-{self.code}"


def flow_subject(flow: Flow) -> Subject:
    """Return a flow as what a finding is about."""
    return Subject("flows", flow.id)


def listed(names: Iterable[object]) -> str:
    """Return names for a sentence: `F1, F2, F3 (+ 12)`.

    >>> listed(["F1", "F2"])
    'F1, F2'
    """
    every = [str(name) for name in names]
    more = f" (+ {len(every) - SHOWN})" if len(every) > SHOWN else ""
    return ", ".join(every[:SHOWN]) + more


def ids(flows: Iterable[Flow]) -> str:
    """Return the ids of flows for a sentence."""
    return listed(flow.id for flow in flows)
