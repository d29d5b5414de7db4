"""The policy as values: what is left when names are resolved and nothing is wrong.

Everything here is frozen and keyword-only, so that a policy can be shared, compared, hashed and printed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, time
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING

from zones.address import MARTIANS, Network, is_martian, subtract

if TYPE_CHECKING:
    from collections.abc import Mapping
    from zoneinfo import ZoneInfo

GATEWAY = "gateway"
"""The implicit zone of the gateway's own addresses."""


class Action(StrEnum):
    """What a flow does with a packet it matches (policy language)."""

    ALLOW = "allow"
    DENY = "deny"
    SANITIZE_MAIL = "sanitize:mail"
    SANITIZE_WEB = "sanitize:web"
    RENDER = "render"
    FILE_TRANSFER = "file-transfer"


class Mode(StrEnum):
    """Whether a flow takes part in verdicts."""

    ENFORCE = "enforce"
    AUDIT = "audit"
    DISABLED = "disabled"


class ZoneClass(StrEnum):
    """The kind of a zone in the three-layer model (三層分離)."""

    MYNUMBER = "mynumber"
    LGWAN = "lgwan"
    INTERNET = "internet"
    OUTSIDE = "outside"
    OTHER = "other"


@dataclass(frozen=True, kw_only=True)
class Zone:
    """A segment behind one or more interfaces of the gateway.

    `rest` holds the whole families (0.0.0.0/0, ::/0) that this zone takes what no other zone has of;
    `gateway` our own addresses on it.
    """

    name: str
    zone_class: ZoneClass
    interfaces: tuple[str, ...]
    networks: tuple[Network, ...]
    rest: tuple[Network, ...] = ()
    gateway: tuple[Network, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Management:
    """The segment the gateway is administered from: never a zone, never forwarded."""

    interface: str
    networks: tuple[Network, ...]


@dataclass(frozen=True, kw_only=True)
class Relay:
    """The reviewed claim that a host never passes on what it receives."""

    never: bool
    because: str


@dataclass(frozen=True, kw_only=True)
class Host:
    """A machine with fixed addresses; `mac` counts on the segment it is attached to."""

    name: str
    zone: str
    addresses: tuple[Network, ...]
    mac: str | None = None
    relay: Relay | None = None
    description: str = ""


@dataclass(frozen=True, kw_only=True)
class Group:
    """Networks of one zone under one name."""

    name: str
    zone: str
    networks: tuple[Network, ...]
    description: str = ""


@dataclass(frozen=True, kw_only=True)
class DomainName:
    """Destinations known by name only, served by a proxy; never turned into address rules."""

    name: str
    hosts: tuple[str, ...]
    zone: str
    tenant: str | None = None


@dataclass(frozen=True, kw_only=True, order=True)
class ServiceTerm:
    """One protocol with a range of ports or of ICMP types.

    `protocol` None is every protocol; `low`..`high` are destination ports (TCP, UDP, SCTP) or ICMP types,
    None where the protocol has neither or all of them count.
    """

    protocol: int | None
    low: int | None = None
    high: int | None = None

    def holds(self, protocol: int, dport: int) -> bool:
        """Return whether a packet of this protocol and destination port (or ICMP type) is meant."""
        if self.protocol is None:
            return True
        return protocol == self.protocol and (
            self.low is None or self.low <= dport <= (self.high or self.low)
        )


@dataclass(frozen=True, kw_only=True, order=True)
class Selector:
    """One end of a flow: a zone and, where it is narrower than the zone, the networks meant.

    `names` marks an end that is known by domain name only: no address ever matches it.
    """

    zone: str
    networks: tuple[Network, ...] | None = None
    name: str | None = None

    def holds(self, zone: str, version: int, address: int) -> bool:
        """Return whether an address of `zone` is meant."""
        if zone != self.zone or self.name is not None:
            return False
        return self.networks is None or any(network.holds(version, address) for network in self.networks)


@dataclass(frozen=True, kw_only=True)
class Hours:
    """When a flow is open: weekdays (0 = Monday) and a span of the day in the policy's time zone."""

    days: frozenset[int] = frozenset(range(7))
    opens: time = time(0, 0)
    closes: time | None = None
    approval_people: int = 0
    approval_max_minutes: int = 0


@dataclass(frozen=True, kw_only=True)
class Flow:
    """One line of the allowlist. `number` is its stable mark in the kernel (1 … 2³¹-1)."""

    id: str
    number: int
    sources: tuple[Selector, ...]
    destinations: tuple[Selector, ...]
    services: tuple[ServiceTerm, ...]
    action: Action
    mode: Mode = Mode.ENFORCE
    owner: str | None = None
    ticket: str | None = None
    expires: date | None = None
    expires_at: float | None = None
    """Seconds since the epoch at which `expires` has fully passed (exclusive)."""
    hours: Hours | None = None
    justification: str | None = None
    basis: tuple[str, ...] = ()
    options: Mapping[str, object] = field(default_factory=dict)
    source_names: tuple[str, ...] = ()
    destination_names: tuple[str, ...] = ()
    service_names: tuple[str, ...] = ()
    line: int = 0
    file: str = ""

    @property
    def allowing(self) -> bool:
        """Whether this flow opens anything (everything but a deny)."""
        return self.action is not Action.DENY


@dataclass(frozen=True, kw_only=True)
class Guard:
    """A direction that nothing opens.

    Without `actions` it drops every packet of its direction, replies too; with them it forbids new
    connections by those actions only.
    """

    id: str
    number: int
    sources: tuple[str, ...]
    destinations: tuple[str, ...]
    actions: tuple[Action, ...] = ()
    because: str | None = None
    basis: tuple[str, ...] = ()
    line: int = 0
    file: str = ""


@dataclass(frozen=True, kw_only=True)
class Invariant:
    """Something that must hold for every packet; proved by `verify`."""

    id: str
    sources: tuple[str, ...]
    destinations: tuple[str, ...]
    never: bool
    transitive: bool = False
    require_action: tuple[Action, ...] = ()
    exceptions: tuple[str, ...] = ()
    over: tuple[Action, ...] = ()
    because: str | None = None
    basis: tuple[str, ...] = ()
    line: int = 0
    file: str = ""


@dataclass(frozen=True, kw_only=True)
class PolicyTest:
    """One packet and the verdict it must get.

    `at` is a day (its first second is meant) or a moment in the policy's time zone; None is now.
    """

    packet: str
    expect: str
    by: str | None = None
    at: date | None = None
    line: int = 0
    column: int = 0
    file: str = ""


@dataclass(frozen=True, kw_only=True)
class Suppression:
    """A finding of lint that somebody has looked at and accepts, until the end of a day or for good.

    It says nothing about packets, so it is no part of the policy's meaning. `section` and `name` are the
    entry meant; `meta` with no name is the policy as a whole.
    """

    code: str
    section: str
    name: str
    because: str
    until: date | None = None
    until_at: float | None = None
    line: int = 0
    column: int = 0
    file: str = ""


@dataclass(frozen=True, kw_only=True)
class Policy:
    """A whole valid policy; `revision` is the SHA-256 of its canonical form."""

    name: str
    model: str
    timezone: ZoneInfo
    zones: Mapping[str, Zone]
    hosts: Mapping[str, Host]
    groups: Mapping[str, Group]
    services: Mapping[str, tuple[ServiceTerm, ...]]
    names: Mapping[str, DomainName]
    guards: tuple[Guard, ...]
    flows: tuple[Flow, ...]
    invariants: tuple[Invariant, ...]
    tests: tuple[PolicyTest, ...]
    management: Management | None = None
    audit_until: date | None = None
    audit_until_at: float | None = None
    suppressions: tuple[Suppression, ...] = ()
    revision: str = ""

    def zone_of(self, version: int, address: int) -> str | None:
        """Return the zone an address belongs to; None for martian, management and unowned ones."""
        for network, zone in self._owned:
            if network.holds(version, address):
                return zone
        if is_martian(version, address):
            return None
        return self._rest.get(version)

    def zone_of_interface(self, interface: str) -> str | None:
        """Return the zone behind an interface of the gateway."""
        return self._interfaces.get(interface)

    def networks_of(self, zone: str, version: int) -> tuple[Network, ...]:
        """Return every prefix `zone` owns in one family, `rest` written out without all others' prefixes."""
        entry = self.zones[zone]
        own = [network for network in entry.networks if network.version == version]
        taken = [network for network, _ in self._owned] + list(MARTIANS)
        own += subtract((network for network in entry.rest if network.version == version), taken)
        return tuple(sorted(own))

    def flow(self, flow_id: str) -> Flow | None:
        """Return the flow with this id."""
        return self._flows_by_id.get(flow_id)

    def guard(self, guard_id: str) -> Guard | None:
        """Return the guard with this id."""
        return next((guard for guard in self.guards if guard.id == guard_id), None)

    def flows_between(self, source: str, destination: str) -> tuple[Flow, ...]:
        """Return the flows with an end in each of the two zones, by id, without disabled ones.

        From the gateway itself these are also the sanitize flows to `destination`.
        """
        return self._flows_by_pair.get((source, destination), ())

    @cached_property
    def _flows_by_pair(self) -> dict[tuple[str, str], tuple[Flow, ...]]:
        pairs: dict[tuple[str, str], dict[str, Flow]] = {}
        for flow in sorted(self.flows, key=lambda flow: flow.id):
            if flow.mode is Mode.DISABLED:
                continue
            sources = {selector.zone for selector in flow.sources}
            if flow.action in (Action.SANITIZE_MAIL, Action.SANITIZE_WEB):
                sources.add(GATEWAY)
            for source in sources:
                for destination in {selector.zone for selector in flow.destinations}:
                    pairs.setdefault((source, destination), {})[flow.id] = flow
        return {pair: tuple(flows.values()) for pair, flows in pairs.items()}

    @cached_property
    def _flows_by_id(self) -> dict[str, Flow]:
        return {flow.id: flow for flow in self.flows}

    @cached_property
    def _owned(self) -> tuple[tuple[Network, str | None], ...]:
        """Explicit prefixes with their zone; the management segment is nobody's. They do not overlap."""
        owned: list[tuple[Network, str | None]] = [
            (network, zone.name) for zone in self.zones.values() for network in zone.networks
        ]
        if self.management is not None:
            owned += [(network, None) for network in self.management.networks]
        return tuple(owned)

    @cached_property
    def _rest(self) -> dict[int, str]:
        return {network.version: zone.name for zone in self.zones.values() for network in zone.rest}

    @cached_property
    def _interfaces(self) -> dict[str, str]:
        return {interface: zone.name for zone in self.zones.values() for interface in zone.interfaces}

    @cached_property
    def gateway_addresses(self) -> Mapping[tuple[int, int], str]:
        """Our own addresses → the zone whose segment they are on."""
        return {
            (network.version, network.first): zone.name
            for zone in self.zones.values()
            for network in zone.gateway
        }

    @cached_property
    def macs(self) -> Mapping[tuple[int, int], str]:
        """Addresses of hosts with a fixed MAC → that MAC, in lower case."""
        return {
            (network.version, network.first): host.mac
            for host in self.hosts.values()
            if host.mac is not None
            for network in host.addresses
        }
