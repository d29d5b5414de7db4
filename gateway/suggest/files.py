"""The policy's files as they are on disk, and what is written to them: all of it or nothing."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from zones.errors import ConfigurationError
from zones.load import read_sources

if TYPE_CHECKING:
    from collections.abc import Mapping

NEW_FILE = "suggested.yaml"


def read_exactly(path: Path) -> dict[str, str]:
    """Return the text of each file of a policy with its own line ends.

    Raises:
        ConfigurationError: nothing to read there.
    """
    found = {}
    for file in read_sources(path):
        try:
            found[file] = Path(file).read_bytes().decode()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError("file-unreadable", path=file, detail=str(error)) from None
    return found


def new_file_of(path: Path) -> str | None:
    """Return the file that may be made for flows: only where the policy is a directory."""
    return str(path / NEW_FILE) if path.is_dir() else None


def patch_names(policy: Path, files: Mapping[str, str]) -> tuple[Path, dict[str, str]]:
    """Return the folder a patch is applied in, and the name of each file seen from there.

    The working directory where the policy is inside of it; else the policy's own: `patch` refuses to leave
    the folder it works in.

    Raises:
        ConfigurationError: a file has a name that a patch cannot carry.
    """
    here, home = Path.cwd(), policy if policy.is_dir() else policy.parent
    folder = here if home.resolve().is_relative_to(here.resolve()) else home
    names = {file: os.path.relpath(Path(file).resolve(), folder.resolve()) for file in files}
    for file, name in names.items():
        if not name.isprintable() or name.startswith(".."):
            raise ConfigurationError("suggest-path", path=file)
    return folder, names


def write_all(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """Write the files that differ, and return their names; each is replaced in one step.

    Raises:
        ConfigurationError: a file has changed since it was read, or cannot be written. None is changed.
    """
    changed = [file for file, text in after.items() if before.get(file) != text]
    ready: list[tuple[str, Path]] = []
    try:
        for file in changed:
            _unchanged(file, before.get(file))
            target = Path(file).resolve()  # a link stays a link
            ready.append((_beside(target, after[file]), target))
        for name, target in ready:
            Path(name).replace(target)
    except OSError as error:
        failed = error.filename or (changed[0] if changed else "")
        raise ConfigurationError("suggest-unwritable", path=failed, detail=error.strerror or "") from None
    finally:
        for name, _ in ready:
            Path(name).unlink(missing_ok=True)
    return changed


def write_text(path: Path, text: str) -> None:
    """Write one file with the line ends as they are.

    Raises:
        ConfigurationError: it cannot be written.
    """
    try:
        path.write_bytes(text.encode())
    except OSError as error:
        raise ConfigurationError("suggest-unwritable", path=str(path), detail=error.strerror or "") from None


def _unchanged(file: str, expected: str | None) -> None:
    path = Path(file)
    now = path.read_bytes().decode(errors="replace") if path.exists() else None
    if now != expected:
        raise ConfigurationError("suggest-policy-changed", file=file)


def _beside(path: Path, text: str) -> str:
    """Write a text beside the file it is to replace, with the same owner and permissions."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(descriptor, "wb") as file:
        file.write(text.encode())
        file.flush()
        os.fsync(file.fileno())
    if not path.exists():
        Path(name).chmod(0o644)
        return name
    status = path.stat()
    Path(name).chmod(status.st_mode & 0o7777)
    if (status.st_uid, status.st_gid) != (os.geteuid(), os.getegid()):
        os.chown(name, status.st_uid, status.st_gid)
    return name
