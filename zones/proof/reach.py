"""Who may hold data after any number of hops: shortest chains, or the closure that proves there is none.

Machines are named hosts, and what is left of each zone. Data moves by the ways of `zones.proof.ways`, and
within a segment without us. A machine passes on what it received unless its policy entry says
`relay: {never: true}` (and those claims are trusted); our own gateway passes on nothing that flows do not
say. The start holds its data and sends it in any case.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from zones.model import GATEWAY
from zones.proof.packets import address_ranges
from zones.proof.space import common, normal, without

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from zones.model import Host
    from zones.proof.regions import Regions
    from zones.proof.space import Ranges
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
    """One question: from `start`, by `ways`, to each of `targets`."""

    def __init__(
        self,
        regions: Regions,
        ways: Ways,
        start: Places,
        targets: Mapping[str, Places],
        *,
        trust: bool,
    ) -> None:
        self.regions, self.ways, self.targets, self.trust = regions, ways, targets, trust
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
                    if name not in chains and common(
                        hop.destination.addresses, places.get(hop.destination.zone, ())
                    ):
                        chains[name] = self._chain(hop)
            front = {}
            for hop in hops:
                machine = hop.destination
                if self._relays(machine):
                    front[machine.zone] = normal((*front.get(machine.zone, ()), *machine.addresses))
        return Closure(chains=chains, relied_on=self._relied_on())

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
            while self.missing[other]:
                crossing = attempt.find((senders, self.missing[other]))
                if crossing is None:
                    break
                source, destination = crossing.data_ends
                hop = Hop(
                    source=self.places[zone].at(source),
                    destination=self.places[other].at(destination),
                    crossing=crossing,
                )
                yield self._arrive(hop)

    def _along(self, zone: str, senders: Ranges) -> Iterator[Hop]:
        if not self.missing[zone]:
            return
        source = self.places[zone].at(senders[0][0])
        for machine in self.machines[zone]:
            if common(machine.addresses, self.missing[zone]):
                yield self._arrive(Hop(source=source, destination=machine, crossing=None))

    def _arrive(self, hop: Hop) -> Hop:
        self.arrived[hop.destination] = hop
        self._drop(hop.destination)
        return hop

    def _drop(self, machine: Machine) -> None:
        self.missing[machine.zone] = without(self.missing[machine.zone], machine.addresses)

    def _relays(self, machine: Machine) -> bool:
        return machine.zone != GATEWAY and not (machine.never and self.trust)

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
        stopped = [machine for machine in self.arrived if not self._relays(machine)]
        return tuple(machine for machine in stopped if self._would_gain(machine))

    def _would_gain(self, machine: Machine) -> bool:
        if machine.zone != GATEWAY and self.missing[machine.zone]:
            return True
        return any(
            self.missing[other]
            and next(self.ways.data(machine.zone, other, (machine.addresses, self.missing[other])), None)
            for other in self.regions.zones
            if other != machine.zone
        )


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
    """Return the named machines; two names of one address are one machine, as trusted as the lesser."""
    found: dict[Ranges, Machine] = {}
    owner: dict[tuple[int, int], Ranges] = {}
    for host in sorted(hosts, key=lambda host: host.name):
        # One piece for each address: neighbours must not melt into a range that no other host has.
        pieces = [piece for network in host.addresses for piece in common(address_ranges([network]), members)]
        never = host.relay is not None and host.relay.never
        for taken in {owner[piece] for piece in pieces if piece in owner}:
            if not never:
                found[taken] = Machine(zone=zone, name=found[taken].name, addresses=taken)
        mine = normal(piece for piece in pieces if piece not in owner)
        if mine:
            owner.update(dict.fromkeys(mine, mine))
            because = host.relay.because if host.relay is not None and never else None
            found[mine] = Machine(zone=zone, name=host.name, addresses=mine, never=never, because=because)
    return list(found.values())
