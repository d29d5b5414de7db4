"""Compressed captures as plain streams: gzip and Zstandard, decompressed in bounded pieces.

However much a few bytes unfold to, no more is held than was asked for. `zstandard` is imported only when
there is something for it to read.
"""

from __future__ import annotations

import gzip
import io
from importlib import import_module
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from zones.errors import BackendError

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

GZIP_MAGIC = b"\x1f\x8b"
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_SKIPPABLE = range(0x50, 0x60)  # RFC 8878 3.1.2: 0x184D2A5?, little-endian
_SKIPPABLE_TAIL = b"\x2a\x4d\x18"
_MAX_WINDOW_BYTES = 1 << 27  # what `zstd --long` needs; RFC 8878 lets a decoder refuse more than 8 MB
_PIECE_BYTES = 1 << 16


def decompressed(magic: bytes, source: BinaryIO) -> BinaryIO | None:
    """Return the content of a compressed stream that begins with `magic`; None where it is not compressed.

    `source` still holds its first bytes. A stream that ends too early raises EOFError when read, one that
    is damaged OSError.

    Raises:
        BackendError: the library that reads this compression is not installed.
    """
    if _is_gzip(magic):
        return cast("BinaryIO", gzip.GzipFile(fileobj=source, mode="rb"))
    if _is_zstd(magic):
        return cast("BinaryIO", io.BufferedReader(_Zstd(source), _PIECE_BYTES))
    return None


def is_compressed(path: Path) -> bool:
    """Return whether a file begins like one of the compressions read here."""
    with path.open("rb") as file:
        magic = file.read(4)
    return _is_gzip(magic) or _is_zstd(magic)


def _is_gzip(magic: bytes) -> bool:
    return magic[:2] == GZIP_MAGIC


def _is_zstd(magic: bytes) -> bool:
    return magic == ZSTD_MAGIC or (magic[1:] == _SKIPPABLE_TAIL and magic[0] in _SKIPPABLE)


def library(name: str, purpose: str) -> ModuleType:
    """Return a library of the extra `masugata[replay]`.

    Raises:
        BackendError: it is not installed.
    """
    try:
        return import_module(name)
    except ImportError:
        raise BackendError("replay-library-missing", library=name, purpose=purpose) from None


class _Zstd(io.RawIOBase):
    """Zstandard frames, one after the other, as one stream of bytes."""

    def __init__(self, source: BinaryIO) -> None:
        module = library("zstandard", ".zst")
        self._error: type[Exception] = module.ZstdError
        self._frames = _Frames(source)
        decoder = module.ZstdDecompressor(max_window_size=_MAX_WINDOW_BYTES)
        self._reader: Any = decoder.stream_reader(
            self._frames, read_size=_PIECE_BYTES, read_across_frames=True, closefd=False
        )

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            data = self._reader.read(len(buffer))
        except self._error as error:
            raise OSError(str(error)) from None
        if not data and not self._frames.complete:
            # The library takes the end of its input for the end of the data, wherever it comes.
            raise EOFError
        buffer[: len(data)] = data
        return len(data)


class _Frames:
    """Pass compressed bytes on and keep track of where a frame ends (RFC 8878 3.1.1)."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self._skip = 0
        self._head = b""
        self._next = self._magic
        self._wanted = 4
        self._checksum = False

    @property
    def complete(self) -> bool:
        """Whether what was passed on ends with a whole frame."""
        return self._skip == 0 and not self._head and self._next == self._magic

    def read(self, count: int = -1) -> bytes:
        data = self._source.read(count)
        at = 0
        while at < len(data):
            if self._skip:
                step = min(self._skip, len(data) - at)
                self._skip -= step
                at += step
                continue
            part = data[at : at + self._wanted - len(self._head)]
            at += len(part)
            self._head += part
            if len(self._head) == self._wanted:
                head, self._head = self._head, b""
                self._next(head)
        return data

    def _magic(self, head: bytes) -> None:
        if head == ZSTD_MAGIC:
            self._then(self._descriptor, 1)
        else:
            # A skippable frame: its length follows. Anything else the library will refuse.
            self._then(self._skippable, 4)

    def _skippable(self, head: bytes) -> None:
        self._skip = int.from_bytes(head, "little")
        self._then(self._magic, 4)

    def _descriptor(self, head: bytes) -> None:
        flags = head[0]
        single = flags >> 5 & 1
        size = (single, 2, 4, 8)[flags >> 6]
        self._checksum = bool(flags & 4)
        self._skip = (1 - single) + (0, 1, 2, 4)[flags & 3] + size
        self._then(self._block, 3)

    def _block(self, head: bytes) -> None:
        word = int.from_bytes(head, "little")
        repeated = word >> 1 & 3 == 1  # one byte stands for all of the block
        self._skip = 1 if repeated else word >> 3
        if word & 1:
            self._skip += 4 * self._checksum
            self._then(self._magic, 4)

    def _then(self, following: Any, wanted: int) -> None:
        self._next, self._wanted = following, wanted
