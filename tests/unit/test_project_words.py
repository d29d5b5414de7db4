"""Every message exists in both languages, and every code that the source uses is declared.

The source is read as a syntax tree: a code that only appears on a rare error path is checked too.
"""

from __future__ import annotations

import ast
import json
import re
import string
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from gateway.cli.main import VERBS
from zones.messages import Message

pytestmark = pytest.mark.checkout

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("zones", "sanitizers", "topology", "gateway")
SPEAKING = {"say", "log", "words", "hint"}

CATALOGUE_AS_JSON = """
import dataclasses, json
import gateway.messages
from zones.messages import catalogue
print(json.dumps({code: dataclasses.asdict(message) for code, message in catalogue().items()}))
"""


class Use(NamedTuple):
    """One place in the source that speaks: the code, and the parameters given (None: not known)."""

    place: str
    code: str
    given: frozenset[str] | None


def declared() -> dict[str, Message]:
    """Return what a fresh process knows after the one import that the command line makes."""
    done = subprocess.run(
        [sys.executable, "-c", CATALOGUE_AS_JSON], capture_output=True, check=True, timeout=30
    )
    return {code: Message(**fields) for code, fields in json.loads(done.stdout).items()}


def trees() -> dict[Path, ast.Module]:
    paths = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
    return {path: ast.parse(path.read_text()) for path in paths}


def errors_by_code(modules: dict[Path, ast.Module]) -> set[str]:
    """Return the names of our error classes whose first argument is a code (no constructor of their own)."""
    classes = [node for tree in modules.values() for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    ours = {"MasugataError"}
    for _ in classes:  # as often as the deepest tree could need
        ours |= {
            node.name for node in classes if ours & {ast.unparse(base).split(".")[-1] for base in node.bases}
        }
    with_constructor = {
        node.name
        for node in classes
        if any(isinstance(item, ast.FunctionDef) and item.name == "__init__" for item in node.body)
    }
    return (ours - with_constructor) | {"MasugataError"}


def uses(modules: dict[Path, ast.Module]) -> list[Use]:
    errors = errors_by_code(modules)
    return [
        use
        for path, tree in modules.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and (use := _use(node, errors, f"{path.relative_to(ROOT)}:{node.lineno}"))
    ]


def _use(call: ast.Call, errors: set[str], place: str) -> Use | None:
    name = ast.unparse(call.func).split(".")[-1]
    if name == "Problem":
        keywords = {keyword.arg: keyword.value for keyword in call.keywords}
        return _constant(place, keywords.get("code"), None)
    if not call.args or not (name in SPEAKING or name in errors):
        return None
    if name == "log" and not (isinstance(call.func, ast.Attribute) and len(call.args) == 1):
        return None  # somebody's function of that name; a terminal's takes one code
    plain = name != "hint" and all(keyword.arg for keyword in call.keywords) and len(call.args) == 1
    return _constant(place, call.args[0], frozenset(str(k.arg) for k in call.keywords) if plain else None)


def _constant(place: str, node: ast.expr | None, given: frozenset[str] | None) -> Use | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return Use(place, node.value, given)
    return None


def placeholders(template: str) -> set[str]:
    return {field for _, field, _, _ in string.Formatter().parse(template) if field is not None}


DECLARED = declared()
USES = uses(trees())


@pytest.mark.parametrize("code", sorted(DECLARED))
def test_a_message_says_the_same_in_both_languages(code: str) -> None:
    message = DECLARED[code]
    assert bool(message.en) == bool(message.ja)
    assert placeholders(message.en) == placeholders(message.ja)
    assert bool(message.hint_en) == bool(message.hint_ja)
    assert placeholders(message.hint_en) == placeholders(message.hint_ja)


@pytest.mark.parametrize("code", sorted(DECLARED))
def test_the_japanese_is_japanese(code: str) -> None:
    message = DECLARED[code]
    for english, japanese in ((message.en, message.ja), (message.hint_en, message.hint_ja)):
        sentence = " ".join(text for text, *_ in string.Formatter().parse(english) if text)
        if len(re.findall(r"[A-Za-z]+", sentence)) > 2:  # "{name}: {count}" needs no translation
            assert any(ord(character) > 0x3000 for character in japanese), japanese


def test_the_scan_finds_the_code_that_speaks() -> None:
    assert {use.code for use in USES} >= {"foreign-package", "option-json", "help-verbs"}


def test_every_code_the_source_uses_is_declared() -> None:
    assert [f"{use.place}: {use.code}" for use in USES if use.code not in DECLARED] == []


def test_every_call_gives_what_its_message_names() -> None:
    wrong = [
        f"{use.place}: {use.code} lacks {sorted(missing)}"
        for use in USES
        if use.given is not None
        and use.code in DECLARED
        and (missing := placeholders(DECLARED[use.code].en + DECLARED[use.code].hint_en) - use.given)
    ]
    assert wrong == []


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_has_a_module_and_one_line_of_help(verb: str) -> None:
    assert f"verb-{verb}" in DECLARED
    assert (ROOT / VERBS[verb].replace(".", "/")).with_suffix(".py").is_file()


def test_listing_the_verbs_imports_nothing_heavy() -> None:
    program = "import sys, gateway.cli.main; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=True, text=True, timeout=30
    )
    heavy = {"pydantic", "yaml", "rich", "asyncio", "numpy", "scapy", "selectolax", "sqlite3"}
    assert heavy & set(done.stdout.split()) == set()
