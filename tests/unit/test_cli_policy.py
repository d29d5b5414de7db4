"""`masugata check`, `query`, `explain`, `matrix` as people call them: what they print, and how they end."""

from __future__ import annotations

import csv
import io
import json
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from gateway.cli.main import main
from gateway.cli.matrix_picture import COLOURS

if TYPE_CHECKING:
    from collections.abc import Callable

CITY = str(Path(__file__).resolve().parents[2] / "examples" / "sample-city")
AUTUMN = ("--now", "2026-10-05T10:00")
SVG = "{http://www.w3.org/2000/svg}"


class Ended(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()

    @property
    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ended]:
    def call(*arguments: str, stdin: str = "") -> Ended:
        monkeypatch.setattr(sys, "argv", ["masugata", *arguments])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        with pytest.raises(SystemExit) as ended:
            main()
        seen = capsys.readouterr()
        return Ended(int(ended.value.code or 0), seen.out, seen.err)

    return call


BROKEN = """schema: 1
meta: {name: broken}
zones:
  a: {interfaces: [a0], networks: [10.1.0.0/16]}
flows:
  - {id: F1, from: a, to: a, service: tcp/443, action: alow}
  - {id: F2, from: aa, to: a, service: tcp/443, action: allow}
"""
SOUND = BROKEN.replace("alow", "allow").replace("aa", "a")


# --- check -------------------------------------------------------------------------------------------------


def test_the_sample_city_passes(run: Callable[..., Ended]) -> None:
    ended = run("check", CITY, *AUTUMN)

    assert ended.code == 0
    assert "90 of 90 tests passed" in ended.out
    assert "I1: proved over any number of hops" in ended.err
    assert "7 of 7 invariants proved" in ended.out
    assert "'F025'" in ended.err


def test_its_files_one_by_one_are_the_same_policy(run: Callable[..., Ended]) -> None:
    files = [str(path) for path in Path(CITY).glob("*.yaml")]

    assert run("check", *files, *AUTUMN).out == run("check", CITY, *AUTUMN).out


def test_strict_does_not_pass_what_lint_warns_of(run: Callable[..., Ended]) -> None:
    ended = run("check", CITY, "--strict", *AUTUMN)

    assert ended.code == 1
    assert "warning[lint-expired] flow 'F025'" in ended.err
    assert "warning[lint-quic-beside-proxy]" in ended.err
    assert run("check", CITY, *AUTUMN).code == 0


def test_every_problem_is_shown_with_its_place_and_cure(run: Callable[..., Ended]) -> None:
    ended = run("check", "-", stdin=BROKEN)

    assert (ended.code, ended.out) == (2, "")
    assert "<stdin>:6:56: error[bad-action] unknown action 'alow'" in ended.err
    assert "<stdin>:7:20: error[unknown-name-near] nothing is called 'aa'" in ended.err
    assert "→ did you mean 'a'?" in ended.err
    assert ended.err.endswith("the policy has 2 problem(s)\n")


def test_problems_in_japanese_and_as_json(run: Callable[..., Ended]) -> None:
    assert "未知の動作 'alow'" in run("check", "-", "--lang", "ja", stdin=BROKEN).err
    records = run("check", "-", "--json", stdin=BROKEN).records
    assert [(record["problem"], record["line"], record["column"]) for record in records] == [
        ("bad-action", 6, 56),
        ("unknown-name-near", 7, 20),
    ]


def test_a_failed_test_is_a_finding_at_its_place(run: Callable[..., Ended]) -> None:
    tests = 'tests:\n  - {packet: "a:10.1.0.1 > a:10.1.0.2 tcp/443", expect: deny, by: F2}\n'

    ended = run("check", "-", stdin=SOUND + tests)

    assert ended.code == 1
    assert "<stdin>:9:5: error[test-failed]" in ended.err
    assert "expected deny by F2, got allow (flow) by F1" in ended.err
    assert "0 of 1 tests passed" in ended.out


def test_check_as_json_ends_with_one_summary(run: Callable[..., Ended]) -> None:
    *listed, summary = run("check", CITY, "--json", *AUTUMN).records

    assert summary["check"] == "ok"
    assert (summary["passed"], summary["tests"], summary["expired"]) == (90, 90, 1)
    assert len(summary["revision"]) == 64
    assert [(record["invariant"], record["state"]) for record in listed if "invariant" in record] == [
        (f"I{number}", "proved") for number in range(1, 8)
    ]
    assert summary["proved"] == 7


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("check", "nowhere.yaml"), "cannot read nowhere.yaml"),
        (("check", CITY, "--now", "soon"), "neither a date nor a moment"),
        (("query", CITY), "no packet to ask about"),
        (("query", "-", "-"), "cannot both come from stdin"),
        (("query", CITY, "renkei > shinsei-asp https", "--flow", "F999"), "nothing is called 'F999'"),
        (("query", CITY, "renkei > shinsei-asp https", "--expect", "drop"), "'drop' is no outcome"),
        (("query", CITY, "lg-pc1 > outside:10.20.5.40 https"), "not in zone 'outside' but in 'lgwan'"),
        (("explain", CITY, "renkai > shinsei-asp https"), "did you mean 'renkei'?"),
    ],
)
def test_what_cannot_be_used_ends_with_two_and_its_cure(
    run: Callable[..., Ended], arguments: tuple[str, ...], words: str
) -> None:
    ended = run(*arguments)

    assert (ended.code, ended.out) == (2, "")
    assert words in ended.err


