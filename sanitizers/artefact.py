"""What leaves a sanitizer: an artefact with its provenance, or a refusal with its reason.

The trusted side reads these back from a worker that has handled hostile bytes, so `from_json` believes
nothing: every field has a kind and a bound, unknown and missing fields are refused.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from zones.errors import LimitExceeded, Unreadable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SCHEMA = 1
MAX_PROVENANCE_BYTES = 4 << 20
_MAX_ITEMS = 20_000
_MAX_TEXT = 4_000
_NOT_TEXT = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069]")
_MAX_COUNT = 1 << 53  # integers above this are not the same number in every JSON reader


@dataclass(frozen=True, kw_only=True, slots=True)
class Removed:
    """Something of the input that is not in the artefact; `sha256` is of its decoded bytes."""

    kind: str
    name: str = ""
    media_type: str = ""
    size_bytes: int = 0
    sha256: str = ""
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Note:
    """One observation, by message code: how often, and on what."""

    code: str
    count: int = 1
    detail: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class CharsetReading:
    """How a run of text was decoded: what it declared, what we used, and how sure that is."""

    where: str
    declared: str
    used: str
    confidence: str
    replaced: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Budget:
    """How much of a named limit one input used."""

    name: str
    used: int
    limit: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Tool:
    """A program or library that read the input."""

    name: str
    version: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Provenance:
    """Where an artefact comes from and what was done: enough to run it again and compare.

    `layers` are the sandbox layers in force, as the trusted side knows them; empty for a run in-process.
    """

    kind: str
    source_sha256: str
    source_bytes: int
    output_sha256: str
    output_bytes: int
    declared: str = ""
    detected: str = ""
    policy_revision: str = ""
    provenance_id: str = ""
    removed: tuple[Removed, ...] = ()
    notes: tuple[Note, ...] = ()
    charsets: tuple[CharsetReading, ...] = ()
    budgets: tuple[Budget, ...] = ()
    tools: tuple[Tool, ...] = ()
    layers: tuple[str, ...] = ()
    schema: int = SCHEMA

    def to_json(self) -> str:
        """Return the canonical JSON text: sorted keys, no spaces, no escapes."""
        return json.dumps(asdict(self), ensure_ascii=False, sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, untrusted: bytes | str) -> Provenance:
        """Return the provenance written by `to_json`.

        Raises:
            LimitExceeded: longer than `MAX_PROVENANCE_BYTES`.
            Unreadable: not JSON, not our schema, an unknown or missing field, a value out of its bounds.
        """
        document = parse_json(untrusted, name="provenance.max_bytes", max_bytes=MAX_PROVENANCE_BYTES)
        made: Provenance = _build(cls, document)
        if made.schema != SCHEMA:
            raise Unreadable("provenance-unreadable", detail=f"schema {made.schema}")
        return made


@dataclass(frozen=True, kw_only=True, slots=True)
class Artefact:
    """A fresh object of our own writing."""

    body: bytes
    media_type: str
    provenance: Provenance


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusal:
    """No artefact: the input stays in quarantine. `reason` is a message code, `detail` what was seen."""

    reason: str
    detail: str = ""
    source_sha256: str = ""
    source_bytes: int = 0


def parse_json(untrusted: bytes | str, *, name: str, max_bytes: int) -> Any:
    """Return the JSON document in `untrusted`.

    Raises:
        LimitExceeded: longer than `max_bytes`; `name` is the limit's name.
        Unreadable: not JSON, nested too deep, or text that has no UTF-8 form.
    """
    if len(untrusted) > max_bytes:
        raise LimitExceeded(name, len(untrusted), max_bytes)
    try:
        return json.loads(untrusted, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise Unreadable("provenance-unreadable", detail=type(error).__name__) from None


def refusal_of(document: object) -> Refusal:
    """Return the refusal in a decoded JSON document, strictly.

    Raises:
        Unreadable: an unknown or missing field, a value out of its bounds.
    """
    made: Refusal = _build(Refusal, document)
    return made


def _refuse_constant(text: str) -> None:
    raise ValueError(text)  # NaN and Infinity are not JSON


def _wrong(what: str) -> Unreadable:
    return Unreadable("provenance-unreadable", detail=what)


def _text(value: object) -> str:
    if not isinstance(value, str) or len(value) > _MAX_TEXT:
        raise _wrong("text")
    if _NOT_TEXT.search(value):
        raise _wrong("characters")
    return value


def _count(value: object) -> int:
    if type(value) is not int or not 0 <= value <= _MAX_COUNT:
        raise _wrong("count")
    return value


def _digest(value: object) -> str:
    text = _text(value)
    if text and (len(text) != 64 or text.strip("0123456789abcdef")):
        raise _wrong("digest")
    return text


def _tuple_of(read: Callable[[object], Any]) -> Callable[[object], tuple[Any, ...]]:
    def read_all(value: object) -> tuple[Any, ...]:
        if not isinstance(value, list) or len(value) > _MAX_ITEMS:
            raise _wrong("list")
        return tuple(read(item) for item in value)

    return read_all


def _record(cls: type) -> Callable[[object], Any]:
    return lambda value: _build(cls, value)


_FIELDS: Mapping[type, Mapping[str, Callable[[object], Any]]] = {
    Removed: {
        "kind": _text,
        "name": _text,
        "media_type": _text,
        "size_bytes": _count,
        "sha256": _digest,
        "reason": _text,
    },
    Note: {"code": _text, "count": _count, "detail": _text},
    CharsetReading: {
        "where": _text,
        "declared": _text,
        "used": _text,
        "confidence": _text,
        "replaced": _count,
    },
    Budget: {"name": _text, "used": _count, "limit": _count},
    Tool: {"name": _text, "version": _text},
    Refusal: {"reason": _text, "detail": _text, "source_sha256": _digest, "source_bytes": _count},
    Provenance: {
        "schema": _count,
        "kind": _text,
        "source_sha256": _digest,
        "source_bytes": _count,
        "output_sha256": _digest,
        "output_bytes": _count,
        "declared": _text,
        "detected": _text,
        "policy_revision": _text,
        "provenance_id": _text,
        "removed": _tuple_of(_record(Removed)),
        "notes": _tuple_of(_record(Note)),
        "charsets": _tuple_of(_record(CharsetReading)),
        "budgets": _tuple_of(_record(Budget)),
        "tools": _tuple_of(_record(Tool)),
        "layers": _tuple_of(_text),
    },
}


def _build(cls: type, document: object) -> Any:
    fields = _FIELDS[cls]
    if not isinstance(document, dict) or document.keys() != fields.keys():
        raise _wrong(cls.__name__)
    return cls(**{name: read(document[name]) for name, read in fields.items()})
