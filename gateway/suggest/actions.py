"""Actions: how an exchange may cross at all, by what guards and invariants leave.

`allow` where nothing forbids it. Where only sanitised, rendered or handed-over content may cross, the action
that the policy already uses for that service between those zones, else the usual one for the service. This
only picks what to try; whether it holds is proved with the proposal in the policy (`trial`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zones.decide import RANKS
from zones.model import GATEWAY, Action, Mode
from zones.proof.verify import counted
from zones.verdict import TCP

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gateway.suggest.evidence import Exchange
    from zones.model import Flow, Guard, Invariant, Policy

_MAIL = frozenset({25, 587})
_WEB = frozenset({80, 443, 8080, 8443})
_FILES = frozenset({21, 139, 445, 990, 2049})
_RDP = 3389

# Tried in this order when nothing in the policy says which.
_USUAL: tuple[tuple[frozenset[int], tuple[Action, ...]], ...] = (
    (_MAIL, (Action.SANITIZE_MAIL,)),
    (_WEB, (Action.RENDER, Action.SANITIZE_WEB, Action.FILE_TRANSFER)),
    (_FILES, (Action.FILE_TRANSFER,)),
)


def action_for(policy: Policy, exchange: Exchange) -> Action | None:
    """Return the action to propose: `allow`, or what may cross instead; None where nothing we know may.

    What the policy sanitises on its way to a host is never allowed raw to the same host for another source.
    """
    forbidden = _forbidden(policy, exchange)
    alike = _alike(policy, exchange)
    same_host = next((flow.action for flow in alike if _reaches(flow, exchange)), None)
    wanted = (*((same_host,) if same_host else ()), Action.ALLOW, *(flow.action for flow in alike))
    fitting = (action for action in wanted if action is Action.ALLOW or _fits(action, exchange))
    return next((a for a in (*fitting, *_usual(exchange)) if a not in forbidden), None)


def _forbidden(policy: Policy, exchange: Exchange) -> frozenset[Action]:
    """Return the actions that a guard of the direction, or an invariant about both ends, rules out."""
    forbidden: set[Action] = set()
    for guard in policy.guards:
        if exchange.source_zone in guard.sources and exchange.destination_zone in guard.destinations:
            forbidden.update(guard.actions or Action)
        elif not guard.actions and exchange.protocol == TCP and _backwards(guard, exchange):
            forbidden.update(Action)  # no answer would come back
    for invariant in policy.invariants:
        if _about(policy, invariant, exchange):
            forbidden.update(counted(invariant))
    return frozenset(forbidden)


def _backwards(guard: Guard, exchange: Exchange) -> bool:
    return exchange.destination_zone in guard.sources and exchange.source_zone in guard.destinations


def _about(policy: Policy, invariant: Invariant, exchange: Exchange) -> bool:
    """Return whether an invariant speaks of data between these two; a connection carries it both ways."""
    one = (exchange.source_zone, exchange.version, exchange.source)
    other = (exchange.destination_zone, exchange.version, exchange.destination)
    return any(
        _holds(policy, invariant.sources, *source) and _holds(policy, invariant.destinations, *target)
        for source, target in ((one, other), (other, one))
    )


def _holds(policy: Policy, names: Iterable[str], zone: str | None, version: int, address: int) -> bool:
    for name in names:
        if name == zone:
            return True
        host, group = policy.hosts.get(name), policy.groups.get(name)
        networks = host.addresses if host else group.networks if group else ()
        if any(network.holds(version, address) for network in networks):
            return True
    return False


def _alike(policy: Policy, exchange: Exchange) -> list[Flow]:
    """Return the flows that carry this service between these zones by another action, those to it first."""
    assert exchange.source_zone is not None  # noqa: S101  without zones nothing is proposed
    assert exchange.destination_zone is not None  # noqa: S101
    flows = [
        flow
        for flow in policy.flows_between(exchange.source_zone, exchange.destination_zone)
        if flow.mode is Mode.ENFORCE
        and flow.action not in (Action.DENY, Action.ALLOW)
        and any(term.holds(*exchange.service) for term in flow.services)
    ]
    return sorted(flows, key=lambda flow: (not _reaches(flow, exchange), RANKS[flow.action]))


def _reaches(flow: Flow, exchange: Exchange) -> bool:
    ends = exchange.destination_zone or "", exchange.version, exchange.destination
    return any(end.holds(*ends) for end in flow.destinations)


def _usual(exchange: Exchange) -> tuple[Action, ...]:
    if not _through_us(exchange):
        return ()
    return next((actions for ports, actions in _USUAL if exchange.dport in ports), ())


def _fits(action: Action, exchange: Exchange) -> bool:
    if action is Action.SANITIZE_MAIL and exchange.dport not in _MAIL:
        return False
    return _through_us(exchange) and not (action is Action.RENDER and exchange.dport == _RDP)


def _through_us(exchange: Exchange) -> bool:
    """Return whether the gateway could carry it: TCP between two others."""
    ends = (exchange.source_zone, exchange.destination_zone)
    return exchange.protocol == TCP and GATEWAY not in ends
