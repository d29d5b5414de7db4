"""Capture files of any origin, read as untrusted bytes.

The format is told by the first bytes, never by the file's name. Whatever is readable is yielded; a file
that is cut or damaged ends with one `Trouble`. Memory is bounded by `MAX_PACKET_BYTES`, not by what a
length field claims, and every step consumes input, so reading always ends.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from gateway.replay.compressed import decompressed
from gateway.replay.pcap import VARIANTS, read_pcap
from gateway.replay.pcapng import SECTION_MAGIC, read_pcapng
from gateway.replay.stream import ByteStream, CaptureCut
from zones.errors import ConfigurationError, Unreadable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gateway.replay.packets import Packet, Trouble
    from gateway.replay.window import Records, Walker

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
    """Yield every packet of a pcap or pcapng stream, compressed or not, then a `Trouble` if it broke off.

    Raises:
        Unreadable: at once, before anything is yielded: the stream is no capture.
        BackendError: at once: it is compressed, and the library for that is not installed.
    """
    return cast("Iterator[Packet | Trouble]", _read(source, name, None))


def walk_capture(source: BinaryIO, name: str, walker: Walker) -> Iterator[Packet | Trouble | Records]:
    """Yield the same, but the plain packets as what `walker` makes of them.

    Raises:
        Unreadable: as above.
        BackendError: as above.
    """
    return _read(source, name, walker)


def _read(source: BinaryIO, name: str, walker: Walker | None) -> Iterator[Packet | Trouble | Records]:
    stream, magic = _recognise(source, name, ByteStream if walker is None else walker.stream)
    if magic == SECTION_MAGIC:
        return read_pcapng(stream, walker)
    return read_pcap(stream, magic, walker)


def _recognise(
    source: BinaryIO, name: str, stream_of: Callable[[BinaryIO, bytes], ByteStream]
) -> tuple[ByteStream, bytes]:
    try:
        magic = ByteStream(source).take(4)
        stream = stream_of(source, magic)
        packed = cast("BinaryIO", _Rejoined(magic, source))
        content = decompressed(magic, packed) if len(magic) == 4 else None
        if content is not None:
            stream = stream_of(content, b"")
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
