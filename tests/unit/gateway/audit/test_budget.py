"""A flood of refused packets is written down in part and counted whole."""

from __future__ import annotations

from gateway.audit.budget import Budget


def test_a_burst_is_written_whole_and_what_is_over_is_counted_once() -> None:
    budget = Budget(burst=3, per_second=1, now=100.0)
    assert [budget.admits(100.0) for _ in range(5)] == [True, True, True, False, False]
    assert budget.take_over(100.5) == 0, "not more often than once a second"
    assert budget.take_over(101.0) == 2
    assert budget.take_over(102.0) == 0


def test_the_bucket_fills_with_time_and_never_over_its_brim() -> None:
    budget = Budget(burst=3, per_second=2, now=0.0)
    written = sum(budget.admits(second / 100) for second in range(1_000))
    assert written == 3 + 2 * 10 - 1
    assert [budget.admits(10_000.0) for _ in range(4)] == [True, True, True, False]


def test_every_packet_is_either_written_or_counted() -> None:
    budget = Budget(burst=10, per_second=5, now=0.0)
    moments = [n / 1_000 for n in range(20_000)]
    counted = written = 0
    for now in moments:
        counted += budget.take_over(now)
        written += budget.admits(now)
    assert written + counted + budget.take_over(float("inf")) == len(moments)


def test_a_clock_that_stands_still_or_steps_back_gives_nothing() -> None:
    budget = Budget(burst=1, per_second=1_000, now=5.0)
    assert [budget.admits(now) for now in (5.0, 5.0, 4.0)] == [True, False, False]
