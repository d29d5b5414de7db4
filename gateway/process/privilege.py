"""Give up what a role does not need: capabilities, and the way to get them back.

capabilities(7), prctl(2). A role keeps at most the named capabilities in all five sets; they stay with its
own children (ambient set) and nothing can add to them (bounding set, no_new_privs).
"""

from __future__ import annotations

import ctypes
import os
import signal
import struct
from pathlib import Path

from zones.errors import BackendError

CAP_NET_ADMIN = 12

_PR_SET_PDEATHSIG, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS, _PR_CAP_AMBIENT = 1, 24, 38, 47
_AMBIENT_RAISE, _AMBIENT_CLEAR_ALL = 2, 4
_CAPABILITY_VERSION_3 = 0x20080522
_libc = ctypes.CDLL(None, use_errno=True)


def _prctl(option: int, argument: int = 0, third: int = 0) -> None:
    arguments = [ctypes.c_ulong(value) for value in (argument, third, 0, 0)]
    if _libc.prctl(option, *arguments) != 0:
        raise OSError(ctypes.get_errno(), f"prctl {option}")


def effective_capabilities() -> int:
    """Return the effective capability set of this process as a bit mask."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("CapEff:"):
            return int(line.split()[1], 16)
    return 0


def may_administer_network() -> bool:
    """Return whether this process holds CAP_NET_ADMIN where it runs."""
    return bool(effective_capabilities() >> CAP_NET_ADMIN & 1)


def keep_only(*capabilities: int) -> None:
    """Drop every other capability for good, from this process and all it will start.

    Raises:
        BackendError: the kernel refused, another thread is there, or a capability is left afterwards.
    """
    mask = sum(1 << capability for capability in capabilities)
    # Capabilities belong to a thread: another one would keep them all, in the same memory.
    if len(os.listdir("/proc/self/task")) != 1:  # noqa: PTH208
        raise BackendError("privilege-drop", detail="another thread is running already")
    try:
        _prctl(_PR_CAP_AMBIENT, _AMBIENT_CLEAR_ALL)
        last = int(Path("/proc/sys/kernel/cap_last_cap").read_text(encoding="ascii"))
        for capability in range(last + 1):
            if not mask >> capability & 1:
                _drop_from_bounding_set(capability)
        _set_capabilities(mask)
        for capability in capabilities:
            _prctl(_PR_CAP_AMBIENT, _AMBIENT_RAISE, capability)
        _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    except OSError as error:
        raise BackendError("privilege-drop", detail=str(error)) from error
    if effective_capabilities() & ~mask:
        raise BackendError("privilege-drop", detail="a capability is still effective")


def _drop_from_bounding_set(capability: int) -> None:
    try:
        _prctl(_PR_CAPBSET_DROP, capability)
    except OSError:
        # Without CAP_SETPCAP nobody may shrink the set; no_new_privs makes what is left in it useless.
        if effective_capabilities() >> 8 & 1:
            raise


def _set_capabilities(mask: int) -> None:
    header = struct.pack("=Ii", _CAPABILITY_VERSION_3, 0)
    low, high = mask & 0xFFFFFFFF, mask >> 32
    data = struct.pack("=6I", low, low, low, high, high, high)
    if _libc.capset(header, data) != 0:
        raise OSError(ctypes.get_errno(), "capset")


def die_with_parent(parent: int) -> None:
    """Ask the kernel to end this process when its supervisor ends; at once if that has happened already."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGTERM)
