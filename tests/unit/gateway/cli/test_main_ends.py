"""How a run ends when something goes wrong that no verb expects: never as safe, never as a finding."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
import pytest

from gateway.cli import main as command_line

CITY = Path(__file__).resolve().parents[4] / "examples" / "sample-city"
RUN = [sys.executable, "-c", "from gateway.cli.main import main; main()"]


def masugata(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    command = [*RUN, *arguments]
    return subprocess.run(command, text=True, timeout=50, check=False, **options)  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("language", "said"), [("en", "a fault of masugata itself"), ("ja", "masugata 自体の不具合")]
)
def test_a_fault_of_ours_is_undecided(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], language: str, said: str
) -> None:
    @click.command("broken")
    def broken() -> None:
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr(command_line.VerbGroup, "get_command", lambda *_: broken)
    monkeypatch.setattr(sys, "argv", ["masugata", "--lang", language, "check"])
    with pytest.raises(SystemExit) as ended:
        command_line.main()

    assert ended.value.code == 4
    assert said in capsys.readouterr().err


def test_a_reader_that_leaves_ends_it_as_a_closed_pipe_does() -> None:
    command = [*RUN, "matrix", str(CITY), "--hosts", "--format", "csv"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()

    with process.stderr as errors:
        assert errors.read() == b""
    assert process.wait(50) == 141


def test_an_answer_that_cannot_be_written_is_none() -> None:
    with Path("/dev/full").open("w") as full:
        ended = masugata("check", str(CITY), "--json", stdout=full, stderr=subprocess.PIPE)

    assert ended.returncode == 3
    assert "could not be written" in ended.stderr


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["--help"], 0), (["--version"], 0), (["verify", "-h"], 0), ([], 2), (["nope"], 2)],
)
def test_help_and_misuse_end_as_ever(arguments: list[str], code: int) -> None:
    assert masugata(*arguments, capture_output=True).returncode == code
