"""A finding that somebody accepts, in the file: what it needs, when it ends, and what it does not touch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from zones.errors import PolicyError
from zones.lint.engine import lint
from zones.load import load_policy, load_written

if TYPE_CHECKING:
    from collections.abc import Callable

    from zones.lint.engine import Report

    Linted = Callable[..., Report]

WIDE = "from: desk, to: net, service: tcp/443, action: allow, owner: o, ticket: t, justification: j"
BARE = f"flows:\n  - {{id: F1, {WIDE}}}\n"


def accepted(text: str) -> str:
    return f"flows:\n  - {{id: F1, {WIDE}, lint: {{ignore: [{{{text}}}]}}}}\n"


def test_an_accepted_finding_does_not_count_and_is_not_forgotten(linted: Linted) -> None:
    report = linted(accepted("code: too-broad, because: survey runs"), only=["too-broad"])

    assert report.open == ()
    assert not report.failing
    assert [finding.suppressed.because for finding in report.findings if finding.suppressed] == [
        "survey runs"
    ]


def test_it_says_nothing_about_another_flow_or_code(linted: Linted) -> None:
    other = accepted("code: any-any, because: wrong code") + f"  - {{id: F2, {WIDE.replace('443', '80')}}}\n"

    assert [f.subject.name for f in linted(other, only=["too-broad"]).open] == ["F1", "F2"]


@pytest.mark.parametrize(
    ("day", "codes"),
    [("2027-03-31", []), ("2027-04-01", ["too-broad", "suppression-expired"])],
)
def test_after_its_last_day_the_finding_is_back(linted: Linted, day: str, codes: list[str]) -> None:
    text = accepted("code: too-broad, because: survey, until: 2027-03-31")
    report = linted(text, day=day, only=["too-broad", "suppression-expired"])

    assert [finding.code for finding in report.open] == codes


def test_the_whole_policy_and_services_are_spoken_of_in_meta(linted: Linted) -> None:
    sections = "services:\n  gopher: [tcp/70]\n" + BARE
    report = linted(sections, only=["unused-name"])
    assert {finding.subject.name for finding in report.open} >= {"gopher"}

    policy, documents = load_written(
        {
            "meta.yaml": "schema: 1\n"
            "meta: {name: m, lint: {ignore: [{code: unused-name, on: gopher, because: b}]}}\n"
            "zones:\n  a: {interfaces: [a0], networks: [10.1.0.0/16]}\nservices:\n  gopher: [tcp/70]\n"
        }
    )
    assert lint(policy, documents, now=0.0).open == ()


def test_hosts_groups_names_zones_and_guards_can_hold_one(linted: Linted) -> None:
    ignore = "lint: {ignore: [{code: unused-name, because: kept}]}"
    report = linted(
        f"""
        hosts:
          spare: {{zone: core, ip: 10.1.9.9, {ignore}}}
        groups:
          spares: {{zone: core, networks: [10.1.9.0/24], {ignore}}}
        names:
          cloud: {{hosts: ["*.example.com"], {ignore}}}
        guards:
          - {{id: G1, from: core, to: net, lint: {{ignore: [{{code: any-any, because: none}}]}}}}
        """,
        only=["unused-name"],
    )

    marked = {finding.subject.name for finding in report.findings if finding.suppressed is not None}
    assert marked == {"spare", "spares", "cloud"}


BASE = """schema: 1
meta: {name: small}
zones:
  core: {interfaces: [c0], networks: [10.1.0.0/16]}
  net: {interfaces: [n0], networks: [10.3.0.0/16]}
hosts:
  desk: {zone: core, ip: 10.1.5.10}
"""


def test_it_is_no_part_of_the_policys_meaning() -> None:
    policies = [
        load_policy({"base.yaml": BASE, "more.yaml": text})
        for text in (BARE, accepted("code: too-broad, because: survey, until: 2027-03-31"))
    ]

    assert policies[0].revision == policies[1].revision
    assert [len(policy.suppressions) for policy in policies] == [0, 1]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("code: to-broad, because: b", "unknown-lint-code"),
        ("code: too-broad", "missing-key"),
        ('code: too-broad, because: " "', "empty-reason"),
        ("code: too-broad, because: b, until: tomorrow", "bad-date"),
        ("code: too-broad, because: b, on: F2", "unknown-key"),
    ],
)
def test_it_needs_a_known_code_and_a_reason(text: str, code: str) -> None:
    with pytest.raises(PolicyError) as refused:
        load_policy({"base.yaml": BASE, "more.yaml": accepted(text)})

    assert [problem.code for problem in refused.value.problems] == [code]
