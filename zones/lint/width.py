"""Lines that open more than anybody asked for: whole zones, whole protocols, services attackers look for."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from zones.lint.finding import listed
from zones.model import GATEWAY, ZoneClass
from zones.proof.packets import service_ranges
from zones.proof.space import common
from zones.services import parse_service, service_text
from zones.verdict import ICMP, ICMP6, TCP, UDP

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zones.address import Network
    from zones.lint.context import Context
    from zones.lint.finding import Finding
    from zones.model import Flow, Policy, Selector, ServiceTerm

MAX_PORTS = 1024
"""More ports than this in one term are a range that nobody has thought about."""

DYNAMIC_PORTS = (49152, 65535)
"""RFC 6335 section 6: servers that hand out ports (RPC) need the range as a whole."""

# A prefix with more addresses than this is as wide as a zone.
_WIDEST = {4: 16, 6: 48}


class Risk(NamedTuple):
    """A service that is attacked as soon as it can be reached; `inside` also within one zone."""

    name: str
    services: tuple[str, ...]
    inside: bool = False


RISKS: tuple[Risk, ...] = (
    Risk("ftp", ("tcp/21",), inside=True),
    Risk("telnet", ("tcp/23",), inside=True),
    Risk("rlogin", ("tcp/512-514",), inside=True),
    Risk("tftp", ("udp/69",), inside=True),
    Risk("ssh", ("tcp/22",)),
    Risk("rpc", ("tcp/111", "udp/111", "tcp/135")),
    Risk("netbios", ("udp/137-138", "tcp/139")),
    Risk("snmp", ("udp/161",)),
    Risk("ldap", ("tcp/389", "udp/389")),
    Risk("smb", ("tcp/445",)),
    Risk("database", ("tcp/1433", "tcp/1521", "tcp/3306", "tcp/5432", "tcp/6379", "tcp/27017")),
    Risk("nfs", ("tcp/2049", "udp/2049")),
    Risk("docker", ("tcp/2375",)),
    Risk("rdp", ("tcp/3389", "udp/3389")),
    Risk("vnc", ("tcp/5900-5906",)),
    Risk("winrm", ("tcp/5985-5986",)),
    Risk("printing", ("tcp/9100",)),
)
_RISKY = [(risk, service_ranges(map(parse_service, risk.services))) for risk in RISKS]


def any_any(context: Context) -> Iterator[Finding]:
    """Yield flows that open everything between whole zones."""
    for flow in context.opening:
        pairs = _everything(context, flow)
        if pairs:
            named = listed(f"{one} → {other}" for one, other in pairs)
            yield context.about("any-any", flow, "service", pairs=named)


def too_broad(context: Context) -> Iterator[Finding]:
    """Yield flows with an end or a service wider than a purpose can be."""
    for flow in context.opening:
        if not context.raw_pairs(flow) or _everything(context, flow):
            continue
        terms = [service_text(term) for term in flow.services if _wide_service(term)]
        if terms:
            yield context.about("too-broad", flow, "service", what=listed(terms))
        for key, names in _wide_ends(context, flow):
            yield context.about("too-broad", flow, key, what=listed(dict.fromkeys(names)))


def high_risk_port(context: Context) -> Iterator[Finding]:
    """Yield flows that open a service attackers look for, across zones; cleartext logins everywhere."""
    for flow in context.opening:
        pairs = [pair for pair in context.raw_pairs(flow) if GATEWAY not in pair]
        if not pairs or any(term.protocol is None for term in flow.services):
            continue  # `any` is reported for what it is
        mine = service_ranges(flow.services)
        crossing = [pair for pair in pairs if pair[0] != pair[1]]
        risks = [risk for risk, ranges in _RISKY if (crossing or risk.inside) and common(mine, ranges)]
        if risks:
            where = crossing or pairs
            yield context.about(
                "high-risk-port",
                flow,
                "service",
                services=listed(risk.name for risk in risks),
                pairs=listed(f"{one} → {other}" for one, other in where),
            )


def _everything(context: Context, flow: Flow) -> list[tuple[str, str]]:
    """Return the pairs of zones between which a flow opens everything."""
    if not any(term.protocol is None for term in flow.services):
        return []
    wide_from = {end.zone for end in flow.sources if wide(context.policy, end)}
    wide_to = {end.zone for end in flow.destinations if wide(context.policy, end)}
    return [pair for pair in context.raw_pairs(flow) if pair[0] in wide_from and pair[1] in wide_to]


def _wide_service(term: ServiceTerm) -> bool:
    if term.protocol is None:
        return True
    if term.protocol in (ICMP, ICMP6):
        return term.low is None
    if term.low is None:
        return term.protocol in (TCP, UDP)
    high = term.low if term.high is None else term.high
    return high - term.low >= MAX_PORTS and (term.low, high) != DYNAMIC_PORTS


def _wide_ends(context: Context, flow: Flow) -> Iterator[tuple[str, list[str]]]:
    """Yield which end is as wide as a zone: a destination always, a source when it is to leave its zone.

    Everybody outside may ask a public service; nobody means every machine of a zone of the city.
    """
    pairs = context.raw_pairs(flow)
    sources = {one for one, other in pairs if one != other}
    destinations = {other for _, other in pairs}
    classes = {zone.name: zone.zone_class for zone in context.policy.zones.values()}
    for key, ends, names in (
        ("from", flow.sources, flow.source_names),
        ("to", flow.destinations, flow.destination_names),
    ):
        meant = [
            name
            for end, name in zip(ends, names, strict=True)
            if wide(context.policy, end)
            and (
                end.zone in destinations
                if key == "to"
                else end.zone in sources and classes.get(end.zone) is not ZoneClass.OUTSIDE
            )
        ]
        if meant:
            yield key, meant


def wide(policy: Policy, end: Selector) -> bool:
    """Whether an end is a whole zone, or as wide as one."""
    if end.zone == GATEWAY or end.name is not None:
        return False
    if end.networks is None:
        return not _small(policy.zones[end.zone].networks + policy.zones[end.zone].rest)
    return any(network.length < _WIDEST[network.version] for network in end.networks) or any(
        network in policy.zones[end.zone].networks and not _small((network,)) for network in end.networks
    )


def _small(networks: tuple[Network, ...]) -> bool:
    """Whether all of it is one segment of at most 256 addresses: a zone that is one rack is no crowd."""
    return all(network.last - network.first < 256 for network in networks)
