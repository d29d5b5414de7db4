"""The sets that close flows in the kernel: numbers of open flows, with the time each stays open."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zones.expiry import closed_because, open_until
from zones.model import Mode

if TYPE_CHECKING:
    from collections.abc import Iterable

    from zones.model import Policy

TRIAL_MARK = 0x80000000
"""The mark of connections that pass only during a trial; above every flow number."""
_MAX_TIMEOUT_SECONDS = 400 * 86400

Element = tuple[int, float | None]
"""A flow's number and the seconds it stays in the set; None is for good."""


def live_elements(policy: Policy, now: float) -> list[Element]:
    """Return the open flows at `now`."""
    live: list[Element] = []
    for flow in policy.flows:
        if flow.mode is Mode.ENFORCE and flow.allowing and closed_because(flow, now, policy.timezone) is None:
            until = open_until(flow, now, policy.timezone)
            live.append((flow.number, None if until is None else until - now))
    if policy.audit_until_at is not None and now < policy.audit_until_at:
        live.append((TRIAL_MARK, policy.audit_until_at - now))
    return live


def valid_elements(policy: Policy, now: float) -> list[Element]:
    """Return the flows that have hours and have not expired: closed now, they open again."""
    return [
        (flow.number, None if flow.expires_at is None else flow.expires_at - now)
        for flow in policy.flows
        if flow.allowing and flow.hours is not None and (flow.expires_at is None or now < flow.expires_at)
    ]


def set_elements(entries: Iterable[Element]) -> str:
    """Return set elements in nft's notation; the longest time-out is 400 days, and the daemon renews it."""
    return ", ".join(
        f"{number:#x}"
        if seconds is None
        else f"{number:#x} timeout {max(1, int(min(seconds, _MAX_TIMEOUT_SECONDS)))}s"
        for number, seconds in entries
    )
