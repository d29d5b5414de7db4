"""`masugata demo`: the sample city, brought up, put to the question, and shown."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gateway.cli.terminal import Terminal, shared_flags, words
from zones.errors import BackendError, ConfigurationError, ExitCode

if TYPE_CHECKING:
    from gateway.demo.city import City
    from gateway.demo.show import Story

DEFAULT_CITY = Path("examples/sample-city")


@click.command("demo", help=words("verb-demo"))
@click.argument("city", default=DEFAULT_CITY, type=click.Path(path_type=Path))
@click.option("--once", is_flag=True, help=words("demo-option-once"))
@click.option(
    "--dir",
    "directory",
    default=Path("var/demo"),
    type=click.Path(path_type=Path),
    help=words("demo-option-dir"),
)
@shared_flags
def command(terminal: Terminal, city: Path, once: bool, directory: Path) -> int:
    """Run every act; end with 0 only if all of them held."""
    import shutil

    from gateway.demo.city import City
    from gateway.demo.show import Story
    from topology.plan import read_plan
    from zones.load import read_policy

    _demand_tools()
    lab_file = city / "lab" / "city.yaml"
    if not lab_file.exists():
        raise ConfigurationError("demo-no-city", path=str(city))
    plan, policy = read_plan(lab_file), read_policy(city)
    directory = directory.absolute()
    _demand_ours(directory)
    shutil.rmtree(directory, ignore_errors=True)
    begin = time.monotonic()
    running, story = City.up(plan, policy, directory), Story()
    held = False
    try:
        _play(terminal, running, story, city)
        held = story.held
    finally:
        if once or not held:
            running.down()
    _close(terminal, story, directory, seconds=time.monotonic() - begin, once=once)
    return ExitCode.OK if held else ExitCode.FINDING


def _demand_tools() -> None:
    """Say before anything is up what the gateway in it would say only to its log.

    Raises:
        BackendError: the kernel's rule sets cannot be loaded here.
    """
    from shutil import which

    if which("nft") is None:
        raise BackendError("tool-missing", tool="nft")


def _demand_ours(directory: Path) -> None:
    """Refuse to clear a directory that an earlier demonstration did not make."""
    # gateway.log is the first thing made: a demonstration that failed at once must not bar the next one.
    known = {"state", "mail", "capture.pcapng", "gateway.log"}
    if (
        directory.exists()
        and any(directory.iterdir())
        and not any((directory / name).exists() for name in known)
    ):
        raise ConfigurationError("demo-foreign-directory", path=str(directory))


def _play(terminal: Terminal, running: City, story: Story, city: Path) -> None:
    from gateway.demo.show import ACTS
    from gateway.demo.tables import describe

    plan = running.plan
    terminal.log("demo-city-up", hosts=len(plan.hosts), segments=len(plan.segments), name=plan.name)
    running.start_gateway(city)
    running.start_recorder()
    story.services = running.start_services()
    terminal.log("demo-gateway-up", revision=running.policy.revision[:12], services=story.services)
    for number, (title, act) in enumerate(ACTS, 1):
        terminal.log("demo-act", number=number, of=len(ACTS), title=terminal.words(title))
        act(running, story)
        if not terminal.json_lines:
            describe(title, story, terminal)


def _close(terminal: Terminal, story: Story, directory: Path, *, seconds: float, once: bool) -> None:
    from gateway.demo.show import next_steps
    from gateway.demo.tables import report

    if terminal.json_lines:
        terminal.data({**report(story), "seconds": round(seconds, 1)})
        return
    terminal.write("")
    terminal.say("demo-held" if story.held else "demo-failed", seconds=round(seconds), directory=directory)
    if story.held and not once:
        for code, line in next_steps(directory):
            terminal.write(f"  {terminal.words(code)}\n    {line}")
