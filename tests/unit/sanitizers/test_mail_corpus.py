"""Every folder `tests/corpus/mail-*`: the mail in `input.eml` becomes what `expected.txt` says.

`expected.txt` is the mail as a reader sees it (headers decoded, then the text), or `refused: REASON`.
Write the expectation of a new case with `MASUGATA_WRITE_EXPECTED=1`, then read it.
"""

from __future__ import annotations

import email.policy
import os
from datetime import UTC, datetime
from email.parser import BytesParser
from pathlib import Path

import pytest

from sanitizers.artefact import Artefact, Provenance, Refusal
from sanitizers.mail import MailOptions, sanitize_mail, verify_mail

CASES = sorted((Path(__file__).parents[2] / "corpus").glob("mail-*"))
OPTIONS = MailOptions(
    received_at=datetime(2024, 3, 5, 1, 2, 3, tzinfo=UTC),
    policy_revision="test",
    gateway_name="gate.example",
    provenance_id="record-1",
)
SHOWN = ("From", "Reply-To", "To", "Cc", "Date", "Subject", "Message-ID", "Auto-Submitted")


def as_seen(outcome: Artefact | Refusal) -> str:
    if isinstance(outcome, Refusal):
        return f"refused: {outcome.reason}\n"
    message = BytesParser(policy=email.policy.default).parsebytes(outcome.body)
    headers = "".join(f"{name}: {message[name]}\n" for name in SHOWN if message[name] is not None)
    return f"{headers}\n{verify_mail(outcome.body)}"


def test_there_are_cases() -> None:
    assert len(CASES) >= 30


@pytest.mark.parametrize("folder", CASES, ids=lambda folder: folder.name)
def test_mail_becomes_what_its_case_says(folder: Path) -> None:
    outcome = sanitize_mail((folder / "input.eml").read_bytes(), OPTIONS)
    seen = as_seen(outcome)
    expected = folder / "expected.txt"
    if os.environ.get("MASUGATA_WRITE_EXPECTED") == "1" and not expected.exists():
        expected.write_text(seen, encoding="utf-8")
        pytest.fail("expectation written; read it")
    assert seen == expected.read_text(encoding="utf-8")


@pytest.mark.parametrize("folder", CASES, ids=lambda folder: folder.name)
def test_same_input_and_options_give_the_same_bytes_and_record(folder: Path) -> None:
    untrusted = (folder / "input.eml").read_bytes()
    first, second = sanitize_mail(untrusted, OPTIONS), sanitize_mail(untrusted, OPTIONS)
    assert first == second
    if isinstance(first, Artefact):
        assert Provenance.from_json(first.provenance.to_json()) == first.provenance


def test_case_says_where_it_comes_from() -> None:
    assert [folder.name for folder in CASES if len((folder / "case.md").read_text().splitlines()) < 2] == []
