"""A ruleset in stages: everything without a hook first, in bites, then one small transaction that swaps.

One transaction for all would be simplest, but a netlink batch must fit the socket's send buffer, which
`nft` cannot enlarge inside a user namespace (a sample city is 320 KB, the default buffer 208 KB). What has
no hook judges no packet: the table is built beside the one in force, and the last transaction hooks it in
and deletes the others, at once or not at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.kernel.ruleset import block

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

TABLES = ("masugata_a", "masugata_b")
"""The two names a policy's table takes in turn."""
CLOSED_TABLE = "masugata_closed"
# nft's text grows about five times as netlink; a bite stays well below 208 KB.
_BITE_CHARACTERS = 16_000
_ELEMENTS = "\telements = { "


@dataclass(frozen=True, kw_only=True)
class Ruleset:
    """One table as texts to load in order; until `swap` is loaded, nothing has changed."""

    table: str
    stages: tuple[str, ...]
    swap: str

    def text(self) -> str:
        """Return the whole as one nft file, for people and for `nft -c`."""
        return "\n".join([*self.stages, self.swap])


def forget(*tables: str) -> str:
    """Return the commands that delete tables, whether they are there or not."""
    return "".join(f"table inet {name} {{ }}\ndelete table inet {name}\n" for name in tables)


def stage(table: str, items: Iterable[list[str]]) -> Ruleset:
    """Return the ruleset of a table from its items (counters, sets, maps, chains, each as lines)."""
    loose: list[list[str]] = []
    hooked: list[list[str]] = []
    for item in items:
        (hooked if _has_hook(item) else loose).append(item)
    others = [name for name in (*TABLES, CLOSED_TABLE) if name != table]
    # Chains jump to each other, and a map leads to them: all names first, rules last.
    names = [[" ".join(item[0].split()[:2]) + " { }"] for item in loose if item[0].startswith("chain ")]
    objects = [item for item in loose if not item[0].startswith("chain ")]
    rules = [item for item in loose if item[0].startswith("chain ") and len(item) > 1]
    objects, rules = ([piece for item in items for piece in _pieces(item)] for items in (objects, rules))
    bites = [_table(table, bite) for group in (names, objects, rules) for bite in _bites(group)]
    return Ruleset(
        table=table,
        stages=(forget(table), *bites),
        swap=_table(table, hooked) + forget(*others),
    )


def _has_hook(item: list[str]) -> bool:
    return len(item) > 1 and item[1].startswith("\ttype ") and " hook " in item[1]


def _table(table: str, items: Iterable[list[str]]) -> str:
    return "\n".join([*block(f"table inet {table}", [line for item in items for line in item]), ""])


def _pieces(item: list[str]) -> Iterator[list[str]]:
    """Yield an item as declarations of a bite's size: a chain is added to rule by rule, a set by elements."""
    if sum(map(len, item)) <= _BITE_CHARACTERS:
        yield item
        return
    head, *body, end = item
    declared = (
        [line for line in body if not line.startswith(_ELEMENTS)] if not head.startswith("chain ") else []
    )
    for lines in _bites([[part] for line in body if line not in declared for part in _parts(line)]):
        yield [head, *declared, *(line for part in lines for line in part), end]


def _parts(line: str) -> Iterator[str]:
    """Yield a line of elements as several; any other line stays whole."""
    if not line.startswith(_ELEMENTS) or len(line) <= _BITE_CHARACTERS:
        yield line
        return
    elements = line.removeprefix(_ELEMENTS).removesuffix(" }").split(", ")
    size = max(1, len(elements) * _BITE_CHARACTERS // len(line) - 1)
    for start in range(0, len(elements), size):
        yield f"{_ELEMENTS}{', '.join(elements[start : start + size])} }}"


def _bites(items: list[list[str]]) -> Iterator[list[list[str]]]:
    bite: list[list[str]] = []
    size = 0
    for item in items:
        length = sum(map(len, item))
        if bite and size + length > _BITE_CHARACTERS:
            yield bite
            bite, size = [], 0
        bite.append(item)
        size += length
    if bite:
        yield bite
