"""Cases from `tests/corpus/suggest-*`: a capture, a policy, and what must be suggested.

A case is a folder: capture.pcapng, policy.yaml, expected.json (options, exit code, and of every JSON line the
keys that count), case.md (where it is from).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import gateway.messages  # noqa: F401  (declares the words)
from gateway.cli.suggest import command

CORPUS = Path(__file__).parents[3] / "corpus"
CASES = sorted(CORPUS.glob("suggest-*"))


def test_the_corpus_is_there() -> None:
    assert len(CASES) >= 3
    for case in CASES:
        assert (case / "case.md").read_text().strip(), case


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_case_of_the_corpus(case: Path) -> None:
    expected = json.loads((case / "expected.json").read_text())
    arguments = [str(case / "capture.pcapng"), "--policy", str(case / "policy.yaml"), "--now", "2026-12-09"]
    done = CliRunner().invoke(command, [*arguments, "--json", *expected["options"]], standalone_mode=False)
    lines = [json.loads(line) for line in done.stdout.splitlines()]

    assert done.exception is None
    assert [line["type"] for line in lines] == [row["type"] for row in expected["lines"]]
    assert [only(line, row) for line, row in zip(lines, expected["lines"], strict=True)] == expected["lines"]
    assert done.return_value == expected["exit"]


def only(line: Any, row: Any) -> Any:
    """Return of a line what the row speaks of."""
    if isinstance(row, dict) and isinstance(line, dict):
        return {key: only(line[key], value) for key, value in row.items()}
    if isinstance(row, list) and isinstance(line, list) and len(row) == len(line):
        return [only(one, other) for one, other in zip(line, row, strict=True)]
    return line
