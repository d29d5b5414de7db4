"""A capture that is still being written, read to its growing end, over rotations, until told to stop."""

from __future__ import annotations

import io
import time
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from gateway.replay.captures import open_capture
from gateway.replay.sources import first_time_ns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

Identity = tuple[int, int] | tuple[str, int]
"""Device and inode of a file that is followed by name; in a directory, name and time of the first packet."""

POLL_SECONDS = 0.2
_PIECE_BYTES = 1 << 16


class Following:
    """The files of one growing capture, one after the other.

    `path` is a file (another file of the same name follows it, or the same one begun anew) or a directory
    (whatever capture is newer follows, as dumpcap's and tcpdump's rings need). `idle` is called whenever
    there is nothing to read; `stop` makes the stream end where it stands.
    """

    def __init__(
        self,
        path: Path,
        idle: Callable[[], None],
        *,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._path = path
        self._idle = idle
        self._pause = pause
        self.stopped = False

    def stop(self) -> None:
        """End at the next byte that is not there yet."""
        self.stopped = True

    def streams(self) -> Iterator[tuple[str, BinaryIO]]:
        """Yield name and bytes of each file until stopped; a stream ends when its successor is there.

        Raises:
            ConfigurationError: a file cannot be opened.
        """
        read: set[Identity] = set()
        while not self.stopped:
            found = self._next(read)
            if found is None:
                self.wait()
                continue
            name, identity = found
            if not self._path.is_dir():
                read.clear()  # numbers of files that are gone are used again; that of an open one is not
            read.add(identity)
            with open_capture(name) as file:
                growing = _Growing(self, file, read)
                yield name, cast("BinaryIO", io.BufferedReader(growing, _PIECE_BYTES))
                # A damaged file is given up before its end: it must not be read again from its beginning.
                while not self.stopped and not self.succeeded(growing.size, read):
                    self.wait()

    def wait(self) -> None:
        """Let the reports catch up, then wait a moment."""
        self._idle()
        if not self.stopped:
            self._pause(POLL_SECONDS)

    def succeeded(self, size: int, read: set[Identity]) -> bool:
        """Return whether writing goes on elsewhere: another file of that name, a newer one, or a new start.

        `size` is how much of the present file has been read.
        """
        if self._path.is_dir():
            return self._next(read) is not None
        try:
            status = self._path.stat()
        except OSError:
            return False  # moved away: its successor is not there yet
        return (status.st_dev, status.st_ino) not in read or status.st_size < size

    def _next(self, read: set[Identity]) -> tuple[str, Identity] | None:
        try:
            if not self._path.is_dir():
                status = self._path.stat()
                return str(self._path), (status.st_dev, status.st_ino)
            # Rings use names again, and the file system numbers: only the first packet tells files apart.
            files = [str(path) for path in self._path.iterdir() if path.is_file()]
        except OSError:
            return None
        dated = [(time_ns, name) for name in files if (time_ns := first_time_ns(name)) is not None]
        fresh = [(time_ns, name) for time_ns, name in dated if (name, time_ns) not in read]
        if not fresh:
            return None
        time_ns, name = min(fresh)
        return name, (name, time_ns)


class _Growing(io.RawIOBase):
    """One file whose end is not the end."""

    def __init__(self, following: Following, file: BinaryIO, read: set[Identity]) -> None:
        self._following, self._file, self._read = following, file, read
        self.size = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while True:
            data = self._file.read(len(buffer))
            if not data and self._over():
                # A writer may add to the old file until the moment it is succeeded.
                data = self._file.read(len(buffer))
                if not data:
                    return 0
            if data:
                self.size += len(data)
                buffer[: len(data)] = data
                return len(data)
            self._following.wait()

    def _over(self) -> bool:
        return self._following.stopped or self._following.succeeded(self.size, self._read)
