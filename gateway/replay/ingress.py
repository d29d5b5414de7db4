"""Which zone a packet came in from: by VLAN, by the interface it was captured on, or by what `--map` says.

The first of these that has an answer gives it:

1. `vlan:120=lgwan`: the outermost VLAN tag of the frame,
2. `mn0=mynumber`: the interface's name,
3. `0=lgwan`: the interface's number,
4. `10.20.0.0/16=lgwan`: the source address, the longest prefix first,
5. `*=outside`: whatever is left,
6. the interface names of the policy.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import TYPE_CHECKING, NamedTuple

from gateway.filter.frames import Frame
from gateway.filter.link import parse_frame
from zones.address import Network, parse_network
from zones.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gateway.replay.packets import Interface, Packet
    from zones.model import Policy

ANY_INTERFACE = "*"
_MAX_INTERFACES = 4096
VLAN = "vlan:"
_MOST_VLANS = 4094  # IEEE 802.1Q: 4095 is reserved


@dataclass(frozen=True, kw_only=True)
class Mapping:
    """What `--map` says: zones by interface (name, number or `*`), by VLAN number and by source prefix."""

    interfaces: dict[str, str] = field(default_factory=dict)
    vlans: dict[int, str] = field(default_factory=dict)
    networks: dict[Network, str] = field(default_factory=dict)


class Ingress(NamedTuple):
    """The zone a packet came in from, None where it is not known, and whether only its address says so."""

    zone: str | None
    by_address: bool = False


def parse_map(entries: Iterable[str], policy: Policy) -> Mapping:
    """Return what `--map` arguments say, such as `mn0=mynumber`, `vlan:120=lgwan` or `10.20.0.0/16=lgwan`.

    Raises:
        ConfigurationError: not of that form, an unknown zone, or something mapped to two zones.
    """
    mapping = Mapping()
    for entry in entries:
        name, separator, zone = entry.rpartition("=")
        if not (separator and name and zone):
            raise ConfigurationError("replay-map-syntax", entry=entry)
        if zone not in policy.zones:
            raise ConfigurationError("replay-map-zone", entry=entry, zone=zone, zones=", ".join(policy.zones))
        if _put(mapping, entry, name, zone) != zone:
            raise ConfigurationError("replay-map-twice", entry=entry, interface=name)
    return mapping


def _put(mapping: Mapping, entry: str, name: str, zone: str) -> str:
    """Add one entry, and return the zone that its name has now."""
    if name.startswith(VLAN):
        return mapping.vlans.setdefault(_vlan(entry, name), zone)
    network = _network(entry, name)
    if network is not None:
        return mapping.networks.setdefault(network, zone)
    return mapping.interfaces.setdefault(name, zone)


def _vlan(entry: str, name: str) -> int:
    number = name.removeprefix(VLAN)
    if not (number.isascii() and number.isdigit() and 0 < int(number) <= _MOST_VLANS):
        raise ConfigurationError("replay-map-vlan", entry=entry)
    return int(number)


def _network(entry: str, name: str) -> Network | None:
    """Return the prefix an entry names; None where it is no address at all, and so an interface."""
    try:
        wide = ip_network(name, strict=False)
    except ValueError:
        address = name.rpartition("/")[0]
        if address and address.strip("0123456789.:abcdefABCDEF") == "" and {".", ":"} & set(address):
            # Digits and dots with a length that cannot be: surely not the name of an interface.
            raise ConfigurationError("replay-map-prefix", entry=entry) from None
        return None
    try:
        return parse_network(name)
    except ValueError:
        raise ConfigurationError("replay-map-host-bits", entry=entry, network=str(wide)) from None


class ZoneMap:
    """Answer for one packet after the other; remembers which entries of the map were of use."""

    def __init__(self, policy: Policy, mapping: Mapping | None = None) -> None:
        self._policy = policy
        self._mapping = mapping or Mapping()
        longest_first = sorted(self._mapping.networks.items(), key=lambda item: -item[0].length)
        self._networks = tuple(longest_first)
        self._used: set[str | int | Network] = set()

    @property
    def by_packet(self) -> bool:
        """Whether packets of one interface may have come from different zones."""
        return bool(self._mapping.vlans or self._networks)

    def zone_of(self, interface: Interface) -> str | None:
        """Return the zone behind a captured interface; None where it can only be inferred by address."""
        named = self._named(interface)
        return named if named is not None else self._rest(interface)

    def ingress_of(self, packet: Packet) -> Ingress:
        """Return the zone of one packet, its VLAN tag and source address considered."""
        frame = parse_frame(packet.interface.linktype, packet.data, packet.wire_length)
        if isinstance(frame, Frame) and frame.vlan in self._mapping.vlans:
            self._used.add(frame.vlan)
            return Ingress(self._mapping.vlans[frame.vlan])
        named = self._named(packet.interface)
        if named is None and isinstance(frame, Frame):
            for network, zone in self._networks:
                if network.holds(frame.version, frame.src):
                    self._used.add(network)
                    return Ingress(zone, by_address=True)
        if named is not None:
            return Ingress(named)
        # What no prefix holds is left to `*` because of its address: that proves no more than a prefix does.
        left_over = bool(self._networks) and ANY_INTERFACE in self._mapping.interfaces
        return Ingress(self._rest(packet.interface), by_address=left_over)

    def _named(self, interface: Interface) -> str | None:
        for name in (interface.name, str(interface.number)):
            if name and name in self._mapping.interfaces:
                self._used.add(name)
                return self._mapping.interfaces[name]
        return None

    def _rest(self, interface: Interface) -> str | None:
        if ANY_INTERFACE in self._mapping.interfaces:
            return self._mapping.interfaces[ANY_INTERFACE]
        return self._policy.zone_of_interface(interface.name) if interface.name else None

    @property
    def unused(self) -> tuple[str, ...]:
        """The entries that nothing in the captures answered to: most likely misspelt."""
        mapping = self._mapping
        names = [(name, name) for name in mapping.interfaces if name != ANY_INTERFACE]
        numbers = [(f"{VLAN}{number}", number) for number in mapping.vlans]
        networks = [(str(network), network) for network in mapping.networks]
        return tuple(text for text, key in (*names, *numbers, *networks) if key not in self._used)


class IngressTable:
    """The zones of a batch by one `ZoneMap`; bounded, for a capture may name a new interface every time."""

    def __init__(self, zones: ZoneMap) -> None:
        self._zones = zones
        self._known: dict[Interface, Ingress] = {}

    def of(self, batch: Sequence[Packet]) -> list[Ingress]:
        """Return where each packet came in from."""
        if self._zones.by_packet:
            return [self._zones.ingress_of(packet) for packet in batch]
        return [self._interface(packet.interface) for packet in batch]

    def _interface(self, interface: Interface) -> Ingress:
        found = self._known.get(interface)
        if found is None:
            if len(self._known) >= _MAX_INTERFACES:
                self._known.clear()
            found = self._known[interface] = Ingress(self._zones.zone_of(interface))
        return found
