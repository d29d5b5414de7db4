"""Words for people: a code and parameters become a sentence, and nothing missing hides the error itself."""

from __future__ import annotations

import pytest

from zones.errors import ConfigurationError, ExitCode, LimitExceeded, PolicyError, Problem
from zones.messages import Language, Message, catalogue, declare, hint, say


def test_a_code_is_said_in_both_languages() -> None:
    params = {"seen": "2", "known": "1"}

    assert say("schema-version", params, Language.EN).startswith("schema 2 is not known")
    assert say("schema-version", params, Language.JA).startswith("schema 2 は未対応")


def test_an_undeclared_code_is_shown_as_itself() -> None:
    assert say("no-such-code", {"a": 1}, Language.JA) == "no-such-code a=1"
    assert hint("no-such-code", {}, Language.EN) == ""


def test_a_forgotten_parameter_does_not_hide_the_error() -> None:
    assert "{known}" in say("schema-version", {"seen": 2}, Language.EN)


def test_a_code_is_declared_once() -> None:
    same = catalogue()["bad-date"]

    declare({"bad-date": same})
    with pytest.raises(ValueError, match="bad-date"):
        declare({"bad-date": Message(en="other", ja="別")})
    assert catalogue()["bad-date"] == same


def test_errors_speak_and_say_how_the_verb_ends() -> None:
    problem = Problem(code="bad-date", file="p", line=1, column=1)

    assert str(LimitExceeded("mail.max_bytes", 48, 32)) == "mail.max_bytes: seen 48, limit 32"
    assert LimitExceeded("x", 2, 1).exit_code is ExitCode.FINDING
    assert PolicyError([problem]).exit_code is ExitCode.USAGE
    assert str(PolicyError([problem])) == "the policy has 1 problem(s)"
    assert ConfigurationError("bad-now", value="x").params == {"value": "x"}
