"""Fragmented datagrams: the first fragment decides, the others follow it."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple

from gateway.filter.states import FRAGMENT_SECONDS, NANO

if TYPE_CHECKING:
    from gateway.filter.frames import Frame
    from zones.verdict import Verdict

MAX_DATAGRAMS = 4096
_FRAGMENT_NS = FRAGMENT_SECONDS * NANO


class Datagram(NamedTuple):
    """The first fragment, where it came in, its verdict, its connection's number (0: none)."""

    first: Frame
    ingress: str | None
    expires: int
    verdict: Verdict
    connection: int


class Datagrams:
    """The datagrams whose later fragments may still come; bounded, the oldest is forgotten first.

    The kernel reassembles before it decides. A replay sees fragments one by one, so a fragment that comes
    before its first one, by another interface, or that overlaps it (RFC 1858, RFC 5722), is refused.
    """

    def __init__(self, *, max_datagrams: int = MAX_DATAGRAMS) -> None:
        self._limit = max_datagrams
        self._open: OrderedDict[bytes, Datagram] = OrderedDict()

    def find(self, frame: Frame, ingress: str | None, now: int) -> Datagram | None:
        """Return the datagram a later fragment belongs to; None for an orphan and for one that overlaps."""
        datagram = self._current(frame, now)
        if datagram is None or datagram.ingress != ingress or frame.offset < datagram.first.payload:
            return None
        return datagram

    def rewrites(self, frame: Frame, ingress: str | None, now: int) -> bool:
        """Return whether a first fragment contradicts the one that came before it."""
        datagram = self._current(frame, now)
        return datagram is not None and (datagram.first.key, datagram.ingress) != (frame.key, ingress)

    def remember(
        self, frame: Frame, ingress: str | None, now: int, verdict: Verdict, connection: int
    ) -> None:
        """Keep what a first fragment was decided to be."""
        identity = _identity(frame)
        if self._open.pop(identity, None) is None and len(self._open) >= self._limit:
            self._open.popitem(last=False)
        self._open[identity] = Datagram(frame, ingress, now + _FRAGMENT_NS, verdict, connection)

    def _current(self, frame: Frame, now: int) -> Datagram | None:
        datagram = self._open.get(_identity(frame))
        return None if datagram is None or now >= datagram.expires else datagram


def _identity(frame: Frame) -> bytes:
    """RFC 791 3.2, RFC 8200 4.5: addresses, protocol and identification name a datagram."""
    size = 8 if frame.version == 4 else 32
    return frame.key[:size] + frame.key[-1:] + frame.ident.to_bytes(4)
