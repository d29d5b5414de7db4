"""Packets without what identifies people: other addresses that the policy treats alike, and no content.

An address becomes another one of the smallest block around it in which the policy draws no line, so every
zone, host, group and flow holds the new one exactly if it holds the old one; a host that the policy names
by its address keeps it, for the policy shows that address anyway. Inside a block prefixes are preserved:
two addresses that share n bits share n bits afterwards (the construction of Crypto-PAn, with BLAKE2 as its
keyed function).
"""

from __future__ import annotations

import secrets
from functools import lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple

from gateway.filter.frames import FIRST_FRAGMENT, WHOLE, Frame
from gateway.filter.link import ETHERNET, RAW, leaves
from gateway.replay.packets import Direction, Packet
from zones.address import MARTIANS
from zones.verdict import ICMP, ICMP6, SCTP, TCP, UDP

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zones.address import Network
    from zones.model import Policy

_BITS = {4: 32, 6: 128}
_FRAGMENT_HEADER = 44
_NO_OPERATION = b"\x01"


class _Layer4(NamedTuple):
    """How much of a transport header is kept, and where its checksum stands."""

    size: int
    checksum: int


_LAYER4 = {
    TCP: _Layer4(20, 16),
    UDP: _Layer4(8, 6),
    ICMP: _Layer4(8, 2),
    ICMP6: _Layer4(8, 2),
    SCTP: _Layer4(16, 8),  # the first chunk's type tells an INIT
}


class Anonymiser:
    """Give packets new addresses; the same one always the same, by a key that is forgotten afterwards."""

    def __init__(self, policy: Policy, *, key: bytes | None = None) -> None:
        self._key = secrets.token_bytes(32) if key is None else key
        self._networks = tuple(set(_lines_of(policy)))
        self._fixed_macs = frozenset(bytes.fromhex(mac.replace(":", "")) for mac in policy.macs.values())
        self.address = lru_cache(maxsize=65_536)(self._address)

    def packet(self, packet: Packet, frame: Frame) -> Packet | None:
        """Return a packet cut to its headers, with other addresses; None where that cannot be done.

        Ethernet stays Ethernet with its tags; what came in any other link layer becomes bare IP.
        """
        size = 4 if frame.version == 4 else 16
        before = 12 if frame.version == 4 else 8
        ends = frame.src.to_bytes(size) + frame.dst.to_bytes(size)
        start = packet.data.find(ends, before) - before
        if start < 0 or packet.data[start] >> 4 != frame.version:
            return None
        inner = self._network(packet.data[start:], frame)
        if inner is None:
            return None
        interface, direction = packet.interface, packet.direction
        if interface.linktype == ETHERNET:
            inner = self._macs(packet.data[:12]) + packet.data[12:start] + inner
        else:
            if direction is Direction.UNKNOWN and leaves(interface.linktype, packet.data):
                direction = Direction.OUTBOUND
            interface = interface._replace(linktype=RAW)
        interface = interface._replace(description="")
        return packet._replace(data=inner, interface=interface, direction=direction)

    def _network(self, data: bytes, frame: Frame) -> bytes | None:
        if frame.version == 4:
            head = self._ipv4(data)
            place = len(head)
        else:
            place = self._ipv6_length(data)
            head = self._ipv6(data[:place])
        if place < 20:
            return None
        rest = data[place:]
        if frame.fragment not in {WHOLE, FIRST_FRAGMENT}:
            return head
        shape = _LAYER4.get(frame.protocol)
        if shape is None:
            return head
        keep = shape.size
        if frame.protocol == TCP and len(rest) > 12:
            keep = max(keep, (rest[12] >> 4) * 4)  # its options tell of neither addresses nor content
        kept = _without_checksum(rest[:keep], shape)
        return head + kept + (self._quoted(rest[8:], frame) if frame.quoted is not None else b"")

    def _quoted(self, data: bytes, frame: Frame) -> bytes:
        """Return what an ICMP error quotes: the header of the packet meant, and its ports."""
        if frame.version == 4:
            head, protocol = self._ipv4(data), data[9]
        else:
            place = self._ipv6_length(data)
            head, protocol = self._ipv6(data[:place]), data[6]
        ports = data[len(head) : len(head) + 8]
        shape = _LAYER4.get(protocol)
        return head + (_without_checksum(ports, shape) if shape is not None else b"")

    def _ipv4(self, data: bytes) -> bytes:
        """Return the header with new addresses; its options may hold addresses, so they go."""
        size = (data[0] & 15) * 4
        src, dst = (self._mapped(4, data[at : at + 4]) for at in (12, 16))
        bare = data[:10] + b"\0\0" + src + dst + _NO_OPERATION * (size - 20)
        return bare[:10] + _checksum(bare) + bare[12:]

    def _ipv6(self, head: bytes) -> bytes:
        return head[:8] + self._mapped(6, head[8:24]) + self._mapped(6, head[24:40]) + head[40:]

    def _ipv6_length(self, data: bytes) -> int:
        """Return the length of the header, with a fragment header; 0 for others: they may hold addresses."""
        if data[6] == _FRAGMENT_HEADER:
            return 48 if data[40:41] and data[40] in _LAYER4 else 0
        return 40 if data[6] in _LAYER4 else 0

    def _mapped(self, version: int, address: bytes) -> bytes:
        return self.address(version, int.from_bytes(address)).to_bytes(len(address))

    def _address(self, version: int, address: int) -> int:
        bits = _BITS[version]
        result = 0
        kept = max((_needed(network, version, address, bits) for network in self._networks), default=0)
        for place in range(bits):
            bit = address >> (bits - 1 - place) & 1
            if place >= kept:
                known = address >> (bits - place)
                text = b"%d/%d/%d" % (version, place, known)
                bit ^= blake2b(text, key=self._key, digest_size=1).digest()[0] & 1
            result = result << 1 | bit
        return result

    def _macs(self, pair: bytes) -> bytes:
        return self._mac(pair[:6]) + self._mac(pair[6:12])

    def _mac(self, mac: bytes) -> bytes:
        if mac in self._fixed_macs or mac[0] & 1:  # of the policy, or a group of machines
            return mac
        return b"\x02" + blake2b(mac, key=self._key, digest_size=5).digest()


def _needed(network: Network, version: int, address: int, bits: int) -> int:
    """Return how many leading bits must stay for this network to hold the new address if it holds the old."""
    if network.version != version:
        return 0
    shared = bits - (address ^ network.first).bit_length()
    return min(shared + 1, network.length)


def _lines_of(policy: Policy) -> Iterator[Network]:
    """Yield every network by which the policy, or the engine, tells one address from another."""
    yield from MARTIANS
    for zone in policy.zones.values():
        yield from (*zone.networks, *zone.rest, *zone.gateway)
    for host in policy.hosts.values():
        yield from host.addresses
    for group in policy.groups.values():
        yield from group.networks
    for flow in policy.flows:
        for selector in (*flow.sources, *flow.destinations):
            yield from selector.networks or ()
    if policy.management is not None:
        yield from policy.management.networks


def _without_checksum(data: bytes, shape: _Layer4) -> bytes:
    """Return a transport header whose checksum tells nothing of the addresses and the content there were."""
    size = 4 if shape.checksum == _LAYER4[SCTP].checksum else 2
    place = shape.checksum
    return data[:place] + bytes(len(data[place : place + size])) + data[place + size :]


def _checksum(header: bytes) -> bytes:
    total = sum(int.from_bytes(header[at : at + 2]) for at in range(0, len(header), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return (~total & 0xFFFF).to_bytes(2)
