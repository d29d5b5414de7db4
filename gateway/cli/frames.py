"""Packets of a proof as Ethernet frames: whole, with correct checksums, ready for a capture file."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from zones.verdict import ICMP, ICMP6, SCTP, TCP, UDP

if TYPE_CHECKING:
    from collections.abc import Callable

    from zones.verdict import PacketKey

_SYN, _SYN_ACK = 0x02, 0x12
_SEQUENCE = 0x6D617375
_MACS = bytes.fromhex("020000000002"), bytes.fromhex("020000000001")  # locally administered


def frame(packet: PacketKey, *, reply: bool = False) -> bytes:
    """Return an Ethernet frame that holds this packet; a TCP `reply` accepts the connection.

    The source MAC is the packet's own where it has one.
    """
    payload = _payload(packet, reply=reply)
    source = bytes.fromhex(packet.src_mac.replace(":", "")) if packet.src_mac else _MACS[1]
    if packet.version == 6:
        head = struct.pack("!IHBB", 6 << 28, len(payload), packet.protocol, 64) + _addresses(packet)
        return _MACS[0] + source + b"\x86\xdd" + head + payload
    fields = (0x45, 0, 20 + len(payload), 1, 0, 64, packet.protocol, 0)
    head = struct.pack("!BBHHHBBH", *fields) + _addresses(packet)
    head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
    return _MACS[0] + source + b"\x08\x00" + head + payload


def checksum(data: bytes) -> int:
    """Return the Internet checksum (RFC 1071)."""
    padded = data + bytes(len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _addresses(packet: PacketKey) -> bytes:
    size = 4 if packet.version == 4 else 16
    return packet.src.to_bytes(size, "big") + packet.dst.to_bytes(size, "big")


def _payload(packet: PacketKey, *, reply: bool) -> bytes:
    make = _TRANSPORTS.get(packet.protocol)
    return bytes(8) if make is None else make(packet, reply)


def _summed(packet: PacketKey, data: bytes, at: int) -> bytes:
    """Return `data` with the checksum at this offset, over the pseudo header (RFC 9293 3.1, RFC 8200 8.1)."""
    pseudo = _addresses(packet) + struct.pack("!IxxxB", len(data), packet.protocol)
    value = checksum(pseudo + data)
    if packet.protocol == UDP and value == 0:
        value = 0xFFFF  # RFC 768: zero means that there is no checksum
    return data[:at] + struct.pack("!H", value) + data[at + 2 :]


def _tcp(packet: PacketKey, reply: bool) -> bytes:
    flags, acknowledged = (_SYN_ACK, _SEQUENCE + 1) if reply else (_SYN, 0)
    fields = (packet.sport, packet.dport, _SEQUENCE, acknowledged, 5 << 4, flags, 64240, 0, 0)
    return _summed(packet, struct.pack("!HHIIBBHHH", *fields), 16)


def _udp(packet: PacketKey, _reply: bool) -> bytes:
    return _summed(packet, struct.pack("!HHHH", packet.sport, packet.dport, 8, 0), 6)


def _icmp(packet: PacketKey, _reply: bool) -> bytes:
    data = struct.pack("!BBHHH", packet.dport, 0, 0, 1, 1)
    if packet.protocol == ICMP6:
        return _summed(packet, data, 2)
    return data[:2] + struct.pack("!H", checksum(data)) + data[4:]


def _sctp(packet: PacketKey, reply: bool) -> bytes:
    """Return an INIT chunk, or its acknowledgement (RFC 9260 3.3.2), with the CRC32c of RFC 9260 6.8."""
    chunk = struct.pack("!BBHIIHHI", 2 if reply else 1, 0, 20, _SEQUENCE, 65536, 1, 1, _SEQUENCE)
    tag = _SEQUENCE if reply else 0
    data = struct.pack("!HHII", packet.sport, packet.dport, tag, 0) + chunk
    return data[:8] + struct.pack("<I", _crc32c(data)) + data[12:]


def _crc32c(data: bytes) -> int:
    value = 0xFFFFFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = (value >> 1) ^ (0x82F63B78 if value & 1 else 0)
    return value ^ 0xFFFFFFFF


_TRANSPORTS: dict[int, Callable[[PacketKey, bool], bytes]] = {
    TCP: _tcp,
    UDP: _udp,
    ICMP: _icmp,
    ICMP6: _icmp,
    SCTP: _sctp,
}
