"""The one form a mail leaves in: our header, then one text/plain in UTF-8, as base64.

Always base64, because then the grammar the verifier has to know is one line long: no dot at the start of a
line, no `From `, no bare line feed and no over-long line can reach the next mail host, and none that lacks
8BITMIME re-encodes what we verified. Text inside it has CRLF line ends (RFC 2045 section 6.8).
"""

from __future__ import annotations

import binascii
from typing import TYPE_CHECKING

from sanitizers.mail.encode import field

if TYPE_CHECKING:
    from sanitizers.mail.headers import Headers

_RAW_PER_LINE = 57  # becomes 76 letters, the longest line RFC 2045 allows
MIME_FIELDS: tuple[tuple[str, str], ...] = (
    ("MIME-Version", "1.0"),
    ("Content-Type", "text/plain; charset=utf-8"),
    ("Content-Transfer-Encoding", "base64"),
)
PROVENANCE_FIELD = "X-Masugata-Provenance"


def write_mail(headers: Headers, text: str, provenance_id: str) -> bytes:
    """Return the mail; equal arguments give equal bytes."""
    mime = [field(name, value.split(" ")) for name, value in MIME_FIELDS]
    trace = field(PROVENANCE_FIELD, [provenance_id])
    return b"".join([*headers.fields, *mime, trace, b"\r\n", encode_body(text)])


def encode_body(text: str) -> bytes:
    """Return the text with CRLF line ends as base64 lines."""
    raw = text.replace("\n", "\r\n").encode("utf-8")
    return b"".join(
        binascii.b2a_base64(raw[at : at + _RAW_PER_LINE], newline=False) + b"\r\n"
        for at in range(0, len(raw), _RAW_PER_LINE)
    )
