"""The kernel's verifier takes the parser, and run as XDP it says of every frame what it says in a program."""

from __future__ import annotations

import os
import struct
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.checkout,
    pytest.mark.skipif(os.geteuid() != 0, reason="loading a program into the kernel needs CAP_BPF"),
]

ROOT = Path(__file__).resolve().parents[2]
NATIVE = ROOT / "gateway" / "filter" / "native"
HERE = ROOT / "tests" / "native"
# What an XDP test run takes: more than an Ethernet header, less than a page with its headroom.
SMALLEST, LARGEST = 14, 3000


def compiled(target: Path, *command: str | Path) -> Path:
    subprocess.run([*command, f"-I{NATIVE}", "-o", target], check=True, timeout=50)
    return target


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    headers = subprocess.run(
        ["cc", "-print-multiarch"], check=True, capture_output=True, text=True, timeout=10
    )
    bpf = ["clang", "-O2", "-g", "-target", "bpf", "-mcpu=v3", "-Wall", "-Werror"]
    bpf += [f"-I/usr/include/{headers.stdout.strip()}", "-c"]
    return compiled(tmp_path_factory.mktemp("xdp") / "parse.bpf.o", *bpf, HERE / "parse_xdp.bpf.c")


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    flags = ["-std=gnu11", "-O2", "-g", "-Wall", "-Wextra", "-Werror"]
    target = tmp_path_factory.mktemp("driver") / "parse_xdp"
    return compiled(target, "cc", *flags, HERE / "parse_xdp.c", "-lbpf")


def test_in_xdp_the_parser_says_the_same_of_every_frame(
    program: Path, driver: Path, built_frame: Callable[[int], tuple[int | None, bytes, int]]
) -> None:
    frames = []
    for seed in range(40_000):
        linktype, data, _ = built_frame(seed)
        if linktype == 1 and SMALLEST < len(data) <= LARGEST:
            frames.append(struct.pack("=I", len(data)) + data)
    run = subprocess.run(
        ["unshare", "--net", driver, program],
        input=b"".join(frames),
        capture_output=True,
        timeout=50,
        check=False,
    )

    assert run.returncode == 0, run.stderr.decode()
    compared, read = map(int, run.stdout.split())
    assert compared == len(frames) > 9000
    assert read > 4000
