"""Frames made up for the contracts: built from the inside out, mostly right, lying now and then."""

from __future__ import annotations

import dataclasses
import random
import struct
from typing import TYPE_CHECKING

import pytest

from gateway.filter.link import SUPPORTED_LINKTYPES

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture(scope="session")
def built_frame() -> Callable[[int], tuple[int | None, bytes, int]]:
    """Return what makes link type, captured bytes and bytes on the wire of a number."""
    return lambda seed: Builder(random.Random(seed)).frame()


@dataclasses.dataclass
class Builder:
    """Each layer writes the right number where it knows one; lengths, counts and what follows may lie.

    Nothing here is taken from a parser. Drawn from a seed: a frame is one number to Hypothesis.
    """

    rng: random.Random

    def lie(self, right: int, most: int, *, often: float = 0.06) -> int:
        """Return the right number, or now and then one close to it, or any."""
        if self.rng.random() >= often:
            return right
        near = right + self.rng.choice([-8, -4, -1, 1, 2, 4, 8])
        return self.rng.choice([near, self.rng.randrange(most + 1), 0, most]) % (most + 1)

    def bytes(self, most: int) -> bytes:
        return self.rng.randbytes(self.rng.randrange(most + 1))

    def tcp(self, inside: bytes) -> bytes:
        rng = self.rng
        options = bytes(4 * rng.choice([0, 0, 3, 10]))
        head = struct.pack("!HHII", rng.randrange(65536), rng.choice([22, 80, 443]), rng.getrandbits(32), 0)
        doff = self.lie(5 + len(options) // 4, 15)
        return head + bytes([doff << 4, rng.randrange(256)]) + bytes(6) + options + inside

    def udp(self, inside: bytes) -> bytes:
        length = self.lie(8 + len(inside), 65535)
        return struct.pack("!HHHH", self.rng.randrange(65536), 53, length, 0) + inside

    def sctp(self, inside: bytes) -> bytes:
        chunk = bytes([self.rng.randrange(16), 0, 0, 4])
        return struct.pack("!HHII", 7, 9, 1, 2) + chunk + inside

    def icmp(self, version: int, inside: bytes) -> bytes:
        kinds = [3, 4, 5, 8, 0, 11, 12, 13, 18, 19] if version == 4 else [1, 2, 3, 4, 128, 129, 135, 139, 143]
        kind = self.rng.choice([*kinds, self.rng.randrange(256)])
        if self.rng.random() < 0.6 and len(inside) < 600:
            inside = self.packet(self.rng.choice([version, version, version, 10 - version]))
            inside = inside[: self.rng.choice([28, 48, 56, 1000])]
        return bytes([kind, self.rng.randrange(16)]) + self.rng.randbytes(6) + inside

    def transport(self, version: int) -> tuple[int, bytes]:
        inside = self.bytes(40)
        kind = self.rng.choice(["tcp", "tcp", "udp", "icmp", "icmp", "sctp", "other", "raw"])
        if kind == "tcp":
            return 6, self.tcp(inside)
        if kind == "udp":
            return 17, self.udp(inside)
        if kind == "icmp":
            return (1, 58)[(version == 6) ^ (self.rng.random() < 0.05)], self.icmp(version, inside)
        if kind == "sctp":
            return 132, self.sctp(inside)
        return self.rng.choice([47, 50, 51, 59, 6, 17, 1, 58, 132, 44, 0]), inside

    def ipv4_options(self) -> bytes:
        rng = self.rng
        made = b""
        for _ in range(rng.randrange(1, 5)):
            kind = rng.choice([0, 1, 1, 7, 68, 131, 134, 137, 148, 130, 136, rng.randrange(256)])
            if kind < 2:
                made += bytes([kind])
                continue
            length = rng.choice([3, 4, 7, 8, 11, 12])
            pointer = rng.choice([4, 5, 8, 9, 12, 13, length, length + 1, rng.randrange(256)])
            rest = bytes([pointer, rng.choice([0, 1, 3, 0xF0, 0xF3, 0xE1, 2])]) + bytes(12)
            made += (bytes([kind, self.lie(length, 255)]) + rest)[:length]
        made = made[:40]
        return made + bytes(-len(made) % 4)

    def ipv4(self) -> bytes:
        rng = self.rng
        protocol, carried = self.transport(4)
        options = self.ipv4_options() if rng.random() < 0.2 else b""
        fragment = 0
        if rng.random() < 0.2:
            fragment = rng.choice([0x2000, 0x2001, 0x00B9, 0x1FFF, 0x1FFE, 0x4000, rng.randrange(65536)])
            carried = carried[: len(carried) // 8 * 8] if rng.random() < 0.8 else carried
        header = 20 + len(options)
        ends = rng.choice([(0x0A0A050A, 0x0A14C805), (rng.getrandbits(32), rng.getrandbits(32))])
        head = struct.pack(
            "!BBHHHBBHII",
            self.lie(4, 15, often=0.02) << 4 | self.lie(header // 4, 15, often=0.03),
            0,
            self.lie(header + len(carried), 65535),
            rng.randrange(65536),
            fragment,
            64,
            self.lie(protocol, 255, often=0.03),
            0,
            *ends,
        )
        head += options
        total = sum(struct.unpack(f"!{len(head) // 2}H", head)) % 0xFFFF
        checksum = self.lie(0xFFFF - total, 65535)
        return head[:10] + struct.pack("!H", checksum) + head[12:] + carried

    def hop_options(self) -> bytes:
        rng = self.rng
        made = b""
        for _ in range(rng.randrange(1, 12)):
            kind = rng.choice([0, 1, 1, 5, 7, 0x1E, 0x1E, 0x3E, 0xC2, 0x63, rng.randrange(256)])
            length = rng.choice([0, 0, 1, 2, 2, 3, 4, 6])
            blank = bytes(length) if rng.random() < 0.8 else rng.randbytes(length)
            made += b"\0" if kind == 0 else bytes([kind, self.lie(length, 255)]) + blank
        if rng.random() < 0.7:
            made = rng.choice([b"\x05\x02\0\0", b"\x1e\x04abcd", b"\x1e\0" * rng.randrange(11)])
        left = (6 - len(made)) % 8
        return made + (b"" if left == 0 else b"\0" if left == 1 else bytes([1, left - 2]) + bytes(left - 2))

    def extension(self, kind: int, follows: int) -> bytes:
        rng = self.rng
        if kind == 44:
            offset = rng.choice([0, 0, 0, 8, 1480, 0xFFF8, 0xFFF0, rng.randrange(65536)]) & 0xFFF8
            return struct.pack("!BBHI", follows, 0, offset | rng.choice([0, 1, 1, 6]), rng.getrandbits(32))
        if kind == 51:
            body = rng.randbytes(6 + 4 * rng.randrange(5))
            return bytes([follows, self.lie((len(body) + 2) // 4 - 2, 255, often=0.03)]) + body
        body = self.hop_options() if kind == 0 else bytes(6 + 8 * rng.randrange(3))
        return bytes([follows, self.lie((len(body) + 2) // 8 - 1, 255, often=0.03)]) + body

    def ipv6(self) -> bytes:
        rng = self.rng
        protocol, carried = self.transport(6)
        if rng.random() < 0.5:
            kinds = [0] if rng.random() < 0.4 else []
            many = rng.choice([1, 1, 2, 3, 15, 16, 17])
            kinds += [rng.choice([0, 43, 44, 51, 60, 60]) for _ in range(many)]
            if rng.random() < 0.5:
                carried = carried[: len(carried) // 8 * 8]
            for kind in reversed(kinds):
                carried = self.extension(kind, protocol) + carried
                protocol = kind
        length = self.lie(len(carried), 65535)
        if rng.random() < 0.2:
            ends = bytes.fromhex("fe80000000000000000000000000000aff020000000000000000000000000001")
        else:
            ends = rng.randbytes(32)
        first = self.lie(6, 15, often=0.02) << 28
        return struct.pack("!IHBB", first, length, protocol, 64) + ends + carried

    def packet(self, version: int) -> bytes:
        return self.ipv4() if version == 4 else self.ipv6()

    def pppoe(self, version: int, packet: bytes) -> bytes:
        inside = self.ppp(version, packet)
        flat = self.lie(0x11, 255, often=0.02), self.lie(0, 255, often=0.02)
        return struct.pack("!BBHH", *flat, 3, self.lie(len(inside), 65535)) + inside

    def ppp(self, version: int, packet: bytes) -> bytes:
        protocol = self.lie(0x21 if version == 4 else 0x57, 0xFFFF, often=0.03)
        short = protocol < 256 and protocol & 1 and self.rng.random() < 0.3
        return (bytes([protocol]) if short else struct.pack("!H", protocol)) + packet

    def tagged(self, version: int, packet: bytes) -> tuple[int, bytes]:
        """Return an ethertype and what follows it."""
        rng = self.rng
        ethertype = 0x0800 if version == 4 else 0x86DD
        if rng.random() < 0.15:
            ethertype, packet = 0x8864, self.pppoe(version, packet)
        if rng.random() < 0.05:
            ethertype = rng.choice([0x0806, 0x8035, 0x8847, 0x8848, 0x05FF, 0x0600, 0x88CC, 0x8863])
        if rng.random() < 0.3:
            for _ in range(rng.choice([1, 1, 2, 4, 5])):
                packet = struct.pack("!HH", rng.randrange(65536), ethertype) + packet
                ethertype = rng.choice([0x8100, 0x88A8, 0x9100, 0x9200])
        return ethertype, packet

    def link(self, linktype: int) -> bytes:
        rng = self.rng
        version = rng.choice([4, 4, 6])
        packet = self.packet(version)
        ethertype = 0x0800 if version == 4 else 0x86DD
        if linktype == 1:
            ethertype, packet = self.tagged(version, packet)
            return rng.randbytes(12) + struct.pack("!H", ethertype) + packet
        if linktype in (9, 50):
            return rng.choice([b"", b"\xff\x03"]) + self.ppp(version, packet)
        if linktype == 51:
            return self.pppoe(version, packet)
        if linktype == 104:
            return b"\x0f\0" + struct.pack("!H", ethertype) + packet
        if linktype in (0, 108):
            family = rng.choice([2] if version == 4 else [10, 24, 28, 30])
            return struct.pack(rng.choice("<>") + "I", self.lie(family, 40)) + packet
        if linktype in (113, 276):
            ethertype, packet = self.tagged(version, packet)
            kind, size = rng.choice([0, 4]), self.lie(6, 255)
            if linktype == 113:
                return (
                    struct.pack("!HHBB8sH", kind, 1, rng.randrange(2), size, rng.randbytes(8), ethertype)
                    + packet
                )
            return struct.pack("!HHIHBB8s", ethertype, 0, 1, 1, kind, size, rng.randbytes(8)) + packet
        if linktype == 192:
            inner = rng.choice([1, 1, 101, 113, 192, 0])
            fields = rng.randbytes(rng.choice([0, 0, 4, 12]))
            length = self.lie(8 + len(fields), 65535)
            inside = self.link(inner) if inner != 192 else self.bytes(40)
            return struct.pack("<BBHI", 0, 0, length, inner) + fields + inside
        return packet

    def frame(self) -> tuple[int | None, bytes, int]:
        """Return link type, captured bytes and bytes on the wire."""
        rng = self.rng
        linktype = rng.choice([1, 1, 1, 1, *sorted(SUPPORTED_LINKTYPES)])
        data = self.link(linktype)
        if rng.random() < 0.3:
            data += bytes(rng.randrange(20)) if rng.random() < 0.5 else self.packet(4)
        wire = len(data)
        fate = rng.random()
        if fate < 0.25:
            data = data[: rng.randrange(len(data) + 1)]
        elif fate < 0.35:
            data = data[: rng.randrange(len(data) + 1)]
            wire = len(data)
        elif fate < 0.4:
            wire = rng.choice([0, wire // 2, wire + 9000, 0xFFFFFFFF])
        elif fate < 0.5 and data:
            spot = rng.randrange(len(data))
            data = data[:spot] + bytes([rng.randrange(256)]) + data[spot + 1 :]
        return linktype, data, wire
