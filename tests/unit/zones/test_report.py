"""A clause is proved by proofs, configured by what stands in force, open otherwise; outside never counts."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest

from zones.clauses import clause_pack
from zones.evidence import COUNTERS, LogEvidence
from zones.load import load_policy
from zones.messages import Language, catalogue, say
from zones.report import Standing, clause_report

if TYPE_CHECKING:
    from zones import Policy
    from zones.report import ClauseReport, ClauseStanding

PACK = clause_pack("ono-2026")
AUTUMN = datetime.fromisoformat("2026-10-05T10:00+09:00").timestamp()
ZONES = """
schema: 1
meta: {name: small}
zones:
  mn: {interfaces: [m0], networks: [10.1.0.0/16], class: mynumber}
  lg: {interfaces: [l0], networks: [10.2.0.0/16], class: lgwan}
  in: {interfaces: [i0], networks: [10.3.0.0/16], class: internet}
  out: {interfaces: [o0], networks: [0.0.0.0/0, "::/0"], class: outside}
hosts:
  app: {zone: mn, ip: 10.1.0.5, relay: {never: true, because: x}}
  asp: {zone: lg, ip: 10.2.0.5, relay: {never: true, because: x}}
"""
GUARDS = """
guards:
  - {id: G1, from: mn, to: [in, out]}
  - {id: G2, from: [in, out], to: mn}
  - {id: G3, from: [in, out], to: lg, actions: [allow]}
"""
INVARIANTS = """
invariants:
  - {id: I1, never: {from: mn, to: [in, out]}}
  - {id: I2, never: {from: [in, out], to: mn}}
  - {id: I3, from: [in, out], to: lg, require_action: [sanitize:mail]}
