"""Run sanitizers where hostile bytes can do nothing: the trusted side of the workers.

Each input gets a process of its own (forked from a warm parent, see `worker`), a time that grows with its
size, and one way to answer: a bounded frame on a pipe. What comes back is checked here, by code that never
read the input: form, digests, and the output's own grammar. A worker that dies, hangs or answers wrongly
is killed and the input tried once more in a cold parent; after that the caller gets an `IsolationError`.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import json
import os
import select
import signal
import socket
import stat
import subprocess
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

import sanitizers.messages  # noqa: F401  (declares the words of our codes)
from sanitizers.artefact import Artefact, Refusal
from sanitizers.frames import Job, max_answer_bytes, read_answer
from sanitizers.registry import Sanitizer, sanitizer_of
from sanitizers.sandbox import REQUIRED
from zones.errors import IsolationError
from zones.messages import catalogue

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_CHUNK = 1 << 20
_MAX_HELLO_BYTES = 16 << 10
_MIB = 1 << 20
_MAX_SEALS = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL
_ENVIRONMENT = {"LANG": "C.UTF-8", "PATH": "/usr/bin:/bin"}
_RETRIED = frozenset({"worker-died", "worker-timed-out", "worker-lied"})


@dataclass(frozen=True, kw_only=True, slots=True)
class IsolationLimits:
    """What a worker may cost. Times are seconds, sizes bytes; `*_per_mib` grow with the input."""

    base_seconds: float = 8.0
    seconds_per_mib: float = 0.5
    base_memory_bytes: int = 512 << 20
    memory_per_mib: int = 24 << 20
    start_seconds: float = 20.0
    jobs_per_parent: int = 1_000

    def seconds_for(self, input_bytes: int) -> float:
        """Return the wall clock and CPU time for an input."""
        return self.base_seconds + self.seconds_per_mib * input_bytes / _MIB

    def memory_for(self, input_bytes: int) -> int:
        """Return the address space for an input."""
        return self.base_memory_bytes + self.memory_per_mib * input_bytes // _MIB


class Isolation:
    """Sanitizes inputs in workers of their own; use it as `async with Isolation() as isolation`.

    At most `workers` inputs are in work at once (two per processor unless given); others wait their turn.
    """

    def __init__(self, *, limits: IsolationLimits | None = None, workers: int = 0) -> None:
        self._limits = limits or IsolationLimits()
        self._slots = asyncio.Semaphore(workers or 2 * (os.cpu_count() or 1))
        self._starting = asyncio.Lock()
        self._parent: _Parent | None = None

    async def __aenter__(self) -> Self:
        """Start the warm parent, so that the first input does not wait for it."""
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the warm parent."""
        await self.close()

    async def start(self) -> tuple[str, ...]:
        """Start the warm parent if there is none; return the sandbox layers in force.

        Raises:
            IsolationError: `worker-start-failed`, or `worker-not-isolated` when a required layer is
                missing or the probe worker could do something it must not.
        """
        return (await self._warm_parent()).layers

    async def close(self) -> None:
        """End the parent and every worker under it."""
        parent, self._parent = self._parent, None
        if parent is not None:
            await parent.close()

    async def sanitize(
        self, kind: str, untrusted: Path | bytes, options: Mapping[str, object]
    ) -> Artefact | Refusal:
        """Return the artefact made from an input, or the refusal.

        `options` are JSON values, for mail those of `MailOptions.to_mapping`. A file must not change
        while it is read.

        Raises:
            IsolationError: `worker-unknown-kind`; `worker-start-failed`, `worker-not-isolated`;
                `worker-input` (the file cannot be opened); after one retry in a cold parent
                `worker-died`, `worker-timed-out` or `worker-lied`; `worker-failed` (our bug) at once.
        """
        sanitizer = sanitizer_of(kind)
        async with self._slots:
            with contextlib.closing(await asyncio.to_thread(_open_source, untrusted)) as source:
                try:
                    return await self._attempt(sanitizer, source, options)
                except IsolationError as error:
                    if error.code not in _RETRIED:
                        raise
                await self._retire()
                return await self._attempt(sanitizer, source, options)

    async def _attempt(
        self, sanitizer: Sanitizer, source: _Source, options: Mapping[str, object]
    ) -> Artefact | Refusal:
        parent = await self._warm_parent()
        seconds = self._limits.seconds_for(source.size_bytes)
        job = Job(
            kind=sanitizer.kind,
            options=options,
            input_bytes=source.size_bytes,
            memory_bytes=self._limits.memory_for(source.size_bytes),
            cpu_seconds=int(seconds) + 1,
        )
        source.rewind()
        untrusted = await parent.run(job, source.descriptor, sanitizer.max_output_bytes, seconds)
        result = read_answer(
            untrusted, media_type=sanitizer.media_type, max_output_bytes=sanitizer.max_output_bytes
        )
        return _checked(result, sanitizer, source, options, parent.layers)

    async def _warm_parent(self) -> _Parent:
        async with self._starting:
            if self._parent is not None and self._parent.is_worn(self._limits.jobs_per_parent):
                self._parent.retire()
                self._parent = None
            if self._parent is None:
                self._parent = await _Parent.start(self._limits.start_seconds)
            return self._parent

    async def _retire(self) -> None:
        # Other inputs may be in work under the old parent: it ends when the last of them does.
        async with self._starting:
            parent, self._parent = self._parent, None
            if parent is not None:
                parent.retire()


