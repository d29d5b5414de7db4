"""`masugata who` as people call it."""

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


def test_an_address_is_answered_with_its_names_flows_and_guards(run: Callable[..., Ended]) -> None:
    ended = run("who", "10.10.5.10", CITY, "--now", "2026-10-05T10:00")

    assert ended.code == 0
    for part in ("renkei", "mn-servers", "lgwan: direct https  (F012)", "[open until 2036-03-31]", "G1:"):
        assert part in ended.out


def test_what_my_number_reaches_on_the_first_of_april(run: Callable[..., Ended]) -> None:
    def reached(moment: str) -> dict[str, list[str]]:
        record = run("who", "mynumber", CITY, "--json", "--now", moment).records[0]
        return {f"{reach['zone']} {reach['action']}": reach["flows"] for reach in record["reaches"]}

    march, april = reached("2027-03-31T23:59:59"), reached("2027-04-01")

    assert "F011" in march["lgwan allow"]
    assert april["lgwan allow"] == ["F012", "F019", "F022"]
    assert {key.split()[0] for key in april} <= {"mynumber", "lgwan", "govcloud", "gateway"}


def test_matrix_query_explain_and_who_agree_about_that_day(run: Callable[..., Ended]) -> None:
    now = ("--now", "2027-04-01", "--json")
    packet = "atena > chukan https"
    cells = run("matrix", CITY, *now).records
    cell = next(cell for cell in cells if (cell["from"], cell["to"]) == ("mynumber", "lgwan"))
    reaches = run("who", "mynumber", CITY, *now).records[0]["reaches"]
    counted = {r["action"]: len(r["flows"]) for r in reaches if r["zone"] == "lgwan"}

    assert {way: count for way, count in cell["ways"].items() if way != "deny"} == counted
    for verb in ("query", "explain"):
        record = run(verb, CITY, packet, *now).records[0]
        assert (record["reason"], record["decided_by"]) == ("expired", "F011")


def test_japanese_words_are_japanese(run: Callable[..., Ended]) -> None:
    out = run("who", "lg-pcs", CITY, "--lang", "ja").out

    assert "到達できる先" in out
    assert "画面転送" in out


def test_a_name_nobody_has_is_a_mistake_of_the_caller(run: Callable[..., Ended]) -> None:
    ended = run("who", "renkai", CITY)

    assert (ended.code, "renkei" in ended.err) == (2, True)
