"""Every folder `tests/corpus/lint-*` is a policy and all that lint says of it; each code has one."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import zones.lint.messages
import zones.lint.wording  # noqa: F401  (declares the words)
from zones.lint.codes import CODES
from zones.lint.engine import CHECKS, Report, lint
from zones.load import load_written
from zones.messages import Language, catalogue, hint, say

if TYPE_CHECKING:
    from zones.lint.finding import Finding

CORPUS = Path(__file__).resolve().parents[3] / "corpus"
CASES = sorted(CORPUS.glob("lint-*"))


def found(case: Path) -> Report:
    policy, documents = load_written({"policy.yaml": (case / "policy.yaml").read_text(encoding="utf-8")})
    return lint(policy, documents, now=datetime(2027, 1, 1, tzinfo=policy.timezone).timestamp())


def line_of(finding: Finding) -> str:
    """Return `line:column code`, with `accepted` behind it where the file accepts the finding."""
    accepted = " accepted" if finding.suppressed is not None else ""
    return f"{finding.place.line}:{finding.place.column} {finding.code}{accepted}"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_everything_is_found_at_its_place_and_nothing_else(case: Path) -> None:
    expected = (case / "expected.txt").read_text(encoding="utf-8").splitlines()

    assert [line_of(finding) for finding in found(case).findings] == expected


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("language", Language)
def test_every_finding_is_said_whole_in_both_languages(case: Path, language: Language) -> None:
    for finding in found(case).findings:
        said = say(finding.message, finding.params, language)
        cure = hint(finding.message, finding.params, language)
        assert finding.message in catalogue()
        assert "{" not in said
        assert "{" not in cure.replace("{ignore: [{code: too-broad", "").replace("{never: true, because", "")


def test_every_code_has_a_folder_in_which_it_is_found() -> None:
    assert [case.name for case in CASES] == sorted(f"lint-{code}" for code in CODES)
    assert all(case.name[5:] in {finding.code for finding in found(case).open} for case in CASES)


def test_every_code_but_those_about_suppressions_has_a_check() -> None:
    assert set(CODES) - set(CHECKS) == {"suppression-expired", "suppression-unused"}


@pytest.mark.parametrize("code", CODES)
def test_every_code_has_a_title_and_a_page_of_words(code: str) -> None:
    assert {f"lint-{code}", f"lint-{code}-title", f"lint-{code}-about"} <= set(catalogue())
