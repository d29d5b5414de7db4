"""`masugata init`: a city to begin with, in one of the four layouts of a municipal network.

Exit codes: 0 it is written, 2 the directory holds a policy already (without `--force`), or cannot be written.
"""

from __future__ import annotations

import re
import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import click

from gateway.cli.terminal import shared_flags, words
from zones.errors import ConfigurationError, ExitCode
from zones.expiry import parse_now
from zones.models import CITY, MODELS, city_files

if TYPE_CHECKING:
    from datetime import date

    from gateway.cli.terminal import Terminal

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,30}[A-Za-z0-9])?")
_TIMEZONE = ZoneInfo("Asia/Tokyo")  # that of the files


@click.command("init", help=words("init-help"))
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--model", type=click.Choice(list(MODELS)), required=True, help=words("option-model"))
@click.option("--force", is_flag=True, help=words("option-force"))
@click.option("--now", "now_text", metavar="DATE", help=words("option-init-now"))
@shared_flags
def command(directory: Path, model: str, now_text: str | None, *, force: bool, terminal: Terminal) -> int:
    """Write the files of a new city, all or none."""
    name = directory.resolve().name
    files = city_files(model, today=_today(now_text), name=name if _NAME.fullmatch(name) else CITY)
    _refuse_to_mix(directory, force=force)
    for file, text in files.items():
        _write(directory / file, text)
        if terminal.json_lines:
            terminal.data({"file": str(directory / file), "model": model})
        else:
            terminal.write(str(directory / file))
    terminal.log("init-next", path=str(directory))
    return ExitCode.OK


def _today(text: str | None) -> date:
    try:
        seconds = time.time() if text is None else parse_now(text, _TIMEZONE)
    except (ValueError, OverflowError):
        raise ConfigurationError("bad-now", value=text) from None
    return datetime.fromtimestamp(seconds, _TIMEZONE).date()


def _refuse_to_mix(directory: Path, *, force: bool) -> None:
    """Stop before anything is written where a policy is already: all *.yaml of a directory are one."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        there = sorted(path.name for path in directory.glob("*.yaml"))
    except OSError as error:
        detail = error.strerror or str(error)
        raise ConfigurationError("file-unwritable", path=str(directory), detail=detail) from error
    if there and not force:
        raise ConfigurationError("init-not-empty", path=str(directory), files=", ".join(there[:5]))


def _write(path: Path, text: str) -> None:
    from gateway.cli.fmt import replace_text

    try:
        path.touch()
    except OSError as error:
        detail = error.strerror or str(error)
        raise ConfigurationError("file-unwritable", path=str(path), detail=detail) from error
    replace_text(path, text)
