"""Files written into running text: uuencode and yEnc, taken out and listed like any attachment."""

from __future__ import annotations

import binascii
import hashlib
import re
from typing import TYPE_CHECKING

from sanitizers.artefact import Removed
from sanitizers.mail.clean import clean_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sanitizers.mail.limits import Ledger

_UU_BEGIN = re.compile(r"begin(?:-base64)? [0-7]{3,4} (.{1,200})")
_YENC_BEGIN = re.compile(r"=ybegin .*?name=(.{1,200})")
MAX_NAME_CHARACTERS = 120


def take_embedded_files(text: str, ledger: Ledger) -> str:
    """Return the text without uuencoded and yEnc files; each is listed, one without an end too."""
    if "begin " not in text and "begin-base64 " not in text:
        return text
    out: list[str] = []
    lines = iter(text.split("\n"))
    for line in lines:
        if match := _UU_BEGIN.fullmatch(line):
            _list_file("uuencode", match[1], _uu_bytes(lines), ledger)
        elif match := _YENC_BEGIN.fullmatch(line):
            _list_file("yenc", match[1], _until(lines, "=yend"), ledger)
        else:
            out.append(line)
            continue
        out.append(ledger.voice.mark("mail-mark-embedded"))
    return "\n".join(out)


def _until(lines: Iterator[str], end: str) -> bytes:
    taken = []
    for line in lines:
        if line.startswith(end):
            break
        taken.append(line)
    return "\n".join(taken).encode("utf-8", "replace")


def _uu_bytes(lines: Iterator[str]) -> bytes:
    out = bytearray()
    for line in _until(lines, "end").split(b"\n"):
        try:
            out += binascii.a2b_uu(line)
        except binascii.Error:
            out += line  # counted and hashed as it stands: it goes nowhere
    return bytes(out)


def _list_file(kind: str, name: str, content: bytes, ledger: Ledger) -> None:
    ledger.remove(
        Removed(
            kind=kind,
            name=clean_line(name, ledger, MAX_NAME_CHARACTERS),
            size_bytes=len(content),
            sha256=hashlib.sha256(content).hexdigest(),
            reason="mail-removed-embedded",
        )
    )
