"""Which zone a packet came in from: by the interface it was captured on, where that is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zones.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from gateway.replay.packets import Interface
    from zones.model import Policy

ANY_INTERFACE = "*"


def parse_map(entries: Iterable[str], policy: Policy) -> dict[str, str]:
    """Return interface → zone from `--map` arguments such as `mn0=mynumber`, `0=lgwan` or `*=outside`.

    Raises:
        ConfigurationError: not of that form, an unknown zone, or an interface named twice.
    """
    mapping: dict[str, str] = {}
    for entry in entries:
        interface, separator, zone = entry.rpartition("=")
        if not (separator and interface and zone):
            raise ConfigurationError("replay-map-syntax", entry=entry)
        if zone not in policy.zones:
            raise ConfigurationError("replay-map-zone", entry=entry, zone=zone, zones=", ".join(policy.zones))
        if mapping.setdefault(interface, zone) != zone:
            raise ConfigurationError("replay-map-twice", entry=entry, interface=interface)
    return mapping


class ZoneMap:
    """Answer for one interface after the other; remembers which entries of the map were of use.

    An entry by name goes before one by number, that before `*`, and all of them before the interface
    names of the policy.
    """

    def __init__(self, policy: Policy, mapping: Mapping[str, str]) -> None:
        self._policy = policy
        self._mapping = mapping
        self._used: set[str] = set()

    def zone_of(self, interface: Interface) -> str | None:
        """Return the zone behind a captured interface; None where it can only be inferred by address."""
        for name in (interface.name, str(interface.number), ANY_INTERFACE):
            if name and name in self._mapping:
                self._used.add(name)
                return self._mapping[name]
        return self._policy.zone_of_interface(interface.name) if interface.name else None

    @property
    def unused(self) -> tuple[str, ...]:
        """The entries that no interface of the captures answered to: most likely misspelt."""
        return tuple(name for name in self._mapping if name not in self._used and name != ANY_INTERFACE)
