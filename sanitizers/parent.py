"""The trusted side of one warm parent: start it, ask it for workers, read their answers, end it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

from sanitizers.frames import Job, max_answer_bytes
from sanitizers.sandbox import REQUIRED
from zones.errors import IsolationError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sanitizers.registry import Sanitizer

_CHUNK = 1 << 20
_MAX_HELLO_BYTES = 16 << 10
_ENVIRONMENT = {"LANG": "C.UTF-8", "PATH": "/usr/bin:/bin"}


class WarmParent:
    """One warm parent process and its control socket."""

    def __init__(
        self, process: subprocess.Popen[bytes], control: socket.socket, layers: tuple[str, ...]
    ) -> None:
        self.layers = layers
        self._process = process
        self._control = control
        self._asking = asyncio.Lock()  # one question and its answer at a time on the socket
        self._served = 0
        self._in_work = 0
        self._retired = False

    @classmethod
    async def start(cls, sanitizers: Sequence[Sanitizer], seconds: float) -> WarmParent:
        """Return a parent that has loaded the sanitizers and shown that it is confined.

        Raises:
            IsolationError: `worker-start-failed`, `worker-not-isolated`.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        try:
            with theirs:
                process = await asyncio.to_thread(_spawn, theirs.fileno(), sanitizers)
        except BaseException:
            ours.close()
            raise
        parent = cls(process, ours, ())
        try:
            hello = await asyncio.wait_for(parent._receive(), seconds)
            parent.layers = _layers_of(hello[0])
        except BaseException as error:
            await parent.close()
            if isinstance(error, TimeoutError):
                raise IsolationError("worker-start-failed", detail=f"no answer within {seconds} s") from None
            raise
        return parent

    def is_worn(self, jobs: int) -> bool:
        """Tell whether it is time for another: after so many jobs, or because it has ended."""
        return self._retired or self._served >= jobs or self._process.poll() is not None

    def retire(self) -> None:
        """Take no more jobs; end when those in work have."""
        self._retired = True
        self._end_if_idle()

    async def close(self) -> None:
        """End the process now, and with it (by its death signal) every child."""
        self._control.close()
        self._process.kill()
        await asyncio.to_thread(self._process.wait)

    async def run(self, job: Job, source: int, max_output_bytes: int, seconds: float) -> bytes:
        """Return the raw answer of one worker; on time-out or cancellation the worker is killed."""
        self._served += 1
        self._in_work += 1
        reader, writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        os.set_blocking(writer, True)
        worker = -1
        try:
            async with asyncio.timeout(seconds):
                worker = await self._fork(job, source, writer)
                os.close(writer)
                writer = -1
                return await _read_bounded(reader, max_answer_bytes(max_output_bytes))
        except TimeoutError:
            raise IsolationError("worker-timed-out", seconds=round(seconds, 1)) from None
        finally:
            os.close(reader)
            if writer >= 0:
                os.close(writer)
            if worker >= 0:
                await asyncio.shield(_end(worker))
            self._in_work -= 1
            self._end_if_idle()

    async def _fork(self, job: Job, source: int, writer: int) -> int:
        """Return a pid descriptor of the new worker."""
        async with self._asking:
            try:
                socket.send_fds(self._control, [job.to_bytes()], [source, writer])
                message, descriptors = await self._receive()
            except OSError:
                raise IsolationError("worker-died") from None
            if not descriptors:
                raise IsolationError("worker-start-failed", detail=str(message.get("error", "no worker")))
            return descriptors[0]

    async def _receive(self) -> tuple[dict[str, object], list[int]]:
        await _readable(self._control.fileno())
        raw, descriptors, _, _ = socket.recv_fds(self._control, _MAX_HELLO_BYTES, 1)
        if not raw:
            raise IsolationError("worker-start-failed", detail="the worker process ended")
        message = json.loads(raw)
        return (message if isinstance(message, dict) else {}), descriptors

    def _end_if_idle(self) -> None:
        if self._retired and not self._in_work:
            self._control.close()
            self._process.kill()
            self._process.wait()


def _spawn(control: int, sanitizers: Sequence[Sanitizer]) -> subprocess.Popen[bytes]:
    # -I: no PYTHON* variables, no user site, no current directory on the path. A clean environment and
    # closed descriptors: nothing of the gateway's secrets is in the process that forks the workers.
    command = [sys.executable, "-I", "-B", "-m", "sanitizers.worker", str(control)]
    command += [f"{sanitizer.kind}={sanitizer.entry_module}" for sanitizer in sanitizers]
    try:
        return subprocess.Popen(
            command,
            pass_fds=[control],
            env=_ENVIRONMENT,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as error:
        raise IsolationError("worker-start-failed", detail=str(error)) from error


def _layers_of(hello: Mapping[str, object]) -> tuple[str, ...]:
    if "error" in hello:
        raise IsolationError("worker-start-failed", detail=str(hello["error"]))
    layers, escaped = hello.get("layers"), hello.get("escaped")
    if not isinstance(layers, list) or not isinstance(escaped, list):
        raise IsolationError("worker-start-failed", detail="hello")
    missing = sorted(REQUIRED - set(layers))
    if missing or escaped:
        raise IsolationError("worker-not-isolated", detail=", ".join([*missing, *map(str, escaped)]))
    return tuple(map(str, layers))


async def _read_bounded(descriptor: int, max_bytes: int) -> bytes:
    out = bytearray()
    while True:
        await _readable(descriptor)
        chunk = os.read(descriptor, _CHUNK)
        if not chunk:
            return bytes(out)
        out += chunk
        if len(out) > max_bytes:
            raise IsolationError("worker-lied", detail="length")


async def _end(pid_descriptor: int) -> None:
    """Kill a worker, if it has not ended, and wait until it has: it may still hold the input."""
    try:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(pid_descriptor, signal.SIGKILL)
        if not select.select([pid_descriptor], [], [], 0)[0]:
            await _readable(pid_descriptor)
    finally:
        os.close(pid_descriptor)


def _settle(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)


async def _readable(descriptor: int) -> None:
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()
    loop.add_reader(descriptor, _settle, ready)
    try:
        await ready
    finally:
        loop.remove_reader(descriptor)
