"""Ways of several hops between zones that guards keep apart: what no single flow shows.

One hop is a raw `allow` from one zone to another. The next hop goes on where the last one ended: its sources
hold an address that the last one reaches. What one segment does within itself is left to `verify`; here the
chain of flows is what somebody can see, and cut. A host with `relay: {never: true}` breaks a chain by
somebody's word: such ways are notes, those that rest on nothing are warnings.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from zones.lint.codes import Severity
from zones.lint.finding import Subject, flow_subject, listed
from zones.lint.regions import Axis
from zones.model import GATEWAY, Action, ZoneClass
from zones.proof.space import common, normal, without

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from zones.lint.context import Context
    from zones.lint.finding import Finding
    from zones.lint.regions import Piece
    from zones.model import Flow, Host
    from zones.proof.space import Ranges

_TRUST = {
    ZoneClass.OUTSIDE: 0,
    ZoneClass.INTERNET: 1,
    ZoneClass.OTHER: 2,
    ZoneClass.LGWAN: 3,
    ZoneClass.MYNUMBER: 4,
}
# The two that the three-layer model keeps apart whatever the guards say.
_APART = ({ZoneClass.MYNUMBER}, {ZoneClass.INTERNET, ZoneClass.OUTSIDE})


class Way(NamedTuple):
    """A way from one zone to another by raw flows; `claimed` if it exists only against somebody's word."""

    pieces: tuple[Piece, ...]
    claimed: bool

    @property
    def flows(self) -> tuple[Flow, ...]:
        return tuple(piece.flow for piece in self.pieces)

    @property
    def ends(self) -> tuple[str, str]:
        return self.pieces[0].group.source, self.pieces[-1].group.destination


def relay_host(context: Context) -> Iterator[Finding]:
    """Yield the longest ways between zones that are kept apart, one for each chain of relaying flows."""
    ways = _unclaimed_first(context)
    chains: dict[tuple[str, ...], list[Way]] = {}
    for way in ways:
        chains.setdefault((*way.ends, *(flow.id for flow in way.flows[1:])), []).append(way)
    tails = {tuple(flow.id for flow in way.flows[at:]) for way in ways for at in range(1, len(way.pieces))}
    for alike in chains.values():
        if tuple(flow.id for flow in alike[0].flows) in tails:
            continue  # the end of a longer way that is reported
        yield _finding(context, alike)


def _finding(context: Context, alike: list[Way]) -> Finding:
    way = alike[0]
    stops = [_stop(context, one, other) for one, other in zip(way.pieces, way.pieces[1:], strict=False)]
    hosts = {host.name: host for here, _ in stops for host in here}
    claims = [host.name for host in hosts.values() if host.relay is not None and host.relay.never]
    entering = [other.flows[0] for other in alike]
    return context.finding(
        "relay-host",
        flow_subject(entering[0]),
        related=[
            *(flow_subject(flow) for flow in (*entering[1:], *way.flows[1:])),
            *(Subject("hosts", name) for name in hosts),
        ],
        severity=Severity.NOTE if way.claimed else None,
        variant="claimed" if way.claimed else "",
        way=" → ".join([way.ends[0], *(text for _, text in stops), way.ends[1]]),
        hops=len(way.pieces),
        flows=" → ".join([listed(flow.id for flow in entering), *(flow.id for flow in way.flows[1:])]),
        relays=listed(claims if way.claimed else hosts) or "-",
    )


def _stop(context: Context, one: Piece, other: Piece) -> tuple[list[Host], str]:
    """Return the hosts where one hop ends and the next begins, and how the sentence calls the place."""
    shared = common(one.box[1], other.box[0])
    version = one.group.version
    hosts = [
        host
        for host in context.policy.hosts.values()
        if host.zone == one.group.destination
        and any(
            network.version == version and common(((network.first, network.last),), shared)
            for network in host.addresses
        )
    ]
    return hosts, listed(host.name for host in hosts) or one.group.destination


