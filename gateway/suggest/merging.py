"""Merging: exchanges that belong together become one draft, without opening anything that was not seen.

Sources that ask the same host for the same service go together, then hosts asked for the same service by the
same sources, then services between the same ends. Each step keeps the product of the three sets equal to
what was seen, so a draft by addresses opens exactly its evidence.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from gateway.suggest.evidence import together
from zones.model import Action
from zones.verdict import TCP

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from gateway.suggest.evidence import Sightings
    from gateway.suggest.triage import Seen


class Draft(NamedTuple):
    """What one flow would have to open: every source to every destination for every service.

    Addresses are integers of one family; services are protocol and port (or ICMP type).
    """

    action: Action
    source_zone: str
    destination_zone: str
    version: int
    sources: frozenset[int]
    destinations: frozenset[int]
    services: frozenset[tuple[int, int]]
    evidence: tuple[Seen, ...]
    hopeless: bool = False
    """No action that the policy leaves fits: it is tried as `allow`, to say what stands against it."""

    @property
    def triples(self) -> int:
        """How many combinations of source, destination and service it holds, all of them seen."""
        return len(self.sources) * len(self.destinations) * len(self.services)

    @property
    def sightings(self) -> Sightings:
        """Its evidence as one."""
        return together([seen.sightings for seen in self.evidence])


def merge(candidates: Iterable[tuple[Seen, Action | None]]) -> list[Draft]:
    """Return the fewest drafts that the three steps come to, in a stable order; the hopeless come last."""
    drafts = [
        Draft(
            action or Action.ALLOW,
            seen.exchange.source_zone or "",
            seen.exchange.destination_zone or "",
            seen.exchange.version,
            frozenset((seen.exchange.source,)),
            frozenset((seen.exchange.destination,)),
            frozenset((seen.exchange.service,)),
            (seen,),
            action is None,
        )
        for seen, action in candidates
    ]
    for step in _STEPS:
        drafts = _merged(drafts, step)
    return sorted(drafts, key=_order)


def _merged(drafts: list[Draft], key: Callable[[Draft], object]) -> list[Draft]:
    same: dict[object, list[Draft]] = defaultdict(list)
    for draft in drafts:
        where = draft.action, draft.hopeless, draft.source_zone, draft.destination_zone, draft.version
        same[where, key(draft)].append(draft)
    return [_union(parts) for parts in same.values()]


def _union(parts: list[Draft]) -> Draft:
    return parts[0]._replace(
        sources=frozenset().union(*(part.sources for part in parts)),
        destinations=frozenset().union(*(part.destinations for part in parts)),
        services=frozenset().union(*(part.services for part in parts)),
        evidence=tuple(seen for part in parts for seen in part.evidence),
    )


_STEPS: tuple[Callable[[Draft], object], ...] = (
    lambda draft: (draft.destinations, draft.services),
    lambda draft: (draft.sources, draft.services),
    # A guard that drops answers stands against TCP alone: the rest is not refused with it.
    lambda draft: (draft.sources, draft.destinations, draft.hopeless and _tcp(draft)),
)


def _tcp(draft: Draft) -> bool:
    return any(protocol == TCP for protocol, _ in draft.services)


def _order(draft: Draft) -> tuple[object, ...]:
    return (
        draft.hopeless,
        draft.source_zone,
        draft.destination_zone,
        -draft.sightings.connections,
        draft.version,
        sorted(draft.destinations),
        sorted(draft.services),
        sorted(draft.sources),
    )
