"""The verifier: any change to a good output that matters is refused."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

import pytest

from sanitizers.artefact import Artefact
from sanitizers.mail import MailOptions, Unverified, sanitize_mail, verify_mail

OPTIONS = MailOptions(received_at=datetime(2024, 3, 5, tzinfo=UTC))


def good() -> bytes:
    outcome = sanitize_mail(b"From: a@b.example\r\nTo: c@d.example\r\nSubject: x\r\n\r\nhello\r\n", OPTIONS)
    assert isinstance(outcome, Artefact)
    return outcome.body


def with_text(text: str) -> bytes:
    letters = base64.encodebytes(text.replace("\n", "\r\n").encode()).replace(b"\n", b"\r\n")
    return good().partition(b"\r\n\r\n")[0] + b"\r\n\r\n" + letters


FOOTER = "\n\n〘枡形 無害化の記録〙\n"


def test_what_the_writer_wrote_passes() -> None:
    assert verify_mail(good()).startswith("hello\n\n〘枡形 無害化の記録〙\n")
    assert verify_mail(with_text("x" + FOOTER)) == "x" + FOOTER


@pytest.mark.parametrize(
    "text",
    [
        "no footer",
        "two footers" + FOOTER + FOOTER,
        "zero\0" + FOOTER,
        "escape\x1b[0m" + FOOTER,
        "c1\x85" + FOOTER,
        "right to left \u202e" + FOOTER,
        "isolate \u2066" + FOOTER,
        "zero width \u200b" + FOOTER,
        "https://live.example/" + FOOTER,
        "x" * 999 + FOOTER,
        "あ" * 333 + FOOTER,
    ],
)
def test_text_that_must_not_be_there_is_refused(text: str) -> None:
    with pytest.raises(Unverified):
        verify_mail(with_text(text))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"Subject: x\r\n", b"Subject: x\n"),
        (b"Subject: x\r\n", b"Subject: x\r\r\n"),
        (b"Subject: x\r\n", b"Subject: \xe3\x81\x82\r\n"),
        (b"Subject: x\r\n", b"Subject: x\r\nSubject: y\r\n"),
        (b"Subject: x\r\n", b"Subject: x\r\nBcc: e@f.example\r\n"),
        (b"Subject: x\r\n", b"Subject: x\r\n\r\n"),
        (b"Subject: x\r\n", b"Subject: =?utf-8?B?DQo=?=\r\n"),
        (b"Subject: x\r\n", b"Subject: =?utf-8?B?/w==?=\r\n"),
        (b"Subject: x\r\n", b"Subject: =?utf-7?Q?x?=\r\n"),
        (b"Subject: x\r\n", b"Subject: " + b"x" * 1_000 + b"\r\n"),
        (b"From: a@b.example", b"From: a@b.example, "),
        (b"From: a@b.example", b'From: "a" b@c.example'),
        (b"From: a@b.example", b"From: <a@b.example> x"),
        (b"text/plain; charset=utf-8", b"text/html; charset=utf-8"),
        (b"text/plain; charset=utf-8", b"text/plain; charset=utf-8; x=y"),
        (b"base64", b"7bit"),
        (b"MIME-Version: 1.0\r\n", b""),
        (b"Date: Tue", b"Date: tue"),
        (b"@masugata.invalid>", b"@masugata.invalid> (x)"),
    ],
)
def test_header_that_the_writer_would_not_write_is_refused(old: bytes, new: bytes) -> None:
    assert old in good()
    with pytest.raises(Unverified):
        verify_mail(good().replace(old, new, 1))


@pytest.mark.parametrize("tail", [b"x", b"\n", b".\r\n", b"\r\n", b"--a\r\n", b"====\r\n", b"AAAA\r\n"])
def test_anything_after_the_body_is_refused(tail: bytes) -> None:
    with pytest.raises(Unverified):
        verify_mail(good() + tail)


def test_spare_bits_of_base64_are_no_hiding_place() -> None:
    output = with_text("ab" + FOOTER)
    at = output.rindex(b"=") - 1
    while output[at : at + 1] == b"=":
        at -= 1
    with pytest.raises(Unverified):
        verify_mail(output[:at] + bytes([output[at] + 1]) + output[at + 1 :])
