"""The matrix on a terminal is coloured by action; piped, or where colour is not wanted, it says the same."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gateway.cli.layout import width
from gateway.cli.main import main
from gateway.cli.matrix import LETTERS
from gateway.cli.matrix_picture import COLOURS
from gateway.cli.paint import STYLES, Span, grid, painted

if TYPE_CHECKING:
    from collections.abc import Callable

CITY = str(Path(__file__).resolve().parents[4] / "examples" / "sample-city")
ESCAPE = re.compile(r"\x1b\[[0-9;]*m")


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    def call(*arguments: str, terminal: bool) -> str:
        words = ["masugata", "matrix", CITY, "--now", "2026-10-05T10:00", *arguments]
        monkeypatch.setattr(sys, "argv", words)
        monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal)
        with pytest.raises(SystemExit) as ended:
            main()
        assert not ended.value.code
        return capsys.readouterr().out

    monkeypatch.delenv("NO_COLOR", raising=False)
    return call


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("hosts", [(), ("--hosts",)])
def test_colour_adds_nothing_but_colour(
    shown: Callable[..., str], language: str, hosts: tuple[str, ...]
) -> None:
    flags = ("--lang", language, *hosts)
    plain, coloured = shown(*flags, terminal=False), shown(*flags, terminal=True)

    assert "\x1b" not in plain
    assert ESCAPE.sub("", coloured) == plain


@pytest.mark.parametrize(("language", "allowed", "mail"), [("en", "allow", "mail"), ("ja", "許可", "メール")])
def test_each_action_has_its_colour_in_the_cells_and_in_the_legend(
    shown: Callable[..., str], language: str, allowed: str, mail: str
) -> None:
    out = shown("--lang", language, terminal=True)

    assert re.search(rf"\x1b\[{STYLES['allow']}m{allowed} \d+\x1b\[0m", out)
    assert re.search(rf"\x1b\[{STYLES['sanitize:mail']}m{mail}\S* 1\x1b\[0m", out)
    assert re.search(rf"\n\x1b\[{STYLES['allow']}m{allowed} n\x1b\[0m  ", out), "the legend"


def test_the_letters_of_hosts_are_coloured_too(shown: Callable[..., str]) -> None:
    out = shown("--hosts", terminal=True)

    assert f"\x1b[{STYLES['render']}mR\x1b[0m" in out
    assert f"\x1b[{STYLES['guard']}mx\x1b[0m" in out


def test_who_wants_no_colour_gets_none(shown: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert "\x1b" not in shown("--no-color", terminal=True)
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in shown(terminal=True)


@pytest.mark.parametrize("form", ["csv", "markdown"])
def test_what_is_written_for_other_programs_is_never_coloured(shown: Callable[..., str], form: str) -> None:
    assert "\x1b" not in shown("--format", form, terminal=True)


def test_every_kind_of_cell_has_a_style() -> None:
    assert COLOURS.keys() <= STYLES.keys()
    assert LETTERS.keys() <= STYLES.keys()


def test_wide_characters_and_colours_leave_columns_under_each_other() -> None:
    rows = [[[Span("許可", "allow")], [Span("x")]], [[Span("a")], [Span("y")]]]

    lines = [ESCAPE.sub("", line) for line in grid(rows, color=True)]

    assert [width(line) for line in lines] == [7, 7]
    assert [line[-1] for line in lines] == ["x", "y"]
    assert list(grid([], color=True)) == []


def test_words_of_others_do_not_steer_the_terminal() -> None:
    assert painted([Span("\x1b[2J", "allow")], color=True) == "\x1b[32m\\u{1b}[2J\x1b[0m"
