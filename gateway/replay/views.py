"""Other ways to look at the exchanges: by host, with consequences folded in, and flows nobody used."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from gateway.replay.exchanges import Exchange
from zones.model import Mode
from zones.verdict import Outcome, Reason

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gateway.replay.exchanges import Ends
    from gateway.replay.summary import Summary
    from zones.model import Flow, Policy


class Address(NamedTuple):
    """A host as the packets show it: its zone (empty: not known), IP version and address."""

    zone: str
    version: int
    address: int


class HostSums:
    """What one host did: exchanges it began, and those begun by others with it."""

    __slots__ = ("bytes", "denied_from", "denied_to", "flows", "host", "packets", "peers", "served")

    def __init__(self, host: Address) -> None:
        self.host = host
        self.packets = self.bytes = self.flows = self.served = 0
        self.denied_from = self.denied_to = 0
        self.peers = 0


def by_host(exchanges: Iterable[Exchange]) -> list[HostSums]:
    """Return every host of the table, the one with most packets first.

    `flows` are those it began, `served` those that others began with it; `denied_from` and `denied_to` are
    refused packets of exchanges that it began, and that others began with it. A peer is counted once.
    """
    hosts: dict[Address, HostSums] = {}
    pairs: set[tuple[Address, Address]] = set()
    for row in exchanges:
        ends = row.ends
        if ends.other:
            continue
        source = Address(ends.source_zone, ends.version, ends.src)
        destination = Address(ends.destination_zone, ends.version, ends.dst)
        for host, peer in ((source, destination), (destination, source)):
            sums = hosts.get(host)
            if sums is None:
                sums = hosts[host] = HostSums(host)
            sums.packets += row.packets
            sums.bytes += row.bytes
            if (host, peer) not in pairs:
                pairs.add((host, peer))
                sums.peers += 1
        hosts[source].flows += row.flows
        hosts[destination].served += row.flows
        if ends.denied:
            hosts[source].denied_from += row.packets
            hosts[destination].denied_to += row.packets
    return sorted(hosts.values(), key=lambda sums: (-sums.packets, sums.host))


def folded(exchanges: Iterable[Exchange]) -> list[Exchange]:
    """Return the rows, with what was refused only as a consequence added to what it follows from.

    Behind a refused SYN everything is refused as `invalid-state`; people ask for the reason of the first.
    The rows given stay as they are.
    """
    rows = list(exchanges)
    causes: dict[tuple[object, ...], Exchange] = {}
    kept: list[Exchange] = []
    followers: list[Exchange] = []
    for row in rows:
        if row.ends.denied and row.ends.reason == Reason.INVALID_STATE:
            followers.append(row)
            continue
        copy = _copy(row)
        kept.append(copy)
        if row.ends.denied:
            causes.setdefault(_between(row.ends), copy)
    for row in followers:
        cause = causes.get(_between(row.ends))
        if cause is None:
            kept.append(_copy(row))
            continue
        cause.packets += row.packets
        cause.bytes += row.bytes
        cause.answers += row.answers
        cause.answer_bytes += row.answer_bytes
        cause.flows += row.flows
        cause.last_ns = max(cause.last_ns, row.last_ns)
    return kept


def _between(ends: Ends) -> tuple[object, ...]:
    return ends.version, ends.src, ends.dst, ends.protocol, ends.port


def _copy(row: Exchange) -> Exchange:
    copy = Exchange(row.ends, row.first, row.first_ns)
    for name in ("packets", "bytes", "flows", "answers", "answer_bytes", "last_ns"):
        setattr(copy, name, getattr(row, name))
    return copy


def top(exchanges: Iterable[Exchange], *, denied: bool = False) -> list[Exchange]:
    """Return the folded rows with most packets first, or those alone that were refused."""
    rows = [row for row in folded(exchanges) if row.ends.denied or not denied]
    return sorted(rows, key=lambda row: (row.ends.other, -row.packets, row.first_ns, row.ends))


def unused_flows(policy: Policy, summary: Summary) -> list[Flow]:
    """Return the enforced flows that open something and decided no packet, in the policy's order.

    That says something about the time observed only: a flow for the end of the year is not used in May.
    """
    used = {row.ends.decided_by for row in summary.exchanges}
    return [flow for flow in opening_flows(policy) if flow.id not in used]


def opening_flows(policy: Policy) -> list[Flow]:
    """Return the flows of a policy that open something, without those that only watch or are disabled."""
    return [flow for flow in policy.flows if flow.mode is Mode.ENFORCE and flow.allowing]


class PairSums:
    """One cell of the zone matrix: exchanges begun in one zone towards another."""

    __slots__ = ("bytes", "denied", "flows", "packets", "rows")

    def __init__(self) -> None:
        self.packets = self.bytes = self.flows = self.denied = 0
        self.rows: list[Exchange] = []


def by_pair(exchanges: Iterable[Exchange]) -> dict[tuple[str, str], PairSums]:
    """Return the sums of each zone pair, with its exchanges, refused first, then by packets."""
    pairs: dict[tuple[str, str], PairSums] = {}
    for row in folded(exchanges):
        sums = pairs.setdefault((row.ends.source_zone, row.ends.destination_zone), PairSums())
        sums.packets += row.packets
        sums.bytes += row.bytes
        sums.flows += row.flows
        sums.denied += row.packets if row.ends.outcome == Outcome.DENY else 0
        sums.rows.append(row)
    for sums in pairs.values():
        sums.rows.sort(key=lambda row: (not row.ends.denied, row.ends.other, -row.packets, row.ends))
    return pairs
