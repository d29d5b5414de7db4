"""`masugata check`: is this policy well formed, and does it say what its own tests expect?

Exit codes: 0 it does, 1 a test failed or an invariant is violated (with `--strict` also: lint has an error or
a warning that nobody has accepted), 2 the policy has problems, 4 an invariant could not be decided.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from gateway.cli.terminal import shared_flags, words
from gateway.cli.verify import exit_code, write_result
from zones.errors import ExitCode, PolicyError, Problem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.cli.terminal import Terminal
    from zones.model import Policy
    from zones.proof.verify import Result
    from zones.source import Document


@click.command("check", help=words("check-help"))
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option("--now", "now_text", metavar="DATE", help=words("option-now"))
@click.option("--strict", is_flag=True, help=words("option-strict"))
@shared_flags
def command(paths: tuple[str, ...], now_text: str | None, *, strict: bool, terminal: Terminal) -> int:
    """Report every problem, then failed tests and what has expired, then one line that sums up."""
    from gateway.cli.policies import moment_meant, sources_of
    from zones.checks import expired_problems, failed_tests, run_tests
    from zones.load import load_written
    from zones.proof.verify import verify

    try:
        policy, documents = load_written(sources_of(paths))
    except PolicyError as error:
        terminal.error(error)
        terminal.log("policy-invalid", count=len(error.problems))
        return ExitCode.USAGE
    now = moment_meant(now_text, policy)
    results = run_tests(policy, now=now)
    failed, expired = list(failed_tests(results)), list(expired_problems(policy, now=now))
    # What has expired is a finding of lint as well: said once.
    findings = _findings(policy, documents, now) if strict else expired
    for problem in (*findings, *failed):
        terminal.problem(problem)
    proofs = list(verify(policy, now=now))
    for proof in proofs:
        _invariant(terminal, policy, proof, now)
    code = ExitCode.FINDING if failed or (strict and findings) else exit_code(proofs)
    counts = {"tests": len(results), "passed": len(results) - len(failed), "expired": len(expired)}
    _summary(terminal, policy, code, proved=sum(proof.state == "proved" for proof in proofs), **counts)
    return code


def _findings(policy: Policy, documents: Sequence[Document], now: float) -> list[Problem]:
    """Return what lint would fail the policy for, as problems."""
    from zones.lint.engine import FAILING, lint

    return [
        Problem(
            code=finding.message,
            file=finding.place.file,
            line=finding.place.line,
            column=finding.place.column,
            severity=finding.severity.value,
            params=finding.params,
        )
        for finding in lint(policy, documents, now=now).open
        if finding.severity in FAILING
    ]


def _invariant(terminal: Terminal, policy: Policy, proof: Result, now: float) -> None:
    """Write what is known of an invariant in one line; all of it where it is not proved, and as JSON."""
    if terminal.json_lines or proof.state != "proved":
        write_result(terminal, policy, proof, now)
    elif proof.transitive:
        terminal.log("verify-proved-transitive", id=proof.invariant.id)
    else:
        terminal.log("verify-proved", id=proof.invariant.id)


def _summary(
    terminal: Terminal, policy: Policy, code: ExitCode, *, proved: int, tests: int, passed: int, expired: int
) -> None:
    counts = {
        "zones": len(policy.zones),
        "hosts": len(policy.hosts),
        "flows": len(policy.flows),
        "guards": len(policy.guards),
        "invariants": len(policy.invariants),
        "proved": proved,
        "passed": passed,
        "tests": tests,
    }
    if terminal.json_lines:
        verdict = "ok" if code is ExitCode.OK else "failed"
        record = {"check": verdict, "policy": policy.name, **counts, "expired": expired}
        terminal.data({**record, "revision": policy.revision})
    else:
        terminal.say("check-summary", name=policy.name, **counts, revision=policy.revision[:12])
