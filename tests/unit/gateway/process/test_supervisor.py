"""Roles are started in order, started again when they end, and stopped in the opposite order."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from typing import TYPE_CHECKING, Any

import pytest

from gateway.process import supervisor
from gateway.process.supervisor import Supervisor, role_command, role_failure
from zones.errors import BackendError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.timeout(30)

SERVE = "print('ready', flush=True); import time; time.sleep(60)"
# Says when it began and when it was told to stop.
TOLD = """
import signal, sys, time
log = open(sys.argv[1], "a")
print("begin", sys.argv[2], file=log, flush=True)
def stop(*_):
    print("end", sys.argv[2], file=log, flush=True)
    sys.exit()
signal.signal(signal.SIGTERM, stop)
print("ready", flush=True)
time.sleep(60)
"""


def program(text: str, *arguments: str) -> list[str]:
    return [sys.executable, "-S", "-c", text, *arguments]


class Told:
    """What the supervisor tells of its roles."""

    def __init__(self) -> None:
        self.said: list[tuple[str, str, dict[str, Any]]] = []

    def __call__(self, role: Any, event: str, **fields: Any) -> None:
        self.said.append((role.name, event, fields))

    def of(self, event: str) -> list[tuple[str, dict[str, Any]]]:
        return [(name, fields) for name, said, fields in self.said if said == event]


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(15):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_roles_start_one_after_another_and_stop_backwards(tmp_path: Path) -> None:
    log, told = tmp_path / "log", Told()
    roles = [(name, program(TOLD, str(log), name)) for name in ("one", "two", "three")]
    watched = Supervisor(roles, told)
    await watched.start()
    assert [name for name, _ in told.of("role-started")] == ["one", "two", "three"]
    assert all(role.pid is not None for role in watched.roles)
    await watched.stop()
    lines = log.read_text().split("\n")
    assert lines[:3] == ["begin one", "begin two", "begin three"]
    assert lines[3:6] == ["end three", "end two", "end one"]
    assert all(role.pid is None for role in watched.roles)


async def test_each_role_is_ready_before_the_next_is_started(tmp_path: Path) -> None:
    sign = tmp_path / "sign"
    slow = f"import pathlib, time; time.sleep(0.3); pathlib.Path({str(sign)!r}).touch(); {SERVE}"
    quick = f"import pathlib, sys; sys.exit(3) if not pathlib.Path({str(sign)!r}).exists() else 0; {SERVE}"
    watched = Supervisor([("slow", program(slow)), ("quick", program(quick))], Told())
    try:
        await watched.start()
    finally:
        await watched.stop()


async def test_a_role_that_ends_is_started_again_and_both_are_told() -> None:
    told = Told()
    watched = Supervisor([("one", program(SERVE)), ("two", program(SERVE))], told)
    try:
        await watched.start()
        first, other = watched.roles[0].pid, watched.roles[1].pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        await until(lambda: len(told.of("role-started")) == 3)
        assert told.of("role-ended") == [("one", {"restarts": 0, "signal": "SIGKILL"})]
        assert told.of("role-started")[2] == ("one", {"role_pid": watched.roles[0].pid, "restarts": 1})
        assert watched.roles[0].pid != first
        assert watched.roles[1].pid == other
    finally:
        await watched.stop()


async def test_a_role_that_keeps_dying_is_waited_for_longer_and_longer(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    waits: list[float] = []
    sleep = asyncio.sleep

    async def short(seconds: float) -> None:
        if seconds >= 0.2:
            waits.append(seconds)
        await sleep(0.01)

    monkeypatch.setattr(asyncio, "sleep", short)
    # Ready at first, then only in its grave.
    once = f"""
import pathlib, sys
mark = pathlib.Path({str(tmp_path / "mark")!r})
if mark.exists():
    sys.exit(7)
mark.touch()
print("ready", flush=True)
"""
    told = Told()
    watched = Supervisor([("one", program(once))], told)
    try:
        await watched.start()
        await until(lambda: len(waits) > 9)
    finally:
        await watched.stop()
    assert waits == sorted(waits)
    assert waits[:4] == [0.4, 0.8, 1.6, 3.2]
    assert waits[-1] == 30.0
    assert {fields.get("exit_code") for _, fields in told.of("role-ended")[1:]} == {7}


async def test_a_role_that_dies_before_it_is_ready_ends_the_start_with_its_own_words() -> None:
    dying = """
