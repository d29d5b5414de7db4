"""A role that was taken over writes to its own folder, and signals and traces nobody outside."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

ATTACK = """
import ctypes, json, os, sys
from pathlib import Path
from gateway.process.confinement import confine_writes

own, other, victim = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
abi = confine_writes([own])
libc = ctypes.CDLL(None, use_errno=True)

def attach():
    if libc.ptrace(16, victim, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "ptrace")

def own_child():
    child = os.fork()
    if child == 0:
        os.execv("/bin/sleep", ["sleep", "60"])
    os.kill(child, 9)
    os.waitpid(child, 0)

acts = {
    "write over": lambda: (other / "settings").write_text("mine"),
    "append": lambda: os.open(other / "settings", os.O_WRONLY | os.O_APPEND),
    "truncate": lambda: os.truncate(other / "settings", 0),
    "make": lambda: (other / "new").touch(),
    "make a socket": lambda: os.mknod(other / "socket", 0o140600),
    "remove": lambda: (other / "settings").unlink(),
    "move away": lambda: (other / "settings").rename(own / "settings"),
    "move in": lambda: (own / "mine").rename(other / "mine"),
    "link out": lambda: os.link(other / "settings", own / "linked"),
    "trace": attach,
    "signal": lambda: os.kill(victim, 0),
    "memory": lambda: os.open(f"/proc/{victim}/mem", os.O_RDWR),
    "own folder": lambda: (own / "mine").write_text("mine"),
    "own folder, deeper": lambda: (own / "a/b").mkdir(parents=True),
    "read": lambda: (other / "settings").read_text(),
    "nothing": lambda: os.open("/dev/null", os.O_RDWR),
    "own child": own_child,
}

def done(act):
    try:
        act()
    except OSError:
        return False
    return True

print(json.dumps({"abi": abi, "done": [name for name, act in acts.items() if done(act)]}))
"""
HARMLESS = ["own folder", "own folder, deeper", "read", "nothing", "own child"]


def run(program: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_confined_process_changes_nothing_outside_its_folder(tmp_path: Path) -> None:
    own, other = tmp_path / "own", tmp_path / "other"
    own.mkdir()
    other.mkdir()
    (other / "settings").write_text("ours")
    with subprocess.Popen(["sleep", "60"]) as victim:
        try:
            told = json.loads(run(ATTACK, str(own), str(other), str(victim.pid)))
        finally:
            victim.kill()
    if told["abi"] == 0:
        assert "CI" not in os.environ, "this kernel has no Landlock"
        pytest.skip("this kernel has no Landlock")
    # Landlock learned truncate(2) with ABI 3 and signals with ABI 6.
    late = [name for name, since in (("truncate", 3), ("signal", 6)) if told["abi"] < since]
    assert [name for name in told["done"] if name not in late] == HARMLESS
    assert [path.name for path in other.iterdir()] == ["settings"]


def test_privileges_are_not_dropped_beside_a_thread_that_would_keep_them() -> None:
    program = """
import threading
from gateway.process.privilege import keep_only
from zones.errors import BackendError
stay = threading.Event()
threading.Thread(target=stay.wait, daemon=True).start()
try:
    keep_only()
except BackendError as error:
    print(error.code)
stay.set()
"""
    assert run(program).strip() == "privilege-drop"
