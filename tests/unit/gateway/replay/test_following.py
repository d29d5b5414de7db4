"""A growing capture: read as it is written, over rotations, until stopped."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest

from gateway.replay.captures import read_capture
from gateway.replay.following import Following
from gateway.replay.packets import Packet, Trouble
from gateway.replay.pcapng import PcapngWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

SECOND = 1_000_000_000
HEADER_AND_INTERFACE = 2


def blocks(*seconds: int) -> list[bytes]:
    """A capture in the pieces its writer hands to the file system: header, interface, packets."""
    pieces: list[bytes] = []

    class File(io.RawIOBase):
        def write(self, data: object) -> int:
            pieces.append(bytes(data))  # type: ignore[arg-type]
            return len(pieces[-1])

    writer = PcapngWriter(File(), ["lg0"])  # type: ignore[arg-type]
    for second in seconds:
        writer.write(0, second * SECOND, second.to_bytes(60))
    return pieces


def seen(path: Path, steps: Sequence[Callable[[], object]]) -> list[int | str]:
    """Follow `path`; whenever there is nothing to read the next step is done, after the last one we stop."""
    waiting = iter(steps)
    found: list[int | str] = []

    def pause(_seconds: float) -> None:
        step = next(waiting, None)
        if step is None:
            following.stop()
        else:
            step()

    following = Following(path, lambda: None, pause=pause)
    for name, stream in following.streams():
        found.append(name.rpartition("/")[2])
        found += [_told(item) for item in read_capture(stream, name)]
    return found


def _told(item: Packet | Trouble) -> int | str:
    return item.time_ns // SECOND if isinstance(item, Packet) else item.code


def append(path: Path, *pieces: bytes) -> Callable[[], object]:
    def step() -> None:
        with path.open("ab") as file:
            file.write(b"".join(pieces))

    return step


def test_packets_come_as_they_are_written_even_in_halves(tmp_path: Path) -> None:
    path = tmp_path / "x"
    header, interface, *packets = blocks(1, 2, 3)
    path.write_bytes(header[:3])
    steps = [
        append(path, header[3:], interface, packets[0]),
        append(path, packets[1][:30]),
        append(path, packets[1][30:], packets[2]),
    ]

    assert seen(path, steps) == ["x", 1, 2, 3]


def test_another_file_of_the_same_name_follows_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "x"
    first, second = blocks(1, 2), blocks(3)
    path.write_bytes(b"".join(first[:3]))

    def rotate() -> None:
        path.rename(tmp_path / "x.1")
        append(tmp_path / "x.1", first[3])()  # the writer still has the old file open
        path.write_bytes(b"".join(second))

    assert seen(path, [rotate]) == ["x", 1, 2, "x", 3]


def test_a_file_moved_away_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"".join(blocks(1)))
    steps = [
        lambda: path.rename(tmp_path / "old"),
        lambda: None,
        append(path, *blocks(2)),
    ]

    assert seen(path, steps) == ["x", 1, "x", 2]


def test_a_file_that_is_begun_anew_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"".join(blocks(1, 2, 3)))

    assert seen(path, [lambda: path.write_bytes(b"".join(blocks(7)))]) == ["x", 1, 2, 3, "x", 7]


def test_a_damaged_file_is_given_up_once_and_its_successor_read(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"".join(blocks(1)) + b"\xff" * 40)

    def rotate() -> None:
        path.rename(tmp_path / "bad")
        path.write_bytes(b"".join(blocks(2)))

    assert seen(path, [lambda: None, rotate]) == ["x", 1, "block-length", "x", 2]


def test_a_ring_in_a_directory_is_read_by_first_packets(tmp_path: Path) -> None:
    (tmp_path / "x9").write_bytes(b"".join(blocks(1)))
    (tmp_path / "x10").write_bytes(b"".join(blocks(5)))
    (tmp_path / "notes").write_text("no capture")
    empty = blocks()
    steps = [
        append(tmp_path / "x11", *empty),  # begun, but without a packet yet
        append(tmp_path / "x11", *blocks(9)[HEADER_AND_INTERFACE:]),
        # The ring begins anew under the first name.
        lambda: (tmp_path / "x9").write_bytes(b"".join(blocks(12))),
    ]

    assert seen(tmp_path, steps) == ["x9", 1, "x10", 5, "x11", 9, "x9", 12]


def test_stopping_in_the_middle_of_a_record_ends_there(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"".join(blocks(1, 2))[:-8])

    assert seen(path, []) == ["x", 1, "capture-cut"]


@pytest.mark.parametrize("stopped", [True, False])
def test_reports_catch_up_whenever_there_is_nothing_to_read(tmp_path: Path, stopped: bool) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"".join(blocks(1)))
    calls: list[str] = []
    following = Following(path, lambda: calls.append("idle"), pause=lambda _: following.stop())
    if stopped:
        following.stop()
    items = [item for name, stream in following.streams() for item in read_capture(stream, name)]

    assert not any(isinstance(item, Trouble) for item in items)
    assert (len(items), bool(calls)) == ((0, False) if stopped else (1, True))
