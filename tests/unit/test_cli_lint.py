"""`masugata lint` as people and programs call it; the SARIF log held against the rules of its format."""

from __future__ import annotations

import io
import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from gateway.cli.main import main
from zones.lint.codes import CODES

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[2]
CITY = str(ROOT / "examples" / "sample-city")
AUTUMN = ("--now", "2026-11-22")

POLICY = """schema: 1
meta: {name: small}
zones:
  core: {interfaces: [c0], networks: [10.1.0.0/16], class: mynumber}
  net: {interfaces: [n0], networks: [10.3.0.0/16], class: internet}
flows:
  - {id: F1, from: core, to: net, service: any, action: allow, owner: o, ticket: t, justification: 目的,
     lint: {ignore: [{code: relay-host, because: none there}]}}
  - {id: F2, from: net, to: core, service: tcp/22, action: allow, owner: o, ticket: t, justification: j,
     lint: {ignore: [{code: too-broad, because: "見直し中", until: 2027-03-31}]}}
"""
CLEAN = POLICY.split("flows:", maxsplit=1)[0]


class Ended(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ended]:
    def call(*arguments: str, stdin: str = "") -> Ended:
        monkeypatch.setattr(sys, "argv", ["masugata", "lint", *arguments])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        with pytest.raises(SystemExit) as ended:
            main()
        seen = capsys.readouterr()
        return Ended(int(ended.value.code or 0), seen.out, seen.err)

    return call


# --- text --------------------------------------------------------------------------------------------------


def test_the_sample_city_is_told_its_traps_and_how_many(run: Callable[..., Ended]) -> None:
    ended = run(CITY, *AUTUMN)

    assert ended.code == 0
    assert "mynumber → lg-wsus → in-relay → outside" in ended.out
    assert "2 × relay-host: " in ended.out
    assert ended.out.splitlines()[-1].startswith("sample-city: errors 0, warnings 4, notes 6")


def test_every_line_of_a_finding_points_into_a_file(run: Callable[..., Ended]) -> None:
    for line in run(CITY, *AUTUMN, "--only", "expired,relay-host").out.splitlines():
        if place := re.match(r"\s*(\S+\.yaml):(\d+):(\d+): ", line):
            text = Path(place[1]).read_text().splitlines()[int(place[2]) - 1]
            assert len(text) >= int(place[3])


def test_japanese_is_japanese(run: Callable[..., Ended]) -> None:
    assert "警告[quic-beside-proxy] フロー 'F068'" in run(CITY, *AUTUMN, "--lang", "ja").out


@pytest.mark.parametrize(
    ("policy", "options", "code"),
    [
        (POLICY, (), 0),
        (POLICY, ("--strict",), 1),
        (POLICY, ("--strict", "--only", "too-broad", "--now", "2027-03-31"), 0),
        (POLICY, ("--strict", "--only", "too-broad", "--now", "2027-04-01"), 1),
        (POLICY, ("--strict", "--only", "suppression-unused,relay-host"), 0),  # a note
        (CLEAN, ("--strict",), 0),
        (POLICY.replace("allow", "alow"), (), 2),
    ],
)
def test_what_it_leaves_with(
    run: Callable[..., Ended], policy: str, options: tuple[str, ...], code: int
) -> None:
    assert run("-", "--now", "2027-01-01", *options, stdin=policy).code == code


def test_a_clean_policy_is_told_so(run: Callable[..., Ended]) -> None:
    assert run("-", stdin=CLEAN).out == "small: nothing to remark\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "name a policy"),
        ((CITY, "--only", "to-broad"), "no code 'to-broad'"),
        ((CITY, "--only", ""), "no code ''"),
        ((CITY, "--json", "--format", "sarif"), "--format sarif"),
        (("--explain", "nothing"), "no code 'nothing'"),
    ],
)
def test_a_question_that_cannot_be_meant_is_an_error(
    run: Callable[..., Ended], arguments: tuple[str, ...], said: str
) -> None:
    ended = run(*arguments)

    assert ended.code == 2
    assert said in ended.out + ended.err


@pytest.mark.parametrize("code", CODES)
def test_every_code_is_explained(run: Callable[..., Ended], code: str) -> None:
    ended = run("--explain", code)

    assert ended.code == 0
    assert ended.out.startswith(f"{code} ({CODES[code].value}): ")
    assert len(ended.out.splitlines()) == 2
    assert "{{" not in ended.out


# --- JSON --------------------------------------------------------------------------------------------------


def test_json_has_every_finding_accepted_ones_too_and_the_counts(run: Callable[..., Ended]) -> None:
    *findings, last = run("-", "--json", "--now", "2027-01-01", stdin=POLICY).records

    assert [(f["finding"], f["name"], bool(f["accepted"])) for f in findings] == [
        ("any-any", "F1", False),
        ("suppression-unused", "F1", False),
        ("asymmetric-service", "F2", False),
        ("too-broad", "F2", True),
        ("too-broad", "F2", True),
        ("high-risk-port", "F2", False),
    ]
    assert findings[3]["accepted"] == {"because": "見直し中", "until": "2027-03-31"}
    assert last["counts"] == {
        "any-any": 1,
        "high-risk-port": 1,
        "asymmetric-service": 1,
        "suppression-unused": 1,
    }


def test_format_json_is_the_same(run: Callable[..., Ended]) -> None:
    assert run(CITY, *AUTUMN, "--format", "json").out == run(CITY, *AUTUMN, "--json").out


