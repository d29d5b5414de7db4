"""The one process a lab hangs on: PID 1 of its PID namespace, holding its mounts and network namespaces.

Run as a program by `topology.namespaces`, in fresh namespaces, with one end of a socket pair as its input:

    driver → holder   {"steps": [...], "hosts": "..."}     then the holder builds
    holder → driver   {"hello": true}                      namespaces exist; credentials carry our PID
    holder → driver   {"ready": true, "missing": [...]}    or {"failed": "...", "where": "..."}
    driver → holder   "go"                                 the state file is on disk; the socket closes

Until "go", the end of the socket ends the holder: a driver that dies half-way leaves nothing behind. After
it, nothing but a signal from outside does, and the kernel then ends every process in the lab and frees every
namespace. There is no tear-down code that could be incomplete.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
from contextlib import suppress

if __name__ == "__main__":
    # Isolated interpreter (-I -S): our package is found beside this file, nothing else is.
    sys.path.append(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))  # noqa: PTH100, PTH120

from topology import kernel

STEP_SECONDS = 20.0
NETNS = "/run/netns"
HOSTS = "/run/masugata-hosts"
RESOLV = "/run/masugata-resolv.conf"


class BuildFailed(Exception):
    """A step could not be done: which, and what the tool said."""

    def __init__(self, where: str, said: str) -> None:
        super().__init__(where, said)
        self.where, self.said = where, said


def main() -> int:
    """Build the lab, say so, and stay until told to go."""
    kernel.die_with_parent(signal.SIGKILL)
    os.chdir("/")
    with socket.socket(fileno=os.dup(0)) as driver:
        os.close(0)
        os.open(os.devnull, os.O_RDONLY)
        if not _build_for(driver):
            return 1
    _stay()
    return 0


def _build_for(driver: socket.socket) -> bool:
    """Talk with the driver; return whether it wants the lab to stay."""
    _send(driver, {"hello": True})
    with driver.makefile("rb") as lines:
        request = json.loads(lines.readline() or "null")
        if request is None:
            return False
        try:
            private_run()
            name_hosts(request["hosts"])
            missing = [line for step in request["steps"] for line in perform(*step)]
        except BuildFailed as failure:
            _send(driver, {"failed": failure.said, "where": failure.where})
            return False
        except OSError as error:
            _send(driver, {"failed": error.strerror or str(error), "where": str(error.filename)})
            return False
        _send(driver, {"ready": True, "missing": missing})
        return lines.readline() == b"go\n"


def _send(driver: socket.socket, message: dict[str, object]) -> None:
    driver.sendall(json.dumps(message).encode() + b"\n")


def _stay() -> None:
    """Reap what is orphaned in this PID namespace, for ever."""
    awaited = {signal.SIGCHLD, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, awaited)
    while True:
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG) != (0, 0):
                pass
        if signal.sigwait(awaited) == signal.SIGTERM:
            return


def private_run() -> None:
    """Give the lab a /run of its own, in which everything that was there is still there.

    `ip netns` insists on /run/netns, which an ordinary user cannot make; a bare tmpfs would hide sockets and
    the user's runtime directory.
    """
    entries = []
    for name in sorted(os.listdir("/run")):  # noqa: PTH208
        if name != "netns":
            with suppress(OSError):
                entries.append((name, os.open(f"/run/{name}", os.O_PATH | os.O_NOFOLLOW)))
    kernel.mount("tmpfs", "/run", "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, "mode=0755,size=16m")
    os.mkdir(NETNS, 0o755)  # noqa: PTH102
    for name, descriptor in entries:
        # One odd entry (a dead FUSE mount, say) must not cost the lab.
        with suppress(OSError):
            _bring_back(f"/run/{name}", descriptor)
        os.close(descriptor)


def _bring_back(path: str, descriptor: int) -> None:
    kind = os.fstat(descriptor).st_mode
    if stat.S_ISLNK(kind):
        os.symlink(os.readlink("", dir_fd=descriptor), path)  # noqa: PTH211
        return
    if stat.S_ISDIR(kind):
        os.mkdir(path)  # noqa: PTH102
    else:
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
    # Recursively: a mount we inherited may not be shown without those below it (mount_namespaces(7)).
    kernel.mount(f"/proc/self/fd/{descriptor}", path, "", kernel.MS_BIND | kernel.MS_REC)


def name_hosts(hosts: str) -> None:
    """Let nodes call each other by name, and let every other name fail at once instead of hanging."""
    for target, path, content in (
        ("/etc/hosts", HOSTS, hosts),
        ("/etc/resolv.conf", RESOLV, "# a lab has no resolver\n"),
    ):
        with open(path, "w", encoding="utf-8") as file:  # noqa: PTH123
            file.write(content)
        with suppress(OSError):
            kernel.mount(path, os.path.realpath(target), "", kernel.MS_BIND)


def perform(namespace: str, tool: str, lines: list[str]) -> list[str]:
    """Do one step; return the optional settings this kernel has not.

    Raises:
        BuildFailed: the tool refused; with its words.
    """
    if not namespace:
        return _TOOLS[tool](lines, "lab")
    with kernel.network_namespace(f"{NETNS}/{namespace}"):
        return _TOOLS[tool](lines, namespace)


def _ip(lines: list[str], where: str) -> list[str]:
    batch = "\n".join(lines) + "\n"
    try:
        done = subprocess.run(
            ["ip", "-batch", "-"],
            input=batch,
            capture_output=True,
            text=True,
            timeout=STEP_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise BuildFailed(where, f"ip -batch took longer than {STEP_SECONDS} s") from None
    if done.returncode != 0:
        raise BuildFailed(where, _with_line(done.stderr.strip(), lines))
    return []


def _with_line(said: str, lines: list[str]) -> str:
    """Return what `ip` said, and the line it said it about (`Command failed -:3`)."""
    _, _, number = said.rpartition("-:")
    line = lines[int(number) - 1] if number.isdigit() and 0 < int(number) <= len(lines) else ""
    return f"{said.splitlines()[0] if said else 'failed'}: ip {line}"


def _sysctl(lines: list[str], where: str) -> list[str]:
    missing = []
    for line in lines:
        key, _, value = line.removeprefix("-").partition("=")
        try:
            with open("/proc/sys/" + key.replace(".", "/"), "w", encoding="ascii") as file:  # noqa: PTH123
                file.write(value)
        except OSError as error:
            if not line.startswith("-"):
                raise BuildFailed(where, f"sysctl {key}: {error.strerror}") from None
            missing.append(f"{where}: {key}={value}")
    return missing


def _offload(lines: list[str], where: str) -> list[str]:
    for interface in lines:
        try:
            kernel.offloads_off(interface)
        except OSError as error:
            raise BuildFailed(where, f"offload of {interface}: {error.strerror}") from None
    return []


_TOOLS = {"ip": _ip, "sysctl": _sysctl, "offload": _offload}


if __name__ == "__main__":
    sys.exit(main())
