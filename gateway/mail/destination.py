"""Where a redirected client wanted to go: asked of the kernel, or read off the socket under TPROXY."""

from __future__ import annotations

import ipaddress
import socket
import struct
from typing import TYPE_CHECKING

from gateway.mail.passage import Endpoint

if TYPE_CHECKING:
    from collections.abc import Callable

    Resolver = Callable[[socket.socket, int], Endpoint | None]

_SO_ORIGINAL_DST = 80
_IP6T_SO_ORIGINAL_DST = 80
_SOCKADDR_IN_BYTES, _SOCKADDR_IN6_BYTES = 16, 28


def endpoint_of(name: tuple[str, int] | tuple[str, int, int, int]) -> Endpoint:
    """Return a socket name as we write it: IPv4-mapped IPv6 addresses as the IPv4 they are.

    >>> endpoint_of(("::ffff:10.20.5.25", 25, 0, 0))
    Endpoint(address='10.20.5.25', port=25)
    """
    address = ipaddress.ip_address(name[0].partition("%")[0])
    mapped = getattr(address, "ipv4_mapped", None)
    return Endpoint(str(mapped or address), name[1])


def original_destination(connection: socket.socket, listen_port: int) -> Endpoint | None:
    """Return what the client addressed, or None when that was this listener itself.

    Under REDIRECT conntrack remembers it. Under TPROXY the socket is bound to it, so its port is not ours.
    A client that speaks to the listener directly has no destination, and so cannot use us to reach one.
    """
    local = endpoint_of(connection.getsockname())
    asked = _tracked(connection)
    if asked is not None and asked != local:
        return asked
    return local if local.port != listen_port else None


def _tracked(connection: socket.socket) -> Endpoint | None:
    try:
        if connection.family == socket.AF_INET:
            raw = connection.getsockopt(socket.SOL_IP, _SO_ORIGINAL_DST, _SOCKADDR_IN_BYTES)
            port, packed = struct.unpack_from("!2xH4s", raw)
            return Endpoint(socket.inet_ntop(socket.AF_INET, packed), port)
        raw = connection.getsockopt(socket.IPPROTO_IPV6, _IP6T_SO_ORIGINAL_DST, _SOCKADDR_IN6_BYTES)
        port, packed = struct.unpack_from("!2xH4x16s", raw)
        return endpoint_of((socket.inet_ntop(socket.AF_INET6, packed), port))
    except OSError:
        return None  # not tracked: nothing was redirected
