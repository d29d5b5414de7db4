"""`masugata report`: clause by clause, what of the city's security policy is shown, and by what.

Exit codes: 0 whatever stands open, 1 with `--strict`: a clause is open, 2 the policy cannot be used.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gateway.cli.policies import moment_meant, policy_of
from gateway.cli.report_pages import html, markdown, text
from gateway.cli.terminal import shared_flags, words
from zones.clauses import clause_pack, known_packs
from zones.errors import ConfigurationError, ExitCode
from zones.report import OF_CLAUSES, Standing, clause_report

if TYPE_CHECKING:
    from gateway.cli.terminal import Terminal
    from zones.evidence import LogEvidence
    from zones.model import Policy
    from zones.report import Answer, ClauseReport, ClauseStanding

_FORMS = {"text": text, "markdown": markdown, "html": html}


@click.command("report", help=words("report-help"))
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option("--clauses", "whole", is_flag=True, help=words("option-clauses"))
@click.option("--pack", type=click.Choice(known_packs()), default=known_packs()[0], help=words("option-pack"))
@click.option(
    "--format", "form", type=click.Choice(list(_FORMS)), default="text", help=words("option-report-format")
)
@click.option(
    "--audit", type=click.Path(path_type=Path), metavar="DIRECTORY", help=words("option-report-audit")
)
@click.option("--anchor", metavar="BOOT:SEQ:HASH", help=words("option-report-anchor"))
@click.option("--now", "now_text", metavar="DATE", help=words("option-now"))
@click.option("--strict", is_flag=True, help=words("option-report-strict"))
@shared_flags
def command(
    paths: tuple[str, ...],
    pack: str,
    form: str,
    now_text: str | None,
    *,
    audit: Path | None,
    anchor: str | None,
    whole: bool,
    strict: bool,
    terminal: Terminal,
) -> int:
    """Prove what can be proved, then write the standing of every clause."""
    policy = policy_of(paths)
    now = moment_meant(now_text, policy)
    log = _log(policy, audit, anchor)
    report = clause_report(policy, clause_pack(pack), now=now, log=log)
    moment = datetime.fromtimestamp(now, policy.timezone).isoformat(timespec="minutes")
    if terminal.json_lines:
        for entry in report.clauses:
            terminal.data(clause_record(entry))
        terminal.data(summary_record(report, moment))
    else:
        lines = _FORMS[form](report, terminal.words, moment=moment, whole=whole)
        (terminal.sentence if form == "text" else terminal.write)("\n".join(lines))
    return ExitCode.FINDING if strict and report.count(Standing.OPEN) else ExitCode.OK


def _log(policy: Policy, directory: Path | None, anchor: str | None) -> LogEvidence | None:
    """Return what the audit log shows, if one was named."""
    if directory is None:
        if anchor is not None:
            raise ConfigurationError("report-anchor-alone")
        return None
    from gateway.audit.evidence import log_evidence
    from gateway.cli.audit import head_meant

    return log_evidence(directory, revision=policy.revision, anchor=head_meant(anchor))


def clause_record(entry: ClauseStanding) -> dict[str, Any]:
    """Return one clause as JSON."""
    clause = entry.clause
    return {
        "clause": clause.id,
        "standing": entry.standing.value,
        "heading": clause.heading,
        "text": clause.text,
        "gloss": clause.gloss,
        "evidence": list(clause.evidence),
        "answers": [_answer_record(answer) for answer in entry.answers],
        "flows": list(entry.flows),
        "guards": list(entry.guards),
        "invariants": list(entry.invariants),
        "outside": [
            {
                "kind": part.kind,
                "what": part.what,
                "what_en": part.what_en,
                "by": part.by,
                "by_en": part.by_en,
            }
            for part in clause.outside
        ],
    }


def _answer_record(answer: Answer) -> dict[str, Any]:
    return {
        "standing": answer.standing.value,
        "answer": answer.code.removeprefix("report-"),
        **answer.params,
        "notes": [{"code": code, **params} for code, params in answer.notes],
        "proofs": [
            {
                "invariant": result.invariant.id,
                "state": result.state.value,
                "exceptions": list(result.invariant.exceptions),
                "assumptions": [{"code": code, **params} for code, params in result.assumptions],
            }
            for result in answer.results
        ],
    }


def summary_record(report: ClauseReport, moment: str) -> dict[str, Any]:
    """Return the counts as JSON; `outside` and `partly_outside` are never part of what is met."""
    return {
        "report": report.pack.id,
        "policy": report.policy,
        "revision": report.revision,
        "at": moment,
        **{standing.value: report.count(standing) for standing in OF_CLAUSES},
        "partly_outside": report.partly_outside,
        "log": None if report.log is None else {**asdict(report.log), "counts": dict(report.log.counts)},
    }