"""


def report(*sections: str) -> ClauseReport:
    return clause_report(
        load_policy({f"{n}.yaml": text for n, text in enumerate(sections)}), PACK, now=AUTUMN
    )


def clause(found: ClauseReport, number: str) -> ClauseStanding:
    return next(entry for entry in found.clauses if entry.clause.id == f"ono-2026:{number}")


def codes(entry: ClauseStanding) -> list[tuple[str, str]]:
    return [(answer.code, str(answer.standing)) for answer in entry.answers]


def flow(text: str) -> str:
    return f"flows:\n  - {{{text}, owner: x, ticket: T-1, justification: x}}\n"


def test_with_nothing_but_zones_the_separation_is_open() -> None:
    assert codes(clause(report(ZONES), "6.3.1"))[:2] == [("report-unguarded", "open")] * 2


def test_guards_configure_and_only_a_proof_proves() -> None:
    guarded, proved = report(ZONES, GUARDS), report(ZONES, INVARIANTS)

    assert codes(clause(guarded, "6.3.1"))[:2] == [("report-guarded", "configured")] * 2
    assert codes(clause(proved, "6.3.1"))[:2] == [("report-proved", "proved")] * 2
    assert clause(proved, "6.3.2").standing is Standing.PROVED


def test_an_invariant_that_says_something_else_proves_nothing_whatever_it_names_as_its_basis() -> None:
    other = 'invariants: [{id: I9, never: {from: lg, to: out}, basis: ["ono-2026:6.3.1", "ono-2026:6.3.2"]}]'

    found = report(ZONES, other)

    assert clause(found, "6.3.1").standing is Standing.OPEN
    assert clause(found, "6.3.2").standing is Standing.OPEN
    assert clause(found, "6.3.1").invariants == ("I9",)


def test_a_looser_requirement_is_not_the_one_wanted_and_a_stricter_one_is() -> None:
    looser = "invariants: [{id: I9, from: [in, out], to: lg, require_action: [render, allow]}]"
    stricter = "invariants: [{id: I9, never: {from: [in, out], to: lg}}]"

    assert codes(clause(report(ZONES, looser), "2.11")) == [("report-unguarded", "open")]
    assert codes(clause(report(ZONES, stricter), "2.11")) == [("report-proved", "proved")]


def test_a_violated_invariant_opens_the_clause_even_beside_guards_and_other_proofs() -> None:
    leak = flow("id: F1, from: in, to: lg, service: tcp/80, action: allow")

    found = report(ZONES, INVARIANTS, leak)

    assert codes(clause(found, "6.3.2")) == [("report-violated", "open")]
    assert codes(clause(found, "7"))[-1] == ("report-not-all-proved", "open")


def test_half_a_proof_is_none() -> None:
    half = "invariants: [{id: I3, from: in, to: lg, require_action: [render]}]"

    assert clause(report(ZONES, half), "2.11").standing is Standing.OPEN


@pytest.mark.parametrize(
    ("written", "standing"),
    [
        ("id: F1, from: app, to: asp, service: tcp/443, action: allow", "configured"),
        ("id: F1, from: mn, to: asp, service: tcp/443, action: allow", "open"),
        ("id: F1, from: app, to: asp, service: any, action: allow", "open"),
        ("id: F1, from: mn, to: mn, service: any, action: allow", "configured"),
        ("id: F1, from: mn, to: lg, service: tcp/443, action: file-transfer", "configured"),
        ("id: F1, from: mn, to: asp, service: tcp/443, action: allow, expires: 2026-03-31", "configured"),
        ("id: F1, from: mn, to: asp, service: tcp/443, action: allow, mode: disabled", "configured"),
        ("id: F1, from: [app, in], to: gateway, service: tcp/443, action: allow", "configured"),
    ],
)
def test_ways_across_the_edge_are_fixed_or_the_clause_is_open(written: str, standing: str) -> None:
    assert str(clause(report(ZONES, flow(written)), "6.3.1").answers[2].standing) == standing


def test_a_flow_that_names_a_clause_counts_only_while_it_is_in_force() -> None:
    written = 'id: F1, from: in, to: out, service: tcp/1, action: allow, basis: ["ono-2026:6.3.3"]'

    assert clause(report(ZONES, flow(written)), "6.3.3").standing is Standing.CONFIGURED
    for closed in ("mode: disabled", "mode: audit", "expires: 2026-03-31"):
        assert clause(report(ZONES, flow(f"{written}, {closed}")), "6.3.3").standing is Standing.OPEN


def test_sanitised_ways_owners_tests_and_review_are_looked_for() -> None:
    mail = flow("id: F1, from: in, to: lg, service: tcp/25, action: sanitize:mail, expires: 2027-03-31")
    test = 'tests: [{packet: "mn:10.1.0.1 > out:192.0.2.1 tcp/1", expect: %s}]'

    assert clause(report(ZONES), "2.12").standing is Standing.OPEN
    assert clause(report(ZONES, mail), "2.12").standing is Standing.CONFIGURED
    assert clause(report(ZONES, mail), "8").standing is Standing.CONFIGURED
    assert clause(report(ZONES, mail.replace("owner: x, ", "")), "6.7").answers[1].params == {"ids": "F1"}
    assert clause(report(ZONES, mail, test % "deny"), "3.2").standing is Standing.CONFIGURED
    assert clause(report(ZONES, mail, test % "allow"), "3.2").standing is Standing.OPEN


def test_what_lies_outside_never_counts_as_met(city: Policy) -> None:
    found = clause_report(city, PACK, now=AUTUMN)

    outside = [entry.clause.id.partition(":")[2] for entry in found.clauses if not entry.answers]
    assert outside == ["3.3", "3.4", "3.5", "6.1", "6.4", "6.5"]
    assert found.count(Standing.OUTSIDE) == len(outside)
    assert sum(found.count(standing) for standing in Standing) == len(PACK.clauses)
    assert found.partly_outside > 0


def test_the_sample_city_proves_its_separation_and_has_its_review_open(city: Policy) -> None:
    found = clause_report(city, PACK, now=AUTUMN)

    assert clause(found, "6.3.2").standing is Standing.CONFIGURED
    assert clause(found, "6.3.2").answers[0].params["flows"] == "F040, F041"
    assert codes(clause(found, "6.3.1")) == [
        ("report-proved", "proved"),
        ("report-proved", "proved"),
        ("report-narrow", "configured"),
        ("report-basis-proved", "proved"),
    ]
    assert [entry.clause.id for entry in found.clauses if entry.standing is Standing.OPEN] == ["ono-2026:8"]
    assert clause(found, "8").answers[0].params == {"ids": "F025"}


SPAN: dict[str, Any] = {"first": "2026-10-01T00:00:00.0Z", "last": "2026-10-05T00:00:00.0Z", "events": 9}
WHOLE = LogEvidence(intact=True, **SPAN, counts={"refused": 3, "sanitised": 2})


def with_log(city: Policy, log: LogEvidence) -> ClauseReport:
    return clause_report(city, PACK, now=AUTUMN, log=log)


def test_records_stand_beside_the_answers_and_make_none_better(city: Policy) -> None:
    without, found = clause_report(city, PACK, now=AUTUMN), with_log(city, WHOLE)

    assert codes(clause(found, "6.3.2"))[-1] == ("report-recorded", "recorded")
    assert clause(found, "6.3.2").standing is Standing.CONFIGURED
    assert clause(found, "6.3.2").answers[0].params["flows"] == "F040, F041"
    assert clause(found, "2.12").answers[-1].notes == (("report-count-sanitised", {"count": 2}),)
    for before, after in zip(without.clauses, found.clauses, strict=True):
        if after.clause.records and after.answers[-1].standing is Standing.RECORDED:
            assert after.standing is before.standing


def test_what_a_broken_chain_holds_is_never_evidence(city: Policy) -> None:
    forged = LogEvidence(intact=False, findings=1, **SPAN, counts=dict.fromkeys(COUNTERS, 1000))

    found = with_log(city, forged)

    for entry in found.clauses:
        if entry.clause.records:
            assert codes(entry)[-1] == ("report-log-broken", "open")
            assert entry.answers[-1].notes == ()
            assert entry.standing is Standing.OPEN


def test_a_log_that_lost_records_or_has_none_of_the_kind_opens_the_clause(city: Policy) -> None:
    lossy = LogEvidence(intact=True, **SPAN, gaps=1, lost=4, counts={"refused": 3, "sanitised": 2})
    silent = LogEvidence(intact=True, **SPAN, counts={"refused": 3})

    assert codes(clause(with_log(city, lossy), "6.3.2"))[-1] == ("report-log-gaps", "open")
    assert codes(clause(with_log(city, silent), "2.12"))[-1] == ("report-not-recorded", "open")
    assert clause(with_log(city, silent), "6.3.2").standing is Standing.CONFIGURED


def test_what_is_proved_but_for_wide_exceptions_is_open() -> None:
    everything = flow("id: F1, from: [in, out], to: lg, service: any, action: allow")
    proof = "invariants: [{id: I1, never: {from: [in, out], to: lg}, except: [F1], because: x}]"

    assert codes(clause(report(ZONES, everything, proof), "2.11")) == [("report-excepted-wide", "open")]


def test_a_sanitised_way_that_a_guard_bars_is_none() -> None:
    mail = flow('id: F1, from: in, to: lg, service: tcp/25, action: "sanitize:mail"')
    guard = 'guards: [{id: G1, from: in, to: lg, actions: ["sanitize:mail"]}]'

    assert codes(clause(report(ZONES, mail), "2.12"))[0] == ("report-sanitised", "configured")
    assert codes(clause(report(ZONES, mail, guard), "2.12"))[0] == ("report-no-sanitised", "open")


def test_a_proof_that_names_a_clause_is_proof_for_it_and_for_no_other() -> None:
    named = 'invariants: [{id: I9, never: {from: lg, to: out}, basis: ["ono-2026:6.3.3", "ono-2026:6.4"]}]'
    leak = flow("id: F1, from: lg, to: out, service: tcp/80, action: allow")

    proved, broken = report(ZONES, named), report(ZONES, named, leak)

    assert codes(clause(proved, "6.3.3")) == [("report-cited", "proved")]
    assert codes(clause(broken, "6.3.3")) == [("report-not-cited", "open"), ("report-basis-unproved", "open")]
    assert clause(proved, "6.4").standing is Standing.OUTSIDE, "nothing of ours can show it"


def test_a_proof_that_names_a_clause_stands_beside_what_the_clause_expects() -> None:
    named = 'invariants: [{id: I9, never: {from: lg, to: out}, basis: ["ono-2026:6.3.2"]}]'

    found = clause(report(ZONES, INVARIANTS, named), "6.3.2")

    assert codes(found) == [("report-proved", "proved"), ("report-basis-proved", "proved")]
    assert [result.invariant.id for result in found.answers[1].results] == ["I9"]


def test_every_answer_has_words(city: Policy) -> None:
    import gateway.messages  # noqa: F401  (declares them)

    logs = (
        None,
        WHOLE,
        LogEvidence(intact=False),
        LogEvidence(intact=True, gaps=1),
        LogEvidence(intact=True),
    )
    for log in logs:
        for entry in clause_report(city, PACK, now=AUTUMN, log=log).clauses:
            for answer in entry.answers:
                for code, params in ((answer.code, answer.params), *answer.notes):
                    assert code in catalogue()
                    assert "{" not in say(code, params, Language.JA)
