"""The filter program: a policy as ordered steps per zone pair, the one form every enforcing backend gets.

`decide` is the meaning; this is the same decision laid out for machines that try one step after another.
A step matches by addresses and services and, where its flow may close, only while the flow is open. The
order is that of `decide`: open flows by rank and id, each stricter rank followed by those of it that have
closed, then what says why nothing is open.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from zones.decide import DIRECT, PROXIED, RANKS
from zones.model import GATEWAY, Action, Mode
from zones.services import ANY, parse_service
from zones.verdict import Outcome, Reason

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from zones.address import Network
    from zones.model import Flow, Guard, Policy, ServiceTerm

_EVERYTHING: tuple[ServiceTerm, ...] = (parse_service(ANY),)


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step: what it matches and what it answers.

    `sources` and `destinations` None mean the whole zone. `flow` is the flow that must be open for the
    step to match (None: always). With `marked` only a connection of our own that carries the flow's number
    matches, closed or not. `closed` steps match only when no earlier one did: their flow is not open.
    """

    decided_by: str
    outcome: Outcome
    reason: Reason
    services: tuple[ServiceTerm, ...] = _EVERYTHING
    sources: tuple[Network, ...] | None = None
    destinations: tuple[Network, ...] | None = None
    flow: str | None = None
    marked: bool = False
    closed: bool = False


@dataclass(frozen=True, kw_only=True)
class PairProgram:
    """The steps for new connections from one zone to another; nothing matched is `default-deny`."""

    source: str
    destination: str
    guards: tuple[str, ...]
    """Guards that drop every packet of this direction, replies too; smallest id first."""
    audited: tuple[Step, ...]
    """Audit-mode flows: what they match is noted, and takes no part in the verdict."""
    steps: tuple[Step, ...]


@dataclass(frozen=True, kw_only=True)
class Program:
    """A compiled policy: one `PairProgram` for each pair in which anything but default-deny can happen."""

    revision: str
    pairs: Mapping[tuple[str, str], PairProgram]


def compile_policy(policy: Policy) -> Program:
    """Return the filter program of a policy; equal policies give equal programs."""
    zones = sorted(policy.zones)
    pairs = [(one, other) for one in (*zones, GATEWAY) for other in (*zones, GATEWAY)]
    compiled = {pair: _pair(policy, *pair) for pair in pairs if pair != (GATEWAY, GATEWAY)}
    return Program(
        revision=policy.revision,
        pairs={
            pair: program
            for pair, program in compiled.items()
            if program.steps or program.guards or program.audited
        },
    )


def _pair(policy: Policy, source: str, destination: str) -> PairProgram:
    guards = sorted(
        (guard for guard in policy.guards if source in guard.sources and destination in guard.destinations),
        key=lambda guard: guard.id,
    )
    flows = policy.flows_between(source, destination)
    enforced = [flow for flow in flows if flow.mode is Mode.ENFORCE]
    conditional = [guard for guard in guards if guard.actions]
    steps: list[Step] = []
    for rank in sorted(set(RANKS.values())):
        peers = [flow for flow in enforced if RANKS[flow.action] == rank]
        steps += [step for flow in peers for step in _open_steps(flow, source, destination, conditional)]
        if rank < RANKS[Action.ALLOW]:
            # A stricter flow that has closed does not hand its packets to a wider one.
            steps += _refusals(peers, source, destination)
    steps += [
        Step(decided_by=guard.id, outcome=Outcome.DENY, reason=Reason.GUARD)
        for guard in conditional
        if Action.ALLOW in guard.actions
    ][:1]
    steps += [step for flow in enforced for step in _by_name(flow, source, destination)]
    steps += _refusals([flow for flow in enforced if flow.action is Action.ALLOW], source, destination)
    return PairProgram(
        source=source,
        destination=destination,
        guards=tuple(guard.id for guard in guards if not guard.actions),
        audited=tuple(
            step
            for flow in flows
            if flow.mode is Mode.AUDIT
            for step in _steps(flow, source, destination, Outcome.ALLOW, Reason.FLOW)
        ),
        steps=tuple(steps),
    )


def _refusals(flows: Iterable[Flow], source: str, destination: str) -> list[Step]:
    closing = (flow for flow in flows if may_close(flow))
    return [step for flow in closing for step in _closed_steps(flow, source, destination)]


def may_close(flow: Flow) -> bool:
    """Whether time alone can close this flow."""
    return flow.allowing and (flow.expires_at is not None or flow.hours is not None)


def _open_steps(flow: Flow, source: str, destination: str, guards: list[Guard]) -> Iterator[Step]:
    barring = [guard.id for guard in guards if flow.action in guard.actions]
    outcome, reason = DIRECT[flow.action]
    if source == GATEWAY and outcome in PROXIED:
        outcome = Outcome.ALLOW
    if barring:
        outcome, reason = Outcome.DENY, Reason.GUARD
    for step in _steps(flow, source, destination, outcome, reason):
        yield _answered_by(step, barring[0]) if barring else step


def _answered_by(step: Step, decided_by: str) -> Step:
    return Step(**{**vars(step), "decided_by": decided_by})


def _closed_steps(flow: Flow, source: str, destination: str) -> Iterator[Step]:
    """Yield the steps that say why a matching flow is closed; which reason holds is known only then."""
    for step in _steps(flow, source, destination, Outcome.DENY, Reason.EXPIRED):
        yield Step(**{**vars(step), "closed": True})


def _steps(flow: Flow, source: str, destination: str, outcome: Outcome, reason: Reason) -> Iterator[Step]:
    """Yield one step for each pair of ends that lie in the two zones."""
    proxied = source == GATEWAY and DIRECT[flow.action][0] in PROXIED
    narrowed = [end.networks for end in flow.sources if end.zone == source and end.name is None]
    sources: Sequence[tuple[Network, ...] | None] = [None] if proxied else narrowed
    destinations = [end.networks for end in flow.destinations if end.zone == destination and end.name is None]
    for one in _merged(sources):
        for other in _merged(destinations):
            yield Step(
                decided_by=flow.id,
                outcome=outcome,
                reason=reason,
                services=flow.services,
                sources=one,
                destinations=other,
                flow=flow.id,
                marked=proxied,
            )


def _merged(ends: Sequence[tuple[Network, ...] | None]) -> list[tuple[Network, ...] | None]:
    """Return the ends as one set of prefixes; the whole zone swallows the rest."""
    if not ends:
        return []
    if any(end is None for end in ends):
        return [None]
    return [tuple(sorted({network for end in ends if end is not None for network in end}))]


def _by_name(flow: Flow, source: str, destination: str) -> Iterator[Step]:
    """Yield the step that refuses what only a name proxy could serve."""
    if not flow.allowing or not any(end.name and end.zone == destination for end in flow.destinations):
        return
    for one in _merged([end.networks for end in flow.sources if end.zone == source and end.name is None]):
        yield Step(
            decided_by=flow.id,
            outcome=Outcome.DENY,
            reason=Reason.NO_PROXY,
            services=flow.services,
            sources=one,
            flow=flow.id,
        )
