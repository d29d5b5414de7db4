"""Decode ISO-2022-JP and EUC-JP the way Japanese mail is written, not the way the standard codecs read it.

The codecs of the standard library lack cp50220, cp51932 and eucJP-ms: NEC row 13 (①㈱) and the IBM
extensions fail in every `iso-2022-jp*`. The double-byte code itself is the one of cp932, so one table of
8,836 places, filled through cp932, serves both. Runs of pairs are read as UTF-16 code units and mapped by
`str.translate`, which keeps a megabyte of text under a tenth of a second.
"""

from __future__ import annotations

import re
from functools import cache

REPLACEMENT = "\ufffd"

# Escape sequences that select a character set (ISO 2022; RFC 1468, RFC 2237, JIS X 0213).
_ESCAPE = re.compile(rb"\x1b(\$\([@BDOPQ]|\$[@B]|\([BJHI])")
_PAIRS = re.compile(
    rb"(?P<pairs>(?:[\x21-\x7e][\x21-\x7e])+)|(?P<control>[\x00-\x20\x7f]+)|(?P<odd>.)", re.DOTALL
)
_LINE_END = re.compile(rb"[\r\n]")
_EUC = re.compile(
    rb"(?P<pairs>(?:[\xa1-\xfe][\xa1-\xfe])+)"
    rb"|(?P<ascii>[\x00-\x7f]+)"
    rb"|\x8e(?P<kana>[\xa1-\xdf])"
    rb"|(?P<jisx0212>\x8f[\xa1-\xfe][\xa1-\xfe])"
    rb"|(?P<odd>.)",
    re.DOTALL,
)
_TO_7_BIT = bytes(byte & 0x7F for byte in range(256))
_TO_8_BIT = bytes(byte | 0x80 for byte in range(256))
_JISX0208 = frozenset({b"$@", b"$B", b"$(@", b"$(B"})
_ASCII = frozenset({b"(B", b"(J", b"(H"})


class _Places(dict[int, str]):
    def __missing__(self, key: int) -> str:
        return REPLACEMENT


@cache
def places() -> dict[int, str]:
    """Return the character at each place of JIS X 0208, NEC and IBM rows included.

    A place is `(row + 0x20) << 8 | (cell + 0x20)`; an empty one gives U+FFFD.
    """
    table = _Places()
    for high in range(0x21, 0x7F):
        for low in range(0x21, 0x7F):
            lead = (high - 0x21) // 2 + (0x81 if high < 0x5F else 0xC1)
            trail = low + (0x1F if low < 0x60 else 0x20) if high % 2 else low + 0x7E
            try:
                table[high << 8 | low] = bytes((lead, trail)).decode("cp932")
            except UnicodeDecodeError:
                continue
    return table


@cache
def level_one() -> frozenset[str]:
    """Return the kanji of JIS level 1 (rows 16 to 47): those everyday text is written with."""
    return frozenset(text for place, text in places().items() if 0x30 <= place >> 8 <= 0x4F)


def decode_iso2022jp(untrusted: bytes) -> str:
    """Return the text; what has no reading becomes U+FFFD, unknown escapes stay as they are.

    A line end returns to ASCII (RFC 1468), so one lost escape costs one line. Eight-bit bytes outside the
    double-byte runs are read as cp932: half-width kana and Shift_JIS are often mixed in.
    """
    pieces = _ESCAPE.split(untrusted)
    out = [_single_bytes(pieces[0])]
    for escape, run in zip(pieces[1::2], pieces[2::2], strict=True):
        out.append(_designated(escape, run))
    return "".join(out)


def decode_eucjp(untrusted: bytes) -> str:
    """Return the text of EUC-JP, eucJP-ms or CP51932; what has no reading becomes U+FFFD."""
    return "".join(_euc_run(match) for match in _EUC.finditer(untrusted))


def _designated(escape: bytes, run: bytes) -> str:
    if escape in _ASCII:
        return _single_bytes(run)
    end = _LINE_END.search(run)
    head, tail = (run[: end.start()], run[end.start() :]) if end else (run, b"")
    if escape == b"(I":
        return _kana(head) + _single_bytes(tail)
    if escape in _JISX0208:
        return "".join(_pair_run(match) for match in _PAIRS.finditer(head)) + _single_bytes(tail)
    if escape == b"$(D":
        return "".join(_jisx0212_run(match) for match in _PAIRS.finditer(head)) + _single_bytes(tail)
    return (b"\x1b" + escape + head + b"\x1b(B").decode("iso2022_jp_2004", "replace") + _single_bytes(tail)


def _single_bytes(run: bytes) -> str:
    # SO and SI shift to half-width kana in old seven-bit mail (JIS X 0201).
    if b"\x0e" not in run:
        return run.decode("cp932", "replace")
    plain, *shifted = run.split(b"\x0e")
    out = [plain.decode("cp932", "replace")]
    for piece in shifted:
        kana, _, rest = piece.partition(b"\x0f")
        out += [_kana(kana), rest.replace(b"\x0f", b"").decode("cp932", "replace")]
    return "".join(out)


def _kana(run: bytes) -> str:
    return "".join(
        bytes((byte | 0x80,)).decode("cp932", "replace") if 0x21 <= byte & 0x7F <= 0x5F else chr(byte & 0x7F)
        for byte in run
    )


def _mapped(pairs: bytes) -> str:
    return pairs.decode("utf-16-be").translate(places())


def _pair_run(match: re.Match[bytes]) -> str:
    if match.lastgroup == "pairs":
        return _mapped(match[0])
    return match[0].decode("ascii") if match.lastgroup == "control" else REPLACEMENT


def _jisx0212_run(match: re.Match[bytes]) -> str:
    if match.lastgroup != "pairs":
        return _pair_run(match)
    high = match[0].translate(_TO_8_BIT)
    wrapped = b"".join(b"\x8f" + high[at : at + 2] for at in range(0, len(high), 2))
    return wrapped.decode("euc_jp", "replace")


def _euc_run(match: re.Match[bytes]) -> str:
    kind = match.lastgroup
    if kind == "pairs":
        return _mapped(match[0].translate(_TO_7_BIT))
    if kind == "ascii":
        return match[0].decode("ascii")
    if kind == "kana":
        return match["kana"].decode("cp932")
    if kind == "jisx0212":
        return match[0].decode("euc_jp", "replace")
    return REPLACEMENT
