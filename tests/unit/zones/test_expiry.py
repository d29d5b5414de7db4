"""Hours and expiry in the policy's time zone: windows, the moment they close, the moment they open again."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

import pytest

from zones.expiry import (
    closed_because,
    end_of_day,
    moment_of,
    next_opening,
    open_until,
    parse_now,
    start_of_day,
)
from zones.model import Action, Flow, Hours
from zones.verdict import Reason

TOKYO = ZoneInfo("Asia/Tokyo")
WEEK = frozenset(range(5))
OFFICE = Hours(days=WEEK, opens=time(8, 30), closes=time(17, 15))
NIGHT = Hours(days=frozenset({5}), opens=time(22, 0), closes=time(5, 0))


def flow(**fields: object) -> Flow:
    base = {
        "id": "F1",
        "number": 1,
        "sources": (),
        "destinations": (),
        "services": (),
        "action": Action.ALLOW,
    }
    return Flow(**{**base, **fields})  # type: ignore[arg-type]


def at(text: str, zone: ZoneInfo = TOKYO) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()


def test_a_day_lasts_until_midnight_of_the_policys_own_time() -> None:
    assert end_of_day(date(2027, 3, 31), TOKYO) == datetime(2027, 3, 31, 15, tzinfo=UTC).timestamp()
    assert start_of_day(date(2027, 3, 31), TOKYO) == datetime(2027, 3, 30, 15, tzinfo=UTC).timestamp()


def test_a_day_may_last_23_hours() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    day = date(2027, 3, 28)

    assert end_of_day(day, berlin) - start_of_day(day, berlin) == 23 * 3600


@pytest.mark.parametrize(
    ("moment", "reason"),
    [
        ("2026-10-05T08:29:59", Reason.OUTSIDE_HOURS),
        ("2026-10-05T08:30:00", None),
        ("2026-10-05T17:14:59", None),
        ("2026-10-05T17:15:00", Reason.OUTSIDE_HOURS),
        ("2026-10-04T12:00:00", Reason.OUTSIDE_HOURS),  # Sunday
    ],
)
def test_office_hours(moment: str, reason: Reason | None) -> None:
    assert closed_because(flow(hours=OFFICE), at(moment), TOKYO) == reason


@pytest.mark.parametrize(
    ("moment", "is_open"),
    [
        ("2026-10-03T21:59", False),
        ("2026-10-03T22:00", True),
        ("2026-10-04T04:59", True),
        ("2026-10-04T05:00", False),
        ("2026-10-03T04:00", False),  # Saturday morning belongs to Friday's night
    ],
)
def test_a_window_may_reach_past_midnight(moment: str, is_open: bool) -> None:
    assert (closed_because(flow(hours=NIGHT), at(moment), TOKYO) is None) is is_open


def test_approval_keeps_a_flow_closed_in_its_hours_too() -> None:
    hours = Hours(days=WEEK, approval_people=2, approval_max_minutes=120)

    assert closed_because(flow(hours=hours), at("2026-10-05T10:00"), TOKYO) is Reason.NEEDS_APPROVAL


def test_expired_is_said_before_anything_else() -> None:
    expired = flow(hours=OFFICE, expires_at=at("2026-10-01T00:00"))

    assert closed_because(expired, at("2026-10-05T12:00"), TOKYO) is Reason.EXPIRED


def test_a_deny_never_closes() -> None:
    deny = flow(action=Action.DENY, expires_at=0.0, hours=OFFICE)

    assert closed_because(deny, at("2026-10-04T12:00"), TOKYO) is None
    assert not deny.allowing


def test_an_open_flow_closes_at_the_end_of_its_window_or_of_its_life() -> None:
    noon = at("2026-10-05T12:00")

    assert open_until(flow(), noon, TOKYO) is None
    assert open_until(flow(hours=OFFICE), noon, TOKYO) == at("2026-10-05T17:15")
    assert open_until(flow(hours=OFFICE, expires_at=noon + 60), noon, TOKYO) == noon + 60


def test_windows_that_touch_are_one() -> None:
    whole_days = Hours(days=WEEK)

    assert open_until(flow(hours=whole_days), at("2026-10-05T12:00"), TOKYO) == at("2026-10-10T00:00")
    assert open_until(flow(hours=Hours()), at("2026-10-05T12:00"), TOKYO) is None


def test_the_next_opening_is_found_over_the_weekend() -> None:
    friday_evening = at("2026-10-09T18:00")

    assert next_opening(flow(hours=OFFICE), friday_evening, TOKYO) == at("2026-10-12T08:30")
    assert next_opening(flow(), friday_evening, TOKYO) is None
    gone = flow(hours=OFFICE, expires_at=at("2026-10-11T00:00"))
    assert next_opening(gone, friday_evening, TOKYO) is None


def test_now_is_the_policys_own_time_unless_it_says_otherwise() -> None:
    assert parse_now("2027-04-01", TOKYO) == at("2027-04-01T00:00")
    assert parse_now("2027-04-01T09:00", TOKYO) == at("2027-04-01T09:00")
    assert parse_now("2027-04-01T00:00+00:00", TOKYO) == at("2027-04-01T09:00")
    with pytest.raises(ValueError, match="tomorrow"):
        parse_now("tomorrow", TOKYO)


def test_a_tests_day_means_its_first_second() -> None:
    assert moment_of(date(2027, 4, 1), TOKYO) == at("2027-04-01T00:00")
    assert moment_of(datetime(2027, 4, 1, 9), TOKYO) == at("2027-04-01T09:00")  # noqa: DTZ001  as the policy has it
