"""The packet filter's classifier beside DPDK's rte_acl, on the same rules and packets, in one process.

    make/bench filter_classify [--json] [--markdown] [--set NAME]... [--rules FILE]... [--without rte_acl]

Each round asks both in turn; the ratio is the median of the rounds' ratios. Before anything is timed, every
answer of the two is compared. Times are of this thread's processor time; headers lie ready in memory for
both.
"""

from __future__ import annotations

import ctypes
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from array import array
from pathlib import Path
from struct import Struct
from typing import Any, NamedTuple

import classbench
import click

from gateway.filter._native import ffi, lib
from gateway.filter.tables import Box, Rule, Tables
from zones.address import Network

PACKETS = 1 << 19
ROUNDS = {1000: 15, 10_000: 9, 100_000: 5}
V6 = 0x20010DB8 << 96
_RULE = Struct("=4I4I4H4BI")


class Case(NamedTuple):
    name: str
    version: int
    rules: list[Rule]
    expanded: list[tuple[classbench.Rule5, int]]  # and the number of the rule it came from
    headers: list[tuple[int, int, int, int, int]]
    ratio_goal: float
    build_goal: float | None = None


class Result(NamedTuple):
    name: str
    rules: int
    kind: str
    mpps: float
    mpps_spread: tuple[float, float]
    build_ms: float  # of the tables, from packed rules
    python_ms: float  # the same from Python objects
    mib: float
    peer_mpps: float | None = None
    peer_build_ms: float | None = None
    peer_mib: float | None = None
    ratio: float | None = None
    ratio_spread: tuple[float, float] | None = None
    ratio_goal: float = 0.0
    build_ratio: float | None = None
    build_goal: float | None = None

    def met(self) -> bool | None:
        if self.ratio is None or self.build_ratio is None:
            return None
        return self.ratio >= self.ratio_goal and self.build_ratio >= (self.build_goal or 0)


def network(prefix: tuple[int, int], version: int) -> Network:
    """Return a prefix; of IPv6, the same 32 bits lie behind 2001:db8::/32."""
    address, length = prefix
    if version == 4:
        return Network(4, address, address | (1 << (32 - length)) - 1, length)
    first = V6 | address << 64
    return Network(6, first, first | (1 << (96 - length)) - 1, length + 32)


def five_field_case(name: str, rules: list[classbench.Rule5], version: int, goal: float) -> Case:
    boxes: dict[Any, tuple[Box, ...]] = {}
    made = []
    for rule in rules:
        protocol = None if rule.protocol == classbench.ANY_PROTOCOL else rule.protocol
        service = boxes.setdefault(rule[2:], (Box(protocol, *rule.sport, *rule.dport),))
        sources, destinations = network(rule.source, version), network(rule.destination, version)
        made.append(Rule(service, sources=(sources,), destinations=(destinations,)))
    expanded = list(zip(rules, range(len(rules)), strict=True))
    return Case(name, version, made, expanded, classbench.trace(rules, PACKETS), goal)


def object_group_case(count: int) -> Case:
    """Return rules as people keep them: groups of hosts and networks, and of services."""
    random_ = random.Random(3)
    sites = ((10 << 24, 8), (0xAC100000, 12), (0xC0A80000, 16))

    def member() -> tuple[int, int]:
        base, length = random_.choice(sites)
        own = random_.choice([24, 25, 26, 27, 28, 29, 30, 32, 32, 32, 32])
        return (base | random_.getrandbits(32 - length)) >> (32 - own) << (32 - own), own

    def service() -> Box:
        port = random_.choice(
            [22, 25, 53, 80, 123, 135, 139, 161, 389, 443, 445, 587, 636, 993, 1433, 1521, 3389]
        )
        return Box(
            random_.choice([6, 6, 6, 17]), 0, 65535, port, port + random_.choice([0, 0, 0, 0, 10, 100])
        )

    groups = [[member() for _ in range(random_.randint(2, 16))] for _ in range(300)]
    services = [tuple(service() for _ in range(random_.randint(1, 6))) for _ in range(60)]
    networks = [tuple(network(prefix, 4) for prefix in group) for group in groups]
    rules, expanded = [], []
    for number in range(count):
        one, other, boxes = random_.randrange(300), random_.randrange(300), random_.choice(services)
        rules.append(Rule(boxes, sources=networks[one], destinations=networks[other]))
        expanded += [
            (
                classbench.Rule5(source, to, (0, 65535), (box.dport_low, box.dport_high), box.protocol or 0),
                number,
            )
            for source in groups[one]
            for to in groups[other]
            for box in boxes
        ]
    heads = classbench.trace([rule for rule, _ in expanded], PACKETS)
    return Case(f"object groups {count}", 4, rules, expanded, heads, 4.0, 100.0)


