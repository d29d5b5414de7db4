"""Which flows end when: what an owner has to renew, or let go, before its day comes."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from zones.model import Mode

if TYPE_CHECKING:
    from datetime import date

    from zones.model import Flow, Policy

_SPAN = re.compile(r"([0-9]{1,5})([dw])")
_DAYS = {"d": 1, "w": 7}


class EndingDay(NamedTuple):
    """The last day of some flows; `days_left` is negative once it has passed."""

    day: date
    days_left: int
    flows: tuple[Flow, ...]


def parse_span(text: str) -> int:
    """Return the number of days in `60d` or `8w`.

    Raises:
        ValueError: not a span of days.

    >>> parse_span("8w")
    56
    """
    match = _SPAN.fullmatch(text.strip())
    if match is None:
        raise ValueError(text)
    return int(match[1]) * _DAYS[match[2]]


def expiring(policy: Policy, *, now: float, within_days: int | None = None) -> tuple[EndingDay, ...]:
    """Return the last days of flows in order, those that have passed first; disabled flows count for nothing.

    `within_days` leaves out what stays open for longer; without it every flow that ends at all is listed.
    """
    today = datetime.fromtimestamp(now, policy.timezone).date()
    days: dict[date, list[Flow]] = {}
    for flow in policy.flows:
        if flow.expires is not None and flow.mode is not Mode.DISABLED:
            days.setdefault(flow.expires, []).append(flow)
    return tuple(
        EndingDay(day, (day - today).days, tuple(sorted(flows, key=lambda flow: flow.id)))
        for day, flows in sorted(days.items())
        if within_days is None or (day - today).days <= within_days
    )
