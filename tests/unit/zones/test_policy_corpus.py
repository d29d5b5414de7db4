"""Every folder `tests/corpus/policy-*` is a policy and what `check` must find in it; each code has one."""

from __future__ import annotations

import ast
from datetime import datetime
from pathlib import Path

import pytest

import zones
from zones.checks import expired_problems, failed_tests, run_tests
from zones.errors import PolicyError, Problem
from zones.load import load_policy
from zones.messages import Language, catalogue, hint, say

CORPUS = Path(__file__).resolve().parents[2] / "corpus"
CASES = sorted(CORPUS.glob("policy-*"))
# The modules that report problems of a policy.
REPORTING = (
    "source",
    "shape",
    "schema",
    "load",
    "merge",
    "resolve",
    "consistency",
    "question",
    "checks",
    "unknown",
)
# Codes in these modules that are no problems of a policy: errors of reading files, and of questions on the
# command line. A file of 32 MB is no case for a folder; test_source.py has it.
ELSEWHERE = {
    "file-not-utf8",
    "file-too-large",
    "file-unreadable",
    "policy-empty-directory",
    "policy-file-suffix",
    "yaml-too-large",
    "packet-by-name",
    "packet-families",
    "packet-many",
    "packet-many-addresses",
    "packet-no-gateway",
    "packet-service",
}


def found(case: Path) -> list[Problem]:
    sources = {path.name: path.read_text(encoding="utf-8") for path in sorted(case.glob("*.yaml"))}
    try:
        policy = load_policy(sources)
    except PolicyError as error:
        return list(error.problems)
    now = datetime(2027, 1, 1, tzinfo=policy.timezone).timestamp()
    return [*failed_tests(run_tests(policy, now=now)), *expired_problems(policy, now=now)]


def line_of(problem: Problem) -> str:
    """Return `line:column code`, with the file before it unless it is policy.yaml."""
    file = "" if problem.file == "policy.yaml" else f"{problem.file}:"
    return f"{file}{problem.line}:{problem.column} {problem.code}"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_problem_is_found_at_its_place(case: Path) -> None:
    expected = (case / "expected.txt").read_text(encoding="utf-8").splitlines()

    assert [line_of(problem) for problem in found(case)] == expected


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("language", Language)
def test_every_problem_is_said_whole_in_both_languages(case: Path, language: Language) -> None:
    for problem in found(case):
        said = say(problem.code, problem.params, language) + hint(problem.code, problem.params, language)
        assert problem.code in catalogue()
        assert "{" not in said.replace("{from, to}", "")


def test_every_code_that_can_be_reported_has_a_folder() -> None:
    written = {code for module in REPORTING for code in codes_in(module)}

    cases = {case.name.removeprefix("policy-") for case in CASES}
    assert written - ELSEWHERE == {case for case in cases if not case.startswith("several")}


def codes_in(module: str) -> set[str]:
    """Return the strings of a module that are codes of messages."""
    source = (Path(zones.__file__).parent / f"{module}.py").read_text(encoding="utf-8")
    strings = {node.value for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Constant)}
    return {text for text in strings if isinstance(text, str) and text in catalogue()}
