"""Bytes of text to characters: what was declared if it holds, what it evidently is if not.

Only codecs on this list are ever looked up. `idna`, `punycode`, `rot13` and `zlib_codec` are codecs to
Python, and quadratic, misleading or a bomb to us. UTF-7 is left out: it spells markup in ASCII that other
readers never see, so its bytes are shown as the ASCII they are.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from sanitizers.mail.jis import REPLACEMENT, decode_eucjp, decode_iso2022jp, level_one

if TYPE_CHECKING:
    from collections.abc import Callable

_SAMPLE_CHARACTERS = 4_000
_MAX_LABEL = 40


class Confidence(StrEnum):
    """How sure the reading of a text is."""

    DECLARED = "declared"  # the declared charset reads it without a fault
    DETECTED = "detected"  # it is something else, beyond reasonable doubt: escapes, valid UTF-8
    GUESSED = "guessed"  # the likeliest of several readings
    DAMAGED = "damaged"  # characters are missing from the best reading


class Decoded(NamedTuple):
    """Text, the charset that read it, and how many places could not be read."""

    text: str
    charset: str
    confidence: Confidence
    replaced: int


def _by_codec(codec: str) -> Callable[[bytes], str]:
    return lambda untrusted: untrusted.decode(codec, "replace")


_READERS: dict[str, Callable[[bytes], str]] = {
    "iso-2022-jp": decode_iso2022jp,
    "euc-jp": decode_eucjp,
    "us-ascii": _by_codec("ascii"),
    "utf-8": _by_codec("utf-8-sig"),
    "windows-31j": _by_codec("cp932"),
    "utf-16": _by_codec("utf-16"),
    "utf-16le": _by_codec("utf-16-le"),
    "utf-16be": _by_codec("utf-16-be"),
    "gb18030": _by_codec("gb18030"),
    "big5": _by_codec("cp950"),
    "euc-kr": _by_codec("cp949"),
    "iso-2022-kr": _by_codec("iso2022_kr"),
    "koi8-r": _by_codec("koi8_r"),
    "koi8-u": _by_codec("koi8_u"),
    "tis-620": _by_codec("cp874"),
    "macintosh": _by_codec("mac_roman"),
    **{f"windows-{page}": _by_codec(f"cp{page}") for page in range(1250, 1259)},
    **{f"iso-8859-{part}": _by_codec(f"iso8859-{part}") for part in (*range(2, 9), 10, 11, 13, 14, 15, 16)},
}
_ALIASES: dict[str, str] = {
    **dict.fromkeys(("utf8", "utf-8n", "unicode-1-1-utf-8", "cp65001", "x-utf-8"), "utf-8"),
    **dict.fromkeys(("ascii", "ansi_x3.4-1968", "iso-646-us", "us_ascii", "usascii", "7bit"), "us-ascii"),
    **dict.fromkeys(("iso-8859-1", "iso8859-1", "latin1", "latin-1", "cp1252", "ansi"), "windows-1252"),
    **dict.fromkeys(("iso-8859-9",), "windows-1254"),
    **dict.fromkeys(
        (
            *(f"iso-2022-jp-{part}" for part in ("1", "2", "3", "2004", "ms")),
            *("iso2022jp", "iso2022-jp", "iso_2022-jp", "x-iso-2022-jp", "csiso2022jp", "jis"),
            *("cp50220", "cp50221", "cp50222"),
        ),
        "iso-2022-jp",
    ),
    **dict.fromkeys(
        (
            *("shift_jis", "shift-jis", "shiftjis", "sjis", "s-jis", "x-sjis", "x-shift-jis", "csshiftjis"),
            *("ms_kanji", "ms932", "cp932", "windows-932", "cswindows31j"),
        ),
        "windows-31j",
    ),
    **dict.fromkeys(
        ("eucjp", "euc_jp", "x-euc-jp", "x-euc", "ujis", "eucjp-ms", "cp51932", "cseucpkdfmtjapanese"),
        "euc-jp",
    ),
    **dict.fromkeys(("gb2312", "gbk", "cp936", "x-gbk", "gb_2312-80", "euc-cn", "csgb2312"), "gb18030"),
    **dict.fromkeys(("big5-hkscs", "cp950", "big5-eten", "x-big5", "csbig5"), "big5"),
    **dict.fromkeys(("ks_c_5601-1987", "cp949", "uhc", "ksc5601", "windows-949", "euckr"), "euc-kr"),
    **dict.fromkeys(("utf16", "utf-16-le"), "utf-16le"),
    **{f"cp{page}": f"windows-{page}" for page in range(1250, 1259) if page != 1252},
}
_WIDE = frozenset({"utf-16", "utf-16le", "utf-16be"})
_JIS_EVIDENCE = re.compile(rb"\x1b(?:\$[@B]|\$\([BDOPQ]|\(I)")
_DOUBLE_BYTE = frozenset({"windows-31j", "euc-jp", "gb18030", "big5", "euc-kr", "iso-2022-kr"})
_CLEAR_MARGIN = 2.5
_CANDIDATES = ("windows-31j", "euc-jp", "windows-1252")


def canonical_charset(label: str) -> str:
    """Return our name for a charset label, or an empty string for one we do not read.

    >>> canonical_charset('"X-SJIS"'), canonical_charset("zlib_codec")
    ('windows-31j', '')
    """
    name = label.strip().strip("\"'").strip().lower()[:_MAX_LABEL].partition("*")[0]
    name = _ALIASES.get(name, name)
    return name if name in _READERS else ""


def decode_text(untrusted: bytes, declared: str = "") -> Decoded:
    """Return the text of `untrusted` under the best reading; never raises.

    Order: a byte order mark; ISO-2022-JP escapes; plain ASCII; the declared charset if it reads without a
    fault; valid UTF-8; then the likeliest of the Japanese charsets and windows-1252.
    """
    charset = canonical_charset(declared)
    if untrusted.startswith(b"\xef\xbb\xbf") and _valid_utf8(untrusted):
        return _read(untrusted, "utf-8", Confidence.DECLARED if charset == "utf-8" else Confidence.DETECTED)
    if charset in _WIDE or untrusted.startswith((b"\xff\xfe", b"\xfe\xff")):
        return _decode_wide(untrusted, charset)
    if charset != "iso-2022-kr" and (charset == "iso-2022-jp" or _JIS_EVIDENCE.search(untrusted)):
        return _decode_jis(untrusted, charset)
    if untrusted.isascii() and charset != "iso-2022-kr":
        return Decoded(untrusted.decode("ascii"), charset or "us-ascii", Confidence.DECLARED, 0)
    return _decode_eight_bit(untrusted, charset)


def _read(untrusted: bytes, charset: str, confidence: Confidence) -> Decoded:
    text = _READERS[charset](untrusted)
    replaced = text.count(REPLACEMENT)
    return Decoded(text, charset, Confidence.DAMAGED if replaced else confidence, replaced)


def _decode_wide(untrusted: bytes, charset: str) -> Decoded:
    if untrusted.startswith((b"\xff\xfe", b"\xfe\xff")):
        return _read(untrusted, "utf-16", Confidence.DECLARED if charset in _WIDE else Confidence.DETECTED)
    if b"\0" not in untrusted and _valid_utf8(untrusted):
        # UTF-16 of any Western or Japanese text holds zero bytes or fails as UTF-8: the label lies.
        return _read(untrusted, "utf-8", Confidence.DETECTED)
    # RFC 2781 section 4.3: without a mark, big-endian.
    return _read(untrusted, "utf-16be" if charset == "utf-16" else charset, Confidence.DECLARED)


def _decode_jis(untrusted: bytes, charset: str) -> Decoded:
    if not _JIS_EVIDENCE.search(untrusted) and not untrusted.isascii():
        return _decode_eight_bit(untrusted, "")
    if charset == "utf-8" and not untrusted.isascii() and _valid_utf8(untrusted):
        return _read(untrusted, "utf-8", Confidence.DECLARED)
    confidence = Confidence.DECLARED if charset == "iso-2022-jp" else Confidence.DETECTED
    return _read(untrusted, "iso-2022-jp", confidence)


def _decode_eight_bit(untrusted: bytes, charset: str) -> Decoded:
    declared = _read(untrusted, charset, Confidence.DECLARED) if charset and charset != "us-ascii" else None
    if _valid_utf8(untrusted):
        confidence = Confidence.DECLARED if charset == "utf-8" else Confidence.DETECTED
        as_utf8 = _read(untrusted, "utf-8", confidence)
        if declared is None or declared.replaced or _speaks_more(as_utf8, declared):
            return as_utf8
    if declared is not None and not declared.replaced:
        return declared
    readings = [declared] if declared is not None else []
    readings += [_read(untrusted, name, Confidence.GUESSED) for name in _CANDIDATES if name != charset]
    return max(readings, key=lambda reading: _likeness(reading.text))


def _speaks_more(as_utf8: Decoded, declared: Decoded) -> bool:
    # A few bytes of Shift_JIS can be valid UTF-8 by chance: the label loses only to a far better reading.
    margin = _CLEAR_MARGIN if declared.charset in _DOUBLE_BYTE else 0.0
    return _likeness(as_utf8.text) >= _likeness(declared.text) + margin


def _valid_utf8(untrusted: bytes) -> bool:
    try:
        untrusted.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


# How much a character speaks for the reading that produced it. Wrong readings of Japanese are rich in
# half-width kana, private-use characters and rare kanji.
_POINTS: tuple[tuple[str, str, int], ...] = (
    ("\x80", "\x9f", -4),
    ("\u00c0", "\u00ff", 1),
    ("\u0100", "\u2fff", 1),
    ("\u3000", "\u30ff", 3),
    ("\u3100", "\ud7ff", 0),
    ("\ue000", "\uf8ff", -4),
    ("\uff01", "\uff5e", 2),
    ("\uff61", "\uff9f", -1),
    (REPLACEMENT, REPLACEMENT, -6),
    ("\U00010000", "\U0010ffff", 1),
)


def _points(character: str) -> int:
    if character in level_one():
        return 2
    return next((points for first, last, points in _POINTS if first <= character <= last), 0)


def _likeness(text: str) -> float:
    sample = text[: _SAMPLE_CHARACTERS * 8]
    foreign = [character for character in sample if character > "\x7f"][:_SAMPLE_CHARACTERS]
    return sum(map(_points, foreign)) / len(foreign) if foreign else 0.0


def load_codecs() -> None:
    """Load every codec on the list now: a confined worker could not open their modules later."""
    for reader in _READERS.values():
        reader(b"a")
    decode_eucjp(b"\x8f\xb0\xa1")
    decode_iso2022jp(b"\x1b$(O!!\x1b(B")
    level_one()
