"""Proposals: drafts in the policy's own words, each with the entries it needs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING

from gateway.suggest.entries import Addition, Field, FlowEntry, NamedEntry
from gateway.suggest.naming import name_ends, name_services, next_ids
from gateway.suggest.options import Option, options_for
from zones.messages import say
from zones.model import Action

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gateway.suggest.evidence import Sightings
    from gateway.suggest.merging import Draft
    from gateway.suggest.naming import Ends
    from zones.messages import Language
    from zones.model import Policy


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """One flow to add. `addition` is what a policy file gets for it; `options` are wider ways to say it."""

    id: str
    draft: Draft
    sources: Ends
    destinations: Ends
    services: tuple[str, ...]
    expires: date
    justification: str
    addition: Addition
    options: tuple[Option, ...] = ()

    @property
    def sightings(self) -> Sightings:
        """The evidence as one."""
        return self.draft.sightings


@dataclass(frozen=True, kw_only=True)
class Style:
    """How entries are written: the last day of new flows, and the language of what people are to read."""

    expires: date
    language: Language


def propose(policy: Policy, drafts: Iterable[Draft], style: Style) -> list[Proposal]:
    """Return a proposal for each draft, in their order."""
    return [
        _proposal(policy, draft, flow_id, style)
        for draft, flow_id in zip(drafts, next_ids(policy), strict=False)
    ]


def _proposal(policy: Policy, draft: Draft, flow_id: str, style: Style) -> Proposal:
    # A stricter action over something unseen would close what an `allow` holds open there.
    exact = draft.action is not Action.ALLOW
    sources = name_ends(
        policy, draft.source_zone, draft.version, draft.sources, f"{flow_id}-from", exact=exact
    )
    destinations = name_ends(
        policy, draft.destination_zone, draft.version, draft.destinations, f"{flow_id}-to", exact=exact
    )
    services = name_services(policy, draft.services)
    justification = _justification(policy, draft, style.language)
    fields = (
        Field("id", flow_id),
        Field("from", sources.names),
        Field("to", destinations.names),
        Field("service", services),
        Field("action", draft.action.value),
        # Empty on purpose: `lint` asks for both until somebody has taken the flow over.
        Field("owner", "", f"# {say('suggest-fill-owner', {}, style.language)}"),
        Field("ticket", "", f"# {say('suggest-fill-ticket', {}, style.language)}"),
        Field("expires", style.expires.isoformat()),
        Field("justification", justification),
    )
    return Proposal(
        id=flow_id,
        draft=draft,
        sources=sources,
        destinations=destinations,
        services=services,
        expires=style.expires,
        justification=justification,
        addition=Addition(
            flows=(FlowEntry(fields),),
            hosts=_hosts(sources, destinations, style.language),
            groups=_groups(sources, destinations),
        ),
        options=options_for(policy, draft, (sources, destinations, services)),
    )


def _justification(policy: Policy, draft: Draft, language: Language) -> str:
    seen = draft.sightings
    params = {
        "connections": seen.connections,
        "first": _day(policy, seen.first_ns),
        "last": _day(policy, seen.last_ns),
        "place": seen.places[0].rpartition("/")[2] if seen.places else "-",
    }
    return say("suggest-justification", params, language)


def _day(policy: Policy, time_ns: int) -> str:
    return datetime.fromtimestamp(time_ns / 1e9, policy.timezone).date().isoformat()


def _hosts(sources: Ends, destinations: Ends, language: Language) -> tuple[NamedEntry, ...]:
    note = f"# {say('suggest-name-it', {}, language)}"
    return tuple(
        NamedEntry(host.name, (Field("zone", host.zone), Field("ip", host.address)), note)
        for host in (*sources.hosts, *destinations.hosts)
    )


def _groups(sources: Ends, destinations: Ends) -> tuple[NamedEntry, ...]:
    return tuple(
        NamedEntry(group.name, (Field("zone", group.zone), Field("networks", group.networks, many=True)))
        for group in (*sources.groups, *destinations.groups)
    )
