"""What a sender still owes the recorder: a bounded queue that never forgets silently. No I/O here."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from gateway.audit.event import make_draft, timestamp
from gateway.audit.wire import Submission, encode_submission

if TYPE_CHECKING:
    from gateway.audit.event import Draft

LATE_SECONDS = 1.0
"""An event that waited longer than this says when it was observed."""


@dataclass(frozen=True, kw_only=True)
class _Item:
    number: int
    draft: Draft
    durable: bool
    since: float


class Outbox:
    """Events waiting to be sent, to be written, or to be synced: at most `max_pending` of them.

    What does not fit is counted, and the count goes out as a `gap` event with the next that do.
    """

    def __init__(self, *, actor: str, max_pending: int) -> None:
        self._actor, self._max_pending = actor, max_pending
        self._number = 0
        self._queue: deque[_Item] = deque()
        self._sent: deque[_Item] = deque()
        self._written: dict[int, _Item] = {}
        self.lost = 0
        """Dropped since the last `gap` event was queued."""

    def __len__(self) -> int:
        return len(self._queue) + len(self._sent) + len(self._written)

    @property
    def unsent(self) -> bool:
        """Whether `take` has something to give."""
        return bool(self._queue) or self.lost > 0

    def add(self, draft: Draft, *, now: float, durable: bool = False) -> int | None:
        """Queue one event and return its number; None when it did not fit and was counted."""
        if len(self) >= self._max_pending:
            self.lost += 1
            return None
        return self._queue_up(draft, now, durable=durable)

    def take(self, *, now: float, max_bytes: int) -> bytes:
        """Return the next lines to send, at least one and about `max_bytes` at most."""
        if self.lost:
            fields = {"where": f"queue of {self._actor}", "lost": self.lost, "cause": "overflow"}
            self._queue_up(make_draft("gap", fields, actor=self._actor), now, durable=False)
            self.lost = 0
        lines, size = [], 0
        while self._queue and size < max_bytes:
            item = self._queue.popleft()
            self._sent.append(item)
            lines.append(encode_submission(Submission(item.number, item.durable, _dated(item, now))))
            size += len(lines[-1])
        return b"".join(lines)

    def written(self, number: int) -> None:
        """The recorder has written everything up to `number`; durable events still wait for the sync."""
        while self._sent and self._sent[0].number <= number:
            item = self._sent.popleft()
            if item.durable:
                self._written[item.number] = item

    def synced(self, number: int) -> list[int]:
        """Return the durable events that are on the disk now."""
        self.written(number)
        done = [waiting for waiting in self._written if waiting <= number]
        for waiting in done:
            del self._written[waiting]
        return done

    def withdraw(self, number: int) -> None:
        """Forget one event: refused by the recorder, or nobody waits for it any more."""
        self._queue = deque(item for item in self._queue if item.number != number)
        self._sent = deque(item for item in self._sent if item.number != number)
        self._written.pop(number, None)

    def disconnected(self) -> None:
        """Queue again, in order, what the recorder may or may not have; each says so (`resent`)."""
        again = sorted([*self._written.values(), *self._sent], key=lambda item: item.number)
        self._queue.extendleft(_resent(item) for item in reversed(again))
        self._sent.clear()
        self._written.clear()

    def _queue_up(self, draft: Draft, now: float, *, durable: bool) -> int:
        self._number += 1
        self._queue.append(_Item(number=self._number, draft=draft, durable=durable, since=now))
        return self._number


def _resent(item: _Item) -> _Item:
    return replace(item, draft=replace(item.draft, fields={**item.draft.fields, "resent": True}))


def _dated(item: _Item, now: float) -> Draft:
    if now - item.since <= LATE_SECONDS or "observed" in item.draft.fields:
        return item.draft
    return replace(item.draft, fields={**item.draft.fields, "observed": timestamp(item.since)})
