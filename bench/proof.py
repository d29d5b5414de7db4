"""Measure proofs: loading, verification, shadow analysis and differences, beside Z3 and Aerleon.

    python bench/proof.py [--aerleon PYTHON] [--peer-rules N]

Peers see the same rules in the same run, at the size given (`--peer-rules`, both grow with its square); the
ratio is their time over ours. The Z3 side is the straight encoding: one query per rule, all earlier rules
negated, in one solver. Aerleon compares pairs only, so it can find fewer shadows, and names a rule once for
each that holds it. Compare runs on one machine only.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rulesets

from zones.checks import run_tests
from zones.load import load_policy
from zones.proof.diff import diff
from zones.proof.shadow import first_match_shadows, never_decides
from zones.proof.verify import verify

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = 1_791_162_000.0
FLOWS, CHANGED, RUNS = 10_000, 20, 3
WIDTHS = (32, 32, 16, 16, 8)

Row = tuple[str, str, str]


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Return the median seconds of some runs, and what the last one gave."""
    seconds = []
    for _ in range(RUNS):
        gc.collect()
        began = time.perf_counter()
        result = work()
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds), result


def policies() -> list[Row]:
    """Return the rows about policies of 10,000 flows."""
    text, other = rulesets.policy(FLOWS), rulesets.policy(FLOWS, changed=CHANGED)

    def load() -> Any:
        policy = load_policy({"bench.json": text})
        run_tests(policy, now=NOW)
        return policy

    loading, policy = timed(load)
    after = load_policy({"other.json": other})
    proving, results = timed(lambda: list(verify(policy, now=NOW)))
    states = ", ".join(f"{result.invariant.id} {result.state}" for result in results)
    differing, found = timed(lambda: diff(policy, after, now=NOW))
    dead, gone = timed(lambda: never_decides(policy, now=NOW))
    size = f"{FLOWS:,} flows"
    return [
        (f"load and check, {size}", f"{loading:.2f} s", ""),
        (f"verify 4 invariants, {size}", f"{proving:.2f} s", states),
        (f"diff, {size}, {CHANGED} changed", f"{differing:.2f} s", f"{len(found)} groups"),
        (f"flows that never decide, {size}", f"{dead:.2f} s", f"{len(gone)} found"),
    ]


def shadows() -> list[Row]:
    """Return the rows about complete shadow analysis of firewall-like lists."""
    rows = []
    for count in (1_000, 10_000):
        rules = rulesets.firewall(count)
        seconds, found = timed(lambda rules=rules: first_match_shadows(rules))
        rows.append((f"complete shadow analysis, {count:,} rules", f"{seconds:.3f} s", f"{len(found)} found"))
    return rows


def z3_shadows(rules: list[rulesets.Box]) -> int:
    """Return how many rules Z3 finds to be held by earlier ones: one straight query for each."""
    import z3

    fields = [z3.BitVec(f"field{at}", width) for at, width in enumerate(WIDTHS)]

    def within(rule: rulesets.Box) -> Any:
        return z3.And(
            *(
                z3.And(z3.UGE(value, low), z3.ULE(value, high))
                for value, ((low, high),) in zip(fields, rule, strict=True)
            )
        )

    # As kind as a straight encoding can be: rules are built once, one solver keeps the earlier ones.
    held, solver = 0, z3.Solver()
    for rule in rules:
        matched = within(rule)
        solver.push()
        solver.add(matched)
        held += solver.check() == z3.unsat
        solver.pop()
        solver.add(z3.Not(matched))
    return held


def peers(count: int, aerleon: Path | None) -> list[Row]:
    """Return the rows of the peers over `count` rules, each with its ratio to ours."""
    rules = rulesets.firewall(count)
    ours, found = timed(lambda: first_match_shadows(rules))
    began = time.perf_counter()
    held = z3_shadows(rules)
    theirs = time.perf_counter() - began
    if held != len(found):
        raise SystemExit(f"Z3 finds {held} shadows, we find {len(found)}: one of the two is wrong")
    rows = [
        (f"shadow analysis, {count} rules", f"{ours:.4f} s", f"{len(found)} found"),
        (
            f"— Z3, straight encoding, {count} rules",
            f"{theirs:.2f} s",
            f"{held} found; {theirs / ours:,.0f} ×",
        ),
    ]
    if aerleon is None:
        return [*rows, ("— Aerleon, shade check", "not measured", "no venv with Aerleon (--aerleon)")]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rules.json"
        path.write_text(json.dumps([[field[0] for field in rule] for rule in rules]))
        script = Path(__file__).with_name("aerleon_shade.py")
        done = subprocess.run(
            [aerleon, script, path],
            check=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=600,
        )
    said = json.loads(done.stdout)
    check = max(said["parse_and_check"] - said["parse"], 0.0)
    note = f"{said['found']} pairs found; {check / ours:,.1f} × (check alone)"
    return [*rows, (f"— Aerleon, shade check, {count} rules", f"{check:.4f} s", note)]


def main() -> None:
    """Print machine and input, then one Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--aerleon", type=Path, help="the Python of a venv that has Aerleon")
    parser.add_argument("--peer-rules", type=int, default=1000)
    asked = parser.parse_args()
    machine = f"{platform.platform()}, {os.cpu_count()} CPUs, Python {platform.python_version()}"
    print(f"{machine}; median of {RUNS} runs\n")
    print("| what | time | |\n|---|---|---|")
    for part in (policies, shadows, lambda: peers(asked.peer_rules, asked.aerleon)):
        for row in part():
            print("| " + " | ".join(row) + " |", flush=True)


if __name__ == "__main__":
    main()
