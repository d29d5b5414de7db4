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
from zones.model import Action
from zones.proof.verify import State, verify
from zones.proof.ways import reply_to
from zones.verdict import TCP, Connection, Outcome, Reason
from zones.verdict import State as TrackedState

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from gateway.suggest.proposals import Proposal
    from gateway.suggest.triage import Seen
    from zones.errors import Problem
    from zones.model import Guard, Policy, PolicyTest
    from zones.proof.verify import Assumption, Counterexample, Result
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
    flows: frozenset[str] = frozenset()
    """Flows that it goes through, as far as it says."""
    result: Result | None = None
    test: PolicyTest | None = None
    problems: tuple[Problem, ...] = ()

    def last_of(self, proposals: Sequence[Proposal]) -> Proposal | None:
        """Return the last proposal it goes through: what comes first has the better evidence."""
        return next((each for each in reversed(proposals) if each.id in self.flows), None)


class Trial:
    """Tries proposals in one policy at one moment. `new_file` as in `patch.insert`."""

    def __init__(
        self, policy: Policy, sources: Mapping[str, str], *, now: float, new_file: str | None
    ) -> None:
        self._policy, self._sources = policy, dict(sources)
        self._now, self._new_file = now, new_file
        self._ids = {flow.id for flow in policy.flows}
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
        servable, refused = self._servable(proposals, accepted)
        kept, broken = self._unbroken(servable, accepted)
        refused += broken
        # What was refused because of another may hold once that one is refused itself.
        for refusal in [each for each in broken if each.together]:
            if self._breach([*accepted, *kept, refusal.proposal]) is None:
                kept.append(refusal.proposal)
                refused.remove(refusal)
        order = {proposal.id: place for place, proposal in enumerate(proposals)}
        kept.sort(key=lambda proposal: order[proposal.id])
        refused += self._outdone(kept, accepted)
        refused.sort(key=lambda refusal: order[refusal.proposal.id])
        taken = (*accepted, *kept)
        return Admission(taken, tuple(refused), *self.applied(taken))

    def _servable(
        self, proposals: Sequence[Proposal], accepted: Sequence[Proposal]
    ) -> tuple[list[Proposal], list[Refusal]]:
        """Divide by whether the packets of the evidence would get the proposed answer."""
        kept: list[Proposal] = []
        refused: list[Refusal] = []
        everything = self._policy_with([*accepted, *proposals])
        for proposal in proposals:
            # Beside each other first: one load for all; what fails there is asked again by itself.
            verdict = None if everything is None else self._unserved(everything, proposal)
            refusal = None
            if everything is not None and verdict is not None and verdict.reason is Reason.GUARD:
                refusal = _barred(proposal, everything, verdict)
            elif everything is None or verdict is not None:
                refusal = self._refused_alone(proposal)
            if refusal is None:
                kept.append(proposal)
            else:
                refused.append(refusal)
        return kept, refused

    def _unbroken(
        self, proposals: Sequence[Proposal], accepted: Sequence[Proposal]
    ) -> tuple[list[Proposal], list[Refusal]]:
        """Take out what breaks something, until nothing is: a breach names the flows it goes through."""
        kept = list(proposals)
        refused: list[Refusal] = []
        while kept:
            breaches = self._breaches([*accepted, *kept])
            if not breaches:
                break
            if all(breach.last_of(kept) is None for breach in breaches):
                kept, more = self._divided(kept, accepted)
                return kept, refused + more
            for breach in breaches:
                guilty = breach.last_of(kept)
                # A way that led through one that has just been taken out is gone with it.
                if guilty is not None and breach.flows <= self._ids | {*_ids(accepted), *_ids(kept)}:
                    kept.remove(guilty)
                    others = {*_ids(accepted), *_ids(kept)}
                    alone = breach if breach.flows.isdisjoint(others) else self._breach([guilty])
                    refused.append(_refusal(guilty, alone or breach, together=alone is None))
        return kept, refused

    def _divided(
        self, proposals: Sequence[Proposal], accepted: Sequence[Proposal]
    ) -> tuple[list[Proposal], list[Refusal]]:
        """Find what breaks something half by half: the breach does not say (a search out of time)."""
        breach = self._breach([*accepted, *proposals])
        if breach is None:
            return list(proposals), []
        if len(proposals) == 1:
            alone = self._breach(proposals) if accepted else breach
            return [], [_refusal(proposals[0], alone or breach, together=alone is None)]
        middle = len(proposals) // 2
        first, refused = self._divided(proposals[:middle], accepted)
        second, more = self._divided(proposals[middle:], [*accepted, *first])
        return first + second, refused + more

    def _outdone(self, kept: list[Proposal], accepted: Sequence[Proposal]) -> list[Refusal]:
        """Take out of `kept` what another accepted proposal would answer differently."""
        policy = self._policy_with([*accepted, *kept]) or self._policy
        refused = []
        for proposal in list(kept):
            verdict = self._unserved(policy, proposal)
            if verdict is not None:
                kept.remove(proposal)
                refused.append(Refusal(proposal=proposal, policy=policy, together=True, verdict=verdict))
        return refused

    def _policy_with(self, proposals: Sequence[Proposal]) -> Policy | None:
        try:
            return self.applied(proposals)[0]
        except PolicyError:
            return None

    def _breach(self, proposals: Sequence[Proposal]) -> _Breach | None:
        """Return the first thing that held and would no longer."""
        return next(iter(self._breaches(proposals)), None)

    def _breaches(self, proposals: Sequence[Proposal]) -> list[_Breach]:
        """Return what held and would no longer: every test, and a way to each target of an invariant."""
        try:
            policy, _ = self.applied(proposals)
        except PolicyError as error:
            return [_Breach(self._policy, problems=error.problems)]
        breaches = []
        for checked in run_tests(policy, now=self._now):
            if not checked.passed and _test(checked.test) in self._passing:
                by = (checked.verdict.decided_by, *checked.verdict.also)
                breaches.append(_Breach(policy, frozenset(filter(None, by)), test=checked.test))
        wanted = [invariant for invariant in policy.invariants if invariant.id in self._held]
        for result in verify(policy, now=self._now, invariants=wanted):
            if result.state is not State.PROVED:
                ways = [_flows_of(example) for example in result.counterexamples] or [frozenset()]
                breaches += [_Breach(policy, way, result=result) for way in ways]
        return breaches

    def _refused_alone(self, proposal: Proposal) -> Refusal | None:
        """Return why a proposal by itself is none: no policy, or its packets get another answer."""
        try:
            policy, _ = self.applied([proposal])
        except PolicyError as error:
            return Refusal(proposal=proposal, policy=self._policy, problems=error.problems)
        verdict = self._unserved(policy, proposal)
        if verdict is None:
            return None
        return _barred(proposal, policy, verdict)

    def _unserved(self, policy: Policy, proposal: Proposal) -> Verdict | None:
        """Return the first verdict on the evidence that is not the proposed one."""
        expected = DIRECT[proposal.draft.action]
        for seen in proposal.draft.evidence:
            verdict = decide(policy, seen.exchange.packet, now=self._now)
            mine = proposal.id in (verdict.decided_by, *verdict.also)
            if not mine or (verdict.outcome, verdict.reason) != expected:
                return verdict
            unanswerable = self._unanswerable(policy, proposal, seen)
            if unanswerable is not None:
                return unanswerable
        return None

    def _unanswerable(self, policy: Policy, proposal: Proposal, seen: Seen) -> Verdict | None:
        """Return the guard's verdict on what comes back, where a flow is of no use without it."""
        exchange = seen.exchange
        if proposal.draft.action is not Action.ALLOW:
            return None
        if exchange.protocol != TCP and not seen.sightings.answered:
            return None  # syslog and its like speak and wait for nothing
        reply = reply_to(exchange.packet, exchange.destination_zone or "")
        known = Connection(TrackedState.ESTABLISHED, proposal.id)
        verdict = decide(policy, reply, now=self._now, connection=known)
        return verdict if verdict.reason is Reason.GUARD else None

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


def _ids(proposals: Iterable[Proposal]) -> Iterator[str]:
    return (proposal.id for proposal in proposals)


def _flows_of(example: Counterexample) -> frozenset[str]:
    """Return the flows that a counterexample goes through: without one of them it would not exist."""
    return frozenset(step.seen.flow for step in example.steps if step.seen is not None and step.seen.flow)


def _barred(proposal: Proposal, policy: Policy, verdict: Verdict) -> Refusal:
    guard = policy.guard(verdict.decided_by or "") if verdict.reason is Reason.GUARD else None
    return Refusal(proposal=proposal, policy=policy, guard=guard, verdict=verdict)


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
