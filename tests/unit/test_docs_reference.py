"""The reference pages name everything that the code has: keys, verbs, options, reasons, exit codes, words."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from gateway.cli.main import VERBS
from zones import schema
from zones.errors import ExitCode
from zones.model import Action, ZoneClass
from zones.verdict import Reason

pytestmark = pytest.mark.checkout

DOCS = Path(__file__).resolve().parents[2] / "docs"
SHARED = {"--json", "--lang", "--quiet", "-q", "--no-color", "--help"}


def page(name: str) -> str:
    return (DOCS / name).read_text()


def keys_of_the_policy() -> set[str]:
    models = [
        value for value in vars(schema).values() if isinstance(value, type) and issubclass(value, BaseModel)
    ]
    return {field.alias or name for model in models for name, field in model.model_fields.items()}


@pytest.mark.parametrize("key", sorted(keys_of_the_policy()))
def test_every_key_of_the_policy_is_explained(key: str) -> None:
    words = set(
        re.findall(r"[\w-]+", " ".join(re.findall(r"`([^`\n]+)`", page("reference/policy-language.md"))))
    )
    assert key in words


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_its_line(reason: Reason) -> None:
    assert f"\n| `{reason}` |" in page("reference/reasons.md")


@pytest.mark.parametrize("code", ExitCode)
def test_every_exit_code_has_its_line(code: ExitCode) -> None:
    assert f"\n| {code:d} | `{code.name}` |" in page("reference/exit-codes.md")


@pytest.mark.parametrize("word", [*(a.value for a in Action if a is not Action.DENY), *ZoneClass])
def test_the_glossary_knows_the_words_of_the_policy(word: str) -> None:
    if word != ZoneClass.OTHER:
        assert f"`{word}`" in page("glossary.md")


def verb_section(verb: str) -> str:
    found = re.search(
        rf"^## {verb}$(.*?)(?=^## |\Z)", page("reference/commands.md"), re.MULTILINE | re.DOTALL
    )
    assert found, f"docs/reference/commands.md has no section for {verb}"
    return found.group(1)


@pytest.mark.parametrize("verb", VERBS)
def test_every_option_of_a_verb_is_in_the_command_reference(verb: str) -> None:
    import click

    command = importlib.import_module(VERBS[verb]).command
    pieces = [command, *(command.commands.values() if isinstance(command, click.Group) else ())]
    section = verb_section(verb)
    for piece in pieces:
        names = {
            name
            for parameter in piece.params
            if isinstance(parameter, click.Option)
            for name in parameter.opts
        }
        missing = {name for name in names - SHARED if name.startswith("--") and f"`{name}" not in section}
        assert not missing, f"{verb} {piece.name}: {sorted(missing)}"


@pytest.mark.parametrize("verb", VERBS)
def test_every_subcommand_is_in_the_command_reference(verb: str) -> None:
    command = importlib.import_module(VERBS[verb]).command
    assert [
        name for name in getattr(command, "commands", ()) if f"`{verb} {name}" not in verb_section(verb)
    ] == []
