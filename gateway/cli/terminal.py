"""How a verb speaks: data on stdout, words on stderr, both languages, safe for a terminal."""

from __future__ import annotations

import json
import math
import os
import shutil
import sys
from dataclasses import dataclass, field
from functools import wraps
from typing import TYPE_CHECKING, Any, TextIO

import click

from gateway.cli.layout import folded
from zones.errors import MasugataError, PolicyError
from zones.messages import Language, hint, say

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from zones.errors import Problem

_current = Language.EN


def set_language(language: Language) -> None:
    """Fix the language of this process; verbs are imported after this, so their help follows it."""
    global _current  # noqa: PLW0603  one command line, one language, set once before any verb loads
    _current = language


def words(code: str, /, **params: object) -> str:
    """Return the message `code` in the language of this process (for option help and titles)."""
    return say(code, params, _current)


def choose_language(arguments: Sequence[str], environment: Mapping[str, str]) -> Language:
    """Return the language asked for: `--lang`, `MASUGATA_LANG`, then the locale; else English."""
    for position, argument in enumerate(arguments):
        if argument.startswith("--lang="):
            return _language(argument.removeprefix("--lang="))
        if argument == "--lang" and position + 1 < len(arguments):
            return _language(arguments[position + 1])
    for name in ("MASUGATA_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        if environment.get(name):
            return _language(environment[name])
    return Language.EN


def _language(text: str) -> Language:
    return Language.JA if text.lower().startswith("ja") else Language.EN


def printable(text: str) -> str:
    """Return `text` with control and bidirectional characters made visible.

    File names, mail headers and policy strings are other people's: they must not steer the terminal.
    """
    return "".join(
        c if c == "\n" or (c.isprintable() and not _is_bidi(c)) else f"\\u{{{ord(c):x}}}" for c in text
    )


def _is_bidi(character: str) -> bool:
    return 0x202A <= ord(character) <= 0x202E or 0x2066 <= ord(character) <= 0x2069


@dataclass
class Terminal:
    """Where a verb writes. `json_lines` turns every message into one JSON object a line.

    `columns` is the width that sentences are folded to; 0 where stdout is no terminal.
    """

    language: Language = Language.EN
    json_lines: bool = False
    quiet: bool = False
    color: bool = False
    columns: int = 0
    out: TextIO = field(default_factory=lambda: sys.stdout)
    err: TextIO = field(default_factory=lambda: sys.stderr)

    @classmethod
    def from_environment(cls) -> Terminal:
        """Return the terminal as it stands before a verb has parsed its own flags."""
        return cls(
            language=_current,
            json_lines="--json" in sys.argv,
            color=sys.stdout.isatty() and "NO_COLOR" not in os.environ,
            columns=_columns(),
        )

    def data(self, record: Mapping[str, Any]) -> None:
        """Write one JSON object to stdout."""
        self.out.write(json.dumps(record, ensure_ascii=False, sort_keys=False, default=str) + "\n")

    def write(self, text: str) -> None:
        """Write text people read to stdout."""
        self.out.write(printable(text) + "\n")

    def say(self, code: str, /, **params: object) -> None:
        """Write the message `code` to stdout."""
        self.sentence(self.words(code, **params))

    def sentence(self, text: str, *, hang: int | None = None) -> None:
        """Write text people read to stdout, folded on a terminal; its later lines are indented by `hang`."""
        for line in printable(text).split("\n"):
            self.out.writelines(f"{part}\n" for part in folded(line, self.columns, hang=hang))

    def log(self, code: str, /, **params: object) -> None:
        """Write the message `code` to stderr, unless quiet."""
        if not self.quiet:
            self.err.write(printable(self.words(code, **params)) + "\n")

    def words(self, code: str, /, **params: object) -> str:
        """Return the message `code` in this terminal's language."""
        return say(code, params, self.language)

    def error(self, error: MasugataError) -> None:
        """Report an error with its cure: on stderr as text, or on stdout as JSON."""
        if isinstance(error, PolicyError):
            for problem in error.problems:
                self.problem(problem)
            return
        if self.json_lines:
            self.data(
                {"error": error.code, **error.params, "message": self.words(error.code, **error.params)}
            )
            return
        self.err.write(printable(f"masugata: {self.words(error.code, **error.params)}") + "\n")
        cure = hint(error.code, error.params, self.language)
        if cure:
            self.err.write(printable(f"  → {cure}") + "\n")

    def problem(self, problem: Problem) -> None:
        """Report one problem of a file as `file:line:column: severity[code] sentence`, then its hint."""
        sentence, cure = (
            self.words(problem.code, **problem.params),
            hint(problem.code, problem.params, self.language),
        )
        if self.json_lines:
            self.data(
                {
                    "problem": problem.code,
                    "severity": problem.severity,
                    "file": problem.file,
                    "line": problem.line,
                    "column": problem.column,
                    "path": problem.path,
                    "message": sentence,
                    "hint": cure,
                }
            )
            return
        place = f"{problem.file}:{problem.line}:{problem.column}"
        severity = self.words(f"severity-{problem.severity}")
        self.err.write(printable(f"{place}: {severity}[{problem.code}] {sentence}") + "\n")
        if cure:
            self.err.write(printable(f"  → {cure}") + "\n")


def _columns() -> int:
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else 0


class Seconds(click.FloatRange):
    """A span of time on the command line: a number that is not negative, and is one."""

    def __init__(self) -> None:
        super().__init__(min=0)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the seconds; `nan` and `inf` would mean no limit, or none that is ever met."""
        seconds = super().convert(value, param, ctx)
        if not math.isfinite(seconds):
            self.fail(words("bad-seconds", value=value), param, ctx)
        return seconds


def shared_flags(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a verb `--json`, `--lang`, `-q` and `--no-color`; it receives them as `terminal`."""

    @click.option("--json", "json_lines", is_flag=True, help=words("option-json"))
    @click.option("--lang", type=click.Choice(["ja", "en"]), default=None, help=words("option-lang"))
    @click.option("-q", "--quiet", is_flag=True, help=words("option-quiet"))
    @click.option("--no-color", is_flag=True, help=words("option-no-color"))
    @wraps(function)
    def verb(
        *args: Any, json_lines: bool, lang: str | None, quiet: bool, no_color: bool, **kwargs: Any
    ) -> Any:
        terminal = Terminal(
            language=_language(lang) if lang else _current,
            json_lines=json_lines,
            quiet=quiet,
            color=sys.stdout.isatty() and not no_color and "NO_COLOR" not in os.environ,
            columns=_columns(),
        )
        return function(*args, terminal=terminal, **kwargs)

    return verb
