"""Content-Type and Content-Disposition as written: value, parameters, and every spelling of a name.

Readers differ on `filename` beside `filename*0*`, on duplicates and on quotes that are half of a kanji.
So all readings are kept; whoever shows a name shows the most dangerous one and says that there were more.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

from sanitizers.mail.charset import decode_text
from sanitizers.mail.words import decode_words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sanitizers.mail.limits import Ledger

_MAX_PARAMETERS = 2_000
_MAX_SEGMENTS = 1_000
_NAME = re.compile(rb"([^=;\s]{1,100})\s*=\s*")
# name, name*, name*N, name*N* (RFC 2231 section 3 and 4)
_EXTENDED = re.compile(r"([^*]+)(?:\*([0-9]{1,4}))?(\*)?", re.ASCII)
_TOKEN = re.compile(r"[a-z0-9!#$&^_.+-]{1,127}", re.ASCII)
_JIS = re.compile(rb"\x1b\$[@B](?:(?!\x1b\().)*\x1b\([BJ]", re.DOTALL)


@dataclass(frozen=True, kw_only=True, slots=True)
class Parameterised:
    """A structured value: `readings` holds each parameter's distinct readings, the standard one first."""

    value: str
    readings: dict[str, tuple[str, ...]]

    def first(self, name: str) -> str:
        """Return the preferred reading of a parameter, or an empty string."""
        return self.readings.get(name, ("",))[0]


def parse_parameterised(untrusted: bytes, ledger: Ledger, where: str) -> Parameterised:
    """Return value and parameters of a header such as `attachment; filename=…`; never raises."""
    value, _, rest = _strip_comment(untrusted).partition(b";")
    plain: dict[str, list[str]] = {}
    segments: dict[str, dict[int, tuple[bytes, bool]]] = {}
    for raw_name, raw_value in _parameters(rest):
        match = _EXTENDED.fullmatch(raw_name)
        if match is None or (match[2] is None and match[3] is None):
            plain.setdefault(raw_name, []).append(decode_words(raw_value, ledger, where))
        elif len(pieces := segments.setdefault(match[1], {})) < _MAX_SEGMENTS:
            pieces.setdefault(int(match[2] or 0), (raw_value, match[3] is not None))
    readings = {name: [_joined(pieces)] for name, pieces in segments.items()}
    for name, values in plain.items():
        readings.setdefault(name, []).extend(values)
    distinct = {name: tuple(dict.fromkeys(values)) for name, values in readings.items()}
    return Parameterised(value=value.decode("latin-1").strip().lower(), readings=distinct)


def media_type(value: str) -> str:
    """Return `type/subtype` in lower case, or an empty string where the value is not one (RFC 2045 5.1)."""
    major, slash, minor = value.partition("/")
    if slash and _TOKEN.fullmatch(major.strip()) and _TOKEN.fullmatch(minor.strip()):
        return f"{major.strip()}/{minor.strip()}"
    return ""


def _strip_comment(untrusted: bytes) -> bytes:
    # `text/plain (a comment); charset=…`: a comment before the first parameter only, never nested.
    return re.sub(rb"^([^;(\"]*)\([^()]*\)", rb"\1", untrusted, count=1)


def _parameters(rest: bytes) -> Iterator[tuple[str, bytes]]:
    at, count = 0, 0
    while at < len(rest) and count < _MAX_PARAMETERS:
        match = _NAME.match(rest, at := _skip(rest, at))
        if match is None:
            at = _next_semicolon(rest, at)
            continue
        count += 1
        read = _quoted if rest[match.end() : match.end() + 1] == b'"' else _bare
        value, at = read(rest, match.end())
        yield match[1].decode("latin-1").lower(), value


def _skip(rest: bytes, at: int) -> int:
    while at < len(rest) and rest[at] in b"; \t\r\n":
        at += 1
    return at


def _next_semicolon(rest: bytes, at: int) -> int:
    end = rest.find(b";", at)
    return len(rest) if end < 0 else end


def _bare(rest: bytes, at: int) -> tuple[bytes, int]:
    # Names with spaces are often written without quotes: the value runs to the semicolon.
    end = at
    while end < len(rest) and rest[end : end + 1] != b";":
        jis = _JIS.match(rest, end) if rest[end] == 0x1B else None
        end = jis.end() if jis else end + 1
    return rest[at:end].strip(), end


def _quoted(rest: bytes, at: int) -> tuple[bytes, int]:
    r"""Return the value of a quoted string and where it ends.

    A `"` or `\` may be the second half of a kanji: in raw ISO-2022-JP between its escapes, in raw
    Shift_JIS (表 is 0x95 0x5C) after a lead byte.
    """
    out = bytearray()
    shift_jis = not _is_utf8(rest)
    at += 1
    while at < len(rest) and rest[at] != 0x22:
        width = _width(rest, at, shift_jis)
        if width == 1 and rest[at] == 0x5C and rest[at + 1 : at + 2] in {b'"', b"\\"}:
            at += 1
        out += rest[at : at + width]
        at += width
    return bytes(out), _next_semicolon(rest, at + 1)


def _width(rest: bytes, at: int, shift_jis: bool) -> int:
    byte = rest[at]
    if byte == 0x1B and (jis := _JIS.match(rest, at)):
        return jis.end() - at
    lead = 0x81 <= byte <= 0x9F or 0xE0 <= byte <= 0xFC
    return 2 if shift_jis and lead and at + 1 < len(rest) and rest[at + 1] >= 0x40 else 1


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _joined(pieces: dict[int, tuple[bytes, bool]]) -> str:
    """Join the numbered segments of one parameter; the first one carries charset and language."""
    charset = ""
    out = bytearray()
    for at, number in enumerate(sorted(pieces)):
        raw, extended = pieces[number]
        if extended and at == 0 and raw.count(b"'") >= 2:
            label, _, raw = raw.split(b"'", 2)
            charset = label.decode("latin-1")
        out += unquote_to_bytes(raw) if extended else raw
    return decode_text(bytes(out), charset).text
