"""`masugata lab`: a simulated city of network namespaces, brought up from a file and gone without a trace."""

from __future__ import annotations

import os
import sys
import time
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gateway.cli.terminal import Terminal, shared_flags, words
from zones.errors import ConfigurationError, ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from topology.namespaces import Lab, NodeStatus
    from topology.plan import LabPlan

DEFAULT_FILE = Path("examples/sample-city/lab/city.yaml")
_FILE = click.argument("file", required=False, type=click.Path(path_type=Path))


@click.group("lab", help=words("verb-lab"))
def command() -> None:
    """Hold the verbs of `masugata lab`."""


@command.command("up", help=words("lab-help-up"))
@_FILE
@click.option("--replace", is_flag=True, help=words("lab-option-replace"))
@shared_flags
def up(terminal: Terminal, file: Path | None, replace: bool) -> int:
    """Bring a lab up and say how long it took."""
    from topology.namespaces import Lab

    begin = time.monotonic()
    plan = _plan(file)
    lab = Lab.up(plan, replace=replace)
    milliseconds = _milliseconds(begin)
    for setting in lab.state.missing:
        terminal.log("lab-missing-setting", setting=setting)
    if terminal.json_lines:
        terminal.data({"lab": lab.name, "up": True, "milliseconds": milliseconds, **_identity(lab)})
        return ExitCode.OK
    counts = {"hosts": len(plan.hosts), "segments": len(plan.segments)}
    terminal.say("lab-is-up", name=plan.name, milliseconds=milliseconds, **counts)
    terminal.log("lab-next", node=(plan.hosts or (plan.gateway,))[0].name)
    return ExitCode.OK


@command.command("down", help=words("lab-help-down"))
@click.argument("name", required=False)
@click.option("--all", "everything", is_flag=True, help=words("lab-option-all"))
@shared_flags
def down(terminal: Terminal, name: str | None, everything: bool) -> int:
    """End one lab, or all."""
    from topology.namespaces import Lab

    for lab in Lab.all() if everything else [_lab(name)]:
        begin = time.monotonic()
        lab.down()
        milliseconds = _milliseconds(begin)
        if terminal.json_lines:
            terminal.data({"lab": lab.name, "up": False, "milliseconds": milliseconds})
        else:
            terminal.say("lab-is-down", name=lab.name, milliseconds=milliseconds)
    return ExitCode.OK


@command.command("exec", help=words("lab-help-exec"), context_settings={"allow_interspersed_args": False})
@click.option("--lab", "name", default=None, help=words("lab-option-lab"))
@click.argument("node")
@click.argument("arguments", nargs=-1, required=True, type=click.UNPROCESSED)
def execute(name: str | None, node: str, arguments: tuple[str, ...]) -> None:
    """Become the command on that node: its signals, its terminal and its exit code are ours."""
    program = _lab(name).command(node, arguments[1:] if arguments[0] == "--" else arguments)
    sys.stdout.flush()
    os.execv(program[0], program)  # noqa: S606  (an argument list; no shell)


@command.command("status", help=words("lab-help-status"))
@click.argument("name", required=False)
@shared_flags
def status(terminal: Terminal, name: str | None) -> int:
    """Show running labs; leave with 1 when there is none."""
    from topology.namespaces import Lab

    labs = [_lab(name)] if name else Lab.all()
    for lab in labs:
        if terminal.json_lines:
            terminal.data(_record(lab))
        else:
            _show(terminal, lab)
    if not labs:
        terminal.log("lab-none-up")
    return ExitCode.OK if labs else ExitCode.FINDING


