"""Rules as tables that answer for a packet in some ten nanoseconds: the Python face of `native/classify.h`.

`Tables.build` packs the rules into flat arrays and hands them to C in one call. Rules that share a tuple of
prefixes, labels or services share it in the tables too, so a list of 40 prefixes and one of 12 services stay
one rule and two lists.
"""

from __future__ import annotations

import secrets
from array import array
from dataclasses import dataclass
from struct import Struct
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from gateway.filter._native import ffi, lib
from zones.errors import BackendError, ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Sequence

    from zones.address import Network

_KINDS = {"auto": 0, "bit-vectors": 1, "class-pairs": 2}
Kind = Literal["auto", "bit-vectors", "class-pairs"]
MAX_BYTES = 1 << 30
"""Tables beyond this are refused: no policy that people keep in order comes near it."""

_PREFIX = Struct("=QQIBBxx")
_BOX = Struct("=5H")
_RULE = Struct("=5I")
_KEY = Struct("=QQQQIBBxx")
_HALF = (1 << 64) - 1
_ICMP = (1, 58)


class Box(NamedTuple):
    """One service: a protocol (None: any) and ranges of ports, both ends inclusive.

    Of ICMP, `dport` is the type and `sport` the code.
    """

    protocol: int | None = None
    sport_low: int = 0
    sport_high: int = 65535
    dport_low: int = 0
    dport_high: int = 65535


class Rule(NamedTuple):
    """What a packet must be to match; None is anything, an empty list nothing.

    An address must have one of the labels and lie in one of the prefixes.
    """

    services: tuple[Box, ...] = (Box(),)
    source_labels: frozenset[int] | None = None
    sources: tuple[Network, ...] | None = None
    destination_labels: frozenset[int] | None = None
    destinations: tuple[Network, ...] | None = None


class Header(NamedTuple):
    """What of a packet the tables look at; of ICMP, `dport` is the type and `sport` the code."""

    version: int
    source: int
    destination: int
    protocol: int
    sport: int
    dport: int


class Match(NamedTuple):
    """The classes of a packet and the number of the first rule it matches; None: it matches none."""

    source: int
    destination: int
    service: int
    rule: int | None


class _Sets:
    """Distinct lists of items, each packed once and numbered."""

    def __init__(self) -> None:
        self._numbers: dict[Hashable, int] = {}
        self._seen: dict[int, int] = {}
        self.offsets = array("I", [0])
        self.lists: list[Iterable[Any]] = []
        self._items = 0

    def number(self, items: tuple[Any, ...] | frozenset[int] | None) -> int:
        if items is None:
            return _ANY
        # The same object again is the common case, and much cheaper to know than an equal one. An id stays
        # its object's as long as the rules hold it, which is until the tables are built.
        number = self._seen.get(id(items))
        if number is None:
            number = self._numbers.setdefault(items, len(self._numbers))
            self._seen[id(items)] = number
            if number == len(self.lists):
                self.lists.append(items)
                self._items += len(items)
                self.offsets.append(self._items)
        return number


_ANY: int = lib.MG_ANY


@dataclass(frozen=True, kw_only=True)
class Tables:
    """Compiled rules. Read-only, so that any number of threads may ask them at once."""

    kind: Literal["bit-vectors", "class-pairs"]
    rules: int
    memory_bytes: int
    source_labels: Sequence[int]
    """The label of each source class."""
    destination_labels: Sequence[int]
    services: int
    """How many service classes there are."""
    pointer: Any
    """`struct mg_tables *`, for other parts of the C core; freed with this object."""

    @classmethod
    def build(
        cls,
        source_labels: Iterable[tuple[Network, int]],
        destination_labels: Iterable[tuple[Network, int]],
        rules: Sequence[Rule],
        *,
        kind: Kind = "auto",
        max_bytes: int = MAX_BYTES,
    ) -> Tables:
        """Return the tables of rules in order; the first that matches decides.

        Labels are numbers up to 65,535 on addresses: the longest prefix wins, anything else has 0.

        Raises:
            ConfigurationError: the tables would pass `max_bytes`, or number more than they can.
            BackendError: the system has no memory left.
            ValueError: a prefix, label or service that is none.
        """
        rules = list(rules)
        policy, _keep = _packed(list(source_labels), list(destination_labels), rules)
        policy.kind = _KINDS[kind]
        policy.max_bytes = max_bytes
        made = ffi.new("struct mg_tables **")
        error = lib.mg_tables_build(policy, made)
        if error != lib.MG_BUILT:
            raise _failure(error, len(rules), max_bytes)
        pointer = ffi.gc(made[0], lib.mg_tables_free, lib.mg_tables_bytes(made[0]))
        lookup = lib.mg_tables_lookup(pointer)
        return cls(
            kind="bit-vectors" if lookup.kind == lib.MG_BIT_VECTORS else "class-pairs",
            rules=len(rules),
            memory_bytes=lib.mg_tables_bytes(pointer),
            source_labels=ffi.unpack(lookup.source.labels, lookup.source.classes),
            destination_labels=ffi.unpack(lookup.destination.labels, lookup.destination.classes),
            services=lookup.services.count,
            pointer=pointer,
        )

    def classify(self, headers: Sequence[Header]) -> list[Match]:
        """Return classes and first match of each header."""
        packed = b"".join([_key(header) for header in headers])
        count = len(headers)
        columns = [array("I", bytes(4 * count)) for _ in range(4)]
        pointers = [ffi.from_buffer("uint32_t[]", column) for column in columns]
        answers = ffi.new("struct mg_answers *", pointers)
        keys = ffi.cast("struct mg_key *", ffi.from_buffer(packed))
        lib.mg_classify_keys(self.pointer, keys, _KEY.size, count, answers)
        none: int = lib.MG_NO_RULE
        return [
            Match(s, d, v, None if rule == none else rule) for s, d, v, rule in zip(*columns, strict=True)
        ]

    def all_matches(self, source: int, destination: int, service: int) -> list[int]:
        """Return the number of every rule that packets of these classes match, in order.

        Raises:
            IndexError: there is no such class.
        """
        sizes = (len(self.source_labels), len(self.destination_labels), self.services)
        for number, size in zip((source, destination, service), sizes, strict=True):
            if not 0 <= number < size:
                raise IndexError(number)
        words = (self.rules + 63) // 64
        matches = ffi.new("uint64_t[]", words + 1)
        lib.mg_all_matches(self.pointer, source, destination, service, matches)
        found = []
        for at, word in enumerate(ffi.unpack(matches, words)):
            left = word
            while left:
                found.append(at * 64 + (left & -left).bit_length() - 1)
                left &= left - 1
        return found


