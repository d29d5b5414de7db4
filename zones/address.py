"""Networks as integer ranges: what the packet path compares, for IPv4 and IPv6 alike."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_BITS = {4: 32, 6: 128}


class Network(NamedTuple):
    """A prefix: IP version, first and last address as integers (both inclusive), prefix length."""

    version: int
    first: int
    last: int
    length: int

    def holds(self, version: int, address: int) -> bool:
        """Return whether the address is inside this prefix."""
        return version == self.version and self.first <= address <= self.last

    def covers(self, other: Network) -> bool:
        """Return whether every address of `other` is inside this prefix."""
        return self.version == other.version and self.first <= other.first and other.last <= self.last

    def overlaps(self, other: Network) -> bool:
        """Return whether the two share an address."""
        return self.version == other.version and self.first <= other.last and other.first <= self.last

    def __str__(self) -> str:
        return f"{address_text(self.version, self.first)}/{self.length}"


def parse_network(text: str) -> Network:
    """Return the prefix written as `10.20.0.0/16` or a lone address.

    Raises:
        ValueError: not a prefix, or bits set to the right of its length.

    >>> str(parse_network("10.20.0.0/16"))
    '10.20.0.0/16'
    """
    network = ipaddress.ip_network(text, strict=True)
    return Network(
        network.version, int(network.network_address), int(network.broadcast_address), network.prefixlen
    )


def parse_address(text: str) -> tuple[int, int]:
    """Return IP version and integer of an address.

    Raises:
        ValueError: not an address (a scoped `fe80::1%eth0` is none either).
    """
    if "%" in text:
        raise ValueError(text)
    address = ipaddress.ip_address(text)
    return address.version, int(address)


def host_network(version: int, address: int) -> Network:
    """Return the prefix that holds this one address."""
    return Network(version, address, address, _BITS[version])


def address_text(version: int, address: int) -> str:
    """Return an address as people write it (RFC 5952 for IPv6)."""
    return str(ipaddress.IPv4Address(address) if version == 4 else ipaddress.IPv6Address(address))


def whole(version: int) -> Network:
    """Return 0.0.0.0/0 or ::/0."""
    return Network(version, 0, (1 << _BITS[version]) - 1, 0)


def subtract(networks: Iterable[Network], holes: Iterable[Network]) -> Iterator[Network]:
    """Yield the prefixes that make up `networks` without `holes`, in address order for each input."""
    cut = sorted(holes)
    for network in networks:
        yield from _without(network, [hole for hole in cut if hole.overlaps(network)])


def _without(network: Network, holes: list[Network]) -> Iterator[Network]:
    if not holes:
        yield network
    elif not any(hole.covers(network) for hole in holes):
        # Some hole lies strictly inside: halve the prefix and look at each half.
        middle = (network.first + network.last) // 2
        low = Network(network.version, network.first, middle, network.length + 1)
        high = Network(network.version, middle + 1, network.last, network.length + 1)
        yield from _without(low, [hole for hole in holes if hole.overlaps(low)])
        yield from _without(high, [hole for hole in holes if hole.overlaps(high)])


# RFC 1122 3.2.1.3 and RFC 1812 5.3.7: never a source that a router may forward; RFC 4291 2.5 for IPv6.
# Private (RFC 1918) and documentation (RFC 5737) ranges are not martian: cities and labs use them.
MARTIANS: tuple[Network, ...] = tuple(
    parse_network(text)
    for text in (
        "0.0.0.0/8",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "::/128",
        "::1/128",
        "::ffff:0:0/96",
        "fe80::/10",
        "ff00::/8",
    )
)


def is_martian(version: int, address: int) -> bool:
    """Return whether no router may forward a packet from or to this address."""
    return any(network.holds(version, address) for network in MARTIANS)
