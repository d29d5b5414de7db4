"""Run a plan as network namespaces, without root: one holder process, and everything hangs on it.

`Lab.up` starts `unshare` with fresh user, PID, mount and network namespaces and in them the holder
(`topology.holder`), which builds the lab. Killing the holder is the whole of the tear-down: the kernel ends
every process of its PID namespace, the mounts go with their namespace, the networks with theirs. That is true
after a crash of anything as well.

Privilege: an ordinary user who may make user namespaces, or root. Tools: `unshare`, `ip` (iproute2).
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from topology import kernel, state
from topology.state import LabState, Process
from zones.errors import BackendError, ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from topology.plan import LabPlan

UP_SECONDS = 60.0
DOWN_SECONDS = 10.0
TOOLS = {"ip": "iproute2", "unshare": "util-linux"}
"""Programs a lab needs → the Debian package that has them."""

_HERE = Path(__file__).resolve().parent
_USER = ("--user", "--map-root-user")
_REST = ("--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")


@dataclass(frozen=True, kw_only=True)
class NodeStatus:
    """A node of a running lab: what runs on it, as (host PID, command line)."""

    name: str
    processes: tuple[tuple[int, str], ...]


@dataclass(frozen=True)
class Lab:
    """A lab that was brought up. It is a value: any process of the same user may find it again by name."""

    state: LabState

    @classmethod
    def up(cls, plan: LabPlan, *, replace: bool = False) -> Lab:
        """Bring the lab up and return it; half a lab is never left.

        Raises:
            ConfigurationError: a lab of that name is up already, and is not to be replaced.
            BackendError: a tool is missing, the host refuses namespaces, or a command failed.
        """
        require_tools()
        with state.locked(plan.name):
            old = state.load(plan.name)
            if old is not None and old.alive and not replace:
                raise ConfigurationError("lab-already-up", name=plan.name, pid=old.holder.pid)
            if old is not None:
                _end(old)
            try:
                return cls(_start(plan))
            except BaseException:
                state.forget(plan.name)
                raise

    @classmethod
    def find(cls, name: str) -> Lab:
        """Return the running lab of this name; a crashed one is none, whatever it left on disk.

        Raises:
            ConfigurationError: no lab of this name is up.
        """
        for lab in cls.all():
            if lab.name == name:
                return lab
        raise ConfigurationError("lab-not-up", name=name)

    @classmethod
    def all(cls) -> list[Lab]:
        """Return every running lab of this user."""
        found = [(name, state.load(name)) for name in state.names()]
        return [cls(saved) for name, saved in found if saved is not None and saved.alive]

    @property
    def name(self) -> str:
        """Return the name the lab file gives."""
        return self.state.name

    @property
    def alive(self) -> bool:
        """Return whether the lab still stands."""
        return self.state.alive

    @cached_property
    def plan(self) -> LabPlan:
        """Return the plan this lab was made from."""
        # Imported here: running a program in a node must not wait for the schema library.
        from topology.plan import load_plan

        return load_plan(self.state.text, self.state.file)

    def down(self) -> None:
        """End every process of the lab and free its namespaces; nothing happens when it is down already.

        Raises:
            BackendError: the kernel did not end them within `DOWN_SECONDS`.
        """
        with state.locked(self.name):
            _end(self.state)

    def command(self, node: str, arguments: Sequence[str]) -> list[str]:
        """Return the command that runs `arguments` on a node: its network, host name and the lab's PIDs.

        It keeps the caller's environment and working directory, passes signals through and ends with the
        program's exit status (125: the lab is gone; 126, 127: the program cannot run).

        Raises:
            ConfigurationError: the lab is down, or has no such node.
        """
        if not self.alive:
            raise ConfigurationError("lab-not-up", name=self.name)
        if not self._network(node).exists():
            self.plan.node(node)
            raise ConfigurationError("lab-not-up", name=self.name)
        holder = self.state.holder
        door = (sys.executable, "-I", "-S", str(_HERE / "enter.py"), str(holder.pid), str(holder.started))
        return [*door, node, *arguments]

    def popen(self, node: str, arguments: Sequence[str], **options: Any) -> subprocess.Popen[Any]:
        """Start a program on a node; `options` are those of `subprocess.Popen`."""
        return subprocess.Popen(self.command(node, arguments), **options)

    def run(
        self, node: str, arguments: Sequence[str], *, timeout: float, **options: Any
    ) -> subprocess.CompletedProcess[str]:
        """Run a program on a node to its end and return its output as text.

        Raises:
            subprocess.TimeoutExpired: it took longer than `timeout` seconds, and was killed.
        """
        options = {"capture_output": True, "text": True, **options}
        check = options.pop("check", False)
        return subprocess.run(self.command(node, arguments), timeout=timeout, check=check, **options)

    def status(self) -> tuple[NodeStatus, ...]:
        """Return every node with the processes on it, the holder itself left out."""
        running = self._processes()
        names = (*self.plan.nodes, "switch")
        return tuple(NodeStatus(name=name, processes=tuple(running.get(name, ()))) for name in names)

    def _network(self, node: str) -> Path:
        return Path(f"/proc/{self.state.holder.pid}/root/run/netns/{node}")

    def _processes(self) -> dict[str, list[tuple[int, str]]]:
        """Return (host PID, command line) by node, found by PID and network namespace."""
        holder = self.state.holder.pid
        inside = _namespace(holder, "pid")
        networks = {self._network(name).stat().st_ino: name for name in (*self.plan.nodes, "switch")}
        found: dict[str, list[tuple[int, str]]] = {}
        for pid in sorted(int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()):
            if pid == holder or inside is None or _namespace(pid, "pid") != inside:
                continue
            node = networks.get(_namespace(pid, "net") or 0, "")
            with suppress(OSError):
                words = Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").split(b"\0")
                found.setdefault(node, []).append((pid, b" ".join(words).decode("utf-8", "replace")))
        return found


def require_tools() -> None:
    """Make sure that the programs a lab needs are installed.

    Raises:
        BackendError: one is not, with the package that has it.
    """
    for tool, package in TOOLS.items():
        if shutil.which(tool) is None:
            raise BackendError("lab-tool-missing", tool=tool, package=package)


def _namespace(pid: int, kind: str) -> int | None:
    try:
        return os.stat(f"/proc/{pid}/ns/{kind}").st_ino  # noqa: PTH116
    except OSError:
        return None


def _start(plan: LabPlan) -> LabState:
    """Start the holder; as root without a user namespace where the host refuses one."""
    try:
        return _launch(plan, _USER)
    except _Refused as refused:
        if os.geteuid() != 0:
            raise BackendError("lab-namespaces-refused", detail=refused.detail) from None
    try:
        return _launch(plan, ())
    except _Refused as refused:
        raise BackendError("lab-namespaces-refused", detail=refused.detail) from None


class _Refused(Exception):
    """`unshare` ended before the holder could speak."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


