"""The last layer: a filter that leaves a worker the system calls of pure computation, and no others.

An allow-list. No call that takes a path, an address or another process's id is on it, so there is nothing
to open, connect, execute, trace, signal or fork, whatever runs inside. Denied calls fail with EPERM; a
call of a foreign architecture (a way around filters by number) kills the process. The program is classic
BPF as in seccomp(2), a few dozen instructions, built here rather than by a library we would have to trust.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
from typing import NamedTuple

_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _FILTER = 38, 22, 2
_ALLOW, _KILL, _ERRNO_EPERM = 0x7FFF0000, 0x80000000, 0x00050001
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_AT_NUMBER, _AT_ARCH, _AT_THIRD_ARGUMENT = 0, 4, 32  # struct seccomp_data, little-endian machines
_PROT_EXEC = 4
_X32_BIT = 0x40000000


class _Machine(NamedTuple):
    audit_arch: int
    has_x32: bool
    plain: tuple[int, ...]
    mappings: tuple[int, ...]  # mmap, mprotect: allowed unless they make memory executable


# read write close fstat lseek munmap brk rt_sigaction rt_sigprocmask rt_sigreturn sched_yield mremap madvise
# getpid exit gettimeofday sigaltstack gettid time futex restart_syscall clock_gettime clock_getres
# exit_group getrandom
_MACHINES = {
    "x86_64": _Machine(
        audit_arch=0xC000003E,
        has_x32=True,
        plain=(
            *(0, 1, 3, 5, 8, 11, 12, 13, 14, 15, 24, 25, 28, 39, 60, 96, 131),
            *(186, 201, 202, 219, 228, 229, 231, 318),
        ),
        mappings=(9, 10),
    ),
    "aarch64": _Machine(
        audit_arch=0xC00000B7,
        has_x32=False,
        plain=(
            *(63, 64, 57, 80, 62, 215, 214, 134, 135, 139, 124, 216, 233, 172, 93, 169, 132),
            *(178, 98, 128, 113, 114, 94, 278),
        ),
        mappings=(222, 226),
    ),
}


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def is_supported() -> bool:
    """Tell whether there is a filter for this machine."""
    return platform.machine() in _MACHINES


def apply() -> None:
    """Confine the calling process, for good.

    Raises:
        OSError: the kernel refused, or the machine is one we have no filter for.
    """
    machine = _MACHINES.get(platform.machine())
    if machine is None:
        raise OSError(f"no system call filter for {platform.machine()}")
    code = program(machine)
    libc = ctypes.CDLL(None, use_errno=True)
    filter_ = _Program(len(code) // 8, code)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(
        _PR_SET_SECCOMP, _FILTER, ctypes.byref(filter_), 0, 0
    ):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def program(machine: _Machine) -> bytes:
    """Return the filter: eight bytes an instruction (code, jump if true, jump if false, operand)."""
    out = [
        _instruction(_LOAD, 0, 0, _AT_ARCH),
        _instruction(_EQUAL, 1, 0, machine.audit_arch),
        _instruction(_RETURN, 0, 0, _KILL),
        _instruction(_LOAD, 0, 0, _AT_NUMBER),
    ]
    if machine.has_x32:
        out += [_instruction(_AT_LEAST, 0, 1, _X32_BIT), _instruction(_RETURN, 0, 0, _KILL)]
    for number in machine.plain:
        out += [_instruction(_EQUAL, 0, 1, number), _instruction(_RETURN, 0, 0, _ALLOW)]
    for number in machine.mappings:
        out += [
            _instruction(_EQUAL, 0, 4, number),
            _instruction(_LOAD, 0, 0, _AT_THIRD_ARGUMENT),
            _instruction(_ANY_BIT, 0, 1, _PROT_EXEC),
            _instruction(_RETURN, 0, 0, _ERRNO_EPERM),
            _instruction(_RETURN, 0, 0, _ALLOW),
        ]
    out.append(_instruction(_RETURN, 0, 0, _ERRNO_EPERM))
    return b"".join(out)


def _instruction(code: int, if_true: int, if_false: int, operand: int) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, operand)
