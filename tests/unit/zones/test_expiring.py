"""Flows by their last day, as seen from a moment."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import pytest

from zones.expiring import expiring, parse_span

if TYPE_CHECKING:
    from collections.abc import Callable

    from zones import Policy

FLOWS = """
flows:
  - {id: F3, from: a, to: b, service: tcp/1, action: allow, expires: 2027-03-31}
  - {id: F1, from: a, to: b, service: tcp/1, action: allow, expires: 2027-03-31, mode: audit}
  - {id: F2, from: a, to: b, service: tcp/1, action: allow, expires: 2026-12-31}
  - {id: F4, from: a, to: b, service: tcp/1, action: allow, expires: 2027-01-01, mode: disabled}
  - {id: F5, from: a, to: b, service: tcp/1, action: allow}
"""


def listed(policy: Policy, moment: str, within_days: int | None = None) -> list[tuple[str, int, list[str]]]:
    now = datetime.fromisoformat(moment).replace(tzinfo=policy.timezone).timestamp()
    days = expiring(policy, now=now, within_days=within_days)
    return [(str(day.day), day.days_left, [flow.id for flow in day.flows]) for day in days]


def test_days_come_in_order_with_their_flows_and_disabled_ones_are_left_out(
    small: Callable[[str], Policy],
) -> None:
    assert listed(small(FLOWS), "2027-01-01") == [
        ("2026-12-31", -1, ["F2"]),
        ("2027-03-31", 89, ["F1", "F3"]),
    ]


def test_the_last_day_itself_is_left_until_midnight_of_the_policys_own_time(
    small: Callable[[str], Policy],
) -> None:
    policy = small(FLOWS)

    assert listed(policy, "2026-12-31T23:59")[0][1] == 0
    assert listed(policy, "2027-01-01T00:00")[0][1] == -1


def test_a_span_leaves_out_what_stays_longer_never_what_has_passed(small: Callable[[str], Policy]) -> None:
    policy = small(FLOWS)

    assert [day for day, _, _ in listed(policy, "2027-01-01", 88)] == ["2026-12-31"]
    assert [day for day, _, _ in listed(policy, "2027-01-01", 89)] == ["2026-12-31", "2027-03-31"]


@pytest.mark.parametrize(("text", "days"), [("60d", 60), ("8w", 56), ("0d", 0)])
def test_spans_are_days_or_weeks(text: str, days: int) -> None:
    assert parse_span(text) == days


@pytest.mark.parametrize("text", ["", "d", "7", "2m", "-1d", "1.5d", "999999d", " 3 d ", "6０d"])
def test_what_is_no_span_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_span(text)
