"""Why a verdict is what it is: the packet's place, the guards and flows looked at, and what nearly matched.

The verdict is the one `decide` gives; everything beside it is a record made with the same questions that
`decide` asks (`source_zone`, `closed_because`, the selectors of each flow), so that the two cannot tell
different stories. A property test holds them together.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from zones.address import Network, address_text, host_network, is_martian
from zones.decide import DIRECT, PROXIED, decide, destination_zone, source_zone
from zones.expiry import closed_because, next_opening
from zones.model import GATEWAY, Mode
from zones.services import service_text
from zones.verdict import PORT_PROTOCOLS, Reason, State

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from zones.model import Flow, Guard, Policy, Selector
    from zones.verdict import Connection, PacketKey, Verdict

MAX_NEAREST = 3
"""How many nearest flows an explanation of a deny lists."""

_FAR = 1000
"""The distance of what cannot be measured: another zone, another protocol. More than any address or port."""

# Denials that another flow could have changed. For every other reason the nearest flow would send people the
# wrong way: the packet stands in the wrong place, or something above every allowing flow has decided.
_A_FLOW_HELPS = frozenset(
    {Reason.DEFAULT_DENY, Reason.GUARD, Reason.EXPIRED, Reason.OUTSIDE_HOURS, Reason.NEEDS_APPROVAL}
)


class Field(StrEnum):
    """What of a flow can fail to hold a packet."""

    SOURCE_ZONE = "source-zone"
    SOURCE = "source"
    DESTINATION_ZONE = "destination-zone"
    DESTINATION = "destination"
    BY_NAME = "by-name"
    PROTOCOL = "protocol"
    PORT = "port"
    MODE = "mode"
    EXPIRED = "expired"
    HOURS = "hours"
    APPROVAL = "approval"


# Closed for now is nearer than another port, another port nearer than another machine, and so on outwards.
_WEIGHTS = {
    Field.EXPIRED: 0,
    Field.HOURS: 0,
    Field.APPROVAL: 0,
    Field.MODE: 0,
    Field.PORT: 1,
    Field.SOURCE: 2,
    Field.DESTINATION: 2,
    Field.PROTOCOL: 3,
    Field.SOURCE_ZONE: 4,
    Field.DESTINATION_ZONE: 4,
    Field.BY_NAME: 4,
}


class Miss(NamedTuple):
    """One field that does not hold the packet: what was seen, what the flow says, and by how much it fails.

    `distance` counts bits of prefix, ports, or days; for what cannot be measured it is 1000.
    """

    field: Field
    seen: str
    wanted: str
    distance: int


class Considered(NamedTuple):
    """A flow held against the packet; without misses it matches and is open."""

    flow: Flow
    misses: tuple[Miss, ...]

    @property
    def remoteness(self) -> tuple[int, int]:
        """How far the flow is from holding the packet, for flows with as many misses: what kind, how much."""
        return sum(_WEIGHTS[miss.field] for miss in self.misses), sum(miss.distance for miss in self.misses)


class Whose(StrEnum):
    """Why an address is in the zone it is in."""

    PREFIX = "prefix"
    REST = "rest"
    OURS = "ours"
    OURS_ELSEWHERE = "ours-elsewhere"
    MANAGEMENT = "management"
    MARTIAN = "martian"
    NOBODY = "nobody"


class End(NamedTuple):
    """One end of the packet: whose address it is, by which prefix, and the names that hold it."""

    address: str
    zone: str | None
    whose: Whose
    prefix: str | None
    names: tuple[str, ...]


class GuardSeen(NamedTuple):
    """A guard of the packet's direction, and whether it decided."""

    guard: Guard
    decided: bool


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """A verdict and the way to it.

    `considered` are the flows between the two zones (empty for a packet of a known connection, which is
    judged by the flow that admitted it); `nearest` those of the whole policy that fail in the fewest
    fields, for a deny that a flow could change; `helpless` is a deny that none could.
    """

    key: PacketKey
    now: float
    connection: Connection | None
    verdict: Verdict
    source: End
    destination: End
    guards: tuple[GuardSeen, ...]
    considered: tuple[Considered, ...]
    decisive: Flow | None
    nearest: tuple[Considered, ...]
    helpless: bool


