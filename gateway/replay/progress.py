"""How far a replay is, how fast, and how long it will take: on a terminal only, in place."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.cli.terminal import Terminal

_SHOW_SECONDS = 0.5
_SETTLED = 0.005
"""The part that must be read before an estimate of the rest is worth showing."""


class Progress:
    """One line that is written over and over.

    The part done is told by the bytes read of the files as they are stored, so it holds for compressed
    captures too; without a total (a pipe) only count and rate are shown.
    """

    def __init__(
        self, terminal: Terminal, total_bytes: int | None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._terminal = terminal
        self._total = total_bytes
        self._clock = clock
        self._started = self._shown = clock()
        self._before = 0
        self._source: BinaryIO | None = None
        self.wanted = not terminal.quiet and terminal.err.isatty()

    def begin(self, source: BinaryIO) -> None:
        """Go on with the next file."""
        self._source = source

    def end(self) -> None:
        """Take the line away; what the file held counts as read."""
        self._before += self._position()
        self._source = None
        if self.wanted:
            self._terminal.err.write("\r\x1b[K")

    def packets(self, count: int) -> None:
        """Show that so many packets have been judged, unless that was shown a moment ago."""
        now = self._clock()
        if not self.wanted or now - self._shown < _SHOW_SECONDS:
            return
        self._shown = now
        self._terminal.err.write(f"\r{self.text(count, now - self._started)}\x1b[K")
        self._terminal.err.flush()

    def text(self, count: int, seconds: float) -> str:
        """Return the line for so many packets after so many seconds."""
        rate = f"{count / max(seconds, 1e-9):,.0f}"
        if not self._total:
            return self._terminal.words("replay-progress", packets=f"{count:,}", rate=rate)
        part = min((self._before + self._position()) / self._total, 1.0)
        if part < _SETTLED:
            return self._terminal.words("replay-progress", packets=f"{count:,}", rate=rate)
        return self._terminal.words(
            "replay-progress-part",
            packets=f"{count:,}",
            rate=rate,
            percent=f"{100 * part:.0f}",
            left=clock_text(seconds * (1 - part) / part),
        )

    def _position(self) -> int:
        if self._source is None or self._total is None:
            return 0
        try:
            return self._source.tell()
        except (OSError, ValueError):
            return 0


def clock_text(seconds: float) -> str:
    """Return a time span as clocks show it.

    >>> clock_text(59.4), clock_text(3725)
    ('0:59', '1:02:05')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
