"""Answers of workers, read as if each were made by an attacker."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from sanitizers.artefact import Artefact, Provenance, Refusal, Removed
from sanitizers.frames import answer_of, failure_of, read_answer
from sanitizers.isolation import _checked
from sanitizers.mail import MailOptions, sanitize_mail
from sanitizers.registry import SANITIZERS
from sanitizers.source import open_source
from zones.errors import IsolationError, LimitExceeded, Unreadable

MAIL = b"From: a@b.example\r\n\r\nhello\r\n"
OPTIONS = MailOptions(received_at=datetime(2024, 3, 5, tzinfo=UTC), policy_revision="r1")


def made() -> Artefact:
    outcome = sanitize_mail(MAIL, OPTIONS)
    assert isinstance(outcome, Artefact)
    return outcome


def code_of(untrusted: bytes) -> str:
    with pytest.raises(IsolationError) as caught:
        read_answer(untrusted, media_type="message/rfc822", max_output_bytes=10_000)
    return caught.value.code


def test_answer_comes_back_as_it_was() -> None:
    for result in (made(), Refusal(reason="mail-encrypted", detail="PGP")):
        assert read_answer(answer_of(result), media_type="message/rfc822", max_output_bytes=10_000) == result


def test_every_piece_of_an_answer_is_a_death_and_every_addition_a_lie() -> None:
    answer = answer_of(made())
    assert {code_of(answer[:length]) for length in range(len(answer))} == {"worker-died"}
    assert code_of(answer + b"x") == "worker-lied"


def test_wrong_header_or_metadata_is_a_lie() -> None:
    answer = answer_of(made())
    for wrong in (
        b"XXXX" + answer[4:],
        answer[:5] + b"\x09" + answer[6:],
        answer.replace(b'"schema":1', b'"schema":2'),
    ):
        assert code_of(wrong) == "worker-lied"
    assert code_of(failure_of("ValueError")) == "worker-failed"


@pytest.mark.parametrize(
    "change",
    [
        {"source_sha256": "0" * 64},
        {"source_bytes": 1},
        {"output_sha256": "0" * 64},
        {"kind": "other"},
        {"policy_revision": "r2"},
    ],
)
def test_provenance_that_does_not_fit_the_facts_is_a_lie(change: dict[str, object]) -> None:
    source = open_source(MAIL)
    artefact = made()
    lie = replace(artefact, provenance=replace(artefact.provenance, **change))
    with pytest.raises(IsolationError, match="did not stand up"):
        _checked(lie, SANITIZERS["mail"], source, {"policy_revision": "r1"}, ("seccomp",))
    source.close()


def test_layers_are_what_we_know_not_what_the_worker_says() -> None:
    source = open_source(MAIL)
    artefact = made()
    boast = replace(artefact, provenance=replace(artefact.provenance, layers=("everything",)))
    checked = _checked(boast, SANITIZERS["mail"], source, {}, ("seccomp",))
    assert isinstance(checked, Artefact)
    assert checked.provenance.layers == ("seccomp",)
    source.close()


def test_output_that_is_not_a_mail_of_ours_is_a_lie() -> None:
    source = open_source(MAIL)
    evil = b"Content-Type: text/html\r\n\r\n<script>"
    import hashlib

    provenance = replace(
        made().provenance, output_sha256=hashlib.sha256(evil).hexdigest(), output_bytes=len(evil)
    )
    with pytest.raises(IsolationError, match="did not stand up"):
        _checked(
            Artefact(body=evil, media_type="message/rfc822", provenance=provenance),
            SANITIZERS["mail"],
            source,
            {},
            (),
        )
    source.close()


@pytest.mark.parametrize(
    "refusal", [Refusal(reason="made-up"), Refusal(reason="mail-encrypted", detail="a\x1b[31m")]
)
def test_refusal_in_words_of_the_workers_own_is_a_lie(refusal: Refusal) -> None:
    source = open_source(MAIL)
    with pytest.raises(IsolationError, match="did not stand up"):
        _checked(refusal, SANITIZERS["mail"], source, {}, ())
    source.close()


def test_provenance_is_read_strictly() -> None:
    good = made().provenance
    document = json.loads(good.to_json())
    assert Provenance.from_json(good.to_json()) == good
    removed = {"kind": "a", "name": "\x1b", "media_type": "", "size_bytes": 0, "sha256": "", "reason": "r"}
    for change in (
        {"extra": 1},
        {"schema": 2},
        {"source_bytes": -1},
        {"source_bytes": True},
        {"source_bytes": 1.0},
        {"source_sha256": "g" * 64},
        {"kind": "\ud800"},
        {"kind": "x" * 5_000},
        {"removed": [removed]},
        {"removed": {}},
        {"layers": [1]},
    ):
        with pytest.raises(Unreadable):
            Provenance.from_json(json.dumps(document | change))
    for text in ("", "[]", "[" * 100_000, '{"a":NaN}', "9" * 5_000):
        with pytest.raises(Unreadable):
            Provenance.from_json(text)
    with pytest.raises(LimitExceeded):
        Provenance.from_json(" " * (5 << 20))
    assert Removed(kind="a", reason="b").sha256 == ""
