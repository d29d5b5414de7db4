"""Rule sets with the statistics of ClassBench seeds, and packets to classify with them.

ClassBench (Taylor and Turner, INFOCOM 2005) describes a filter set by distributions: pairs of prefix
lengths, port classes (any, 0-1023, 1024-65535, one, a range), protocols, and address trees in which few nodes
branch and one child holds most (skew). `SHAPES` holds such distributions for access lists, firewalls and IP
chains; `rules` draws from them, the same for the same seed; `read_rules` reads a real filter file; `trace`
makes headers whose popularity follows a Pareto law.
"""

from __future__ import annotations

import random
import re
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

TCP, UDP, ICMP, ESP = 6, 17, 1, 50
ANY_PORT, LOW, HIGH = (0, 65535), (0, 1023), (1024, 65535)
ANY_PROTOCOL = 256


class Rule5(NamedTuple):
    """One rule over five fields: prefixes as (address, length), ports as (low, high)."""

    source: tuple[int, int]
    destination: tuple[int, int]
    sport: tuple[int, int]
    dport: tuple[int, int]
    protocol: int  # or ANY_PROTOCOL


class Shape(NamedTuple):
    """Weights of everything a rule is drawn from."""

    lengths: dict[tuple[tuple[int, int], tuple[int, int]], int]  # ranges of source and destination lengths
    protocols: dict[int, int]
    sports: dict[str, int]
    dports: dict[str, int]
    branching: float  # of a node of the address tree
    skew: float  # how much of what is below a branch the heavier child holds
    reuse: tuple[float, float]  # of rules whose source, whose destination was seen before


SHAPES: dict[str, Shape] = {
    "acl1": Shape(
        {
            ((32, 32), (32, 32)): 34,
            ((21, 27), (32, 32)): 30,
            ((0, 0), (32, 32)): 9,
            ((28, 31), (24, 32)): 18,
            ((16, 24), (16, 24)): 8,
            ((32, 32), (0, 0)): 1,
        },
        {TCP: 85, UDP: 9, ANY_PROTOCOL: 4, ICMP: 2},
        {"any": 100},
        {"any": 28, "one": 52, "range": 16, "high": 4},
        0.35,
        0.65,
        (0.75, 0.55),
    ),
    "fw1": Shape(
        {
            ((0, 0), (24, 32)): 34,
            ((24, 32), (0, 0)): 16,
            ((28, 32), (28, 32)): 36,
            ((16, 24), (24, 32)): 9,
            ((0, 2), (0, 4)): 1,
            ((24, 30), (14, 20)): 4,
        },
        {TCP: 58, UDP: 32, ANY_PROTOCOL: 7, ICMP: 3},
        {"any": 62, "one": 25, "high": 12, "low": 1},
        {"any": 32, "one": 52, "high": 11, "range": 4, "low": 1},
        0.3,
        0.7,
        (0.8, 0.75),
    ),
    "ipc1": Shape(
        {
            ((32, 32), (32, 32)): 38,
            ((24, 31), (24, 32)): 24,
            ((16, 24), (24, 32)): 12,
            ((0, 0), (24, 32)): 9,
            ((24, 32), (0, 8)): 9,
            ((8, 16), (14, 24)): 8,
        },
        {TCP: 48, UDP: 33, ANY_PROTOCOL: 15, ICMP: 3, ESP: 1},
        {"any": 74, "one": 19, "high": 5, "range": 2},
        {"any": 50, "one": 42, "high": 3, "range": 5},
        0.4,
        0.6,
        (0.7, 0.65),
    ),
}
_EXACT = [
    53,
    80,
    443,
    25,
    123,
    161,
    22,
    21,
    1521,
    110,
    143,
    389,
    514,
    1433,
    3306,
    3389,
    5631,
    8080,
    1717,
    5555,
]


class _Addresses:
    """Prefixes drawn from one skewed tree: what is drawn nests and shares its leading bits."""

    def __init__(self, shape: Shape, salt: int, random_: random.Random) -> None:
        self._shape, self._salt, self._random = shape, salt, random_
        self._seen: dict[int, list[int]] = {}

    def draw(self, length: int, reuse: float) -> tuple[int, int]:
        seen = self._seen.setdefault(length, [])
        if seen and self._random.random() < reuse:
            return seen[int(len(seen) * self._random.random() ** 2)], length
        address, coin = 0, self._random.random
        for depth in range(length):
            # The tree is a function of the path, so that two draws walk through the same nodes.
            node = (address << 6 | depth) * 0x9E3779B97F4A7C15 + self._salt & 0xFFFFFFFFFFFFFFFF
            node ^= node >> 29
            heavy = node & 1
            branches = (node >> 8 & 0xFFFF) < 65536 * (self._shape.branching + 0.5 * (depth >= 12))
            address = address << 1 | (heavy if not branches or coin() < self._shape.skew else 1 - heavy)
        address <<= 32 - length
        seen.append(address)
        return address, length


