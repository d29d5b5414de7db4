"""Who may hold data after any number of hops: shortest chains, or the closure that proves there is none.

Machines are named hosts, and what is left of each zone. Data moves by the ways of `zones.proof.ways`, and
within a segment without us. A machine passes on what it received unless its policy entry says
`relay: {never: true}` (and those claims are trusted); our own gateway passes on nothing that flows do not
say. The start holds its data and sends it in any case, and what comes back to it is no news there.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from zones.model import GATEWAY
from zones.proof.packets import address_ranges
from zones.proof.space import common, normal, without
from zones.proof.ways import Disagreement

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from zones.model import Host
    from zones.proof.regions import Regions
    from zones.proof.space import Range, Ranges
    from zones.proof.ways import Crossing, Ways

Places = dict[str, "Ranges"]
"""Addresses by zone."""


@dataclass(frozen=True, kw_only=True)
class Machine:
    """A named host, or the unnamed rest of a zone (or the part of it that a target names)."""

    zone: str
    name: str | None
    addresses: Ranges
    never: bool = False
    because: str | None = None


@dataclass(frozen=True, kw_only=True)
class Hop:
    """How a machine got the data: from whom, and by which crossing (None: on their segment)."""

    source: Machine
    destination: Machine
    crossing: Crossing | None


@dataclass(frozen=True, kw_only=True)
class Closure:
    """What was reached: a chain for each target that was, and the claims that stopped it elsewhere."""

    chains: Mapping[str, tuple[Hop, ...]]
    relied_on: tuple[Machine, ...]


class Reach:
    """One question: from `start`, by `ways`, to each of `targets`.

    Of `covered` places other questions are asked, as of starts: that something gets there is no news.
    """

    def __init__(
        self,
        regions: Regions,
        ways: Ways,
        start: Places,
        targets: Mapping[str, Places],
        *,
        covered: Places,
        trust: bool,
    ) -> None:
        self.regions, self.ways, self.targets, self.trust = regions, ways, targets, trust
        self.covered = covered
        self.machines = {zone: self._machines(zone) for zone in regions.zones}
        self.places = {zone: _Places(machines) for zone, machines in self.machines.items()}
        self.missing: Places = {zone: regions.members(zone) for zone in regions.zones}
        self.arrived: dict[Machine, Hop] = {}
        self.start = {zone: common(places, regions.members(zone)) for zone, places in start.items()}
        for zone in self.start:
            for machine in self.machines[zone]:
                if common(machine.addresses, self.start[zone]) == machine.addresses:
                    self._drop(machine)

    def closure(self) -> Closure:
        """Return the shortest chain to each target that can be reached.

        Raises:
            Undecided: the budget is spent.
        """
        front = {zone: places for zone, places in self.start.items() if places}
        chains: dict[str, tuple[Hop, ...]] = {}
        while front and len(chains) < len(self.targets):
            hops = list(self._hops(front))
            for hop in hops:
                for name, places in self.targets.items():
                    if name not in chains and self._news_in(hop, places):
                        chains[name] = self._chain(hop)
            senders: dict[str, list[Range]] = {}
            for hop in hops:
                if self._relays(hop.destination):
                    senders.setdefault(hop.destination.zone, []).extend(hop.destination.addresses)
            front = {zone: normal(pieces) for zone, pieces in senders.items()}
        return Closure(chains=chains, relied_on=self._relied_on())

    def _news_in(self, hop: Hop, places: Places) -> Ranges:
        zone = hop.destination.zone
        return without(common(hop.destination.addresses, places.get(zone, ())), self.start.get(zone, ()))

    def _machines(self, zone: str) -> tuple[Machine, ...]:
        members = self.regions.members(zone)
        if zone == GATEWAY:
            return (Machine(zone=zone, name=GATEWAY, addresses=members, never=True),) if members else ()
        named = _named(zone, members, [h for h in self.regions.policy.hosts.values() if h.zone == zone])
        rest = without(members, normal(piece for machine in named for piece in machine.addresses))
        for places in self.targets.values():
            part = common(rest, places.get(zone, ()))
            if part:
                named.append(Machine(zone=zone, name=None, addresses=part))
                rest = without(rest, part)
        if rest:
            named.append(Machine(zone=zone, name=None, addresses=rest))
        return tuple(named)

    def _hops(self, front: Places) -> Iterator[Hop]:
        """Yield each machine that the senders in `front` reach and nobody did before."""
        for zone, senders in front.items():
            for other in self.regions.zones:
                if other != zone:
                    yield from self._across(zone, other, senders)
        for zone, senders in front.items():
            if zone != GATEWAY:
                yield from self._along(zone, senders)

    def _across(self, zone: str, other: str, senders: Ranges) -> Iterator[Hop]:
        for attempt in self.ways.attempts(zone, other):
            while missing := self.missing[other]:
                crossing = attempt.find((senders, missing))
                if crossing is None:
                    break
                source, destination = crossing.data_ends
                hop = Hop(
                    source=self.places[zone].at(source),
                    destination=self.places[other].at(destination),
                    crossing=crossing,
                )
                yield self._arrive(hop)
                if self.missing[other] == missing:
                    # Machines do not share addresses, so each arrival leaves fewer to look for.
                    raise Disagreement(crossing, hop.destination)

    def _along(self, zone: str, senders: Ranges) -> Iterator[Hop]:
        if not self.missing[zone]:
            return
        source = self.places[zone].at(senders[0][0])
        for machine in self.machines[zone]:
            self.ways.budget.watch(len(self.missing[zone]))
            if common(machine.addresses, self.missing[zone]):
                yield self._arrive(Hop(source=source, destination=machine, crossing=None))

    def _arrive(self, hop: Hop) -> Hop:
        self.arrived[hop.destination] = hop
        self._drop(hop.destination)
        return hop

    def _drop(self, machine: Machine) -> None:
        missing = self.missing[machine.zone]
        self.ways.budget.watch(len(missing))
        self.missing[machine.zone] = without(missing, machine.addresses)

    def _relays(self, machine: Machine) -> bool:
        if machine.zone == GATEWAY:
            return False
        # A machine that has an address of the start sends what it holds from its other ones too.
        begins = common(machine.addresses, self.start.get(machine.zone, ()))
        return bool(begins) or not (machine.never and self.trust)

    def _chain(self, last: Hop) -> tuple[Hop, ...]:
        hops = [last]
        while not self._begins(hops[-1]):
            hops.append(self.arrived[hops[-1].source])
        return tuple(reversed(hops))

    def _begins(self, hop: Hop) -> bool:
        """Whether the data of this hop comes from an address of the start itself."""
        places = self.start.get(hop.source.zone, ())
        if hop.crossing is None:
            return bool(common(hop.source.addresses, places))
        source, _ = hop.crossing.data_ends
        return any(low <= source <= high for low, high in places)

    def _relied_on(self) -> tuple[Machine, ...]:
        """Return the machines that got the data and would bring it to new ones, did they pass it on."""
        # A machine that is a start itself sends in any case, and is asked about there.
        stopped = [
            machine
            for machine in self.arrived
            if not self._relays(machine) and without(machine.addresses, self.covered.get(machine.zone, ()))
        ]
        return tuple(machine for machine in stopped if self._would_gain(machine))

    def _would_gain(self, machine: Machine) -> bool:
        if machine.zone != GATEWAY and self._news(machine.zone):
            return True
        return any(
            news and next(self.ways.data(machine.zone, other, (machine.addresses, news)), None)
            for other in self.regions.zones
            if other != machine.zone and (news := self._news(other))
        )

    def _news(self, zone: str) -> Ranges:
        """Return the places of a zone that nothing got to, and that some answer still depends on."""
        missing = self.missing[zone]
        wanted = normal(piece for places in self.targets.values() for piece in places.get(zone, ()))
        return normal((*without(missing, self.covered.get(zone, ())), *common(missing, wanted)))


@dataclass
class _Places:
    """Which machine of a zone has an address."""

    machines: tuple[Machine, ...]
    lows: list[int] = field(init=False)
    owners: list[Machine] = field(init=False)

    def __post_init__(self) -> None:
        owned = sorted(
            ((low, machine) for machine in self.machines for low, _ in machine.addresses),
            key=lambda entry: entry[0],
        )
        self.lows, self.owners = [low for low, _ in owned], [machine for _, machine in owned]

    def at(self, address: int) -> Machine:
        return self.owners[bisect_right(self.lows, address) - 1]


def _named(zone: str, members: Ranges, hosts: list[Host]) -> list[Machine]:
    """Return the named machines: hosts that share an address are one, as trusted as the least of them."""
    # Address by address: neighbours must not melt into a range that no other host has.
    pieces = {
        host.name: {
            piece for network in host.addresses for piece in common(address_ranges([network]), members)
        }
        for host in hosts
    }
    machines = []
    for together in _connected(sorted(hosts, key=_by_name), pieces):
        addresses = normal(piece for host in together for piece in pieces[host.name])
        if not addresses:
            continue
        least = next((host for host in together if host.relay is None or not host.relay.never), together[0])
        never = least.relay is not None and least.relay.never
        because = least.relay.because if least.relay is not None and never else None
        machines.append(
            Machine(zone=zone, name=least.name, addresses=addresses, never=never, because=because)
        )
    return machines


def _by_name(host: Host) -> str:
    return host.name


def _connected(hosts: list[Host], pieces: Mapping[str, set[tuple[int, int]]]) -> list[list[Host]]:
    """Return the hosts in groups that share addresses, directly or by others of their group."""
    group_of: dict[str, list[Host]] = {host.name: [host] for host in hosts}
    first: dict[tuple[int, int], str] = {}
    for host in hosts:
        for piece in pieces[host.name]:
            mine, theirs = group_of[host.name], group_of[first.setdefault(piece, host.name)]
            if mine is not theirs:
                theirs += mine
                group_of |= {other.name: theirs for other in mine}
    return list({id(group): sorted(group, key=_by_name) for group in group_of.values()}.values())