import json
print(json.dumps({"error": "spool-in-use", "params": {"path": "/x"}}), flush=True)
raise SystemExit(3)
"""
    told = Told()
    watched = Supervisor([("one", program(SERVE)), ("two", program(dying)), ("three", program(SERVE))], told)
    with pytest.raises(BackendError) as refused:
        await watched.start()
    assert (refused.value.code, refused.value.params) == ("spool-in-use", {"path": "/x"})
    assert [name for name, _ in told.of("role-started")] == ["one"]
    assert watched.roles[2].process is None
    await watched.stop()
    assert watched.roles[0].pid is None


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("", "role-failed"),
        ("Traceback (most recent call last)", "role-failed"),
        ("[1, 2]", "role-failed"),
        ('{"error": "x"}', "role-failed"),
        ('{"error": "x", "params": 3}', "role-failed"),
        ('{"error": "x", "params": {"n": 1}}', "x"),
    ],
)
def test_last_words_that_say_nothing_become_an_exit_code(words: str, code: str) -> None:
    error = role_failure("mail", words, 9)
    assert error.code == code
    if code == "role-failed":
        assert error.params == {"role": "mail", "code": 9}


async def test_a_role_that_never_gets_ready_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "READY_SECONDS", 0.3)
    watched = Supervisor([("one", program("import time; time.sleep(60)"))], Told())
    with pytest.raises(BackendError) as refused:
        await watched.start()
    assert refused.value.code == "role-not-ready"
    assert watched.roles[0].pid is None
    await watched.stop()


async def test_a_role_that_talks_without_end_is_ended_as_one_that_failed() -> None:
    endless = "import sys, time; sys.stdout.write('x' * 200_000); sys.stdout.flush(); time.sleep(60)"
    watched = Supervisor([("one", program(endless))], Told())
    with pytest.raises(BackendError) as refused:
        await watched.start()
    assert refused.value.code == "role-failed"
    assert watched.roles[0].pid is None


async def test_a_role_that_does_not_listen_is_killed_with_what_it_started(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(supervisor, "STOP_SECONDS", 0.3)
    place = tmp_path / "child"
    deaf = f"""
import pathlib, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(60)"])
pathlib.Path({str(place)!r}).write_text(str(child.pid))
print("ready", flush=True)
time.sleep(60)
"""
    watched = Supervisor([("one", program(deaf))], Told())
    await watched.start()
    child = int(place.read_text())
    await watched.stop()
    assert watched.roles[0].pid is None
    await until(lambda: not alive(child))


def alive(pid: int) -> bool:
    """Return whether a process runs; a zombie nobody reaps is dead."""
    try:
        with open(f"/proc/{pid}/stat") as file:  # noqa: PTH123
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def test_stopping_while_a_role_is_being_started_again_leaves_nobody(tmp_path: Path) -> None:
    place = tmp_path / "pid"
    # The second life is slow to get ready.
    text = f"""
import os, pathlib, time
place = pathlib.Path({str(place)!r})
again = place.exists()
place.write_text(str(os.getpid()))
if not again:
    print("ready", flush=True)
    raise SystemExit
time.sleep(60)
"""
    watched = Supervisor([("one", program(text))], Told())
    await watched.start()
    first = place.read_text()
    await until(lambda: place.read_text() not in ("", first))
    await watched.stop()
    assert not alive(int(place.read_text()))


async def test_a_host_that_cannot_start_a_role_now_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    told = Told()
    watched = Supervisor([("one", program(SERVE))], told)
    launch = asyncio.create_subprocess_exec
    refusals = 2

    async def scarce(*arguments: Any, **options: Any) -> Any:
        nonlocal refusals
        if refusals:
            refusals -= 1
            raise BlockingIOError(11, "Resource temporarily unavailable")
        return await launch(*arguments, **options)

    try:
        await watched.start()
        monkeypatch.setattr(asyncio, "create_subprocess_exec", scarce)
        assert watched.roles[0].pid is not None
        os.kill(watched.roles[0].pid, signal.SIGKILL)
        await until(lambda: len(told.of("role-started")) == 2)
        assert refusals == 0
    finally:
        await watched.stop()


def test_a_role_is_run_by_this_very_installation() -> None:
    assert role_command("mail", "--x", "1") == [sys.executable, "-m", "gateway.roles", "mail", "--x", "1"]
