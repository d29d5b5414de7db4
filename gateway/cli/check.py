"""`masugata check`: is this policy well formed, and does it say what its own tests expect?

Exit codes: 0 it does, 1 a test failed (with `--strict` also: a flow has expired), 2 the policy has problems.
Invariants are listed; until they can be proved they do not set the exit code.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from gateway.cli.terminal import shared_flags, words
from zones.errors import ExitCode, PolicyError

if TYPE_CHECKING:
    from gateway.cli.terminal import Terminal
    from zones.model import Invariant, Policy


@click.command("check", help=words("check-help"))
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option("--now", "now_text", metavar="DATE", help=words("option-now"))
@click.option("--strict", is_flag=True, help=words("option-strict"))
@shared_flags
def command(paths: tuple[str, ...], now_text: str | None, *, strict: bool, terminal: Terminal) -> int:
    """Report every problem, then failed tests and what has expired, then one line that sums up."""
    from gateway.cli.policies import moment_meant, policy_of
    from zones.checks import expired_problems, failed_tests, run_tests

    try:
        policy = policy_of(paths)
    except PolicyError as error:
        terminal.error(error)
        terminal.log("policy-invalid", count=len(error.problems))
        return ExitCode.USAGE
    now = moment_meant(now_text, policy)
    results = run_tests(policy, now=now)
    failed, expired = list(failed_tests(results)), list(expired_problems(policy, now=now))
    for problem in (*expired, *failed):
        terminal.problem(problem)
    for invariant in policy.invariants:
        _invariant(terminal, invariant)
    code = ExitCode.FINDING if failed or (strict and expired) else ExitCode.OK
    _summary(terminal, policy, code, tests=(len(results) - len(failed), len(results)), expired=len(expired))
    return code


def _invariant(terminal: Terminal, invariant: Invariant) -> None:
    if terminal.json_lines:
        place = {"file": invariant.file, "line": invariant.line}
        terminal.data({"invariant": invariant.id, "state": "not-proved", **place})
    else:
        terminal.log("check-invariant", id=invariant.id)


def _summary(
    terminal: Terminal, policy: Policy, code: ExitCode, *, tests: tuple[int, int], expired: int
) -> None:
    passed, total = tests
    counts = {
        "zones": len(policy.zones),
        "hosts": len(policy.hosts),
        "flows": len(policy.flows),
        "guards": len(policy.guards),
        "invariants": len(policy.invariants),
        "passed": passed,
        "tests": total,
    }
    if terminal.json_lines:
        verdict = "ok" if code is ExitCode.OK else "failed"
        record = {"check": verdict, "policy": policy.name, **counts, "expired": expired}
        terminal.data({**record, "revision": policy.revision})
    else:
        terminal.say("check-summary", name=policy.name, **counts, revision=policy.revision[:12])
