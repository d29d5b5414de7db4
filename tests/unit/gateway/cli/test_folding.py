"""Sentences are folded to the width of a terminal, wide characters counted as two; what is piped is not."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.cli.layout import MIN_COLUMNS, folded, pieces, width

CITY = str(Path(__file__).resolve().parents[4] / "examples" / "sample-city")
NOW = ("--now", "2026-10-05T10:00")
TEXT = st.text(st.sampled_from("ab 漢字、。(「」).:/10 "), max_size=200)


@given(TEXT, st.integers(MIN_COLUMNS, 120), st.none() | st.integers(0, 30))
def test_folding_loses_nothing_and_fits(text: str, columns: int, hang: int | None) -> None:
    lines = list(folded(text, columns, hang=hang))

    assert "".join("".join(lines).split()) == "".join(text.split())
    for line in lines:
        # Only what has no place to break at may stick out.
        assert width(line) <= columns or len(list(pieces(line.strip()))) == 1


def test_later_lines_are_indented_further_than_the_first() -> None:
    first, *later = folded("  " + "word " * 30, 60)

    assert first.startswith("  word")
    assert later
    assert all(line.startswith("    word") for line in later)


def test_marks_stay_where_japanese_puts_them() -> None:
    for columns in range(MIN_COLUMNS, 60):
        lines = list(folded("許可(する)、しない。「はい」" * 12, columns, hang=0))
        assert all(line[0] not in "、。」)" and line[-1] not in "(「" for line in lines)


def test_an_address_is_never_broken() -> None:
    lines = list(folded("from 2001:db8:ffff:ffff:ffff:ffff:ffff:ffff/128 " * 3, 45))

    assert sum("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff/128" in line for line in lines) == 3


@pytest.mark.parametrize("columns", [0, MIN_COLUMNS - 1])
def test_without_a_terminal_or_on_a_tiny_one_lines_are_left_alone(columns: int) -> None:
    assert list(folded("許可 " * 100, columns)) == ["許可 " * 100]


def on_a_terminal(columns: int, *arguments: str) -> str:
    """Return what a verb writes to a real terminal of that width."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES"}}
    command = [sys.executable, "-m", "gateway", *arguments]
    with subprocess.Popen(command, stdout=theirs, env=environment) as verb:
        os.close(theirs)
        written = b""
        try:
            while part := os.read(ours, 65536):
                written += part
        except OSError:  # the terminal's other end is closed: all is read
            pass
        verb.wait(timeout=60)
    os.close(ours)
    return written.decode().replace("\r\n", "\n")


@pytest.mark.parametrize("language", ["ja", "en"])
@pytest.mark.parametrize("columns", [60, 200])
@pytest.mark.parametrize(
    "verb",
    [
        ("explain", CITY, "mn-pc1 > out-web https"),
        ("verify", CITY, "--invariant", "I1", "--distrust-relays"),
        ("lint", CITY, "--only", "dns-tunnel,expiring-together"),
    ],
    ids=lambda verb: verb[0],
)
def test_no_line_is_wider_than_the_terminal(verb: tuple[str, ...], columns: int, language: str) -> None:
    name, city, *rest = verb
    shown = on_a_terminal(columns, name, city, *rest, "--lang", language, *NOW)

    assert shown
    for line in shown.splitlines():
        assert width(line) <= columns or " " not in line.strip()


def test_an_explanation_stays_in_its_column() -> None:
    lines = on_a_terminal(60, "explain", CITY, "mn-pc1 > out-web https", "--lang", "ja", *NOW).splitlines()

    assert lines[0].startswith("パケット   mynumber:")
    assert lines[1] == " " * 11 + "tcp/443"
