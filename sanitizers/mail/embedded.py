"""Files written into running text: uuencode and yEnc, taken out and listed like any attachment.

Only what has the form of one is taken: a sentence that begins with `begin 644` stays a sentence, and a file
that breaks off ends where its lines do, so no text after it is lost.
"""

from __future__ import annotations

import binascii
import hashlib
import re
from typing import TYPE_CHECKING

from sanitizers.artefact import Removed
from sanitizers.mail.clean import clean_line
from sanitizers.mail.words import decode_base64

if TYPE_CHECKING:
    from sanitizers.mail.limits import Ledger

MAX_NAME_CHARACTERS = 120
_BEGIN = re.compile(r"(begin|begin-base64) [0-7]{3,4} (.{1,200})|(=ybegin) .{0,200}?name=(.{1,200})")
_BASE64_LINE = re.compile(r"[A-Za-z0-9+/]{4,76}={0,2}")


def take_embedded_files(text: str, ledger: Ledger) -> str:
    """Return the text without uuencoded and yEnc files; each leaves a remark and is listed."""
    if "begin" not in text:
        return text
    out: list[str] = []
    lines = text.split("\n")
    at = 0
    while at < len(lines):
        match = _BEGIN.fullmatch(lines[at])
        end = _END[match[1] or match[3]](lines, at + 1) if match else 0
        if match is None or end == at + 1:
            out.append(lines[at])
            at += 1
            continue
        kind = match[1] or match[3]
        _list_file(kind.strip("="), match[2] or match[4], _content(kind, lines[at + 1 : end]), ledger)
        out.append(ledger.voice.mark("mail-mark-embedded"))
        at = end + (end < len(lines) and lines[end].startswith(("end", "====", "=yend")))
    return "\n".join(out)


def _uu_end(lines: list[str], at: int) -> int:
    while at < len(lines) and _is_uu_line(lines[at]):
        at += 1
    return at


def _is_uu_line(line: str) -> bool:
    # The first character counts the bytes of the line; encoders differ in how they pad the last group.
    if not line.isascii() or not line or line == "end":
        return False
    letters = -(-((ord(line[0]) - 32) & 63) * 4 // 3)
    return (
        letters <= len(line) - 1 + 3
        and len(line) - 1 <= letters + 5
        and min(line) >= " "
        and max(line) <= "`"
    )


def _base64_end(lines: list[str], at: int) -> int:
    while at < len(lines) and _BASE64_LINE.fullmatch(lines[at]):
        at += 1
    return at


def _yenc_end(lines: list[str], at: int) -> int:
    ends = (number for number in range(at, len(lines)) if lines[number].startswith("=yend"))
    return next(ends, at)


_END = {"begin": _uu_end, "begin-base64": _base64_end, "=ybegin": _yenc_end}


def _content(kind: str, lines: list[str]) -> bytes:
    if kind == "begin":
        return b"".join(map(_uu_bytes, lines))
    raw = "\n".join(lines).encode("utf-8", "replace")
    return decode_base64(raw) if kind == "begin-base64" else raw


def _uu_bytes(line: str) -> bytes:
    try:
        return binascii.a2b_uu(line.encode())
    except binascii.Error:
        return line.encode()  # counted and hashed as it stands: it goes nowhere


def _list_file(kind: str, name: str, content: bytes, ledger: Ledger) -> None:
    ledger.remove(
        Removed(
            kind="uuencode" if kind == "begin" else kind,
            name=clean_line(name, ledger, MAX_NAME_CHARACTERS),
            size_bytes=len(content),
            sha256=hashlib.sha256(content).hexdigest(),
            reason="mail-removed-embedded",
        )
    )
