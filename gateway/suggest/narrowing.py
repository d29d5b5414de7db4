"""Narrowing: what open flows were really used for, and which were not used at all.

A window shows what was needed while it was open and no more: an unused flow may be next year's report. So
nothing here goes into a patch; it is what to ask the flow's owner about.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from gateway.suggest.evidence import together
from gateway.suggest.merging import merge
from gateway.suggest.naming import name_ends, name_services
from gateway.suggest.score import bits, space_of
from zones.expiry import closed_because
from zones.model import Action, Mode

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gateway.suggest.evidence import Sightings
    from gateway.suggest.triage import Seen
    from zones.model import Flow, Policy

WIDE_BITS = 3.0
"""A used flow that opens eight times what was seen, or more, is worth narrowing."""


class Part(NamedTuple):
    """A part of a flow that was used, in the policy's words; an address without a name stands for itself."""

    sources: tuple[str, ...]
    destinations: tuple[str, ...]
    services: tuple[str, ...]


class Usage(NamedTuple):
    """One flow: what it opens, what of it was seen, and the score of the difference.

    `parts` say what was used, `sightings` how often; an unused flow has neither.
    """

    flow: Flow
    opened: int
    seen: int
    bits: float
    parts: tuple[Part, ...] = ()
    sightings: Sightings | None = None

    @property
    def wide(self) -> bool:
        """Whether it was used, and opens much more than that."""
        return self.sightings is not None and self.bits >= WIDE_BITS


def usage(policy: Policy, admitted: Iterable[Seen], *, now: float) -> list[Usage]:
    """Return every enforced flow that opens something at `now`, in the policy's order."""
    by_flow: dict[str, list[Seen]] = defaultdict(list)
    for seen in admitted:
        by_flow[seen.exchange.decided_by or ""].append(seen)
    return [
        _usage(policy, flow, by_flow.get(flow.id, []))
        for flow in policy.flows
        if flow.mode is Mode.ENFORCE
        and flow.allowing
        and (flow.id in by_flow or closed_because(flow, now, policy.timezone) is None)
    ]


def _usage(policy: Policy, flow: Flow, evidence: list[Seen]) -> Usage:
    opened = space_of(policy, flow).size
    if not evidence:
        return Usage(flow, opened, 0, bits(opened, 0))
    triples = {(e.version, e.source, e.destination, e.protocol, e.dport) for e, _ in evidence}
    drafts = merge((seen, Action.ALLOW) for seen in evidence)
    parts = tuple(
        Part(
            _names(policy, draft.source_zone, draft.version, draft.sources),
            _names(policy, draft.destination_zone, draft.version, draft.destinations),
            name_services(policy, draft.services),
        )
        for draft in drafts
    )
    seen = len(triples)
    return Usage(
        flow, opened, seen, bits(opened, seen), parts, together([each.sightings for each in evidence])
    )


def _names(policy: Policy, zone: str, version: int, addresses: frozenset[int]) -> tuple[str, ...]:
    ends = name_ends(policy, zone, version, addresses, "")
    made = {host.name: host.address for host in ends.hosts}
    listed = {group.name: group.networks for group in ends.groups}
    found: list[str] = []
    for name in ends.names:
        found += listed.get(name, (made.get(name, name),))
    return tuple(found)
