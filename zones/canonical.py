"""The canonical form of a policy, its revision, and the numbers of its flows."""

from __future__ import annotations

import hashlib
import json
from dataclasses import fields, is_dataclass
from datetime import date, time
from enum import Enum
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from zones.address import Network

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from zones.model import Policy

# Where something stands in a file, what is derived from the rest, and which remarks of lint somebody has
# accepted are not part of its meaning.
_LEFT_OUT = frozenset({"line", "column", "file", "revision", "number", "suppressions"})
_NUMBER_TOP = 0x7FFFFFFF


def revision_of(policy: Policy) -> str:
    """Return the SHA-256 (hex) of the canonical form: equal for equal policies, however they are written."""
    return hashlib.sha256(canonical_form(policy).encode()).hexdigest()


def canonical_form(policy: Policy) -> str:
    """Return the policy as JSON with sorted keys; flows, guards and tests in the order of their ids."""
    plain = _plain(policy)
    for section in ("flows", "guards", "invariants"):
        plain[section] = sorted(plain[section], key=lambda entry: str(entry["id"]))
    plain["tests"] = sorted(plain["tests"], key=lambda entry: json.dumps(entry, sort_keys=True))
    return json.dumps(plain, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _plain(value: Any) -> Any:
    for kind, write in _WRITERS:
        if isinstance(value, kind):
            return write(value)
    return value


def _record(value: Any) -> dict[str, Any]:
    return {f.name: _plain(getattr(value, f.name)) for f in fields(value) if f.name not in _LEFT_OUT}


# Tried in this order: a Network is a tuple too, and a str enumeration is text too.
_WRITERS: tuple[tuple[Any, Callable[[Any], Any]], ...] = (
    (Network, str),
    (Enum, lambda value: value.value),
    (str, str),
    (dict, lambda value: {str(key): _plain(item) for key, item in value.items()}),
    ((frozenset, set), lambda value: sorted(map(_plain, value))),
    ((list, tuple), lambda value: [_plain(item) for item in value]),
    ((date, time), lambda value: value.isoformat()),
    (ZoneInfo, lambda value: value.key),
    (object, lambda value: _record(value) if is_dataclass(value) else value),
)


def flow_numbers(ids: Iterable[str]) -> Mapping[str, int]:
    """Return a number in 1 … 2³¹-1 for each id, the mark of its connections in the kernel.

    The number follows from the id alone, so a connection keeps its meaning across revisions; ids whose
    hashes meet take the next free number in the order of the ids.
    """
    numbers: dict[str, int] = {}
    taken: set[int] = set()
    for entry_id in sorted(set(ids)):
        number = int.from_bytes(hashlib.sha256(entry_id.encode()).digest()[:4], "big") & _NUMBER_TOP
        while number in taken or number == 0:
            number = number % _NUMBER_TOP + 1
        taken.add(number)
        numbers[entry_id] = number
    return numbers
