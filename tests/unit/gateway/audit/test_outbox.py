"""Events handed over → what is sent, sent again, or counted as lost."""

from __future__ import annotations

from gateway.audit.event import make_draft
from gateway.audit.outbox import Outbox
from gateway.audit.wire import decode_submission

DRAFT = make_draft("gap", {"where": "test"}, actor="test")


def sent(outbox: Outbox, now: float = 0.0):
    return [decode_submission(line) for line in outbox.take(now=now, max_bytes=1 << 20).splitlines()]


def test_events_leave_in_order_and_are_forgotten_once_written():
    outbox = Outbox(actor="test", max_pending=10)
    numbers = [outbox.add(DRAFT, now=0) for _ in range(3)]
    assert [submission.number for submission in sent(outbox)] == numbers
    assert len(outbox) == 3
    outbox.written(2)
    assert len(outbox) == 1
    outbox.written(3)
    assert len(outbox) == 0
    assert not outbox.unsent


def test_durable_events_wait_for_the_sync():
    outbox = Outbox(actor="test", max_pending=10)
    first = outbox.add(DRAFT, now=0, durable=True)
    outbox.add(DRAFT, now=0)
    sent(outbox)
    outbox.written(2)
    assert len(outbox) == 1
    assert outbox.synced(2) == [first]
    assert len(outbox) == 0


def test_what_does_not_fit_is_counted_and_reported_as_a_gap():
    outbox = Outbox(actor="mail", max_pending=2)
    assert [outbox.add(DRAFT, now=0) is None for _ in range(5)] == [False, False, True, True, True]
    submissions = sent(outbox)
    assert len(submissions) == 3
    gap = submissions[-1].draft
    assert (gap.kind, gap.fields["lost"], gap.fields["where"]) == ("gap", 3, "queue of mail")
    assert outbox.lost == 0


def test_a_lost_connection_sends_again_in_order_and_says_so():
    outbox = Outbox(actor="test", max_pending=10)
    outbox.add(DRAFT, now=0, durable=True)
    outbox.add(DRAFT, now=0)
    outbox.add(DRAFT, now=0)
    sent(outbox)
    outbox.written(2)
    outbox.add(DRAFT, now=0)
    outbox.disconnected()
    again = sent(outbox)
    assert [submission.number for submission in again] == [1, 3, 4]
    assert [submission.draft.fields.get("resent") for submission in again] == [True, True, None]


def test_an_event_that_waited_says_when_it_was_observed():
    outbox = Outbox(actor="test", max_pending=10)
    outbox.add(DRAFT, now=1_000.0)
    outbox.add(DRAFT, now=1_004.5)
    first, second = sent(outbox, now=1_005.0)
    assert first.draft.fields["observed"] == "1970-01-01T00:16:40.000000Z"
    assert "observed" not in second.draft.fields


def test_a_withdrawn_event_is_not_sent():
    outbox = Outbox(actor="test", max_pending=10)
    number = outbox.add(DRAFT, now=0, durable=True)
    outbox.add(DRAFT, now=0)
    assert number is not None
    outbox.withdraw(number)
    assert [submission.number for submission in sent(outbox)] == [2]
