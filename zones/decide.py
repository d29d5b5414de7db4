"""The reference decision: one packet, one verdict, and why.

Precedence: spoofed > guard > deny > file-transfer, render > sanitize > allow; among equals the smallest id
decides and the others are listed. Nothing matched is a deny. A guard with `actions` answers in the place
of a flow that would open a new connection by one of them; and, if it forbids `allow`, also where no flow
is open at all. A closed flow stricter than `allow` refuses what only a wider one would open. Written to
be read; the compiled program, the native classifier and the kernel ruleset must agree with it, and tests
hold them to that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from zones.expiry import closed_because
from zones.model import GATEWAY, Action, Mode
from zones.verdict import ICMP, ICMP6, Outcome, Reason, State, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zones.model import Flow, Guard, Policy
    from zones.verdict import Connection, PacketKey

RANKS: dict[Action, int] = {
    Action.DENY: 0,
    Action.FILE_TRANSFER: 1,
    Action.RENDER: 2,
    Action.SANITIZE_WEB: 3,
    Action.SANITIZE_MAIL: 4,
    Action.ALLOW: 5,
}
"""The order in which the actions of matching flows decide."""

DIRECT: dict[Action, tuple[Outcome, Reason]] = {
    Action.DENY: (Outcome.DENY, Reason.FLOW),
    Action.FILE_TRANSFER: (Outcome.DENY, Reason.USE_PORTAL),
    Action.RENDER: (Outcome.DENY, Reason.USE_RENDER),
    Action.SANITIZE_WEB: (Outcome.SANITIZE_WEB, Reason.FLOW),
    Action.SANITIZE_MAIL: (Outcome.SANITIZE_MAIL, Reason.FLOW),
    Action.ALLOW: (Outcome.ALLOW, Reason.FLOW),
}
"""What a flow's action means for a packet that comes directly, new or of a known connection."""

PROXIED = frozenset({Outcome.SANITIZE_MAIL, Outcome.SANITIZE_WEB})
"""Outcomes in which the packet ends in a proxy of ours, which connects on under the same flow."""

# RFC 792, RFC 4861: a redirect changes a host's routes from outside; none passes, related or not.
REDIRECTS = {ICMP: 5, ICMP6: 137}


class _Case(NamedTuple):
    """The packet in its place: what every step below needs."""

    policy: Policy
    key: PacketKey
    source: str
    destination: str
    now: float


def decide(policy: Policy, key: PacketKey, *, now: float, connection: Connection | None = None) -> Verdict:
    """Return the verdict for one packet at `now` (seconds since the epoch).

    `connection` is what connection tracking knows of the packet; None is a new connection. Never raises
    for any key. Without an ingress the source zone is taken from the address and the verdict is marked
    `zone_inferred`: it says nothing about spoofing.
    """
    source = source_zone(policy, key)
    destination = destination_zone(policy, key, source)
    refused = _place(policy, key, source, destination)
    state = connection.state if connection is not None else State.NEW
    if refused is None and source is not None and destination is not None:
        verdict = _between(_Case(policy, key, source, destination, now), connection)
    else:
        verdict = Verdict(Outcome.DENY, refused or Reason.UNKNOWN_ZONE)
    return verdict._replace(
        source_zone=source,
        destination_zone=destination,
        state=state,
        zone_inferred=key.ingress is None,
        revision=policy.revision,
    )


def source_zone(policy: Policy, key: PacketKey) -> str | None:
    """Return the zone the packet's source address belongs to (`gateway` for our own addresses)."""
    if (key.version, key.src) in policy.gateway_addresses:
        return GATEWAY
    return policy.zone_of(key.version, key.src)


def destination_zone(policy: Policy, key: PacketKey, source: str | None) -> str | None:
    """Return the zone of the destination: `gateway` for our own address on the source's segment."""
    if policy.gateway_addresses.get((key.version, key.dst)) == source and source is not None:
        return GATEWAY
    return policy.zone_of(key.version, key.dst)


def _place(policy: Policy, key: PacketKey, source: str | None, destination: str | None) -> Reason | None:
    """Return why the packet stands in the wrong place, if it does."""
    if key.ingress is not None and source != key.ingress:
        return Reason.SPOOFED_SOURCE
    fixed = policy.macs.get((key.version, key.src))
    if key.ingress is not None and key.src_mac is not None and fixed not in (None, key.src_mac):
        return Reason.SPOOFED_SOURCE
    if source is None or destination is None:
        managed = policy.management.networks if policy.management else ()
        ends = ((source, key.src), (destination, key.dst))
        if any(zone is None and any(n.holds(key.version, end) for n in managed) for zone, end in ends):
            return Reason.MANAGEMENT
        return Reason.UNKNOWN_ZONE
    return None


def _between(case: _Case, connection: Connection | None) -> Verdict:
    """Decide between two known zones."""
    policy, key = case.policy, case.key
    guards = [g for g in policy.guards if case.source in g.sources and case.destination in g.destinations]
    absolute = sorted(guard.id for guard in guards if not guard.actions)
    if absolute:
        return Verdict(Outcome.DENY, Reason.GUARD, absolute[0], also=tuple(absolute[1:]))
    if case.destination != GATEWAY and (key.version, key.dst) in policy.gateway_addresses:
        # Our address on another segment: reaching it would step over the zone in between.
        return Verdict(Outcome.DENY, Reason.MISROUTED)
    if REDIRECTS.get(key.protocol, -1) == key.dport or (connection and connection.state is State.INVALID):
        return Verdict(Outcome.DENY, Reason.INVALID_STATE)
    if connection is not None and connection.state is not State.NEW:
        return _continued(case, connection.flow)
    return _opened(case, guards)