def explain(
    policy: Policy, key: PacketKey, *, now: float, connection: Connection | None = None
) -> Explanation:
    """Return the verdict on a packet with the way to it. Never raises for any key."""
    verdict = decide(policy, key, now=now, connection=connection)
    source = source_zone(policy, key)
    destination = destination_zone(policy, key, source)
    guards = _guards(policy, verdict, source, destination)
    decisive = policy.flow(verdict.decided_by) if verdict.decided_by is not None else None
    fresh = connection is None or connection.state is State.NEW
    absolute = any(not seen.guard.actions for seen in guards)
    helpless = not verdict.passes and (absolute or verdict.reason not in _A_FLOW_HELPS)
    question = _Question(policy, key, source, destination, now)
    between = policy.flows_between(source, destination) if source and destination and fresh else ()
    return Explanation(
        key=key,
        now=now,
        connection=connection,
        verdict=verdict,
        source=_end(policy, key.version, key.src, source),
        destination=_end(policy, key.version, key.dst, destination),
        guards=guards,
        considered=tuple(_considered(question, between)),
        decisive=decisive,
        nearest=() if helpless or verdict.passes or not fresh else _nearest(question, guards),
        helpless=helpless,
    )


class _Question(NamedTuple):
    policy: Policy
    key: PacketKey
    source: str | None
    destination: str | None
    now: float


# --- the packet's place --------------------------------------------------------------------------------


def _end(policy: Policy, version: int, address: int, zone: str | None) -> End:
    text = _text(version, address)
    whose, prefix = _whose(policy, version, address, zone)
    names = [host.name for host in policy.hosts.values() if _holds(host.addresses, version, address)]
    names += [group.name for group in policy.groups.values() if _holds(group.networks, version, address)]
    return End(text, zone, whose, str(prefix) if prefix is not None else None, tuple(names))


def _text(version: int, address: int) -> str:
    """Return an address as people write it, or the bare number of what is none."""
    try:
        return address_text(version, address)
    except ValueError:
        return str(address)


def _whose(policy: Policy, version: int, address: int, zone: str | None) -> tuple[Whose, Network | None]:
    if (version, address) in policy.gateway_addresses:
        return (Whose.OURS if zone == GATEWAY else Whose.OURS_ELSEWHERE), None
    entry = policy.zones.get(zone) if zone is not None else None
    if entry is not None:
        for whose, networks in ((Whose.PREFIX, entry.networks), (Whose.REST, entry.rest)):
            for network in networks:
                if network.holds(version, address):
                    return whose, network
    for network in policy.management.networks if policy.management else ():
        if network.holds(version, address):
            return Whose.MANAGEMENT, network
    return (Whose.MARTIAN if is_martian(version, address) else Whose.NOBODY), None


def _holds(networks: Iterable[Network], version: int, address: int) -> bool:
    return any(network.holds(version, address) for network in networks)


def _guards(
    policy: Policy, verdict: Verdict, source: str | None, destination: str | None
) -> tuple[GuardSeen, ...]:
    return tuple(
        GuardSeen(guard, decided=guard.id == verdict.decided_by)
        for guard in sorted(policy.guards, key=lambda guard: guard.id)
        if source in guard.sources and destination in guard.destinations
    )


# --- flows against the packet ----------------------------------------------------------------------------


def _considered(question: _Question, flows: Iterable[Flow]) -> Iterator[Considered]:
    for flow in flows:
        yield Considered(flow, misses_of(question.policy, flow, question.key, now=question.now))


def _nearest(question: _Question, guards: tuple[GuardSeen, ...]) -> tuple[Considered, ...]:
    """Return the allowing flows that fail in the fewest fields, the least remote first."""
    barred = {action for seen in guards for action in seen.guard.actions}
    flows = [flow for flow in question.policy.flows if flow.allowing and flow.action not in barred]
    near = [entry for entry in _considered(question, flows) if entry.misses]
    near.sort(key=lambda entry: (len(entry.misses), entry.remoteness, entry.flow.id))
    return tuple(entry for entry in near[:MAX_NEAREST] if len(entry.misses) == len(near[0].misses))


