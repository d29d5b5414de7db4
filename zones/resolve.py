"""Names → values: the entries of all files become one frozen `Policy`.

Nothing stops at the first problem. An entry that refers to a broken one is left out silently, because the
broken one is reported already.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from zones.canonical import flow_numbers, revision_of
from zones.clauses import clauses_near
from zones.consistency import check_flow, check_zones
from zones.expiry import end_of_day
from zones.model import (
    GATEWAY,
    DomainName,
    Flow,
    Group,
    Guard,
    Host,
    Hours,
    Invariant,
    Management,
    Policy,
    PolicyTest,
    Relay,
    Selector,
    ServiceTerm,
    Zone,
    ZoneClass,
)
from zones.packet import parse_packet
from zones.services import ANY, parse_service
from zones.suppressions import suppressions_of
from zones.unknown import (
    address_as_name,
    bad_packet,
    keys_written,
    names_read,
    names_written,
    unknown_name,
    unknown_service,
)
from zones.verdict import Outcome, Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from zoneinfo import ZoneInfo

    from zones.merge import Merged
    from zones.source import Document

_ENDPOINT_SECTIONS = ("zones", "hosts", "groups", "names")


def resolve(merged: Merged) -> Policy | None:
    """Return the policy of the merged files; None when there is no `meta` or no zone to build on.

    Problems are added to `merged.problems`; the policy may be used only if none is an error.
    """
    return _Resolver(merged).policy()


class _Resolver:
    def __init__(self, merged: Merged) -> None:
        self.merged = merged
        # Written, but not understood: reported already, and no second time where somebody refers to it.
        self.broken = names_written(merged) - names_read(merged)
        # What an unreadable file defines is not known: its names must not be reported as missing.
        self.unread = any(document.unread for document in merged.documents)
        self.zones: dict[str, Zone] = {}
        self.hosts: dict[str, Host] = {}
        self.groups: dict[str, Group] = {}
        self.names: dict[str, DomainName] = {}
        self.services: dict[str, tuple[ServiceTerm, ...]] = {}
        self.ids: dict[str, str] = {}

    def report(self, document: Document, code: str, path: Sequence[str | int], **params: Any) -> None:
        self.merged.problems.append(document.problem(code, path, **params))

    def policy(self) -> Policy | None:
        merged = self.merged
        if merged.meta is None or not merged.named["zones"]:
            first = merged.documents[0]
            misspelt = {problem.params.get("suggestion") for problem in merged.problems}
            for section, there in (("meta", merged.meta), ("zones", merged.named["zones"])):
                written = merged.problems and section in keys_written(merged) | misspelt
                if not there and not written and not self.unread:
                    self.report(first, "missing-section", (), section=section)
            return None
        _, meta = merged.meta
        self._ambiguous_names()
        self._zones()
        self._hosts()
        self._groups()
        self._names()
        self._services()
        management = self._management()
        guards = self._each("guards", self._guard)
        flows = self._each(
            "flows", lambda document, index, entry: self._flow(document, index, entry, meta.timezone)
        )
        invariants = self._each("invariants", self._invariant)
        numbers = flow_numbers([entry.id for entry in [*flows, *guards]])
        until = meta.enforcement.audit_until
        policy = Policy(
            name=meta.name,
            model=meta.model,
            timezone=meta.timezone,
            zones=self.zones,
            hosts=self.hosts,
            groups=self.groups,
            services=self.services,
            names=self.names,
            guards=tuple(replace(guard, number=numbers[guard.id]) for guard in guards),
            flows=tuple(replace(flow, number=numbers[flow.id]) for flow in flows),
            invariants=tuple(invariants),
            tests=tuple(self._each("tests", self._test)),
            management=management,
            audit_until=until,
            audit_until_at=end_of_day(until, meta.timezone) if until else None,
            suppressions=tuple(suppressions_of(merged, meta.timezone)),
        )
        check_zones(policy, merged)
        return replace(policy, revision=revision_of(policy))

    # --- names -------------------------------------------------------------------------------------

    def _ambiguous_names(self) -> None:
        """One word must not mean a zone here and a host there: `from: x` would have two answers."""
        seen: dict[str, str] = {GATEWAY: "zones"}
        for section in _ENDPOINT_SECTIONS:
            for name, (document, _) in self.merged.named[section].items():
                if name in seen:
                    self.report(
                        document, "ambiguous-name", (section, name), at_key=True, name=name, first=seen[name]
                    )
                seen.setdefault(name, section)

    def _zones(self) -> None:
        for name, (_, entry) in self.merged.named["zones"].items():
            self.zones[name] = Zone(
                name=name,
                zone_class=entry.zone_class,
                interfaces=tuple(entry.interfaces),
                networks=tuple(sorted(network for network in entry.networks if network.length)),
                rest=tuple(sorted(network for network in entry.networks if not network.length)),
                gateway=tuple(sorted(entry.gateway)),
            )

    def _management(self) -> Management | None:
        if self.merged.management is None:
            return None
        _, entry = self.merged.management
        return Management(interface=entry.interface, networks=tuple(sorted(entry.networks)))

    def _hosts(self) -> None:
        for name, (document, entry) in self.merged.named["hosts"].items():
            if not self._known_zone(document, entry.zone, ("hosts", name, "zone")):
                self.broken.add(name)
                continue
            relay = Relay(never=entry.relay.never, because=entry.relay.because) if entry.relay else None
            self.hosts[name] = Host(
                name=name,
                zone=entry.zone,
                addresses=tuple(sorted(entry.ip)),
                mac=entry.mac,
                relay=relay,
                description=entry.description or "",
            )

    def _groups(self) -> None:
        for name, (document, entry) in self.merged.named["groups"].items():
            if not self._known_zone(document, entry.zone, ("groups", name, "zone")):
                self.broken.add(name)
                continue
            networks = list(entry.networks)
            for index, member in enumerate(entry.hosts):
                host = self.hosts.get(member)
                if host is None:
                    self._unknown(document, member, ("groups", name, "hosts", index), self.hosts)
                else:
                    networks += host.addresses
            if not networks and not entry.hosts:
                self.report(document, "empty-group", ("groups", name), name=name)
            self.groups[name] = Group(
                name=name,
                zone=entry.zone,
                networks=tuple(sorted(set(networks))),
                description=entry.description or "",
            )

    def _names(self) -> None:
        outside = next(
            (zone.name for zone in self.zones.values() if zone.zone_class is ZoneClass.OUTSIDE), None
        )
        for name, (document, entry) in self.merged.named["names"].items():
            zone = entry.zone or outside
            if zone is None:
                self.report(document, "name-without-zone", ("names", name), name=name)
            elif not self._known_zone(document, zone, ("names", name, "zone")):
                self.broken.add(name)
            else:
                self.names[name] = DomainName(
                    name=name, hosts=tuple(entry.hosts), zone=zone, tenant=entry.tenant
                )

    def _services(self) -> None:
        for name, (document, terms) in self.merged.named["services"].items():
            if name == ANY:
                self.report(document, "reserved-name", ("services", name), at_key=True, name=name)
            self.services[name] = tuple(sorted(set(terms), key=_term_order))

    def _known_zone(self, document: Document, zone: str, path: Sequence[str | int]) -> bool:
        if zone not in self.zones:
            self._unknown(document, zone, path, self.zones)
        return zone in self.zones

    def _unknown(
        self, document: Document, name: str, path: Sequence[str | int], known: Iterable[str]
    ) -> None:
        if name in self.broken or self.unread:
            return
        code, params = unknown_name(name, known)
        self.report(document, code, path, **params)

    # --- entries in order ----------------------------------------------------------------------------

    def _each(self, section: str, build: Callable[[Document, int, Any], Any]) -> list[Any]:
        built = (build(document, index, entry) for document, index, entry in self.merged.ordered[section])
        return [value for value in built if value is not None]

    def _own_id(self, document: Document, section: str, index: int, entry_id: str) -> int:
        """Claim an id for one entry; return its line. Flows, guards and invariants share one name space."""
        line, _ = document.root.place((section, index)) if document.root else (0, 0)
        place = f"{document.file}:{line}"
        if entry_id in self.ids:
            self.report(
                document, "duplicate-id", (section, index, "id"), id=entry_id, first=self.ids[entry_id]
            )
        self.ids.setdefault(entry_id, place)
        return line

    def _guard(self, document: Document, index: int, entry: Any) -> Guard | None:
        line = self._own_id(document, "guards", index, entry.id)
        for end, names in (("from", entry.sources), ("to", entry.destinations)):
            for position, name in enumerate(names):
                if name in self.zones or name in self.broken:
                    continue
                known = name in self.hosts or name in self.groups or name in self.names or name == GATEWAY
                path = ("guards", index, end, position)
                if known:
                    self.report(document, "guard-needs-zone", path, name=name)
                else:
                    self._unknown(document, name, path, self.zones)
        sources = tuple(name for name in entry.sources if name in self.zones)
        destinations = tuple(name for name in entry.destinations if name in self.zones)
        return Guard(
            id=entry.id,
            number=0,
            sources=sources,
            destinations=destinations,
            actions=tuple(entry.actions),
            because=entry.because,
            basis=self._basis(document, ("guards", index, "basis"), entry.basis),
            line=line,
            file=document.file,
        )

    def _flow(self, document: Document, index: int, entry: Any, timezone: ZoneInfo) -> Flow | None:
        line = self._own_id(document, "flows", index, entry.id)
        path: tuple[str | int, ...] = ("flows", index)
        flow = Flow(
            id=entry.id,
            number=0,
            sources=self._selectors(document, (*path, "from"), entry.sources),
            destinations=self._selectors(document, (*path, "to"), entry.destinations),
            services=self._terms(document, (*path, "service"), entry.service),
            action=entry.action,
            mode=entry.mode,
            owner=entry.owner,
            ticket=entry.ticket,
            expires=entry.expires,
            expires_at=end_of_day(entry.expires, timezone) if entry.expires else None,
            hours=_hours(entry.when),
            justification=entry.justification,
            basis=self._basis(document, (*path, "basis"), entry.basis),
            options=entry.options.model_dump(exclude_none=True) if entry.options else {},
            source_names=tuple(entry.sources),
            destination_names=tuple(entry.destinations),
            service_names=tuple(entry.service),
            line=line,
            file=document.file,
        )
        for code, where, params in check_flow(flow):
            self.report(document, code, (*path, where), id=flow.id, **params)
        return flow

    def _basis(self, document: Document, path: tuple[str | int, ...], clauses: list[str]) -> tuple[str, ...]:
        for position, clause in enumerate(clauses):
            if near := clauses_near(clause):
                where, suggestion = (*path, position), ", ".join(near)
                self.report(document, "unknown-clause", where, clause=clause, suggestion=suggestion)
        return tuple(clauses)

    def _selectors(
        self, document: Document, path: tuple[str | int, ...], names: list[str]
    ) -> tuple[Selector, ...]:
        selectors = []
        for position, name in enumerate(names):
            selector = self._selector(name)
            if selector is not None:
                selectors.append(selector)
                continue
            wrong = address_as_name(name, self.hosts.values(), self.groups.values())
            if wrong is not None:
                code, params = wrong
                self.report(document, code, (*path, position), **params)
                continue
            known = [*self.zones, *self.hosts, *self.groups, *self.names, GATEWAY]
            self._unknown(document, name, (*path, position), known)
        return tuple(selectors)

    def _selector(self, name: str) -> Selector | None:
        if name == GATEWAY or name in self.zones:
            return Selector(zone=name)
        if name in self.hosts:
            return Selector(zone=self.hosts[name].zone, networks=self.hosts[name].addresses)
        if name in self.groups:
            return Selector(zone=self.groups[name].zone, networks=self.groups[name].networks)
        if name in self.names:
            return Selector(zone=self.names[name].zone, name=name)
        return None

    def _terms(
        self, document: Document, path: tuple[str | int, ...], names: list[str]
    ) -> tuple[ServiceTerm, ...]:
        terms: set[ServiceTerm] = set()
        for position, name in enumerate(names):
            if name in self.services:
                terms.update(self.services[name])
                continue
            try:
                terms.add(parse_service(name))
            except ValueError:
                wrong = unknown_service(name)
                if wrong is None:
                    self._unknown(document, name, (*path, position), [*self.services, ANY])
                else:
                    code, params = wrong
                    self.report(document, code, (*path, position), **params)
        return tuple(sorted(terms, key=_term_order))

    def _invariant(self, document: Document, index: int, entry: Any) -> Invariant | None:
        line = self._own_id(document, "invariants", index, entry.id)
        never = entry.never is not None
        ends = entry.never if never else entry
        if never == bool(entry.sources or entry.destinations or entry.require_action) or (
            not never and not (entry.sources and entry.destinations and entry.require_action)
        ):
            self.report(document, "invariant-shape", ("invariants", index), id=entry.id)
            return None
        prefix: tuple[str | int, ...] = ("invariants", index, "never") if never else ("invariants", index)
        self._selectors(document, (*prefix, "from"), ends.sources)
        self._selectors(document, (*prefix, "to"), ends.destinations)
        flows = [flow.id for _, _, flow in self.merged.ordered["flows"]]
        for position, name in enumerate(entry.exceptions):
            if name not in flows:
                self._unknown(document, name, ("invariants", index, "except", position), flows)
        if entry.exceptions and not entry.because:
            self.report(document, "exception-without-reason", ("invariants", index), id=entry.id)
        return Invariant(
            id=entry.id,
            sources=tuple(ends.sources),
            destinations=tuple(ends.destinations),
            never=never,
            transitive=entry.transitive,
            require_action=tuple(entry.require_action),
            exceptions=tuple(entry.exceptions),
            over=tuple(entry.over),
            because=entry.because,
            basis=self._basis(document, ("invariants", index, "basis"), entry.basis),
            line=line,
            file=document.file,
        )

    def _test(self, document: Document, index: int, entry: Any) -> PolicyTest | None:
        path = ("tests", index)
        try:
            parse_packet(entry.packet)
        except ValueError:
            code, params = bad_packet(entry.packet)
            self.report(document, code, (*path, "packet"), **params)
            return None
        if entry.expect not in {*Outcome, *Reason}:
            self.report(document, "bad-expectation", (*path, "expect"), value=entry.expect)
            return None
        known = [entry.id for section in ("flows", "guards") for _, _, entry in self.merged.ordered[section]]
        if entry.by is not None and entry.by not in known:
            self._unknown(document, entry.by, (*path, "by"), known)
        line, column = document.root.place(path) if document.root else (0, 0)
        return PolicyTest(
            packet=entry.packet,
            expect=entry.expect,
            by=entry.by,
            at=entry.at,
            line=line,
            column=column,
            file=document.file,
        )


def _hours(entry: Any) -> Hours | None:
    if entry is None:
        return None
    approval = entry.approval
    return Hours(
        days=entry.days,
        opens=entry.opens,
        closes=entry.closes,
        approval_people=approval.people if approval else 0,
        approval_max_minutes=approval.max_minutes if approval else 0,
    )


def _term_order(term: ServiceTerm) -> tuple[int, int, int]:
    numbers = (term.protocol, term.low, term.high)
    low, middle, high = (-1 if number is None else number for number in numbers)
    return low, middle, high