# --- query -------------------------------------------------------------------------------------------------


def test_a_verdict_is_one_line(run: Callable[..., Ended]) -> None:
    ended = run("query", CITY, "mynumber:10.10.3.4 > outside:198.51.100.1 tcp/443", *AUTUMN)

    assert (ended.code, ended.lines) == (
        0,
        ["mynumber:10.10.3.4 > outside:198.51.100.1 tcp/443  deny  guard G1: a guard forbids this direction"],
    )


def test_many_packets_by_argument_and_from_stdin(run: Callable[..., Ended]) -> None:
    questions = ["renkei > shinsei-asp https", "in-mx > lg-mail smtp", "lg-pc1 > in-browser https"]

    by_argument = run("query", "--policy", CITY, *questions, "--json", *AUTUMN).records
    from_stdin = run("query", CITY, "-", "--json", *AUTUMN, stdin="# mine\n\n" + "\n".join(questions)).records

    assert by_argument == from_stdin
    assert [(record["outcome"], record["reason"], record["decided_by"]) for record in by_argument] == [
        ("allow", "flow", "F012"),
        ("sanitize:mail", "flow", "F043"),
        ("deny", "use-render", "F042"),
    ]


def test_a_reply_is_asked_about_with_its_flow(run: Callable[..., Ended]) -> None:
    reply = "shinsei-asp > renkei tcp/51000"

    (alone,) = run("query", CITY, reply, "--json", *AUTUMN).records
    (known,) = run("query", CITY, reply, "--flow", "F012", "--json", *AUTUMN).records

    assert (alone["outcome"], known["outcome"], known["state"]) == ("deny", "allow", "established")


def test_an_expectation_unmet_is_a_finding(run: Callable[..., Ended]) -> None:
    question = "renkei > shinsei-asp https"

    assert run("query", CITY, question, "--expect", "allow", *AUTUMN).code == 0
    assert run("query", CITY, question, "--expect", "flow", *AUTUMN).code == 0
    unmet = run("query", CITY, question, "--expect", "deny", *AUTUMN)
    assert (unmet.code, "not deny" in unmet.err) == (1, True)


def test_what_is_printed_can_be_asked_again(run: Callable[..., Ended]) -> None:
    questions = [
        "lg-mon > lg-mail ping",
        "outside:[2001:db8::1] > [2001:db8::2] udp/53",
        "lg-pc1 > gateway ping",
    ]
    first = run("query", CITY, *questions, "--json", *AUTUMN).records

    again = run("query", CITY, *(record["packet"] for record in first), "--json", *AUTUMN).records

    assert again == first


def test_other_peoples_words_do_not_steer_the_terminal(run: Callable[..., Ended]) -> None:
    ended = run("query", CITY, "\x1b[2J > lg-mail smtp")

    assert (ended.code, "\x1b" in ended.err) == (2, False)


# --- explain -----------------------------------------------------------------------------------------------


def test_an_explanation_goes_from_the_packet_to_the_clause(run: Callable[..., Ended]) -> None:
    labels = [
        line.split("  ")[0] for line in run("explain", CITY, "renkei > shinsei-asp https", *AUTUMN).lines
    ]

    assert [label for label in labels if label] == [
        *(
            "packet",
            "at",
            "from",
            "to",
            "flows",
            "verdict",
            "decided by",
            "owner",
            "ticket",
            "expires",
            "why",
        ),
        *("clause", "written in"),
    ]


@pytest.mark.parametrize(
    ("question", "told"),
    [
        ("zei > eltax tcp/444", "for tcp/443, not port 444 (1 away)"),
        ("mn-pc1 > out-web https", "no flow opens what this guard closes"),
        ("mn-pc1 > out-web https", "ono-2026:6.3.1)"),
        ("internet:renkei > shinsei-asp https", "it came in from internet"),
        ("lg-pc1 > in-browser https", "the way is open, but not for direct packets"),
        ("in-pc1 > sc-proxy udp/53", "what decided stands above every `allow`"),
        ("10.20.16.11 > lg-mail smtp", "the zone was taken from the address"),
        ("lg-pc1 > shinsei-asp http", "F110 matches in audit mode"),
    ],
)
def test_an_explanation_says_what_to_do(run: Callable[..., Ended], question: str, told: str) -> None:
    assert told in run("explain", CITY, question, *AUTUMN).out


