"""The tracker in C by itself: its tables, its hash, its memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gateway.filter.native.track_tables import tables

SECRET = bytes(range(16))
MASK = (1 << 64) - 1


@pytest.fixture
def core() -> Any:
    return pytest.importorskip("gateway.filter._native", reason="the C core was not built")


@pytest.mark.checkout
def test_the_tables_in_c_are_those_in_python() -> None:
    committed = Path(__file__).parents[4] / "gateway/filter/native/track_tables.h"

    assert committed.read_text(encoding="utf-8") == tables()


def siphash13(secret: bytes, words: list[int]) -> int:
    """SipHash-1-3 over whole words, without the word that holds the length."""
    k0, k1 = (int.from_bytes(secret[at : at + 8], "little") for at in (0, 8))
    a, b, c, d = (
        k0 ^ 0x736F6D6570736575,
        k1 ^ 0x646F72616E646F6D,
        k0 ^ 0x6C7967656E657261,
        k1 ^ 0x7465646279746573,
    )

    def turn(word: int, by: int) -> int:
        return (word << by | word >> (64 - by)) & MASK

    def mix() -> None:
        nonlocal a, b, c, d
        a, c = (a + b) & MASK, (c + d) & MASK
        b, d, a = turn(b, 13) ^ a, turn(d, 16) ^ c, turn(a, 32)
        c, a = (c + b) & MASK, (a + d) & MASK
        b, d, c = turn(b, 17) ^ c, turn(d, 21) ^ a, turn(c, 32)

    for word in words:
        d ^= word
        mix()
        a ^= word
    c ^= 0xFF
    for _ in range(3):
        mix()
    return a ^ b ^ c ^ d


def key(core: Any, number: int, *, version: int = 4, back: bool = False) -> Any:
    made = core.ffi.new("struct mg_key *")
    src, dst, sport, dport = 0x0A000000 + number, 0x0B000001, 1000 + number % 60_000, 443
    if back:
        src, dst, sport, dport = dst, src, dport, sport
    made.src_lo, made.dst_lo, made.tail = src, dst, sport << 16 | dport
    made.protocol, made.version = 6, version
    return made


@pytest.mark.parametrize("version", [4, 6])
def test_both_directions_have_the_same_keyed_hash(core: Any, version: int) -> None:
    there, back = (key(core, 5, version=version, back=way) for way in (False, True))
    secret = core.ffi.new("uint64_t[2]", [int.from_bytes(SECRET[at : at + 8], "little") for at in (0, 8)])
    low, high, tail = 0x0A000005, 0x0B000001, 1005 << 16 | 443
    ends = [low << 32 ^ high] if version == 4 else [0, low, 0, high]

    found = {core.lib.mg_flow_hash(secret, one) for one in (there, back)}
    assert found == {siphash13(SECRET, [*ends, tail << 32 | 6 << 8 | version])}
    assert core.lib.mg_flow_hash([1, 2], there) not in found


def test_shards_are_all_used(core: Any) -> None:
    hashes = [core.lib.mg_flow_hash([1, 2], key(core, number)) for number in range(400)]

    assert {core.lib.mg_hash_shard(one, 3) for one in hashes} == {0, 1, 2}


@pytest.mark.parametrize("limit", [0, 1 << 28 | 1])
def test_a_senseless_size_makes_no_tracker(core: Any, limit: int) -> None:
    assert core.lib.mg_tracker_new(limit, SECRET) == core.ffi.NULL


def test_a_full_table_finds_all_it_holds(core: Any) -> None:
    ffi, lib, count = core.ffi, core.lib, 20_000
    tracker = ffi.gc(lib.mg_tracker_new(count, SECRET), lib.mg_tracker_free)
    frame = ffi.new("struct mg_frame *")
    for number in range(count + 100):
        frame.key = key(core, number)[0]
        hashed = lib.mg_tracker_hash(tracker, ffi.addressof(frame, "key"))
        assert lib.mg_track_admit(tracker, frame, hashed, number, number, False) != ffi.NULL

    assert (lib.mg_tracker_live(tracker), lib.mg_tracker_evicted(tracker)) == (count, 100)
    for number in range(count + 100):
        one = key(core, number, back=True)
        entry = lib.mg_track_find(tracker, one, lib.mg_tracker_hash(tracker, one), count)
        assert (entry == ffi.NULL) is (number < 100)
        assert entry == ffi.NULL or entry.flow == number


def test_a_large_table_takes_no_memory_before_it_is_used(core: Any) -> None:
    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

    before = resident()
    tracker = core.ffi.gc(core.lib.mg_tracker_new(1 << 22, SECRET), core.lib.mg_tracker_free)
    assert tracker != core.ffi.NULL
    assert resident() - before < 8 << 20