# --- SARIF 2.1.0 -------------------------------------------------------------------------------------------


def sarif(run: Callable[..., Ended], *arguments: str, stdin: str = "") -> dict[str, Any]:
    log: dict[str, Any] = json.loads(run(*arguments, "--format", "sarif", stdin=stdin).out)
    return log


def text_of(message: dict[str, Any]) -> str:
    """Return the text of a message object (3.11): plain, not empty."""
    assert set(message) <= {"text", "markdown", "id", "arguments"}
    assert isinstance(message["text"], str)
    assert message["text"]
    return str(message["text"])


def hold_location(location: dict[str, Any]) -> None:
    """Hold a location (3.28) with its physicalLocation (3.29), artifactLocation (3.4) and region (3.30)."""
    assert set(location) <= {"id", "physicalLocation", "logicalLocations", "message"}
    physical = location["physicalLocation"]
    assert set(physical) == {"artifactLocation", "region"}
    uri = physical["artifactLocation"]["uri"]
    # RFC 3986: nothing but unreserved, reserved and percent-encoded characters.
    assert re.fullmatch(r"(?:[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=]|%[0-9A-F]{2})+", uri)
    region = physical["region"]
    assert all(isinstance(region[key], int) and region[key] >= 1 for key in ("startLine", "startColumn"))
    for logical in location.get("logicalLocations", ()):
        assert all(isinstance(logical[key], str) for key in ("name", "fullyQualifiedName"))


def hold_result(result: dict[str, Any], rules: list[dict[str, Any]]) -> None:
    """Hold a result (3.27)."""
    assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
    assert result["level"] in {"none", "note", "warning", "error"}
    text_of(result["message"])
    assert len(result["locations"]) == 1
    for location in (*result["locations"], *result.get("relatedLocations", ())):
        hold_location(location)
    related = [location["id"] for location in result.get("relatedLocations", ())]
    assert related == sorted(set(related))
    for suppression in result.get("suppressions", ()):
        assert suppression["kind"] in {"inSource", "external"}
        assert suppression["status"] in {"accepted", "underReview", "rejected"}
        assert suppression["justification"]
        hold_location(suppression["location"])


@pytest.mark.parametrize("language", ["en", "ja"])
def test_the_log_has_the_shape_of_sarif(run: Callable[..., Ended], language: str) -> None:
    log = sarif(run, CITY, *AUTUMN, "--lang", language)

    assert set(log) == {"$schema", "version", "runs"}
    assert log["version"] == "2.1.0"
    assert log["$schema"].endswith("sarif-schema-2.1.0.json")
    (only,) = log["runs"]
    assert only["columnKind"] in {"utf16CodeUnits", "unicodeCodePoints"}
    driver = only["tool"]["driver"]
    assert driver["name"] == "masugata"
    assert re.match(r"\d+\.\d+", driver["version"])
    rules = driver["rules"]
    assert [rule["id"] for rule in rules] == list(CODES)
    for rule in rules:
        for key in ("shortDescription", "fullDescription", "help"):
            assert "{{" not in text_of(rule[key])
        assert rule["defaultConfiguration"]["level"] == CODES[rule["id"]].value
    assert len(only["results"]) == 10
    for result in only["results"]:
        hold_result(result, rules)


def test_an_accepted_finding_carries_its_reason(run: Callable[..., Ended]) -> None:
    log = sarif(run, "-", "--only", "too-broad", "--now", "2027-01-01", stdin=POLICY)
    results = log["runs"][0]["results"]

    assert [result["suppressions"][0]["justification"] for result in results] == ["見直し中", "見直し中"]
    for result in results:
        hold_result(result, log["runs"][0]["tool"]["driver"]["rules"])


def test_findings_of_one_run_are_told_apart(run: Callable[..., Ended]) -> None:
    for log in (sarif(run, CITY, *AUTUMN), sarif(run, "-", stdin=POLICY)):
        prints = [json.dumps(result["partialFingerprints"]) for result in log["runs"][0]["results"]]
        assert len(set(prints)) == len(prints)


def test_a_finding_keeps_its_fingerprint_when_lines_move(run: Callable[..., Ended]) -> None:
    def prints(policy: str) -> list[Any]:
        results = sarif(run, "-", "--now", "2027-01-01", stdin=policy)["runs"][0]["results"]
        return [result["partialFingerprints"] for result in results]

    assert prints(POLICY) == prints(POLICY.replace("flows:", "# one line\n# more\nflows:"))


# --- the reference page ------------------------------------------------------------------------------------


@pytest.mark.checkout
@pytest.mark.parametrize("code", CODES)
def test_the_reference_says_what_why_and_how_to_cure(code: str) -> None:
    page = (ROOT / "docs" / "reference" / "lint.md").read_text()
    section = re.search(rf"^## {code}$(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)

    assert section
    assert section[1].strip().startswith(f"{CODES[code].value.capitalize()}: ")
    assert "```yaml" in section[1]
    assert "\nCure: " in section[1]
    assert f"| [`{code}`](#{code}) | {CODES[code].value} |" in page


@pytest.mark.checkout
def test_the_reference_has_no_section_too_many() -> None:
    page = (ROOT / "docs" / "reference" / "lint.md").read_text()
    others = {"Accepting a finding", "For programs", "Codes"}

    assert set(re.findall(r"^## (.+)$", page, re.MULTILINE)) - others == set(CODES)
