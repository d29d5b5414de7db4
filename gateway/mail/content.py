"""The content of a message while it streams in: where it ends, what it may not hold, what it counts.

Only CR LF . CR LF ends a message, and nothing else ever does. The smuggling attacks of 2023 live on hosts
that disagree about `LF . LF`, `CR . CR` and their mixtures: one sees an end where the other sees text. A bare
CR or LF (RFC 5321 2.3.8 forbids both) therefore never ends anything, and a message that holds one is refused
after its real end. Refusing is chosen over mending: a mended message is one that nobody sent, its
signatures fail, and the sender is told what to repair; whoever sends so by accident keeps his mail.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

END = b"\r\n.\r\n"
_RECEIVED = re.compile(rb"(?im)^received[ \t]*:")
_MARKER = re.compile(rb"(?im)^x-masugata-loop[ \t]*:[ \t]*([^\r\n]*)")
_MARKER_VALUE = re.compile(r"([A-Za-z0-9][A-Za-z0-9.-]{0,252}); hops=([0-9]{1,4})\Z")
_MESSAGE_ID = re.compile(rb"(?im)^message-id[ \t]*:[ \t]*(?:\r\n[ \t]+)?(<[!-=?-~]{1,250}>)[ \t]*\r$")
LOOP_HEADER = "X-Masugata-Loop"


class Marker(NamedTuple):
    """Where a mail has been: a gateway's name, and the hops counted when it left there."""

    host: str
    hops: int

    def __str__(self) -> str:
        return f"{self.host}; hops={self.hops}"

    @classmethod
    def parse(cls, text: str) -> Marker:
        """Return the marker written as `host; hops=3`.

        Raises:
            ValueError: it is none.
        """
        match = _MARKER_VALUE.match(text.strip())
        if not match:
            raise ValueError("not a loop marker")
        return cls(match[1].lower(), int(match[2]))


@dataclass(frozen=True, kw_only=True)
class Trace:
    """What the header block says of the way so far. `hops` includes those of earlier gateways."""

    hops: int = 0
    markers: tuple[Marker, ...] = ()
    message_id: str = ""
    broken_marker: bool = False


class Reading(NamedTuple):
    """One step: content to keep (dots unstuffed), and what follows the end (None: no end yet)."""

    content: bytes
    rest: bytes | None


class ContentReader:
    """Cut the bytes after DATA into content and what comes after it, in pieces of any size.

    Nothing is kept but the few bytes that may be the beginning of the end, and the header block up to
    `max_header_bytes`.
    """

    def __init__(self, *, max_header_bytes: int) -> None:
        # The CRLF of the DATA command itself stands before the first line: `.` CRLF ends an empty message.
        self._window = b"\r\n"
        self._known = 2
        self._line_bytes = 0
        self._header: bytearray | None = bytearray()
        self._max_header_bytes = max_header_bytes
        self.total_bytes = 0
        self.longest_line_bytes = 0
        self.header_too_large = False
        self.bare_line_end = False
        self.trace = Trace()

    def feed(self, untrusted: bytes) -> Reading:
        """Return what of these bytes is content, and the bytes after the end once it has come."""
        window = self._window + untrusted
        end = window.find(END)
        if end >= 0:
            content = self._take(window, end + 2)
            self._end_of_header()
            return Reading(content, window[end + len(END) :])
        held = _held_back(window)
        content = self._take(window, len(window) - held)
        self._known = max(0, self._known - (len(window) - held))
        self._window = window[len(window) - held :]
        return Reading(content, None)

    def _take(self, window: bytes, stop: int) -> bytes:
        content = window[:stop].replace(b"\r\n.", b"\r\n")[self._known :]
        self.total_bytes += len(content)
        self._count_lines(content)
        self._watch_header(content)
        return content

    def _count_lines(self, content: bytes) -> None:
        first, *others = content.split(b"\r\n")
        # The window never ends between CR and LF (`_held_back`): every CR and LF beyond the pairs is bare.
        # Counting takes a sixth of the time of a regular expression.
        if content.count(b"\n") != len(others) or content.count(b"\r") != len(others):
            self.bare_line_end = True
        self._line_bytes += len(first)
        longest = self._line_bytes
        if others:
            longest = max(longest, *map(len, others))
            self._line_bytes = len(others[-1])
        self.longest_line_bytes = max(self.longest_line_bytes, longest)

    def _watch_header(self, content: bytes) -> None:
        if self._header is None:
            return
        scan_from = max(0, len(self._header) - 3)
        self._header += content
        end = 0 if self._header.startswith(b"\r\n") else self._header.find(b"\r\n\r\n", scan_from)
        if end >= 0:
            del self._header[end + 2 :]
            self._end_of_header()
        elif len(self._header) > self._max_header_bytes + 2:
            # Whatever comes now, the block is over its limit: +2, as half of its end may be here already.
            self._end_of_header()

    def _end_of_header(self) -> None:
        if self._header is None:
            return
        header, self._header = bytes(self._header), None
        self.header_too_large = len(header) > self._max_header_bytes
        self.trace = read_trace(header[: self._max_header_bytes])


def read_trace(header: bytes) -> Trace:
    """Return what a header block says of the way so far."""
    markers = []
    broken = False
    for match in _MARKER.finditer(header):
        try:
            markers.append(Marker.parse(match[1].decode("ascii", "replace")))
        except ValueError:
            broken = True
    message_ids = _MESSAGE_ID.findall(header)
    return Trace(
        hops=len(_RECEIVED.findall(header)) + max((marker.hops for marker in markers), default=0),
        markers=tuple(markers),
        message_id=message_ids[0].decode("ascii") if len(message_ids) == 1 else "",
        broken_marker=broken,
    )


def _held_back(window: bytes) -> int:
    """Return how many bytes at the end of the window may be the beginning of END."""
    for length in range(len(END) - 1, 0, -1):
        if window.endswith(END[:length]):
            return length
    return 0
