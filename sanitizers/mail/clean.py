"""Untrusted characters to plain ones: no controls, nothing invisible, nothing that turns the line around.

〘 and 〙 are ours: every remark the gateway writes into a body stands between them, and they are replaced
wherever the input uses them. So a remark in the output is always one of ours, whatever a mail says.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from sanitizers.mail.limits import Ledger

MARK_OPEN, MARK_CLOSE = "〘", "〙"
MAX_LINE_BYTES = 998  # RFC 5322 section 2.1.1, without the CRLF

_NEWLINES = re.compile("\r\n|[\r\v\f\x85\u2028\u2029]")
_BIDI = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
# Zero width and filler characters, soft hyphen, annotations, invisible operators, tag characters.
_INVISIBLE = (
    "\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u2060-\u2065\u206a-\u206f\u3164\ufeff\uffa0"
    "\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e00ff"
)
# A joiner stays where it builds one emoji or an Indic or Arabic letter; a variation selector where it
# names the form of a kanji (the 辻󠄀 and 葛󠄀 of people's names) or of an emoji.
_LOST_JOINER = "(?<![\u0600-\u07ff\u0900-\u0dff\ufe0f\U0001f000-\U0001faff\u2600-\u27bf])[\u200c\u200d]"
_LOST_SELECTOR = (
    "(?<![#*0-9\u00a9\u00ae\u2000-\u32ff\u3400-\u9fff\uf900-\ufaff\U0001f000-\U0001faff\U00020000-\U000323af])"
    "[\ufe00-\ufe0f\U000e0100-\U000e01ef]"
)
_RULES: tuple[tuple[str, re.Pattern[str], str], ...] = (
    ("mail-note-controls", re.compile("[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f]"), ""),
    ("mail-note-bidi", re.compile(f"[{_BIDI}]"), ""),
    ("mail-note-invisible", re.compile(f"[{_INVISIBLE}]|{_LOST_JOINER}|{_LOST_SELECTOR}"), ""),
    ("mail-note-unreadable-characters", re.compile("[\ud800-\udfff\ufffe\uffff]"), "\ufffd"),
    ("mail-note-marks", re.compile(f"{MARK_OPEN}"), "〔"),
    ("mail-note-marks", re.compile(f"{MARK_CLOSE}"), "〕"),
)
# The words of our footer and remarks, however they are spaced, widened or cased.
_IMITATION = re.compile("無害化の記録|sanitizationrecord|枡形:|枡形〕|masugata:")
_OUR_REMARK = re.compile(f"{MARK_OPEN}[^{MARK_CLOSE}\n]*{MARK_CLOSE}")
_MAX_IMITATION_LOOK = 400


def clean_text(untrusted: str, ledger: Ledger) -> str:
    """Return lines ending in LF, without control, directional or invisible characters; all are counted."""
    text = _NEWLINES.sub("\n", untrusted)
    for code, pattern, plain in _RULES[:1] if text.isascii() else _RULES:
        text, count = pattern.subn(plain, text)
        ledger.note(code, count)
    return text


def clean_line(untrusted: str, ledger: Ledger, max_characters: int) -> str:
    """Return one line: line ends and tabs become spaces; longer text is cut and ends in `…`."""
    line = " ".join(clean_text(untrusted, ledger).split())
    if len(line) <= max_characters:
        return line
    ledger.note("mail-note-shortened")
    return line[: max_characters - 1] + "…"


def quote_imitations(text: str, ledger: Ledger) -> str:
    """Return the text with every line that reads like our footer or remarks marked as quoted.

    What stands between our own marks is ours: `clean_text` leaves no such marks from outside.
    """
    if not _IMITATION.search(_plain_form(_OUR_REMARK.sub("", text))):
        return text
    lines = text.split("\n")
    for at, line in enumerate(lines):
        if line.startswith(">"):
            continue  # quoted already, by whoever wrote it
        if _IMITATION.search(_plain_form(_OUR_REMARK.sub("", line)[:_MAX_IMITATION_LOOK])):
            lines[at] = "> " + line
            ledger.note("mail-note-imitation")
    return "\n".join(lines)


def limit_lines(text: str, ledger: Ledger) -> str:
    """Return the text with every line at most 998 bytes of UTF-8, broken at a space where there is one."""
    if len(text) * 3 <= MAX_LINE_BYTES:
        return text
    return _each_long_line(text, lambda line: "\n".join(_pieces(line)), ledger)


def _plain_form(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", text).casefold().split())


def _each_long_line(text: str, rewrite: Callable[[str], str], ledger: Ledger) -> str:
    lines = text.split("\n")
    for at, line in enumerate(lines):
        if len(line) * 4 > MAX_LINE_BYTES and len(line.encode()) > MAX_LINE_BYTES:
            lines[at] = rewrite(line)
            ledger.note("mail-note-long-lines")
    return "\n".join(lines)


def _pieces(line: str) -> list[str]:
    out = []
    raw = line.encode()
    start = 0
    while len(raw) - start > MAX_LINE_BYTES:
        end = start + MAX_LINE_BYTES
        while raw[end] & 0xC0 == 0x80:  # not in the middle of a character
            end -= 1
        space = raw.rfind(b" ", start + MAX_LINE_BYTES // 2, end)
        end = space + 1 if space >= 0 else end
        out.append(raw[start:end].decode())
        start = end
    out.append(raw[start:].decode())
    return out
