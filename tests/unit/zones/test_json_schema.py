"""The JSON Schema says what `check` says of keys and formats, as far as one file and no names go."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from zones import schema
from zones.json_schema import policy_schema

ROOT = Path(__file__).resolve().parents[3]
SCHEMA = policy_schema()
KEYWORDS = {"$schema", "$defs", "$ref", "title", "description"} | {
    *("type", "const", "enum", "pattern", "anyOf", "not", "minItems", "minimum", "maximum"),
    *("properties", "required", "additionalProperties", "propertyNames", "items"),
}
TYPES: dict[str, Any] = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int}


def faults(value: Any, rule: dict[str, Any], at: str = "") -> list[str]:
    """Return where `value` does not fit; every keyword used is known here, or the test fails."""
    assert set(rule) <= KEYWORDS, set(rule) - KEYWORDS
    found: list[str] = []
    if "$ref" in rule:
        found += faults(value, SCHEMA["$defs"][rule["$ref"].removeprefix("#/$defs/")], at)
    if "type" in rule:
        kind = TYPES[rule["type"]]
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            return [*found, f"{at}: not {rule['type']}"]
    if ("const" in rule and value != rule["const"]) or ("enum" in rule and value not in rule["enum"]):
        found.append(f"{at}: {value!r}")
    if isinstance(value, str) and "pattern" in rule and not re.search(rule["pattern"], value):
        found.append(f"{at}: {value!r}")
    if "anyOf" in rule and all(faults(value, option, at) for option in rule["anyOf"]):
        found.append(f"{at}: none fits")
    if "not" in rule and not faults(value, rule["not"], at):
        found.append(f"{at}: excluded")
    if isinstance(value, int) and not rule.get("minimum", value) <= value <= rule.get("maximum", value):
        found.append(f"{at}: {value}")
    return found + inside(value, rule, at)


def inside(value: Any, rule: dict[str, Any], at: str) -> list[str]:
    found: list[str] = []
    if isinstance(value, list):
        if len(value) < rule.get("minItems", 0):
            found.append(f"{at}: empty")
        for number, item in enumerate(value):
            found += faults(item, rule.get("items", {}), f"{at}[{number}]")
    if isinstance(value, dict):
        found += [f"{at}.{key}: missing" for key in rule.get("required", ()) if key not in value]
        for key, item in value.items():
            found += faults(key, rule.get("propertyNames", {}), f"{at}.{key}")
            known = rule.get("properties", {}).get(key, rule.get("additionalProperties", {}))
            found += [f"{at}.{key}: unknown"] if known is False else faults(item, known, f"{at}.{key}")
    return found


class Core(yaml.SafeLoader):
    """YAML 1.2 as editors read it: dates and clock times are text, `on` is a word."""


Core.yaml_implicit_resolvers = {}
Core.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("true|false"), list("tf"))
Core.add_implicit_resolver("tag:yaml.org,2002:int", re.compile("[-+]?[0-9]+$"), list("-+0123456789"))


def read(text: str) -> Any:
    return yaml.load(text, Loader=Core)  # noqa: S506  (a SafeLoader)


@pytest.mark.parametrize(
    "path", sorted((ROOT / "examples" / "sample-city").glob("*.yaml")), ids=lambda p: p.name
)
def test_the_sample_city_fits(path: Path) -> None:
    assert faults(read(path.read_text(encoding="utf-8")), SCHEMA) == []


FLOW = "flows: [{id: F1, from: a, to: b, service: https, action: allow, %s}]"


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("flow: []", ".flow: unknown"),
        ("schema: 2", ".schema: 2"),
        ("zones: {a: {interfaces: [], networks: [10.1.0.0/16]}}", ".zones.a.interfaces: none fits"),
        ("zones: {a: {interfaces: [a0]}}", ".zones.a.networks: missing"),
        ("zones: {'a b': {interfaces: [a0], networks: [10.1.0.0/16]}}", ".zones.a b: 'a b'"),
        ("services: {x: [tpc/443]}", ".services.x: none fits"),
        (FLOW % "mode: of", ".flows[0].mode: 'of'"),
        (FLOW % "expires: 2027-13-01", ".flows[0].expires: '2027-13-01'"),
        (FLOW % "when: {days: mon-fry}", ".flows[0].when.days: 'mon-fry'"),
        (FLOW % "basis: ['ono-2026:6.3.7']", ".flows[0].basis: none fits"),
        (FLOW % "with: {approvals: -1}", ".flows[0].with.approvals: -1"),
        ("tests: [{packet: x, expect: alow}]", ".tests[0].expect: 'alow'"),
        ("hosts: {h: {zone: a, ip: 10.1.0.1, relay: {never: yes, because: x}}}", ".hosts.h.relay.never"),
    ],
)
def test_a_slip_is_found_at_its_place(text: str, place: str) -> None:
    found = faults(read(text), SCHEMA)

    assert found
    assert found[0].startswith(place)


@pytest.mark.parametrize("text", ["%s", "mode: audit, %s", "when: {from: '08:30'}, %s"])
def test_a_basis_may_name_a_list_of_ones_own(text: str) -> None:
    assert faults(read(FLOW % (text % "basis: [our-rules:1, 'ono-2026:8']")), SCHEMA) == []


def test_every_key_of_every_model_is_there() -> None:
    models = {name for name in vars(schema) if name.endswith("Entry") and not name.startswith("_")}

    assert models <= set(SCHEMA["$defs"])
    for name in models:
        fields = getattr(schema, name).model_fields
        assert set(SCHEMA["$defs"][name]["properties"]) == {f.alias or key for key, f in fields.items()}


def test_every_reference_leads_somewhere_and_every_definition_is_used() -> None:
    used = set(re.findall(r'"#/\$defs/([^"]+)"', json.dumps(SCHEMA)))

    assert used == set(SCHEMA["$defs"])
