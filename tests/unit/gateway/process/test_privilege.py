"""What a process gives up it does not get back, nor does anything it starts."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import textwrap
from typing import Any

import pytest

from gateway.process.privilege import CAP_NET_ADMIN

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(30)]

PRELUDE = """
import json, os, subprocess, sys, threading
from pathlib import Path
from gateway.process.privilege import CAP_NET_ADMIN, die_with_parent, effective_capabilities, keep_only
from gateway.process.privilege import may_administer_network
from zones.errors import BackendError
WANTED = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs")
def status(text):
    pairs = (line.split(":") for line in text.splitlines() if ":" in line)
    return {name: int(value.split()[0], 16) for name, value in pairs if name in WANTED}
def mine():
    return status(Path("/proc/self/status").read_text())
def childs():
    return status(subprocess.run(["cat", "/proc/self/status"], capture_output=True, text=True).stdout)
"""


def run(script: str, *around: str) -> dict[str, Any]:
    """Run a script as root of a user namespace of its own; return the JSON it prints."""
    if shutil.which("unshare") is None:
        pytest.skip("missing tool: unshare")
    command = [*(around or ("unshare", "--user", "--map-root-user")), sys.executable, "-c"]
    done = subprocess.run(
        [*command, PRELUDE + textwrap.dedent(script)],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def test_kept_capabilities_stay_in_every_set_with_children_too_and_no_other() -> None:
    kept = run(
        """
        before = mine()
        keep_only(CAP_NET_ADMIN)
        may = may_administer_network()
        print(json.dumps({"before": before["CapEff"], "mine": mine(), "child": childs(), "may": may}))
        """
    )
    only = 1 << CAP_NET_ADMIN
    assert kept["before"] != only
    expected = dict.fromkeys(("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"), only) | {"NoNewPrivs": 1}
    assert kept["mine"] == expected
    assert kept["child"] == expected
    assert kept["may"] is True


def test_keeping_nothing_leaves_nothing_to_anybody() -> None:
    kept = run(
        """
        keep_only()
        print(json.dumps({"mine": mine(), "child": childs(), "may": may_administer_network()}))
        """
    )
    nothing = {"CapInh": 0, "CapPrm": 0, "CapEff": 0, "CapBnd": 0, "CapAmb": 0, "NoNewPrivs": 1}
    assert kept == {"mine": nothing, "child": nothing, "may": False}


def test_what_was_never_held_cannot_be_kept_and_the_caller_is_told() -> None:
    told = run(
        """
        keep_only()
        try:
            keep_only(CAP_NET_ADMIN)
        except BackendError as error:
            print(json.dumps({"code": error.code, "effective": effective_capabilities()}))
        """
    )
    assert told == {"code": "privilege-drop", "effective": 0}


def test_another_thread_would_keep_everything_so_it_is_refused() -> None:
    told = run(
        """
        stay = threading.Event()
        threading.Thread(target=stay.wait, daemon=True).start()
        try:
            keep_only()
        except BackendError as error:
            print(json.dumps({"code": error.code}), flush=True)
        stay.set()
        """
    )
    assert told == {"code": "privilege-drop"}


def test_an_ordinary_user_can_give_up_the_little_there_is() -> None:
    around = () if os.getuid() else ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
    if around and shutil.which("setpriv") is None:
        pytest.skip("missing tool: setpriv")
    kept = run(
        """
        keep_only()
        print(json.dumps({"effective": effective_capabilities(), "set": mine()["NoNewPrivs"]}))
        """,
        *(around or ("env",)),
    )
    assert kept == {"effective": 0, "set": 1}


ORPHAN = """
import os, signal, subprocess, sys, time
child = '''
import os, sys, time
from gateway.process.privilege import die_with_parent, keep_only
die_with_parent(int(sys.argv[1]))
keep_only()
print(os.getpid(), flush=True)
time.sleep(60)
'''
process = subprocess.Popen([sys.executable, "-c", child, str(os.getpid())], stdout=subprocess.PIPE)
print(process.stdout.readline().decode().strip(), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_child_ends_with_its_parent_even_after_it_gave_up_its_capabilities() -> None:
    done = subprocess.run(
        [sys.executable, "-c", ORPHAN], capture_output=True, text=True, timeout=20, check=False
    )
    child = int(done.stdout)
    deadline = 200
    while deadline and _runs(child):
        deadline -= 1
        subprocess.run(["sleep", "0.02"], check=True)
    assert not _runs(child)


def _runs(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:  # noqa: PTH123
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_child_whose_parent_is_gone_already_ends_at_once() -> None:
    program = (
        "from gateway.process.privilege import die_with_parent; die_with_parent(1 << 22); print('alive')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=20, check=False
    )
    assert (done.returncode, done.stdout) == (-15, "")