def cases(wanted: tuple[str, ...], files: tuple[Path, ...]) -> list[Any]:
    """Return what to run, as functions: a case is made when it is its turn."""
    made: dict[str, Any] = {}
    for size, goal in ((1000, 1.5), (10_000, 2.0), (100_000, 3.0)):
        for shape in classbench.SHAPES:
            name = f"{shape} {size // 1000}k"
            made[name] = lambda n=name, s=shape, k=size, g=goal: five_field_case(
                n, classbench.rules(s, k), 4, g
            )
    made["object groups"] = lambda: object_group_case(1000)
    for size in (1000, 10_000):
        for shape in classbench.SHAPES:
            name = f"{shape} {size // 1000}k IPv6"
            made[name] = lambda n=name, s=shape, k=size: five_field_case(n, classbench.rules(s, k), 6, 2.0)
    for file in files:
        made[file.name] = lambda f=file: five_field_case(f"{f.name} (file)", classbench.read_rules(f), 4, 1.5)
    return [make for name, make in made.items() if not wanted or any(word in name for word in wanted)]


def seconds(work: Any) -> float:
    start = time.thread_time()
    work()
    return time.thread_time() - start


class Ours:
    def __init__(self, case: Case) -> None:
        start = time.perf_counter()
        self.tables = Tables.build([], [], case.rules)
        self.python_seconds = time.perf_counter() - start
        self.build_seconds = _native_build_seconds(case.rules)
        columns = list(zip(*case.headers, strict=True))
        self._keep: list[Any] = []
        self.answers = array("I", bytes(4 * len(case.headers)))
        self._headers = ffi.new("struct mg_headers *", {"version": case.version})
        if case.version == 4:
            self._headers.source4, self._headers.destination4 = (
                self._column(columns[0]),
                self._column(columns[1]),
            )
        else:
            self._headers.source_hi = self._column([V6 >> 64 | one for one in columns[0]], "uint64_t")
            self._headers.destination_hi = self._column([V6 >> 64 | one for one in columns[1]], "uint64_t")
            ones = self._column([1] * len(case.headers), "uint64_t")
            self._headers.source_lo = self._headers.destination_lo = ones
        self._headers.ports = self._column(
            one << 16 | other for one, other in zip(*columns[2:4], strict=True)
        )
        self._headers.protocols = self._column(columns[4], "uint8_t")
        self._answers = ffi.new("struct mg_answers *", {"rules": ffi.from_buffer("uint32_t[]", self.answers)})

    def _column(self, values: Any, kind: str = "uint32_t") -> Any:
        packed = array({"uint8_t": "B", "uint32_t": "I", "uint64_t": "Q"}[kind], values)
        self._keep.append(packed)
        return ffi.from_buffer(f"{kind}[]", packed)

    def classify(self) -> None:
        lib.mg_classify_headers(self.tables.pointer, self._headers, len(self.answers), self._answers)


