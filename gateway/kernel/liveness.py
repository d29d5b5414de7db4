"""The sets that close flows in the kernel: numbers of open flows, with the time each stays open."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from zones.expiry import closed_because, open_until
from zones.model import Mode

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from zones.model import Policy

TRIAL_MARK = 0x80000000
"""The mark of connections that pass only during a trial; above every flow number."""
MAX_TIMEOUT_SECONDS = 400 * 86400
"""The longest time-out we give the kernel; a flow that stays open for longer is renewed in time."""
TOLERANCE_SECONDS = 0.05
"""How far the kernel's end of a flow may lie from the policy's before it is set anew."""
_BITE_ELEMENTS = 200  # changes in one transaction: a netlink batch must fit the socket's buffer

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
    """Return set elements in nft's notation, with time-outs of at most `MAX_TIMEOUT_SECONDS`.

    >>> set_elements([(1, None), (2, 90.25)])
    '0x1, 0x2 timeout 90s250ms'
    """
    return ", ".join(
        f"{number:#x}" if seconds is None else f"{number:#x} timeout {_time(seconds)}"
        for number, seconds in entries
    )


def _time(seconds: float) -> str:
    # Rounded down, so that nothing stays open for longer; the kernel takes 0 for ever.
    whole, rest = divmod(max(1, int(min(seconds, MAX_TIMEOUT_SECONDS) * 1000)), 1000)
    return f"{whole}s{rest}ms"


class TimedSet:
    """What one of our sets holds in the kernel, and what to change so that it holds what it should.

    Pure: `tick` is a monotonic clock, the one time-outs run by. Wall clocks are set and loading takes time;
    both move the end of a flow, and the next `changes` puts it right.
    """

    def __init__(self, name: str, loaded: Iterable[Element]) -> None:
        """Begin with what the ruleset brought; when exactly its time-outs began is not known."""
        self.name = name
        self._ends: dict[int, float | None] = {n: None if s is None else -inf for n, s in loaded}

    def changes(self, table: str, entries: Sequence[Element], tick: float) -> Iterator[str]:
        """Yield nft texts, each a transaction, that make the set hold `entries` from `tick` on.

        All of them must be loaded; when that fails, `forget` makes the next changes say everything again.
        """
        wanted = dict(entries)
        lines = [self._put(table, entry) for entry in entries if not self._holds(entry, tick)]
        lines += [
            self._take(table, number)
            for number, end in self._ends.items()
            if number not in wanted and (end is None or end == -inf or end > tick)
        ]
        self._ends = {n: self._end(n, s, tick) for n, s in entries}
        for start in range(0, len(lines), _BITE_ELEMENTS):
            yield "".join(lines[start : start + _BITE_ELEMENTS])

    def forget(self) -> None:
        """Take nothing the set holds for certain any more."""
        self._ends = dict.fromkeys(self._ends, -inf)

    def _holds(self, entry: Element, tick: float) -> bool:
        number, seconds = entry
        end = self._ends.get(number, -inf)
        if end is None or seconds is None:
            return end is None and seconds is None
        if seconds > MAX_TIMEOUT_SECONDS:
            return end - tick > MAX_TIMEOUT_SECONDS / 2
        return abs(end - (tick + seconds)) <= TOLERANCE_SECONDS

    def _end(self, number: int, seconds: float | None, tick: float) -> float | None:
        if self._holds((number, seconds), tick):
            return self._ends[number]
        return None if seconds is None else tick + min(seconds, MAX_TIMEOUT_SECONDS)

    def _put(self, table: str, entry: Element) -> str:
        element = f"element inet {table} {self.name} {{ {set_elements([entry])} }}\n"
        # An element that is there keeps its time-out when it is added again: it has to go first.
        return f"{self._take(table, entry[0])}add {element}"

    def _take(self, table: str, number: int) -> str:
        # Only what is there can be deleted, and what was there may have just expired.
        element = f"element inet {table} {self.name} {{ {number:#x} }}\n"
        return f"add {element}delete {element}"
