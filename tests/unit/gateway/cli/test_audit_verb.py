"""`masugata audit` as people call it: words or JSON out, an exit code that says what was found."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.audit.event import make_draft
from gateway.audit.log import open_for_append
from gateway.audit.verify import verify

PACKET = {
    "outcome": "deny",
    "reason": "guard",
    "decided_by": "G1",
    "source_zone": "mynumber",
    "destination_zone": "outside",
    "src": "10.10.3.4",
    "dst": "2001:db8::1",
    "protocol": "tcp",
    "sport": 40000,
    "dport": 443,
    "in_interface": "mn0",
}
PROGRAM = Path(sys.executable).parent / "masugata"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    log = open_for_append(tmp_path, gateway="gw")
    log.append(make_draft("packet", PACKET, actor="enforcer", revision="r"))
    hostile = {"code": "relay-denied", "sender": "evil\x1b[2J\u202egnp.exe", "peer": "198.51.100.9"}
    log.append(make_draft("mail-refused", hostile, actor="mail"))
    allowed = {**PACKET, "outcome": "allow", "reason": "flow", "decided_by": "F1", "dst": "10.20.5.25"}
    log.append(make_draft("packet", {**allowed, "destination_zone": "lgwan"}, actor="enforcer"))
    log.close()
    return tmp_path


def masugata(*arguments: object) -> tuple[int, list[str], str]:
    done = subprocess.run(
        [str(PROGRAM), "audit", *map(str, arguments)], capture_output=True, text=True, timeout=30, check=False
    )
    return done.returncode, done.stdout.splitlines(), done.stderr


def test_verify_is_quiet_about_a_sound_log_but_not_about_its_limits(directory):
    code, lines, _ = masugata("verify", directory)
    assert code == 0
    assert lines[0].endswith("nothing altered, missing, reordered or duplicated")
    assert lines[1].startswith("head: ")
    assert "anchor" in lines[2]


def test_verify_names_the_line_in_both_languages_and_leaves_with_1(directory):
    path = next(directory.glob("*.jsonl"))
    path.write_bytes(path.read_bytes().replace(b"10.10.3.4", b"10.10.3.5", 1))
    code, lines, _ = masugata("verify", directory)
    assert code == 1
    assert lines[0].startswith(f"{path.name}:3: error[audit-altered-line] ")
    code, lines, _ = masugata("verify", directory, "--lang", "ja")
    assert code == 1
    assert "改変" in lines[0]
    code, lines, _ = masugata("verify", directory, "--json")
    assert code == 1
    finding, summary = map(json.loads, lines)
    assert (finding["finding"], finding["line"], finding["severity"]) == ("audit-altered-line", 3, "error")
    assert summary["sound"] is False


def test_verify_takes_an_anchor(directory):
    head = str(verify(directory).heads[0])
    assert masugata("verify", directory, "--anchor", head)[0] == 0
    path = next(directory.glob("*.jsonl"))
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))
    assert masugata("verify", directory)[0] == 0
    code, lines, _ = masugata("verify", directory, "--anchor", head)
    assert code == 1
    assert "audit-anchor-cut" in "".join(lines)
    assert masugata("verify", directory, "--anchor", "nonsense")[0] == 2


def test_tail_shows_one_readable_line_an_event_that_cannot_steer_the_terminal(directory):
    code, lines, _ = masugata("tail", directory, "-n", 4)
    assert code == 0
    assert len(lines) == 4
    assert "DENIED (guard G1)  mynumber 10.10.3.4:40000 @mn0 → outside 2001:db8::1 tcp/443" in lines[0]
    assert "mail refused" in lines[1]
    assert "\x1b" not in lines[1]
    assert "\u202e" not in lines[1]
    assert "拒否" in masugata("tail", directory, "-n", 4, "--lang", "ja")[1][0]


def test_tail_reaches_back_over_boots(directory):
    open_for_append(directory, gateway="gw").close()
    _, lines, _ = masugata("tail", directory, "-n", 3)
    assert ["log stopped" in lines[0], "log started" in lines[1], "log stopped" in lines[2]] == [True] * 3
    assert masugata("tail", directory, "-n", 0)[1] == []


def test_tail_follows_events_as_they_come(directory):
    log = open_for_append(directory, gateway="gw")
    follow = subprocess.Popen(
        [str(PROGRAM), "audit", "tail", str(directory), "-n", "1", "--follow"],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert follow.stdout is not None
    try:
        assert "log started" in follow.stdout.readline()
        log.append(make_draft("gap", {"where": "nflog", "lost": 3}, actor="enforcer"))
        line = follow.stdout.readline()
        assert "EVENTS LOST" in line
        assert "lost=3" in line
    finally:
        follow.kill()
        follow.wait()
        follow.stdout.close()
        log.close()


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (["--kind", "packet"], 2),
        (["--kind", "packet", "--kind", "stop"], 3),
        (["--reason", "guard"], 1),
        (["--outcome", "allow"], 1),
        (["--by", "F1"], 1),
        (["--zone", "mynumber"], 2),
        (["--zone", "lgwan"], 1),
        (["--src", "10.10.0.0/16"], 2),
        (["--dst", "2001:db8::/32"], 1),
        (["--src", "10.10.3.4", "--by", "G9"], 0),
        ([], 5),
    ],
)
def test_search_shows_what_matches_every_option(directory, options, found):
    code, lines, err = masugata("search", directory, *options)
    assert code == 0
    assert len(lines) == found
    assert f"{found} event(s)" in err


def test_json_gives_the_very_lines_of_the_file(directory):
    path = next(directory.glob("*.jsonl"))
    _, lines, _ = masugata("search", directory, "--json", "-q")
    assert lines == path.read_text().splitlines()


def test_what_the_operator_got_wrong_is_said_with_2(directory, tmp_path):
    assert masugata("search", directory, "--src", "10.10.3.400")[0] == 2
    code, _, err = masugata("search", directory, "--kind", "mail-acepted")
    assert code == 2
    assert "mail-accepted" in err
    for verb in ("verify", "tail", "search"):
        code, _, err = masugata(verb, tmp_path / "none")
        assert code == 2
        assert "there is no audit directory" in err


def test_a_log_the_host_does_not_let_us_read_is_said_with_3(directory):
    path = next(directory.glob("*.jsonl"))
    path.unlink()
    path.mkdir()  # root may read any file, but nobody a directory
    assert masugata("verify", directory)[0] == 3


def test_the_verb_starts_without_the_event_loop():
    program = "import sys, gateway.cli.audit; print('asyncio' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout.strip() == "False"
