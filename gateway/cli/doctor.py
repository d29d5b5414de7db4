"""`masugata doctor`: which tools, isolation layers and libraries are there, and what brings the rest."""

from __future__ import annotations

import unicodedata
from itertools import groupby
from typing import TYPE_CHECKING

import click

from gateway.cli.terminal import Terminal, shared_flags, words
from zones.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.doctor.findings import Finding


@click.command("doctor", help=words("verb-doctor"))
@shared_flags
def command(terminal: Terminal) -> int:
    """Print every finding; leave with 3 when something is missing that lab and gateway need."""
    from gateway.doctor.findings import exit_code
    from gateway.doctor.host import ThisHost
    from gateway.doctor.probes import examine

    findings = examine(ThisHost())
    code = exit_code(findings)
    if terminal.json_lines:
        for finding in findings:
            terminal.data(_record(terminal, finding))
    else:
        _write(terminal, findings)
    missing = sum(finding.state == "missing" for finding in findings)
    terminal.log("doctor-ready") if code is ExitCode.OK else terminal.log("doctor-not-ready", count=missing)
    return code


def _record(terminal: Terminal, finding: Finding) -> dict[str, object]:
    return {
        "group": finding.group,
        "name": finding.name,
        "state": finding.state,
        "detail": finding.detail,
        "for": terminal.words(finding.purpose),
        "cure": terminal.words(finding.cure.code, **finding.cure.params) if finding.cure else "",
    }


def _write(terminal: Terminal, findings: Sequence[Finding]) -> None:
    for group, members in groupby(findings, key=lambda finding: finding.group):
        terminal.say(f"doctor-group-{group}")
        for finding in members:
            state = _padded(terminal.words(f"doctor-state-{finding.state}"), 9)
            detail = f" ({finding.detail})" if finding.detail else ""
            terminal.write(f"  {state}{finding.name:<18}{terminal.words(finding.purpose)}{detail}")
            if finding.cure is not None:
                terminal.write(f"           → {terminal.words(finding.cure.code, **finding.cure.params)}")


def _padded(text: str, columns: int) -> str:
    """Return `text` filled up to a number of terminal columns; a Japanese character takes two."""
    width = sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)
    return text + " " * (columns - width)
