"""Triage: which exchanges may become proposals, and why the others may not.

A verdict is never argued with: what a deny flow, an anti-spoofing check or connection tracking refused stays
refused. Of what only the default (or a guard) refused, scans, lone packets and ports that change from one
connection to the next are set aside: an allowlist cannot say them, or should not.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from gateway.replay.records import MID_STREAM
from gateway.suggest.evidence import CONTROL_PORTS, Exchange, Sightings, together
from zones.model import Mode
from zones.verdict import ICMP, ICMP6, PORT_PROTOCOLS, Reason, State

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from gateway.suggest.evidence import Collector
    from zones.model import Policy


class Why(StrEnum):
    """Why an exchange is not proposed; stable strings for JSON and tests."""

    EXPIRED = "expired"
    OUTSIDE_HOURS = "outside-hours"
    NEEDS_APPROVAL = "needs-approval"
    OTHER_WAY = "other-way"
    IN_AUDIT = "in-audit"
    SWITCHED_OFF = "switched-off"
    DENIED_BY_FLOW = "denied-by-flow"
    SPOOFED = "spoofed"
    INVALID_STATE = "invalid-state"
    MID_STREAM = "mid-stream"
    NO_ZONE = "no-zone"
    LIMIT = "limit"
    ICMP_MESSAGE = "icmp-message"
    BROADCAST = "broadcast"
    SCAN_PORTS = "scan-ports"
    SCAN_HOSTS = "scan-hosts"
    DYNAMIC_PORT = "dynamic-port"
    ONE_OFF = "one-off"
    CROWD = "crowd"
    SERVED = "served"


NOTES = frozenset(
    {
        Why.EXPIRED,
        Why.OUTSIDE_HOURS,
        Why.NEEDS_APPROVAL,
        Why.OTHER_WAY,
        Why.IN_AUDIT,
        Why.SWITCHED_OFF,
    }
)
"""A flow for it exists already: what is missing is not a flow."""

_BY_REASON: dict[Reason, Why] = {
    Reason.EXPIRED: Why.EXPIRED,
    Reason.OUTSIDE_HOURS: Why.OUTSIDE_HOURS,
    Reason.NEEDS_APPROVAL: Why.NEEDS_APPROVAL,
    Reason.USE_RENDER: Why.OTHER_WAY,
    Reason.USE_PORTAL: Why.OTHER_WAY,
    Reason.NO_PROXY: Why.OTHER_WAY,
    Reason.FLOW: Why.DENIED_BY_FLOW,
    Reason.SPOOFED_SOURCE: Why.SPOOFED,
    Reason.INVALID_STATE: Why.INVALID_STATE,
    Reason.UNKNOWN_ZONE: Why.NO_ZONE,
    Reason.MISROUTED: Why.NO_ZONE,
    Reason.MANAGEMENT: Why.NO_ZONE,
    Reason.MALFORMED: Why.INVALID_STATE,
    Reason.LIMIT: Why.LIMIT,
}
_ABOUT_A_FLOW = NOTES | {Why.DENIED_BY_FLOW}
_OPEN_QUESTIONS = frozenset({Reason.DEFAULT_DENY, Reason.WOULD_DENY, Reason.GUARD})


@dataclass(frozen=True, kw_only=True)
class Thresholds:
    """What counts as a scan, a changing port, a one-off; part of the documentation."""

    min_connections: int = 2
    scan_ports: int = 8
    scan_hosts: int = 16
    """So many ports of one host, or hosts of one port, tried without an answer and hardly ever again."""
    tentative: int = 2
    """As often as a scanner tries each."""
    many_ports: int = 32
    many_hosts: int = 128
    """So many without an answer are a scan however often each was tried."""
    crowd: int = 256
    """More addresses of the rest of the world for one service of a host: a public service, or browsing."""
    dynamic_ports: int = 3
    """So many unnamed high ports between two hosts are one protocol that changes its port."""


class Seen(NamedTuple):
    """An exchange and how often it was seen."""

    exchange: Exchange
    sightings: Sightings


class SetAside(NamedTuple):
    """Exchanges that are not proposed for one reason, from one source or about one flow."""

    why: Why
    exchanges: tuple[Seen, ...]
    detail: str = ""
    """The flow concerned, or the protocol or service that explains a port."""

    @property
    def sightings(self) -> Sightings:
        """All of them as one."""
        return together([seen.sightings for seen in self.exchanges])


class Triaged(NamedTuple):
    """What may be proposed, what is not (largest first), and what open flows admitted."""

    candidates: tuple[Seen, ...]
    set_aside: tuple[SetAside, ...]
    admitted: tuple[Seen, ...]


# RFC 792, RFC 4443: what asks. Everything else answers or reports, and lives with the connection it is about.
_ASKING = {ICMP: frozenset({8, 13}), ICMP6: frozenset({128})}
_EPHEMERAL, _DYNAMIC, _REGISTERED = 32_768, 49_152, 1024
_NARROW_PORTS = 16
"""A service of the policy names a port if it is at most so wide."""


def triage(policy: Policy, collector: Collector, thresholds: Thresholds) -> Triaged:
    """Sort everything the collector saw."""
    sorter = _Sorter(policy, collector.controls, thresholds)
    aside: dict[tuple[Why, object, str], list[Seen]] = defaultdict(list)
    admitted: list[Seen] = []
    open_questions: list[Seen] = []
    for exchange, sightings in collector.exchanges.items():
        seen = Seen(exchange, sightings)
        why = sorter.by_verdict(seen)
        if exchange.passes and exchange.state is State.RELATED:
            continue  # it lives with its connection, and says nothing about use
        if why is not None:
            about = (exchange.decided_by or "") if why in _ABOUT_A_FLOW else ""
            aside[why, None if about else (exchange.version, exchange.source), about].append(seen)
        elif exchange.passes and exchange.decided_by is not None:
            admitted.append(seen)
        else:
            open_questions.append(seen)
    candidates = []
    scans = _Scans(collector.exchanges, thresholds)
    sorter.learn(open_questions)
    for seen in open_questions:
        reason, detail = sorter.waiting(seen) or scans.why(seen) or sorter.by_itself(seen) or (None, "")
        source = None if reason in NOTES else (seen.exchange.version, seen.exchange.source)
        if reason is None:
            candidates.append(seen)
        else:
            aside[reason, source, detail].append(seen)
    candidates, crowds = _without_crowds(policy, candidates, thresholds.crowd)
    for zone, rows in crowds.items():
        aside[Why.CROWD, None, zone] += rows
    kept, single = _pooled(candidates, thresholds.min_connections)
    for seen in single:
        aside[Why.ONE_OFF, (seen.exchange.version, seen.exchange.source), ""].append(seen)
    groups = [SetAside(why, tuple(rows), detail) for (why, _, detail), rows in aside.items()]
    groups.sort(key=lambda group: (list(Why).index(group.why), -len(group.exchanges), group.exchanges[0][0]))
    return Triaged(tuple(kept), tuple(groups), tuple(admitted))


def _pooled(candidates: list[Seen], least: int) -> tuple[list[Seen], list[Seen]]:
    """Divide by whether a service of a host was asked for often enough, by all sources of a zone together."""
    pools: dict[tuple[object, ...], list[Seen]] = defaultdict(list)
    for seen in candidates:
        exchange = seen.exchange
        zones = exchange.source_zone, exchange.destination_zone
        pools[zones, exchange.version, exchange.destination, exchange.service].append(seen)
    kept: list[Seen] = []
    single: list[Seen] = []
    for pool in pools.values():
        enough = sum(seen.sightings.connections for seen in pool) >= least
        (kept if enough else single).extend(pool)
    return kept, single


def _without_crowds(
    policy: Policy, candidates: list[Seen], most: int
) -> tuple[list[Seen], dict[str, list[Seen]]]:
    """Take out services that too many addresses of the rest of the world ask for, or are asked for; by zone.

    Who of the world may reach a service is a decision; a list of those who did so far is none.
    """
    rest = {zone.name for zone in policy.zones.values() if zone.rest}
    crowds: dict[str, list[Seen]] = defaultdict(list)
    for zone_of, end, other in (
        ("source_zone", "source", "destination"),
        ("destination_zone", "destination", "source"),
    ):
        pools: dict[object, list[Seen]] = defaultdict(list)
        for seen in candidates:
            exchange = seen.exchange
            if getattr(exchange, zone_of) in rest:
                pools[exchange.version, getattr(exchange, other), exchange.service].append(seen)
        for rows in pools.values():
            if len({getattr(seen.exchange, end) for seen in rows}) > most:
                crowds[getattr(rows[0].exchange, zone_of)] += rows
        taken = {seen.exchange for rows in crowds.values() for seen in rows}
        candidates = [seen for seen in candidates if seen.exchange not in taken]
    return candidates, crowds


class _Sorter:
    def __init__(
        self, policy: Policy, controls: Mapping[tuple[int, int, int], str], thresholds: Thresholds
    ) -> None:
        self._policy, self._controls, self._limits = policy, controls, thresholds
        self._off = [flow for flow in policy.flows if flow.mode is Mode.DISABLED and flow.allowing]
        terms = [(name, term) for name, terms in policy.services.items() for term in terms]
        terms += [("", term) for flow in policy.flows for term in flow.services]
        self._narrow = [
            term
            for _, term in terms
            if term.low is not None and (term.high or term.low) - term.low < _NARROW_PORTS
        ]
        self._wide = [(name, term) for name, term in terms if name and term not in self._narrow]
        self._high: dict[tuple[int, int, int], set[tuple[int, int]]] = defaultdict(set)
        self._broadcasts = {
            (network.version, network.last)
            for zone in policy.zones.values()
            for network in zone.networks
            if network.version == 4 and network.length <= 30
        } | {
            (network.version, network.last)
            for group in policy.groups.values()
            for network in group.networks
            if network.version == 4 and network.length <= 24
        }

    @staticmethod
    def by_verdict(seen: Seen) -> Why | None:
        """Return why the verdict itself rules a proposal out."""
        exchange, marks = seen
        if exchange.reason is Reason.INVALID_STATE and _mid_stream(marks):
            return Why.MID_STREAM
        if exchange.passes or exchange.reason in _OPEN_QUESTIONS:
            return None if exchange.state in (State.NEW, State.ESTABLISHED) else Why.ICMP_MESSAGE
        return _BY_REASON.get(exchange.reason, Why.INVALID_STATE)

    def learn(self, questions: Iterable[Seen]) -> None:
        """Take note of the unnamed high ports between each two hosts."""
        for exchange, _ in questions:
            if exchange.protocol in PORT_PROTOCOLS and exchange.dport >= _REGISTERED:
                pair = exchange.version, exchange.source, exchange.destination
                if not self._named(exchange):
                    self._high[pair].add(exchange.service)

    def waiting(self, seen: Seen) -> tuple[Why, str] | None:
        """Return the flow that somebody has written for it, and tries out first or has switched off."""
        exchange = seen.exchange
        trials = [flow for each in exchange.audited if (flow := self._policy.flow(each)) is not None]
        tried = next((flow.id for flow in trials if flow.allowing), None)
        if tried is not None:
            return Why.IN_AUDIT, tried
        source = exchange.source_zone or "", exchange.version, exchange.source
        destination = exchange.destination_zone or "", exchange.version, exchange.destination
        for flow in self._off:
            if (
                any(end.holds(*source) for end in flow.sources)
                and any(end.holds(*destination) for end in flow.destinations)
                and any(term.holds(*exchange.service) for term in flow.services)
            ):
                return Why.SWITCHED_OFF, flow.id
        return None

    def by_itself(self, seen: Seen) -> tuple[Why, str] | None:
        """Return why an exchange is nothing that an allowlist can or should say."""
        exchange, sightings = seen
        asking = _ASKING.get(exchange.protocol)
        if asking is not None and exchange.dport not in asking:
            return Why.ICMP_MESSAGE, ""
        if (exchange.version, exchange.destination) in self._broadcasts:
            return Why.BROADCAST, ""
        dynamic = self._dynamic(exchange)
        if dynamic is not None:
            return Why.DYNAMIC_PORT, dynamic
        if sightings.packets == 1 and not sightings.answered:
            # A real client asks again; a lone packet is a probe, or lost interest.
            return Why.ONE_OFF, ""
        return None

    def _dynamic(self, exchange: Exchange) -> str | None:
        """Return what explains a port that will be another one next time ("" if nothing does), else None."""
        if exchange.protocol not in PORT_PROTOCOLS or exchange.dport < _REGISTERED:
            return None
        if exchange.dport in CONTROL_PORTS or self._named(exchange):
            return None
        version, source, destination = exchange.version, exchange.source, exchange.destination
        control = self._controls.get((version, source, destination))
        control = control or self._controls.get((version, destination, source))
        many = len(self._high[version, source, destination]) >= self._limits.dynamic_ports
        if control is None and exchange.dport < _DYNAMIC and not (many and exchange.dport >= _EPHEMERAL):
            return None
        return self._wide_service(exchange) or control or ""

    def _named(self, exchange: Exchange) -> bool:
        return any(term.holds(*exchange.service) for term in self._narrow)

    def _wide_service(self, exchange: Exchange) -> str | None:
        return next((name for name, term in self._wide if term.holds(*exchange.service)), None)


def _mid_stream(sightings: Sightings) -> bool:
    return bool(sightings.marks & MID_STREAM)


class _Scans:
    """Sources that try many ports of one host, or many hosts on one port, and get no answer."""

    def __init__(self, exchanges: Mapping[Exchange, Sightings], limits: Thresholds) -> None:
        self._limits = limits
        # Tried by whom at whom (or for what) → what (or who) was tried, and whether hardly ever.
        self._ports: dict[object, dict[object, bool]] = defaultdict(dict)
        self._hosts: dict[object, dict[object, bool]] = defaultdict(dict)
        for seen in _unanswered(exchanges):
            tentative = self._tentative(seen)
            self._ports[_pair(seen.exchange)][seen.exchange.service] = tentative
            self._hosts[_fan(seen.exchange)][seen.exchange.destination] = tentative

    def why(self, seen: Seen) -> tuple[Why, str] | None:
        """Return whether an exchange is part of a scan."""
        if seen.sightings.answered:
            return None
        tentative = self._tentative(seen)
        limits = self._limits
        if self._scanned(self._ports[_pair(seen.exchange)], tentative, limits.scan_ports, limits.many_ports):
            return Why.SCAN_PORTS, ""
        if self._scanned(self._hosts[_fan(seen.exchange)], tentative, limits.scan_hosts, limits.many_hosts):
            return Why.SCAN_HOSTS, ""
        return None

    def _tentative(self, seen: Seen) -> bool:
        return seen.sightings.connections <= self._limits.tentative

    @staticmethod
    def _scanned(tried: Mapping[object, bool], tentative: bool, few: int, many: int) -> bool:
        return len(tried) >= many or (tentative and sum(tried.values()) >= few)


def _unanswered(exchanges: Mapping[Exchange, Sightings]) -> Iterator[Seen]:
    for exchange, sightings in exchanges.items():
        if not (exchange.passes and exchange.decided_by) and not sightings.answered:
            yield Seen(exchange, sightings)


def _pair(exchange: Exchange) -> tuple[object, ...]:
    return exchange.version, exchange.source, exchange.destination


def _fan(exchange: Exchange) -> tuple[object, ...]:
    return exchange.version, exchange.source, exchange.service
