"""The recorder role: the only writer of the audit log, behind a unix socket.

Its sisters send events; it alone gives them sequence, time and hash. It reads no further than it has
written, so a slow disk slows the senders, whose own queues count what they had to drop. On a disk error it
tells every sender, stops accepting and ends: whoever needs a durable event then gets an error and refuses
its work.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import stat
import struct
from collections import deque
from typing import TYPE_CHECKING

from gateway.audit.event import make_draft
from gateway.audit.log import ACTOR, open_for_append
from gateway.audit.wire import (
    MAX_SUBMISSION_BYTES,
    NotASubmission,
    Reply,
    decode_submission,
    encode_reply,
)
from zones.errors import BackendError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path

    from gateway.audit.log import AuditLog

MAX_SENDERS = 64
MAX_REFUSALS = 16
"""Refused submissions after which a connection is ended."""
SYNC_EVENTS = 1_000
SYNC_SECONDS = 0.2
_UCRED = struct.Struct("=iII")


class Recorder:
    """Serves one open `AuditLog` to the sister roles of this uid.

    Events are on the disk at most `sync_seconds` after they were written, or `sync_events` events later;
    durable ones are answered after a sync that covers them (one sync serves all that wait).
    """

    def __init__(
        self, log: AuditLog, *, sync_events: int = SYNC_EVENTS, sync_seconds: float = SYNC_SECONDS
    ) -> None:
        self._log = log
        self._sync_events, self._sync_seconds = sync_events, sync_seconds
        self._senders: set[_Sender] = set()
        self._unsynced = 0
        self._closing = False
        self._path: Path | None = None
        self._dirty, self._urgent = asyncio.Event(), asyncio.Event()
        self._server: asyncio.Server | None = None
        self._ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._syncing: asyncio.Task[None] | None = None

    async def start(self, path: Path) -> None:
        """Listen on the unix socket `path` (mode 0600).

        Raises:
            BackendError: the path is taken by a living process, or cannot be bound.
        """
        listener = _listen(path)
        self._path = path
        loop = asyncio.get_running_loop()
        self._server = await loop.create_unix_server(lambda: _Sender(self), sock=listener)
        self._syncing = asyncio.create_task(self._keep_synced())

    async def wait(self) -> None:
        """Return when the recorder was closed.

        Raises:
            BackendError: the disk refused; nothing is accepted any more.
        """
        await asyncio.shield(self._ended)

    async def close(self, reason: str = "stopped") -> None:
        """Stop accepting, answer who waits, write `stop`, sync and let the log go."""
        if self._server is not None:
            self._server.close()
        if self._syncing is not None:
            # Not cancelled: a sync may be under way in a thread, on the descriptor we are about to close.
            self._closing = True
            self._dirty.set()
            self._urgent.set()
            await self._syncing
        self._let_go("audit-recorder-stopped")
        if self._path is not None:
            _remove(self._path)
        await asyncio.to_thread(self._log.close, reason)
        if not self._ended.done():
            self._ended.set_result(None)

    def _fault(self, code: str, detail: str) -> None:
        draft = make_draft("fault", {"where": ACTOR, "code": code, "detail": detail}, actor=ACTOR)
        self._append(lambda: self._log.append(draft))

    # What senders call; all of it on the event loop.

    def joined(self, sender: _Sender) -> str | None:
        """Admit a sender; a code if it may not speak."""
        if sender.uid != os.getuid():
            # Mode 0600 keeps strangers out already; root or a passed descriptor could still get here.
            self._fault("audit-foreign-peer", f"pid {sender.pid} uid {sender.uid}")
            return "audit-foreign-peer"
        if len(self._senders) >= MAX_SENDERS:
            self._fault("audit-too-many-senders", f"pid {sender.pid}")
            return "audit-too-many-senders"
        self._senders.add(sender)
        return None

    def left(self, sender: _Sender) -> None:
        """Forget a sender."""
        self._senders.discard(sender)

    def write(self, sender: _Sender, untrusted: bytes) -> Reply | None:
        """Write one submitted line; a reply only when it is refused.

        Raises:
            BackendError: the disk refused.
        """
        try:
            submission = decode_submission(untrusted)
        except NotASubmission as error:
            self._fault("audit-bad-submission", f"pid {sender.pid}: {error}")
            return Reply("refused", error.number, "audit-bad-submission")
        seq = self._append(lambda: self._log.append(submission.draft, pid=sender.pid, uid=sender.uid))
        sender.wrote(submission.number, seq if submission.durable else None)
        if submission.durable:
            self._urgent.set()
        return None

    def _append(self, write: Callable[[], int]) -> int:
        try:
            seq = write()
        except BackendError as error:
            self._fail(error)
            raise
        self._unsynced += 1
        self._dirty.set()
        if self._unsynced >= self._sync_events:
            self._urgent.set()
        return seq

    async def _keep_synced(self) -> None:
        try:
            while not self._closing:
                await self._dirty.wait()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._urgent.wait(), self._sync_seconds)
                self._dirty.clear()
                self._urgent.clear()
                self._unsynced, upto = 0, self._log.head.seq
                await asyncio.to_thread(self._log.sync)
                for sender in list(self._senders):
                    sender.synced(upto)
        except BackendError as error:
            self._fail(error)

    def _fail(self, error: BackendError) -> None:
        if not self._ended.done():
            self._ended.set_exception(error)
        self._let_go(error.code)

    def _let_go(self, code: str) -> None:
        if self._server is not None:
            self._server.close()
        for sender in list(self._senders):
            sender.end(code)


class _Sender(asyncio.Protocol):
    """One connection: splits bytes into lines and answers; decides nothing."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._durable: deque[tuple[int, int]] = deque()
        self._written = self._refusals = 0
        self.pid = self.uid = -1

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  what a stream protocol is given
        self._transport = transport
        peer = transport.get_extra_info("socket")
        credentials = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
        self.pid, self.uid, _ = _UCRED.unpack(credentials)
        try:
            code = self._recorder.joined(self)
        except BackendError as error:
            code = error.code
        if code:
            self.end(code)

    def data_received(self, data: bytes) -> None:
        *lines, rest = data.split(b"\n")
        if lines:
            lines[0] = bytes(self._buffer) + lines[0]
            self._buffer.clear()
        self._buffer += rest
        before = self._written
        try:
            for line in lines:
                if self._refusals >= MAX_REFUSALS:
                    return
                if refusal := self._recorder.write(self, line):
                    self._refused(refusal)
        except BackendError:
            return  # the recorder has told every sender already
        if self._written > before:
            self._answer(Reply("written", self._written))
        if len(self._buffer) > MAX_SUBMISSION_BYTES:
            self.end("audit-submission-too-long")

    def wrote(self, number: int, durable_seq: int | None) -> None:
        self._written = number
        if durable_seq is not None:
            self._durable.append((durable_seq, number))

    def synced(self, upto: int) -> None:
        number = 0
        while self._durable and self._durable[0][0] <= upto:
            number = self._durable.popleft()[1]
        if number:
            self._answer(Reply("synced", number))

    def _refused(self, refusal: Reply) -> None:
        # Each refusal is an event itself: a broken sender must not fill the disk with them.
        self._refusals += 1
        if self._refusals >= MAX_REFUSALS:
            self.end("audit-bad-submission")
        else:
            self._answer(refusal)

    def end(self, code: str) -> None:
        self._answer(Reply("closed", 0, code))
        if self._transport is not None:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._recorder.left(self)
        self._transport = None

    # A sender that does not read its answers is not read either.
    def pause_writing(self) -> None:
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        if self._transport is not None:
            self._transport.resume_reading()

    def _answer(self, reply: Reply) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(encode_reply(reply))


