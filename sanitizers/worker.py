"""The warm parent of the workers: loads the sanitizers once, confines itself, forks one child per input.

A fresh interpreter with our imports costs tens of milliseconds, a fork one or two. The parent is one plain
loop over a datagram socket: receive a job with two descriptors, fork, answer with the child's id and a pid
descriptor. It is single-threaded, reads nothing from outside and keeps no state between inputs. A child
serves one input and ends. Children of one parent share its memory layout; the gateway replaces the parent
after a number of jobs and after every fault.

Run as `python -I -m sanitizers.worker FD KIND=MODULE…`, with the control socket as descriptor FD.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
from typing import TYPE_CHECKING

from sanitizers import probe, sandbox
from sanitizers.frames import MAX_JOB_BYTES, Job, answer_of, failure_of

if TYPE_CHECKING:
    from sanitizers.registry import Entry

_INPUT, _OUTPUT = 3, 4
_entries: dict[str, Entry] = {}
_CHUNK = 1 << 20
_PROBE_MEMORY_BYTES, _PROBE_SECONDS = 1 << 30, 5


def main() -> None:
    """Serve jobs until the gateway closes the control socket."""
    control = socket.socket(fileno=int(sys.argv[1]))
    modules = dict(argument.split("=", 1) for argument in sys.argv[2:])
    control.set_inheritable(False)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the gateway's to handle; it closes the socket
    try:
        for kind, module in modules.items():
            _entries[kind] = importlib.import_module(module)
            _entries[kind].warm()
        layers = sandbox.confine_parent() + sandbox.CHILD_LAYERS
        escaped = _probe()
    except Exception as error:  # the gateway must learn why, in words of ours
        control.send(json.dumps({"error": f"{type(error).__name__}: {error}"[:400]}).encode())
        raise SystemExit(1) from error
    control.send(json.dumps({"layers": layers, "escaped": escaped}).encode())
    gc.collect()
    gc.freeze()  # a collection in a child would touch, and so copy, every page
    _serve(control)


def _serve(control: socket.socket) -> None:
    while True:
        ready, _, _ = select.select([control], [], [], 1.0)
        if ready and not _take(control):
            return
        _reap()


def _take(control: socket.socket) -> bool:
    message, descriptors, _, _ = socket.recv_fds(control, MAX_JOB_BYTES + 1, 2)
    if not message:
        return False
    job = Job.from_bytes(message)
    try:
        pid = _fork(job, *descriptors)
    except OSError as error:
        control.send(json.dumps({"error": f"fork: {error.strerror}"}).encode())
    else:
        pid_descriptor = os.pidfd_open(pid)
        socket.send_fds(control, [json.dumps({"pid": pid}).encode()], [pid_descriptor])
        os.close(pid_descriptor)
    for descriptor in descriptors:
        os.close(descriptor)
    return True


def _fork(job: Job, source: int, sink: int) -> int:
    pid = os.fork()
    if pid:
        return pid
    try:
        _become_worker(source, sink)
        sandbox.confine_child(memory_bytes=job.memory_bytes, cpu_seconds=job.cpu_seconds)
        _write_all(_outcome(job))
    except BaseException:
        os._exit(1)
    os._exit(0)


def _become_worker(source: int, sink: int) -> None:
    """Keep three descriptors of nothing, the input and the output; close every other."""
    os.setsid()
    # First above the range, then down: one of them may already have a number we are about to use.
    high = [os.dup2(descriptor, 100 + at, inheritable=False) for at, descriptor in enumerate((source, sink))]
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nothing, number)
    os.dup2(high[0], _INPUT)
    os.dup2(high[1], _OUTPUT)
    os.closerange(_OUTPUT + 1, 256)


def _outcome(job: Job) -> bytes:
    try:
        untrusted = _read_all(job.input_bytes)
        return answer_of(_entries[job.kind].run(untrusted, job.options))
    except Exception as error:
        return failure_of(type(error).__name__)


def _read_all(input_bytes: int) -> bytes:
    out = bytearray()
    while len(out) <= input_bytes and (chunk := os.read(_INPUT, _CHUNK)):
        out += chunk
    if len(out) != input_bytes:
        raise EOFError
    return bytes(out)


def _write_all(answer: bytes) -> None:
    rest = memoryview(answer)
    while rest:
        rest = rest[os.write(_OUTPUT, rest) :]


def _probe() -> list[str]:
    """Return what a confined child could do and must not."""
    reader, writer = os.pipe()
    nothing = os.open(os.devnull, os.O_RDONLY)
    pid = os.fork()
    if pid == 0:
        try:
            _become_worker(nothing, writer)
            sandbox.confine_child(memory_bytes=_PROBE_MEMORY_BYTES, cpu_seconds=_PROBE_SECONDS)
            _write_all(json.dumps(probe.escapes()).encode())
        except BaseException:
            os._exit(1)
        os._exit(0)
    os.close(writer)
    os.close(nothing)
    with os.fdopen(reader, "rb") as result:
        answer = result.read()
    _, status = os.waitpid(pid, 0)
    if status or not answer:
        # Ended without a word: it crashed under confinement, or it became another program.
        return ["execute" if status == 0 else f"probe ended with status {status}"]
    escaped: list[str] = json.loads(answer)
    return escaped


def _reap() -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


if __name__ == "__main__":
    main()
