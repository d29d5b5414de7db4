"""Directories that are ours alone, in places that are everybody's.

/tmp is everybody's: each directory must be ours, no symbolic link, and closed to others, or nothing is read
from it or written to it.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

from zones.errors import BackendError


def private_base() -> Path:
    """Return our directory for what lives as long as a login: $XDG_RUNTIME_DIR/masugata or /tmp/masugata-UID.

    Its name is short: the address of a unix socket below it has 108 bytes (unix(7)).

    Raises:
        BackendError: a directory of that name is another's, or open to others.
    """
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    if runtime and is_private(Path(runtime)):
        return private_directory(Path(runtime) / "masugata")
    return private_directory(Path(f"/tmp/masugata-{os.getuid()}"))  # noqa: S108  (checked: ours, no link)


def private_directory(path: Path) -> Path:
    """Return the directory, made if need be.

    Raises:
        BackendError: it is another's, a link, or open to others.
    """
    with suppress(FileExistsError):
        path.mkdir(mode=0o700)
    if not is_private(path):
        raise BackendError("lab-state-unsafe", path=str(path))
    return path


def is_private(path: Path) -> bool:
    """Return whether this is a directory of ours, no link, that nobody else may enter."""
    try:
        found = path.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077
