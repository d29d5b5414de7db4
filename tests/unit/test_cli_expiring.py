"""`masugata expiring` as people call it."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from gateway.cli.main import main

if TYPE_CHECKING:
    from collections.abc import Callable

CITY = str(Path(__file__).resolve().parents[2] / "examples" / "sample-city")


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


def test_days_are_listed_with_owners_and_tickets(run: Callable[..., Ended]) -> None:
    ended = run("expiring", CITY, "--within", "60d", "--now", "2027-03-01")

    assert ended.code == 0
    assert "2027-03-31 Wed  in 30 day(s)  35 flow(s)" in ended.out.splitlines()
    assert any(line.split()[:3] == ["F013", "税務課", "REQ-2026-015"] for line in ended.out.splitlines())
    assert "2036-03-31" not in ended.out


def test_strict_leaves_with_one_if_something_is_listed(run: Callable[..., Ended], tmp_path: Path) -> None:
    calm = tmp_path / "p.yaml"
    calm.write_text(
        "schema: 1\nmeta: {name: x}\nzones: {a: {interfaces: [a0], networks: [10.1.0.0/16]}}\n"
        "flows: [{id: F1, from: a, to: a, service: any, action: allow, expires: 2027-03-31}]\n"
    )
    now = ("--now", "2027-01-01", "--strict")

    assert run("expiring", str(calm), "--within", "88d", *now).code == 0
    assert run("expiring", str(calm), "--within", "89d", *now).code == 1


def test_json_has_a_line_for_each_flow(run: Callable[..., Ended]) -> None:
    records = run("expiring", CITY, "--json", "--within", "0d", "--now", "2027-01-01").records

    assert [(r["flow"], r["expires"], r["days_left"]) for r in records] == [
        ("F025", "2026-03-31", -276),
        ("F110", "2026-12-31", -1),
    ]
    assert records[0]["owner"] == "税務課"
    assert records[0]["line"] > 0


def test_japanese_words_are_japanese(run: Callable[..., Ended]) -> None:
    assert (
        "2027-03-31(水)  あと 30 日  35 件"
        in run("expiring", CITY, "--now", "2027-03-01", "--lang", "ja").out.splitlines()
    )


def test_what_is_no_span_is_a_mistake_of_the_caller(run: Callable[..., Ended]) -> None:
    ended = run("expiring", CITY, "--within", "2 months")

    assert (ended.code, "60d" in ended.err) == (2, True)
