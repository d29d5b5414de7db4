"""One mail's bytes to a tree of parts: limits first, then the standard parser, then what its reading means.

The parser is `email` with `policy.compat32` and nothing else: the newer policies take over 20 s or raise on
hostile headers. It is asked for structure only. Values, charsets and transfer encodings are read by our
own code, since the library's would look up any codec a mail names.

Where readers of mail are known to disagree (two Content-Types, a comment in a header's name, a boundary
used twice), the mail is refused: what one reader shows and another hides is how filters are passed.
"""

from __future__ import annotations

import binascii
import re
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesParser
from email.policy import compat32
from typing import TYPE_CHECKING, Any

from sanitizers.mail.parameters import Parameterised, media_type, parse_parameterised
from sanitizers.mail.words import decode_base64
from zones.errors import LimitExceeded, Unreadable

if TYPE_CHECKING:
    from sanitizers.mail.limits import Ledger

    _Message = Message[Any, Any]
else:
    _Message = Message  # generic for the type checker only

RawHeaders = tuple[tuple[str, bytes], ...]
"""Names in lower case, values unfolded."""

_BLANK_LINE = re.compile(rb"\n\r?\n|\r\r|\A\r?\n")
_SINGLE = frozenset({"content-type", "content-transfer-encoding", "content-disposition", "from", "sender"})
# Header names some readers understand and others do not: `Content-Type : …`, `Content-Type (x): …`.
_ODD_NAME = re.compile(r"\A\s*content-[a-z-]{3,25}[ \t(][^:\r\n]{0,200}:", re.IGNORECASE)
_REFUSED_DEFECTS = {
    "NoBoundaryInMultipartDefect": "mail-malformed-structure",
    "StartBoundaryNotFoundDefect": "mail-malformed-structure",
    "MultipartInvariantViolationDefect": "mail-malformed-structure",
}
_PLAIN_ENCODINGS = frozenset(
    {"", "7bit", "8bit", "binary", "7-bit", "8-bit", "7bits", "8bits", "7 bit", "8 bit", "none"}
)
_UU_ENCODINGS = frozenset({"x-uuencode", "uuencode", "uue", "x-uue"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """One entity: its headers as bytes, its decoded content or its children, never both."""

    media_type: str
    content_type: Parameterised
    disposition: Parameterised
    headers: RawHeaders
    content: bytes
    children: tuple[Part, ...]
    is_decoded: bool = True

    def header(self, name: str) -> bytes:
        """Return the first value of a header (name in lower case), unfolded; empty if there is none."""
        return next((value for key, value in self.headers if key == name), b"")

    def names(self) -> tuple[str, ...]:
        """Return every distinct reading of the file name."""
        found = self.disposition.readings.get("filename", ()) + self.content_type.readings.get("name", ())
        return tuple(dict.fromkeys(name for name in found if name.strip()))


def read_mail(untrusted: bytes, ledger: Ledger) -> Part:
    """Return the mail as a tree of parts.

    Raises:
        LimitExceeded: a limit of `MailLimits`, most of them before anything is parsed.
        Unreadable: malformed or ambiguous structure.
    """
    check_before_parsing(untrusted, ledger)
    return _part(_parse(untrusted, ledger), b"", (), ledger)


def check_before_parsing(untrusted: bytes, ledger: Ledger) -> None:
    """Count size, header lines and header block of the mail itself.

    Raises:
        LimitExceeded: one of them is too large.
    """
    ledger.require("max_bytes", len(untrusted))
    limit = ledger.limits.max_header_bytes
    blank = _BLANK_LINE.search(untrusted, 0, limit + 4)
    block = untrusted[: blank.start() if blank else limit + 1]
    ledger.require("max_header_bytes", len(block))
    _check_lines(block, ledger)


def _check_lines(block: bytes, ledger: Ledger) -> None:
    ledger.require("max_header_line_bytes", max(map(len, re.split(rb"[\r\n]", block))))


def _parse(untrusted: bytes, ledger: Ledger) -> Message[Any, Any]:
    class Counted(_Message):
        """A part that counts itself as it is made: 100,000 of them are never built."""

        depth = 0

        def attach(self, payload: Any) -> None:
            ledger.spend("max_parts")
            payload.depth = self.depth + 1
            ledger.require("max_depth", payload.depth)
            super().attach(payload)

    try:
        return BytesParser(_class=Counted, policy=compat32).parsebytes(untrusted)
    except LimitExceeded:
        raise
    except Exception as error:
        # The library has let RecursionError, ValueError, IndexError and others through on hostile input.
        raise Unreadable("mail-unreadable", detail=type(error).__name__) from error


def _part(message: _Message, inherited: bytes, boundaries: tuple[str, ...], ledger: Ledger) -> Part:
    headers = _headers(message, ledger)
    content_type = parse_parameterised(_first(headers, "content-type") or inherited, ledger, "content-type")
    kind = _media_type(content_type, ledger)
    _refuse_defects(message, content_type, ledger)
    if kind.startswith("multipart/"):
        boundaries = _with_own_boundary(message, content_type, boundaries)
    children: tuple[Part, ...] = ()
    content, is_decoded = b"", True
    if message.is_multipart():
        _refuse_ambiguous_container(kind, headers, ledger)
        if kind.startswith("multipart/") and (message.epilogue or "").strip():
            ledger.note("mail-note-epilogue")
        children = _children(message, content_type, boundaries, ledger)
    else:
        content, is_decoded = _content(message, headers, ledger)
        if kind.startswith("multipart/") and content.strip():
            raise Unreadable("mail-malformed-structure", detail=kind)
    return Part(
        media_type=kind,
        content_type=content_type,
        disposition=parse_parameterised(_first(headers, "content-disposition"), ledger, "disposition"),
        headers=headers,
        content=content,
        children=children,
        is_decoded=is_decoded,
    )


def _refuse_ambiguous_container(kind: str, headers: RawHeaders, ledger: Ledger) -> None:
    if not kind.startswith(("multipart/", "message/")):
        raise Unreadable("mail-conflicting-structure", detail=kind)
    encoding = _encoding(headers)
    if encoding in _PLAIN_ENCODINGS:
        return
    # RFC 2045 section 6.4 forbids it; some readers decode, some do not, and see different parts.
    if encoding != "quoted-printable":
        raise Unreadable("mail-conflicting-structure", detail=f"{kind} {encoding}")
    ledger.note("mail-note-encoded-multipart")


def _children(
    message: _Message, content_type: Parameterised, boundaries: tuple[str, ...], ledger: Ledger
) -> tuple[Part, ...]:
    inherited = b"message/rfc822" if content_type.value == "multipart/digest" else b""
    parts = (child for child in message.get_payload() if isinstance(child, Message))
    return tuple(_part(part, inherited, boundaries, ledger) for part in parts)


def _with_own_boundary(
    message: _Message, content_type: Parameterised, boundaries: tuple[str, ...]
) -> tuple[str, ...]:
    """Refuse a boundary that an outer container uses too, or that the library reads differently."""
    boundary = content_type.first("boundary").rstrip()
    if any(_collide(boundary, outer) for outer in boundaries) or boundary != _library_boundary(message):
        raise Unreadable("mail-conflicting-structure", detail="boundary")
    return (*boundaries, boundary)


def _collide(inner: str, outer: str) -> bool:
    # The end of `a` is the line `--a--`, which is also where parts of `a--` begin.
    return inner == outer or inner.startswith(f"{outer}--") or outer.startswith(f"{inner}--")


def _library_boundary(message: _Message) -> str:
    try:
        return message.get_boundary("")
    except (ValueError, LookupError, TypeError, AttributeError):
        return ""


def _headers(message: _Message, ledger: Ledger) -> RawHeaders:
    raw: list[tuple[str, bytes]] = []
    block = 0
    for name, value in message.raw_items():
        encoded = str(value).encode("ascii", "surrogateescape")
        block += len(name) + len(encoded) + 4
        _check_lines(encoded, ledger)
        raw.append((name.lower(), b" ".join(encoded.split(b"\n")).replace(b"\r", b" ").strip()))
    ledger.require("max_header_fields", len(raw))
    ledger.require("max_header_bytes", block)
    for name in _SINGLE:
        if len({value for key, value in raw if key == name}) > 1:
            raise Unreadable("mail-conflicting-headers", detail=name)
    return tuple(raw)


def _first(headers: RawHeaders, name: str) -> bytes:
    return next((value for key, value in headers if key == name), b"")


def _media_type(content_type: Parameterised, ledger: Ledger) -> str:
    if not content_type.value:
        return "text/plain"  # RFC 2045 section 5.2
    kind = media_type(content_type.value)
    if not kind:
        ledger.note("mail-note-bad-content-type")
    return kind or "text/plain"


def _refuse_defects(message: _Message, content_type: Parameterised, ledger: Ledger) -> None:
    for defect in message.defects:
        name = type(defect).__name__
        if name in _REFUSED_DEFECTS and not _is_empty(message):
            raise Unreadable(_REFUSED_DEFECTS[name], detail=name)
        if name == "MissingHeaderBodySeparatorDefect" and _ODD_NAME.match(_beginning(message)):
            raise Unreadable("mail-conflicting-headers", detail="header name")
        if name == "CloseBoundaryNotFoundDefect":
            ledger.note("mail-note-truncated")
    if len(content_type.readings.get("boundary", ())) > 1:
        raise Unreadable("mail-conflicting-headers", detail="boundary")


def _raw(message: _Message) -> bytes:
    # With a transfer encoding still set, `decode` would apply the library's own idea of it.
    del message["content-transfer-encoding"]
    payload = message.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""


def _is_empty(message: _Message) -> bool:
    return not message.is_multipart() and not _raw(message).strip()


def _beginning(message: _Message) -> str:
    while message.is_multipart():
        preamble = message.preamble
        if preamble:
            return preamble[:400]
        payload: Any = message.get_payload()
        if not payload:
            return ""
        message = payload[0]
    return _raw(message)[:400].decode("latin-1")


def _encoding(headers: RawHeaders) -> str:
    return _first(headers, "content-transfer-encoding").decode("latin-1").partition(";")[0].strip().lower()


def _content(message: _Message, headers: RawHeaders, ledger: Ledger) -> tuple[bytes, bool]:
    """Return the content and whether its transfer encoding was one we know."""
    encoding = _encoding(headers)
    raw = _raw(message)
    if encoding in _PLAIN_ENCODINGS:
        return raw, True
    if encoding == "base64":
        return decode_base64(raw), True
    if encoding in {"quoted-printable", "quotedprintable"}:
        return binascii.a2b_qp(raw), True
    if encoding in _UU_ENCODINGS:
        return raw, True  # text in which the file stands; taken out where text is read
    ledger.note("mail-note-unknown-encoding", 1, encoding[:40])
    return raw, False
