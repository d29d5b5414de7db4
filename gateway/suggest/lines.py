"""Suggestions as JSON objects: the stable shape that scripts read. No key is left out; unknown is null."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway.replay.lines import mark_names, time_text
from gateway.suggest.confidence import confidence
from gateway.suggest.naming import term_of
from gateway.suggest.triage import NOTES
from zones.address import address_text
from zones.services import service_text

if TYPE_CHECKING:
    from gateway.suggest.evidence import Exchange, Sightings, Window
    from gateway.suggest.narrowing import Usage
    from gateway.suggest.proposals import Proposal
    from gateway.suggest.triage import SetAside
    from gateway.suggest.trial import Refusal

MAX_EXAMPLES = 5


def window_line(window: Window) -> dict[str, Any]:
    """Return when was looked, and when nothing was seen."""
    return {
        "type": "window",
        "first": time_text(window.first_ns) if window.first_ns is not None else None,
        "last": time_text(window.last_ns) if window.first_ns is not None else None,
        "packets": window.packets,
        "gaps": [
            {"from": time_text(begin), "to": time_text(end), "seconds": (end - begin) // 1_000_000_000}
            for begin, end in window.gaps
        ],
        "gaps_left_out": window.gaps_left_out,
    }


def proposal_line(proposal: Proposal, score: float | None) -> dict[str, Any]:
    """Return one proposal with its evidence; `score` is the over-permission in bits, if it was accepted."""
    draft = proposal.draft
    return {
        "type": "proposal",
        "id": proposal.id,
        "source_zone": draft.source_zone,
        "destination_zone": draft.destination_zone,
        "from": list(proposal.sources.names),
        "to": list(proposal.destinations.names),
        "service": list(proposal.services),
        "action": draft.action.value,
        "expires": proposal.expires.isoformat(),
        "justification": proposal.justification,
        "yaml": "\n".join(line for flow in proposal.addition.flows for line in flow.block()),
        "new_hosts": {
            host.name: host.address for host in (*proposal.sources.hosts, *proposal.destinations.hosts)
        },
        "new_groups": {
            group.name: list(group.networks)
            for group in (*proposal.sources.groups, *proposal.destinations.groups)
        },
        "evidence": evidence(proposal.sightings)
        | {
            "sources": len(draft.sources),
            "destinations": len(draft.destinations),
            "combinations": draft.triples,
        },
        "over_permission_bits": None if score is None else round(score, 2),
        "options": [option._asdict() | {"bits": round(option.bits, 2)} for option in proposal.options],
        "confidence": confidence(proposal.sightings).value,
    }


def refusal_line(refusal: Refusal, verification: dict[str, Any] | None) -> dict[str, Any]:
    """Return one refused proposal, and what would break; `verification` is the broken invariant's record."""
    invariant = refusal.result.invariant if refusal.result is not None else None
    source = refusal.guard or invariant
    return proposal_line(refusal.proposal, None) | {
        "type": "refused",
        "kind": refusal.kind,
        "by": refusal.by,
        "because": source.because if source is not None else None,
        "basis": list(refusal.basis),
        "together": refusal.together,
        "packet": refusal.proposal.draft.evidence[0].exchange.packet.describe(),
        "verification": verification,
    }


def aside_line(aside: SetAside) -> dict[str, Any]:
    """Return exchanges that are not proposed, and why."""
    return {
        "type": "set-aside",
        "why": aside.why.value,
        "flow_exists": aside.why in NOTES,
        "detail": aside.detail or None,
        "exchanges": len(aside.exchanges),
        **evidence(aside.sightings),
        "examples": [exchange_text(seen.exchange) for seen in aside.exchanges[:MAX_EXAMPLES]],
    }


def usage_line(used: Usage) -> dict[str, Any]:
    """Return what of an open flow was used."""
    return {
        "type": "usage",
        "flow": used.flow.id,
        "used": used.sightings is not None,
        "wide": used.wide,
        "opened": used.opened,
        "seen": used.seen,
        "over_permission_bits": round(used.bits, 2) if used.seen else None,
        "parts": [
            {"from": list(part.sources), "to": list(part.destinations), "service": list(part.services)}
            for part in used.parts
        ],
        "evidence": evidence(used.sightings) if used.sightings is not None else None,
    }


def evidence(sightings: Sightings) -> dict[str, Any]:
    """Return how often something was seen, when, and where its first packets are."""
    return {
        "connections": sightings.connections,
        "answered": sightings.answered,
        "packets": sightings.packets,
        "bytes": sightings.bytes,
        "days": len(sightings.days),
        "first": time_text(sightings.first_ns),
        "last": time_text(sightings.last_ns),
        "first_packets": list(sightings.places),
        "marks": mark_names(sightings.marks),
    }


def exchange_text(exchange: Exchange) -> str:
    """Return an exchange in the notation of policy tests."""
    source = address_text(exchange.version, exchange.source)
    destination = address_text(exchange.version, exchange.destination)
    service = service_text(term_of(exchange.service))
    return (
        f"{exchange.source_zone or '?'}:{source} > {exchange.destination_zone or '?'}:{destination} {service}"
    )
