"""The machine as the probes see it: commands with a time limit, small files, and three kernel questions."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple, Protocol

COMMAND_SECONDS = 5.0
"""A healthy probe answers in hundredths of a second; a hanging one must not hang the report."""

_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, _PR_GET_NO_NEW_PRIVS = 22, 2, 39
# The same number on every architecture, as for all system calls since Linux 5.
_SYS_LANDLOCK_CREATE_RULESET, _LANDLOCK_CREATE_RULESET_VERSION = 444, 1


class Answer(NamedTuple):
    """What a command said. `ok` is exit status 0 within the time limit; `text` its first line."""

    ok: bool
    text: str


class Host(Protocol):
    """What the probes need of a machine; tests hold one in memory."""

    def find(self, command: str) -> str | None:
        """Return the path of a command, or None."""

    def run(self, arguments: list[str], stdin: str = "") -> Answer:
        """Run a command to its end or its time limit."""

    def read(self, path: str) -> str | None:
        """Return a small file's text without outer white space, or None where it cannot be read."""

    def is_root(self) -> bool:
        """Whether we are the administrator."""

    def seccomp_filter(self) -> bool:
        """Whether the kernel takes seccomp filters."""

    def no_new_privileges(self) -> bool:
        """Whether the kernel knows no_new_privs."""

    def landlock_abi(self) -> int:
        """Return the version of Landlock in force, 0 where there is none."""


class ThisHost:
    """The machine we run on. Nothing here changes it: what a probe makes goes with its namespace."""

    def __init__(self) -> None:
        # Debian keeps nft and ip out of an ordinary user's PATH.
        self._path = os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin"
        self._libc = ctypes.CDLL(None, use_errno=True)

    def find(self, command: str) -> str | None:
        """Return the path of a command, in the administrator's directories too."""
        return shutil.which(command, path=self._path)

    def run(self, arguments: list[str], stdin: str = "") -> Answer:
        """Run a command; one that is absent, refused or too slow gives `ok=False` and says so."""
        environment = {"PATH": self._path, "LC_ALL": "C.UTF-8"}
        try:
            done = subprocess.run(
                arguments,
                input=stdin,
                env=environment,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=COMMAND_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return Answer(False, f"no answer in {COMMAND_SECONDS:g} s")
        except OSError as error:
            return Answer(False, str(error))
        lines = (
            (done.stdout + "\n" + done.stderr if done.returncode == 0 else done.stderr).strip().splitlines()
        )
        return Answer(done.returncode == 0, lines[0].strip() if lines else f"exit status {done.returncode}")

    def read(self, path: str) -> str | None:
        """Return a small file's text, or None."""
        try:
            return Path(path).read_text(errors="replace").strip()
        except OSError:
            return None

    def is_root(self) -> bool:
        """Return whether our effective user is root."""
        return os.geteuid() == 0

    def seccomp_filter(self) -> bool:
        """Ask with a null program: a kernel that has filters answers EFAULT, and loads nothing."""
        self._libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, None, 0, 0)
        return ctypes.get_errno() == errno.EFAULT

    def no_new_privileges(self) -> bool:
        """Ask for the flag of this process; an old kernel answers with an error."""
        return int(self._libc.prctl(_PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0)) >= 0

    def landlock_abi(self) -> int:
        """Return the ABI version; 0 where Landlock is not built in or not switched on."""
        version = self._libc.syscall(_SYS_LANDLOCK_CREATE_RULESET, None, 0, _LANDLOCK_CREATE_RULESET_VERSION)
        return max(0, int(version))
