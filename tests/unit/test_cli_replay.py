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
    assert "native" in done.stdout
    assert all(width(line) <= 100 for line in done.stdout.splitlines())
    assert ("領域別" in done.stdout) == (language == "ja")


def test_json_has_a_line_for_every_packet_and_flow_and_ends_with_the_summary() -> None:
    done = replay(TALK / "capture.pcapng", "--policy", TALK / "policy.yaml", "--json", "-q")
    records = lines(done)

    assert done.stderr == ""
    assert [record["type"] for record in records] == ["packet"] * 9 + ["flow"] * 2 + ["summary"]
    assert records[-1]["engine"] == "native"
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
        (["{capture}", "--engine", "quick"], 3, "engine 'quick'"),
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


def test_a_directory_is_read_with_its_rotated_captures_in_order(tmp_path: Path) -> None:
    data = (TALK / "capture.pcapng").read_bytes()
    (tmp_path / "b.pcapng.gz").write_bytes(gzip.compress(data))
    (tmp_path / "notes.txt").write_text("no capture")
    done = replay(tmp_path, "--policy", TALK / "policy.yaml", "--json", "--flows")

    assert done.returncode == 0
    assert "notes.txt: no capture, passed over" in done.stderr
    assert lines(done)[-1]["packets"] == 9


def test_sums_by_host_exchange_and_reason(tmp_path: Path) -> None:
    common = (TALK / "capture.pcapng", "--policy", TALK / "policy.yaml")
    text = replay(*common, "--by", "host", "--by", "reason", "--by", "exchange").stdout
    rows = lines(replay(*common, "--json", "--by", "host", "--by", "exchange"))

    assert "By host" in text
    assert "By reason" in text
    assert "10.20.16.11 →" in text
    assert "By zones" not in text
    assert [row["type"] for row in rows] == ["exchange"] * 2 + ["host"] * 2 + ["summary"]
    assert (rows[0]["packets"], rows[0]["answers"], rows[0]["flows"]) == (8, 3, 1)
    assert (rows[2]["address"], rows[2]["peers"], rows[2]["flows"]) == ("10.20.16.11", 1, 2)
    denied = lines(replay(*common, "--json", "--by", "exchange", "--denied"))
    assert [row.get("outcome") for row in denied] == ["deny", None]


@pytest.fixture
def narrower(tmp_path: Path) -> Path:
    """The policy of the conversation without https."""
    path = tmp_path / "narrower.yaml"
    text = (TALK / "policy.yaml").read_text()
    assert "[https, dns, ping]" in text
    path.write_text(text.replace("[https, dns, ping]", "[dns, ping]"))
    return path


def test_another_policy_shows_what_it_would_change(narrower: Path) -> None:
    common = (TALK / "capture.pcapng", "--policy", TALK / "policy.yaml")
    text = replay(*common, "--against", narrower)
    told = lines(replay(*common, "--against", narrower, "--json"))

    assert text.returncode == 0
    assert "Newly refused" in text.stdout
    assert [row["type"] for row in told] == ["change", "changes", "summary"]
    assert (told[0]["kind"], told[0]["packets"]) == ("newly-refused", 8)
    assert told[0]["first_packet"].endswith("capture.pcapng:1")
    assert told[0]["after"] == {"outcome": "deny", "reason": "default-deny", "decided_by": None}
    assert replay(*common, "--against", narrower, "--exit-code").returncode == 1
    assert replay(*common, "--against", TALK / "policy.yaml", "--exit-code").returncode == 0


