"""The files of an audit log: their names, and their lines read with a bound on each."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from gateway.audit.event import MAX_LINE_BYTES, parse_line
from zones.errors import BackendError, ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_NAME = re.compile(
    r"audit-(?P<gateway>[A-Za-z0-9][A-Za-z0-9._-]{0,62})-(?P<boot>\d{8}T\d{6}Z-[0-9a-f]{8})\.jsonl\Z"
)
_GATEWAY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}\Z")
LOCK_NAME = ".lock"


class LogFile(NamedTuple):
    """One boot's file; boots sort by the time they began."""

    gateway: str
    boot: str
    path: Path


class RawLine(NamedTuple):
    """A line's bytes without newline; `whole` is False for a last line that has none.

    A line longer than the bound is cut to it, which no valid line survives.
    """

    data: bytes
    whole: bool


def new_boot(now: float, random: bytes) -> str:
    """Return a boot id: when the recorder began (UTC), and four random bytes.

    >>> new_boot(1_763_800_000, bytes(4))
    '20251122T082640Z-00000000'
    """
    return f"{datetime.fromtimestamp(now, UTC):%Y%m%dT%H%M%SZ}-{random[:4].hex()}"


def file_name(gateway: str, boot: str) -> str:
    """Return the name of a boot's file.

    Raises:
        ConfigurationError: the gateway id is not letters, digits, `.`, `_` and `-` (at most 63).
    """
    if not _GATEWAY.match(gateway):
        raise ConfigurationError("audit-gateway-id", gateway=gateway)
    return f"audit-{gateway}-{boot}.jsonl"


def log_files(directory: Path) -> tuple[list[LogFile], list[str]]:
    """Return the audit files by gateway and age, and the names that are not ours.

    Raises:
        ConfigurationError: not a directory.
        BackendError: it cannot be read.
    """
    if not directory.is_dir():
        raise ConfigurationError("audit-no-directory", directory=str(directory))
    ours, others = [], []
    try:
        names = sorted(path.name for path in directory.iterdir())
    except OSError as error:
        raise unreadable(directory, error) from error
    for name in names:
        if match := _NAME.match(name):
            ours.append(LogFile(match["gateway"], match["boot"], directory / name))
        elif name != LOCK_NAME:
            others.append(name)
    return sorted(ours), others


def open_log(path: Path) -> BinaryIO:
    """Open one file for reading.

    Raises:
        BackendError: it cannot be read.
    """
    try:
        return path.open("rb")
    except OSError as error:
        raise unreadable(path, error) from error


def read_lines(stream: BinaryIO) -> Iterator[RawLine]:
    """Yield the lines from here to the end; memory is bounded by `MAX_LINE_BYTES`."""
    while data := stream.readline(MAX_LINE_BYTES + 2):
        whole = data.endswith(b"\n")
        rest = data
        while not whole and len(rest) > MAX_LINE_BYTES:
            rest = stream.readline(MAX_LINE_BYTES + 2)
            whole = rest.endswith(b"\n")
        yield RawLine(data.removesuffix(b"\n"), whole)


def sealed_boot(file: LogFile) -> str | None:
    """Return the boot whose end this file's first event seals; None for a first file.

    Raises:
        BackendError: it cannot be read.
    """
    with open_log(file.path) as stream:
        line = next(read_lines(stream), None)
    event = parse_line(line.data) if line else None
    return event.fields.get("previous_boot") if event else None


def in_order(files: list[LogFile]) -> list[LogFile]:
    """Return the files as they followed each other: by their seals, and only then by their names.

    A corrected clock, or two starts in one second, would mislead the names.

    Raises:
        BackendError: one cannot be read.
    """
    following: dict[tuple[str, str | None], list[LogFile]] = {}
    boots = {file[:2] for file in files}
    for file in files:
        before = (file.gateway, sealed_boot(file))
        following.setdefault(before if before in boots else (file.gateway, None), []).append(file)
    ordered: list[LogFile] = []
    for gateway in dict.fromkeys(file.gateway for file in files):
        todo = following.get((gateway, None), [])[::-1]
        while todo:
            ordered.append(todo.pop())
            todo += following.get(ordered[-1][:2], [])[::-1]
    # Seals that run in a circle can only be forged; `verify` says so, and their lines are shown last.
    return ordered + [file for file in files if file not in set(ordered)]


def unreadable(path: Path, error: OSError) -> BackendError:
    """Return the error for a file or directory the host does not let us read."""
    return BackendError("audit-unreadable", path=str(path), detail=error.strerror or str(error))
