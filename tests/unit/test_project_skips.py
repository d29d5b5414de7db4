"""In CI a skipped test is a failure: it would otherwise hide a missing tool for ever."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]

SKIPPED_IN_THREE_WAYS = {
    "mark": "import pytest\n@pytest.mark.skip(reason='no tool')\ndef test(): pass\n",
    "call": "import pytest\ndef test(): pytest.skip('no tool')\n",
    "module": "import pytest\npytest.importorskip('no_such_module')\ndef test(): pass\n",
}


def run(folder: Path, source: str, ci: str) -> int:
    shutil.copy(TESTS / "conftest.py", folder)
    (folder / "test_it.py").write_text(source)
    environment = dict(os.environ, CI=ci)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        str(folder),
        str(folder),
    ]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, timeout=50, check=False)
    return done.returncode


@pytest.mark.parametrize("way", SKIPPED_IN_THREE_WAYS)
def test_a_skip_fails_the_run_in_ci(tmp_path: Path, way: str) -> None:
    assert run(tmp_path, SKIPPED_IN_THREE_WAYS[way], "true") in {
        pytest.ExitCode.TESTS_FAILED,
        pytest.ExitCode.INTERRUPTED,
    }


def test_a_skip_is_only_a_skip_elsewhere(tmp_path: Path) -> None:
    assert run(tmp_path, SKIPPED_IN_THREE_WAYS["mark"], "") == pytest.ExitCode.OK


def test_an_expected_failure_is_no_skip(tmp_path: Path) -> None:
    source = "import pytest\n@pytest.mark.xfail(strict=True)\ndef test(): raise AssertionError\n"
    assert run(tmp_path, source, "true") == pytest.ExitCode.OK
