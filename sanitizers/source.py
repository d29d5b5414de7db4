"""An input as a descriptor: what a worker reads, and nobody changes meanwhile."""

from __future__ import annotations

import fcntl
import hashlib
import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zones.errors import IsolationError

if TYPE_CHECKING:
    from pathlib import Path

_CHUNK = 1 << 20
_ALL_SEALS = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """An input as a descriptor a worker can read and nobody can change."""

    descriptor: int
    size_bytes: int
    sha256: str

    def rewind(self) -> None:
        """Go back to the first byte: the worker shares our place in the file."""
        os.lseek(self.descriptor, 0, os.SEEK_SET)

    def close(self) -> None:
        """Give the descriptor back."""
        os.close(self.descriptor)


def open_source(untrusted: Path | bytes) -> Source:
    """Return the input with its size and digest; bytes go into sealed memory.

    Raises:
        IsolationError: `worker-input`: a file that cannot be opened, or is not a regular one.
    """
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
    return Source(descriptor=descriptor, size_bytes=size_bytes, sha256=digest.hexdigest())


def _sealed(untrusted: bytes) -> Source:
    descriptor = os.memfd_create("masugata-input", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    rest = memoryview(untrusted)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _ALL_SEALS)
    return Source(
        descriptor=descriptor, size_bytes=len(untrusted), sha256=hashlib.sha256(untrusted).hexdigest()
    )
