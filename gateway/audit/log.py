"""The writer: one file per boot, one write per line, and an end that the next boot seals.

Nothing written is ever changed again. A line that a crash left half-written stays as it is; the next boot's
first event names its length and hash, together with the last whole line, and goes on in a file of its own.
After any failed write or sync the log is broken for good: what the page cache holds after a failed fsync
cannot be known, so the only way on is a new boot.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import socket
import time
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING

from gateway.audit.chain import ChainWriter, Head
from gateway.audit.event import GENESIS, Draft, line_hash, make_draft, parse_line
from gateway.audit.files import (
    LOCK_NAME,
    LogFile,
    file_name,
    log_files,
    new_boot,
    open_log,
    read_lines,
    sealed_boot,
)
from zones.errors import BackendError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ACTOR = "recorder"


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How a file ends: its last whole line, and what stands after that."""

    head: Head
    torn_bytes: int = 0
    torn_sha256: str | None = None


class AuditLog:
    """The open file of this boot. Made by `open_for_append`; one writer per directory."""

    def __init__(
        self, *, path: Path, descriptor: int, lock: int, chain: ChainWriter, clock: Callable[[], float]
    ) -> None:
        self.path = path
        self._descriptor, self._lock = descriptor, lock
        self._chain, self._clock = chain, clock
        self._pid, self._uid = os.getpid(), os.getuid()
        self.broken: BackendError | None = None

    @property
    def head(self) -> Head:
        """The last line written."""
        return self._chain.head

    def append(self, draft: Draft, *, pid: int | None = None, uid: int | None = None) -> int:
        """Write one event and return its sequence number; on the disk only after `sync`.

        `pid` and `uid` are the sender's; without them the event is the recorder's own.

        Raises:
            BackendError: the disk refused, now or before.
        """
        self._refuse_if_broken()
        line = self._chain.append(
            draft,
            now=self._clock(),
            pid=self._pid if pid is None else pid,
            uid=self._uid if uid is None else uid,
        )
        try:
            written = os.write(self._descriptor, line + b"\n")
        except OSError as error:
            raise self._break(error.strerror or str(error)) from error
        if written != len(line) + 1:
            # A full disk takes part of a line. The rest must not follow later, after other lines.
            raise self._break(f"short write: {written} of {len(line) + 1} bytes")
        return self._chain.head.seq

    def sync(self) -> None:
        """Return when everything appended before the call is on the disk. May run in a thread.

        Raises:
            BackendError: the disk refused, now or before.
        """
        self._refuse_if_broken()
        try:
            os.fdatasync(self._descriptor)
        except OSError as error:
            raise self._break(error.strerror or str(error)) from error

    def close(self, reason: str = "stopped") -> None:
        """Write the `stop` event, sync, and let the directory go. A broken log is only let go."""
        try:
            if self.broken is None:
                self.append(make_draft("stop", {"reason": reason}, actor=ACTOR))
                self.sync()
        finally:
            os.close(self._descriptor)
            os.close(self._lock)

    def _refuse_if_broken(self) -> None:
        if self.broken is not None:
            raise self.broken

    def _break(self, detail: str) -> BackendError:
        self.broken = BackendError("audit-log-broken", path=str(self.path), detail=detail)
        return self.broken


def open_for_append(
    directory: Path, *, gateway: str, revision: str = "", clock: Callable[[], float] = time.time
) -> AuditLog:
    """Begin this boot's file, sealing the end of the last one, and return it with `start` on the disk.

    Raises:
        ConfigurationError: the gateway id cannot stand in a file name.
        BackendError: another recorder holds the directory, or the disk refuses.
    """
    boot = new_boot(clock(), os.urandom(4))
    path = directory / file_name(gateway, boot)
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = _lock(directory)
    except OSError as error:
        raise _cannot_open(directory, error) from error
    try:
        previous = unsealed_ending(directory, gateway)
        descriptor = _create(path)
    except OSError as error:
        os.close(lock)
        raise _cannot_open(path, error) from error
    except BackendError:
        os.close(lock)
        raise
    chain = ChainWriter(gateway=gateway, boot=boot)
    log = AuditLog(path=path, descriptor=descriptor, lock=lock, chain=chain, clock=clock)
    log.append(_start_draft(previous, revision))
    log.sync()
    return log


def unsealed_ending(directory: Path, gateway: str) -> Ending | None:
    """Return the end of the newest file that no later boot has sealed; None when there is none.

    A file without any event (its recorder died while beginning it) has nothing to seal.
    """
    files = [file for file in log_files(directory)[0] if file.gateway == gateway]
    sealed = {sealed_boot(file) for file in files}
    endings = (read_ending(file) for file in reversed(files) if file.boot not in sealed)
    return next((ending for ending in endings if ending.head.seq), None)


def read_ending(file: LogFile) -> Ending:
    """Return how a file ends, without judging what stands before."""
    head, torn = Head(file.boot, 0, GENESIS), b""
    with open_log(file.path) as stream:
        for line in read_lines(stream):
            if not line.whole:
                torn = line.data
            elif (event := parse_line(line.data)) and (event.gateway, event.boot) == file[:2]:
                head = Head(file.boot, event.seq, line_hash(line.data))
    if not torn:
        return Ending(head=head)
    return Ending(head=head, torn_bytes=len(torn), torn_sha256=hashlib.sha256(torn).hexdigest())


def _start_draft(previous: Ending | None, revision: str) -> Draft:
    fields: dict[str, object] = {"version": version("masugata"), "host": socket.gethostname()}
    if previous is not None:
        fields["previous_boot"] = previous.head.boot
        fields["previous_seq"] = previous.head.seq
        fields["previous_head"] = previous.head.hash
    if previous is not None and previous.torn_bytes:
        fields["previous_torn_bytes"] = previous.torn_bytes
        fields["previous_torn_sha256"] = previous.torn_sha256
    return make_draft("start", fields, actor=ACTOR, revision=revision)


def _lock(directory: Path) -> int:
    # Two writers would each continue the chain their own way: a fork nobody could tell from an attack.
    lock = os.open(directory / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise BackendError("audit-directory-in-use", directory=str(directory)) from None
    except OSError:
        os.close(lock)
        raise
    return lock


def _create(path: Path) -> int:
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(path, flags, 0o600)
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
    return descriptor


def _cannot_open(path: Path, error: OSError) -> BackendError:
    return BackendError("audit-cannot-open", path=str(path), detail=error.strerror or str(error))
