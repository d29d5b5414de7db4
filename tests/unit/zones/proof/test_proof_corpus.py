"""Cases of `tests/corpus/proof-*`: a policy (and one to compare it with), and what proofs must say of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from zones import Policy, read_policy
from zones.proof.diff import Answer, diff
from zones.proof.shadow import never_decides
from zones.proof.verify import verify

CORPUS = Path(__file__).resolve().parents[3] / "corpus"
CASES = sorted(CORPUS.glob("proof-*"))
NOW = 1_791_162_000.0


def text(answer: Answer) -> str:
    outcome, reason, decided_by = answer
    return " ".join([outcome, reason, *([decided_by] if decided_by else [])])


def asked(case: Path, policy: Policy, question: str) -> object:
    if question == "never_decides":
        return {found.flow: list(found.by) for found in never_decides(policy, now=NOW)}
    if question == "diff":
        found = diff(policy, read_policy(case / "after.yaml"), now=NOW)
        return [[d.change, text(d.before), text(d.after), d.packet.describe()] for d in found]
    distrust = question == "verify_distrusting"
    return {r.invariant.id: r.state for r in verify(policy, now=NOW, distrust_relays=distrust)}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_a_case_expects_is_found(case: Path) -> None:
    expected = json.loads((case / "expect.json").read_text())
    policy = read_policy(case / "policy.yaml")

    found = {question: asked(case, policy, question) for question in expected}

    if "diff" in found:
        found["diff"], expected["diff"] = sorted(found["diff"]), sorted(expected["diff"])  # type: ignore[call-overload]
    assert found == expected


def test_there_are_cases() -> None:
    assert len(CASES) >= 3
