"""Which captures are read, in which order, in which compression."""

from __future__ import annotations

import gzip
import io
import struct
from typing import TYPE_CHECKING

import pytest
import zstandard

from gateway.replay import compressed
from gateway.replay.captures import open_capture, read_capture
from gateway.replay.packets import Packet, Trouble
from gateway.replay.pcapng import PcapngWriter
from gateway.replay.sources import find_sources, total_bytes
from zones.errors import BackendError, ConfigurationError, ExitCode, Unreadable

if TYPE_CHECKING:
    from pathlib import Path

SECOND = 1_000_000_000
START = 1_790_000_000 * SECOND
FRAME = b"\x02" * 12 + b"\x08\x06" + bytes(46)


def capture(first_second: int = 0, packets: int = 3) -> bytes:
    file = io.BytesIO()
    writer = PcapngWriter(file, ["lg0"])
    for number in range(packets):
        writer.write(0, START + (first_second + number) * SECOND, FRAME)
    return file.getvalue()


def zstd(data: bytes, **options: bool) -> bytes:
    return zstandard.ZstdCompressor(level=3, **options).compress(data)


def read(data: bytes) -> tuple[list[Packet], list[Trouble]]:
    items = list(read_capture(io.BytesIO(data), "x"))
    return (
        [item for item in items if isinstance(item, Packet)],
        [item for item in items if isinstance(item, Trouble)],
    )


SKIPPABLE = struct.pack("<II", 0x184D2A53, 5) + b"hello"
PACKED = {
    "gzip": gzip.compress(capture()),
    "gzip in members": gzip.compress(capture()[:100]) + gzip.compress(capture()[100:]),
    "zstd": zstd(capture()),
    "zstd with a checksum": zstd(capture(), write_checksum=True),
    "zstd without a size": zstd(capture(), write_content_size=False),
    "zstd in frames": zstd(capture()[:100], write_checksum=True) + zstd(capture()[100:]),
    "zstd between others": SKIPPABLE + zstd(capture()) + SKIPPABLE,
}


@pytest.mark.parametrize("name", PACKED)
def test_a_compressed_capture_is_read_like_a_plain_one(name: str) -> None:
    packets, troubles = read(PACKED[name])

    assert troubles == []
    assert [packet.data for packet in packets] == [FRAME] * 3


@pytest.mark.parametrize("name", PACKED)
def test_a_compressed_capture_that_is_cut_anywhere_says_so(name: str) -> None:
    whole = PACKED[name]
    for end in range(4, len(whole)):
        try:
            packets, troubles = read(whole[:end])
        except Unreadable:
            continue
        if len(packets) == 3 and name in {"zstd between others", "gzip in members", "zstd in frames"}:
            continue  # the cut is in what holds no packet, or between two parts
        # A second gzip member of which one byte is left does not look like one.
        allowed = {"capture-cut", "capture-unreadable"} if name == "gzip in members" else {"capture-cut"}
        assert {trouble.code for trouble in troubles} <= allowed, end
        assert len(troubles) == 1


@pytest.mark.parametrize("name", ["gzip", "zstd with a checksum"])
def test_a_compressed_capture_with_a_wrong_byte_never_passes_as_whole(name: str) -> None:
    for place in range(12, len(PACKED[name])):
        data = bytearray(PACKED[name])
        data[place] ^= 0x55
        try:
            _, troubles = read(bytes(data))
        except Unreadable:
            continue
        assert troubles, place


@pytest.mark.parametrize("pack", [gzip.compress, zstd], ids=["gzip", "zstd"])
def test_a_bomb_unfolds_in_bounded_pieces(pack: object) -> None:
    import tracemalloc

    record = struct.pack("<IIII", 1, 0, 200_000, 200_000) + bytes(200_000)
    header = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262_144, 1)
    bomb = pack(header + record * 300)  # type: ignore[operator]
    assert len(bomb) < 200_000, "60 MB in a few bytes"

    tracemalloc.start()
    count = sum(isinstance(item, Packet) for item in read_capture(io.BytesIO(bomb), "x"))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert count == 300
    assert peak < 4_000_000


def test_without_the_library_zstd_is_refused_with_the_line_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def missing(name: str) -> object:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(compressed, "import_module", missing)
    with pytest.raises(BackendError) as caught:
        read_capture(io.BytesIO(zstd(capture())), "x")

    assert caught.value.exit_code == ExitCode.UNAVAILABLE
    assert caught.value.params["library"] == "zstandard"


def test_a_directory_gives_its_captures_told_by_their_first_bytes(tmp_path: Path) -> None:
    (tmp_path / "b").write_bytes(capture(0))
    (tmp_path / "a.txt").write_bytes(zstd(capture(10)))
    (tmp_path / "notes.pcap").write_text("no capture at all")
    (tmp_path / "empty.pcap").write_bytes(b"")
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "c").write_bytes(capture(20))
    sources = find_sources([str(tmp_path)])

    assert [name.rpartition("/")[2] for name in sources.names] == ["b", "a.txt"]
    assert [name.rpartition("/")[2] for name in sources.passed_over] == ["empty.pcap", "notes.pcap"]
    assert total_bytes(sources.names) == len(capture()) + len(zstd(capture(10)))


def test_a_broken_compressed_file_of_a_directory_is_not_passed_over_as_a_note(tmp_path: Path) -> None:
    (tmp_path / "a.zst").write_bytes(zstd(capture())[:20])

    assert find_sources([str(tmp_path)]).names == (str(tmp_path / "a.zst"),)


def test_a_directory_without_captures_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("nothing here")
    with pytest.raises(ConfigurationError) as caught:
        find_sources([str(tmp_path)])

    assert caught.value.code == "replay-directory-empty"


def test_rotated_captures_are_read_by_their_first_packet(tmp_path: Path) -> None:
    names = [str(tmp_path / name) for name in ("cap10", "cap2", "cap9", "text", "empty")]
    for name, second in zip(names, (30, 10, 20), strict=False):
        (tmp_path / name).write_bytes(capture(second))
    (tmp_path / "text").write_text("no capture")
    (tmp_path / "empty").write_bytes(capture(0, packets=0))
    given = [names[3], names[0], names[4], names[1], names[2]]
    sources = find_sources(given)

    # What has no first packet stays where it is.
    assert sources.names == (names[3], names[1], names[4], names[2], names[0])
    assert sources.moved
    kept = find_sources(given, keep_order=True)
    assert (kept.names, kept.moved) == (tuple(given), False)


def test_standard_input_has_no_size_and_keeps_its_place(tmp_path: Path) -> None:
    for name, second in (("late", 50), ("early", 5)):
        (tmp_path / name).write_bytes(capture(second))
    sources = find_sources([str(tmp_path / "late"), "-", str(tmp_path / "early")])

    assert [name.rpartition("/")[2] for name in sources.names] == ["early", "-", "late"]
    assert total_bytes(sources.names) is None


def test_a_file_that_is_missing_is_an_error_before_any_is_read(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(capture())
    with pytest.raises(ConfigurationError), open_capture(str(tmp_path / "none")):
        pass
    with pytest.raises(ConfigurationError):
        find_sources([str(tmp_path / "a"), str(tmp_path / "none")])