@command.command("plan", help=words("lab-help-plan"))
@_FILE
@click.option(
    "--svg", type=click.Path(path_type=Path, dir_okay=False), default=None, help=words("lab-option-svg")
)
@shared_flags
def plan_verb(terminal: Terminal, file: Path | None, svg: Path | None) -> int:
    """Print what `up` would do, or draw it."""
    from topology.commands import build, text

    plan = _plan(file)
    if svg is not None:
        _draw(terminal, plan, svg)
        return ExitCode.OK
    steps = build(plan)
    if terminal.json_lines:
        for step in steps:
            terminal.data({"namespace": step.namespace, "tool": step.tool, "lines": step.lines})
        return ExitCode.OK
    for line in text(steps):
        terminal.write(line)
    return ExitCode.OK


def _draw(terminal: Terminal, plan: LabPlan, svg: Path) -> None:
    from topology.picture import draw

    try:
        svg.write_text(draw(plan, terminal.language), encoding="utf-8")
    except OSError as error:
        raise ConfigurationError("lab-cannot-draw", file=str(svg), detail=str(error.strerror)) from None
    terminal.log("lab-drawn", file=str(svg))


def _plan(file: Path | None) -> LabPlan:
    from topology.plan import read_plan

    if file is None and not DEFAULT_FILE.exists():
        raise ConfigurationError("lab-no-file", file=str(DEFAULT_FILE))
    return read_plan(file or DEFAULT_FILE)


def _lab(name: str | None) -> Lab:
    """Return the lab of that name, or the only one there is."""
    from topology.namespaces import Lab

    if name:
        return Lab.find(name)
    labs = Lab.all()
    if not labs:
        raise ConfigurationError("lab-none-up")
    if len(labs) > 1:
        raise ConfigurationError("lab-which", names=", ".join(lab.name for lab in labs))
    return labs[0]


def _milliseconds(begin: float) -> int:
    return round((time.monotonic() - begin) * 1000)


def _identity(lab: Lab) -> dict[str, object]:
    return {"holder_pid": lab.state.holder.pid, "file": lab.state.file, "plan_sha256": lab.state.digest}


def _record(lab: Lab) -> dict[str, object]:
    nodes = {node.name: node for node in lab.plan.nodes.values()}
    return {
        "lab": lab.name,
        "uptime_seconds": round(time.time() - lab.state.since, 3),
        **_identity(lab),
        "nodes": [
            {
                "node": node.name,
                "interfaces": [
                    {
                        "name": link.interface,
                        "segment": link.segment,
                        "mac": link.mac,
                        "addresses": [str(address) for address in link.addresses],
                    }
                    for link in (nodes[node.name].links if node.name in nodes else ())
                ],
                "processes": [{"pid": pid, "command": line} for pid, line in node.processes],
            }
            for node in lab.status()
        ],
    }


_COLUMNS = ("node", "interface", "segment", "address", "service", "process")


def _show(terminal: Terminal, lab: Lab) -> None:
    uptime = _duration(time.time() - lab.state.since)
    terminal.say(
        "lab-status-title", name=lab.name, uptime=uptime, pid=lab.state.holder.pid, file=lab.state.file
    )
    head = [terminal.words(f"lab-column-{column}") for column in _COLUMNS]
    rows = [row for node in lab.status() if node.name in lab.plan.nodes for row in _rows(lab.plan, node)]
    for line in _aligned([head, *rows]):
        terminal.write(line)


def _rows(plan: LabPlan, status: NodeStatus) -> Iterator[list[str]]:
    """Yield one row an interface; name, services and processes stand in the node's first."""
    node = plan.node(status.name)
    name = node.name
    services = " ".join(f"{service.name}:{service.port}" for service in node.services)
    processes = "; ".join(f"{pid} {line[:60]}" for pid, line in status.processes)
    for link in node.links:
        addresses = " ".join(str(address.ip) for address in link.addresses)
        yield [name, link.interface, link.segment, addresses, services, processes]
        name = services = processes = ""


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(_width(row[column]) for row in rows) for column in range(len(rows[0]))]
    padded = (
        [cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True)] for row in rows
    )
    return ["  " + "  ".join(row).rstrip() for row in padded]


def _width(text: str) -> int:
    """Return how many terminal columns `text` takes; a Japanese character takes two."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}"
