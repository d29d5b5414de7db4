"""The few system calls a lab needs and Python 3.11 has no name for.

Standard library only: the holder and the door into a node run as isolated interpreters without site-packages.
"""

from __future__ import annotations

import array
import ctypes
import fcntl
import os
import socket
import struct
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_NOSUID, MS_NODEV, MS_NOEXEC = 2, 4, 8
MS_BIND, MS_REC = 4096, 16384
MNT_DETACH = 2
_PR_SET_PDEATHSIG = 1
_SIOCETHTOOL = 0x8946

# linux/ethtool.h: transmit checksums, scatter-gather, TCP and generic segmentation, generic receive offload.
# Off, a frame in a capture or behind a raw socket is what a wire would carry: whole, and with its checksum.
_OFFLOADS = {"tx": 0x17, "sg": 0x19, "tso": 0x1F, "gso": 0x24, "gro": 0x2C}

_libc = ctypes.CDLL(None, use_errno=True)


def setns(descriptor: int, kind: int) -> None:
    """Enter the namespace an open /proc/PID/ns file stands for."""
    _check(_libc.setns(descriptor, kind), "setns")


def unshare(kinds: int) -> None:
    """Leave the namespaces of these kinds for new ones."""
    _check(_libc.unshare(kinds), "unshare")


def mount(source: str, target: str, kind: str, flags: int, data: str = "") -> None:
    """Put a file system, or with MS_BIND another path, where `target` is."""
    arguments = (source.encode(), os.fsencode(target), kind.encode(), ctypes.c_ulong(flags), data.encode())
    _check(_libc.mount(*arguments), f"mount {target}")


def unmount(target: str) -> None:
    """Detach what is mounted at `target`."""
    _check(_libc.umount2(os.fsencode(target), MNT_DETACH), f"umount {target}")


def die_with_parent(number: int) -> None:
    """Have the kernel send this process a signal when its parent ends."""
    _check(_libc.prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(number), 0, 0, 0), "prctl")


def host_name(name: str) -> None:
    """Set the host name of this UTS namespace."""
    socket.sethostname(name)


@contextmanager
def network_namespace(path: str) -> Iterator[None]:
    """Work inside the network namespace at `path`, then come back."""
    home, there = os.open("/proc/self/ns/net", os.O_RDONLY), os.open(path, os.O_RDONLY)
    try:
        setns(there, CLONE_NEWNET)
        yield
    finally:
        setns(home, CLONE_NEWNET)
        os.close(there)
        os.close(home)


def offloads_off(interface: str) -> None:
    """Switch off checksum and segmentation offload, as `ethtool -K` would, without needing it installed."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        for command in _OFFLOADS.values():
            value = array.array("B", struct.pack("=II", command, 0))
            address, _ = value.buffer_info()
            fcntl.ioctl(control, _SIOCETHTOOL, struct.pack("16sP", interface.encode(), address))


def started(pid: int) -> int | None:
    """Return the start time of a process in clock ticks since boot, None when there is no such process.

    PIDs are used again; PID and start time together are not (proc(5), field 22 of stat).
    """
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123  (pathlib costs the door its start-up time)
            stat = file.read()
    except OSError:
        return None
    # The name in parentheses may hold anything; what follows its last one may not.
    fields = stat[stat.rindex(b")") + 2 :].split()
    return None if fields[0] in (b"Z", b"X") else int(fields[19])


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)
