"""Landlock: what a role may write and whom it may signal, where all roles have one user id.

In a user namespace with a single id, permission bits part nobody: a role that has been taken over could
write the audit log, the policy a sister reads when it is started again, or our own code. landlock(7) takes
that away for good, without privilege; it also forbids tracing any process outside (and, from ABI 6 on,
signalling it). Reading is not restricted, nor is connecting to a sister's socket.

Call it before the first thread is started: it holds for the calling thread and what that starts.
"""

from __future__ import annotations

import ctypes
import os
import struct
from typing import TYPE_CHECKING

from zones.errors import BackendError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

# The numbers are the same on every architecture (asm-generic/unistd.h).
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_CREATE_RULESET_VERSION, _RULE_PATH_BENEATH = 1, 1
_PR_SET_NO_NEW_PRIVS = 38
# linux/landlock.h: the rights that change something, with the ABI that brought them.
_WRITE_FILE, _TRUNCATE = 1 << 1, 1 << 14
_CHANGING = (
    (1, _WRITE_FILE | sum(1 << bit for bit in range(4, 13))),  # removing, and making of every kind
    (2, 1 << 13),  # moving between directories
    (3, _TRUNCATE),
)
_SCOPES = (6, 0b11)  # abstract unix sockets, signals
_DEVICES = ("/dev/null",)

_libc = ctypes.CDLL(None, use_errno=True)


def confine_writes(directories: Iterable[Path]) -> int:
    """Forbid this process every change outside `directories`; return the ABI in force, 0 for none.

    Zero means a kernel without Landlock: nothing was taken away, and somebody should be told.

    Raises:
        BackendError: the kernel has Landlock and refuses, or a directory is not there.
    """
    abi = int(_libc.syscall(_CREATE_RULESET, None, 0, _CREATE_RULESET_VERSION))
    if abi < 1:
        return 0
    rights = sum(bits for since, bits in _CHANGING if abi >= since)
    scoped = _SCOPES[1] if abi >= _SCOPES[0] else 0
    try:
        ruleset = _ruleset(rights, scoped)
        try:
            for directory in directories:
                _allow(ruleset, str(directory), rights)
            for device in _DEVICES:
                _allow(ruleset, device, rights & (_WRITE_FILE | _TRUNCATE))
            _checked(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
            _checked(_libc.syscall(_RESTRICT_SELF, ruleset, 0))
        finally:
            os.close(ruleset)
    except OSError as error:
        raise BackendError("privilege-drop", detail=f"landlock: {error}") from error
    return abi


def _ruleset(rights: int, scoped: int) -> int:
    # struct landlock_ruleset_attr: file system, network (left alone), scopes; older kernels take it shorter.
    attributes = struct.pack("=QQQ", rights, 0, scoped)[: 24 if scoped else 8]
    return _checked(_libc.syscall(_CREATE_RULESET, attributes, len(attributes), 0))


def _allow(ruleset: int, path: str, rights: int) -> None:
    beneath = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        rule = struct.pack("=Qi", rights, beneath)  # packed in the kernel's header too
        _checked(_libc.syscall(_ADD_RULE, ruleset, _RULE_PATH_BENEATH, rule, 0))
    finally:
        os.close(beneath)


def _checked(result: int) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result