def test_reports_are_written_beside_the_summary(tmp_path: Path) -> None:
    page, eve, flows, case = (tmp_path / name for name in ("r.html", "eve.json", "f.parquet", "case"))
    done = replay(
        TALK / "capture.pcapng",
        *("--policy", TALK / "policy.yaml", "--html", page, "--eve", eve, "--parquet", flows),
        *("--save-case", case, "--only", "denied", "--lang", "ja"),
    )

    assert done.returncode == 0, done.stderr
    assert 'lang="ja"' in page.read_text()
    assert [json.loads(row)["event_type"] for row in eve.read_text().splitlines()] == ["drop", "flow", "flow"]
    assert flows.read_bytes()[:4] == b"PAR1"
    assert {path.name for path in case.iterdir()} == {
        "capture.pcapng",
        "policy.yaml",
        "expected.json",
        "case.md",
    }


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--exit-code"], "--against"),
        (["--only", "denied"], "--save-case"),
        (["--anonymise"], "--save-case"),
        (["--save-case", "{tmp}/case", "--only", "everything"], "not a choice of packets"),
        (["--html", "{tmp}/none/r.html"], "cannot write"),
        (["--eve", "{tmp}/none/eve.json"], "cannot write"),
        (["--parquet", "{tmp}/none/f.parquet"], "cannot write"),
        (["--eve", "{capture}"], "cannot be written"),
        (["--html", "{policy}"], "cannot be written"),
        (["--eve", "{tmp}/x", "--html", "{tmp}/x"], "cannot be written"),
        (["--map", "vlan:9999=lgwan"], "1 to 4094"),
        (["--map", "10.20.0.1/16=lgwan"], "10.20.0.0/16"),
        (["{capture}", "--follow"], "one file or one directory"),
    ],
)
def test_options_that_do_not_go_together_change_nothing(
    tmp_path: Path, arguments: list[str], words: str
) -> None:
    capture, policy = tmp_path / "x.pcapng", tmp_path / "policy.yaml"
    capture.write_bytes((TALK / "capture.pcapng").read_bytes())
    policy.write_text((TALK / "policy.yaml").read_text())
    filled = [a.format(tmp=tmp_path, capture=capture, policy=policy) for a in arguments]
    done = replay(capture, *filled, "--policy", policy)

    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert capture.read_bytes() == (TALK / "capture.pcapng").read_bytes()
    assert policy.read_text() == (TALK / "policy.yaml").read_text()


def test_following_reports_as_it_goes_and_ends_cleanly_on_control_c(tmp_path: Path) -> None:
    import signal

    data = (TALK / "capture.pcapng").read_bytes()
    path = tmp_path / "growing.pcapng"
    path.write_bytes(data[:200])
    arguments = [
        "replay",
        str(path),
        "--follow",
        "--packets",
        "--policy",
        str(TALK / "policy.yaml"),
        "--json",
    ]
    with subprocess.Popen(
        [sys.executable, "-c", "from gateway.cli.main import main; main()", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stdout
        assert running.stderr
        try:
            with path.open("ab") as file:
                file.write(data[200:])
            shown = [json.loads(running.stdout.readline())["number"] for _ in range(9)]
            running.send_signal(signal.SIGINT)
            rest = running.stdout.read()
        finally:
            running.kill()
        errors = running.stderr.read()

    assert shown == list(range(1, 10))
    assert json.loads(rest.splitlines()[-1])["packets"] == 9
    assert running.returncode == 0, errors


def test_memory_does_not_grow_with_the_capture(tmp_path: Path) -> None:
    """Twenty times the packets, all of the same few exchanges, take hardly more memory."""
    from gateway.replay.pcapng import PcapngWriter

    # The peak of this program alone: getrusage would count what its parent held before.
    program = (
        "import re, sys; from gateway.cli.main import main\n"
        "try: main()\n"
        "finally: print(re.search(r'VmHWM:\\s*(\\d+)', open('/proc/self/status').read())[1], file=sys.stderr)"
    )
    frame = b"\x02" * 12 + b"\x08\x06" + bytes(1400)
    peaks = []
    for name, count in (("small", 1_000), ("large", 20_000)):
        with (tmp_path / name).open("wb") as file:
            writer = PcapngWriter(file, ["lg0"])
            for number in range(count):
                writer.write(0, 1_791_000_000_000_000_000 + number * 1_000_000, frame)
        packed = gzip.compress((tmp_path / name).read_bytes())
        done = subprocess.run(
            [sys.executable, "-c", program, "replay", "-", "--policy", str(TALK / "policy.yaml"), "-q"],
            input=packed,
            capture_output=True,
            timeout=50,
            check=True,
        )
        assert f"{count:,} packets" in done.stdout.decode()
        peaks.append(int(done.stderr.split()[-1]))

    assert peaks[1] - peaks[0] < 8_192, f"{peaks} kB for 1.5 and 29 MB of packets"