def _native_build_seconds(rules: list[Rule]) -> float:
    """Return the median time the C builder takes, the packing of Python objects left out."""
    from gateway.filter import tables

    policy, _keep = tables._packed([], [], rules)
    policy.max_bytes = tables.MAX_BYTES
    taken = []
    for _ in range(3):
        made = ffi.new("struct mg_tables **")
        taken.append(seconds(lambda made=made: lib.mg_tables_build(policy, made)))
        lib.mg_tables_free(made[0])
    return statistics.median(taken)


class Peer:
    """rte_acl, through bench/rte_acl.c."""

    def __init__(self, folder: str) -> None:
        flags = {
            which: subprocess.run(
                ["pkg-config", f"--{which}", "libdpdk"], check=True, capture_output=True, text=True
            ).stdout.split()
            for which in ("cflags", "libs")
        }
        source, library = Path(__file__).with_name("rte_acl.c"), f"{folder}/rte_acl.so"
        command = [
            "cc",
            "-O3",
            "-shared",
            "-fPIC",
            *flags["cflags"],
            str(source),
            "-o",
            library,
            *flags["libs"],
        ]
        subprocess.run(command, check=True)
        self._lib = ctypes.CDLL(library)
        self._lib.peer_build.restype = ctypes.c_void_p
        self._lib.peer_bytes.restype = ctypes.c_uint64
        if self._lib.peer_start() < 0:
            raise SystemExit("rte_acl: DPDK does not start")
        self.algorithms = [self._lib.peer_avx2(), self._lib.peer_avx512()]

    def build(self, case: Case) -> None:
        packed = b"".join(_peer_rule(rule, number, case.version) for rule, number in case.expanded)
        made: list[int] = []
        self.build_seconds = seconds(
            lambda: made.append(self._lib.peer_build(packed, len(case.expanded), case.version))
        )
        if not made[0]:
            raise SystemExit(f"rte_acl: cannot build {case.name}")
        self._peer = ctypes.c_void_p(made[0])
        self.bytes = self._lib.peer_bytes(self._peer)
        columns = list(zip(*case.headers, strict=True))
        sources, destinations = (_words(column, case.version) for column in columns[:2])
        ports = array("I", (one << 16 | other for one, other in zip(*columns[2:4], strict=True)))
        self.answers = array("I", bytes(4 * len(case.headers)))
        self._answers = (ctypes.c_uint32 * len(self.answers)).from_buffer(self.answers)
        self._count = ctypes.c_uint64(len(self.answers))
        self._lib.peer_load(
            self._peer, case.version, self._count, sources.tobytes(), destinations.tobytes(), ports.tobytes(),
            bytes(columns[4]),
        )  # fmt: skip

    def classify(self, algorithm: int) -> None:
        if self._lib.peer_classify(self._peer, self._count, self._answers, algorithm):
            raise SystemExit("rte_acl: cannot classify")

    def free(self) -> None:
        self._lib.peer_free(self._peer)


def _words(addresses: Any, version: int) -> array[int]:
    if version == 4:
        return array("I", (word for address in addresses for word in (0, 0, 0, address)))
    return array("I", (word for address in addresses for word in (V6 >> 96, address, 0, 1)))


def _peer_rule(rule: classbench.Rule5, number: int, version: int) -> bytes:
    any_protocol = rule.protocol == classbench.ANY_PROTOCOL
    words, lengths = [], []
    for address, length in (rule.source, rule.destination):
        words += [address, 0, 0, 0] if version == 4 else [V6 >> 96, address, 0, 0]
        lengths.append(length if version == 4 else length + 32)
    protocol = (0, 0) if any_protocol else (rule.protocol, 255)
    return _RULE.pack(*words, *rule.sport, *rule.dport, *lengths, *protocol, number + 1)


