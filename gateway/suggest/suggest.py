"""Suggest: evidence and a policy in; proposals, refusals and everything that is not proposed out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.suggest.actions import action_for
from gateway.suggest.merging import merge
from gateway.suggest.narrowing import Usage, usage
from gateway.suggest.proposals import propose
from gateway.suggest.score import bits, space_of
from gateway.suggest.triage import SetAside, Why, triage
from gateway.suggest.trial import Admission, Trial
from zones.model import GATEWAY

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from gateway.suggest.evidence import Collector
    from gateway.suggest.proposals import Proposal, Style
    from gateway.suggest.triage import Seen, Thresholds
    from gateway.suggest.trial import Refusal
    from zones.model import Policy
    from zones.proof.verify import Assumption

ZonePair = tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class Question:
    """What to suggest, and how. `zone_pairs` empty means all; `now` is when the policy would be applied."""

    now: float
    style: Style
    thresholds: Thresholds
    zone_pairs: Collection[ZonePair] = ()
    new_file: str | None = None


@dataclass(frozen=True, kw_only=True)
class Suggestions:
    """The answer. `unproved` are invariants that do not hold as it is, so nothing was held against them."""

    proposals: tuple[Proposal, ...]
    refused: tuple[Refusal, ...]
    set_aside: tuple[SetAside, ...]
    usage: tuple[Usage, ...]
    unproved: tuple[str, ...]
    assumptions: tuple[tuple[str, Assumption], ...]
    """What proofs take for granted only with the proposals: the invariant's id and the assumption."""
    scores: Mapping[str, float]
    trial: Trial
    now: float

    @property
    def found(self) -> bool:
        """Whether there is anything to decide for somebody."""
        return bool(self.proposals or self.refused)


def suggest(
    policy: Policy, sources: Mapping[str, str], collector: Collector, question: Question
) -> Suggestions:
    """Return what the evidence suggests for a policy; `sources` are its files, as they are on disk.

    Raises:
        ConfigurationError: nothing can be inserted into the policy's files.
    """
    triaged = triage(policy, collector, question.thresholds)
    wanted = [seen for seen in triaged.candidates if _wanted(seen, question)]
    drafts = merge((seen, action_for(policy, seen.exchange)) for seen in wanted)
    drafts.sort(key=lambda draft: draft.source_zone == GATEWAY)  # stable: our own connections come last
    proposals = propose(policy, drafts, question.style)
    trial = Trial(policy, sources, now=question.now, new_file=question.new_file)
    admission, served = _admit(trial, proposals)
    return Suggestions(
        proposals=admission.accepted,
        refused=admission.refused,
        set_aside=(*triaged.set_aside, *served),
        usage=tuple(usage(policy, triaged.admitted, now=question.now)),
        unproved=trial.unproved,
        assumptions=tuple(trial.assumptions(admission)) if admission.accepted else (),
        scores={
            proposal.id: bits(space_of(admission.policy, flow).size, proposal.draft.triples)
            for proposal in admission.accepted
            if (flow := admission.policy.flow(proposal.id)) is not None
        },
        trial=trial,
        now=question.now,
    )


def _admit(trial: Trial, proposals: list[Proposal]) -> tuple[Admission, list[SetAside]]:
    """Try what hosts ask for, then what the gateway itself does: a proxy's second half needs no flow."""
    first = trial.admit([each for each in proposals if each.draft.source_zone != GATEWAY])
    own = [each for each in proposals if each.draft.source_zone == GATEWAY]
    served = {each.id: flow for each in own if (flow := trial.passes(first, each)) is not None}
    second = trial.admit([each for each in own if each.id not in served], first.accepted)
    aside = [SetAside(Why.SERVED, each.draft.evidence, served[each.id]) for each in own if each.id in served]
    return second._replace(refused=first.refused + second.refused), aside


def _wanted(seen: Seen, question: Question) -> bool:
    pair = (seen.exchange.source_zone or "", seen.exchange.destination_zone or "")
    return not question.zone_pairs or pair in question.zone_pairs
