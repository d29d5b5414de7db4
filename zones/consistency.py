"""What names and types cannot show: zones that overlap, hosts outside their zone, flows that mean nothing."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING

from zones.model import GATEWAY, Action, Flow, ServiceTerm
from zones.packet import parse_packet
from zones.question import misplaced
from zones.verdict import TCP

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zones.address import Network
    from zones.merge import Merged
    from zones.model import Policy

Finding = tuple[str, str, dict[str, object]]
"""A code, the key of the flow it is about, and the parameters of its message."""

_CARRIED = frozenset({Action.SANITIZE_MAIL, Action.SANITIZE_WEB, Action.RENDER, Action.FILE_TRANSFER})
_SMTP_PORTS = frozenset({25, 587})
_RDP_PORT = 3389


def check_flow(flow: Flow) -> Iterator[Finding]:
    """Yield what makes a flow meaningless by itself."""
    if any(selector.name is not None for selector in flow.sources):
        yield "name-as-source", "from", {}
    if flow.action is Action.DENY and flow.expires is not None:
        yield "deny-expires", "expires", {}
    if flow.action is Action.DENY and flow.hours is not None:
        yield "deny-hours", "when", {}
    yield from _gateway_ends(flow)
    for term in flow.services:
        if flow.action is Action.SANITIZE_MAIL and not _only_ports(term, _SMTP_PORTS):
            yield "sanitize-mail-service", "service", {}
        elif flow.action is Action.SANITIZE_WEB and term.protocol != TCP:
            yield "sanitize-web-service", "service", {}
        elif flow.action is Action.RENDER and not _carries_http(term):
            yield "render-service", "service", {}


def _gateway_ends(flow: Flow) -> Iterator[Finding]:
    """Yield a flow that begins and ends at the gateway, or one that the gateway carries only to itself."""
    sources = {selector.zone for selector in flow.sources}
    destinations = {selector.zone for selector in flow.destinations}
    # A name that is not known leaves no selector: what is left of the flow is not what was meant.
    if sources == destinations == {GATEWAY}:
        yield "gateway-to-gateway", "to", {}
        return
    # The gateway is between the two ends of these: what is meant for itself has nobody behind it.
    for end, zones in (("from", sources), ("to", destinations)):
        if flow.action in _CARRIED and GATEWAY in zones:
            yield "carried-to-gateway", end, {"action": flow.action.value}


def _only_ports(term: ServiceTerm, ports: frozenset[int]) -> bool:
    return term.protocol == TCP and term.low == term.high and term.low in ports


def _carries_http(term: ServiceTerm) -> bool:
    return term.protocol == TCP and term.low is not None and not term.holds(TCP, _RDP_PORT)


def check_zones(policy: Policy, merged: Merged) -> None:
    """Report zones that share addresses or interfaces, and hosts and groups outside their zone."""
    _interfaces(policy, merged)
    if _overlaps(policy, merged):
        return  # whose an address is has no answer yet
    _gateway_addresses(policy, merged)
    _one_address_one_machine(policy, merged)
    _tests(policy, merged)
    members = [("hosts", "ip", host.name, host.zone, host.addresses) for host in policy.hosts.values()]
    members += [
        ("groups", "networks", name, entry.zone, tuple(entry.networks))
        for name, (_, entry) in merged.named["groups"].items()
        if name in policy.groups
    ]  # the hosts of a group are reported once, as hosts
    for section, key, name, zone, networks in members:
        document = merged.named[section][name][0]
        for network in networks:
            if not _inside(policy, network, zone):
                code, params = _misplaced_network(policy, network, zone)
                problem = document.problem(code, (section, name, key))
                merged.problems.append(replace(problem, params={**params, "name": name}))


def _misplaced_network(policy: Policy, network: Network, zone: str) -> tuple[str, dict[str, str]]:
    """Return what is wrong with a network that is not wholly inside its zone."""
    params = {"network": _shown(network), "zone": zone}
    owners = [policy.zone_of(network.version, address) for address in (network.first, network.last)]
    held = any(own.overlaps(network) for own in policy.zones[zone].networks) or zone in owners
    if held or owners[0] != owners[1]:
        return "network-beyond-zone", params
    if owners[0] is None:
        return "address-in-no-zone", params
    return "address-outside-zone", {**params, "owner": owners[0]}


def _shown(network: Network) -> str:
    """Return a network as it was written: one address without its length."""
    return str(network).rpartition("/")[0] if network.first == network.last else str(network)


def _tests(policy: Policy, merged: Merged) -> None:
    """Report tests whose packet names a zone that does not exist, or not the zone of its destination."""
    if any(document.unread for document in merged.documents) or any(
        problem.path.startswith("zones") for problem in merged.problems
    ):
        return  # a zone may be missing only because it is broken
    for document, index, entry in merged.ordered["tests"]:
        try:
            wrong = misplaced(policy, parse_packet(entry.packet))
        except ValueError:
            continue  # `bad-packet`, reported when it was read
        if wrong is not None:
            code, params = wrong
            problem = document.problem(code, ("tests", index, "packet"))
            merged.problems.append(replace(problem, params=params))


def _inside(policy: Policy, network: Network, zone: str) -> bool:
    """Return whether the whole network belongs to the zone (its ends do, and nobody else's lies between)."""
    if policy.zone_of(network.version, network.first) != zone:
        return False
    if policy.zone_of(network.version, network.last) != zone:
        return False
    others = [other for entry in policy.zones.values() if entry.name != zone for other in entry.networks]
    return not any(other.overlaps(network) for other in others)


def _overlaps(policy: Policy, merged: Merged) -> bool:
    found = False
    owned = [(zone.name, network) for zone in policy.zones.values() for network in zone.networks + zone.rest]
    if policy.management is not None:
        owned += [("management", network) for network in policy.management.networks]
    for (one, network), (other, taken) in combinations(owned, 2):
        # Only 0.0.0.0/0 and ::/0 may hold others: they mean the rest. Two rests are one too many.
        rests = (network.length == 0) + (taken.length == 0)
        if network.overlaps(taken) and rests != 1:
            found = True
            path: tuple[str | int, ...] = ("zones", other, "networks")
            if other == "management":
                assert merged.management is not None  # noqa: S101  the name is in `owned` only then
                document, path = merged.management[0], ("management", "networks")
            else:
                document = merged.named["zones"][other][0]
            merged.problems.append(
                document.problem(
                    "overlapping-zones", path, zone=other, network=taken, other=one, taken=network
                )
            )
    return found


def _interfaces(policy: Policy, merged: Merged) -> None:
    seen: dict[str, str] = {policy.management.interface: "management"} if policy.management else {}
    for zone in policy.zones.values():
        for index, interface in enumerate(zone.interfaces):
            if interface in seen:
                document = merged.named["zones"][zone.name][0]
                path = ("zones", zone.name, "interfaces", index)
                merged.problems.append(
                    document.problem("interface-twice", path, interface=interface, other=seen[interface])
                )
            seen.setdefault(interface, zone.name)


def _one_address_one_machine(policy: Policy, merged: Merged) -> None:
    """Report an address that is ours and a host's, or that two hosts claim with different MACs."""
    owners: dict[Network, tuple[str, str | None]] = {
        address: (GATEWAY, None) for zone in policy.zones.values() for address in zone.gateway
    }
    for host in policy.hosts.values():
        for address in host.addresses:
            other, mac = owners.setdefault(address, (host.name, host.mac))
            # One machine may go by two names; two MACs, or our own address, make it two machines.
            if other != host.name and (other == GATEWAY or mac != host.mac):
                document = merged.named["hosts"][host.name][0]
                path = ("hosts", host.name, "ip")
                merged.problems.append(
                    document.problem("address-twice", path, name=host.name, address=address, other=other)
                )


def _gateway_addresses(policy: Policy, merged: Merged) -> None:
    for zone in policy.zones.values():
        for address in zone.gateway:
            if policy.zone_of(address.version, address.first) != zone.name:
                document = merged.named["zones"][zone.name][0]
                code, params = _misplaced_network(policy, address, zone.name)
                path = ("zones", zone.name, "gateway")
                problem = document.problem(code, path)
                merged.problems.append(replace(problem, params={**params, "name": GATEWAY}))
