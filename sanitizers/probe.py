"""What a worker must not be able to do, tried by a worker: if one of these works, none is started."""

from __future__ import annotations

import ctypes
import mmap
import os
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_PTRACE_ATTACH = 16


def escapes() -> list[str]:
    """Return the names of the forbidden acts that succeeded; call it in a confined process only."""
    return [name for name, act in _ACTS.items() if _succeeds(act)]


def _succeeds(act: Callable[[], object]) -> bool:
    try:
        act()
    except OSError:
        return False
    return True


def _fork() -> None:
    if os.fork() == 0:
        os._exit(0)


def _libc(name: str, *arguments: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*arguments) < 0:
        raise OSError(ctypes.get_errno(), name)


_ACTS: Mapping[str, Callable[[], object]] = {
    "internet socket": lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM),
    "internet socket, IPv6": lambda: socket.socket(socket.AF_INET6, socket.SOCK_DGRAM),
    "netlink socket": lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW),
    "unix socket": lambda: socket.socket(socket.AF_UNIX, socket.SOCK_STREAM),
    "read a file": lambda: os.open("/etc/passwd", os.O_RDONLY),
    "write a file": lambda: os.open("/tmp/masugata-probe", os.O_WRONLY | os.O_CREAT, 0o600),  # noqa: S108
    "list a directory": lambda: os.scandir("/"),
    "own memory as a file": lambda: os.open("/proc/self/mem", os.O_RDWR),
    "pipe": os.pipe,
    "fork": _fork,
    "signal the gateway": lambda: os.kill(os.getppid(), 0),
    "trace the gateway": lambda: _libc("ptrace", _PTRACE_ATTACH, os.getppid(), 0, 0),
    "executable memory": lambda: mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC),
    "namespace": lambda: _libc("unshare", 0x10000000),
    "become root": lambda: os.setresuid(0, 0, 0),
    "execute": lambda: os.execv("/bin/true", ["true"]),  # noqa: S606 (last: success ends the probe)
}
