"""What a worker gives up, in two steps, each with a name that provenance repeats.

The warm parent enters its own empty network, drops its capabilities, its user id where it can and the way
back. It never reads a byte from outside, so it may still open files. Each child then takes limits and the
system call filter, and only after that reads its input. `REQUIRED` must hold or no worker starts; the
others depend on what the kernel or a container permits.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal

from sanitizers import seccomp

NETWORK, CAPABILITIES, NO_NEW_PRIVILEGES = "network-namespace", "no-capabilities", "no-new-privileges"
BOUNDING, USER, RLIMITS, SECCOMP = "empty-bounding-set", "unprivileged-user", "rlimits", "seccomp"
REQUIRED = frozenset({CAPABILITIES, NO_NEW_PRIVILEGES, RLIMITS, SECCOMP})

_NOBODY = 65534
_CLONE_NEWIPC, _CLONE_NEWUSER, _CLONE_NEWNET = 0x08000000, 0x10000000, 0x40000000
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS, _PR_GET_NO_NEW_PRIVS = (
    1,
    4,
    24,
    38,
    39,
)
_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL = 47, 4
_CAP_VERSION_3 = 0x20080522
_HIGHEST_CAPABILITY = 63


def confine_parent() -> tuple[str, ...]:
    """Take away what the warm parent does not need; return the layers now in force.

    Raises:
        OSError: no_new_privs or the dropping of capabilities failed.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    layers = [NETWORK] if libc.unshare(_CLONE_NEWNET | _CLONE_NEWIPC) == 0 else []
    bounded = _drop_bounding_set(libc)
    if _become_nobody():
        layers.append(USER)
    # Without privilege the kernel may still give us a network of our own, inside a user namespace.
    if NETWORK not in layers and libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET | _CLONE_NEWIPC) == 0:
        layers.append(NETWORK)
    if _drop_bounding_set(libc) or bounded:
        layers.append(BOUNDING)
    _drop_capabilities(libc)
    layers.append(CAPABILITIES)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(_PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1:
        raise OSError(ctypes.get_errno(), "no_new_privs")
    layers.append(NO_NEW_PRIVILEGES)
    _harden(libc)
    return tuple(layers)


def confine_child(*, memory_bytes: int, cpu_seconds: int) -> None:
    """Take limits and the system call filter; from here on only computing, reading and writing is left.

    Raises:
        OSError: a limit or the filter was refused.
    """
    _harden(ctypes.CDLL(None, use_errno=True))
    limits = {
        resource.RLIMIT_AS: memory_bytes,
        resource.RLIMIT_CPU: cpu_seconds,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_NPROC: 0,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NOFILE: 0,  # what is open stays open; nothing new can be
    }
    for name, limit in limits.items():
        resource.setrlimit(name, (limit, limit))
    seccomp.apply()


CHILD_LAYERS = (RLIMITS, SECCOMP)


def _harden(libc: ctypes.CDLL) -> None:
    # Changing user ids clears both: die with the parent, and let nobody attach or read our memory.
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def _become_nobody() -> bool:
    """Leave user id 0; in a user namespace that maps one id only there is no other to become."""
    if os.geteuid() != 0:
        return True
    try:
        os.setgroups([])
        os.setresgid(_NOBODY, _NOBODY, _NOBODY)
        os.setresuid(_NOBODY, _NOBODY, _NOBODY)
    except OSError:
        return False
    return True


def _drop_bounding_set(libc: ctypes.CDLL) -> bool:
    results = [libc.prctl(_PR_CAPBSET_DROP, number, 0, 0, 0) for number in range(_HIGHEST_CAPABILITY + 1)]
    # Numbers above the kernel's last capability fail: there is nothing to drop.
    return bool(results[0] == 0)


def _drop_capabilities(libc: ctypes.CDLL) -> None:
    libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    header = (ctypes.c_uint32 * 2)(_CAP_VERSION_3, 0)
    nothing = (ctypes.c_uint32 * 6)()
    left = (ctypes.c_uint32 * 6)()
    if libc.capset(header, nothing) or libc.capget(header, left) or any(left):
        raise OSError(ctypes.get_errno(), "capset")
