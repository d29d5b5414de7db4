"""The JSON Schema (2020-12) of a policy file, for editors: made from the very models that check it.

An editor knows keys, formats and words while one writes. Whether names exist and addresses lie in their zones
only `masugata check` can tell.
"""

from __future__ import annotations

from typing import Annotated, Any, get_args, get_origin, get_type_hints

from pydantic import BaseModel

from zones import schema
from zones.clauses import clause_pack, known_packs
from zones.model import Action, Mode, ZoneClass
from zones.services import ICMP6_TYPES, ICMP_TYPES
from zones.verdict import PROTOCOL_NUMBERS, Outcome, Reason

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_DATE = r"2[0-9]{3}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
_CLOCK = r"([01][0-9]|2[0-3]):[0-5][0-9]"
_DAY = r"(mon|tue|wed|thu|fri|sat|sun)"
_SPAN = f"{_DAY}(-{_DAY})?"
_PORTS = r"[0-9]{1,5}(-[0-9]{1,5})?"
_KINDS = "|".join(sorted({*ICMP_TYPES, *ICMP6_TYPES}))
_CARRIERS = "|".join(name for name in PROTOCOL_NUMBERS if not name.startswith("icmp"))
_SERVICE = rf"(any|({_CARRIERS})(/{_PORTS})?|icmp6?(/({_KINDS}|[0-9]{{1,3}}))?|proto/[0-9]{{1,3}})"


def _text(pattern: str, description: str) -> dict[str, Any]:
    return {"type": "string", "pattern": f"^(?:{pattern})$", "description": description}


_DEFINITIONS: dict[str, dict[str, Any]] = {
    "name": _text(
        r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,30}[A-Za-z0-9])?",
        "1 to 32 letters, digits, dots, dashes and underscores; a letter or digit at both ends",
    ),
    "interface": _text(r"[A-Za-z0-9][A-Za-z0-9._-]{0,14}", "an interface of the gateway, such as mn0"),
    "network": _text(r"[0-9A-Fa-f.:]+(/[0-9]{1,3})?", "a prefix without host bits, such as 10.20.0.0/16"),
    "address": _text(r"[0-9A-Fa-f.:]+", "one address, such as 10.20.5.25"),
    "mac": _text(r"[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){5}", 'a hardware address, such as "02:00:0a:0a:05:0a"'),
    "date": _text(_DATE, "the last day that counts, such as 2027-03-31"),
    "moment": _text(f"{_DATE}(T{_CLOCK}(:[0-5][0-9])?)?", "a day, or a moment such as 2026-10-05T10:00"),
    "time": _text(_CLOCK, 'a time of day in quotes, such as "08:30"'),
    "days": _text(rf"{_SPAN}( *, *{_SPAN})*", "weekdays, such as mon-fri or mon,wed"),
    "service": _text(_SERVICE, "tcp/443, udp/5000-5010, icmp/echo-request, proto/50, any"),
    "timezone": _text(r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*", "an IANA time zone, such as Asia/Tokyo"),
    "action": {"enum": [action.value for action in Action], "description": "what happens to a packet"},
    "mode": {"enum": [mode.value for mode in Mode], "description": "whether a flow takes part in verdicts"},
    "class": {"enum": [kind.value for kind in ZoneClass], "description": "the kind of a zone"},
    "flag": {"type": "boolean"},
    "count": {"type": "integer", "minimum": 0, "maximum": 1_000_000},
    "expectation": {
        "enum": sorted({value.value for kind in (Outcome, Reason) for value in kind}),
        "description": "an outcome or a reason",
    },
}

_KNOWN: tuple[tuple[Any, str], ...] = (
    (schema.Name, "name"),
    (schema.Interface, "interface"),
    (schema.NetworkText, "network"),
    (schema.AddressText, "address"),
    (schema.MacText, "mac"),
    (schema.DateText, "date"),
    (schema.MomentText, "moment"),
    (schema.TimeText, "time"),
    (schema.Days, "days"),
    (schema.Term, "service"),
    (schema.TimeZoneText, "timezone"),
    (schema.ActionText, "action"),
    (schema.ModeText, "mode"),
    (schema.ClassText, "class"),
    (schema.Flag, "flag"),
    (schema.Count, "count"),
)
_PLAIN: dict[Any, dict[str, Any]] = {str: {"type": "string"}, int: {"type": "integer"}}

