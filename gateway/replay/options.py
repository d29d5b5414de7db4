"""What `masugata replay` can be told: the options, and their values as one object."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gateway.cli.terminal import words

if TYPE_CHECKING:
    from collections.abc import Callable

VIEWS = ("zones", "flow", "reason", "host", "exchange")
_PATH = click.Path(path_type=Path)


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options of one run, as given."""

    files: tuple[str, ...]
    policy: Path
    against: Path | None = None
    exit_code: bool = False
    mapping: tuple[str, ...] = ()
    engine: str | None = None
    """None: the fastest that is here."""
    now: str | None = None
    ignore_checksums: bool = False
    keep_order: bool = False
    follow: bool = False
    packets: bool = False
    flows: bool = False
    denied: bool = False
    limit: int | None = None
    by: tuple[str, ...] = ()
    parquet: Path | None = None
    eve: Path | None = None
    rows: str = "flows"
    html: Path | None = None
    save_case: Path | None = None
    only: tuple[str, ...] = ()
    anonymise: bool = False


_OPTIONS = (
    click.argument("files", nargs=-1, required=True, metavar="FILE..."),
    # What judges.
    click.option(
        "--policy",
        type=_PATH,
        required=True,
        envvar="MASUGATA_POLICY",
        help=words("option-replay-policy"),
    ),
    click.option("--against", type=_PATH, metavar="POLICY", help=words("option-replay-against")),
    click.option("--exit-code", is_flag=True, help=words("option-replay-exit-code")),
    click.option("--engine", metavar="NAME", help=words("option-replay-engine")),
    click.option("--now", metavar="DATE", help=words("option-replay-now")),
    # What is read.
    click.option("--map", "mapping", multiple=True, metavar="WHAT=ZONE", help=words("option-replay-map")),
    click.option("--keep-order", is_flag=True, help=words("option-replay-keep-order")),
    click.option("--follow", is_flag=True, help=words("option-replay-follow")),
    click.option("--ignore-checksums", is_flag=True, help=words("option-replay-checksums")),
    # What is printed.
    click.option("--packets", is_flag=True, help=words("option-replay-packets")),
    click.option("--flows", is_flag=True, help=words("option-replay-flows")),
    click.option("--by", multiple=True, type=click.Choice(VIEWS), help=words("option-replay-by")),
    click.option("--denied", is_flag=True, help=words("option-replay-denied")),
    click.option("--limit", type=click.IntRange(min=0), metavar="N", help=words("option-replay-limit")),
    # What is written.
    click.option("--html", type=_PATH, metavar="PATH", help=words("option-replay-html")),
    click.option("--eve", type=_PATH, metavar="PATH", help=words("option-replay-eve")),
    click.option("--parquet", type=_PATH, metavar="PATH", help=words("option-replay-parquet")),
    click.option(
        "--rows",
        type=click.Choice(["flows", "exchanges"]),
        default="flows",
        show_default=True,
        help=words("option-replay-rows"),
    ),
    click.option("--save-case", type=_PATH, metavar="DIRECTORY", help=words("option-replay-save-case")),
    click.option("--only", multiple=True, metavar="WHAT", help=words("option-replay-only")),
    click.option("--anonymise", is_flag=True, help=words("option-replay-anonymise")),
)


def replay_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a verb the options of `Options`, in this order."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function
