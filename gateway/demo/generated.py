"""Packets made to meet every rule: drawn from the policy and the lab, each with the verdict it must get.

Pure and seeded: the same policy and lab give the same packets. A packet is known again by its key, so no
two share one; TCP and UDP packets get a source port of their own.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from zones.address import address_text, parse_address
from zones.decide import decide
from zones.model import GATEWAY
from zones.verdict import ICMP, PORT_PROTOCOLS, PROTOCOL_NUMBERS, TCP, UDP, Connection, PacketKey, State

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from topology.plan import LabPlan, Node
    from zones.model import Flow, Policy, Selector, ServiceTerm
    from zones.verdict import Verdict

FIRST_SPORT = 20_000
_TOP_PORT = 65_535
_SEED = 20_260_331
_NOWHERE = ("224.0.0.251", "255.255.255.255", "169.254.7.7")
# RFC 9293 3.10: without a connection only a SYN opens one; the kernel calls the others invalid.
_ODD_FLAGS = ("A", "SA", "SF", "", "FPU", "R")
# RFC 792: queries open a connection of their own; errors and answers belong to one or to none.
_ICMP_QUERIES = frozenset({8, 13, 15, 17})
_ICMP_TYPES = (8, 0, 3, 5, 11, 13)
_PROTOCOLS = (4, 41, 47, 50, 51, 89)


class Key(NamedTuple):
    """What a packet is known by: addresses as written, protocol number, ports (type and code for ICMP)."""

    src: str
    dst: str
    protocol: int
    sport: int
    dport: int


@dataclass(frozen=True, kw_only=True)
class Generated:
    """One packet: the node that sends it, its description for `topology.traffic`, and its verdict."""

    sender: str
    key: Key
    description: dict[str, Any]
    kind: str
    expected: Verdict


def generate(policy: Policy, plan: LabPlan, *, now: float, count: int) -> list[Generated]:
    """Return `count` packets from all hosts of the lab to all ends and services the policy speaks of.

    Every flow has packets at and beside its edges, every kind of odd packet is there; the rest is drawn at
    random from all combinations.
    """
    maker = _Maker(policy, plan, now)
    chance = random.Random(_SEED)  # noqa: S311  a reproducible choice, not a secret
    packets = [*maker.by_flows(), *maker.odd()]
    combinations = list(maker.ordinary_ends())
    chance.shuffle(combinations)
    for sender, dst, protocol, dport in combinations:
        if len(packets) >= count:
            break
        packets += maker.ordinary(sender, dst, protocol, dport)
    return packets


class _Maker:
    def __init__(self, policy: Policy, plan: LabPlan, now: float) -> None:
        self.policy, self.plan, self.now = policy, plan, now
        self.hosts: Sequence[Node] = plan.hosts
        self.zone_of = {link.segment: policy.zone_of_interface(link.interface) for link in plan.gateway.links}
        self.identifier = 0
        self.seen: set[Key] = set()

    def by_flows(self) -> Iterator[Generated]:
        """Yield packets at the edges of every flow that can be spoken of by address, and just beside them."""
        for flow in self.policy.flows:
            for source in flow.sources:
                for destination in flow.destinations:
                    yield from self._at_edges(flow, source, destination)

    def _at_edges(self, flow: Flow, source: Selector, destination: Selector) -> Iterator[Generated]:
        senders = [node for node in self.hosts if self.zone_of[node.links[0].segment] == source.zone]
        if not senders or source.name or destination.name or destination.zone == GATEWAY:
            return
        for src in self._some(source, 1):
            sender = next((node for node in senders if src in _addresses(node)), senders[0])
            mac = self.policy.macs.get(parse_address(src))
            if mac is not None and sender.links[0].mac != mac:
                continue  # its bridge would send the real owner's answers to somebody else
            for dst in self._some(destination, 1):
                for term in flow.services:
                    for protocol, dport in _edges(term):
                        yield from self._packet(sender, src, dst, protocol, dport, kind=f"flow {flow.id}")

    def _some(self, end: Selector, count: int) -> list[str]:
        """Return addresses of a flow's end: of lab hosts where there are any, else of its prefixes."""
        known = [address for node in self.hosts for address in _addresses(node)]
        inside = [
            a for a in known if end.holds(self.policy.zone_of(*parse_address(a)) or "", *parse_address(a))
        ]
        firsts = [
            address_text(n.version, n.first + (n.first != n.last))
            for n in end.networks or ()
            if n.version == 4
        ]
        return (inside or firsts)[:count]

    def ordinary_ends(self) -> Iterator[tuple[Node, str, int, int]]:
        """Yield every sender, destination and service: what flows name, and ports that none does."""
        named = {end for flow in self.policy.flows for term in flow.services for end in _ends(term)}
        services = [*sorted(named), (TCP, 9), (UDP, 9), (TCP, 65_535), (ICMP, 8)]
        destinations = [address for node in self.hosts for address in _addresses(node)]
        destinations += [str(link.addresses[0].ip) for link in self.plan.gateway.links if link.addresses]
        for sender in self.hosts:
            for dst in destinations:
                for protocol, dport in services:
                    yield sender, dst, protocol, dport

    def ordinary(self, sender: Node, dst: str, protocol: int, dport: int) -> list[Generated]:
        """Return a first packet from the sender's own address, unless it would never reach the gateway."""
        src = _addresses(sender)[0]
        if self._same_segment(sender, dst):
            return []
        return self._packet(sender, src, dst, protocol, dport, kind="first")

    def _same_segment(self, sender: Node, dst: str) -> bool:
        key = PacketKey.of(None, dst, dst, TCP)
        link = sender.links[0]
        if any(str(own.ip) == dst for gate in self.plan.gateway.links for own in gate.addresses):
            return False
        return self.policy.zone_of(key.version, key.dst) == self.zone_of[link.segment]

    def odd(self) -> Iterator[Generated]:
        """Yield what no well-behaved host sends, from every host to one of every other zone."""
        for sender in self.hosts:
            own = _addresses(sender)[0]
            others = [
                node
                for node in self._one_of_each_segment()
                if not self._same_segment(sender, _addresses(node)[0])
            ]
            for other in others:
                dst = _addresses(other)[0]
                for flags in _ODD_FLAGS:
                    yield from self._packet(sender, own, dst, TCP, 443, kind="odd-flags", flags=flags)
                for icmp_type in _ICMP_TYPES:
                    yield from self._packet(sender, own, dst, ICMP, icmp_type, kind="icmp")
                for protocol in _PROTOCOLS:
                    yield from self._packet(sender, own, dst, protocol, 0, kind="protocol")
                yield from self._packet(sender, dst, _addresses(others[0])[0], TCP, 443, kind="spoofed")
                yield from self._packet(
                    sender, own, dst, TCP, 443, kind="wrong-mac", src_mac="02:de:ad:00:00:01"
                )
            for dst in _NOWHERE:
                yield from self._packet(sender, own, dst, UDP, 5353, kind="nowhere")

    def _one_of_each_segment(self) -> list[Node]:
        first: dict[str, Node] = {}
        for node in self.hosts:
            first.setdefault(node.links[0].segment, node)
        return list(first.values())

    def _packet(
        self,
        sender: Node,
        src: str,
        dst: str,
        protocol: int,
        dport: int,
        *,
        kind: str,
        flags: str = "S",
        **more: str,
    ) -> list[Generated]:
        self.identifier += 1
        ports = protocol in PORT_PROTOCOLS
        sport = FIRST_SPORT + self.identifier % 40_000 if ports else 0
        key = Key(src, dst, protocol, sport, dport)
        if key in self.seen or src == dst:
            return []
        self.seen.add(key)
        description: dict[str, Any] = {
            "id": self.identifier,
            "src": src,
            "dst": dst,
            "protocol": protocol,
            **more,
        }
        if ports:
            description |= {"sport": sport, "dport": dport}
        if protocol == TCP:
            description["flags"] = flags
        if protocol == ICMP:
            description["icmp_type"] = dport
        zone = self.zone_of[sender.links[0].segment]
        question = PacketKey.of(
            zone, src, dst, protocol, dport, sport=sport, src_mac=more.get("src_mac", sender.links[0].mac)
        )
        state = _state(protocol, dport, flags)
        connection = None if state is State.NEW else Connection(state)
        expected = decide(self.policy, question, now=self.now, connection=connection)
        return [Generated(sender=sender.name, key=key, description=description, kind=kind, expected=expected)]


