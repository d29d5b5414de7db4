"""The question and the answer: a packet's key, and the verdict on it."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from zones.address import address_text, parse_address

TCP, UDP, ICMP, ICMP6, SCTP = 6, 17, 1, 58, 132
PORT_PROTOCOLS = frozenset({TCP, UDP, SCTP})
"""Protocols whose packets carry ports; for ICMP the type stands in the place of the destination port."""

PROTOCOL_NAMES = {TCP: "tcp", UDP: "udp", ICMP: "icmp", ICMP6: "icmp6", SCTP: "sctp"}
PROTOCOL_NUMBERS = {name: number for number, name in PROTOCOL_NAMES.items()}


class PacketKey(NamedTuple):
    """What a verdict depends on. Addresses are integers; `version` is 4 or 6.

    `ingress` is the zone behind the interface the packet came in by; None when no interface is known and
    the zone may only be inferred from the source address. `dport` holds the ICMP type, `sport` its code
    for ICMP. `src_mac` counts only when it was seen on the ingress segment.
    """

    ingress: str | None
    version: int
    src: int
    dst: int
    protocol: int
    sport: int = 0
    dport: int = 0
    src_mac: str | None = None

    @classmethod
    def of(
        cls,
        ingress: str | None,
        src: str,
        dst: str,
        protocol: str | int,
        dport: int = 0,
        *,
        sport: int = 0,
        src_mac: str | None = None,
    ) -> PacketKey:
        """Return a key from addresses as people write them.

        Raises:
            ValueError: not an address, or the two are of different families.

        >>> PacketKey.of("mynumber", "10.10.3.4", "198.51.100.1", "tcp", 443).describe()
        'mynumber:10.10.3.4 > 198.51.100.1 tcp/443'
        """
        version, source = parse_address(src)
        other, destination = parse_address(dst)
        if version != other:
            raise ValueError(f"{src} and {dst} are of different families")
        number = PROTOCOL_NUMBERS[protocol] if isinstance(protocol, str) else protocol
        return cls(ingress, version, source, destination, number, sport, dport, src_mac)

    def describe(self) -> str:
        """Return the packet in the notation of policy tests."""
        source = address_text(self.version, self.src)
        destination = address_text(self.version, self.dst)
        name = PROTOCOL_NAMES.get(self.protocol, f"proto/{self.protocol}")
        service = f"{name}/{self.dport}" if self.protocol in PROTOCOL_NAMES else name
        return f"{self.ingress or '?'}:{source} > {destination} {service}"


class State(StrEnum):
    """What connection tracking knows of a packet (the kernel's ct state)."""

    NEW = "new"
    ESTABLISHED = "established"
    RELATED = "related"
    INVALID = "invalid"


class Reason(StrEnum):
    """Why a verdict is what it is; stable strings for logs, JSON and tests."""

    FLOW = "flow"
    GUARD = "guard"
    DEFAULT_DENY = "default-deny"
    WOULD_DENY = "would-deny"
    EXPIRED = "expired"
    OUTSIDE_HOURS = "outside-hours"
    NEEDS_APPROVAL = "needs-approval"
    UNKNOWN_ZONE = "unknown-zone"
    SPOOFED_SOURCE = "spoofed-source"
    MISROUTED = "misrouted"
    MALFORMED = "malformed"
    INVALID_STATE = "invalid-state"
    USE_RENDER = "use-render"
    USE_PORTAL = "use-portal"
    NO_PROXY = "no-proxy"
    MANAGEMENT = "management"
    LIMIT = "limit"


class Outcome(StrEnum):
    """What happens to the packet itself."""

    ALLOW = "allow"
    DENY = "deny"
    SANITIZE_MAIL = "sanitize:mail"
    SANITIZE_WEB = "sanitize:web"


class Verdict(NamedTuple):
    """The answer for one packet: a value, never an exception.

    `decided_by` is the flow or guard that decided, `also` the others that would have (smallest id
    first), `audited` the audit-mode flows that matched without taking part.
    """

    outcome: Outcome
    reason: Reason
    decided_by: str | None = None
    source_zone: str | None = None
    destination_zone: str | None = None
    state: State = State.NEW
    also: tuple[str, ...] = ()
    audited: tuple[str, ...] = ()
    zone_inferred: bool = False
    revision: str = ""

    @property
    def passes(self) -> bool:
        """Whether the packet goes on, forwarded or into our own proxy."""
        return self.outcome is not Outcome.DENY


class Connection(NamedTuple):
    """What the tracker hands to `decide` for a packet of a known connection.

    `flow` is the flow that admitted the connection (None for one that nothing admitted).
    """

    state: State
    flow: str | None = None
