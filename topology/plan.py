"""A lab as a plan: segments, nodes and links with every name, address and MAC decided.

`load_plan` turns the text of a lab file into a `LabPlan` or reports everything that is wrong with it at once.
Nothing here touches the machine; `topology.commands` says what would, `topology.namespaces` does it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from functools import cached_property
from ipaddress import IPv4Interface, IPv4Network, IPv6Interface, IPv6Network
from typing import TYPE_CHECKING

from topology.checks import check_lab
from topology.schema import LabShape
from zones.errors import ConfigurationError, PolicyError
from zones.shape import validate
from zones.source import read_document

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from topology.schema import Address, GatewayShape, HostShape, Network, NodeShape, SegmentShape

GATEWAY = "gateway"
SWITCH = "switch"
HOST_INTERFACE = "eth0"

InterfaceAddress = IPv4Interface | IPv6Interface
ExtraNetwork = IPv4Network | IPv6Network


@dataclass(frozen=True, kw_only=True)
class Label:
    """What people call a thing; empty where the file says nothing."""

    en: str = ""
    ja: str = ""


@dataclass(frozen=True, kw_only=True)
class Segment:
    """One wire: a bridge of its name in the `switch` namespace."""

    name: str
    networks: tuple[ExtraNetwork, ...]
    label: Label = Label()
    color: str


@dataclass(frozen=True, kw_only=True)
class Link:
    """A node's interface on a segment; `port` is the other end, on the switch."""

    node: str
    interface: str
    segment: str
    port: str
    mac: str
    addresses: tuple[InterfaceAddress, ...]

    @property
    def has_ipv6(self) -> bool:
        """Return whether IPv6 is alive on this interface at all."""
        return any(address.version == 6 for address in self.addresses)


@dataclass(frozen=True, kw_only=True)
class Service:
    """Something that is to listen on a node: what it is called, and where."""

    name: str
    port: int
    protocol: str = "tcp"


@dataclass(frozen=True, kw_only=True)
class Node:
    """A network namespace of the lab: the gateway or a host."""

    name: str
    links: tuple[Link, ...]
    extra_addresses: tuple[ExtraNetwork, ...] = ()
    default_routes: tuple[str, ...] = ()
    sysctls: tuple[tuple[str, str], ...] = ()
    services: tuple[Service, ...] = ()
    label: Label = Label()

    @property
    def addresses(self) -> tuple[InterfaceAddress, ...]:
        """Return the addresses of all links, in the order of the file."""
        return tuple(address for link in self.links for address in link.addresses)


@dataclass(frozen=True, kw_only=True)
class LabPlan:
    """Everything a driver needs to make the lab, and a picture to draw it.

    >>> plan = load_plan(EXAMPLE, "example.yaml")
    >>> plan.node("alice").links[0].mac
    '02:b9:07:c9:eb:44'
    """

    name: str
    segments: tuple[Segment, ...]
    gateway: Node
    hosts: tuple[Node, ...]
    label: Label = Label()
    # Where the plan came from; two files that say the same make equal plans.
    file: str = field(default="", compare=False, repr=False)
    text: str = field(default="", compare=False, repr=False)

    @cached_property
    def nodes(self) -> Mapping[str, Node]:
        """Return the gateway and the hosts by name."""
        return {node.name: node for node in (self.gateway, *self.hosts)}

    def node(self, name: str) -> Node:
        """Return the node of this name.

        Raises:
            ConfigurationError: the lab has none; the message lists those it has.
        """
        node = self.nodes.get(name)
        if node is None:
            raise ConfigurationError(
                "lab-unknown-node", node=name, lab=self.name, nodes=", ".join(self.nodes)
            )
        return node

    def segment(self, name: str) -> Segment:
        """Return the segment of this name, which a checked plan always has."""
        return next(segment for segment in self.segments if segment.name == name)

    @property
    def digest(self) -> str:
        """Return the SHA-256 of what this plan says: equal for equal labs, whatever their file's layout."""
        return hashlib.sha256(repr(self).encode()).hexdigest()


