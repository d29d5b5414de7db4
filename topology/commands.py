"""From a plan to the commands that make it: what `masugata lab plan` prints and a driver runs, in order.

Each segment is a bridge in the namespace `switch`; every node has a veth pair whose other end is a port of
that bridge. Nodes configure nothing by themselves (no IPv6 autoconfiguration, no duplicate detection, no
router solicitations), so that a capture holds only what somebody sent.
"""

from __future__ import annotations

from enum import StrEnum
from ipaddress import IPv6Address
from typing import TYPE_CHECKING, NamedTuple

from topology.plan import GATEWAY, SWITCH

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from topology.plan import LabPlan, Link, Node


class Tool(StrEnum):
    """Who takes the lines of a step."""

    IP = "ip"  # lines of `ip -batch -`
    SYSCTL = "sysctl"  # lines of sysctl.d: a leading `-` means it may be missing
    OFFLOAD = "offload"  # interfaces whose checksum and segmentation offload goes off


class Step(NamedTuple):
    """Lines for one tool in one namespace; `namespace` is empty for the lab's own."""

    namespace: str
    tool: Tool
    lines: tuple[str, ...]


# `accept_ra` and its relatives: a lab is addressed by its plan, never by what it hears.
_QUIET_IPV6 = {
    "accept_ra": "0",
    "autoconf": "0",
    "accept_redirects": "0",
    "router_solicitations": "0",
    "dad_transmits": "0",
    "accept_dad": "0",
    "addr_gen_mode": "1",  # 1 = none: no link-local address of the kernel's own making
}
_QUIET_IPV4 = {"rp_filter": "0", "accept_redirects": "0", "send_redirects": "0"}

# The gateway answers ARP only for the address of the asked interface, and asks with that one too: otherwise
# a host learns addresses of other zones from it. rp_filter stays 0, our own anti-spoof replaces it.
_GATEWAY_IPV4 = _QUIET_IPV4 | {"arp_ignore": "1", "arp_announce": "2"}

# Forwarding stays off until the gateway has read its own ruleset back. Connection tracking must not adopt
# connections in the middle (loose=0) and must count bytes (acct=1); both exist where the module is loaded.
_GATEWAY_ONCE = (
    "net.ipv4.ip_forward=0",
    "net.ipv6.conf.all.forwarding=0",
    "net.ipv4.ip_unprivileged_port_start=0",
    "-net.netfilter.nf_conntrack_tcp_loose=0",
    "-net.netfilter.nf_conntrack_acct=1",
)
_HOST_ONCE = ("net.ipv4.ip_forward=0", "net.ipv4.ip_unprivileged_port_start=0")

# The switch forwards frames and looks into none: br_netfilter would drop what it finds malformed.
_SWITCH = (
    "net.ipv6.conf.all.disable_ipv6=1",
    "net.ipv6.conf.default.disable_ipv6=1",
    "-net.bridge.bridge-nf-call-iptables=0",
    "-net.bridge.bridge-nf-call-ip6tables=0",
    "-net.bridge.bridge-nf-call-arptables=0",
)


def build(plan: LabPlan) -> tuple[Step, ...]:
    """Return the steps that make the lab of `plan`, the same for the same plan.

    >>> from topology.plan import EXAMPLE, load_plan
    >>> build(load_plan(EXAMPLE, "example.yaml"))[0].lines
    ('netns add switch', 'netns add gateway', 'netns add alice', 'netns add bob')
    """
    names = (SWITCH, *plan.nodes)
    nodes = plan.nodes.values()
    return (
        Step("", Tool.IP, tuple(f"netns add {name}" for name in names)),
        Step(SWITCH, Tool.SYSCTL, _SWITCH),
        # Before the interfaces exist, so that they are born quiet.
        *(Step(node.name, Tool.SYSCTL, _before(node)) for node in nodes),
        Step(SWITCH, Tool.IP, tuple(_wires(plan))),
        Step(SWITCH, Tool.OFFLOAD, tuple(link.port for link in _links(plan))),
        *(step for node in nodes for step in _configure(node)),
    )


