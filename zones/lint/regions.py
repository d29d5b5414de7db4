"""What flows match, as boxes of numbers, and a quick answer to "which of them meet this one?".

A flow is one piece for each pair of zones and each IP version; a piece is a box over source address,
destination address and service (`zones.proof.packets` numbers the services).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from zones.address import whole
from zones.model import GATEWAY, Mode
from zones.proof.packets import service_ranges
from zones.proof.space import meet, normal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from zones.model import Flow, Policy, Selector
    from zones.proof.space import Box, Ranges

VERSIONS = (4, 6)


class Group(NamedTuple):
    """Flows can meet only inside one pair of zones and one IP version."""

    source: str
    destination: str
    version: int


class Piece(NamedTuple):
    """One box of one flow."""

    flow: Flow
    group: Group
    box: Box


class Regions:
    """The pieces of every flow of a policy that takes part in verdicts."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._spans: dict[tuple[str, int], Ranges] = {}
        self.enforced = tuple(flow for flow in policy.flows if flow.mode is Mode.ENFORCE)

    @cached_property
    def pieces(self) -> dict[str, tuple[Piece, ...]]:
        """The pieces of each enforced flow by its id; none for a flow to names only."""
        return {flow.id: tuple(self.of(flow)) for flow in self.enforced}

    @cached_property
    def groups(self) -> dict[Group, Overlaps]:
        """For each pair and version, the pieces in it."""
        members: dict[Group, list[Piece]] = {}
        for pieces in self.pieces.values():
            for piece in pieces:
                members.setdefault(piece.group, []).append(piece)
        return {group: Overlaps(pieces) for group, pieces in members.items()}

    def of(self, flow: Flow) -> Iterator[Piece]:
        """Yield the pieces of one flow."""
        services = service_ranges(flow.services)
        sources = {end.zone for end in flow.sources if end.name is None}
        destinations = {end.zone for end in flow.destinations if end.name is None}
        for version in VERSIONS:
            froms = {zone: self._end(flow.sources, zone, version) for zone in sources}
            tos = {zone: self._end(flow.destinations, zone, version) for zone in destinations}
            for source, one in froms.items():
                for destination, other in tos.items():
                    if one and other:
                        yield Piece(flow, Group(source, destination, version), (one, other, services))

    def meeting(self, piece: Piece) -> Iterator[Piece]:
        """Yield the pieces of other flows that share a packet with this one."""
        return self.groups[piece.group].meeting(piece)

    def zone_span(self, zone: str, version: int) -> Ranges:
        """Return every address of a zone."""
        key = (zone, version)
        if key not in self._spans:
            networks = (whole(version),) if zone == GATEWAY else self._policy.networks_of(zone, version)
            self._spans[key] = normal((network.first, network.last) for network in networks)
        return self._spans[key]

    def _end(self, ends: Iterable[Selector], zone: str, version: int) -> Ranges:
        mine = [end.networks for end in ends if end.zone == zone and end.name is None]
        if any(networks is None for networks in mine):
            return self.zone_span(zone, version)
        return normal(
            (network.first, network.last)
            for networks in mine
            for network in networks or ()
            if network.version == version
        )


class Overlaps:
    """Which boxes of a group meet a given one: by bit sets over the spans of each field, then exactly."""

    def __init__(self, pieces: Sequence[Piece]) -> None:
        self.pieces = pieces
        self._axes = [Axis([piece.box[at] for piece in pieces]) for at in range(3)]

    def meeting(self, piece: Piece) -> Iterator[Piece]:
        """Yield the pieces of other flows that share a point with `piece`."""
        bits = -1
        for axis, ranges in zip(self._axes, piece.box, strict=True):
            bits &= axis.meeting(ranges[0][0], ranges[-1][1])
        while bits:
            lowest = bits & -bits
            bits ^= lowest
            other = self.pieces[lowest.bit_length() - 1]
            if other.flow is not piece.flow and meet(other.box, piece.box) is not None:
                yield other


class Axis:
    """The spans of one field: bit i is box i. Sums are kept for every 64th end only, to bound memory."""

    _STRIDE = 64

    def __init__(self, fields: Sequence[Ranges]) -> None:
        self._lows = sorted((ranges[0][0], at) for at, ranges in enumerate(fields))
        self._highs = sorted((ranges[-1][1], at) for at, ranges in enumerate(fields))
        self._begun, self._ended = self._sums(self._lows), self._sums(self._highs)

    def meeting(self, low: int, high: int) -> int:
        """Return the boxes whose span reaches into `low`..`high`."""
        begun = self._first(self._lows, self._begun, bisect_right(self._lows, (high, len(self._lows))))
        ended = self._first(self._highs, self._ended, bisect_left(self._highs, (low, -1)))
        return begun & ~ended

    def _sums(self, ends: list[tuple[int, int]]) -> list[int]:
        sums, bits = [0], 0
        for count, (_, at) in enumerate(ends, 1):
            bits |= 1 << at
            if count % self._STRIDE == 0:
                sums.append(bits)
        return sums

    def _first(self, ends: list[tuple[int, int]], sums: list[int], count: int) -> int:
        """Return the boxes of the first `count` ends."""
        bits = sums[count // self._STRIDE]
        for _, at in ends[count - count % self._STRIDE : count]:
            bits |= 1 << at
        return bits
