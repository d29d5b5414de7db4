"""The second gate: is this really nothing but a mail of our own making?

Shares no code with the writer and reads no MIME: the output has one fixed shape, and every byte of it is
accounted for by a pattern. It runs on the trusted side, on what a worker that read hostile bytes sent back.
"""

from __future__ import annotations

import binascii
import re

_MAX_LINE = 998
_FIELD = re.compile(rb"([A-Za-z-]{1,40}): ([\x20-\x7e]+(?:\r\n [\x20-\x7e]+)*)")
_WORD = r"=\?utf-8\?B\?[A-Za-z0-9+/]{2,60}={0,2}\?="
_PLAIN = r"(?:(?!=\?)[\x21-\x7e])+"
_DOT_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
_LOCAL = rf"(?:{_DOT_ATOM}|\"[A-Za-z0-9!#$%&'*+/=?^_`{{|}}~.-]{{1,64}}\")"
_DOMAIN = r"(?:[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,251}[A-Za-z0-9_])?|\[[0-9A-Za-z:.]{3,60}\])"
_SPEC = rf"{_LOCAL}@{_DOMAIN}"
_NAME = rf"(?:\"[^\"\\]{{1,70}}\"|{_WORD}(?: {_WORD})*)"
_MAILBOX = rf"(?:{_SPEC}|{_NAME} <{_SPEC}>)"
_MAILBOXES = re.compile(rf"{_MAILBOX}(?:, {_MAILBOX})*", re.ASCII)
_IDENTIFIER = r"<[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+@[A-Za-z0-9._:\[\]-]+>"
_DATE = re.compile(
    r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4}"
    r" \d\d:\d\d:\d\d [+-]\d{4}",
    re.ASCII,
)
# The fields that may exist, each with all it may say; those marked True must be there.
_GRAMMAR: dict[str, tuple[re.Pattern[str], bool]] = {
    "Date": (_DATE, True),
    "From": (_MAILBOXES, True),
    "Reply-To": (_MAILBOXES, False),
    "To": (_MAILBOXES, False),
    "Cc": (_MAILBOXES, False),
    "Subject": (re.compile(rf"{_PLAIN}(?: {_PLAIN})*|{_WORD}(?: {_WORD})*"), False),
    "Message-ID": (re.compile(_IDENTIFIER), True),
    "In-Reply-To": (re.compile(_IDENTIFIER), False),
    "References": (re.compile(rf"{_IDENTIFIER}(?: {_IDENTIFIER})*"), False),
    "Auto-Submitted": (re.compile("auto-generated|auto-replied|auto-notified"), False),
    "MIME-Version": (re.compile(r"1\.0"), True),
    "Content-Type": (re.compile("text/plain; charset=utf-8"), True),
    "Content-Transfer-Encoding": (re.compile("base64"), True),
    "X-Masugata-Provenance": (re.compile(r"[A-Za-z0-9._:-]{1,100}", re.ASCII), True),
}
_BASE64_LINES = re.compile(rb"(?:[A-Za-z0-9+/]{76}\r\n)*(?:[A-Za-z0-9+/]{2,75}={0,2}\r\n)?")
# C0 but tab and LF, DEL, C1; directional controls; separators, zero width, tags, non-characters.
_FORBIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufffe\uffff"
    "\U000e0000-\U000e00ff]"
)
_TITLE = re.compile(r"^〘(?:枡形|masugata) [^〙\n]*〙$", re.MULTILINE)
_ENCODED = re.compile(_WORD)


class Unverified(ValueError):
    """The output is not what a sanitized mail must be; the text says in what."""


def verify_mail(output: bytes) -> str:
    """Return the text of a sanitized mail (LF line ends) after checking every byte of it.

    Raises:
        Unverified: anything in it that the writer would not have written.
    """
    head, separator, body = output.partition(b"\r\n\r\n")
    if not separator:
        raise Unverified("no body")
    _check_fields(head)
    text = _decoded(body)
    _check_text(text)
    return text


def _check_fields(head: bytes) -> None:
    if any(len(line) > _MAX_LINE for line in head.split(b"\r\n")):
        raise Unverified("long header line")
    found: dict[str, str] = {}
    at = 0
    while at < len(head):
        match = _FIELD.match(head, at)
        if match is None or head[match.end() : match.end() + 2] not in {b"", b"\r\n"}:
            raise Unverified("header syntax")
        name = match[1].decode("ascii")
        if name in found or name not in _GRAMMAR:
            raise Unverified(f"field {name}")
        found[name] = match[2].decode("ascii").replace("\r\n ", " ")
        at = match.end() + 2
    for name, (pattern, is_required) in _GRAMMAR.items():
        if name not in found:
            if is_required:
                raise Unverified(f"no {name}")
        elif not pattern.fullmatch(found[name]):
            raise Unverified(f"value of {name}")
        else:
            _check_words(found[name], name)


def _check_words(value: str, name: str) -> None:
    for word in _ENCODED.findall(value):
        try:
            text = binascii.a2b_base64(word[10:-2], strict_mode=True).decode("utf-8")
        except ValueError as error:
            raise Unverified(f"encoded word in {name}") from error
        if _FORBIDDEN.search(text) or "\n" in text or "\t" in text:
            raise Unverified(f"characters in {name}")


def _decoded(body: bytes) -> str:
    if not _BASE64_LINES.fullmatch(body):
        raise Unverified("body is not base64 lines")
    letters = body.replace(b"\r\n", b"")
    try:
        raw = binascii.a2b_base64(letters, strict_mode=True)
        text = raw.decode("utf-8")
    except ValueError as error:
        raise Unverified("body encoding") from error
    if binascii.b2a_base64(raw, newline=False) != letters:
        # Spare bits in the last group are a place to hide something.
        raise Unverified("base64 is not canonical")
    plain = text.replace("\r\n", "\n")
    if plain.replace("\n", "\r\n") != text:
        raise Unverified("bare line end in the text")
    return plain


def _check_text(text: str) -> None:
    if match := _FORBIDDEN.search(text):
        raise Unverified(f"character U+{ord(match[0]):04X}")
    if "://" in text:
        raise Unverified("live link")
    if any(len(line.encode()) > _MAX_LINE for line in text.split("\n") if len(line) * 4 > _MAX_LINE):
        raise Unverified("long line")
    if len(_TITLE.findall(text)) != 1:
        raise Unverified("footer")


def verify(output: bytes) -> None:
    """Check a sanitized mail.

    Raises:
        Unverified: as `verify_mail`.
    """
    verify_mail(output)
