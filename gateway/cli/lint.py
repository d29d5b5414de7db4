"""`masugata lint`: what the owner of an allowlist should hear although the policy is valid.

Exit codes: 0 whatever was found, 1 with `--strict` while an error or warning is left, 2 the policy has
problems.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

import click

from gateway.cli.terminal import shared_flags, words
from zones.errors import ConfigurationError, ExitCode, PolicyError

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.cli.terminal import Terminal
    from zones.lint.engine import Report
    from zones.lint.finding import Finding
    from zones.model import Policy

RELATED_SHOWN = 5
"""How many other places a finding lists in text; JSON and SARIF have all of them."""


@click.command("lint", help=words("lint-help"))
@click.argument("paths", nargs=-1, metavar="PATH...")
@click.option(
    "--format", "form", type=click.Choice(["text", "json", "sarif"]), help=words("option-lint-format")
)
@click.option("--strict", is_flag=True, help=words("option-lint-strict"))
@click.option("--only", metavar="CODES", help=words("option-lint-only"))
@click.option("--explain", metavar="CODE", help=words("option-lint-explain"))
@click.option("--now", "now_text", metavar="DATE", help=words("option-now"))
@shared_flags
def command(
    paths: tuple[str, ...],
    form: str | None,
    only: str | None,
    explain: str | None,
    now_text: str | None,
    *,
    strict: bool,
    terminal: Terminal,
) -> int:
    """Write every finding, then how many of each code."""
    if terminal.json_lines and form not in (None, "json"):
        raise ConfigurationError("lint-formats-differ", format=form)
    terminal.json_lines = terminal.json_lines or form == "json"
    codes = _codes(only) if only is not None else None
    if explain is not None:
        _explain(terminal, _codes(explain)[0])
        return ExitCode.OK
    if not paths:
        raise ConfigurationError("lint-no-path")
    return _lint(terminal, paths, codes, now_text, _WRITERS[form or "text"], strict=strict)


def _lint(
    terminal: Terminal,
    paths: tuple[str, ...],
    codes: list[str] | None,
    now_text: str | None,
    write: Callable[[Terminal, Policy, Report], None],
    *,
    strict: bool,
) -> int:
    from gateway.cli.policies import moment_meant, sources_of
    from zones.lint.engine import lint
    from zones.load import load_written

    try:
        policy, documents = load_written(sources_of(paths))
    except PolicyError as error:
        terminal.error(error)
        terminal.log("policy-invalid", count=len(error.problems))
        return ExitCode.USAGE
    report = lint(policy, documents, now=moment_meant(now_text, policy), only=codes)
    if terminal.json_lines:
        write = _json
    write(terminal, policy, report)
    if report.undecided:
        terminal.log("lint-undecided", flows=", ".join(report.undecided))
    return ExitCode.FINDING if strict and report.failing else ExitCode.OK


def _codes(text: str) -> list[str]:
    from zones.lint.codes import CODES

    codes = [code.strip() for code in text.split(",") if code.strip()]
    for code in codes or [text]:
        if code not in CODES:
            raise ConfigurationError("lint-unknown-code", value=code, known=", ".join(CODES))
    return codes


def _explain(terminal: Terminal, code: str) -> None:
    from zones.lint.codes import CODES

    title, body = terminal.words(f"lint-{code}-title"), terminal.words(f"lint-{code}-about")
    if terminal.json_lines:
        terminal.data({"code": code, "severity": CODES[code], "title": title, "about": body})
    else:
        severity = terminal.words(f"severity-{CODES[code]}")
        terminal.say("lint-explain", code=code, severity=severity, title=title)
        terminal.sentence(body, hang=0)


# --- text --------------------------------------------------------------------------------------------------


def _text(terminal: Terminal, policy: Policy, report: Report) -> None:
    for finding in report.open:
        _text_finding(terminal, finding)
    for code, count in report.counts.items():
        terminal.say("lint-count", count=count, code=code, title=terminal.words(f"lint-{code}-title"))
    counted = Counter(finding.severity.value for finding in report.open)
    if not report.findings:
        terminal.say("lint-clean", name=policy.name)
        return
    terminal.say(
        "lint-summary",
        name=policy.name,
        errors=counted["error"],
        warnings=counted["warning"],
        notes=counted["note"],
        accepted=len(report.findings) - len(report.open),
    )


def _text_finding(terminal: Terminal, finding: Finding) -> None:
    from zones.messages import hint

    place = ":".join(map(str, finding.place))
    severity = terminal.words(f"severity-{finding.severity.value}")
    sentence = terminal.words(finding.message, **finding.params)
    terminal.sentence(f"{place}: {severity}[{finding.code}] {sentence}", hang=4)
    cure = hint(finding.message, finding.params, terminal.language)
    if cure:
        terminal.sentence(f"  → {cure}", hang=4)
    for subject, other in finding.related[:RELATED_SHOWN]:
        terminal.sentence(
            f"  {':'.join(map(str, other))}: {terminal.words('lint-related', what=subject.name)}"
        )


# --- for programs ------------------------------------------------------------------------------------------


def _json(terminal: Terminal, policy: Policy, report: Report) -> None:
    from zones.messages import hint

    for finding in report.findings:
        accepted = finding.suppressed
        terminal.data(
            {
                "finding": finding.code,
                "severity": finding.severity.value,
                **finding.place._asdict(),
                "section": finding.subject.section,
                "name": finding.subject.name,
                "message": terminal.words(finding.message, **finding.params),
                "hint": hint(finding.message, finding.params, terminal.language),
                "params": dict(finding.params),
                "related": [
                    {"section": subject.section, "name": subject.name, **place._asdict()}
                    for subject, place in finding.related
                ],
                "accepted": {"because": accepted.because, "until": accepted.until} if accepted else None,
            }
        )
    counts = dict(report.counts)
    terminal.data({"lint": policy.name, "counts": counts, "revision": policy.revision})


def _sarif(terminal: Terminal, policy: Policy, report: Report) -> None:
    from importlib.metadata import version

    from zones.lint.sarif import sarif_log

    log = sarif_log(report.findings, tool_version=version("masugata"), language=terminal.language)
    terminal.out.write(json.dumps(log, ensure_ascii=False, indent=2) + "\n")


_WRITERS: dict[str, Callable[[Terminal, Policy, Report], None]] = {
    "text": _text,
    "json": _json,
    "sarif": _sarif,
}
