"""An interpreter for filter programs that tries one step after another, as a ruleset would.

It shares no code with `decide` but the values. What stands before the program (sources, places, states)
is not its business: it is asked about new connections at their right place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from zones.expiry import closed_because
from zones.model import GATEWAY
from zones.verdict import Outcome, PacketKey, Reason

if TYPE_CHECKING:
    from zones.address import Network
    from zones.model import Policy
    from zones.program import PairProgram, Program, Step

Said = tuple[Outcome, Reason, str | None]


class Question(NamedTuple):
    """A new connection in its zones; `mark` is the number our own connection carries."""

    source: str
    destination: str
    key: PacketKey
    mark: int


def interpret(policy: Policy, program: Program, asked: Question, now: float) -> tuple[Said, set[str]]:
    """Return what the program says, and which audit-mode flows it notes."""
    trial = policy.audit_until_at is not None and now < policy.audit_until_at
    nothing: Said = (Outcome.DENY, Reason.DEFAULT_DENY, None)
    if trial and GATEWAY not in (asked.source, asked.destination):
        nothing = (Outcome.ALLOW, Reason.WOULD_DENY, None)
    pair = program.pairs.get((asked.source, asked.destination))
    if pair is None:
        return nothing, set()
    if pair.guards:
        return (Outcome.DENY, Reason.GUARD, pair.guards[0]), set()
    audited = {step.decided_by for step in pair.audited if holds(step, asked)}
    return first_answer(policy, pair, asked, now) or nothing, audited


def first_answer(policy: Policy, pair: PairProgram, asked: Question, now: float) -> Said | None:
    for step in pair.steps:
        flow = policy.flow(step.flow) if step.flow is not None else None
        closed = closed_because(flow, now, policy.timezone) if flow is not None else None
        if not holds(step, asked) or (step.marked and (flow is None or asked.mark != flow.number)):
            continue
        if step.closed:
            assert flow is not None
            assert closed is not None, "an open flow is left to its own step, which comes before"
            return step.outcome, closed, step.decided_by
        if closed is None:
            return step.outcome, step.reason, step.decided_by
    return None


def holds(step: Step, asked: Question) -> bool:
    key = asked.key
    return (
        within(step.sources, key.version, key.src)
        and within(step.destinations, key.version, key.dst)
        and any(
            term.protocol is None
            or (
                term.protocol == key.protocol
                and (term.low is None or term.low <= key.dport <= (term.high or term.low))
            )
            for term in step.services
        )
    )


def within(networks: tuple[Network, ...] | None, version: int, address: int) -> bool:
    return networks is None or any(n.version == version and n.first <= address <= n.last for n in networks)
