"""`masugata suggest` from outside: what it prints, what it writes, and how it ends."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import unicodedata
from pathlib import Path
from typing import Any

import pytest

CORPUS = Path(__file__).parents[1] / "corpus"
OFFICE, NOISE, REFUSED = (CORPUS / f"suggest-{name}" for name in ("office-day", "noise", "refused"))
NOW = ("--now", "2026-12-09")


def masugata(verb: str, *arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from gateway.cli.main import main; main()", verb, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )


def suggest(case: Path, *arguments: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
    return masugata("suggest", case / "capture.pcapng", *NOW, *arguments, **options)


def verdicts(case: Path, policy: Path) -> set[tuple[str, str, str, str]]:
    done = masugata("replay", case / "capture.pcapng", "--policy", policy, "--flows", "--json")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    return {(r["src"], r["dst"], r["outcome"], r["decided_by"]) for r in rows if r["type"] == "flow"}


@pytest.fixture
def town(tmp_path: Path) -> Path:
    """Return a policy of one file, as somebody wrote it."""
    return Path(shutil.copy(OFFICE / "policy.yaml", tmp_path / "town.yaml"))


@pytest.fixture
def city(tmp_path: Path) -> Path:
    """Return the same policy as a directory, with its flows in two files."""
    text = (OFFICE / "policy.yaml").read_text()
    folder = tmp_path / "city"
    folder.mkdir()
    first, _, rest = text.partition("  - {id: F009")
    second, _, end = rest.partition("\n# what must hold")
    (folder / "1.yaml").write_text(first + end)
    (folder / "2.yaml").write_text("# more\nflows:\n  - {id: F009" + second)
    return folder


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("case", [OFFICE, NOISE, REFUSED], ids=lambda case: case.name)
def test_tables_fit_a_terminal_in_both_languages(case: Path, language: str) -> None:
    done = suggest(case, "--policy", case / "policy.yaml", "--flows", "--lang", language)
    tables = [line for line in done.stdout.splitlines() if line.startswith(" ") and "→" not in line]

    assert done.stderr == ""
    assert tables
    assert all(sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in t) <= 100 for t in tables)
    assert ("観測期間" in done.stdout) == (language == "ja")


def test_a_refusal_shows_the_hops_and_the_clause() -> None:
    done = suggest(REFUSED, "--policy", REFUSED / "policy.yaml")

    assert done.returncode == 1
    assert "it would break invariant I1: no way out" in done.stdout
    assert "allow F013" in done.stdout
    assert "ono-2026:6.3.1" in done.stdout


def test_nothing_to_propose_exits_0() -> None:
    done = suggest(NOISE, "--policy", NOISE / "policy.yaml")

    assert done.returncode == 0
    assert "port scan" in done.stdout
    assert "0 proposals" in done.stdout


def test_lists_can_be_cut_short() -> None:
    done = suggest(OFFICE, "--policy", OFFICE / "policy.yaml", "--limit", "2")

    assert "and 3 more" in done.stdout
    assert "5 proposals" in done.stdout


def test_without_a_word_nothing_is_written(town: Path) -> None:
    before = town.read_bytes()
    assert suggest(OFFICE, "--policy", town).returncode == 1
    assert town.read_bytes() == before
    assert sorted(path.name for path in town.parent.iterdir()) == ["town.yaml"]


def test_a_patch_that_patch_applies_opens_exactly_what_was_proposed(town: Path) -> None:
    before = town.read_text()
    done = suggest(OFFICE, "--policy", "town.yaml", "--patch", "out.patch", cwd=town.parent)
    assert done.returncode == 1
    assert town.read_text() == before

    applied = subprocess.run(
        ["patch", "-p0", "-i", "out.patch"], cwd=town.parent, capture_output=True, timeout=20, check=False
    )
    assert applied.returncode == 0, applied.stdout
    assert [line for line in before.splitlines() if line not in town.read_text().splitlines()] == []
    assert masugata("check", town, *NOW).returncode == 0
    assert masugata("verify", town, *NOW).returncode == 0
    outcomes = verdicts(OFFICE, town)
    assert {outcome for *_, outcome, _ in outcomes} == {"allow", "sanitize:mail"}
    assert {flow for *_, flow in outcomes} == {"F011", "F012", "F013", "F014", "F015", "F016"}
    assert suggest(OFFICE, "--policy", town).returncode == 0


def test_written_at_once_into_a_directory_it_checks_and_what_is_missing_is_a_finding(city: Path) -> None:
    before = {path.name: path.read_bytes() for path in city.iterdir()}
    done = suggest(OFFICE, "--policy", city, "--write")
    changed = {path.name for path in city.iterdir() if path.read_bytes() != before.get(path.name)}

    assert done.returncode == 1
    assert "suggested.yaml" in done.stderr
    assert changed == {"1.yaml", "suggested.yaml"}  # the new group stands beside the groups
    assert masugata("check", city, *NOW).returncode == 0
    findings = masugata("lint", city, "--json", *NOW).stdout
    assert "no-owner" in findings
    assert "no-ticket" in findings
    assert masugata("fmt", "--check", city / "suggested.yaml").returncode == 0


def test_only_what_is_accepted_is_written(town: Path) -> None:
    assert suggest(OFFICE, "--policy", town, "--write", "--accept", "F012,F016").returncode == 1
    text = town.read_text()

    assert "id: F012" in text
    assert "id: F016" in text
    assert "id: F013" not in text
    assert suggest(OFFICE, "--policy", town, "--json").stdout.count('"type": "proposal"') == 3


def test_a_policy_that_fails_check_already_is_not_written(town: Path) -> None:
    town.write_text(town.read_text().replace('tcp/22", expect: deny', 'tcp/22", expect: allow'))
    before = town.read_bytes()
    done = suggest(OFFICE, "--policy", town, "--write")

    assert done.returncode == 2
    assert "does not pass check" in done.stderr
    assert town.read_bytes() == before


def test_permissions_of_a_file_stay(town: Path) -> None:
    town.chmod(0o640)
    suggest(OFFICE, "--policy", town, "--write")
    assert town.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--zone-pair", "lgwan"], 2, "not a pair of zones"),
        (["--zone-pair", "lgwan:nowhere"], 2, "not a pair of zones"),
        (["--accept", "F999"], 2, "no proposal 'F999'"),
        (["--expires", "soon"], 2, "not a date"),
        (["--since", "soon"], 2, "soon"),
        (["--min-connections", "0"], 2, "--min-connections"),
        (["--engine", "abacus"], 3, "abacus"),
        (["--patch", "{tmp}/no/folder/out.patch"], 2, "cannot write"),
    ],
)
def test_what_cannot_be_done_says_why(tmp_path: Path, arguments: list[str], code: int, words: str) -> None:
    filled = [argument.format(tmp=tmp_path) for argument in arguments]
    done = suggest(OFFICE, "--policy", OFFICE / "policy.yaml", *filled)

    assert done.returncode == code
    assert words in done.stderr


def test_a_capture_that_breaks_off_is_used_up_to_there_and_said(tmp_path: Path) -> None:
    data = (OFFICE / "capture.pcapng").read_bytes()
    (tmp_path / "cut.pcapng").write_bytes(data[: len(data) // 2 + 3])
    done = masugata("suggest", tmp_path / "cut.pcapng", "--policy", OFFICE / "policy.yaml", *NOW)

    assert done.returncode == 1
    assert "stopped at byte" in done.stderr


def test_no_capture_at_all_is_no_reason_to_stay_silent(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("not a capture")
    done = masugata("suggest", tmp_path / "text", "--policy", OFFICE / "policy.yaml", *NOW)

    assert done.returncode == 2
    assert "is not a capture" in done.stderr


def test_a_directory_of_captures_is_read_and_what_is_none_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "captures").mkdir()
    shutil.copy(OFFICE / "capture.pcapng", tmp_path / "captures" / "b.pcapng")
    (tmp_path / "captures" / "notes.txt").write_text("not a capture")
    done = masugata("suggest", tmp_path / "captures", "--policy", OFFICE / "policy.yaml", "--json", *NOW)

    assert done.returncode == 1
    assert done.stdout.count('"type": "proposal"') == 5


@pytest.mark.parametrize("taken", ["town.yaml", "capture.pcapng"])
def test_the_patch_is_not_written_over_what_is_read(town: Path, taken: str) -> None:
    shutil.copy(OFFICE / "capture.pcapng", town.parent)
    before = (town.parent / taken).read_bytes()
    done = masugata(
        "suggest", town.parent / "capture.pcapng", "--policy", town, "--patch", town.parent / taken
    )

    assert done.returncode == 2
    assert (town.parent / taken).read_bytes() == before


def test_a_link_to_a_policy_stays_a_link(town: Path) -> None:
    link = town.with_name("link.yaml")
    link.symlink_to(town)
    assert suggest(OFFICE, "--policy", link, "--write").returncode == 1
    assert link.is_symlink()
    assert "id: F012" in town.read_text()