async def serve(
    directory: Path,
    path: Path,
    *,
    gateway: str,
    stop: asyncio.Event,
    revision: str = "",
    ready: Callable[[], None] = lambda: None,
) -> None:
    """Run the recorder role until `stop` is set; `ready` is called once it listens.

    Raises:
        ConfigurationError: the gateway id cannot stand in a file name.
        BackendError: another recorder is at work here, or the disk refuses (then, or at any time later).
    """
    log = await asyncio.to_thread(open_for_append, directory, gateway=gateway, revision=revision)
    recorder = Recorder(log)
    try:
        await recorder.start(path)
        ready()
        await _first(stop.wait(), recorder.wait())
    finally:
        await recorder.close()


async def _first(*waits: Coroutine[None, None, object]) -> None:
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    done, rest = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in rest:
        task.cancel()
    await asyncio.gather(*rest, return_exceptions=True)
    for task in done:
        task.result()


def _listen(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        _remove_dead(path)
        # Created unreachable for others, not made so afterwards.
        before = os.umask(0o177)
        try:
            listener.bind(str(path))
        finally:
            os.umask(before)
        listener.listen(MAX_SENDERS)
    except OSError as error:
        listener.close()
        detail = error.strerror or str(error)
        raise BackendError("audit-socket", path=str(path), detail=detail) from error
    except BackendError:
        listener.close()
        raise
    return listener


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)


def _remove_dead(path: Path) -> None:
    """Remove a socket that a killed recorder left; never one that somebody still serves, nor a file."""
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise BackendError("audit-socket", path=str(path), detail="not a socket")
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        try:
            probe.connect(str(path))
        except OSError:
            path.unlink()
            return
    raise BackendError("audit-socket", path=str(path), detail="in use by a running recorder")