def test_an_explanation_in_japanese_leaves_nothing_in_english(run: Callable[..., Ended]) -> None:
    lines = run("explain", CITY, "zei > eltax tcp/444", "--lang", "ja", *AUTUMN).lines

    labels = [line.split(" ")[0] for line in lines if not line.startswith(" ")]
    assert labels == ["パケット", "時点", "送信元", "宛先", "フロー", "判定", "近いもの"]


def test_an_explanation_as_json_holds_what_was_looked_at(run: Callable[..., Ended]) -> None:
    (record,) = run("explain", CITY, "zei > eltax https", "--now", "2027-04-03", "--json").records

    assert (record["reason"], record["flow"]["ticket"]) == ("expired", "REQ-2026-015")
    assert record["nearest"][0]["flow"] == "F013"
    misses = {entry["flow"]: [miss["field"] for miss in entry["misses"]] for entry in record["considered"]}
    assert misses["F013"] == ["expired"]
    assert misses["D001"] == ["protocol"]


# --- matrix ------------------------------------------------------------------------------------------------


def test_the_matrix_shows_every_zone_and_what_closes_it(run: Callable[..., Ended]) -> None:
    ended = run("matrix", CITY, *AUTUMN)

    assert ended.code == 0
    assert "closed G1" in ended.out
    assert "screen 1" in ended.out
    assert "G2: no allow" in ended.out


def test_the_matrix_as_csv_and_markdown_has_a_row_a_zone(run: Callable[..., Ended]) -> None:
    rows = list(csv.reader(io.StringIO(run("matrix", CITY, "--format", "csv", *AUTUMN).out)))
    lines = run("matrix", CITY, "--format", "markdown", *AUTUMN).lines

    assert [row[0] for row in rows[1:]] == rows[0][1:]
    assert {len(row) for row in rows} == {7}
    assert len(lines) == 8
    assert {line.count("|") for line in lines} == {8}


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("hosts", [(), ("--hosts",)])
def test_the_matrix_as_a_picture_is_whole(
    run: Callable[..., Ended], language: str, hosts: tuple[str, ...]
) -> None:
    ended = run("matrix", CITY, "--format", "svg", "--lang", language, *hosts, *AUTUMN)

    root = ET.fromstring(ended.out)  # noqa: S314  our own text
    names = {text.text for text in root.iter(f"{SVG}text")}
    if not hosts:
        assert {"mynumber", "lgwan", "internet", "govcloud", "outside", "gateway"} <= names
    fills = {box.get("fill") for box in root.iter(f"{SVG}rect")}
    assert COLOURS["guard"][0] in fills
    wide, high = float(root.get("width", "0")), float(root.get("height", "0"))
    for box in root.iter(f"{SVG}rect"):
        if box.get("x") is not None:
            assert float(box.get("x", "0")) + float(box.get("width", "0")) <= wide
            assert float(box.get("y", "0")) + float(box.get("height", "0")) <= high


def luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("kind", [kind for kind, (fill, _) in COLOURS.items() if fill != "none"])
def test_words_in_the_picture_can_be_read(kind: str) -> None:
    low, high = sorted(luminance(colour) for colour in COLOURS[kind])

    assert (high + 0.05) / (low + 0.05) >= 4.5


def test_the_host_matrix_has_a_row_a_host_and_a_letter_a_cell(run: Callable[..., Ended]) -> None:
    lines = run("matrix", CITY, "--hosts", *AUTUMN).lines

    row = next(line for line in lines if " renkei " in line)
    assert row.split()[:3] == ["1", "renkei", "mynumber"]
    assert "x" in row.split()


def test_the_matrix_as_json_has_a_line_a_cell(run: Callable[..., Ended]) -> None:
    records = run("matrix", CITY, "--json", *AUTUMN).records

    assert len(records) == 35
    cell = next(r for r in records if (r["from"], r["to"]) == ("internet", "lgwan"))
    assert cell["ways"] == {"sanitize:mail": 1, "file-transfer": 1, "deny": 2}
    assert cell["barred"] == {"G2": ["allow"]}


def test_an_empty_question_is_not_passed_over(run: Callable[..., Ended]) -> None:
    """A script whose variable was empty must not read the silence as an answer."""
    ended = run("query", CITY, "", "--expect", "deny")
    assert ended.code == 2
    assert "no packet to ask about" in ended.err
