"""`masugata report` as people call it, in each of its forms."""

from __future__ import annotations

import io
import json
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from gateway.audit.event import make_draft
from gateway.audit.log import open_for_append
from gateway.cli.main import main

if TYPE_CHECKING:
    from collections.abc import Callable

CITY = str(Path(__file__).resolve().parents[2] / "examples" / "sample-city")


class Ended(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


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


NOW = ("--now", "2026-10-05T10:00")


def test_without_clauses_only_what_is_open_is_listed(run: Callable[..., Ended]) -> None:
    ended = run("report", CITY, *NOW)

    assert ended.code == 0
    assert "[open] ono-2026:8" in ended.out
    assert "ono-2026:6.3.2" not in ended.out
    assert "proved 0, configured 17, open 1, outside 6" in ended.out


def test_strict_leaves_with_one_while_a_clause_is_open(run: Callable[..., Ended]) -> None:
    assert run("report", CITY, "--strict", *NOW).code == 1


def test_clauses_are_quoted_with_proofs_and_what_these_assume(
    run: Callable[..., Ended],
) -> None:
    out = run("report", CITY, "--clauses", "--lang", "ja", *NOW).out

    assert "なお、両システム間で通信する場合には、無害化通信を実施する。" in out
    assert "F040, F041 によるものを除き、すべてのパケットについて証明済み(I2)" in out
    assert "I2 は F040, F041 を除く" in out
    assert "I1 の前提: lg-wsus は受け取ったものを渡さない" in out
    assert "対象外(物理)" in out


def test_json_has_a_line_for_each_clause_and_one_that_sums_up(run: Callable[..., Ended]) -> None:
    *clauses, summary = run("report", CITY, "--json", *NOW).records

    assert [record["clause"] for record in clauses][-1] == "ono-2026:8"
    assert sum(summary[key] for key in ("proved", "configured", "open", "outside")) == len(clauses) == 24
    proofs = next(r for r in clauses if r["clause"] == "ono-2026:6.3.2")["answers"][0]["proofs"]
    assert [(proof["invariant"], proof["state"], proof["exceptions"]) for proof in proofs] == [
        ("I2", "proved", ["F040", "F041"])
    ]


class Page(HTMLParser):
    """Remembers what is open, and everything that could fetch something."""

    VOID = ("meta", "br", "link", "img")

    def __init__(self) -> None:
        super().__init__()
        self.stack: list[str] = []
        self.seen: list[str] = []
        self.fetched: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        self.fetched += [str(value) for name, value in attrs if name in ("src", "href", "srcset", "action")]
        if tag not in self.VOID:
            self.stack.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.stack.pop() == tag


@pytest.mark.parametrize("language", ["en", "ja"])
def test_the_page_is_well_formed_and_needs_nothing_from_elsewhere(
    run: Callable[..., Ended], language: str
) -> None:
    out = run("report", CITY, "--clauses", "--format", "html", "--lang", language, *NOW).out
    page = Page()
    page.feed(out)

    assert page.stack == []
    assert page.seen.count("section") == 24
    assert page.fetched == []
    assert not {"script", "link", "img", "iframe"} & set(page.seen)
    assert "url(" not in out
    assert "@import" not in out


def test_what_a_policy_says_cannot_break_the_page(run: Callable[..., Ended], tmp_path: Path) -> None:
    city = tmp_path / "p.yaml"
    city.write_text(
        "schema: 1\nmeta: {name: x}\n"
        "zones:\n  a: {interfaces: [a0], networks: [10.1.0.0/16], class: internet}\n"
        "  b: {interfaces: [b0], networks: [10.2.0.0/16], class: lgwan}\n"
        "flows: [{id: F1, from: b, to: a, service: tcp/80, action: allow}]\n"
        "invariants: [{id: I1, from: a, to: b, require_action: render, except: F1,"
        " because: '</ul><script>alert(1)</script>|[x](y)'}]\n"
    )

    html = run("report", str(city), "--clauses", "--format", "html", *NOW).out
    markdown = run("report", str(city), "--clauses", "--format", "markdown", *NOW).out

    assert "&lt;script&gt;" in html
    assert "<script>" not in html
    assert "<script>" not in markdown.replace("\\<script\\>", "")
    assert "\\|\\[x\\](y)" in markdown


def test_markdown_has_a_heading_for_each_clause(run: Callable[..., Ended]) -> None:
    out = run("report", CITY, "--clauses", "--format", "markdown", *NOW).out

    assert sum(line.startswith("## ono-2026:") for line in out.splitlines()) == 24


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """An audit log of a refusal and a mail made safe."""
    directory = tmp_path / "audit"
    digests = {"sha256": "0" * 64, "output_sha256": "1" * 64}
    written = open_for_append(directory, gateway="gw")
    written.append(make_draft("packet", {"outcome": "deny", "reason": "guard"}, actor="test"))
    written.append(make_draft("mail-sanitized", {"job": "1", **digests}, actor="test"))
    written.close()
    return directory


def test_an_audit_log_stands_beside_the_clauses_that_need_records(
    run: Callable[..., Ended], log: Path
) -> None:
    english = run("report", CITY, "--clauses", "--audit", str(log), *NOW).out
    japanese = run("report", CITY, "--clauses", "--audit", str(log), "--lang", "ja", *NOW).out

    assert "* the audit log shows it, " in english
    assert "      sanitised: 1\n" in english
    assert "audit log: chain whole, 4 records" in english
    assert "* 監査ログに記録がある" in japanese
    assert "      無害化の記録: 1 件\n" in japanese
    assert "監査ログ: 連鎖に破れなし。" in japanese


def test_a_broken_chain_is_no_evidence_in_any_form(run: Callable[..., Ended], log: Path) -> None:
    (file,) = log.glob("*.jsonl")
    file.write_bytes(file.read_bytes().replace(b'"deny"', b'"allow"'))

    ended = run("report", CITY, "--audit", str(log), "--strict", *NOW)
    records = run("report", CITY, "--audit", str(log), "--json", *NOW).records

    assert ended.code == 1
    assert "the audit log shows it" not in ended.out
    assert ended.out.count("the chain of the audit log is broken") > 2
    assert (records[-1]["log"]["intact"], records[-1]["log"]["counts"]) == (False, {})
    mail = next(record for record in records if record["clause"] == "ono-2026:2.12")
    assert (mail["standing"], mail["answers"][-1]["answer"]) == ("open", "log-broken")


@pytest.mark.parametrize("form", ["markdown", "html"])
def test_the_log_is_in_every_form_of_the_report(run: Callable[..., Ended], log: Path, form: str) -> None:
    out = run("report", CITY, "--clauses", "--format", form, "--audit", str(log), *NOW).out

    assert "the audit log shows it" in out
    assert "chain whole, 4 records" in out
    assert "no head noted elsewhere" in out


def test_without_a_log_nothing_is_said_of_records(run: Callable[..., Ended]) -> None:
    assert "No audit log was looked at" in run("report", CITY, *NOW).out


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--anchor", "a:1:b"), "report-anchor-alone"),
        (("--audit", "nowhere"), "audit-no-directory"),
        (("--audit", ".", "--anchor", "x"), "audit-bad-anchor"),
    ],
)
def test_a_log_that_is_not_there_is_a_mistake(
    run: Callable[..., Ended], arguments: tuple[str, ...], code: str
) -> None:
    ended = run("report", CITY, "--json", *arguments, *NOW)

    assert (ended.code, ended.records[0]["error"]) == (2, code)
