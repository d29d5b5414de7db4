"""Which captures a replay reads, and in which order: files, directories, rotated sets, standard input."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from gateway.replay.captures import STANDARD_INPUT, open_capture, read_capture
from gateway.replay.compressed import is_compressed
from gateway.replay.packets import Packet
from zones.errors import BackendError, ConfigurationError, MasugataError, Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class Sources(NamedTuple):
    """The captures to read, in order. `passed_over` are files of the directories given that hold none.

    `moved` says that the order is that of the first packets, not the one given.
    """

    names: tuple[str, ...]
    passed_over: tuple[str, ...] = ()
    moved: bool = False


def find_sources(given: Sequence[str], *, keep_order: bool = False) -> Sources:
    """Return the captures that the arguments name; each of them can be opened.

    A directory (not what is below it) gives its captures, told by their first bytes. Rotated captures
    are named by number or by time, with or without leading zeros, and rings begin anew: so several files
    are read in the order of their first packets, unless `keep_order`. What is no regular file stays where
    it is, for looking into a pipe would take from it.

    Raises:
        ConfigurationError: a file cannot be opened, or a directory holds no capture.
    """
    names: list[str] = []
    passed_over: list[str] = []
    for name in given:
        if name != STANDARD_INPUT and Path(name).is_dir():
            captures, others = _captures_in(Path(name))
            names += captures
            passed_over += others
        else:
            names.append(name)
    for name in names:
        _check(name)
    ordered = names if keep_order or len(names) < 2 else _by_first_packet(names)
    return Sources(tuple(ordered), tuple(passed_over), moved=ordered != names)


def total_bytes(names: Iterable[str]) -> int | None:
    """Return the size of all captures together, as stored; None where one of them has none (a pipe)."""
    total = 0
    for name in names:
        if not _regular(name):
            return None
        total += Path(name).stat().st_size
    return total


def _captures_in(directory: Path) -> tuple[list[str], list[str]]:
    try:
        files = sorted(path for path in directory.iterdir() if path.is_file())
    except OSError as error:
        detail = error.strerror or str(error)
        raise ConfigurationError("capture-not-opened", file=str(directory), detail=detail) from None
    captures: list[str] = []
    others: list[str] = []
    for file in files:
        (captures if is_capture(str(file)) else others).append(str(file))
    if not captures:
        raise ConfigurationError("replay-directory-empty", directory=str(directory), files=len(others))
    return captures, others


def is_capture(name: str) -> bool:
    """Return whether a file begins like a capture.

    One in a compression that cannot be read here, or is broken at its very beginning, counts too: what it
    held is not known, and must not be passed over as if it were a note.
    """
    try:
        with open_capture(name) as file:
            read_capture(file, name)
    except Unreadable as error:
        return error.code == "capture-empty" and is_compressed(Path(name))
    except ConfigurationError:
        return False
    except BackendError:
        return True
    return True


def _check(name: str) -> None:
    if name != STANDARD_INPUT and _regular(name, missing=True):
        with open_capture(name):
            pass


def _regular(name: str, *, missing: bool = False) -> bool:
    """Return whether a name is that of a regular file; `missing` is the answer for one that is not there."""
    if name == STANDARD_INPUT:
        return False
    try:
        return stat.S_ISREG(Path(name).stat().st_mode)
    except OSError:
        return missing


def _by_first_packet(names: list[str]) -> list[str]:
    """Return the names with those whose first packet has a time in its order, among their own places."""
    times = {at: time for at, name in enumerate(names) if (time := first_time_ns(name)) is not None}
    in_order = sorted(times, key=lambda at: (times[at], at))
    ordered = list(names)
    for place, at in zip(times, in_order, strict=True):
        ordered[place] = names[at]
    return ordered


def first_time_ns(name: str) -> int | None:
    """Return the time of the first packet of a regular file; None where there is none."""
    if not _regular(name):
        return None
    try:
        with open_capture(name) as file:
            item = next(iter(read_capture(file, name)), None)
    except MasugataError:
        return None
    return item.time_ns if isinstance(item, Packet) else None
