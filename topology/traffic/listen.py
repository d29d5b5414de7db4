"""`python -m topology.traffic listen`: every IP packet that arrives for this node, one JSON line each."""

from __future__ import annotations

import json
import os
import select
import socket
import struct
import sys
import time
from contextlib import suppress
from typing import Any, TextIO

from topology.traffic.arrival import read_arrival

_ETH_P_ALL = 0x0003
_SOL_PACKET, _PACKET_STATISTICS, _PACKET_AUXDATA = 263, 6, 8
_PACKET_HOST = 0  # sll_pkttype: addressed to this very interface
_AUXDATA = struct.Struct(
    "=IIIHHHH"
)  # tp_status, tp_len, tp_snaplen, tp_mac, tp_net, tp_vlan_tci, tp_vlan_tpid
_STATUS_VLAN_VALID = 0x10
_BUFFER_BYTES = 32 * 1024 * 1024
_MAX_PACKET = 65536


def listen(out: TextIO, *, interface: str, seconds: float | None, until_stdin_closes: bool) -> int:
    """Write `{"ready": true}`, then a line for each packet, and at the end how many the kernel dropped.

    What the network sent to this interface's own MAC is meant, whatever its IP destination; it ends after
    `seconds`, or when stdin closes and everything already received is written.
    """
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0) as wire:
        _enlarge(wire)
        wire.setsockopt(_SOL_PACKET, _PACKET_AUXDATA, 1)
        # The protocol comes with the interface: no packet of another one can slip in before the bind.
        wire.bind((interface, _ETH_P_ALL))
        wire.setblocking(False)
        _write(out, {"ready": True, "interface": interface})
        written = _until_told(wire, out, seconds, until_stdin_closes)
        _, dropped = struct.unpack("II", wire.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8))
        _write(out, {"end": True, "received": written, "dropped": dropped})
    return 0


def _enlarge(wire: socket.socket) -> None:
    so_rcvbufforce = 33
    with suppress(OSError):
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
        wire.setsockopt(socket.SOL_SOCKET, so_rcvbufforce, _BUFFER_BYTES)


def _until_told(wire: socket.socket, out: TextIO, seconds: float | None, until_stdin_closes: bool) -> int:
    poll = select.poll()
    poll.register(wire, select.POLLIN)
    if until_stdin_closes:
        poll.register(sys.stdin, select.POLLIN | select.POLLHUP)
    deadline = None if seconds is None else time.monotonic() + seconds
    written, told = 0, False
    while not told:
        left = None if deadline is None else max(0.0, deadline - time.monotonic())
        ready = {descriptor for descriptor, _ in poll.poll(None if left is None else left * 1000)}
        told = (
            until_stdin_closes and sys.stdin.fileno() in ready and not os.read(sys.stdin.fileno(), 4096)
        ) or (deadline is not None and time.monotonic() >= deadline)
        written += _drain(wire, out)
    return written


def _drain(wire: socket.socket, out: TextIO) -> int:
    """Write everything that is there already; return how much it was."""
    written = 0
    with suppress(BlockingIOError):
        while True:
            packet, ancillary, _, sender = wire.recvmsg(_MAX_PACKET, socket.CMSG_SPACE(_AUXDATA.size))
            record = read_arrival(packet) if sender[2] == _PACKET_HOST else None
            if record is not None:
                _write(
                    out, {"time": time.time(), **record, **_vlan(ancillary), "src_mac": sender[4].hex(":")}
                )
                written += 1
    return written


def _vlan(ancillary: list[Any]) -> dict[str, int]:
    """Return the VLAN the kernel has taken off the frame before we saw it."""
    for level, kind, data in ancillary:
        if (level, kind) == (_SOL_PACKET, _PACKET_AUXDATA) and len(data) >= _AUXDATA.size:
            status, *_, tci, _ = _AUXDATA.unpack_from(data)
            if status & _STATUS_VLAN_VALID:
                return {"vlan": tci & 0x0FFF}
    return {}


def _write(out: TextIO, record: dict[str, Any]) -> None:
    out.write(json.dumps(record) + "\n")
    out.flush()


def main(interface: str, seconds: float | None, until_stdin_closes: bool) -> int:
    """Listen and write to stdout."""
    return listen(sys.stdout, interface=interface, seconds=seconds, until_stdin_closes=until_stdin_closes)
