"""`masugata init` as people call it: what it writes, and what it leaves alone."""

from __future__ import annotations

import io
import json
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from gateway.cli.main import main

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


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


@pytest.mark.parametrize("model", ["alpha", "alpha-prime", "beta", "beta-prime"])
def test_a_new_city_is_written_and_checks(run: Callable[..., Ended], tmp_path: Path, model: str) -> None:
    place = str(tmp_path / "deep" / "hill-city")

    begun = run("init", "--model", model, place, "--now", "2026-10-05")
    checked = run("check", place, "--now", "2026-10-05T10:00")

    assert begun.code == 0
    assert f"{place}/00-zones.yaml" in begun.out.splitlines()
    assert (checked.code, checked.out.startswith("hill-city: 5 zones")) == (0, True), checked.err
    assert "2027-03-31" in (tmp_path / "deep" / "hill-city" / "40-flows-mynumber.yaml").read_text()


def test_a_directory_that_holds_a_policy_is_left_alone(run: Callable[..., Ended], tmp_path: Path) -> None:
    (tmp_path / "90-invariants.yaml").write_text("mine: true\n")

    refused = run("init", "--model", "alpha", str(tmp_path))

    assert (refused.code, "90-invariants.yaml" in refused.err) == (2, True)
    assert [path.name for path in tmp_path.iterdir()] == ["90-invariants.yaml"]
    assert (tmp_path / "90-invariants.yaml").read_text() == "mine: true\n"


def test_force_replaces_files_of_the_same_name(run: Callable[..., Ended], tmp_path: Path) -> None:
    (tmp_path / "90-invariants.yaml").write_text("mine: true\n")
    (tmp_path / "notes.txt").write_text("keep")

    assert run("init", "--model", "beta", str(tmp_path), "--force").code == 0
    assert "invariants:" in (tmp_path / "90-invariants.yaml").read_text()
    assert (tmp_path / "notes.txt").read_text() == "keep"


def test_json_names_every_file(run: Callable[..., Ended], tmp_path: Path) -> None:
    records = run("init", "--model", "beta", str(tmp_path / "x"), "--json").records

    assert {record["model"] for record in records} == {"beta"}
    assert len(records) == len(list((tmp_path / "x").iterdir()))


def test_a_place_that_cannot_be_written_is_refused(run: Callable[..., Ended], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    assert run("init", "--model", "beta", str(tmp_path / "file")).code == 2
    assert run("init", str(tmp_path / "x")).code == 2
    assert run("init", "--model", "beta", str(tmp_path / "x"), "--now", "soon").code == 2
    assert not (tmp_path / "x").exists()
