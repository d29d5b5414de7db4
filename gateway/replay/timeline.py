"""How much of what happened when: packets by outcome in equal spans of capture time."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

UNPARSED = "unparsed"
"""What stands in the place of an outcome where a packet could not be judged."""

MAX_SPANS = 1440
_WIDTHS = (1, 5, 10, 30, 60, 300, 600, 1800, 3600, 7200, 14_400, 43_200, 86_400, 604_800)
_NANO = 1_000_000_000


class Span(NamedTuple):
    """One span: its first second since the epoch, and packets by outcome."""

    start: int
    packets: dict[str, int]


class Timeline:
    """Bounded: when there are too many spans they become wider, each one made of whole ones before.

    Only spans with packets are kept, so a clock that lies by centuries costs one span.
    """

    def __init__(self, *, max_spans: int = MAX_SPANS) -> None:
        self._limit = max_spans
        self._spans: dict[int, dict[str, int]] = {}
        self.width_seconds = _WIDTHS[0]
        self._width_ns = _WIDTHS[0] * _NANO

    def __len__(self) -> int:
        """Return how many spans hold packets."""
        return len(self._spans)

    def add(self, time_ns: int, outcome: str, packets: int = 1) -> None:
        """Count packets of one moment."""
        number = time_ns // self._width_ns
        span = self._spans.get(number)
        if span is None:
            if len(self._spans) >= self._limit:
                self._widen()
                self.add(time_ns, outcome, packets)
                return
            span = self._spans[number] = {}
        span[outcome] = span.get(outcome, 0) + packets

    def spans(self) -> list[Span]:
        """Return the spans that hold packets, in order of time."""
        return [Span(n * self.width_seconds, dict(p)) for n, p in sorted(self._spans.items())]

    def _widen(self) -> None:
        wider = next((w for w in _WIDTHS if w > self.width_seconds), 4 * self.width_seconds)
        factor = wider // self.width_seconds
        before, self._spans = self._spans, {}
        self.width_seconds, self._width_ns = wider, wider * _NANO
        for number, packets in before.items():
            span = self._spans.setdefault(number // factor, {})
            for outcome, count in packets.items():
                span[outcome] = span.get(outcome, 0) + count


# Each width is a multiple of the one before: otherwise a span would have to be cut in two.
assert all(wide % narrow == 0 for narrow, wide in pairwise(_WIDTHS))  # noqa: S101