def run(case: Case, peer: Peer | None) -> Result:
    ours = Ours(case)
    rounds = ROUNDS.get(10 ** (len(str(len(case.rules))) - 1), 9)
    ours.classify()
    if peer is not None:
        peer.build(case)
        for algorithm in peer.algorithms:
            peer.classify(algorithm)
            if any(
                (one + 1) & 0xFFFFFFFF != other for one, other in zip(ours.answers, peer.answers, strict=True)
            ):
                raise SystemExit(f"{case.name}: the two answer differently")
    own, others = [], []
    for _ in range(rounds):
        own.append(seconds(ours.classify))
        if peer is not None:
            others.append(min(seconds(lambda a=a: peer.classify(a)) for a in peer.algorithms))
    result = Result(
        name=case.name,
        rules=len(case.rules),
        kind=ours.tables.kind,
        mpps=PACKETS / statistics.median(own) / 1e6,
        mpps_spread=(PACKETS / max(own) / 1e6, PACKETS / min(own) / 1e6),
        build_ms=ours.build_seconds * 1e3,
        python_ms=ours.python_seconds * 1e3,
        mib=ours.tables.memory_bytes / 2**20,
        ratio_goal=case.ratio_goal,
        build_goal=case.build_goal,
    )
    if peer is None:
        return result
    ratios = [other / one for one, other in zip(own, others, strict=True)]
    result = result._replace(
        peer_mpps=PACKETS / statistics.median(others) / 1e6,
        peer_build_ms=peer.build_seconds * 1e3,
        peer_mib=peer.bytes / 2**20,
        ratio=statistics.median(ratios),
        ratio_spread=(min(ratios), max(ratios)),
        build_ratio=peer.build_seconds / ours.build_seconds,
    )
    peer.free()
    return result


_HEADINGS = ("set", "rules", "tables", "Mpps", "rte_acl Mpps", "ratio (spread)", "goal", "build ms",
             "from Python ms", "rte_acl build ms", "build ratio", "MiB", "rte_acl MiB", "met")  # fmt: skip


def cells(r: Result) -> list[str]:
    def number(value: float | None, places: int = 1) -> str:
        return "–" if value is None else f"{value:.{places}f}"

    spread = f" ({r.ratio_spread[0]:.2f}-{r.ratio_spread[1]:.2f})" if r.ratio_spread else ""
    goal = f"≥ {r.ratio_goal}" + (f", build ≥ {r.build_goal:.0f}" if r.build_goal else "")
    met = {None: "–", True: "yes", False: "no"}[r.met()]
    speed = [number(r.mpps), number(r.peer_mpps), number(r.ratio, 2) + spread, goal]
    build = [number(r.build_ms), number(r.python_ms), number(r.peer_build_ms, 0), number(r.build_ratio, 0)]
    return [r.name, str(r.rules), r.kind, *speed, *build, number(r.mib), number(r.peer_mib), met]


@click.command()
@click.option("--json", "as_json", is_flag=True, help="one JSON object per set")
@click.option("--set", "wanted", multiple=True, help="only sets whose name holds this")
@click.option(
    "--rules", "files", multiple=True, type=click.Path(exists=True, path_type=Path), help="a filter file"
)
@click.option("--without", multiple=True, type=click.Choice(["rte_acl"]), help="a peer to leave out")
@click.option("--markdown", type=click.Path(path_type=Path), help="write the table to this file too")
def main(
    *,
    as_json: bool,
    wanted: tuple[str, ...],
    files: tuple[Path, ...],
    without: tuple[str, ...],
    markdown: Path | None,
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        peer = None if "rte_acl" in without else Peer(folder)
        rows = [f"| {' | '.join(_HEADINGS)} |", "|" + " --- |" * len(_HEADINGS)]
        if not as_json:
            print(*rows, sep="\n", flush=True)
        for make in cases(wanted, files):
            result = run(make(), peer)
            rows.append(f"| {' | '.join(cells(result))} |")
            print(json.dumps({**result._asdict(), "met": result.met()}) if as_json else rows[-1], flush=True)
        if markdown is not None:
            markdown.write_text("\n".join(rows) + "\n")


if __name__ == "__main__":
    sys.exit(main())
