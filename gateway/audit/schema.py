"""The published form of an audit event: a JSON Schema (2020-12) made from the table the writer uses."""

from __future__ import annotations

from typing import Any

from gateway.audit.event import FRAME, KINDS, SCHEMA


def event_schema() -> dict[str, Any]:
    """Return the JSON Schema of one line of the audit log; it refuses what the verifier refuses by form.

    >>> event_schema()["$schema"]
    'https://json-schema.org/draft/2020-12/schema'
    """
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"masugata audit event, schema {SCHEMA}",
        "type": "object",
        "required": sorted(FRAME),
        "oneOf": [_kind_schema(kind) for kind in KINDS],
    }


def _kind_schema(kind: str) -> dict[str, Any]:
    row = KINDS[kind]
    properties = {name: dict(field.schema) for name, field in sorted({**FRAME, **row.fields}.items())}
    properties["schema"] = {"const": SCHEMA}
    properties["kind"] = {"const": kind}
    return {
        "title": kind,
        "properties": properties,
        "required": sorted(row.required),
        "additionalProperties": False,
    }
