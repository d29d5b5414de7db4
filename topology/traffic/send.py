"""`python -m topology.traffic send`: described packets leave an interface as raw frames."""

from __future__ import annotations

import json
import socket
import sys
import time
from typing import TYPE_CHECKING, TextIO

import topology.messages
from topology.traffic.description import read_description
from topology.traffic.frames import build_frames
from zones.errors import ConfigurationError, ExitCode
from zones.messages import Language, say

if TYPE_CHECKING:
    from collections.abc import Iterable

    import topology.messages  # noqa: F401  (declares the words of our errors)
from topology.traffic.description import Description

MAX_LINE = 64 * 1024


def send(lines: Iterable[str], out: TextIO, *, interface: str, via_mac: str, interval_us: int) -> int:
    """Send one packet a line; write one line for each that went out (`id`, `time`, `frames`, `bytes`).

    A line that describes no packet, or a frame the kernel refuses, is answered with `error` in its place and
    makes the exit code 2; the others still go.
    """
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as wire:
        wire.bind((interface, 0))
        own_mac = ":".join(f"{byte:02x}" for byte in wire.getsockname()[4])
        due, failed = time.monotonic(), False
        _write(out, {"ready": True, "interface": interface, "mac": own_mac})
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            record = _send_line(line, number, wire, own_mac=own_mac, via_mac=via_mac, due=due)
            failed = failed or "error" in record
            _write(out, record)
            due = max(due + interval_us / 1e6, time.monotonic())
    return ExitCode.USAGE if failed else ExitCode.OK


def _send_line(
    line: str, number: int, wire: socket.socket, *, own_mac: str, via_mac: str, due: float
) -> dict[str, object]:
    try:
        description = read_description(line[:MAX_LINE], number)
        frames = build_frames(description, own_mac, _next_hop(description, via_mac, number))
    except ConfigurationError as error:
        return {"line": number, "error": error.code, "message": say(error.code, error.params, Language.EN)}
    time.sleep(max(0.0, due - time.monotonic()))
    moment = time.time()
    try:
        for frame in frames:
            wire.send(frame)
    except OSError as error:
        return {"line": number, "id": description.id, "error": "refused", "message": error.strerror}
    size = sum(len(frame) for frame in frames)
    return {"id": description.id, "time": moment, "frames": len(frames), "bytes": size}


def _next_hop(description: Description, via_mac: str, number: int) -> str:
    mac = description.dst_mac or via_mac
    if not mac:
        raise ConfigurationError("traffic-bad-line", line=number, detail="no dst_mac here and no --via-mac")
    return mac


def _write(out: TextIO, record: dict[str, object]) -> None:
    out.write(json.dumps(record) + "\n")
    out.flush()


def main(interface: str, via_mac: str, interval_us: int) -> int:
    """Send what stdin describes."""
    return send(sys.stdin, sys.stdout, interface=interface, via_mac=via_mac, interval_us=interval_us)
