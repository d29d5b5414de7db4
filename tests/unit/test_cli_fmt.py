"""`masugata fmt` as people call it: what it writes, what it leaves alone, how it ends."""

from __future__ import annotations

import io
import json
import os
import stat
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from gateway.cli.main import main

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ROUGH = "# ours\nmeta: {model: alpha,   name: x}  # note\nschema: 1\n"
NEAT = "# ours\nschema: 1\n\nmeta:  # note\n  name: x\n  model: alpha\n"


class Ended(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ended]:
    def call(*arguments: str, stdin: str = "") -> Ended:
        monkeypatch.setattr(sys, "argv", ["masugata", *arguments])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        with pytest.raises(SystemExit) as ended:
            main()
        seen = capsys.readouterr()
        return Ended(int(ended.value.code or 0), seen.out, seen.err)

    return call


@pytest.fixture
def rough(tmp_path: Path) -> Path:
    file = tmp_path / "a.yaml"
    file.write_text(ROUGH)
    file.chmod(0o640)
    return file


def test_fmt_writes_a_file_anew_with_its_mode_and_a_second_time_finds_nothing(
    run: Callable[..., Ended], rough: Path
) -> None:
    first, second = run("fmt", str(rough)), run("fmt", str(rough))

    assert (first.code, first.out, rough.read_text()) == (0, f"{rough}\n", NEAT)
    assert (second.code, second.out) == (0, "")
    assert stat.S_IMODE(rough.stat().st_mode) == 0o640
    assert [path.name for path in rough.parent.iterdir()] == ["a.yaml"]


def test_fmt_check_and_diff_only_look(run: Callable[..., Ended], rough: Path) -> None:
    check, diff = run("fmt", "--check", str(rough)), run("fmt", "--diff", str(rough))

    assert (check.code, check.out) == (1, f"{rough}\n")
    assert diff.code == 1
    assert "+meta:  # note" in diff.out.splitlines()
    assert rough.read_text() == ROUGH


def test_fmt_goes_through_a_link_to_the_file_it_names(run: Callable[..., Ended], rough: Path) -> None:
    link = rough.parent / "b.yaml"
    link.symlink_to(rough)

    assert run("fmt", str(link)).code == 0
    assert link.is_symlink()
    assert rough.read_text() == NEAT


def test_fmt_writes_nothing_when_one_file_has_a_problem(run: Callable[..., Ended], rough: Path) -> None:
    (rough.parent / "b.yaml").write_text("flows: [{id: F1, form: a}]\n")

    ended = run("fmt", str(rough.parent))

    assert ended.code == 2
    assert "b.yaml:1:18: error[unknown-key]" in ended.err
    assert rough.read_text() == ROUGH


def test_fmt_formats_stdin_alone(run: Callable[..., Ended], rough: Path) -> None:
    assert run("fmt", "-", stdin=ROUGH).out == NEAT
    assert run("fmt", "-", "--check", stdin=ROUGH).code == 1
    assert run("fmt", "-", str(rough), stdin=ROUGH).code == 2


def test_fmt_says_as_json_what_became_of_every_file(run: Callable[..., Ended], rough: Path) -> None:
    (rough.parent / "b.yaml").write_text("schema: 1\n")

    assert [record["state"] for record in run("fmt", "--json", str(rough.parent)).records] == [
        "written",
        "unchanged",
    ]


def test_fmt_leaves_the_file_whole_when_nothing_can_be_written_beside_it(
    run: Callable[..., Ended], rough: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    ended = run("fmt", str(rough))

    assert (ended.code, rough.read_text()) == (2, ROUGH)
    assert [path.name for path in rough.parent.iterdir()] == ["a.yaml"]