class _Parent:
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
    async def start(cls, seconds: float) -> _Parent:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        try:
            with theirs:
                process = await asyncio.to_thread(_spawn, theirs.fileno())
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


@dataclass(frozen=True, kw_only=True, slots=True)
class _Source:
    """An input as a descriptor a worker can read and nobody can change."""

    descriptor: int
    size_bytes: int
    sha256: str

    def rewind(self) -> None:
        os.lseek(self.descriptor, 0, os.SEEK_SET)

    def close(self) -> None:
        os.close(self.descriptor)


def _open_source(untrusted: Path | bytes) -> _Source:
    if isinstance(untrusted, bytes):
        return _sealed(untrusted)
    try:
        descriptor = os.open(untrusted, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise IsolationError("worker-input", detail=f"{untrusted}: {error.strerror}") from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise IsolationError("worker-input", detail=f"{untrusted}: not a regular file")
    digest, size_bytes = hashlib.sha256(), 0
    while chunk := os.read(descriptor, _CHUNK):
        digest.update(chunk)
        size_bytes += len(chunk)
    return _Source(descriptor=descriptor, size_bytes=size_bytes, sha256=digest.hexdigest())


def _sealed(untrusted: bytes) -> _Source:
    descriptor = os.memfd_create("masugata-input", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    rest = memoryview(untrusted)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _MAX_SEALS)
    return _Source(
        descriptor=descriptor, size_bytes=len(untrusted), sha256=hashlib.sha256(untrusted).hexdigest()
    )


def _spawn(control: int) -> subprocess.Popen[bytes]:
    # -I: no PYTHON* variables, no user site, no current directory on the path. A clean environment and
    # closed descriptors: nothing of the gateway's secrets is in the process that forks the workers.
    command = [sys.executable, "-I", "-B", "-m", "sanitizers.worker", str(control)]
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


def _checked(
    result: Artefact | Refusal,
    sanitizer: Sanitizer,
    source: _Source,
    options: Mapping[str, object],
    layers: tuple[str, ...],
) -> Artefact | Refusal:
    """Believe nothing the worker says of itself; fill in what we know better."""
    if isinstance(result, Refusal):
        if result.reason not in catalogue() or not result.detail.isprintable():
            raise IsolationError("worker-lied", detail="refusal")
        return replace(result, source_sha256=source.sha256, source_bytes=source.size_bytes)
    made = result.provenance
    facts = {
        "kind": (made.kind, sanitizer.kind),
        "source": (made.source_sha256, source.sha256),
        "source size": (made.source_bytes, source.size_bytes),
        "output": (made.output_sha256, hashlib.sha256(result.body).hexdigest()),
        "output size": (made.output_bytes, len(result.body)),
        "policy": (made.policy_revision, options.get("policy_revision") or made.policy_revision),
        "record": (made.provenance_id, options.get("provenance_id") or made.provenance_id),
    }
    for name, (said, known) in facts.items():
        if said != known:
            raise IsolationError("worker-lied", detail=name)
    try:
        sanitizer.verifier().verify(result.body)
    except ValueError as error:
        raise IsolationError("worker-lied", detail=str(error)) from error
    return replace(result, provenance=replace(made, layers=layers))


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
