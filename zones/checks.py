"""The policy held against itself: its own tests, and what has quietly expired."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from zones.decide import decide
from zones.errors import Problem
from zones.expiry import moment_of
from zones.model import Mode
from zones.packet import parse_packet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zones.model import Flow, Policy, PolicyTest
    from zones.verdict import Verdict


class Checked(NamedTuple):
    """One test of the policy and what `decide` says of its packet."""

    test: PolicyTest
    verdict: Verdict

    @property
    def passed(self) -> bool:
        """Whether outcome or reason is the expected one, and the named flow or guard decided."""
        verdict = self.verdict
        expected = self.test.expect in (verdict.outcome, verdict.reason)
        return expected and self.test.by in (None, verdict.decided_by)


def run_tests(policy: Policy, *, now: float) -> tuple[Checked, ...]:
    """Return every test of the policy with its verdict; tests without `at` are asked at `now`."""
    return tuple(_run(policy, test, now) for test in policy.tests)


def _run(policy: Policy, test: PolicyTest, now: float) -> Checked:
    moment = now if test.at is None else moment_of(test.at, policy.timezone)
    return Checked(test, decide(policy, parse_packet(test.packet).key, now=moment))


def failed_tests(results: tuple[Checked, ...]) -> Iterator[Problem]:
    """Yield one problem for each test that failed, at its place in the file."""
    for test, verdict in results:
        if not Checked(test, verdict).passed:
            yield Problem(
                code="test-failed",
                file=test.file,
                line=test.line,
                column=test.column,
                path=test.packet,
                params={
                    "packet": test.packet,
                    "expected": _answer(test.expect, None, test.by),
                    "got": _answer(verdict.outcome, verdict.reason, verdict.decided_by),
                },
            )


def _answer(outcome: str, reason: str | None, decided_by: str | None) -> str:
    """Return an answer in the policy's own words: `deny (guard) by G1`."""
    return outcome + (f" ({reason})" if reason else "") + (f" by {decided_by}" if decided_by else "")


def expired_flows(policy: Policy, *, now: float) -> tuple[Flow, ...]:
    """Return the flows that take part in verdicts on paper only: their `expires` has passed."""
    return tuple(
        flow
        for flow in policy.flows
        if flow.mode is not Mode.DISABLED and flow.expires_at is not None and now >= flow.expires_at
    )


def expired_problems(policy: Policy, *, now: float) -> Iterator[Problem]:
    """Yield a remark for each expired flow: somebody should renew it or take it out."""
    for flow in expired_flows(policy, now=now):
        yield Problem(
            code="flow-expired",
            file=flow.file,
            line=flow.line,
            column=1,
            path=flow.id,
            severity="warning",
            params={"id": flow.id, "expires": flow.expires, "owner": flow.owner or "-"},
        )
