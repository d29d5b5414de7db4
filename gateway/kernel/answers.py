"""The chains that answer: one for each reason, guard and flow, and one for each zone pair.

A pair chain is the pair's program step by step; a step that matches jumps to the chain of its flow or ends
the packet with its reason. A flow's chain returns while the flow is closed, so that the next step is tried.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.kernel.liveness import TRIAL_MARK
from gateway.kernel.ruleset import block, log, step_matches
from zones.model import GATEWAY, Action, Mode
from zones.program import may_close
from zones.verdict import Outcome, Reason

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zones.model import Flow, Policy
    from zones.program import PairProgram, Program, Step


def refusal_chains(policy: Policy) -> Iterator[list[str]]:
    """Yield a chain for each reason that needs no flow, and for each guard."""
    for reason in Reason:
        lines = [f"counter name r_{reason}", log(Outcome.DENY, reason, None), "drop"]
        yield block(f"chain r_{reason}", lines)
    for guard in policy.guards:
        lines = [f"counter name f_{guard.id}", log(Outcome.DENY, Reason.GUARD, guard.id), "drop"]
        yield block(f"chain g_{guard.id}", lines)
    if policy.audit_until is not None:
        yield block("chain trial", _admit(TRIAL_MARK, f"r_{Reason.WOULD_DENY}", Reason.WOULD_DENY, None))


def flow_chains(policy: Policy) -> Iterator[list[str]]:
    """Yield for each flow what admits a connection while it is open, and what refuses it when it is not."""
    for flow in sorted(policy.flows, key=lambda flow: flow.id):
        if flow.mode is Mode.ENFORCE and flow.allowing:
            yield block(f"chain f_{flow.id}", _admit(flow.number, f"f_{flow.id}", Reason.FLOW, flow.id))
            if may_close(flow):
                yield block(f"chain c_{flow.id}", _closed(flow))


def _admit(number: int, counter: str, reason: Reason, decided_by: str | None) -> Iterator[str]:
    """Yield the rules that admit a new connection and note its first packet."""
    yield f"ct mark set {number:#x}"
    yield "ct mark != @live return"
    yield f"counter name {counter}"
    # UDP without an answer stays `new`: its connection is noted once, when it is not confirmed yet.
    yield "ct status confirmed accept"
    yield log(Outcome.ALLOW, reason, decided_by)
    yield "accept"


def _closed(flow: Flow) -> Iterator[str]:
    yield f"counter name f_{flow.id}"
    if flow.hours is not None:
        waits = flow.hours.approval_people or flow.hours.approval_max_minutes
        reason = Reason.NEEDS_APPROVAL if waits else Reason.OUTSIDE_HOURS
        yield f"ct mark @valid {log(Outcome.DENY, reason, flow.id)} drop"
    yield log(Outcome.DENY, Reason.EXPIRED, flow.id)
    yield "drop"


def pair_chains(policy: Policy, program: Program) -> Iterator[list[str]]:
    """Yield the chain of each zone pair in which anything but default-deny can happen."""
    for (source, destination), pair in sorted(program.pairs.items()):
        rules = [rule for step in pair.audited for rule in audit_rules(step)]
        rules += [rule for step in pair.steps for rule in _step(policy, step)]
        yield block(f"chain p_{source}/{destination}", [*rules, *_nothing_matched(policy, pair)])


def _nothing_matched(policy: Policy, pair: PairProgram) -> list[str]:
    in_trial = policy.audit_until is not None and GATEWAY not in (pair.source, pair.destination)
    return [*(["jump trial"] if in_trial else []), f"goto r_{Reason.DEFAULT_DENY}"]


def audit_rules(step: Step) -> Iterator[str]:
    """Yield what notes the packets an audit-mode flow matches, and lets them go on to their verdict."""
    for match in step_matches(step):
        yield f"{match} counter name f_{step.decided_by} {log('audit', Reason.FLOW, step.decided_by)}"


def _step(policy: Policy, step: Step) -> Iterator[str]:
    number = flow_mark(policy, step)
    carried = f"meta mark {number} " if step.marked else ""
    for match in step_matches(step):
        if step.closed:
            yield f"{carried}{match} ct mark set {number} goto c_{step.decided_by}"
        elif step.marked:
            yield f"{carried}{match} jump f_{step.flow}"
        elif step.outcome is Outcome.ALLOW:
            yield f"{match} jump f_{step.flow}"
        elif step.reason is Reason.GUARD:
            yield f"{match} {while_live(policy, step)}goto g_{step.decided_by}"
        else:
            yield f"{match} {while_live(policy, step)}{_refuse(step)}"


def _refuse(step: Step) -> str:
    """Return the refusal of a packet that a flow matched; a sanitize flow never forwards.

    Mail that comes this far was not turned to the proxy (its connection is older than the table).
    """
    note = log(step.outcome, step.reason, step.decided_by)
    if step.outcome is Outcome.SANITIZE_MAIL:
        note = log(Outcome.DENY, Reason.NO_PROXY, step.decided_by)
    return f"counter name f_{step.decided_by} {note} drop"


def while_live(policy: Policy, step: Step) -> str:
    """Return the match that holds only while the step's flow is open.

    A deny never closes, and a step that says why a flow is closed needs no match: what is open came before.
    """
    flow = policy.flow(step.flow) if step.flow is not None else None
    if flow is None or flow.action is Action.DENY or step.closed:
        return ""
    return f"ct mark set {flow_mark(policy, step)} ct mark @live "


def flow_mark(policy: Policy, step: Step) -> str:
    """Return the number of the step's flow as nft writes it."""
    flow = policy.flow(step.flow) if step.flow is not None else None
    return f"{flow.number:#x}" if flow is not None else "0x0"