def text(steps: Iterable[Step]) -> Iterator[str]:
    """Yield the steps as lines for people: what one would type, namespace by namespace."""
    for step in steps:
        inside = f"ip netns exec {step.namespace} " if step.namespace else ""
        for line in step.lines:
            # procps knows the leading `-` of sysctl.d only in files; on its command line it is -e.
            said = line.replace("-net", "-e net", 1) if line.startswith("-net") else line
            yield inside + _SAID[step.tool].format(line=said)


_SAID = {
    Tool.IP: "ip {line}",
    Tool.SYSCTL: "sysctl -w {line}",
    Tool.OFFLOAD: "ethtool -K {line} tx off sg off tso off gso off gro off",
}


def _links(plan: LabPlan) -> Iterator[Link]:
    return (link for node in plan.nodes.values() for link in node.links)


def _wires(plan: LabPlan) -> Iterator[str]:
    """Yield the bridges, then one veth pair a link: born in its namespace, with its name and MAC."""
    for segment in plan.segments:
        yield f"link add {segment.name} type bridge stp_state 0 forward_delay 0 mcast_snooping 0"
        yield f"link set {segment.name} up"
    for link in _links(plan):
        yield (
            f"link add {link.port} type veth peer name {link.interface} address {link.mac} netns {link.node}"
        )
        yield f"link set {link.port} master {link.segment} up"


def _before(node: Node) -> tuple[str, ...]:
    gateway = node.name == GATEWAY
    once = _GATEWAY_ONCE if gateway else _HOST_ONCE
    ipv4 = _GATEWAY_IPV4 if gateway else _QUIET_IPV4
    # ip_forward first: a change of it resets other settings of the family to their defaults.
    scopes = [line for scope in ("all", "default") for line in _scope(scope, ipv4)]
    return (*once, *scopes)


def _scope(scope: str, ipv4: dict[str, str]) -> list[str]:
    lines = [f"net.ipv4.conf.{scope}.{key}={value}" for key, value in ipv4.items()]
    return lines + [f"-net.ipv6.conf.{scope}.{key}={value}" for key, value in _QUIET_IPV6.items()]


def _configure(node: Node) -> Iterator[Step]:
    """Yield what one node needs once its interfaces exist; they come up last."""
    yield Step(node.name, Tool.SYSCTL, tuple(_after(node)))
    yield Step(node.name, Tool.OFFLOAD, tuple(link.interface for link in node.links))
    yield Step(node.name, Tool.IP, tuple(_addresses(node)))


def _after(node: Node) -> Iterator[str]:
    for link in node.links:
        if node.name == GATEWAY:
            yield from (
                f"net.ipv4.conf.{link.interface}.{key}={value}" for key, value in _GATEWAY_IPV4.items()
            )
        yield f"-net.ipv6.conf.{link.interface}.disable_ipv6={0 if link.has_ipv6 else 1}"
    yield from (f"{key}={value}" for key, value in node.sysctls)


def _addresses(node: Node) -> Iterator[str]:
    yield "link set lo up"
    for link in node.links:
        for address in link.addresses:
            quiet = " nodad" if address.version == 6 else ""
            yield f"addr add {address} dev {link.interface}{quiet}"
        if link.has_ipv6:
            yield f"addr add {_link_local(link.mac)}/64 dev {link.interface} nodad"
        yield f"link set {link.interface} up"
    for network in node.extra_addresses:
        # A local route makes every address of the prefix the node's own: ARP, pings and RSTs for all.
        yield f"route add local {network} dev lo"
    for hop in node.default_routes:
        yield f"route add default via {hop}"


def _link_local(mac: str) -> IPv6Address:
    """Return the address of RFC 4291 appendix A: neighbour discovery for forwarded packets needs one."""
    parts = [int(part, 16) for part in mac.split(":")]
    identifier = bytes([parts[0] ^ 2, parts[1], parts[2], 0xFF, 0xFE, *parts[3:]])
    return IPv6Address(b"\xfe\x80" + bytes(6) + identifier)
