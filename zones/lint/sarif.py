"""Findings as a SARIF 2.1.0 log, for code review and dashboards (OASIS, sarif-v2.1.0)."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from zones.lint.codes import CODES
from zones.messages import Language, hint, say

if TYPE_CHECKING:
    from collections.abc import Iterable

    from zones.lint.finding import Finding, Place, Subject

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
VERSION = "2.1.0"


def sarif_log(findings: Iterable[Finding], *, tool_version: str, language: Language) -> dict[str, Any]:
    """Return the log as plain data; findings accepted in the file carry their suppression (3.27.23)."""
    rules = list(CODES)
    return {
        "$schema": SCHEMA,
        "version": VERSION,
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "masugata",
                        "version": tool_version,
                        "language": {"ja": "ja-JP", "en": "en-US"}[language],
                        "rules": [_rule(code, language) for code in rules],
                    }
                },
                # Our columns count characters, as the YAML parser does (3.14.17).
                "columnKind": "unicodeCodePoints",
                "results": [_result(finding, rules.index(finding.code), language) for finding in findings],
            }
        ],
    }


def _rule(code: str, language: Language) -> dict[str, Any]:
    about = say(f"lint-{code}-about", {}, language)
    return {
        "id": code,
        "shortDescription": {"text": say(f"lint-{code}-title", {}, language)},
        "fullDescription": {"text": about},
        "help": {"text": about},
        "defaultConfiguration": {"level": CODES[code].value},
    }


def _result(finding: Finding, rule_index: int, language: Language) -> dict[str, Any]:
    sentence = say(finding.message, finding.params, language)
    cure = hint(finding.message, finding.params, language)
    result: dict[str, Any] = {
        "ruleId": finding.code,
        "ruleIndex": rule_index,
        "level": finding.severity.value,
        "message": {"text": f"{sentence}\n{cure}" if cure else sentence},
        "locations": [{**_location(finding.place), "logicalLocations": [_logical(finding.subject)]}],
        # The same finding in the next run, wherever the line has moved to (3.27.17).
        "partialFingerprints": {"entry/v1": "/".join((finding.code, *finding.subject, finding.aspect))},
    }
    if finding.related:
        result["relatedLocations"] = [
            {"id": number, **_location(place), "message": {"text": _qualified(subject)}}
            for number, (subject, place) in enumerate(finding.related, 1)
        ]
    if finding.suppressed is not None:
        accepted = finding.suppressed
        result["suppressions"] = [
            {
                "kind": "inSource",
                "status": "accepted",
                "justification": accepted.because,
                "location": _location_at(accepted.file, accepted.line, accepted.column),
            }
        ]
    return result


def _logical(subject: Subject) -> dict[str, str]:
    return {"name": subject.name or subject.section, "fullyQualifiedName": _qualified(subject)}


def _qualified(subject: Subject) -> str:
    return f"{subject.section}/{subject.name}" if subject.name else subject.section


def _location(place: Place) -> dict[str, Any]:
    return _location_at(*place)


def _location_at(file: str, line: int, column: int) -> dict[str, Any]:
    return {
        "physicalLocation": {
            "artifactLocation": {"uri": artifact_uri(file)},
            "region": {"startLine": line, "startColumn": column},
        }
    }


def artifact_uri(file: str) -> str:
    """Return a file name as a URI reference (RFC 3986): relative stays relative.

    >>> artifact_uri("見本/a b.yaml")
    '%E8%A6%8B%E6%9C%AC/a%20b.yaml'
    >>> artifact_uri("/etc/policy.yaml")
    'file:///etc/policy.yaml'
    """
    path = PurePath(file)
    encoded = quote(path.as_posix())
    return f"file://{encoded}" if path.is_absolute() else encoded
