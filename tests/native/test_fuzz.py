"""Hostile bytes reach the C code under sanitizers: every input that was kept, and some new ones each time."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.checkout

ROOT = Path(__file__).resolve().parents[2]
FUZZ, NATIVE = ROOT / "fuzz", ROOT / "gateway" / "filter" / "native"
FLAGS = ["-std=gnu11", "-g", "-O1", "-fsanitize=fuzzer,address,undefined", "-fno-sanitize-recover=all"]
NEW_INPUTS = 20_000


@pytest.mark.parametrize("target", sorted(path.stem for path in FUZZ.glob("*.c")))
def test_nothing_that_was_kept_and_nothing_new_breaks_it(target: str, tmp_path: Path) -> None:
    program = tmp_path / target
    sources = [FUZZ / f"{target}.c", f"-I{NATIVE}", *NATIVE.glob(f"{target}.c")]
    subprocess.run(["clang", *FLAGS, *sources, "-o", program], check=True, timeout=50)
    found = tmp_path / "found"
    found.mkdir()
    kept = [path for path in [FUZZ / "corpus" / target] if path.exists()]

    run = subprocess.run(
        [
            program,
            f"-runs={NEW_INPUTS}",
            "-max_len=512",
            "-timeout=5",
            "-seed=1",
            "-verbosity=0",
            found,
            *kept,
        ],
        capture_output=True,
        cwd=tmp_path,
        timeout=50,
        check=False,
    )

    assert run.returncode == 0, run.stderr.decode(errors="replace")[-3000:]
