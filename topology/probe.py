"""The client program: one real attempt from the node it is started on, and what came of it as JSON.

`python -m topology.probe tcp|udp|ping ADDRESS PORT`: `result` is `answered` (with what was said), `open`
(connected, nothing said), `refused`, `unreachable`, or `silent` when nothing came back in time.
"""

from __future__ import annotations

import argparse
import errno
import json
import os
import socket
import struct
import sys
import time
from contextlib import suppress

_UNREACHABLE = {errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EACCES, errno.EPERM}
_ECHO = {socket.AF_INET: (socket.IPPROTO_ICMP, 8, 0), socket.AF_INET6: (socket.IPPROTO_ICMPV6, 128, 129)}


def tcp(family: socket.AddressFamily, address: str, port: int, seconds: float) -> dict[str, object]:
    """Connect, ask by HTTP, and return the last line of the answer."""
    with socket.create_connection((address, port), timeout=seconds) as line:
        local = line.getsockname()[1]
        line.sendall(b"GET / HTTP/1.1\r\nHost: probe\r\nConnection: close\r\n\r\n")
        said = b""
        with suppress(OSError):
            while chunk := line.recv(4096):
                said += chunk
    lines = said.decode("utf-8", "replace").strip().splitlines()
    return {"result": "answered" if lines else "open", "said": lines[-1] if lines else "", "sport": local}


def udp(family: socket.AddressFamily, address: str, port: int, seconds: float) -> dict[str, object]:
    """Send one datagram and wait for one."""
    with socket.socket(family, socket.SOCK_DGRAM) as line:
        line.settimeout(seconds)
        line.connect((address, port))
        line.send(b"probe")
        return {"result": "answered", "said": line.recv(2048).decode("utf-8", "replace")}


def ping(family: socket.AddressFamily, address: str, port: int, seconds: float) -> dict[str, object]:
    """Send an echo request and wait for its reply (RFC 792, RFC 4443)."""
    protocol, request, reply = _ECHO[family]
    with socket.socket(family, socket.SOCK_RAW, protocol) as line:
        identifier = os.getpid() & 0xFFFF
        line.connect((address, 0))
        line.send(_echo(request, identifier, with_checksum=family == socket.AF_INET))
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            line.settimeout(left)
            packet = line.recv(2048)
            message = packet[(packet[0] & 15) * 4 :] if family == socket.AF_INET else packet
            if message[0] == reply and message[4:6] == identifier.to_bytes(2, "big"):
                return {"result": "answered", "said": "echo reply"}
    raise TimeoutError


def _echo(kind: int, identifier: int, *, with_checksum: bool) -> bytes:
    message = struct.pack("!BBHHH", kind, 0, 0, identifier, 1) + b"masugata"
    if not with_checksum:
        return message  # the kernel fills in ICMPv6 checksums
    total = sum(struct.unpack(f"!{len(message) // 2}H", message))
    total = (total & 0xFFFF) + (total >> 16)
    total = (total & 0xFFFF) + (total >> 16)
    return message[:2] + struct.pack("!H", ~total & 0xFFFF) + message[4:]


METHODS = {"tcp": tcp, "udp": udp, "ping": ping}


def probe(method: str, address: str, port: int, seconds: float) -> dict[str, object]:
    """Return what came of one attempt; never raises for what the network does."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        return METHODS[method](family, address, port, seconds)
    except TimeoutError:
        return {"result": "silent"}
    except ConnectionRefusedError:
        return {"result": "refused"}
    except OSError as error:
        result = "unreachable" if error.errno in _UNREACHABLE else "failed"
        return {"result": result, "detail": error.strerror}


def main(arguments: list[str] | None = None) -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m topology.probe", description=__doc__)
    parser.add_argument("method", choices=sorted(METHODS))
    parser.add_argument("address")
    parser.add_argument("port", type=int, nargs="?", default=0)
    parser.add_argument("--seconds", type=float, default=2.0)
    options = parser.parse_args(arguments)
    json.dump(probe(options.method, options.address, options.port, options.seconds), sys.stdout)
    sys.stdout.write("\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