def _key(header: Header) -> bytes:
    version, source, destination, protocol, sport, dport = header
    tail = (dport & 255) << 8 | sport & 255 if protocol in _ICMP else sport << 16 | dport
    return _KEY.pack(
        source >> 64,
        source & _HALF,
        destination >> 64,
        destination & _HALF,
        tail,
        protocol,
        version,
    )


def _failure(error: int, rules: int, max_bytes: int) -> Exception:
    if error == lib.MG_TOO_LARGE:
        return ConfigurationError("tables-too-large", rules=rules, limit_mib=max_bytes >> 20)
    if error == lib.MG_TOO_MANY:
        return ConfigurationError("tables-too-many", rules=rules)
    if error == lib.MG_NO_MEMORY:
        return BackendError("tables-no-memory", rules=rules)
    return ValueError(ffi.string(ffi.cast("enum mg_build_error", error)))


def _prefix(network: Network, label: int = 0) -> bytes:
    version, first, _, length = network
    return _PREFIX.pack(first >> 64, first & _HALF, label, version, length)


def _packed(
    source_labels: list[tuple[Network, int]],
    destination_labels: list[tuple[Network, int]],
    rules: list[Rule],
) -> tuple[Any, list[object]]:
    """Return a `struct mg_policy *`, and what must be kept alive while it is read."""
    labels, prefixes, services = _Sets(), _Sets(), _Sets()
    label, prefix, service, pack = labels.number, prefixes.number, services.number, _RULE.pack
    rows = [
        pack(label(one), prefix(source), label(other), prefix(destination), service(boxes))
        for boxes, one, source, other, destination in rules
    ]
    keep: list[object] = []

    def view(kind: str, packed: bytes | array[int]) -> Any:
        pointer = ffi.from_buffer(packed)
        keep.append(pointer)
        return ffi.cast(f"{kind} *", pointer)

    def sets(of: _Sets) -> dict[str, Any]:
        return {"offsets": view("uint32_t", of.offsets), "count": len(of.lists), "items": of.offsets[-1]}

    prefix_items = [_prefix(network) for networks in prefixes.lists for network in networks]
    box_items = [
        _BOX.pack(lib.MG_ANY_PROTOCOL if protocol is None else protocol, *ports)
        for boxes in services.lists
        for protocol, *ports in boxes
    ]
    label_items = array("I", [number for numbers in labels.lists for number in numbers])
    policy = ffi.new(
        "struct mg_policy *",
        {
            "source_labels": view("struct mg_prefix", b"".join(_prefix(*item) for item in source_labels)),
            "source_label_count": len(source_labels),
            "destination_labels": view(
                "struct mg_prefix", b"".join(_prefix(*item) for item in destination_labels)
            ),
            "destination_label_count": len(destination_labels),
            "prefixes": view("struct mg_prefix", b"".join(prefix_items)),
            "prefix_sets": sets(prefixes),
            "labels": view("uint32_t", label_items),
            "label_sets": sets(labels),
            "boxes": view("struct mg_box", b"".join(box_items)),
            "service_sets": sets(services),
            "rules": view("struct mg_rule", b"".join(rows)),
            "rule_count": len(rows),
            "key": [secrets.randbits(64), secrets.randbits(64)],
        },
    )
    return policy, keep
