"""Mails built to exhaust or to crash: each ends in a named outcome, none in an exception."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sanitizers.artefact import Artefact, Refusal
from sanitizers.mail import MailLimits, MailOptions, sanitize_mail, verify_mail

OPTIONS = MailOptions(received_at=datetime(2024, 3, 5, tzinfo=UTC))
MULTIPART = b"Content-Type: multipart/mixed; boundary=x\r\n\r\n"


def nested(levels: int) -> bytes:
    opening = b"".join(
        b'Content-Type: multipart/mixed; boundary="b%d"\r\n\r\n--b%d\r\n' % (level, level)
        for level in range(levels)
    )
    closing = b"".join(b"--b%d--\r\n" % level for level in reversed(range(levels)))
    return opening + b"\r\nhi\r\n" + closing


def html(markup: str) -> bytes:
    return b"Content-Type: text/html; charset=utf-8\r\n\r\n" + markup.encode()


REFUSED = {
    "1,000 containers deep": (nested(1_000), "name=mail.max_depth"),
    "5,000 containers deep": (nested(5_000), "name=mail.max_depth"),
    "2,000 mails deep": (b"Content-Type: message/rfc822\r\n\r\n" * 2_000 + b"hi", "name=mail.max_depth"),
    "100,000 parts": (MULTIPART + b"--x\r\n\r\na\r\n" * 100_000 + b"--x--\r\n", "name=mail.max_parts"),
    "300,000 header lines": (b"X-A: b\r\n" * 300_000 + b"\r\nhi", "name=mail.max_header_bytes"),
    "5 MB in one header": (b"Subject: " + b"a " * 2_500_000 + b"\r\n\r\nhi", "name=mail.max_header_bytes"),
    "960 KB of encoded words": (
        b"Subject: " + b"=?utf-8?B?44GC?= " * 60_000 + b"\r\n\r\nhi",
        "name=mail.max_header",
    ),
    "a header that never ends": (b"X" * 3_000_000, "name=mail.max_header_bytes"),
    "a long header line in a part": (
        MULTIPART + b"--x\r\nX: " + b"a" * 100_000 + b"\r\n\r\nhi\r\n--x--\r\n",
        "name=mail.max_header_line_bytes",
    ),
    "3,000 addresses": (
        b"To: " + b"a@b.example,\r\n " * 3_000 + b"a@b.example\r\n\r\nhi",
        "name=mail.max_addresses",
    ),
    "9 MB of text": (b"\r\n" + b"a b c d e f g h i j k l m n o p\n" * 300_000, "name=mail.max_text_bytes"),
    "60 MB": (b"\r\n" + b"a" * (60 << 20), "name=mail.max_bytes"),
}

BOUNDED = {
    "folded encoded words": b"Subject: " + b"=?utf-8?B?44GC?=\r\n " * 40_000 + b"x\r\n\r\nhi",
    "half an encoded word, often": b"Subject: " + b"=?utf-8?B?44GC" * 4_000 + b"\r\n\r\nhi",
    "nested comments": b"To: " + b"(" * 30_000 + b")" * 30_000 + b" a@b.example\r\n\r\nhi",
    "open quotes": b'To: "' + b'\\"' * 20_000 + b"\r\n\r\nhi",
    "open angles": b"To: " + b"<" * 50_000 + b"\r\n\r\nhi",
    "3,000 name segments": b"Content-Type: text/plain\r\nContent-Disposition: attachment;\r\n "
    + b"; ".join(b"filename*%d*=a" % n for n in range(3_000))
    + b"\r\n\r\nhi",
    "a name that is only a star": b"Content-Type: text/plain; name*\r\n\r\nhi",
    "a segment number that is no digit": "Content-Disposition: attachment; filename*²*=a\r\n\r\nhi".encode(),
    "zero bytes": b'Subject: a\0b\r\nContent-Type: text/plain; charset="a\0b"\r\n\r\nh\0i',
    "charset idna": b"Content-Type: text/plain; charset=idna\r\n\r\n" + b"a" * 200_000,
    "charset punycode": b"Content-Type: text/plain; charset=punycode\r\n\r\n"
    + b"a" * 20_000
    + b"-99999999999",
    "charset zlib": b"Content-Type: text/plain; charset=zlib_codec\r\n\r\nhi",
    "charset rot13": b"Content-Type: text/plain; charset=rot13\r\n\r\nuv",
    "broken uuencode": b"Content-Transfer-Encoding: x-uuencode\r\n\r\nbegin 644 x\r\n" + b"!!!\r\n" * 10_000,
    "broken base64": b"Content-Transfer-Encoding: base64\r\n\r\n=====A=B=C\x80\xff===",
    "100,000 open elements": html("<div>" * 100_000 + "x"),
    "closing tags in comments": html("<div><!--</div>-->" * 20_000 + "x"),
    "closing tags in attributes": html('<div a="</div>">' * 20_000 + "x"),
    "closing tags of other names": html("<div></b>" * 20_000 + "x"),
    "closing tags behind CDATA": html("<svg>" + "<g><![CDATA[></g>]]>" * 20_000 + "x"),
    "elements in raw text that is none": html("<svg><style>" + "<g>" * 20_000 + "x"),
    "50,000 attributes": html("<p " + " ".join(f"a{n}=1" for n in range(50_000)) + ">x"),
    "open formatting times paragraphs": html("".join(f"<b id={n}>" for n in range(1_500)) + "<p>x" * 1_500),
    "an open comment": html("x<!--" + "-" * 100_000),
    "an open tag": html("x<a " + "b='" * 50_000),
    "many less-than signs": html("x" + "<" * 200_000),
    "nested quotes": html("<blockquote>x" * 1_000),
    "nested lists": html("<ul><li>x" * 900),
    "nested tables": html("<table><tr><td>x" * 900),
    "half of a surrogate pair": html("x&#xD800;&#0;&#x110000;&#xFFFE;"),
    "only an escape": b"Content-Type: text/plain; charset=iso-2022-jp\r\n\r\n\x1b$B",
    "UTF-16 of one byte": b"Content-Type: text/plain; charset=utf-16\r\n\r\n\xff",
}


@pytest.mark.timeout(20)
@pytest.mark.parametrize("name", REFUSED)
def test_mail_that_is_too_much_is_refused_by_the_limit_it_exceeds(name: str) -> None:
    untrusted, detail = REFUSED[name]
    outcome = sanitize_mail(untrusted, OPTIONS)
    assert isinstance(outcome, Refusal)
    assert (outcome.reason, outcome.detail.startswith(detail)) == ("limit-exceeded", True), outcome


@pytest.mark.timeout(20)
@pytest.mark.parametrize("name", BOUNDED)
def test_odd_mail_becomes_a_verified_one(name: str) -> None:
    outcome = sanitize_mail(BOUNDED[name], OPTIONS)
    assert isinstance(outcome, Artefact), outcome
    verify_mail(outcome.body)


def test_text_below_any_depth_is_shown() -> None:
    outcome = sanitize_mail(html("<div>" * 100_000 + "the bottom"), OPTIONS)
    assert isinstance(outcome, Artefact)
    assert "the bottom" in verify_mail(outcome.body)
    assert "mail-note-html-flat" in {note.code for note in outcome.provenance.notes}


def test_limits_are_the_callers() -> None:
    small = MailOptions(received_at=OPTIONS.received_at, limits=MailLimits(max_bytes=10))
    outcome = sanitize_mail(b"Subject: x\r\n\r\nhello", small)
    assert outcome == Refusal(
        reason="limit-exceeded",
        detail="name=mail.max_bytes seen=19 limit=10",
        source_sha256=outcome.source_sha256 if isinstance(outcome, Refusal) else "",
        source_bytes=19,
    )