_WORDS = {
    "schema": "the version of this language",
    "meta": "about the policy as a whole",
    "zones": "parts of the network, by name",
    "management": "the segment we are administered from; never a zone, never forwarded",
    "hosts": "machines with fixed addresses, by name; of a group: names of hosts",
    "groups": "networks of one zone under one name",
    "services": "lists of services, by name",
    "names": "destinations known by domain name only",
    "guards": "directions that nothing opens",
    "flows": "the allowlist; its order means nothing",
    "invariants": "what must hold for every packet",
    "tests": "packets and the verdicts they must get",
    "from": "where it comes from (of hours: when they begin)",
    "to": "where it goes (of hours: when they end)",
    "service": "a service or a list, by name or as written",
    "expires": "the last day it is open, in the policy's time zone",
    "owner": "who answers for it",
    "ticket": "where it was decided",
    "justification": "what for",
    "because": "why",
    "basis": "the clauses it rests on",
    "with": "for the gate that serves the flow",
    "when": "hours in which the flow is open",
    "relay": "the reviewed claim that a host passes nothing on",
    "networks": "prefixes",
    "gateway": "our own addresses on the zone",
    "packet": "zone:address > zone:address service",
    "by": "the id of the flow or guard that must have decided",
    "at": "when it is asked; without it, now",
    "transitive": "follow hosts that may pass things on",
    "over": "actions that are followed too",
    "except": "flows that are left out; needs `because`",
    "require_action": "the only actions that may lead there",
}


def policy_schema() -> dict[str, Any]:
    """Return the JSON Schema of one policy file, as plain dicts and lists."""
    definitions = {name: dict(body) for name, body in _DEFINITIONS.items()}
    definitions["clause"] = {
        "anyOf": [
            {"enum": [clause for pack in known_packs() for clause in clause_pack(pack).clauses]},
            {"type": "string", "not": {"pattern": f"^(?:{'|'.join(known_packs())}):"}},
        ]
    }
    root = _model(schema.PolicyFile, definitions)
    root["properties"]["schema"] = {"const": schema.SCHEMA_VERSION, "description": _WORDS["schema"]}
    return {
        "$schema": DIALECT,
        "title": "masugata policy",
        "description": "One file of a policy; the *.yaml files of a directory are merged.",
        **root,
        "$defs": definitions,
    }


def _model(model: type[BaseModel], definitions: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the schema of a mapping; the models inside become definitions."""
    hints = get_type_hints(model, include_extras=True)
    properties, required = {}, []
    for name, field in model.model_fields.items():
        key = field.alias or name
        properties[key] = {**_typed(hints[name], definitions), **_described(key)}
        if field.is_required():
            required.append(key)
    _narrow(model, properties)
    body: dict[str, Any] = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**body, "required": required} if required else body


def _described(key: str) -> dict[str, str]:
    return {"description": _WORDS[key]} if key in _WORDS else {}


def _narrow(model: type[BaseModel], properties: dict[str, Any]) -> None:
    """Say what the models leave to a later step: clauses that exist, words that a test may expect."""
    if "basis" in properties:
        clause = {"$ref": "#/$defs/clause"}
        properties["basis"] |= {"anyOf": [clause, {"type": "array", "items": clause}]}
    if model is schema.TestEntry:
        properties["expect"] = {"$ref": "#/$defs/expectation"}


def _typed(hint: Any, definitions: dict[str, dict[str, Any]]) -> dict[str, Any]:
    known = next((name for kind, name in _KNOWN if kind == hint), None)
    if known is not None:
        return {"$ref": f"#/$defs/{known}"}
    if get_origin(hint) is Annotated:
        return _annotated(hint, definitions)
    if isinstance(hint, type) and issubclass(hint, BaseModel):
        return _reference(hint, definitions)
    return dict(_PLAIN[hint]) if hint in _PLAIN else _composed(hint, definitions)


def _composed(hint: Any, definitions: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the schema of a list, of entries by name, or of what may be left out."""
    arguments = get_args(hint)
    if get_origin(hint) is list:
        return {"type": "array", "items": _typed(arguments[0], definitions)}
    if get_origin(hint) is dict:
        return {
            "type": "object",
            "propertyNames": {"$ref": "#/$defs/name"},
            "additionalProperties": _typed(arguments[1], definitions),
        }
    (inner,) = (part for part in arguments if part is not type(None))
    return _typed(inner, definitions)


def _annotated(hint: Any, definitions: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return a list that may also be written as its only item."""
    inner, *marks = get_args(hint)
    body = _typed(inner, definitions)
    if body.get("type") != "array":
        return body
    lengths = [
        part.min_length
        for mark in marks
        for part in getattr(mark, "metadata", ())
        if hasattr(part, "min_length")
    ]
    if lengths:
        body["minItems"] = max(lengths)
    return {"anyOf": [body["items"], body]}


def _reference(model: type[BaseModel], definitions: dict[str, dict[str, Any]]) -> dict[str, Any]:
    name = model.__name__
    if name not in definitions:
        definitions[name] = {}  # taken, should a model ever hold itself
        definitions[name] = _model(model, definitions)
    return {"$ref": f"#/$defs/{name}"}