def _edges(term: ServiceTerm) -> list[tuple[int, int]]:
    """Return protocol and destination port at the ends of a range, and just outside."""
    if term.protocol not in (TCP, UDP) or term.low is None:
        return [(term.protocol, term.low or 0)] if term.protocol == ICMP else []
    high = term.high if term.high is not None else term.low
    ports = {term.low - 1, term.low, high, high + 1}
    return [(term.protocol, port) for port in sorted(ports) if 0 < port <= _TOP_PORT]


def _ends(term: ServiceTerm) -> list[tuple[int, int]]:
    return [(term.protocol, term.low or 9)] if term.protocol in (TCP, UDP) else []


def _state(protocol: int, dport: int, flags: str) -> State:
    if protocol == TCP and flags != "S":
        return State.INVALID
    if protocol == ICMP and dport not in _ICMP_QUERIES:
        return State.INVALID
    return State.NEW


def _addresses(node: Node) -> list[str]:
    return [str(address.ip) for link in node.links for address in link.addresses]


def key_of_event(event: dict[str, Any]) -> Key | None:
    """Return the key of a `packet` event of the audit log; None for one that could not be parsed."""
    if "src" not in event:
        return None
    name = str(event["protocol"])
    protocol = PROTOCOL_NUMBERS.get(name) or int(name.removeprefix("proto/"))
    if protocol == ICMP:
        return Key(event["src"], event["dst"], protocol, 0, event["icmp_type"])
    return Key(event["src"], event["dst"], protocol, event.get("sport", 0), event.get("dport", 0))


def key_of_packet(key: PacketKey) -> Key:
    """Return the demonstration's key of a packet key."""
    sport = 0 if key.protocol == ICMP else key.sport
    return Key(
        address_text(key.version, key.src), address_text(key.version, key.dst), key.protocol, sport, key.dport
    )
