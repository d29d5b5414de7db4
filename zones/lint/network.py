"""Ways around a gate that one line opens beside another: names, QUIC, the other IP version, the way back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zones.address import address_text
from zones.lint.codes import Severity
from zones.lint.finding import Subject, flow_subject, ids, listed
from zones.lint.regions import Group, Piece
from zones.model import GATEWAY, Action, ZoneClass
from zones.proof.packets import service_ranges
from zones.proof.space import Ranges, common, without
from zones.services import parse_service
from zones.verdict import ICMP

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zones.address import Network
    from zones.lint.context import Context
    from zones.lint.finding import Finding
    from zones.model import Flow, Zone


def _services(*texts: str) -> Ranges:
    return service_ranges(map(parse_service, texts))


# Peers open these towards each other: both directions are how they work.
_PEERS = _services(
    *("tcp/25", "udp/123", "tcp/179", "udp/500", "udp/4500", "proto/50", "proto/51", "icmp", "icmp6")
)
_NAME_LOOKUPS = _services("udp/53", "tcp/53", "tcp/853", "udp/853")
_QUIC = _services("udp/80", "udp/443")  # RFC 9114 section 3.1.1: any UDP port, these in practice
_WORLD = frozenset({ZoneClass.INTERNET, ZoneClass.OUTSIDE})


def asymmetric_service(context: Context) -> Iterator[Finding]:
    """Yield flows that open the way back of another: a client/server service in both directions."""
    position = {flow.id: at for at, flow in enumerate(context.policy.flows)}
    for flow in context.opening:
        others = {
            other.id: other
            for pair in context.raw_pairs(flow)
            if pair[0] != pair[1] and GATEWAY not in pair
            for other in _back(context, flow, pair)
            if position[other.id] < position[flow.id]
        }
        if others:
            found = [others[flow_id] for flow_id in sorted(others)]
            yield context.about("asymmetric-service", flow, others=found, back=ids(found))


def _back(context: Context, flow: Flow, pair: tuple[str, str]) -> Iterator[Flow]:
    for piece in context.regions.pieces[flow.id]:
        if piece.group[:2] != pair:
            continue
        back = Group(pair[1], pair[0], piece.group.version)
        mirrored = Piece(flow, back, (piece.box[1], piece.box[0], piece.box[2]))
        overlaps = context.regions.groups.get(back)
        for other in overlaps.meeting(mirrored) if overlaps is not None else ():
            shared = common(piece.box[2], other.box[2])
            opened = (pair[1], pair[0]) in context.raw_pairs(other.flow) and not context.expired(other.flow)
            if opened and without(shared, _PEERS):
                yield other.flow


def quic_beside_proxy(context: Context) -> Iterator[Finding]:
    """Yield flows that let clients of a web gate speak QUIC past it."""
    gates = [flow for flow in context.opening if flow.action in (Action.SANITIZE_WEB, Action.RENDER)]
    for flow in context.opening:
        if any(term.protocol is None for term in flow.services):
            continue  # `any` is reported for what it is
        if not common(service_ranges(flow.services), _QUIC):
            continue
        zones = {
            one for one, other in context.raw_pairs(flow) if one != other and _class(context, other) in _WORLD
        }
        beside = [gate for gate in gates if any(_same_clients(context, flow, gate, zone) for zone in zones)]
        if beside:
            yield context.about("quic-beside-proxy", flow, "service", others=beside, gates=ids(beside))


def _same_clients(context: Context, flow: Flow, gate: Flow, zone: str) -> bool:
    def clients(of: Flow) -> Iterator[Piece]:
        return (piece for piece in context.regions.pieces[of.id] if piece.group.source == zone)

    return any(
        one.group.version == other.group.version and common(one.box[0], other.box[0])
        for one in clients(flow)
        for other in clients(gate)
    )


def dns_tunnel(context: Context) -> Iterator[Finding]:
    """Yield flows by which names, and with them any bytes, leave a zone that does not face the Internet."""
    for flow in context.opening:
        if any(term.protocol is None for term in flow.services):
            continue
        if not common(service_ranges(flow.services), _NAME_LOOKUPS):
            continue
        pairs = [
            (one, other)
            for one, other in context.raw_pairs(flow)
            if one != other and GATEWAY not in (one, other) and _class(context, one) not in _WORLD
        ]
        if pairs:
            yield _tunnel(context, flow, pairs)


def _tunnel(context: Context, flow: Flow, pairs: list[tuple[str, str]]) -> Finding:
    hosts = [context.policy.hosts.get(name) for name in flow.destination_names]
    claimed = [host for host in hosts if host is not None and host.relay is not None and host.relay.never]
    return context.finding(
        "dns-tunnel",
        flow_subject(flow),
        "service",
        related=[Subject("hosts", host.name) for host in claimed],
        # That the resolver asks nobody else is somebody's word: less than a gate, more than nothing.
        severity=Severity.NOTE if len(claimed) == len(hosts) else None,
        variant="claimed" if len(claimed) == len(hosts) else "",
        pairs=listed(f"{one} → {other}" for one, other in pairs),
        resolvers=listed(flow.destination_names),
    )


def _class(context: Context, zone: str) -> ZoneClass:
    return ZoneClass.OTHER if zone == GATEWAY else context.policy.zones[zone].zone_class


def mac_off_segment(context: Context) -> Iterator[Finding]:
    """Yield hosts whose fixed MAC can never be seen: a router stands between them and the gateway."""
    for host in context.policy.hosts.values():
        zone = context.policy.zones[host.zone]
        if host.mac is not None and zone.gateway:
            far = [address for address in host.addresses if not _attached(zone, address)]
            if far:
                yield context.finding(
                    "mac-off-segment",
                    Subject("hosts", host.name),
                    "mac",
                    mac=host.mac,
                    addresses=listed(address_text(one.version, one.first) for one in far),
                    zone=zone.name,
                )


def _attached(zone: Zone, address: Network) -> bool:
    """Whether an address can be on a segment of ours: one network of its zone holds both.

    The rest of the world has no networks of its own; there, only the usual size of a link can tell.
    """
    if any(
        network.covers(address) and network.covers(ours) for network in zone.networks for ours in zone.gateway
    ):
        return True
    shift = 8 if address.version == 4 else 64
    in_rest = not any(network.covers(address) for network in zone.networks)
    return in_rest and any(
        ours.version == address.version and ours.first >> shift == address.first >> shift
        for ours in zone.gateway
    )


# --- the other IP version ----------------------------------------------------------------------------------


def ipv6_gap(context: Context) -> Iterator[Finding]:
    """Yield denials that IPv6 walks around, and flows that have no IPv6 between zones that do."""
    for flow in context.regions.enforced:
        if not flow.allowing:
            around = _around(context, flow)
            if around:
                yield context.about("ipv6-gap", flow, others=around, flows=ids(around))
    yield from _only_ipv4(context)


def _around(context: Context, deny: Flow) -> list[Flow]:
    """Return the flows that pass over IPv6 what a denial stops over IPv4 only."""
    pieces = context.regions.pieces[deny.id]
    six = {piece.group[:2] for piece in pieces if piece.group.version == 6}
    found: dict[str, Flow] = {}
    for piece in pieces:
        if piece.group[:2] in six:
            continue
        overlaps = context.regions.groups.get(piece.group._replace(version=6))
        for other in overlaps.pieces if overlaps is not None else ():
            if other.flow.allowing and not context.expired(other.flow) and common(other.box[2], piece.box[2]):
                found[other.flow.id] = other.flow
    return [found[flow_id] for flow_id in sorted(found)]


def _only_ipv4(context: Context) -> Iterator[Finding]:
    """Yield, for each pair of zones with IPv6 networks of their own, the flows that IPv4 alone can use."""
    pairs: dict[tuple[str, str], list[Flow]] = {}
    six = {zone.name for zone in context.policy.zones.values() if any(n.version == 6 for n in zone.networks)}
    for flow in context.opening:
        spoken: dict[tuple[str, str], set[int]] = {}
        for piece in context.regions.pieces[flow.id]:
            spoken.setdefault(piece.group[:2], set()).add(piece.group.version)
        only_icmp = all(term.protocol == ICMP for term in flow.services)
        for pair, versions in spoken.items():
            if six.issuperset(pair) and (6 not in versions or only_icmp):
                pairs.setdefault(pair, []).append(flow)
    for (source, destination), flows in sorted(pairs.items()):
        yield context.finding(
            "ipv6-gap",
            Subject("zones", source),
            "networks",
            related=map(flow_subject, flows),
            severity=Severity.NOTE,
            aspect=destination,
            variant="only-ipv4",
            destination=destination,
            flows=ids(flows),
        )
