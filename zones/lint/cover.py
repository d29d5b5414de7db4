"""Lines that do nothing, or not what they say: what other flows and guards leave of a flow.

Flows have no order: a stricter action decides first, among equals the smallest id. So a flow is shadowed when
stricter flows hold all it matches, and redundant when others of its own action that last at least as long
(and stricter ones) do. Every flow reported so can be taken out, all of them at once, and no packet from
outside the gateway passes or stops passing: a flow that is reported no longer counts as cover for others. A
stricter flow that has closed still refuses what it held (`zones.decide`): it covers as well as an open one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from zones.decide import RANKS
from zones.lint.finding import Subject, flow_subject, ids
from zones.model import Action
from zones.proof.shadow import BoxIndex
from zones.proof.space import Budget, Undecided, covers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from zones.lint.context import Context
    from zones.lint.finding import Finding
    from zones.lint.regions import Piece
    from zones.model import Flow

STEPS_PER_FLOW = 200_000
"""What one question may cost; a flow that needs more is not reported (and is listed as undecided)."""


@dataclass
class Cover:
    """What is known of all flows together."""

    shadowed: dict[str, list[Flow]] = field(default_factory=dict)
    redundant: dict[str, list[Flow]] = field(default_factory=dict)
    inside: dict[str, list[Flow]] = field(default_factory=dict)
    """Wide flow → stricter flows that lie wholly in it."""
    overlapping: dict[str, list[Flow]] = field(default_factory=dict)
    """Flow → earlier flows it shares packets with, none of the two being reported otherwise."""
    undecided: list[str] = field(default_factory=list)


def cover_of(context: Context) -> Cover:
    """Return how the flows of a policy cover each other."""
    cover = Cover()
    # A flow that guards bar for its action alone still refuses what only a wider one would open: it covers.
    gone = {flow.id for flow in context.regions.enforced if dead(context, flow, altogether=True)}
    position = {flow.id: at for at, flow in enumerate(context.policy.flows)}
    meeting: dict[str, list[tuple[Piece, list[Piece]]]] = {}
    for flow in reversed(context.regions.enforced):
        if flow.id in gone or context.expired(flow):
            continue
        met = [(piece, list(context.regions.meeting(piece))) for piece in live_pieces(context, flow)]
        meeting[flow.id] = met
        if _take(cover, context, flow, met, gone):
            gone.add(flow.id)
    for flow in context.regions.enforced:
        if flow.id in meeting and flow.id not in gone:
            _wider(cover, flow, meeting[flow.id], gone)
    for flow in context.regions.enforced:
        if flow.id in meeting and flow.id not in gone:
            _shared(
                cover, flow, meeting[flow.id], position, lambda other: other in meeting and other not in gone
            )
    return cover


def live_pieces(context: Context, flow: Flow) -> list[Piece]:
    """Return the pieces of a flow that no guard has taken from it."""
    # While a first deployment lets pass what only the default denies, a guard that bars a flow is not the
    # default: with the flow gone, its packets would pass.
    action = flow.action if context.policy.audit_until is None else None
    return [
        piece
        for piece in context.regions.pieces[flow.id]
        if not context.shut(piece.group.source, piece.group.destination, action)
    ]


def dead(context: Context, flow: Flow, *, altogether: bool = False) -> bool:
    """Whether guards leave nothing of a flow, whatever else is written; `altogether`: of any flow there."""
    pairs = {(one.zone, other.zone) for one in flow.sources for other in flow.destinations}
    action = flow.action if flow.allowing and not altogether else None
    return bool(pairs) and all(context.shut(*pair, action) for pair in pairs)


def _take(
    cover: Cover, context: Context, flow: Flow, met: list[tuple[Piece, list[Piece]]], gone: set[str]
) -> bool:
    """Note a flow that others leave nothing of; flows to names are not only their addresses."""
    if not met or any(end.name is not None for end in flow.destinations):
        return False
    for found, alike in ((cover.shadowed, False), (cover.redundant, True)):
        others = [
            (
                piece,
                [other for other in every if other.flow.id not in gone and _over(other.flow, flow, alike)],
            )
            for piece, every in met
        ]
        try:
            covering = _covering(others)
        except Undecided:
            cover.undecided.append(flow.id)
            return False
        if covering is not None:
            found[flow.id] = covering
            return True
    return False


def _covering(pieces: Iterable[tuple[Piece, list[Piece]]]) -> list[Flow] | None:
    """Return the flows that together hold all pieces; None if a packet is left over."""
    covering: dict[str, Flow] = {}
    budget = Budget(STEPS_PER_FLOW)
    for piece, others in pieces:
        by = _held_by(piece, others, budget)
        if by is None:
            return None
        covering |= {other.flow.id: other.flow for other in by}
    return [covering[flow_id] for flow_id in sorted(covering)]


def _held_by(piece: Piece, others: list[Piece], budget: Budget) -> list[Piece] | None:
    """Return the first of the others that holds a piece alone, else a few that do together."""
    alone = next((other for other in others if covers(other.box, piece.box)), None)
    if alone is not None:
        return [alone]
    if not others:
        return None
    index = BoxIndex([other.box for other in others], budget=budget)
    left, by = index.outside(piece.box, (1 << len(others)) - 1)
    return [others[at] for at in by] if left is None else None


def _over(other: Flow, flow: Flow, alike: bool) -> bool:
    """Whether `other` decides before `flow`, or (with `alike`) in its place."""
    return RANKS[other.action] < RANKS[flow.action] or (alike and lasts(other, flow))


def lasts(other: Flow, flow: Flow) -> bool:
    """Whether `other` does the same as `flow` whenever `flow` is open."""
    as_long = other.expires_at is None or (
        flow.expires_at is not None and other.expires_at >= flow.expires_at
    )
    same = other.action is flow.action and other.options == flow.options
    return same and as_long and other.hours in (None, flow.hours)


def _wider(cover: Cover, flow: Flow, met: list[tuple[Piece, list[Piece]]], gone: set[str]) -> None:
    """Note the flows of a wider action that hold all of this one."""
    wider: dict[str, Flow] | None = None
    for piece, others in met:
        here = {
            other.flow.id: other.flow
            for other in others
            if RANKS[other.flow.action] > RANKS[flow.action]
            and other.flow.id not in gone
            and covers(other.box, piece.box)
        }
        wider = here if wider is None else {key: here[key] for key in here if key in wider}
    for flow_id in wider or ():
        cover.inside.setdefault(flow_id, []).append(flow)


def _shared(
    cover: Cover,
    flow: Flow,
    met: list[tuple[Piece, list[Piece]]],
    position: dict[str, int],
    counts: Callable[[str], bool],
) -> None:
    if not flow.allowing:
        return
    inside = {other.id for other in cover.inside.get(flow.id, ())}
    others = {
        other.flow.id: other.flow
        for _, every in met
        for other in every
        if other.flow.allowing
        and counts(other.flow.id)
        and position[other.flow.id] < position[flow.id]
        and other.flow.id not in inside
        and flow not in cover.inside.get(other.flow.id, ())
    }
    if others:
        cover.overlapping[flow.id] = [others[flow_id] for flow_id in sorted(others)]


# --- findings ----------------------------------------------------------------------------------------------


def shadowed(context: Context) -> Iterator[Finding]:
    """Yield flows that stricter flows leave nothing of."""
    for flow, others in _flows(context, context.cover.shadowed):
        actions = ", ".join(sorted({other.action for other in others}))
        yield context.about("shadowed", flow, "action", others=others, by=ids(others), actions=actions)


def redundant(context: Context) -> Iterator[Finding]:
    """Yield flows that others of the same action make unnecessary."""
    for flow, others in _flows(context, context.cover.redundant):
        yield context.about("redundant", flow, others=others, by=ids(others))


def generalisation(context: Context) -> Iterator[Finding]:
    """Yield wide flows in which stricter ones are exceptions."""
    for flow, others in _flows(context, context.cover.inside):
        yield context.about("generalisation", flow, others=others, action=flow.action, exceptions=ids(others))


def overlapping_allows(context: Context) -> Iterator[Finding]:
    """Yield flows that share packets with earlier ones."""
    for flow, others in _flows(context, context.cover.overlapping):
        yield context.about("overlapping-allows", flow, others=others, others_named=ids(others))


def guard_makes_dead(context: Context) -> Iterator[Finding]:
    """Yield allowing flows whose every direction a guard closes, and what they hold shut all the same."""
    for flow in context.opening:
        if dead(context, flow):
            guards, shielded = _guards(context, flow), _shielded(context, flow)
            yield context.finding(
                "guard-makes-dead",
                flow_subject(flow),
                related=[*(Subject("guards", guard) for guard in guards), *map(flow_subject, shielded)],
                variant="shields" if shielded else "",
                guards=", ".join(guards),
                others=ids(shielded),
            )


def _shielded(context: Context, flow: Flow) -> list[Flow]:
    """Return the flows of a wider action that would open what a barred flow refuses."""
    found = {
        other.flow.id: other.flow
        for piece in context.regions.pieces[flow.id]
        for other in context.regions.meeting(piece)
        if RANKS[other.flow.action] > RANKS[flow.action]
        and not context.expired(other.flow)
        and not context.shut(piece.group.source, piece.group.destination, other.flow.action)
    }
    return [found[flow_id] for flow_id in sorted(found)]


def deny_never_matches(context: Context) -> Iterator[Finding]:
    """Yield denials of directions in which nothing passes anyway, not even replies."""
    for flow in context.regions.enforced:
        if not flow.allowing and dead(context, flow):
            guards = _guards(context, flow)
            related = [Subject("guards", guard_id) for guard_id in guards]
            yield context.finding(
                "deny-never-matches", flow_subject(flow), related=related, guards=", ".join(guards)
            )


def _flows(context: Context, found: dict[str, list[Flow]]) -> Iterator[tuple[Flow, list[Flow]]]:
    for flow in context.policy.flows:
        if flow.id in found:
            yield flow, found[flow.id]


def _guards(context: Context, flow: Flow) -> list[str]:
    action = {Action.DENY: None}.get(flow.action, flow.action)
    return sorted(
        guard.id
        for guard in context.policy.guards
        if (not guard.actions or action in guard.actions)
        and any(end.zone in guard.sources for end in flow.sources)
        and any(end.zone in guard.destinations for end in flow.destinations)
    )