def rules(name: str, count: int, seed: int = 1) -> list[Rule5]:
    """Return `count` distinct rules of a shape; nothing matches all packets."""
    shape, random_ = SHAPES[name], random.Random(f"{name}-{seed}")
    ends = [_Addresses(shape, random_.getrandbits(64), random_) for _ in range(2)]
    services = [_service(shape, random_) for _ in range(min(60 + count // 200, 400))]
    weights = list(accumulate(1 / (rank + 1) for rank in range(len(services))))
    pairs = list(shape.lengths)
    pair_weights = list(accumulate(shape.lengths.values()))
    made: dict[Rule5, None] = {}
    while len(made) < count:
        (one, other) = random_.choices(pairs, cum_weights=pair_weights)[0]
        source = ends[0].draw(random_.randint(*one), shape.reuse[0])
        destination = ends[1].draw(random_.randint(*other), shape.reuse[1])
        service = random_.choices(services, cum_weights=weights)[0]
        if source[1] + destination[1] > 2 or HIGH != service[1] != ANY_PORT:
            made[Rule5(source, destination, *service)] = None
    ordered = list(made)
    random_.shuffle(ordered)
    # As people write them: the narrow before the wide, on the whole.
    return sorted(ordered, key=lambda rule: -(rule.source[1] + rule.destination[1]) // 8)


def _service(shape: Shape, random_: random.Random) -> tuple[tuple[int, int], tuple[int, int], int]:
    protocol = random_.choices(list(shape.protocols), list(shape.protocols.values()))[0]
    if protocol not in (TCP, UDP):
        return ANY_PORT, ANY_PORT, protocol
    return _ports(shape.sports, random_), _ports(shape.dports, random_), protocol


def _ports(weights: dict[str, int], random_: random.Random) -> tuple[int, int]:
    kind = random_.choices(list(weights), list(weights.values()))[0]
    if kind == "one":
        port = random_.choice(_EXACT) if random_.random() < 0.5 else random_.randrange(1, 30000)
        return port, port
    if kind == "range":
        low = random_.randrange(1, 60000)
        return low, low + random_.choice([1, 2, 5, 10, 100, 1000, 5000])
    return {"any": ANY_PORT, "low": LOW, "high": HIGH}[kind]


_LINE = re.compile(
    r"@([\d.]+)/(\d+)\s+([\d.]+)/(\d+)\s+(\d+) : (\d+)\s+(\d+) : (\d+)\s+0x([0-9a-fA-F]+)/0x([0-9a-fA-F]+)"
)


def _read_prefix(text: str, length: int) -> tuple[int, int]:
    address = int.from_bytes(bytes(int(part) for part in text.split(".")))
    return address >> (32 - length) << (32 - length), length


def read_rules(path: Path) -> list[Rule5]:
    """Return the distinct rules of a ClassBench filter file, without those that match every packet."""
    made: dict[Rule5, None] = {}
    for line in path.read_text().splitlines():
        found = _LINE.match(line)
        if found is None:
            continue
        one, one_length, other, other_length, *ports, protocol, mask = found.groups()
        low, high, low2, high2 = map(int, ports)
        rule = Rule5(
            _read_prefix(one, int(one_length)),
            _read_prefix(other, int(other_length)),
            (low, high),
            (low2, high2),
            int(protocol, 16) if int(mask, 16) else ANY_PROTOCOL,
        )
        if rule[:4] != ((0, 0), (0, 0), ANY_PORT, ANY_PORT):
            made[rule] = None
    return list(made)


def trace(
    drawn_from: Sequence[Rule5], count: int, *, seed: int = 1, strays: float = 0.2, repeat: float = 0.0
) -> list[tuple[int, int, int, int, int]]:
    """Return `count` headers: source, destination, source and destination port, protocol.

    Rules are chosen with Pareto weights; `strays` of the headers have one field that is anything; with
    probability `repeat` a header is that of a packet shortly before.
    """
    random_ = random.Random(seed)
    coin = random_.random
    shuffled = random_.sample(drawn_from, len(drawn_from))
    weights = list(accumulate(1 / (rank + 1) for rank in range(len(shuffled))))
    headers: list[tuple[int, int, int, int, int]] = []
    for rule in random_.choices(shuffled, cum_weights=weights, k=count):
        if coin() < repeat and headers:
            headers.append(headers[-1 - int(min(len(headers), 32) * coin() ** 2)])
            continue
        fields = [
            address | int(coin() * (1 << (32 - length)))
            for address, length in (rule.source, rule.destination)
        ]
        fields += [low + int(coin() * (high - low + 1)) for low, high in (rule.sport, rule.dport)]
        protocol = rule.protocol if rule.protocol != ANY_PROTOCOL else TCP if coin() < 0.7 else UDP
        if coin() < strays:
            which = int(coin() * 4)
            fields[which] = int(coin() * (1 << 32 if which < 2 else 1 << 16))
        headers.append((fields[0], fields[1], fields[2], fields[3], protocol))
    return headers
