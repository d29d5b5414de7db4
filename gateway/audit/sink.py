"""What every part of the gateway needs of the audit log: a place to put an event."""

from __future__ import annotations

from typing import Protocol


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
