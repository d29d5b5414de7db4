"""One contract, two parsers: the Python one says what is meant, the native one the same of all frames."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.filter import _native
from gateway.filter.frames import NO_MAC, NO_VLAN, Frame, Unparsed, reverse_key
from gateway.filter.link import SUPPORTED_LINKTYPES, leaves, parse_frame
from gateway.replay.captures import read_capture
from gateway.replay.packets import Packet

if TYPE_CHECKING:
    from collections.abc import Callable

    Built = Callable[[int], tuple[int | None, bytes, int]]

ffi, lib = _native.ffi, _native.lib
CORPUS = Path(__file__).resolve().parents[1] / "corpus"
REASONS = (None, *Unparsed)  # as enum mg_unparsed counts them
UNTOUCHED = 0xA5  # what a frame is filled with before: a field that is not set shows


def key_bytes(key: object) -> bytes:
    """Return a native key as `Frame.key` writes it."""
    assert key.zero == 0
    if key.version == 4:
        assert (key.src_hi, key.dst_hi) == (0, 0)
        ends = struct.pack("!II", key.src_lo, key.dst_lo)
    else:
        ends = struct.pack("!QQQQ", key.src_hi, key.src_lo, key.dst_hi, key.dst_lo)
    return ends + struct.pack("!IB", key.tail, key.protocol)


def native_key(key: bytes) -> object:
    size = (len(key) - 5) // 2
    src, dst = int.from_bytes(key[:size]), int.from_bytes(key[size : 2 * size])
    low = (1 << 64) - 1
    tail, protocol = int.from_bytes(key[-5:-1]), key[-1]
    version = 4 if size == 4 else 6
    return ffi.new(
        "struct mg_key *", (src >> 64, src & low, dst >> 64, dst & low, tail, protocol, version, 0)
    )


def address(high: int, low: int) -> int:
    return high << 64 | low


def native_frame(linktype: int | None, data: bytes, wire: int) -> Frame | Unparsed:
    """Return what the native parser says, in the words of the Python one."""
    frame = ffi.new("struct mg_frame *")
    ffi.buffer(frame)[:] = bytes([UNTOUCHED]) * ffi.sizeof("struct mg_frame")
    # A buffer of its own size: one byte too far is another allocation's, which a sanitizer sees.
    held = ffi.new("uint8_t[]", data) if data else ffi.NULL
    said = lib.mg_parse(-1 if linktype is None else linktype, held, len(data), wire, frame)
    assert said == frame.reason
    reason = REASONS[said]
    if reason is not None:
        return reason
    key = frame.key
    assert frame.truncated in (0, 1)
    assert frame.quotes in (0, 1)
    return Frame(
        version=key.version,
        src=address(key.src_hi, key.src_lo),
        dst=address(key.dst_hi, key.dst_lo),
        protocol=key.protocol,
        sport=frame.sport,
        dport=frame.dport,
        key=key_bytes(key),
        control=frame.control,
        ident=frame.ident,
        fragment=frame.fragment,
        offset=frame.offset,
        payload=frame.payload,
        truncated=bool(frame.truncated),
        src_mac=NO_MAC if frame.src_mac == lib.MG_NO_MAC else frame.src_mac,
        vlan=NO_VLAN if frame.vlan == lib.MG_NO_VLAN else frame.vlan,
        quoted=key_bytes(frame.quoted) if frame.quotes else None,
        checksum=frame.checksum,
    )


def assert_same(linktype: int | None, data: bytes, wire: int) -> Frame | Unparsed:
    meant = parse_frame(linktype, data, wire)
    assert native_frame(linktype, data, wire) == meant
    if isinstance(meant, Frame):
        for key in (meant.key, meant.quoted):
            if key is not None:
                assert key_bytes(lib.mg_reverse(native_key(key))) == reverse_key(key)
    told = lib.mg_leaves(-1 if linktype is None else linktype, data or ffi.NULL, len(data))
    assert told == {None: -1, False: 0, True: 1}[leaves(linktype, data)]
    return meant


@pytest.mark.parametrize("block", range(8))
def test_of_built_frames_both_say_the_same(block: int, built_frame: Built) -> None:
    seen: set[object] = set()
    for seed in range(block * 1000, block * 1000 + 1000):
        found = assert_same(*built_frame(seed))
        seen.add(found.protocol if isinstance(found, Frame) else found)

    # A generator that only made junk would prove little: all reasons but those of a link, and all protocols.
    assert seen >= {1, 6, 17, 58, 132, Unparsed.BAD_OPTION, Unparsed.BAD_EXTENSION, Unparsed.BAD_FRAGMENT}
    assert seen >= {Unparsed.TRUNCATED, Unparsed.BAD_LENGTH, Unparsed.BAD_TCP, Unparsed.BAD_UDP}


@given(st.integers(0, 2**48))
def test_of_any_built_frame_both_say_the_same(built_frame: Built, seed: int) -> None:
    assert_same(*built_frame(seed))


HEADS = [
    b"",
    b"\x02" * 12 + b"\x08\x00\x45",
    b"\x02" * 12 + b"\x86\xdd\x60",
    b"\x02" * 12 + b"\x86\xdd\x60\0\0\0\0\x40\0",
    b"\x02" * 12 + b"\x81\x00\0\1\x88\x64\x11\0",
    b"\x45",
    b"\x60",
    b"\x21\x45",
]
LINKTYPES = st.one_of(st.sampled_from(sorted(SUPPORTED_LINKTYPES)), st.integers(0, 2**31 - 1), st.none())


@given(
    LINKTYPES,
    st.builds(bytes.__add__, st.sampled_from(HEADS), st.binary(max_size=200)),
    st.one_of(st.integers(-200, 2000), st.just(2**32 - 1)),
)
@example(1, b"", 0)
@example(1, b"\x02" * 12 + b"\x08\x00\x45\0\0\x14" + bytes(50), 0)
def test_of_any_bytes_both_say_the_same(linktype: int | None, data: bytes, more: int) -> None:
    assert_same(linktype, data, min(max(len(data) + more, 0), 2**32 - 1))


@pytest.mark.parametrize("seed", range(40))
def test_cut_at_every_byte_both_say_the_same(seed: int, built_frame: Built) -> None:
    linktype, data, _ = built_frame(seed)
    for end in range(len(data) + 1):
        assert_same(linktype, data[:end], len(data))
        assert_same(linktype, data[:end], end)


@given(st.binary(min_size=32, max_size=32), st.integers(0, 2**32 - 1), st.integers(0, 255), st.booleans())
def test_the_key_of_the_answer_is_the_same_for_every_key(
    ends: bytes, tail: int, protocol: int, four: bool
) -> None:
    for number in {protocol, 1, 58}:
        for kind in {tail >> 8 & 0xFF, 0, 8, 13, 18, 128, 140}:
            last = (tail & 0xFFFF00FF) | kind << 8
            key = ends[: 8 if four else 32] + struct.pack("!IB", last, number)
            assert key_bytes(lib.mg_reverse(native_key(key))) == reverse_key(key)


@pytest.mark.parametrize("path", sorted(CORPUS.glob("replay-*/capture.*")), ids=lambda path: path.parent.name)
def test_of_every_packet_of_the_corpus_both_say_the_same(path: Path) -> None:
    packets = 0
    with path.open("rb") as file:
        for item in read_capture(file, path.name):
            if isinstance(item, Packet):
                assert_same(item.interface.linktype, item.data, item.wire_length)
                packets += 1
    assert packets
