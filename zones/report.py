"""Clause by clause: what of a published policy is proved, configured, open, or outside what we can show.

Nothing counts because somebody wrote it down. A clause is *proved* only by invariants that say what it says
(`expects` in the pack) and that were proved in this very run; *configured* when guards, flows or tests
stand where it wants them; *open* when they do not. What lies with people, premises, contracts or terminals is
*outside*: it is named with who shows it, and never counted as met.

What an audit log shows stands beside these answers: it can open a clause (its chain is broken, records are
lost, there is none of the kind), and never makes one better.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from zones.checks import expired_flows, run_tests
from zones.expiry import closed_because
from zones.model import GATEWAY, Action, Mode
from zones.proof.shadow import never_decides
from zones.proof.verify import State, verify

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from zones.clauses import Clause, ClausePack, Expectation
    from zones.evidence import LogEvidence
    from zones.model import Flow, Invariant, Policy
    from zones.proof.verify import Result

_SANITISING = frozenset({Action.SANITIZE_MAIL, Action.SANITIZE_WEB, Action.RENDER, Action.FILE_TRANSFER})


class Standing(StrEnum):
    """What can be said of a clause, from the best to what is not ours to say."""

    PROVED = "proved"
    CONFIGURED = "configured"
    OPEN = "open"
    OUTSIDE = "outside"
    RECORDED = "recorded"
    """Of an answer only, never of a clause: the audit log has records of it."""


OF_CLAUSES = (Standing.PROVED, Standing.CONFIGURED, Standing.OPEN, Standing.OUTSIDE)
"""How a whole clause can stand."""
_WEAKEST_FIRST = (Standing.OPEN, Standing.CONFIGURED, Standing.PROVED)


class Answer(NamedTuple):
    """The answer to one expectation: a message code (`report-…`), its parameters, and the ids it rests on.

    `results` are the proofs it rests on, with what they take for granted; `notes` what is to be said beside
    it, as message codes with parameters.
    """

    standing: Standing
    code: str
    params: Mapping[str, object]
    results: tuple[Result, ...] = ()
    notes: tuple[tuple[str, Mapping[str, object]], ...] = ()


@dataclass(frozen=True, kw_only=True)
class ClauseStanding:
    """One clause with its answers, and the ids of what names it as its basis."""

    clause: Clause
    standing: Standing
    answers: tuple[Answer, ...]
    flows: tuple[str, ...]
    guards: tuple[str, ...]
    invariants: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class ClauseReport:
    """The standing of every clause of a pack under one policy at one moment."""

    pack: ClausePack
    policy: str
    revision: str
    clauses: tuple[ClauseStanding, ...]
    log: LogEvidence | None = None

    def count(self, standing: Standing) -> int:
        """Return how many clauses stand so."""
        return sum(clause.standing is standing for clause in self.clauses)

    @property
    def partly_outside(self) -> int:
        """How many of the clauses that are answered here have a part that others must show."""
        return sum(
            bool(entry.clause.outside) for entry in self.clauses if entry.standing is not Standing.OUTSIDE
        )


def clause_report(
    policy: Policy,
    pack: ClausePack,
    *,
    now: float,
    results: Iterable[Result] | None = None,
    log: LogEvidence | None = None,
) -> ClauseReport:
    """Return the standing of every clause of `pack` at `now`.

    `results` are the answers for the invariants at that moment; without them they are proved here. `log` is
    what an audit log shows; without it nothing is said of records.
    """
    case = _Case(policy, now, tuple(verify(policy, now=now) if results is None else results), pack, log)
    return ClauseReport(
        pack=pack,
        policy=policy.name,
        revision=policy.revision,
        clauses=tuple(case.standing(clause_id) for clause_id in pack.clauses),
        log=log,
    )


@dataclass
class _Case:
    policy: Policy
    now: float
    results: tuple[Result, ...]
    pack: ClausePack
    log: LogEvidence | None
    seen: dict[str, ClauseStanding] = field(default_factory=dict)

    def standing(self, clause_id: str) -> ClauseStanding:
        if clause_id not in self.seen:
            clause = self.pack.clauses[clause_id]
            expected = [_ANSWERS[wanted.kind](self, clause, wanted) for wanted in clause.expects]
            answers = (*expected, *_named(self, clause, expected), *_recorded(self, clause))
            self.seen[clause_id] = ClauseStanding(
                clause=clause,
                standing=weakest(answer.standing for answer in answers),
                answers=answers,
                flows=tuple(flow.id for flow in self.live_flows() if clause_id in flow.basis),
                guards=tuple(guard.id for guard in self.policy.guards if clause_id in guard.basis),
                invariants=tuple(i.id for i in self.policy.invariants if clause_id in i.basis),
            )
        return self.seen[clause_id]

    def live_flows(self) -> list[Flow]:
        """Return the flows that take part in verdicts and have not run out, by id."""
        return sorted(
            (
                flow
                for flow in self.policy.flows
                if flow.mode is Mode.ENFORCE and (flow.expires_at is None or self.now < flow.expires_at)
            ),
            key=lambda flow: flow.id,
        )

    def zones(self, classes: Iterable[str]) -> list[str]:
        return [zone.name for zone in self.policy.zones.values() if zone.zone_class in set(classes)]

    def pairs(self, detail: Mapping[str, Any]) -> list[tuple[str, str]]:
        return [(one, other) for one in self.zones(detail["from"]) for other in self.zones(detail["to"])]


def weakest(standings: Iterable[Standing]) -> Standing:
    """Return the weakest standing; outside when nothing is expected of us at all. Records make none better.

    >>> str(weakest([Standing.PROVED, Standing.OPEN]))
    'open'
    """
    found = set(standings)
    return next((standing for standing in _WEAKEST_FIRST if standing in found), Standing.OUTSIDE)


# --- statements about all packets ------------------------------------------------------------------------


def _separated(case: _Case, _: Clause, wanted: Expectation) -> Answer:
    """Answer that data must not get from one class of zones to another, or only in some ways."""
    pairs = case.pairs(wanted.detail)
    if not pairs:
        classes = ", ".join([*wanted.detail["from"], *wanted.detail["to"]])
        return Answer(Standing.OPEN, "report-no-zones", {"classes": classes})
    ends = {"pairs": ", ".join(f"{one} > {other}" for one, other in pairs)}
    actions = frozenset(Action(action) for action in wanted.detail.get("actions", ()))
    speaking = [result for result in case.results if _says(result.invariant, pairs, actions)]
    broken = [result for result in speaking if result.state is State.VIOLATED]
    if broken:
        return Answer(Standing.OPEN, "report-violated", {**ends, "ids": _ids(broken)}, tuple(broken))
    proved = tuple(result for result in speaking if result.state is State.PROVED)
    if not all(any(_covers(result.invariant, pair) for result in proved) for pair in pairs):
        return _guarded(case, pairs, ends)
    return _excepted(case, proved, {**ends, "ids": _ids(proved)})


def _excepted(case: _Case, proved: tuple[Result, ...], told: dict[str, str]) -> Answer:
    """Answer for what is proved but for exceptions: named and narrow ones are a setting, wide ones a hole."""
    names = dict.fromkeys(name for result in proved for name in result.invariant.exceptions)
    flows = [flow for name in names if (flow := case.policy.flow(name)) is not None]
    if not flows:
        return Answer(Standing.PROVED, "report-proved", {**told}, proved)
    wide = [flow.id for flow in flows if flow.action is Action.ALLOW and _whole(flow)]
    if wide:
        return Answer(Standing.OPEN, "report-excepted-wide", {**told, "flows": ", ".join(wide)}, proved)
    left = ", ".join(flow.id for flow in flows)
    return Answer(Standing.CONFIGURED, "report-proved-except", {**told, "flows": left}, proved)


def _guarded(case: _Case, pairs: list[tuple[str, str]], ends: dict[str, str]) -> Answer:
    guards = [
        guard
        for guard in case.policy.guards
        if (not guard.actions or Action.ALLOW in guard.actions)
        and any(one in guard.sources and other in guard.destinations for one, other in pairs)
    ]
    if all(any(one in g.sources and other in g.destinations for g in guards) for one, other in pairs):
        ids = ", ".join(guard.id for guard in guards)
        return Answer(Standing.CONFIGURED, "report-guarded", {**ends, "ids": ids})
    return Answer(Standing.OPEN, "report-unguarded", ends)


def _says(invariant: Invariant, pairs: list[tuple[str, str]], actions: frozenset[Action]) -> bool:
    """Whether an invariant says about one of the pairs what is wanted, or something stricter."""
    if not any(_covers(invariant, pair) for pair in pairs):
        return False
    if invariant.never:
        return True
    return bool(actions) and set(invariant.require_action) <= actions


def _covers(invariant: Invariant, pair: tuple[str, str]) -> bool:
    return pair[0] in invariant.sources and pair[1] in invariant.destinations


def _ids(results: Iterable[Result]) -> str:
    return ", ".join(result.invariant.id for result in results)


def _invariants(case: _Case, _: Clause, __: Expectation) -> Answer:
    missing = [result for result in case.results if result.state is not State.PROVED]
    if not case.results:
        return Answer(Standing.OPEN, "report-no-invariants", {})
    if missing:
        return Answer(Standing.OPEN, "report-not-all-proved", {"ids": _ids(missing)})
    return Answer(Standing.PROVED, "report-all-proved", {"ids": _ids(case.results)}, case.results)


def _named(case: _Case, clause: Clause, expected: list[Answer]) -> Iterator[Answer]:
    """Yield what further invariants show that name the clause as their basis, if it expects anything of us.

    They stand beside what the clause expects, and never in its place: an invariant proves what it says.
    """
    shown = {result.invariant.id for answer in expected for result in answer.results}
    speaking = tuple(
        result
        for result in case.results
        if clause.id in result.invariant.basis and result.invariant.id not in shown
    )
    if not clause.expects or not speaking:
        return
    missing = tuple(result for result in speaking if result.state is not State.PROVED)
    if missing:
        yield Answer(Standing.OPEN, "report-basis-unproved", {"ids": _ids(missing)}, missing)
    else:
        yield Answer(Standing.PROVED, "report-basis-proved", {"ids": _ids(speaking)}, speaking)


# --- what the audit log shows -----------------------------------------------------------------------------


def _recorded(case: _Case, clause: Clause) -> Iterator[Answer]:
    """Yield what the audit log, if one was given, shows of the kinds of records that the clause needs."""
    log = case.log
    if log is None or not clause.records:
        return
    span = {"first": log.first, "last": log.last, "events": log.events}
    counts = [(name, log.counts.get(name, 0)) for name in clause.records]
    notes = tuple((f"report-count-{name}", {"count": count}) for name, count in counts)
    if not log.intact:
        yield Answer(Standing.OPEN, "report-log-broken", {"findings": log.findings})
    elif log.gaps:
        lost = {"gaps": log.gaps, "lost": log.lost}
        yield Answer(Standing.OPEN, "report-log-gaps", {**span, **lost}, notes=notes)
    elif not any(count for _, count in counts):
        yield Answer(Standing.OPEN, "report-not-recorded", span, notes=notes)
    else:
        yield Answer(Standing.RECORDED, "report-recorded", span, notes=notes)


# --- what stands in the files -----------------------------------------------------------------------------


def _zone(case: _Case, _: Clause, wanted: Expectation) -> Answer:
    zones = case.zones([wanted.detail])
    if not zones:
        return Answer(Standing.OPEN, "report-no-zones", {"classes": wanted.detail})
    return Answer(Standing.CONFIGURED, "report-zones", {"zones": ", ".join(zones)})


def _sanitised(case: _Case, _: Clause, wanted: Expectation) -> Answer:
    pairs = set(case.pairs(wanted.detail))
    pairs |= {(other, one) for one, other in pairs}  # a screen or a file may be asked for from either side
    idle = {found.flow for found in never_decides(case.policy, now=case.now)}
    flows = [
        flow.id
        for flow in case.live_flows()
        if flow.action in _SANITISING
        and flow.id not in idle
        and closed_because(flow, case.now, case.policy.timezone) is None
        and any((s.zone, d.zone) in pairs for s in flow.sources for d in flow.destinations)
        and not _barred(case.policy, flow)
    ]
    if not flows:
        return Answer(Standing.OPEN, "report-no-sanitised", {})
    return Answer(Standing.CONFIGURED, "report-sanitised", {"ids": ", ".join(flows)})


def _barred(policy: Policy, flow: Flow) -> bool:
    """Whether guards stand in every direction of a flow."""
    return all(
        any(
            source.zone in guard.sources
            and destination.zone in guard.destinations
            and (not guard.actions or flow.action in guard.actions)
            for guard in policy.guards
        )
        for source in flow.sources
        for destination in flow.destinations
    )


def _narrow(case: _Case, _: Clause, wanted: Expectation) -> Answer:
    """Answer whether every direct way across the edge of a class joins fixed machines for named services."""
    zones = set(case.zones([wanted.detail["zone"]]))
    crossing = [flow for flow in case.live_flows() if flow.action is Action.ALLOW and _crosses(flow, zones)]
    wide = [flow.id for flow in crossing if not _fixed(case.policy, flow)]
    if wide:
        return Answer(Standing.OPEN, "report-wide", {"ids": ", ".join(wide)})
    return Answer(
        Standing.CONFIGURED, "report-narrow", {"ids": ", ".join(flow.id for flow in crossing) or "-"}
    )


def _whole(flow: Flow) -> bool:
    """Whether a flow joins a whole zone, or for any service."""
    ends = (*flow.sources, *flow.destinations)
    return any(end.networks is None and end.name is None for end in ends) or any(
        term.protocol is None for term in flow.services
    )


def _crosses(flow: Flow, zones: set[str]) -> bool:
    """Whether a flow joins a zone of the set with one outside of it; the gateway itself is on no side."""
    return any(
        (source.zone in zones) != (destination.zone in zones)
        for source in flow.sources
        for destination in flow.destinations
        if GATEWAY not in (source.zone, destination.zone)
    )


def _fixed(policy: Policy, flow: Flow) -> bool:
    """Whether a flow joins hosts (or groups on one side) rather than whole zones, for named services."""
    ends = (*flow.sources, *flow.destinations)
    hosts = [set(names) <= set(policy.hosts) for names in (flow.source_names, flow.destination_names)]
    return (
        any(hosts)
        and all(end.networks is not None for end in ends)
        and all(term.protocol is not None for term in flow.services)
    )


def _cited(case: _Case, clause: Clause, _: Expectation) -> Answer:
    flows = [flow.id for flow in case.live_flows() if clause.id in flow.basis]
    guards = [guard.id for guard in case.policy.guards if clause.id in guard.basis]
    proved = [r for r in case.results if clause.id in r.invariant.basis and r.state is State.PROVED]
    if proved and not flows and not guards:
        return Answer(Standing.PROVED, "report-cited", {"ids": _ids(proved)}, tuple(proved))
    if not flows and not guards:
        return Answer(Standing.OPEN, "report-not-cited", {})
    return Answer(Standing.CONFIGURED, "report-cited", {"ids": ", ".join([*guards, *flows])})


def _managed(case: _Case, _: Clause, __: Expectation) -> Answer:
    flows = case.live_flows()
    nobody = [
        flow.id
        for flow in flows
        if not flow.owner or not flow.justification or (flow.allowing and not flow.ticket)
    ]
    if nobody or not flows:
        return Answer(Standing.OPEN, "report-unmanaged", {"ids": ", ".join(nobody) or "-"})
    return Answer(Standing.CONFIGURED, "report-managed", {"count": len(flows)})


def _tests(case: _Case, _: Clause, __: Expectation) -> Answer:
    results = run_tests(case.policy, now=case.now)
    passed = sum(result.passed for result in results)
    standing = Standing.CONFIGURED if results and passed == len(results) else Standing.OPEN
    return Answer(standing, "report-tests", {"passed": passed, "count": len(results)})


def _reviewed(case: _Case, _: Clause, __: Expectation) -> Answer:
    expired = [flow.id for flow in expired_flows(case.policy, now=case.now)]
    if expired:
        return Answer(Standing.OPEN, "report-expired", {"ids": ", ".join(expired)})
    dated = sum(flow.expires is not None for flow in case.live_flows())
    if not dated:
        return Answer(Standing.OPEN, "report-undated", {})
    return Answer(Standing.CONFIGURED, "report-dated", {"count": dated})


def _clauses(case: _Case, _: Clause, wanted: Expectation) -> Answer:
    found = [case.standing(clause_id) for clause_id in wanted.detail]
    return Answer(
        weakest(entry.standing for entry in found),
        "report-clauses",
        {"ids": ", ".join(entry.clause.id for entry in found)},
    )


_ANSWERS: dict[str, Callable[[_Case, Clause, Expectation], Answer]] = {
    "zone": _zone,
    "never": _separated,
    "require": _separated,
    "sanitised": _sanitised,
    "narrow": _narrow,
    "cited": _cited,
    "managed": _managed,
    "tests": _tests,
    "invariants": _invariants,
    "reviewed": _reviewed,
    "clauses": _clauses,
}
"""How each kind of expectation in a clause pack is answered."""
