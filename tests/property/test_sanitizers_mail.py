"""For all bytes: an outcome, never an exception; and whatever comes out is a mail of our own writing."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

from sanitizers.artefact import Artefact, Provenance
from sanitizers.mail import MailOptions, sanitize_mail, verify_mail
from sanitizers.mail.charset import decode_text
from sanitizers.mail.limits import Ledger, MailLimits
from sanitizers.mail.links import defang
from sanitizers.mail.voice import Voice
from zones.messages import Language

OPTIONS = MailOptions(received_at=datetime(2024, 3, 5, tzinfo=UTC), provenance_id="p")
CORPUS = [
    path.read_bytes() for path in sorted((Path(__file__).parents[1] / "corpus").glob("mail-*/input.eml"))
]
TITLE = "〘枡形 無害化の記録〙"

# Pieces mails are made of, so that random ones get past the first line.
FRAGMENTS = st.sampled_from(
    [
        b"Content-Type: multipart/mixed; boundary=x\r\n\r\n",
        b"Content-Type: text/html; charset=iso-2022-jp\r\n",
        b"Content-Transfer-Encoding: base64\r\n",
        b"Content-Disposition: attachment; filename*0*=utf-8''%ff; filename=\"",
        b"Subject: =?utf-8?q?=80?= =?iso-2022-jp?b?GyRC?=\r\n",
        b'From: "a" <b@c.example>, (d\r\n',
        b"--x\r\n",
        b"--x--\r\n",
        b"\r\n",
        b"\x1b$B-!\x1b(B",
        b"<div style=display:none><a href=//x>y</a><table><td>",
        b"begin 644 x\n",
        b"https://x ://\\\\srv\\share \xe3\x80\x98",
        "〘枡形 無害化の記録〙\n".encode(),
    ]
)
MAILS = st.lists(FRAGMENTS | st.binary(max_size=40), max_size=20).map(b"".join)
PLAIN_TEXT = st.text(
    alphabet=st.characters(codec="cp932", categories=["L", "Nd", "P", "Zs"], exclude_characters="\\\xa0‖〜"),
    max_size=200,
)


def ledger() -> Ledger:
    return Ledger(limits=MailLimits(), voice=Voice(language=Language.EN))


def body_of(text: str) -> str:
    return text.rpartition(f"\n\n{TITLE}")[0]


def check(untrusted: bytes) -> None:
    outcome = sanitize_mail(untrusted, OPTIONS)
    assert outcome == sanitize_mail(untrusted, OPTIONS)
    if isinstance(outcome, Artefact):
        text = verify_mail(outcome.body)
        assert text.count(TITLE) == 1
        assert Provenance.from_json(outcome.provenance.to_json()) == outcome.provenance
    else:
        assert outcome.reason != "mail-output-refused", outcome


@given(MAILS)
@example(b"")
@example(b"\r\n")
@example(b"\0")
def test_any_bytes_end_in_an_outcome(untrusted: bytes) -> None:
    check(untrusted)


@given(st.sampled_from(CORPUS), st.data())
def test_any_damage_to_a_real_mail_ends_in_an_outcome(mail: bytes, data: st.DataObject) -> None:
    damaged = bytearray(mail)
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(damaged)))
        width = data.draw(st.sampled_from([0, 0, 1, 1, 7, 200]))
        damaged[at : at + width] = data.draw(FRAGMENTS | st.binary(max_size=3))
    check(bytes(damaged))


@given(MAILS | st.sampled_from(CORPUS))
def test_sanitizing_twice_is_sanitizing_once(untrusted: bytes) -> None:
    first = sanitize_mail(untrusted, OPTIONS)
    if not isinstance(first, Artefact):
        return
    second = sanitize_mail(first.body, OPTIONS)
    assert isinstance(second, Artefact), second
    again = verify_mail(second.body)
    # The first record is now text from outside: its marks are replaced and it is quoted; nothing is lost.
    once = verify_mail(first.body).replace("〘", "〔").replace("〙", "〕").rstrip("\n")
    # A remark on the sender's name is made of the header, which is as it was.
    body = body_of(again)
    if body.startswith("〘枡形: 差出人"):
        body = body.partition("\n\n")[2]
    lines = [line.removeprefix("> ") for line in body.split("\n")]
    assert [line.removeprefix("> ") for line in once.split("\n")] == lines


@given(PLAIN_TEXT, st.sampled_from(["utf-8", "shift_jis", "iso-2022-jp", "euc-jp"]))
def test_plain_text_comes_through_unchanged_in_every_charset(text: str, charset: str) -> None:
    codec = {"shift_jis": "cp932", "iso-2022-jp": "iso2022_jp_ext", "euc-jp": "euc_jp"}.get(charset, charset)
    try:
        encoded = text.encode(codec)
    except UnicodeEncodeError:
        return  # the standard codec cannot write it; the corpus has what only ours can read
    expected = (
        encoded.decode(codec) if charset in {"utf-8", "shift_jis"} else decode_text(encoded, charset).text
    )
    mail = f"Content-Type: text/plain; charset={charset}\r\n\r\n".encode() + encoded
    outcome = sanitize_mail(mail, OPTIONS)
    assert isinstance(outcome, Artefact), outcome
    shown = body_of(verify_mail(outcome.body))
    plain = defang(expected, ledger()).strip("\n")
    assert shown == (plain or "〘枡形: 本文はありません〙") or "無害化の記録" in expected


@given(
    st.text(st.characters(min_codepoint=0x3041, max_codepoint=0x9FA0), max_size=300),
    st.sampled_from(["iso-2022-jp", "euc-jp", "windows-31j", "utf-8"]),
)
def test_declared_text_is_read_as_declared(text: str, charset: str) -> None:
    codec = {"iso-2022-jp": "iso2022_jp", "euc-jp": "euc_jp", "windows-31j": "cp932"}.get(charset, charset)
    japanese = "".join(character for character in text if "\u3041" <= character <= "\u9fa0")
    encoded = japanese.encode(codec, "ignore")
    assert decode_text(encoded, charset).text == encoded.decode(codec)


@given(st.binary(max_size=300), st.text(max_size=20))
def test_no_bytes_and_no_label_stop_the_decoder(untrusted: bytes, label: str) -> None:
    decode_text(untrusted, label).text.encode("utf-8", "surrogatepass")


@given(st.text(max_size=200))
def test_defanging_twice_is_defanging_once(text: str) -> None:
    once = defang(text, ledger())
    assert "://" not in once
    assert defang(once, ledger()) == once


@settings(max_examples=30)
@given(st.text(min_size=1, max_size=400), st.text(max_size=400))
def test_headers_hold_what_people_wrote_and_nothing_else(name: str, subject: str) -> None:
    raw = f"From: =?utf-8?q?{_q(name)}?= <a@b.example>\r\nSubject: =?utf-8?q?{_q(subject)}?=\r\n\r\nx"
    outcome = sanitize_mail(raw.encode(), OPTIONS)
    assert isinstance(outcome, Artefact), outcome
    verify_mail(outcome.body)
    head = outcome.body.partition(b"\r\n\r\n")[0]
    assert {line.partition(b":")[0] for line in head.split(b"\r\n") if line[:1] != b" "} <= {
        *(b"Date", b"From", b"Subject", b"Message-ID", b"MIME-Version", b"Content-Type"),
        *(b"Content-Transfer-Encoding", b"X-Masugata-Provenance"),
    }


def _q(text: str) -> str:
    return "".join(f"={byte:02X}" for byte in text.encode("utf-8", "surrogatepass"))
