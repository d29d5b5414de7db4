"""`masugata fmt`: the canonical writing of policy files; comments stay.

Exit codes: 0 everything is (or now is) canonical, 1 with `--check` or `--diff`: something is not, 2 a file
has problems; then none is written.
"""

from __future__ import annotations

import difflib
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from gateway.cli.policies import STDIN, stdin_text
from gateway.cli.terminal import shared_flags, words
from zones.errors import ConfigurationError, ExitCode, PolicyError
from zones.format import format_text
from zones.load import read_sources

if TYPE_CHECKING:
    from gateway.cli.terminal import Terminal
    from zones.errors import Problem


class _File(NamedTuple):
    name: str
    text: str
    formatted: str

    @property
    def changes(self) -> bool:
        return self.text != self.formatted


@click.command("fmt", help=words("fmt-help"))
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option("--check", "check_only", is_flag=True, help=words("option-fmt-check"))
@click.option("--diff", "show_diff", is_flag=True, help=words("option-fmt-diff"))
@shared_flags
def command(paths: tuple[str, ...], *, check_only: bool, show_diff: bool, terminal: Terminal) -> int:
    """Format every file, or none."""
    files = _formatted(paths)
    if STDIN in paths and not (check_only or show_diff):
        terminal.out.write(files[0].formatted)
        return ExitCode.OK
    changed = [file for file in files if file.changes]
    look = check_only or show_diff
    if not look:
        for file in changed:
            replace_text(Path(file.name), file.formatted)
    for file in files if terminal.json_lines else changed:
        _tell(terminal, file, written=not look, show_diff=show_diff)
    terminal.log("fmt-summary-check" if look else "fmt-summary", changed=len(changed), files=len(files))
    return ExitCode.FINDING if look and changed else ExitCode.OK


def _formatted(paths: tuple[str, ...]) -> list[_File]:
    """Return all files formatted; every problem of all of them is reported before any is written."""
    if STDIN in paths and len(paths) > 1:
        raise ConfigurationError("fmt-stdin-alone")
    sources: dict[str, str] = {}
    for path in paths:
        sources.update({"<stdin>": stdin_text()} if path == STDIN else read_sources(Path(path)))
    files: list[_File] = []
    problems: list[Problem] = []
    for name, text in sources.items():
        try:
            files.append(_File(name, text, format_text(name, text)))
        except PolicyError as error:
            problems += error.problems
    if problems:
        raise PolicyError(problems)
    return files


def _tell(terminal: Terminal, file: _File, *, written: bool, show_diff: bool) -> None:
    if terminal.json_lines:
        state = "unchanged" if not file.changes else "written" if written else "would-change"
        terminal.data({"file": file.name, "state": state})
    elif show_diff:
        before, after = (text.splitlines(keepends=True) for text in (file.text, file.formatted))
        terminal.write("".join(difflib.unified_diff(before, after, file.name, file.name)).rstrip("\n"))
    else:
        terminal.write(file.name)


def replace_text(path: Path, text: str) -> None:
    """Put `text` in the place of a file at one stroke: a reader sees the old one or the new one, whole.

    Raises:
        ConfigurationError: the file, or a new one beside it, cannot be written.
    """
    target = path.resolve()  # through a link, to the file it names
    try:
        mode = target.stat().st_mode & 0o7777
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", newline="", dir=target.parent, prefix=f".{target.name}.", delete=False
        ) as new:
            try:
                new.write(text)
                new.flush()
                os.fchmod(new.fileno(), mode)
                os.fsync(new.fileno())
                Path(new.name).replace(target)
            except BaseException:
                Path(new.name).unlink(missing_ok=True)
                raise
    except OSError as error:
        detail = error.strerror or str(error)
        raise ConfigurationError("file-unwritable", path=str(path), detail=detail) from error
