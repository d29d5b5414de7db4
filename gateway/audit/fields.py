"""The types a field of an audit event may have: what is taken from a caller, what is accepted in a log."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

MAX_TEXT_CHARACTERS = 512
MAX_TEXTS = 32
MAX_ITEM_CHARACTERS = 160
"""Of each text in a list; with `MAX_TEXTS` it keeps the longest possible line under `MAX_LINE_BYTES`."""
MAX_COUNT = 2**63 - 1

_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,95}\Z")
_DIGEST = re.compile(r"[0-9a-f]{64}\Z")
_HARDWARE = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}\Z")
_STAMP = re.compile(r"[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9]\.[0-9]{6}Z\Z")


@dataclass(frozen=True, kw_only=True)
class FieldType:
    """One type: whether a logged value is of it, how a caller's value becomes one, its JSON Schema."""

    name: str
    holds: Callable[[object], bool]
    schema: Mapping[str, Any]
    normal: Callable[[object], object] = field(default=lambda value: value)

    def take(self, kind: str, name: str, value: object) -> object:
        """Return `value` as it will be written.

        Raises:
            ValueError: it is of another type; the caller has a bug.
        """
        taken = self.normal(value)
        if not self.holds(taken):
            raise ValueError(f"audit event {kind}: {name} is not a {self.name}: {value!r:.80}")
        return taken


def clip(value: object, most: int = MAX_TEXT_CHARACTERS) -> object:
    """Return text that UTF-8 can hold and that is not over-long; anything else as it is."""
    if not isinstance(value, str):
        return value
    # str(): a StrEnum member becomes plain text. Lone surrogates (undecodable bytes of a peer) become \udcXX.
    text = str(value).encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= most else text[: most - 1] + "…"


def _clip_all(value: object) -> object:
    if not isinstance(value, list | tuple):
        return value
    texts = [clip(item, MAX_ITEM_CHARACTERS) for item in value[:MAX_TEXTS]]
    if len(value) > MAX_TEXTS:
        texts[-1] = f"… +{len(value) - MAX_TEXTS + 1}"
    return texts


def _is_text(value: object, most: int = MAX_TEXT_CHARACTERS) -> bool:
    if not isinstance(value, str) or len(value) > most:
        return False
    return not any("\ud800" <= character <= "\udfff" for character in value)


def _are_texts(value: object) -> bool:
    if not isinstance(value, list) or len(value) > MAX_TEXTS:
        return False
    return all(_is_text(item, MAX_ITEM_CHARACTERS) for item in value)


def _is_count(value: object, most: int = MAX_COUNT) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most


def _is_address(value: object) -> bool:
    if not isinstance(value, str) or "%" in value:
        return False
    try:
        return str(ipaddress.ip_address(value)) == value
    except ValueError:
        return False


def _matches(pattern: re.Pattern[str]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, str) and pattern.match(value) is not None


def _pattern(pattern: re.Pattern[str]) -> dict[str, Any]:
    return {"type": "string", "pattern": "^" + pattern.pattern.removesuffix(r"\Z") + "$"}


def _plain(value: object) -> object:
    return str(value) if isinstance(value, str) else value


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


TEXT = FieldType(
    name="text", holds=_is_text, normal=clip, schema={"type": "string", "maxLength": MAX_TEXT_CHARACTERS}
)
TEXTS = FieldType(
    name="list of texts",
    holds=_are_texts,
    normal=_clip_all,
    schema={
        "type": "array",
        "maxItems": MAX_TEXTS,
        "items": {"type": "string", "maxLength": MAX_ITEM_CHARACTERS},
    },
)
CODE = FieldType(name="code", holds=_matches(_CODE), normal=_plain, schema=_pattern(_CODE))
DIGEST = FieldType(name="SHA-256 in hexadecimal", holds=_matches(_DIGEST), schema=_pattern(_DIGEST))
STAMP = FieldType(name="UTC time", holds=_matches(_STAMP), schema={**_pattern(_STAMP), "format": "date-time"})
HARDWARE = FieldType(name="MAC address", holds=_matches(_HARDWARE), normal=_lower, schema=_pattern(_HARDWARE))
ADDRESS = FieldType(
    name="IP address",
    holds=_is_address,
    schema={"type": "string", "anyOf": [{"format": "ipv4"}, {"format": "ipv6"}]},
)
COUNT = FieldType(
    name="count", holds=_is_count, schema={"type": "integer", "minimum": 0, "maximum": MAX_COUNT}
)
PORT = FieldType(
    name="port",
    holds=lambda value: _is_count(value, 65_535),
    schema={"type": "integer", "minimum": 0, "maximum": 65_535},
)
FLAG = FieldType(name="flag", holds=lambda value: isinstance(value, bool), schema={"type": "boolean"})


def one_of(values: Iterable[str]) -> FieldType:
    """Return the type of a closed set of words."""
    allowed = tuple(str(value) for value in values)
    return FieldType(
        name=f"word of {', '.join(allowed)}",
        holds=lambda value: isinstance(value, str) and value in allowed,
        normal=_plain,
        schema={"type": "string", "enum": list(allowed)},
    )
