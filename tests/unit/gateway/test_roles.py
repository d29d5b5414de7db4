"""`python -m gateway.roles`: what the supervisor hears of a role that cannot start."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from gateway.settings import freeze, read_settings
from zones.load import load_policy

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.timeout(60)

TEXT = "schema: 1\nmeta: {name: x}\nzones: {a: {interfaces: [a0], networks: [10.1.0.0/16]}}\n"


def role(*arguments: str, parent: int | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "gateway.roles", *arguments]
    command += ["--parent", str(parent if parent is not None else os.getpid())]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


@pytest.fixture
def frozen(tmp_path: Path) -> Path:
    settings = read_settings(None, policy=tmp_path, state=tmp_path / "s")
    return freeze(settings, {"x.yaml": TEXT}, load_policy({"x.yaml": TEXT}).revision)


def test_its_last_line_is_its_error_for_the_supervisor_and_its_words_are_for_people(frozen: Path) -> None:
    frozen.write_text("{}")
    done = role("recorder", "--settings", str(frozen))
    assert done.returncode == 3
    assert json.loads(done.stdout.splitlines()[-1]) == {
        "error": "settings-changed",
        "params": {"path": str(frozen)},
    }
    assert done.stderr.startswith("masugata recorder: ")
    assert "ready" not in done.stdout


def test_a_role_whose_supervisor_is_gone_never_starts(frozen: Path) -> None:
    done = role("recorder", "--settings", str(frozen), parent=1 << 22)
    assert (done.returncode, done.stdout) == (-15, "")


def test_what_is_no_role_is_not_run() -> None:
    done = role("console", "--settings", "x")
    assert done.returncode == 2
    assert "invalid choice" in done.stderr


def test_the_recorder_gets_ready_and_ends_when_told(frozen: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "gateway.roles", "recorder", "--settings", str(frozen)]
    with subprocess.Popen(
        [*command, "--parent", str(os.getpid())], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.terminate()
        assert process.wait(20) == 0
    (log,) = (tmp_path / "s/audit").glob("*.jsonl")
    kinds = [json.loads(line)["kind"] for line in log.read_text().splitlines()]
    assert (kinds[0], kinds[-1]) == ("start", "stop")