def _launch(plan: LabPlan, user: Sequence[str]) -> LabState:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    with ours, theirs:
        # The holder's PID in our namespace comes from the kernel with its first message.
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        ours.settimeout(UP_SECONDS)
        log = state.lab_directory(plan.name) / state.LOG
        supervisor = _spawn(user, theirs, log)
        theirs.close()
        try:
            return _converse(plan, ours, supervisor, log)
        except BaseException:
            _kill(supervisor)
            raise


def _spawn(user: Sequence[str], channel: socket.socket, log: Path) -> Process:
    unshare = str(shutil.which("unshare"))
    holder = (sys.executable, "-I", "-S", str(_HERE / "holder.py"))
    flags = os.O_CREAT | os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW
    actions = [
        (os.POSIX_SPAWN_DUP2, channel.fileno(), 0),
        (os.POSIX_SPAWN_OPEN, 1, str(log), flags, 0o600),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    # In a session of its own: a Ctrl-C at the terminal is not for the lab.
    pid = os.posix_spawn(
        unshare, [unshare, *user, *_REST, "--", *holder], os.environ, file_actions=actions, setsid=True,
        setsigmask=[], setsigdef=[signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD],
    )  # fmt: skip
    return Process(pid=pid, started=kernel.started(pid) or 0)


def _converse(plan: LabPlan, channel: socket.socket, supervisor: Process, log: Path) -> LabState:
    from topology.commands import build

    holder = _greeted(channel, log)
    request = {"steps": build(plan), "hosts": hosts_file(plan)}
    channel.sendall(json.dumps(request).encode() + b"\n")
    answer = _answer(channel, log)
    if "failed" in answer:
        raise BackendError("lab-step-failed", name=plan.name, where=answer["where"], detail=answer["failed"])
    saved = LabState(
        name=plan.name,
        file=plan.file,
        text=plan.text,
        digest=plan.digest,
        since=time.time(),
        supervisor=supervisor,
        holder=holder,
        missing=tuple(answer["missing"]),
    )
    state.save(saved)
    channel.sendall(b"go\n")
    return saved


def _greeted(channel: socket.socket, log: Path) -> Process:
    """Return the holder that said hello, by the PID the kernel vouches for."""
    space = socket.CMSG_SPACE(struct.calcsize("3i"))
    try:
        data, ancillary, _, _ = channel.recvmsg(64, space)
    except TimeoutError:
        raise BackendError("lab-holder-silent", seconds=UP_SECONDS, detail=_tail(log)) from None
    except ConnectionResetError:
        data, ancillary = b"", []
    if not data or not ancillary:
        raise _Refused(_tail(log))
    pid, _, _ = struct.unpack("3i", ancillary[0][2])
    return Process(pid=pid, started=kernel.started(pid) or 0)


def _answer(channel: socket.socket, log: Path) -> dict[str, Any]:
    try:
        with channel.makefile("rb") as lines:
            line = lines.readline()
    except TimeoutError:
        raise BackendError("lab-holder-silent", seconds=UP_SECONDS, detail=_tail(log)) from None
    except ConnectionResetError:
        line = b""
    if not line:
        raise BackendError("lab-holder-died", detail=_tail(log))
    answer: dict[str, Any] = json.loads(line)
    return answer


def _tail(log: Path) -> str:
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    except OSError:
        lines = []
    return "; ".join(lines[-3:]) or "no message"


def hosts_file(plan: LabPlan) -> str:
    """Return the /etc/hosts that every node of the lab sees."""
    lines = ["127.0.0.1 localhost", "::1 localhost"]
    for node in plan.nodes.values():
        lines += [f"{address.ip} {node.name}" for address in node.addresses]
    return "\n".join(lines) + "\n"


def _end(saved: LabState) -> None:
    """End the holder and with it the lab, then forget it."""
    _kill(saved.holder)
    _kill(saved.supervisor)
    remembered = state.load(saved.name)
    # Somebody may have replaced this lab by another of its name, which must not be forgotten.
    if remembered is None or remembered.holder == saved.holder:
        state.forget(saved.name)


def _kill(process: Process) -> None:
    """Kill one process, and wait until it, and for a holder its whole lab, is gone."""
    try:
        handle = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return
    try:
        # Only now, with a handle that cannot change its meaning, is the start time worth comparing.
        if kernel.started(process.pid) == process.started:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(handle, signal.SIGKILL)
            if not _gone(handle, DOWN_SECONDS):
                raise BackendError("lab-will-not-die", pid=process.pid, seconds=DOWN_SECONDS)
    finally:
        os.close(handle)
        # When it was ours, it must not stay a zombie; anybody else's is reaped by its own parent.
        with suppress(ChildProcessError):
            os.waitpid(process.pid, os.WNOHANG)


def _gone(handle: int, seconds: float) -> bool:
    import select

    poll = select.poll()
    poll.register(handle, select.POLLIN)
    return bool(poll.poll(seconds * 1000))