def _unclaimed_first(context: Context) -> list[Way]:
    """Return every way, by relays without a claim where there are such."""
    pieces = [
        piece
        for flow in context.opening
        for pair in context.raw_pairs(flow)
        if pair[0] != pair[1] and GATEWAY not in pair
        for piece in context.regions.pieces[flow.id]
        if piece.group[:2] == pair and flow.id not in context.cover.shadowed
    ]
    found: dict[tuple[str, str], Way] = {}
    nobody: dict[int, Ranges] = {4: (), 6: ()}
    for claims, against in ((_claimed(context), False), (nobody, True)):
        graph = _Graph(pieces, claims)
        for target in context.policy.zones:
            for way in graph.ways_to(target):
                key = (way.pieces[0].flow.id, target)
                if _kept_apart(context, *way.ends):
                    found.setdefault(key, way._replace(claimed=against))
    return _worst(context, found)


def _worst(context: Context, found: dict[tuple[str, str], Way]) -> list[Way]:
    """Keep, of the ways that begin with one flow, the one that leads furthest out (unclaimed ones first)."""
    zones = context.policy.zones
    worst: dict[str, Way] = {}
    for (flow_id, target), way in found.items():
        known = worst.get(flow_id)
        rank = (way.claimed, _TRUST[zones[target].zone_class])
        if known is None or rank < (known.claimed, _TRUST[zones[known.ends[1]].zone_class]):
            worst[flow_id] = way
    return list(worst.values())


def _kept_apart(context: Context, source: str, destination: str) -> bool:
    if context.shut(source, destination, Action.ALLOW):
        return True
    zones = context.policy.zones
    classes = zones[source].zone_class, zones[destination].zone_class
    return any(classes[at] in _APART[0] and classes[1 - at] in _APART[1] for at in (0, 1))


def _claimed(context: Context) -> dict[int, Ranges]:
    """Return the addresses of hosts of which somebody says that they pass nothing on."""
    hosts = [host for host in context.policy.hosts.values() if host.relay is not None and host.relay.never]
    return {
        version: normal(
            (network.first, network.last)
            for host in hosts
            for network in host.addresses
            if network.version == version
        )
        for version in (4, 6)
    }


class _Graph:
    """Hops, and which of them lead on to which; addresses in `claims` pass nothing on."""

    def __init__(self, pieces: Sequence[Piece], claims: dict[int, Ranges]) -> None:
        self._pieces, self._claims = pieces, claims
        self._arriving: dict[tuple[str, int], list[int]] = {}
        for at, piece in enumerate(pieces):
            self._arriving.setdefault((piece.group.destination, piece.group.version), []).append(at)
        self._axes = {
            key: Axis([pieces[at].box[1] for at in members]) for key, members in self._arriving.items()
        }

    def ways_to(self, target: str) -> Iterator[Way]:
        """Yield a shortest way of two hops or more from the source of each piece from which there is one."""
        following: dict[int, int | None] = {
            at: None for at, piece in enumerate(self._pieces) if piece.group.destination == target
        }
        queue = deque(following)
        while queue:
            at = queue.popleft()
            for before in self._before(at, following):
                following[before] = at
                queue.append(before)
                yield Way(tuple(self._chain(before, following)), claimed=False)

    def _before(self, at: int, known: dict[int, int | None]) -> Iterator[int]:
        piece = self._pieces[at]
        key = (piece.group.source, piece.group.version)
        onward = without(piece.box[0], self._claims[piece.group.version])
        if not onward or key not in self._axes:
            return
        bits = self._axes[key].meeting(onward[0][0], onward[-1][1])
        while bits:
            lowest = bits & -bits
            bits ^= lowest
            other = self._arriving[key][lowest.bit_length() - 1]
            if other not in known and common(self._pieces[other].box[1], onward):
                yield other

    def _chain(self, at: int, following: dict[int, int | None]) -> Iterator[Piece]:
        step: int | None = at
        while step is not None:
            yield self._pieces[step]
            step = following[step]
