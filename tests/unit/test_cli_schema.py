"""`masugata schema` as people call it."""

from __future__ import annotations

import io
import json
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from gateway.cli.main import main

if TYPE_CHECKING:
    from collections.abc import Callable


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


def test_the_schema_is_one_json_object_laid_out_or_on_one_line(run: Callable[..., Ended]) -> None:
    laid_out, one_line = run("schema"), run("schema", "--json")

    assert json.loads(laid_out.out) == one_line.records[0]
    assert one_line.records[0]["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert len(laid_out.out.splitlines()) > 100
