"""When a flow is open. Time only narrows: what has expired, or is outside its hours, stops matching."""

from __future__ import annotations

import math
import re
from datetime import date, datetime, timedelta
from datetime import time as day_time
from typing import TYPE_CHECKING

from zones.model import Action
from zones.verdict import Reason

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from zones.model import Flow, Hours


FIRST_YEAR, LAST_YEAR = 2000, 2999
"""Years that a policy and a question may speak of: calendar arithmetic holds at both ends."""

_NOW = re.compile(
    r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?(?:Z|[+-]\d{2}:\d{2})?)?", re.ASCII
)


def end_of_day(day: date, zone: ZoneInfo) -> float:
    """Return the second at which `day` is over in `zone`: an expiry date is inclusive."""
    return datetime.combine(day + timedelta(days=1), day_time(0, 0), zone).timestamp()


def start_of_day(day: date, zone: ZoneInfo) -> float:
    """Return the first second of `day` in `zone`."""
    return datetime.combine(day, day_time(0, 0), zone).timestamp()


def moment_of(at: date, zone: ZoneInfo) -> float:
    """Return the second that a test's `at` means: the moment itself, or the first second of the day."""
    if isinstance(at, datetime):
        return at.replace(tzinfo=zone).timestamp()
    return start_of_day(at, zone)


def closed_because(flow: Flow, now: float, zone: ZoneInfo) -> Reason | None:
    """Return why `flow` does not match at `now`, or None while it is open.

    A deny never closes: an expired deny that vanished would open what it held shut.
    """
    if flow.action is Action.DENY:
        return None
    if flow.expires_at is not None and now >= flow.expires_at:
        return Reason.EXPIRED
    if flow.hours is not None:
        if flow.hours.approval_people or flow.hours.approval_max_minutes:
            return Reason.NEEDS_APPROVAL
        if not _within(flow.hours, now, zone):
            return Reason.OUTSIDE_HOURS
    return None


def open_until(flow: Flow, now: float, zone: ZoneInfo) -> float | None:
    """Return when an open flow closes next; None for one that stays open for good."""
    ends = [flow.expires_at] if flow.expires_at is not None else []
    if flow.hours is not None:
        closing = _closing(flow.hours, now, zone)
        if closing is not None:
            ends.append(closing)
    return min(ends, default=None)


def next_opening(flow: Flow, now: float, zone: ZoneInfo) -> float | None:
    """Return when a flow that is outside its hours opens next; None if it never does."""
    if flow.hours is None:
        return None
    day = datetime.fromtimestamp(now, zone).date()
    for ahead in range(9):
        opening = _at(day + timedelta(days=ahead), flow.hours.opens, zone)
        if opening > now and _weekday(opening, zone) in flow.hours.days:
            return opening if flow.expires_at is None or opening < flow.expires_at else None
    return None


def unchanged_span(flow: Flow, now: float, zone: ZoneInfo) -> tuple[float, float]:
    """Return a span of time around `now`, its end not included, in which the flow neither opens nor closes.

    Both ends are infinite for a flow that time says nothing of.
    """
    edges = [] if flow.expires_at is None else [flow.expires_at]
    first, last = -math.inf, math.inf
    if flow.hours is not None:
        edges += [edge for window in _windows(flow.hours, now, zone) for edge in window]
        # The windows are known from yesterday's, which may reach into today, to a week ahead.
        today = datetime.fromtimestamp(now, zone).date()
        first, last = start_of_day(today, zone), start_of_day(today + timedelta(days=7), zone)
    return (
        max((edge for edge in edges if first <= edge <= now), default=first),
        min((edge for edge in edges if now < edge <= last), default=last),
    )


def _within(hours: Hours, now: float, zone: ZoneInfo) -> bool:
    return any(opens <= now < closes for opens, closes in _windows(hours, now, zone))


def _closing(hours: Hours, now: float, zone: ZoneInfo) -> float | None:
    """Return when the present window ends; windows that touch are one (no gap at midnight)."""
    if hours.closes is None and hours.opens == day_time(0, 0) and len(hours.days) == 7:
        return None
    end = None
    for opens, closes in _windows(hours, now, zone):
        if opens <= (now if end is None else end) < closes:
            end = closes
    return end


def _windows(hours: Hours, now: float, zone: ZoneInfo) -> list[tuple[float, float]]:
    """Return the windows from yesterday (one may reach past midnight) to a week ahead, in order."""
    today = datetime.fromtimestamp(now, zone).date()
    windows = []
    for ahead in range(-1, 8):
        day = today + timedelta(days=ahead)
        if day.weekday() not in hours.days:
            continue
        opens = _at(day, hours.opens, zone)
        closes = end_of_day(day, zone) if hours.closes is None else _at(day, hours.closes, zone)
        if closes <= opens:
            closes = _at(day + timedelta(days=1), hours.closes or day_time(0, 0), zone)
        windows.append((opens, closes))
    return windows


def _at(day: date, when: day_time, zone: ZoneInfo) -> float:
    return datetime.combine(day, when, zone).timestamp()


def _weekday(seconds: float, zone: ZoneInfo) -> int:
    return datetime.fromtimestamp(seconds, zone).weekday()


def parse_now(text: str, zone: ZoneInfo) -> float:
    """Return the second meant by a `--now` value: `2027-04-01`, `2027-04-01T09:00+09:00`.

    Without an offset it is the policy's own time.

    Raises:
        ValueError: not a date or time.
    """
    if not _NOW.fullmatch(text):
        raise ValueError(text)
    moment = datetime.fromisoformat(text)
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise ValueError(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).timestamp()
