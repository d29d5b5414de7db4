"""Bytes from an untrusted stream, read in bounded pieces."""

from __future__ import annotations

import zlib
from typing import BinaryIO

_SKIP_BYTES = 65_536
BROKEN = (EOFError, zlib.error, OSError)
"""What reading a stream raises where it ends too early or breaks (gzip.BadGzipFile is an OSError too)."""


class CaptureCut(Exception):
    """The stream ended or broke: the reader reports it as a `Trouble` at `offset`."""

    def __init__(self, offset: int, code: str) -> None:
        super().__init__(offset, code)
        self.offset, self.code = offset, code


class ByteStream:
    """Read exactly so many bytes, or say where the stream was cut."""

    def __init__(self, source: BinaryIO, start: bytes = b"") -> None:
        self._source = source
        self._start = start
        self.offset = 0

    def take(self, count: int) -> bytes:
        """Return `count` bytes; fewer only at the end of the stream.

        Raises:
            CaptureCut: the stream cannot be read any further (compressed data broken, device failed).
        """
        if self._start:
            head, self._start = self._start[:count], self._start[count:]
            data = head + self._read(count - len(head)) if len(head) < count else head
        else:
            data = self._read(count)
        self.offset += len(data)
        return data

    def exactly(self, count: int) -> bytes:
        """Return `count` bytes.

        Raises:
            CaptureCut: fewer were left.
        """
        data = self.take(count)
        if len(data) < count:
            raise CaptureCut(self.offset, "capture-cut")
        return data

    def skip(self, count: int) -> None:
        """Pass over `count` bytes without ever holding more than a piece of them.

        Raises:
            CaptureCut: fewer were left.
        """
        while count > 0:
            count -= len(self.exactly(min(count, _SKIP_BYTES)))

    def _read(self, count: int) -> bytes:
        try:
            return self._source.read(count)
        except BROKEN as error:
            raise self._cut(error) from None

    def _cut(self, error: Exception) -> CaptureCut:
        if isinstance(error, EOFError):
            return CaptureCut(self.offset, "capture-cut")
        return CaptureCut(self.offset, "capture-unreadable")
