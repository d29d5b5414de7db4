"""Header text as people wrote it: RFC 2047 encoded words, whole, split, broken, and raw eight-bit text.

Japanese mailers split a character between two words, leave out padding, encode inside quotes, or write
raw ISO-2022-JP. Words of one charset that follow each other are joined as bytes before they are decoded,
which heals the first; the rest is tolerance. Every step is linear in the length of the header.
"""

from __future__ import annotations

import binascii
import re
from typing import TYPE_CHECKING

from sanitizers.mail.charset import Confidence, decode_text

if TYPE_CHECKING:
    from sanitizers.mail.limits import Ledger

_WORD = re.compile(rb"=\?([^?\s=]{1,60})\?([BbQq])\?([^?]*)\?=")
_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/]")
_UNDERSCORE = bytes.maketrans(b"_", b" ")


def decode_words(untrusted: bytes, ledger: Ledger, where: str) -> str:
    """Return the text of a header value; `where` names it in the charset record. Nothing is cleaned yet."""
    if untrusted.isascii() and b"=?" not in untrusted and b"\x1b" not in untrusted:
        return untrusted.decode("ascii")
    out: list[str] = []
    charset, run, end = "", b"", 0
    for match in _WORD.finditer(untrusted):
        between = untrusted[end : match.start()]
        label = match[1].decode("latin-1").lower().partition("*")[0]  # RFC 2231 section 5: charset*language
        if between.strip() or not end or label != charset:
            out.append(_text(run, charset, ledger, where) if run else "")
            # RFC 2047 section 6.2: white space between two encoded words is not part of the text.
            out.append(_text(between, "", ledger, where) if between.strip() or not end else "")
            run = b""
        charset, run, end = label, run + _payload(match), match.end()
    out.append(_text(run, charset, ledger, where) if run else "")
    out.append(_text(untrusted[end:], "", ledger, where))
    return "".join(out)


def decode_base64(untrusted: bytes) -> bytes:
    """Return what the base64 letters say, whatever stands between them; a torn last group is dropped."""
    letters = _NOT_BASE64.sub(b"", untrusted)
    usable = len(letters) - (len(letters) % 4 == 1)
    return binascii.a2b_base64(letters[:usable] + b"=" * (-usable % 4))


def _payload(match: re.Match[bytes]) -> bytes:
    if match[2] in b"Bb":
        return decode_base64(match[3])
    return binascii.a2b_qp(match[3].translate(_UNDERSCORE))


def _text(untrusted: bytes, charset: str, ledger: Ledger, where: str) -> str:
    if not untrusted:
        return ""
    decoded = decode_text(untrusted, charset)
    if decoded.confidence is not Confidence.DECLARED:
        ledger.record_charset(where, charset, decoded)
    return decoded.text
