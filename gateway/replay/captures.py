"""Capture files of any origin, read as untrusted bytes.

The format is told by the first bytes, never by the file's name. Whatever is readable is yielded; a file
that is cut or damaged ends with one `Trouble`. Memory is bounded by `MAX_PACKET_BYTES`, not by what a
length field claims, and every step consumes input, so reading always ends.
"""

from __future__ import annotations

import gzip
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from gateway.replay.pcap import VARIANTS, read_pcap
from gateway.replay.pcapng import SECTION_MAGIC, read_pcapng
from gateway.replay.stream import ByteStream, CaptureCut
from zones.errors import ConfigurationError, Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.replay.packets import Packet, Trouble

_GZIP_MAGIC = b"\x1f\x8b"
_BUFFER_BYTES = 1 << 20
STANDARD_INPUT = "-"


@contextmanager
def open_capture(name: str) -> Iterator[BinaryIO]:
    """Give the bytes of a file, or of standard input for `-`.

    Raises:
        ConfigurationError: there is no such file, it is a directory, or we may not read it.
    """
    if name == STANDARD_INPUT:
        yield sys.stdin.buffer
        return
    try:
        file = Path(name).open("rb", buffering=_BUFFER_BYTES)  # noqa: SIM115  closed below
    except OSError as error:
        raise ConfigurationError(
            "capture-not-opened", file=name, detail=error.strerror or str(error)
        ) from None
    with file:
        yield file


def read_capture(source: BinaryIO, name: str) -> Iterator[Packet | Trouble]:
    """Yield every packet of a pcap or pcapng stream, gzipped or not, then a `Trouble` if it broke off.

    Raises:
        Unreadable: at once, before anything is yielded: the stream is no capture.
    """
    stream, magic = _recognise(source, name)
    return read_pcapng(stream) if magic == SECTION_MAGIC else read_pcap(stream, magic)


def _recognise(source: BinaryIO, name: str) -> tuple[ByteStream, bytes]:
    try:
        magic = ByteStream(source).take(4)
        stream = ByteStream(source, magic)
        if magic[:2] == _GZIP_MAGIC:
            packed = cast("BinaryIO", _Rejoined(magic, source))
            stream = ByteStream(cast("BinaryIO", gzip.GzipFile(fileobj=packed, mode="rb")))
            magic = stream.take(4)
        else:
            stream.take(4)
    except CaptureCut:
        raise Unreadable("capture-empty", file=name) from None
    if len(magic) < 4:
        raise Unreadable("capture-empty", file=name)
    if magic != SECTION_MAGIC and magic not in VARIANTS:
        raise Unreadable("capture-not-recognised", file=name, magic=magic.hex(" "))
    return stream, magic


class _Rejoined:
    """A stream with the bytes put back that were read to recognise it: a pipe cannot seek."""

    def __init__(self, start: bytes, rest: BinaryIO) -> None:
        self._start, self._rest = start, rest

    def read(self, count: int = -1) -> bytes:
        if not self._start:
            return self._rest.read(count)
        start, self._start = self._start[:count], self._start[count:]
        return start
