"""`masugata audit`: verify, tail and search the audit log."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

import gateway.audit.messages  # noqa: F401  (declares the words)
from gateway.cli.terminal import shared_flags, words
from zones.errors import ConfigurationError, ExitCode

if TYPE_CHECKING:
    from gateway.audit.chain import Finding, Head
    from gateway.audit.reading import Place
    from gateway.audit.verify import Report
    from gateway.cli.terminal import Terminal

FOLLOW_SECONDS = 0.2

_DIRECTORY = click.argument("directory", type=click.Path(path_type=Path))


@click.group(help=words("audit-help"))
def command() -> None:
    """Hold the verbs below."""


@command.command(help=words("audit-verify-help"))
@_DIRECTORY
@click.option("--anchor", default=None, metavar="BOOT:SEQ:HASH", help=words("audit-option-anchor"))
@shared_flags
def verify(*, terminal: Terminal, directory: Path, anchor: str | None) -> int:
    """Check every line and every seal; exit 1 if something is altered, missing or out of place."""
    from gateway.audit.verify import verify as verify_log

    report = verify_log(directory, anchor=head_meant(anchor))
    if terminal.json_lines:
        _report_as_data(terminal, report)
    else:
        _report_as_words(terminal, report)
    return ExitCode.OK if report.sound else ExitCode.FINDING


@command.command(help=words("audit-tail-help"))
@_DIRECTORY
@click.option("-n", "lines", type=click.IntRange(0, 1_000_000), default=10, help=words("audit-option-lines"))
@click.option("-f", "--follow", is_flag=True, help=words("audit-option-follow"))
@shared_flags
def tail(*, terminal: Terminal, directory: Path, lines: int, follow: bool) -> int:
    """Show the newest events, and with `--follow` those that come."""
    from gateway.audit.reading import Follower, newest

    follower = Follower(directory) if follow else None
    last = None
    for place in newest(directory, lines):
        _show(terminal, place)
        last = place.event or last
    while follower is not None:
        terminal.out.flush()
        time.sleep(FOLLOW_SECONDS)
        for place in follower.look():
            # What came between the two readings above was in both.
            if not (last and place.event and place.event.boot == last.boot and place.event.seq <= last.seq):
                _show(terminal, place)
    return ExitCode.OK


@command.command(help=words("audit-search-help"))
@_DIRECTORY
@click.option("--kind", "kinds", multiple=True, help=words("audit-option-kind"))
@click.option("--outcome", default=None, help=words("audit-option-outcome"))
@click.option("--reason", default=None, help=words("audit-option-reason"))
@click.option("--by", "decided_by", default=None, help=words("audit-option-by"))
@click.option("--zone", default=None, help=words("audit-option-zone"))
@click.option("--src", default=None, help=words("audit-option-src"))
@click.option("--dst", default=None, help=words("audit-option-dst"))
@click.option("--job", default=None, help=words("audit-option-job"))
@shared_flags
def search(
    *,
    terminal: Terminal,
    directory: Path,
    kinds: tuple[str, ...],
    src: str | None,
    dst: str | None,
    **exact: str | None,
) -> int:
    """Show the events that match every option given."""
    from gateway.audit.event import KINDS
    from gateway.audit.reading import Query, events, parse_query_network

    for kind in kinds:
        if kind not in KINDS:
            raise ConfigurationError("audit-unknown-kind", kind=kind, known=", ".join(KINDS))
    query = Query(kinds=frozenset(kinds), src=parse_query_network(src), dst=parse_query_network(dst), **exact)
    found = 0
    for place in events(directory):
        if place.event is None:
            _show(terminal, place)
        elif query.matches(place.event):
            found += 1
            _show(terminal, place)
    terminal.log("audit-found", count=found)
    return ExitCode.OK


def head_meant(text: str | None) -> Head | None:
    """Return the head that an anchor is written for.

    Raises:
        ConfigurationError: it is no anchor.
    """
    from gateway.audit.chain import Head

    if text is None:
        return None
    try:
        return Head.parse(text)
    except ValueError as error:
        raise ConfigurationError("audit-bad-anchor", anchor=text) from error


def _show(terminal: Terminal, place: Place) -> None:
    from gateway.audit.display import describe

    if place.event is None:
        terminal.log("audit-line-skipped", file=place.file, line=place.line)
    elif terminal.json_lines:
        terminal.out.write(place.data.decode() + "\n")  # the very line, so that its hash can be checked
    else:
        terminal.write(describe(place.event, terminal.language))


def _report_as_data(terminal: Terminal, report: Report) -> None:
    for finding in report.findings:
        terminal.data(
            {
                "finding": finding.code,
                "severity": finding.severity,
                "file": finding.file,
                "line": finding.line,
                **finding.params,
                "message": terminal.words(finding.code, **finding.params),
            }
        )
    terminal.data(
        {
            "sound": report.sound,
            "files": report.files,
            "events": report.events,
            "heads": [str(head) for head in report.heads],
            "anchored": report.anchored,
        }
    )


def _report_as_words(terminal: Terminal, report: Report) -> None:
    for finding in report.findings:
        terminal.write(_finding_text(terminal, finding))
    errors = sum(finding.severity == "error" for finding in report.findings)
    outcome = "audit-sound" if report.sound else "audit-unsound"
    terminal.say(outcome, files=report.files, events=report.events, errors=errors)
    for head in report.heads:
        terminal.say("audit-head", head=head)
    if not report.anchored:
        terminal.say("audit-not-anchored")
    elif report.sound:
        terminal.say("audit-anchor-held")


def _finding_text(terminal: Terminal, finding: Finding) -> str:
    place = f"{finding.file}:{finding.line}" if finding.line else finding.file
    error = finding.severity == "error"
    severity = terminal.words("severity-error" if error else "audit-severity-notice")
    sentence = terminal.words(finding.code, **finding.params)
    return f"{place or '-'}: {severity}[{finding.code}] {sentence}"
