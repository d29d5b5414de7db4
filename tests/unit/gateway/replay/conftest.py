"""The city whose policy judges the packets of these tests, and what runs a case of the corpus."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from gateway.filter.reference import ReferenceEngine
from gateway.replay.captures import open_capture, read_capture
from gateway.replay.ingress import ZoneMap, parse_map
from gateway.replay.lines import flow_line, packet_line, summary_line
from gateway.replay.replay import Replay
from zones.errors import ExitCode
from zones.expiry import parse_now
from zones.load import read_policy

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.replay.flows import FlowRecord
    from gateway.replay.records import PacketRecord
    from zones.model import Policy

CITY = Path(__file__).parents[1] / "filter" / "city.yaml"


@pytest.fixture(scope="session")
def city() -> Policy:
    """Every kind of flow once: see city.yaml."""
    return read_policy(CITY)


@pytest.fixture(scope="session")
def check_case() -> Callable[[Path], None]:
    """What runs one case, as `tests/corpus/replay-*` holds it and `--save-case` writes it."""
    return _check_case


class Lines:
    """A sink that keeps the lines."""

    wants_packets = True

    def __init__(self) -> None:
        self.packets: list[dict[str, Any]] = []
        self.flows: list[dict[str, Any]] = []

    def packet(self, record: PacketRecord, flow: FlowRecord | None) -> None:
        self.packets.append(packet_line(record, flow))

    def flow(self, record: FlowRecord) -> None:
        self.flows.append(flow_line(record))


def _check_case(case: Path) -> None:
    expected = json.loads((case / "expected.json").read_text())
    mapping, now, ignore_checksums = _options(expected["options"])
    policy = read_policy(case / "policy" if (case / "policy").is_dir() else case / "policy.yaml")
    (capture,) = case.glob("capture.*")
    moment = parse_now(now, policy.timezone) if now else None
    engine = ReferenceEngine(policy, now=moment, ignore_checksums=ignore_checksums)
    lines = Lines()
    replay = Replay(policy, engine, ZoneMap(policy, parse_map(mapping, policy)), lines)
    with open_capture(str(capture)) as source:
        result = replay.read(capture.name, read_capture(source, capture.name))
    totals = replay.finish()
    summary = summary_line(totals) | {"troubles": [code for _, code in result.troubles]}

    assert _like(lines.packets, expected["packets"]) == expected["packets"]
    assert _like(lines.flows, expected["flows"]) == expected["flows"]
    assert _only(summary, expected["summary"]) == expected["summary"]
    assert (ExitCode.FINDING if totals.troubled else ExitCode.OK) == expected["exit"]


def _options(options: list[str]) -> tuple[list[str], str | None, bool]:
    mapping, now, ignore_checksums = [], None, False
    rest = iter(options)
    for option in rest:
        if option == "--map":
            mapping.append(next(rest))
        elif option == "--now":
            now = next(rest)
        else:
            assert option == "--ignore-checksums", f"{option}: teach it to this test"
            ignore_checksums = True
    return mapping, now, ignore_checksums


def _like(lines: list[dict[str, Any]], rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    assert len(lines) == len(rows)
    return [_only(line, row) for line, row in zip(lines, rows, strict=True)]


def _only(line: dict[str, Any], row: dict[str, Any]) -> dict[str, Any]:
    return {key: line[key] for key in row}