def _continued(case: _Case, flow_id: str | None) -> Verdict:
    """Decide a packet of a connection that a flow admitted: it lives as long as the flow is open."""
    if flow_id is None and in_trial(case.policy, case.now):
        return Verdict(Outcome.ALLOW, Reason.WOULD_DENY)
    flow = case.policy.flow(flow_id) if flow_id is not None else None
    if flow is None or flow.mode is not Mode.ENFORCE:
        return Verdict(Outcome.DENY, Reason.DEFAULT_DENY)
    closed = closed_because(flow, case.now, case.policy.timezone)
    if closed is not None:
        return Verdict(Outcome.DENY, closed, flow.id)
    return _direct(flow, ours=GATEWAY in (case.source, case.destination))


def _opened(case: _Case, guards: list[Guard]) -> Verdict:
    """Decide a new connection by the flows that match it."""
    matching = list(matching_flows(case.policy, case.key, case.source, case.destination))
    audited = tuple(flow.id for flow in matching if flow.mode is Mode.AUDIT)
    enforced = [flow for flow in matching if flow.mode is Mode.ENFORCE]
    closed = {flow.id: closed_because(flow, case.now, case.policy.timezone) for flow in enforced}
    live = sorted((flow for flow in enforced if closed[flow.id] is None), key=lambda flow: RANKS[flow.action])
    outranking = _closed_above(live, enforced, closed)
    # With no flow open only an `allow` could let the packet pass: guards that forbid it answer first.
    wanted = live[0].action if live else Action.ALLOW
    barring = sorted(guard.id for guard in guards if wanted in guard.actions)
    if outranking is not None:
        verdict = outranking
    elif barring:
        verdict = Verdict(Outcome.DENY, Reason.GUARD, barring[0], also=tuple(barring[1:]))
    elif live:
        others = tuple(flow.id for flow in live[1:])
        verdict = _direct(live[0], ours=case.source == GATEWAY)._replace(also=others)
    else:
        verdict = _nothing_open(case, closed)
    return verdict._replace(audited=audited)


def _closed_above(live: list[Flow], enforced: list[Flow], closed: dict[str, Reason | None]) -> Verdict | None:
    """Return the refusal by a stricter flow that is closed, where only a wider one would be open.

    Time only narrows: a sanitize flow that has expired must not hand its packets to the raw `allow` it lay
    over. Another open flow of its own rank may still serve them.
    """
    best = RANKS[live[0].action] if live else RANKS[Action.ALLOW]
    above = [flow for flow in enforced if closed[flow.id] is not None and RANKS[flow.action] < best]
    if not above:
        return None
    first = min(above, key=lambda flow: (RANKS[flow.action], flow.id))
    return Verdict(Outcome.DENY, closed[first.id] or Reason.EXPIRED, first.id)


def _direct(flow: Flow, *, ours: bool) -> Verdict:
    """Return what `flow` means for a packet; the second half of a proxied connection is simply allowed."""
    outcome, reason = DIRECT[flow.action]
    return Verdict(Outcome.ALLOW if ours and outcome in PROXIED else outcome, reason, flow.id)


def _nothing_open(case: _Case, closed: dict[str, Reason | None]) -> Verdict:
    """Say why no flow is open: served by name only, closed for now, or not asked for at all."""
    by_name = [
        flow.id for flow in named_flows(case.policy, case.key, case.source, case.destination, now=case.now)
    ]
    if by_name:
        return Verdict(Outcome.DENY, Reason.NO_PROXY, by_name[0], also=tuple(by_name[1:]))
    for flow_id, reason in closed.items():
        if reason is not None:
            return Verdict(Outcome.DENY, reason, flow_id)
    if in_trial(case.policy, case.now) and GATEWAY not in (case.source, case.destination):
        return Verdict(Outcome.ALLOW, Reason.WOULD_DENY)
    return Verdict(Outcome.DENY, Reason.DEFAULT_DENY)


def in_trial(policy: Policy, now: float) -> bool:
    """Whether a first deployment still lets pass what only the default would deny (`audit_until`)."""
    return policy.audit_until_at is not None and now < policy.audit_until_at


def matching_flows(policy: Policy, key: PacketKey, source: str, destination: str) -> Iterator[Flow]:
    """Yield the flows whose ends and service hold the packet, by id, open or not, disabled ones left out.

    A connection of our own matches the sanitize flows it is the second half of: the proxy connects on to
    where the first half wanted to go.
    """
    for flow in policy.flows_between(source, destination):
        if not any(term.holds(key.protocol, key.dport) for term in flow.services):
            continue
        proxied = source == GATEWAY and DIRECT[flow.action][0] in PROXIED
        if (proxied or any(s.holds(source, key.version, key.src) for s in flow.sources)) and any(
            d.holds(destination, key.version, key.dst) for d in flow.destinations
        ):
            yield flow


def named_flows(
    policy: Policy, key: PacketKey, source: str, destination: str, *, now: float
) -> Iterator[Flow]:
    """Yield the open flows that would serve the packet if its destination were known by name."""
    for flow in policy.flows_between(source, destination):
        if flow.mode is not Mode.ENFORCE or not flow.allowing or closed_because(flow, now, policy.timezone):
            continue
        to_name = any(end.name is not None and end.zone == destination for end in flow.destinations)
        if (
            to_name
            and any(s.holds(source, key.version, key.src) for s in flow.sources)
            and any(term.holds(key.protocol, key.dport) for term in flow.services)
        ):
            yield flow
