"""The `masugata` command: one file per verb, imported only when that verb is called.

A verb module exposes `command`, a `click.Command`. Its one-line description is the message `verb-NAME`, so
that `masugata --help` speaks both languages without importing any verb.
"""

from __future__ import annotations

import errno
import importlib
import os
import sys
import traceback
from contextlib import suppress
from importlib import metadata
from pathlib import Path

import click

import gateway.messages  # noqa: F401  (declares the words of every package)
from gateway.cli.terminal import Terminal, choose_language, set_language
from zones.errors import BackendError, ExitCode, MasugataError
from zones.messages import say

# name of the verb → module that holds it; the order is the order of `masugata --help`
VERBS: dict[str, str] = {
    "demo": "gateway.cli.demo",
    "init": "gateway.cli.init",
    "check": "gateway.cli.check",
    "query": "gateway.cli.query",
    "explain": "gateway.cli.explain",
    "verify": "gateway.cli.verify",
    "diff": "gateway.cli.diff",
    "lint": "gateway.cli.lint",
    "matrix": "gateway.cli.matrix",
    "who": "gateway.cli.who",
    "expiring": "gateway.cli.expiring",
    "report": "gateway.cli.report",
    "fmt": "gateway.cli.fmt",
    "schema": "gateway.cli.schema",
    "replay": "gateway.cli.replay",
    "suggest": "gateway.cli.suggest",
    "compile": "gateway.cli.compile",
    "lab": "gateway.cli.lab",
    "run": "gateway.cli.run",
    "audit": "gateway.cli.audit",
    "mail": "gateway.cli.mail",
    "doctor": "gateway.cli.doctor",
}

_PACKAGES = ("zones", "sanitizers", "topology", "gateway")


class VerbGroup(click.Group):
    """Load a verb's module at the moment it is named: a verb starts in a fraction of a second."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the verbs in the order people meet them."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the verb; None for a name we do not know."""
        module = VERBS.get(cmd_name)
        if module is None:
            return None
        command: click.Command = importlib.import_module(module).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of verbs from the catalogue, without importing them."""
        language = choose_language(sys.argv, os.environ)
        with formatter.section(say("help-verbs", {}, language)):
            formatter.write_dl([(name, say(f"verb-{name}", {}, language)) for name in VERBS])


@click.group(cls=VerbGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--lang", type=click.Choice(["ja", "en"]), help="language of messages / メッセージの言語")
@click.version_option(package_name="masugata")
def cli(lang: str | None) -> None:
    """masugata (枡形): simulate, enforce and sanitise what crosses between segregated networks."""


def main() -> None:
    """Run the command line and leave with the exit code of `zones.errors.ExitCode`."""
    set_language(choose_language(sys.argv, os.environ))
    _find_system_tools()
    try:
        code = _run()
    except (click.exceptions.Abort, KeyboardInterrupt):
        code = _INTERRUPTED
    except click.ClickException as error:
        _misused(error)
        code = ExitCode.USAGE
    except MasugataError as error:
        Terminal.from_environment().error(error)
        code = error.exit_code
    except BrokenPipeError:
        code = _unread()
    except Exception as error:
        code = _broken(error)
    sys.exit(_flushed(code))


_INTERRUPTED, _READER_LEFT = 130, 141  # as shells tell SIGINT and SIGPIPE


def _run() -> int:
    """Run the verb. click's own `main` would take a reader that left for a failure (exit code 1)."""
    refuse_foreign_packages()
    try:
        with cli.make_context("masugata", sys.argv[1:]) as context:
            code = cli.invoke(context)
    except click.exceptions.Exit as ended:
        return ended.exit_code
    return code if isinstance(code, int) else ExitCode.OK


def _flushed(code: int) -> int:
    """Write out what is left; an answer that did not reach anybody is none."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        return _unread()
    except OSError as error:
        return _unwritten(error)
    return code


def _unread() -> int:
    """The reader (`| head`) has left: nothing more to say, and no trace of it either."""
    _say_nothing_more()
    return _READER_LEFT


def _unwritten(error: OSError) -> int:
    """Say on stderr, as JSON would not get out either, that there is no room for the answer."""
    _say_nothing_more()
    language = choose_language(sys.argv, os.environ)
    failed = BackendError("output-failed", detail=error.strerror or str(error))
    Terminal(language=language).error(failed)
    return failed.exit_code


def _say_nothing_more() -> None:
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _broken(error: Exception) -> int:
    """Report a fault of ours: nothing is known, so it is neither safe nor a finding."""
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return _unwritten(error)
    if os.environ.get(_DEBUG):
        traceback.print_exc()
    last = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{Path(last.filename).name}:{last.lineno}"
    broken = InternalError("internal-error", kind=type(error).__name__, detail=str(error), place=place)
    Terminal.from_environment().error(broken)
    return broken.exit_code


_DEBUG = "MASUGATA_DEBUG"


class InternalError(MasugataError):
    """Something of ours raised what nobody expected."""

    exit_code = ExitCode.UNDECIDED


def _misused(error: click.ClickException) -> None:
    """Say what is wrong with the command line, and how to ask for its form."""
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "masugata"
    language = choose_language(sys.argv, os.environ)
    sentence = say("misused", {"detail": error.format_message(), "command": path}, language)
    sys.stderr.write(f"masugata: {sentence}\n  → {path} --help\n")


def _find_system_tools() -> None:
    """Find nft and ip as root would: Debian keeps them out of an ordinary user's PATH."""
    path = os.environ.get("PATH", os.defpath).split(os.pathsep)
    missing = [place for place in ("/usr/sbin", "/sbin") if place not in path]
    os.environ["PATH"] = os.pathsep.join([*path, *missing])


def refuse_foreign_packages() -> None:
    """Refuse to start when `zones` or a sister package is somebody else's: PyPI has such names too.

    Raises:
        BackendError: a package of ours is loaded from another place than this one.
    """
    home = Path(__file__).resolve().parents[2]
    for name in _PACKAGES:
        place = Path(str(importlib.import_module(name).__file__)).resolve().parents[1]
        if place != home:
            raise BackendError("foreign-package", package=name, place=str(place), home=str(home))
    owners = metadata.packages_distributions()
    for name in _PACKAGES:
        others = sorted(set(owners.get(name, [])) - {"masugata"})
        if others:
            raise BackendError("foreign-package", package=name, place=", ".join(others), home=str(home))
