"""Marked sockets for roles that hold no privilege.

A connection of our own passes OUTPUT only with its flow's number as mark, and only CAP_NET_ADMIN may set
one (socket(7), SO_MARK). The enforcer makes the socket, marks it, and hands it over (SCM_RIGHTS,
unix(7)); where it may connect to, the kernel ruleset decides by the mark. One request, one answer, on a
SEQPACKET socket that only our own uid may open.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import struct
from typing import TYPE_CHECKING

from zones.address import parse_address
from zones.errors import BackendError
from zones.expiry import closed_because
from zones.model import Action, Mode

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from zones.model import Policy

_MAX_REQUEST_BYTES = 1024
_FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}
_CREDENTIALS = struct.Struct("=iII")
_PROXIED = frozenset({Action.SANITIZE_MAIL, Action.SANITIZE_WEB})
CONNECT_SECONDS = 30.0


def grant(policy: Policy, request: object, now: float) -> tuple[int, int] | str:
    """Return address family and mark for a request, or the code of its refusal.

    Pure: only open flows that end in a proxy of ours may be connected on.
    """
    family = request.get("family") if isinstance(request, dict) else None
    if not isinstance(request, dict) or not isinstance(family, int) or family not in _FAMILIES:
        return "broker-bad-request"
    flow = policy.flow(str(request.get("flow")))
    if flow is None or flow.action not in _PROXIED or flow.mode is not Mode.ENFORCE:
        return "broker-unknown-flow"
    if closed_because(flow, now, policy.timezone) is not None:
        return "broker-closed-flow"
    return _FAMILIES[family], flow.number


class SocketBroker:
    """The enforcer's side: answers requests for marked sockets."""

    def __init__(self, path: Path, policy: Callable[[], Policy], clock: Callable[[], float]) -> None:
        self._path, self._policy, self._clock = path, policy, clock
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Listen; the socket is made with a mask so that no other user can open it, not even for a moment.

        Raises:
            BackendError: the path cannot be bound.
        """
        self._path.unlink(missing_ok=True)
        mask = os.umask(0o177)
        try:
            self._listener.bind(str(self._path))
        except OSError as error:
            self._listener.close()
            # A path that is too long has no errno.
            raise BackendError("socket-path", path=str(self._path), detail=str(error)) from error
        finally:
            os.umask(mask)
        self._listener.listen(64)
        asyncio.get_running_loop().add_reader(self._listener.fileno(), self._accept)

    def close(self) -> None:
        """Stop answering."""
        if self._listener.fileno() < 0:
            return
        asyncio.get_running_loop().remove_reader(self._listener.fileno())
        self._listener.close()
        self._path.unlink(missing_ok=True)

    def _accept(self) -> None:
        try:
            peer, _ = self._listener.accept()
        except OSError:
            return
        peer.setblocking(False)
        task = asyncio.ensure_future(self._serve(peer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, peer: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        with peer:
            _, uid, _ = _CREDENTIALS.unpack(peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
            try:
                untrusted = await asyncio.wait_for(loop.sock_recv(peer, _MAX_REQUEST_BYTES), 5)
                if uid == os.geteuid():
                    self._answer(peer, untrusted)
            except (OSError, TimeoutError):
                return  # the asker has gone; it will ask again

    def _answer(self, peer: socket.socket, untrusted: bytes) -> None:
        try:
            request = json.loads(untrusted)
        except (ValueError, RecursionError):
            request = None
        granted = grant(self._policy(), request, self._clock())
        if isinstance(granted, str):
            peer.send(json.dumps({"error": granted}).encode())
            return
        family, mark = granted
        with socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as marked:
            marked.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, mark)
            socket.send_fds(peer, [json.dumps({"mark": mark}).encode()], [marked.fileno()])


class BrokeredConnector:
    """A role's side: connections that carry their flow's mark."""

    def __init__(self, path: Path, *, connect_seconds: float = CONNECT_SECONDS) -> None:
        self._path, self._connect_seconds = path, connect_seconds

    async def connect(self, flow_id: str, destination: tuple[str, int]) -> socket.socket:
        """Return a connected, non-blocking TCP socket to `destination` under the flow's number.

        Raises:
            BackendError: the enforcer is not there, or refuses the flow.
            OSError: the destination cannot be reached (TimeoutError after `connect_seconds`).
        """
        version, _ = parse_address(destination[0])
        marked = await asyncio.to_thread(self._ask, flow_id, version)
        try:
            loop = asyncio.get_running_loop()
            await asyncio.wait_for(loop.sock_connect(marked, destination), self._connect_seconds)
        except BaseException:
            marked.close()
            raise
        return marked

    def _ask(self, flow_id: str, version: int) -> socket.socket:
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as line:
            line.settimeout(5)
            try:
                line.connect(str(self._path))
                line.send(json.dumps({"flow": flow_id, "family": version}).encode())
                answer, descriptors, _, _ = socket.recv_fds(line, _MAX_REQUEST_BYTES, 1)
            except OSError as error:
                raise BackendError("broker-absent", path=str(self._path), detail=str(error)) from error
        if not descriptors:
            code = json.loads(answer or b"{}").get("error", "broker-absent")
            raise BackendError(code, path=str(self._path), flow=flow_id, detail="")
        marked = socket.socket(fileno=descriptors[0])
        marked.setblocking(False)
        return marked
