"""What every part of the gateway needs of the audit log: a place to put an event."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from gateway.audit.event import RESERVED, make_draft

if TYPE_CHECKING:
    from gateway.audit.event import Draft


class AuditSink(Protocol):
    """Takes events. `gateway.audit.client.AuditClient` is the one that reaches the recorder.

    `emit` returns at once and never waits for the disk. `kind` and `fields` are those of
    `gateway.audit.event.KINDS`; fields that are None count as absent. `actor` and `revision` may be given
    among the fields and then stand in the event's frame.
    """

    def emit(self, kind: str, **fields: object) -> None:
        """Hand one event over.

        Raises:
            ValueError: unknown kind, unknown field or a value of the wrong type: a bug of the caller.
        """
        ...  # pragma: no cover

    async def emit_durable(self, kind: str, /, **fields: object) -> None:
        """Return when the event is on the disk.

        Raises:
            ValueError: as `emit`.
            BackendError: it could not be recorded; what it speaks of must not happen.
        """
        ...  # pragma: no cover


class MemorySink:
    """Keeps checked events in a list: for programs that have no recorder, and for tests.

    >>> sink = MemorySink()
    >>> sink.emit("gap", where="nflog", lost=3)
    >>> sink.drafts[0].fields["lost"]
    3
    """

    def __init__(self, actor: str = "memory") -> None:
        self.actor = actor
        self.drafts: list[Draft] = []

    def emit(self, kind: str, **fields: object) -> None:
        """Keep one event, refusing what the recorder would refuse."""
        self.drafts.append(draft_of(kind, fields, actor=self.actor, revision=""))

    async def emit_durable(self, kind: str, /, **fields: object) -> None:
        """Keep one event; there is nothing to wait for."""
        self.emit(kind, **fields)


def draft_of(kind: str, fields: dict[str, object], *, actor: str, revision: str) -> Draft:
    """Return the checked draft of an `emit`, with `actor` and `revision` from the fields where given.

    Raises:
        ValueError: see `make_draft`.
    """
    if kind in RESERVED:
        raise ValueError(f"audit event {kind} is the recorder's own")
    who, under = fields.pop("actor", None), fields.pop("revision", None)
    return make_draft(
        kind,
        fields,
        actor=actor if who is None else str(who),
        revision=revision if under is None else str(under),
    )