def read_plan(path: Path) -> LabPlan:
    """Return the plan a lab file describes.

    Raises:
        PolicyError: the file is wrong; all its problems.
        ConfigurationError: the file cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8"
        raise ConfigurationError("lab-file-unreadable", file=str(path), detail=reason) from None
    return load_plan(text, str(path))


def load_plan(text: str, file: str) -> LabPlan:
    """Return the plan that the text of a lab file describes; `file` is named in problems.

    Raises:
        PolicyError: every problem of the file, each with line and column.
    """
    document = read_document(file, text)
    problems = list(document.problems)
    shape = validate(document, LabShape, problems)
    if shape is not None:
        problems += check_lab(shape, document)
    elif not problems:
        problems.append(document.problem("missing-key", [], key="schema"))
    if problems or shape is None or shape.gateway is None:
        raise PolicyError(sorted(problems, key=lambda problem: (problem.line, problem.column)))
    return replace(_plan(shape, shape.gateway), file=file, text=text)


def mac_of(node: str, interface: str) -> str:
    """Return the MAC an interface gets when the file gives none: local, unicast, the same every time.

    >>> mac_of("alice", "eth0")
    '02:b9:07:c9:eb:44'
    """
    digest = hashlib.sha256(f"masugata {node} {interface}".encode()).digest()
    return ":".join(f"{byte:02x}" for byte in (0x02, *digest[:5]))


def _plan(shape: LabShape, gateway: GatewayShape) -> LabPlan:
    return LabPlan(
        name=shape.name,
        label=_label(shape.label.en, shape.label.ja),
        segments=tuple(_segment(name, segment) for name, segment in shape.segments.items()),
        gateway=_node(GATEWAY, gateway, tuple(_gateway_links(shape, gateway)), gateway.default_route),
        hosts=tuple(_host(name, host, shape) for name, host in shape.hosts.items()),
    )


def _segment(name: str, shape: SegmentShape) -> Segment:
    label = _label(shape.label.en, shape.label.ja)
    return Segment(name=name, networks=tuple(shape.networks), label=label, color=shape.color)


def _gateway_links(shape: LabShape, gateway: GatewayShape) -> Iterator[Link]:
    for name, interface in gateway.interfaces.items():
        networks = shape.segments[interface.segment].networks
        yield Link(
            node=GATEWAY,
            interface=name,
            segment=interface.segment,
            port=name,
            mac=interface.mac or mac_of(GATEWAY, name),
            addresses=tuple(_with_prefix(address, networks) for address in interface.addresses),
        )


def _host(name: str, host: HostShape, shape: LabShape) -> Node:
    networks = shape.segments[host.segment].networks
    link = Link(
        node=name,
        interface=HOST_INTERFACE,
        segment=host.segment,
        port=name,
        mac=host.mac or mac_of(name, HOST_INTERFACE),
        addresses=tuple(_with_prefix(address, networks) for address in host.addresses),
    )
    return _node(name, host, (link,), _host_routes(host, shape))


def _host_routes(host: HostShape, shape: LabShape) -> Iterable[Address]:
    if host.default_route == "none":
        return ()
    if host.default_route != "gateway":
        routes: list[Address] = host.default_route
        return routes
    versions = {address.version for address in host.addresses}
    first: dict[int, Address] = {}
    for interface in shape.gateway.interfaces.values() if shape.gateway else ():
        for address in interface.addresses if interface.segment == host.segment else ():
            first.setdefault(address.version, address)
    return [address for version, address in first.items() if version in versions]


def _node(name: str, shape: NodeShape, links: tuple[Link, ...], routes: Iterable[Address]) -> Node:
    services = (Service(name=s.name, port=s.port, protocol=s.protocol) for s in shape.services)
    return Node(
        name=name,
        links=links,
        extra_addresses=tuple(shape.extra_addresses),
        default_routes=tuple(str(address) for address in routes),
        sysctls=tuple(shape.sysctls.items()),
        services=tuple(services),
        label=_label(shape.label.en, shape.label.ja),
    )


def _with_prefix(address: Address, networks: Iterable[Network]) -> InterfaceAddress:
    length = next(network.prefixlen for network in networks if address in network)
    text = f"{address}/{length}"
    return IPv4Interface(text) if address.version == 4 else IPv6Interface(text)


def _label(en: str, ja: str) -> Label:
    return Label(en=en, ja=ja)


EXAMPLE = """\
schema: 1
name: two-wires
segments:
  left: {networks: [192.0.2.0/25]}
  right: {networks: [192.0.2.128/25]}
gateway:
  interfaces:
    left0: {segment: left, addresses: [192.0.2.126]}
    right0: {segment: right, addresses: [192.0.2.254]}
hosts:
  alice: {segment: left, addresses: [192.0.2.1]}
  bob: {segment: right, addresses: [192.0.2.129]}
"""
"""The smallest lab in which something crosses; the examples in our docstrings use it."""
