"""Cases from `tests/corpus/replay-*`: a capture, a policy, and what must come of every packet.

A case is a folder: capture.pcap or capture.pcapng, policy.yaml, expected.json, case.md (where it is from).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from gateway.filter.engine import ReferenceEngine
from gateway.replay.captures import open_capture, read_capture
from gateway.replay.ingress import ZoneMap, parse_map
from gateway.replay.lines import flow_line, packet_line, summary_line
from gateway.replay.replay import Replay
from zones.errors import ExitCode
from zones.load import read_policy

if TYPE_CHECKING:
    from gateway.replay.flows import FlowRecord
    from gateway.replay.records import PacketRecord

CORPUS = Path(__file__).parents[3] / "corpus"
CASES = sorted(CORPUS.glob("replay-*"))


class Lines:
    wants_packets = True

    def __init__(self) -> None:
        self.packets: list[dict[str, Any]] = []
        self.flows: list[dict[str, Any]] = []

    def packet(self, record: PacketRecord, flow: FlowRecord | None) -> None:
        self.packets.append(packet_line(record, flow))

    def flow(self, record: FlowRecord) -> None:
        self.flows.append(flow_line(record))


def test_the_corpus_is_there() -> None:
    assert len(CASES) >= 12
    for case in CASES:
        assert (case / "case.md").read_text().strip(), case


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_case_of_the_corpus(case: Path) -> None:
    expected = json.loads((case / "expected.json").read_text())
    options = expected["options"]
    assert options[::2] == ["--map"] * (len(options) // 2), "other options: teach them to this test"
    policy = read_policy(case / "policy.yaml")
    (capture,) = case.glob("capture.*")
    lines = Lines()
    replay = Replay(policy, ReferenceEngine(policy), ZoneMap(policy, parse_map(options[1::2], policy)), lines)
    with open_capture(str(capture)) as source:
        result = replay.read(capture.name, read_capture(source, capture.name))
    totals = replay.finish()
    summary = summary_line(totals) | {"troubles": [code for _, code in result.troubles]}

    assert [_only(line, row) for line, row in _pairs(lines.packets, expected["packets"])] == expected[
        "packets"
    ]
    assert [_only(line, row) for line, row in _pairs(lines.flows, expected["flows"])] == expected["flows"]
    assert _only(summary, expected["summary"]) == expected["summary"]
    assert (ExitCode.FINDING if totals.troubled else ExitCode.OK) == expected["exit"]


def _pairs(
    lines: list[dict[str, Any]], rows: list[dict[str, Any]]
) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    assert len(lines) == len(rows)
    return list(zip(lines, rows, strict=True))


def _only(line: dict[str, Any], row: dict[str, Any]) -> dict[str, Any]:
    return {key: line[key] for key in row}
