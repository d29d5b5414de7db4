"""The states of a job, as tables: what may follow what, what a lease does, what an interruption means."""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """Where a job stands on its way out."""

    SPOOLED = "spooled"
    PARSING = "parsing"
    RENDERING = "rendering"
    VERIFIED = "verified"
    DELIVERING = "delivering"
    AWAITING_PASSWORD = "awaiting_password"  # noqa: S105  a state, not a secret
    QUARANTINED = "quarantined"
    DELIVERED = "delivered"
    DEAD = "dead"


class TargetState(StrEnum):
    """Where one recipient of a job stands."""

    PENDING = "pending"
    DELIVERED = "delivered"
    DEAD = "dead"


class Stage(StrEnum):
    """The two kinds of work on a job; each has its own workers, so a slow host delays no reading."""

    SANITIZE = "sanitize"
    DELIVER = "deliver"


# A job that keeps its state when a lease ends early goes back by the same table: parsing → spooled.
TRANSITIONS: dict[State, frozenset[State]] = {
    State.SPOOLED: frozenset({State.PARSING, State.DEAD}),
    State.PARSING: frozenset(
        {
            State.SPOOLED,
            State.RENDERING,
            State.VERIFIED,
            State.AWAITING_PASSWORD,
            State.QUARANTINED,
        }
    ),
    State.RENDERING: frozenset({State.SPOOLED, State.VERIFIED, State.QUARANTINED}),
    State.VERIFIED: frozenset({State.DELIVERING, State.QUARANTINED, State.DEAD}),
    State.DELIVERING: frozenset({State.VERIFIED, State.DELIVERED, State.DEAD}),
    State.AWAITING_PASSWORD: frozenset({State.SPOOLED, State.DEAD}),
    State.QUARANTINED: frozenset({State.SPOOLED, State.DEAD}),
    State.DELIVERED: frozenset(),
    State.DEAD: frozenset(),
}

# stage → (states waiting for it, states left behind by a worker that died in it, state of a held lease)
STAGES: dict[Stage, tuple[frozenset[State], frozenset[State], State]] = {
    Stage.SANITIZE: (
        frozenset({State.SPOOLED}),
        frozenset({State.PARSING, State.RENDERING}),
        State.PARSING,
    ),
    Stage.DELIVER: (frozenset({State.VERIFIED}), frozenset({State.DELIVERING}), State.DELIVERING),
}

# state of a job whose worker has died → the state it waits in, to be taken up again
INTERRUPTED: dict[State, State] = {
    State.PARSING: State.SPOOLED,
    State.RENDERING: State.SPOOLED,
    State.DELIVERING: State.VERIFIED,
}

LEASED = frozenset(INTERRUPTED)
FINAL = frozenset(state for state, following in TRANSITIONS.items() if not following)
ACTIVE = frozenset({*LEASED, *INTERRUPTED.values()})
"""States in which a job still moves by itself; the others are ends, or wait for a person."""


def resting_state(state: State) -> State:
    """Return where a job waits once nobody works on it."""
    return INTERRUPTED.get(state, state)


def keeps_attempts(before: State, after: State) -> bool:
    """Return whether the count of attempts goes on: it starts anew when another stage begins."""
    return after not in INTERRUPTED.values() or after is INTERRUPTED.get(before)


def may_follow(before: State, after: State) -> bool:
    """Return whether a job may go from one state to the other.

    >>> may_follow(State.SPOOLED, State.PARSING), may_follow(State.SPOOLED, State.DELIVERED)
    (True, False)
    """
    return after in TRANSITIONS[before]
