"""Header fields written anew: printable ASCII, folded, with no way for a value to start a new line."""

from __future__ import annotations

import binascii
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_LINE = 76
_WORD_BYTES = 45  # 60 letters of base64 and the 12 of `=?utf-8?B??=`: below the 75 of RFC 2047 section 2
_PLAIN = re.compile(r"[\x21-\x7e]{1,70}(?: [\x21-\x7e]{1,70})*", re.ASCII)
_PHRASE = re.compile(r"[A-Za-z0-9 !#$%&'*+/=?^_`{|}~.,:;@()\[\]<>\-]{1,70}", re.ASCII)


def field(name: str, tokens: Iterable[str]) -> bytes:
    """Return one header field with its CRLF, folded before 76 columns where a token allows it.

    Raises:
        ValueError: a token holds anything but printable ASCII. Then the caller has a bug.
    """
    lines, line = [], f"{name}:"
    for token in tokens:
        if not token or not token.isascii() or not token.isprintable():
            raise ValueError(f"not a header token: {token!r}")
        if len(line) + 1 + len(token) > _LINE and not line.endswith(":"):
            lines.append(line)
            line = ""
        line += " " + token
    return "\r\n".join([*lines, line]).encode("ascii") + b"\r\n"


def text_tokens(text: str) -> list[str]:
    """Return unstructured text as tokens: as it is if it is plain ASCII, else as encoded words (RFC 2047)."""
    if not text:
        return []
    if _PLAIN.fullmatch(text) and "=?" not in text:
        return text.split(" ")
    return encoded_words(text)


def phrase_tokens(name: str) -> list[str]:
    """Return a display name as tokens: a quoted string, or encoded words."""
    if not name:
        return []
    if _PHRASE.fullmatch(name) and "=?" not in name:
        return [f'"{name}"']
    return encoded_words(name)


def encoded_words(text: str) -> list[str]:
    """Return the text as UTF-8 encoded words; no character is split between two of them."""
    out, piece = [], b""
    for character in text:
        raw = character.encode()
        if len(piece) + len(raw) > _WORD_BYTES:
            out.append(_word(piece))
            piece = b""
        piece += raw
    return [*out, _word(piece)]


def _word(piece: bytes) -> str:
    return f"=?utf-8?B?{binascii.b2a_base64(piece, newline=False).decode('ascii')}?="
