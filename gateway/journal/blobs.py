"""The blob store in a folder: content under its SHA-256, complete or not there at all.

Write to a temporary file, fsync it, rename it to its digest, fsync the folder; only then is the content
promised to anyone. Equal content has one name, so a second copy replaces the first by an identical one. A
temporary file left by a crash belongs to nobody and goes at the next start.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import hashlib
import os
import secrets
import threading
from typing import TYPE_CHECKING

from gateway.journal.model import Blob
from zones.errors import BackendError, LimitExceeded

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Set
    from pathlib import Path
    from typing import BinaryIO, TypeVar

    T = TypeVar("T")

_BUFFER_BYTES = 256 * 1024
# RLIMIT_FSIZE and quotas say "full" in their own way.
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_TEMPORARY = "incoming"
_CONTENT = "content"


class FolderBlobStore:
    """A `BlobStore` in a folder that this process alone uses (held by a lock on a file in it).

    Raises:
        BackendError: `spool-in-use`, or `spool-unavailable` when the folder cannot be used.
    """

    def __init__(self, folder: Path) -> None:
        self._temporary, self._content = folder / _TEMPORARY, folder / _CONTENT
        # Sweeping looks at a file and then removes it; a commit in between must not be lost.
        self._renaming = threading.Lock()
        try:
            for place in (self._temporary, self._content):
                place.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = _take_lock(folder)
            for leftover in self._temporary.iterdir():
                leftover.unlink()
        except OSError as error:
            raise _failure(error) from error

    def writer(self) -> FolderBlobWriter:
        """Return a writer for new content."""
        return FolderBlobWriter(self._temporary / secrets.token_hex(12), self._keep)

    async def open(self, sha256: str) -> BinaryIO:
        """Return a file for reading whose content was checked against its digest just now."""
        return await asyncio.to_thread(self._open_checked, sha256)

    async def read(self, sha256: str, *, max_bytes: int) -> bytes:
        """Return checked content."""
        with await self.open(sha256) as file:
            size = os.fstat(file.fileno()).st_size
            if size > max_bytes:
                raise LimitExceeded("blob.max_bytes", size, max_bytes)
            return await asyncio.to_thread(file.read)

    async def free_bytes(self) -> int:
        """Return how much room an ordinary user has left on this file system."""
        return await _in_thread(lambda: _free(self._content))

    async def sweep(self, keep: Set[str], *, before: float) -> int:
        """Remove content last written before a time whose digest is not in `keep`."""
        return await _in_thread(lambda: self._sweep(keep, before))

    async def digests(self) -> AsyncIterator[str]:
        """Yield the digest of everything that is kept."""
        for name in await _in_thread(lambda: sorted(path.name for path in self._content.glob("*/*"))):
            yield name

    async def close(self) -> None:
        """Give the folder free for another process."""
        os.close(self._lock)

    def _path(self, sha256: str) -> Path:
        return self._content / sha256[:2] / sha256

    def _keep(self, temporary: Path, sha256: str) -> None:
        path = self._path(sha256)
        if not path.parent.exists():
            path.parent.mkdir(mode=0o700, exist_ok=True)
            sync_folder(self._content)
        with self._renaming:
            temporary.rename(path)
        sync_folder(path.parent)

    def _open_checked(self, sha256: str) -> BinaryIO:
        try:
            file = self._path(sha256).open("rb")
        except FileNotFoundError as error:
            raise BackendError("blob-missing", sha256=sha256) from error
        except OSError as error:
            raise _failure(error) from error
        seen = hashlib.file_digest(file, "sha256").hexdigest()
        if seen != sha256:
            file.close()
            raise BackendError("blob-damaged", sha256=sha256, seen=seen)
        file.seek(0)
        return file

    def _sweep(self, keep: Set[str], before: float) -> int:
        count = 0
        for path in self._content.glob("*/*"):
            if path.name in keep:
                continue
            with self._renaming:
                if path.stat().st_mtime < before:
                    path.unlink()
                    count += 1
        return count


class FolderBlobWriter:
    """Content on its way into a folder; small content touches the disk only at `commit`."""

    def __init__(self, temporary: Path, keep: Callable[[Path, str], None]) -> None:
        self._temporary, self._keep = temporary, keep
        self._digest = hashlib.sha256()
        self._buffer: list[bytes] = []
        self._buffered = 0
        self._size = 0
        self._descriptor: int | None = None
        self._done = False

    @property
    def size(self) -> int:
        """How many bytes were written so far."""
        return self._size

    async def write(self, untrusted: bytes) -> None:
        """Take more bytes; they go to the disk in pieces of a quarter of a megabyte."""
        self._buffer.append(untrusted)
        self._buffered += len(untrusted)
        self._size += len(untrusted)
        if self._buffered >= _BUFFER_BYTES:
            await _in_thread(self._flush)

    async def commit(self) -> Blob:
        """Make it durable under its digest."""
        try:
            return await _in_thread(self._commit)
        except BackendError:
            await self.abort()
            raise

    async def abort(self) -> None:
        """Forget it."""
        if not self._done:
            self._done = True
            self._buffer.clear()
            if self._descriptor is not None:
                await _in_thread(self._discard)

    def _flush(self) -> None:
        if self._descriptor is None:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            self._descriptor = os.open(self._temporary, flags, 0o600)
        pending = memoryview(b"".join(self._buffer))
        self._buffer.clear()
        self._buffered = 0
        self._digest.update(pending)
        while pending:
            pending = pending[os.write(self._descriptor, pending) :]

    def _commit(self) -> Blob:
        self._flush()
        assert self._descriptor is not None  # noqa: S101  _flush has just opened it
        os.fsync(self._descriptor)
        sha256 = self._digest.hexdigest()
        self._keep(self._temporary, sha256)
        os.close(self._descriptor)
        self._descriptor, self._done = None, True
        return Blob(sha256, self._size)

    def _discard(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
        self._temporary.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Make names created in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


async def _in_thread(work: Callable[[], T]) -> T:
    """Run blocking work off the event loop; the disk's errors come back as ours."""
    try:
        return await asyncio.to_thread(work)
    except OSError as error:
        raise _failure(error) from error


def _failure(error: OSError) -> BackendError:
    code = "spool-full" if error.errno in _FULL else "spool-unavailable"
    return BackendError(code, detail=os.strerror(error.errno or 0))


def _free(folder: Path) -> int:
    status = os.statvfs(folder)
    return status.f_bavail * status.f_frsize


def _take_lock(folder: Path) -> int:
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise BackendError("spool-in-use", place=str(folder)) from error
    return descriptor
