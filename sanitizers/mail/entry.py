"""The mail sanitizer inside a worker."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sanitizers.artefact import Artefact
from sanitizers.mail.charset import load_codecs
from sanitizers.mail.links import other_spelling
from sanitizers.mail.options import MailOptions
from sanitizers.mail.sanitize import sanitize_mail

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sanitizers.artefact import Refusal

_SAMPLE = """\
From: =?utf-8?B?5p6h5b2i?= <masugata@example.jp>
To: a@例え.example
Subject: =?iso-2022-jp?B?GyRCS2c3QRsoQg==?=
Content-Type: multipart/mixed; boundary=a

--a
Content-Type: text/html; charset=shift_jis
Content-Transfer-Encoding: base64

PHA+PGEgaHJlZj0iaHR0cHM6Ly94bi0tcjhqejQ1Zy5leGFtcGxlLyI+YTwvYT48Yj5iPC9iPg==
--a
Content-Type: application/pdf; name*=utf-8''%E6%9E%A1.pdf

x
--a
Content-Type: text/plain; charset=iso-2022-jp

begin 644 a
#86)C
end
--a
Content-Type: text/calendar

BEGIN:VEVENT
SUMMARY:a
END:VEVENT
--a--
"""


def warm() -> None:
    """Run once over a mail that uses every road, and load every codec on the list.

    Raises:
        RuntimeError: the sample does not become an artefact: then no mail would.
    """
    load_codecs()
    other_spelling("例え.example")
    outcome = sanitize_mail(_SAMPLE.encode(), MailOptions(received_at=datetime(2000, 1, 1, tzinfo=UTC)))
    if not isinstance(outcome, Artefact):
        raise RuntimeError(outcome.reason)  # noqa: TRY004 (not a wrong type, a broken installation)


def run(untrusted: bytes, options: Mapping[str, object]) -> Artefact | Refusal:
    """Return the outcome for one mail; `options` as `MailOptions.to_mapping` wrote them."""
    return sanitize_mail(untrusted, MailOptions.from_mapping(options))
