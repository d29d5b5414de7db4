"""Trial: proposals put into the policy as they would be written, and held against everything it promises.

What is tried is the very text that would be applied: inserted, loaded, proved. A proposal stays only if every
invariant that was proved is still proved, every test of the policy that passed still passes, and the packets
it is for get through (or are told the way it opens). The others are refused, with what would break.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from gateway.suggest.entries import combined
from gateway.suggest.patch import insert
from zones.checks import run_tests
from zones.decide import DIRECT, decide
from zones.errors import PolicyError
from zones.load import load_policy
from zones.proof.verify import State, verify
from zones.verdict import Outcome, Reason

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gateway.suggest.proposals import Proposal
    from zones.errors import Problem
    from zones.model import Guard, Policy, PolicyTest
    from zones.proof.verify import Assumption, Result
    from zones.verdict import Verdict


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """A proposal that must not be made; one of the last five says why.

    `together` says that it would hold alone, but not beside the proposals that were accepted before it.
    """

    proposal: Proposal
    policy: Policy
    """The policy it was tried in: with it, or without it where no policy can be made."""
    together: bool = False
    guard: Guard | None = None
    result: Result | None = None
    test: PolicyTest | None = None
    problems: tuple[Problem, ...] = ()
    verdict: Verdict | None = None

    @property
    def kind(self) -> str:
        """What refuses it: `guard`, `invariant`, `test`, `policy` or `verdict`."""
        given = {
            "guard": self.guard,
            "invariant": self.result,
            "test": self.test,
            "policy": self.problems,
        }
        return next((kind for kind, value in given.items() if value), "verdict")

    @property
    def by(self) -> str:
        """The id of what refuses it, or the packet of the test."""
        if self.guard is not None:
            return self.guard.id
        if self.result is not None:
            return self.result.invariant.id
        if self.test is not None:
            return self.test.packet
        return self.problems[0].code if self.problems else (self.verdict.reason.value if self.verdict else "")

    @property
    def basis(self) -> tuple[str, ...]:
        """The clauses behind it."""
        if self.guard is not None:
            return self.guard.basis
        return self.result.invariant.basis if self.result is not None else ()


class Admission(NamedTuple):
    """What may be applied together, what may not, and the policy with the former in it."""

    accepted: tuple[Proposal, ...]
    refused: tuple[Refusal, ...]
    policy: Policy
    sources: dict[str, str]


class _Breach(NamedTuple):
    """What held, and would no longer in a policy with proposals."""

    policy: Policy
    result: Result | None = None
    test: PolicyTest | None = None
    problems: tuple[Problem, ...] = ()


class Trial:
    """Tries proposals in one policy at one moment. `new_file` as in `patch.insert`."""

    def __init__(
        self, policy: Policy, sources: Mapping[str, str], *, now: float, new_file: str | None
    ) -> None:
        self._policy, self._sources = policy, dict(sources)
        self._now, self._new_file = now, new_file
        results = list(verify(policy, now=now))
        self._assumed = {_granted(result, each) for result in results for each in result.assumptions}
        self._held = {r.invariant.id for r in results if r.state is State.PROVED}
        self._passing = {_test(c.test) for c in run_tests(policy, now=now) if c.passed}
        self.unproved = tuple(r.invariant.id for r in results if r.state is not State.PROVED)
        """Invariants that do not hold as it is: nothing can be held against them."""

    def applied(self, proposals: Sequence[Proposal]) -> tuple[Policy, dict[str, str]]:
        """Return the policy with the proposals in it, and its files.

        Raises:
            PolicyError: they make it one that cannot be used.
            ConfigurationError: nothing can be inserted into its files.
        """
        if not proposals:
            return self._policy, dict(self._sources)
        sources = insert(self._sources, combined(proposal.addition for proposal in proposals), self._new_file)
        return load_policy(sources), sources

    def admit(self, proposals: Sequence[Proposal], accepted: Sequence[Proposal] = ()) -> Admission:
        """Return what may be added to the proposals accepted before: as many as possible, in order."""
        refused = []
        servable = []
        everything = self._policy_with([*accepted, *proposals])
        for proposal in proposals:
            # Beside each other first: one load for all; what fails there is asked again by itself.
            fine = everything is not None and self._unserved(everything, proposal) is None
            refusal = None if fine else self._refused_alone(proposal)
            if refusal is None:
                servable.append(proposal)
            else:
                refused.append(refusal)
        taken = list(accepted)
        refused += self._divide(taken, servable)
        together = self._policy_with(taken) or self._policy
        for proposal in [each for each in taken if each in servable]:
            verdict = self._unserved(together, proposal)
            if verdict is not None:
                taken.remove(proposal)
                refused.append(Refusal(proposal=proposal, policy=together, together=True, verdict=verdict))
        order = {proposal.id: place for place, proposal in enumerate(proposals)}
        refused.sort(key=lambda refusal: order[refusal.proposal.id])
        return Admission(tuple(taken), tuple(refused), *self.applied(taken))

    def _policy_with(self, proposals: Sequence[Proposal]) -> Policy | None:
        try:
            return self.applied(proposals)[0]
        except PolicyError:
            return None

    def _divide(self, taken: list[Proposal], proposals: list[Proposal]) -> list[Refusal]:
        """Extend `taken` by what holds; all at once where that holds, else half by half."""
        if not proposals:
            return []
        breach = self._breach([*taken, *proposals])
        if breach is None:
            taken += proposals
            return []
        if len(proposals) == 1:
            alone = self._breach(proposals) if taken else breach
            return [_refusal(proposals[0], alone or breach, together=alone is None)]
        middle = len(proposals) // 2
        refused = self._divide(taken, proposals[:middle])
        return refused + self._divide(taken, proposals[middle:])

    def _breach(self, proposals: Sequence[Proposal]) -> _Breach | None:
        """Return the first thing that held and would no longer."""
        try:
            policy, _ = self.applied(proposals)
        except PolicyError as error:
            return _Breach(self._policy, problems=error.problems)
        for checked in run_tests(policy, now=self._now):
            if not checked.passed and _test(checked.test) in self._passing:
                return _Breach(policy, test=checked.test)
        wanted = [invariant for invariant in policy.invariants if invariant.id in self._held]
        results = verify(policy, now=self._now, invariants=wanted)
        broken = next((result for result in results if result.state is not State.PROVED), None)
        return None if broken is None else _Breach(policy, result=broken)

    def _refused_alone(self, proposal: Proposal) -> Refusal | None:
        """Return why a proposal by itself is none: no policy, or its packets get another answer."""
        try:
            policy, _ = self.applied([proposal])
        except PolicyError as error:
            return Refusal(proposal=proposal, policy=self._policy, problems=error.problems)
        verdict = self._unserved(policy, proposal)
        if verdict is None:
            return None
        guard = policy.guard(verdict.decided_by or "") if verdict.reason is Reason.GUARD else None
        return Refusal(proposal=proposal, policy=policy, guard=guard, verdict=verdict)

    def _unserved(self, policy: Policy, proposal: Proposal) -> Verdict | None:
        """Return the first verdict on the evidence that is not the proposed one."""
        expected = DIRECT[proposal.draft.action]
        for seen in proposal.draft.evidence:
            verdict = decide(policy, seen.exchange.packet, now=self._now)
            mine = proposal.id in (verdict.decided_by, *verdict.also)
            if not mine or (verdict.outcome, verdict.reason) != expected:
                return verdict
        return None

    def assumptions(self, admission: Admission) -> list[tuple[str, Assumption]]:
        """Return what proofs take for granted only with the proposals, each with the invariant's id."""
        return [
            (result.invariant.id, each)
            for result in verify(admission.policy, now=self._now)
            for each in result.assumptions
            if _granted(result, each) not in self._assumed
        ]

    def passes(self, admission: Admission, proposal: Proposal) -> str | None:
        """Return the accepted flow that serves a proposal's packets already; None if some are refused."""
        serving = None
        for seen in proposal.draft.evidence:
            verdict = decide(admission.policy, seen.exchange.packet, now=self._now)
            if verdict.outcome is Outcome.DENY or verdict.decided_by is None:
                return None
            serving = serving or verdict.decided_by
        return serving


def _granted(result: Result, assumption: Assumption) -> tuple[str, str, str]:
    params = ", ".join(f"{name}={value}" for name, value in sorted(assumption.params.items()))
    return result.invariant.id, assumption.code, params


def _test(test: PolicyTest) -> PolicyTest:
    """Return a test without its place: lines move when entries are added."""
    return replace(test, line=0, column=0, file="")


def _refusal(proposal: Proposal, breach: _Breach, *, together: bool) -> Refusal:
    return Refusal(
        proposal=proposal,
        policy=breach.policy,
        together=together,
        result=breach.result,
        test=breach.test,
        problems=breach.problems,
    )
