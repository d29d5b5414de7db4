"""`masugata replay` from outside: what it prints, and how it ends."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import unicodedata
from pathlib import Path
from typing import Any

import pytest

CORPUS = Path(__file__).parents[1] / "corpus"
TALK = CORPUS / "replay-tcp-conversation"
CUT = CORPUS / "replay-mapped-cut-snaplen"


def replay(
    *arguments: str | Path, stdin: bytes = b"", **environment: str
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-c", "from gateway.cli.main import main; main()", "replay", *map(str, arguments)],
        input=stdin,
        capture_output=True,
        timeout=30,
        check=False,
        env={**os.environ, **environment},
    )
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


def lines(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in done.stdout.splitlines()]


def width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


@pytest.mark.parametrize("language", ["en", "ja"])
def test_the_summary_fits_a_terminal_in_both_languages(language: str) -> None:
    done = replay(TALK / "capture.pcapng", "--policy", TALK / "policy.yaml", "--lang", language)

    assert done.returncode == 0
    assert "F020" in done.stdout
    assert "default-deny" in done.stdout
    assert "reference" in done.stdout
    assert all(width(line) <= 100 for line in done.stdout.splitlines())
    assert ("領域別" in done.stdout) == (language == "ja")


def test_json_has_a_line_for_every_packet_and_flow_and_ends_with_the_summary() -> None:
    done = replay(TALK / "capture.pcapng", "--policy", TALK / "policy.yaml", "--json", "-q")
    records = lines(done)

    assert done.stderr == ""
    assert [record["type"] for record in records] == ["packet"] * 9 + ["flow"] * 2 + ["summary"]
    assert records[-1]["engine"] == "reference"
    assert len(records[-1]["revision"]) == 64


def test_lists_can_be_narrowed() -> None:
    common = (TALK / "capture.pcapng", "--policy", TALK / "policy.yaml")

    denied = lines(replay(*common, "--json", "--denied"))
    assert [(r["type"], r.get("outcome")) for r in denied[:-1]] == [("packet", "deny"), ("flow", "deny")]
    flows = lines(replay(*common, "--json", "--flows", "--limit", "1"))
    assert [record["type"] for record in flows] == ["flow", "summary"]
    text = replay(*common, "--packets", "--flows", "--limit", "2").stdout
    assert "10.20.16.11:40000 → 198.51.100.10:443" in text
    assert "7 packets and 0 flows more" in text


def test_a_cut_capture_is_judged_up_to_the_cut_and_exits_1() -> None:
    done = replay(CUT / "capture.pcap", "--policy", CUT / "policy.yaml", "--map", "*=lgwan", "--json")

    assert done.returncode == 1
    assert lines(done)[-1]["files"][0]["troubles"][0]["code"] == "capture-cut"
    assert "stopped at byte" in done.stderr


def test_standard_input_and_gzip_are_read_like_a_file(tmp_path: Path) -> None:
    data = (TALK / "capture.pcapng").read_bytes()
    (tmp_path / "x.gz").write_bytes(gzip.compress(data))
    policy = str(TALK / "policy.yaml")
    runs = [
        replay(TALK / "capture.pcapng", "--policy", policy, "--json"),
        replay("-", "--json", stdin=data, MASUGATA_POLICY=policy),
        replay(tmp_path / "x.gz", "--policy", policy, "--json"),
    ]

    answers = [[(r["number"], r["outcome"]) for r in lines(done) if r["type"] == "packet"] for done in runs]
    assert len(answers[0]) == 9
    assert answers[0] == answers[1] == answers[2]
    assert [done.returncode for done in runs] == [0, 0, 0]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["{tmp}/none.pcap"], 2, "cannot open"),
        (["{tmp}"], 2, "holds no capture"),
        (["{tmp}/text"], 2, "is not a capture"),
        (["{capture}", "--map", "mn0"], 2, "WHAT=ZONE"),
        (["{capture}", "--map", "mn0=nowhere"], 2, "no zone 'nowhere'"),
        (["{capture}", "--now", "tomorrow"], 2, "not a date"),
        (["{capture}", "--limit", "-1"], 2, "--limit"),
        (["{capture}", "--engine", "native"], 3, "engine 'native'"),
        (["{capture}", "{tmp}/text"], 2, "is not a capture"),
    ],
)
def test_what_cannot_be_done_says_why_and_how_to_cure_it(
    tmp_path: Path, arguments: list[str], code: int, words: str
) -> None:
    (tmp_path / "text").write_text("no capture")
    filled = [a.format(tmp=tmp_path, capture=TALK / "capture.pcapng") for a in arguments]
    done = replay(*filled, "--policy", TALK / "policy.yaml")

    assert done.returncode == code
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_without_a_policy_nothing_is_judged() -> None:
    environment = {"MASUGATA_POLICY": ""}
    assert replay(TALK / "capture.pcapng", **environment).returncode == 2
    assert replay(TALK / "capture.pcapng", "--policy", "/nonexistent.yaml").returncode == 2


def test_the_files_beside_one_that_is_no_capture_are_judged_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no capture")
    done = replay(tmp_path / "text", TALK / "capture.pcapng", "--policy", TALK / "policy.yaml", "--json")
    summary = lines(done)[-1]

    assert done.returncode == 2
    assert summary["packets"] == 9
    assert [entry["readable"] for entry in summary["files"]] == [False, True]


def test_a_fixed_date_judges_expiry() -> None:
    common = (TALK / "capture.pcapng", "--policy", TALK / "policy.yaml", "--json")
    before, after = (lines(replay(*common, "--now", day))[0] for day in ("2027-03-31", "2027-04-01"))

    assert (before["outcome"], before["reason"]) == ("allow", "flow")
    assert (after["outcome"], after["reason"]) == ("deny", "expired")


def test_names_in_a_capture_cannot_steer_the_terminal(tmp_path: Path) -> None:
    from gateway.replay.pcapng import PcapngWriter

    path = tmp_path / "x.pcapng"
    with path.open("wb") as file:
        writer = PcapngWriter(file, ["\x1b[2J\u202eevil"])
        writer.write(0, 1_700_000_000_000_000_000, b"\x02" * 12 + b"\x08\x06" + bytes(40))
    done = replay(path, "--policy", TALK / "policy.yaml", "--packets")

    assert "\x1b" not in done.stdout
    assert "\u202e" not in done.stdout
    assert "evil" in done.stdout
