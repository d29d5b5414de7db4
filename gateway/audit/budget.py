"""How many refused packets are written down one by one, so that a flood of them cannot fill the disk.

Anybody on a segment can send what is refused as fast as the wire carries it: at 8,000 events a second some
450 GB a day, after which nothing could be recorded at all. What is over the budget is counted, and the
count is recorded; the kernel's counters hold every packet in any case. Packets that passed are not limited.
No clock here: the time is an argument.
"""

from __future__ import annotations

BURST_EVENTS = 50_000
EVENTS_PER_SECOND = 100.0
REPORT_SECONDS = 1.0


class Budget:
    """A bucket of events that fills steadily. `now` is in seconds on any clock that runs forward."""

    def __init__(
        self, *, burst: int = BURST_EVENTS, per_second: float = EVENTS_PER_SECOND, now: float
    ) -> None:
        self._burst, self._per_second = float(burst), per_second
        self._left, self._filled_at, self._reported_at = float(burst), now, now
        self._over = 0

    def admits(self, now: float) -> bool:
        """Return whether one more event may be written; if not, it is counted."""
        self._left = min(self._burst, self._left + max(0.0, now - self._filled_at) * self._per_second)
        self._filled_at = now
        if self._left < 1:
            self._over += 1
            return False
        self._left -= 1
        return True

    def take_over(self, now: float) -> int:
        """Return how many were not written since this last returned any: at most once a second."""
        if not self._over or now - self._reported_at < REPORT_SECONDS:
            return 0
        over, self._over, self._reported_at = self._over, 0, now
        return over
