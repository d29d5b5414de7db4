"""Cases of `tests/corpus/proof-*`, and what proofs must say of them.

A case is a policy (and one to compare it with), or a first-match list as other tools have it: `filter.json`
holds its lines as name, permit or deny, service, source, destination and, for some, source ports. What is
published elsewhere names where in its README.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from zones import Policy, read_policy
from zones.address import parse_network
from zones.proof.diff import Answer, Change, diff
from zones.proof.packets import EVERY_SERVICE, FAMILIES, address_ranges, service_ranges
from zones.proof.shadow import first_match_redundant, first_match_shadows, never_decides, redundant
from zones.proof.verify import verify
from zones.services import parse_service

if TYPE_CHECKING:
    from zones.proof.space import Box, Ranges

CORPUS = Path(__file__).resolve().parents[3] / "corpus"
CASES = sorted(CORPUS.glob("proof-*"))
NOW = 1_791_162_000.0


def text(answer: Answer) -> str:
    outcome, reason, decided_by = answer
    return " ".join([outcome, reason, *([decided_by] if decided_by else [])])


def differences(before: Policy, after: Policy) -> list[list[str]]:
    found = diff(before, after, now=NOW)
    return sorted([d.change, text(d.before), text(d.after), d.packet.describe()] for d in found)


def states(policy: Policy, *, distrust: bool = False) -> dict[str, str]:
    return {r.invariant.id: r.state for r in verify(policy, now=NOW, distrust_relays=distrust)}


# --- first-match lists -------------------------------------------------------------------------------------


class Filter:
    def __init__(self, case: Path) -> None:
        self.lines: list[list[str]] = json.loads((case / "filter.json").read_text())
        self.names = [name for name, *_ in self.lines]
        self.boxes = [_box(*line[2:]) for line in self.lines]

    def shadows(self) -> dict[str, list[str]]:
        return {
            self.names[found.rule]: [self.names[by] for by in found.by]
            for found in first_match_shadows(self.boxes)
        }

    def superfluous(self) -> list[str]:
        actions = [action for _, action, *_ in self.lines]
        return [self.names[found.rule] for found in first_match_redundant(self.boxes, actions, "deny")]


def _box(service: str, source: str, destination: str, sport: str = "0-65535") -> Box:
    services = EVERY_SERVICE if service == "any" else service_ranges([parse_service(service)])
    low, high = map(int, sport.split("-"))
    return (_addresses(source), _addresses(destination), services, ((low, high),))


def _addresses(written: str) -> Ranges:
    return FAMILIES[0][1] if written == "any" else address_ranges([parse_network(written)])


# --- cases -------------------------------------------------------------------------------------------------


QUESTIONS = {
    "never_decides": lambda case: {
        found.flow: list(found.by) for found in never_decides(_policy(case), now=NOW)
    },
    "redundant": lambda case: redundant(_policy(case), now=NOW),
    "diff": lambda case: differences(_policy(case), _policy(case, "after")),
    "crossings": lambda case: [
        found for found in differences(_policy(case), _policy(case, "after")) if found[0] == Change.CROSSING
    ],
    "verify": lambda case: states(_policy(case)),
    "verify_after": lambda case: states(_policy(case, "after")),
    "verify_distrusting": lambda case: states(_policy(case), distrust=True),
    "shadows": lambda case: Filter(case).shadows(),
    "superfluous": lambda case: Filter(case).superfluous(),
}


def _policy(case: Path, name: str = "policy") -> Policy:
    return read_policy(case / f"{name}.yaml")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_a_case_expects_is_found(case: Path) -> None:
    expected: dict[str, Any] = json.loads((case / "expect.json").read_text())

    assert expected
    assert {question: QUESTIONS[question](case) for question in expected} == expected


def test_published_examples_name_their_source_and_licence() -> None:
    published = [case for case in CASES if case.name.split("-")[1] in ("aerleon", "batfish", "capirca")]

    assert len(published) >= 9
    for case in published:
        said = (case / "README.md").read_text()
        assert said.startswith("Source: ")
        assert "Apache-2.0" in said