def misses_of(policy: Policy, flow: Flow, key: PacketKey, *, now: float) -> tuple[Miss, ...]:
    """Return every field of `flow` that does not hold the packet; none means that it matches and is open."""
    source = source_zone(policy, key)
    destination = destination_zone(policy, key, source)
    misses: list[Miss] = []
    # A connection of our own is the second half of a proxied flow: it goes where that flow leads.
    if not (source == GATEWAY and DIRECT[flow.action][0] in PROXIED):
        misses += _end_misses(flow.sources, key.version, key.src, source, _SOURCE_FIELDS)
    misses += _end_misses(flow.destinations, key.version, key.dst, destination, _DESTINATION_FIELDS)
    misses += _service_misses(flow, key)
    misses += _time_misses(policy, flow, now)
    return tuple(misses)


_SOURCE_FIELDS = (Field.SOURCE_ZONE, Field.SOURCE)
_DESTINATION_FIELDS = (Field.DESTINATION_ZONE, Field.DESTINATION)


def _end_misses(
    ends: tuple[Selector, ...], version: int, address: int, zone: str | None, fields: tuple[Field, Field]
) -> Iterator[Miss]:
    if zone is not None and any(end.holds(zone, version, address) for end in ends):
        return
    here = [end for end in ends if end.zone == zone]
    text = _text(version, address)
    if not here:
        yield Miss(fields[0], zone or "-", ", ".join(sorted({end.zone for end in ends})), _FAR)
        return
    networks = [network for end in here for network in end.networks or ()]
    if not networks:
        yield Miss(Field.BY_NAME, text, ", ".join(end.name or end.zone for end in here), _FAR)
        return
    nearest = min(networks, key=lambda network: (_bits_short(network, version, address), network))
    yield Miss(fields[1], text, str(nearest), _bits_short(nearest, version, address))


def _bits_short(network: Network, version: int, address: int) -> int:
    """Return how many bits of the prefix the address does not share; 1000 for the other family."""
    if network.version != version:
        return _FAR
    width = host_network(version, 0).length
    common = width - (network.first ^ address).bit_length()
    return max(network.length - common, 0)


def _service_misses(flow: Flow, key: PacketKey) -> Iterator[Miss]:
    if any(term.holds(key.protocol, key.dport) for term in flow.services):
        return
    wanted = ", ".join(service_text(term) for term in flow.services)
    same = [term for term in flow.services if term.protocol == key.protocol]
    if not same or key.protocol not in PORT_PROTOCOLS:
        yield Miss(Field.PROTOCOL, str(key.protocol), wanted, _FAR)
        return
    ports = [port for term in same for port in (term.low, term.high) if port is not None]
    yield Miss(Field.PORT, str(key.dport), wanted, min(abs(port - key.dport) for port in ports))


def _time_misses(policy: Policy, flow: Flow, now: float) -> Iterator[Miss]:
    if flow.mode is not Mode.ENFORCE:
        yield Miss(Field.MODE, flow.mode.value, Mode.ENFORCE.value, 0)
    closed = closed_because(flow, now, policy.timezone)
    if closed is Reason.EXPIRED and flow.expires_at is not None:
        days = int((now - flow.expires_at) // 86400) + 1
        yield Miss(Field.EXPIRED, str(days), str(flow.expires), days)
    elif closed is Reason.OUTSIDE_HOURS:
        opening = next_opening(flow, now, policy.timezone)
        yield Miss(Field.HOURS, _moment(policy, now), _moment(policy, opening) if opening else "-", 1)
    elif closed is Reason.NEEDS_APPROVAL and flow.hours is not None:
        hours = flow.hours
        yield Miss(Field.APPROVAL, "0", str(hours.approval_people), hours.approval_people)


def _moment(policy: Policy, seconds: float) -> str:
    return datetime.fromtimestamp(seconds, policy.timezone).isoformat(timespec="minutes")
