"""What is remembered about a running lab, and where: one private directory a lab, one lock a name.

$XDG_RUNTIME_DIR/masugata/labs/NAME/{state.json,plan.yaml,holder.log}   or /tmp/masugata-UID/labs/NAME/
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from topology import kernel
from topology.private import private_base, private_directory
from zones.errors import BackendError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STATE = "state.json"
LOG = "holder.log"
LOCK_SECONDS = 15.0
_POLL_SECONDS = 0.02


@dataclass(frozen=True, kw_only=True)
class Process:
    """A process that is never mistaken for a later one with the same number."""

    pid: int
    started: int

    @property
    def alive(self) -> bool:
        """Return whether this very process is still there and no zombie."""
        return kernel.started(self.pid) == self.started


@dataclass(frozen=True, kw_only=True)
class LabState:
    """One lab as it was brought up. `since` is Unix time; `missing` are settings the kernel has not."""

    name: str
    file: str
    text: str
    digest: str
    since: float
    supervisor: Process
    holder: Process
    missing: tuple[str, ...] = ()

    @property
    def alive(self) -> bool:
        """Return whether the lab still stands: everything in it ends with its holder."""
        return self.holder.alive


def labs_directory() -> Path:
    """Return the directory of all labs of this user, made if need be.

    Raises:
        BackendError: a directory of that name is another's, or open to others.
    """
    return private_directory(private_base() / "labs")


def lab_directory(name: str) -> Path:
    """Return the private directory of one lab, made if need be."""
    return private_directory(labs_directory() / name)


@contextmanager
def locked(name: str) -> Iterator[None]:
    """Hold the name of a lab: nobody else brings it up or down meanwhile.

    Raises:
        BackendError: somebody has held it for longer than `LOCK_SECONDS`.
    """
    path = labs_directory() / f"{name}.lock"
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        deadline = time.monotonic() + LOCK_SECONDS
        while not _try_lock(descriptor):
            if time.monotonic() > deadline:
                raise BackendError("lab-busy", name=name, seconds=LOCK_SECONDS)
            time.sleep(_POLL_SECONDS)
        yield
    finally:
        os.close(descriptor)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def save(state: LabState) -> None:
    """Write the state of a lab, whole or not at all."""
    directory = lab_directory(state.name)
    temporary = directory / f"{STATE}.new"
    temporary.write_text(json.dumps(asdict(state), ensure_ascii=False, indent=1), encoding="utf-8")
    temporary.replace(directory / STATE)


def load(name: str) -> LabState | None:
    """Return what was saved about a lab; None when nothing (readable) was."""
    try:
        record: dict[str, Any] = json.loads((labs_directory() / name / STATE).read_text(encoding="utf-8"))
        processes = {key: Process(**record.pop(key)) for key in ("supervisor", "holder")}
        return LabState(**{**record, **processes, "missing": tuple(record["missing"])})
    except (OSError, ValueError, TypeError, KeyError):
        return None


def names() -> list[str]:
    """Return the names of all labs that left a state, alive or not."""
    return sorted(path.parent.name for path in labs_directory().glob(f"*/{STATE}"))


def forget(name: str) -> None:
    """Remove what is remembered about a lab."""
    shutil.rmtree(labs_directory() / name, ignore_errors=True)
