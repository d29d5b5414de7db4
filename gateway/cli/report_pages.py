"""A clause report as text, Markdown or one HTML page that needs nothing from elsewhere."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, NamedTuple

from zones.report import OF_CLAUSES, Standing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from zones.report import Answer, ClauseReport, ClauseStanding

    Say = Callable[..., str]


class _Item(NamedTuple):
    """A line of evidence; `notes` are what a proof takes for granted and what it leaves out."""

    standing: Standing
    text: str
    notes: tuple[str, ...]


def _items(entry: ClauseStanding, say: Say) -> Iterator[_Item]:
    for answer in entry.answers:
        yield _Item(answer.standing, say(answer.code, **answer.params), tuple(_notes(answer, say)))


def _notes(answer: Answer, say: Say) -> Iterator[str]:
    for result in answer.results:
        invariant = result.invariant
        if invariant.exceptions:
            ids = ", ".join(invariant.exceptions)
            yield say("report-exceptions", id=invariant.id, ids=ids, because=invariant.because or "-")
        for code, params in result.assumptions:
            yield say("report-assumes", id=invariant.id, assumption=say(code, **params))
    yield from (say(code, **params) for code, params in answer.notes)


def _outside(entry: ClauseStanding, say: Say) -> Iterator[str]:
    for part in entry.clause.outside:
        japanese = say("report-lang") == "ja"
        what, by = (part.what, part.by) if japanese else (part.what_en, part.by_en)
        yield say("report-outside", kind=say(f"report-kind-{part.kind}"), what=what, by=by)


def _gloss(entry: ClauseStanding, say: Say) -> tuple[str, ...]:
    """Return the gloss for who does not read the clause itself."""
    return () if say("report-lang") == "ja" else (entry.clause.gloss,)


def _source(report: ClauseReport, say: Say) -> str:
    pack = report.pack
    return say("report-source", title=pack.title, title_en=pack.title_en, revised=pack.revised)


def _cited(entry: ClauseStanding, say: Say) -> str:
    ids = ", ".join([*entry.invariants, *entry.guards, *entry.flows])
    return say("report-basis", ids=ids) if ids else ""


def _counts(report: ClauseReport, say: Say) -> Iterator[tuple[Standing, str, int]]:
    for standing in OF_CLAUSES:
        yield standing, say(f"report-standing-{standing}"), report.count(standing)


def _log(report: ClauseReport, say: Say) -> Iterator[str]:
    """Yield what the audit log is worth as a whole: its chain, its span, what it lacks."""
    log = report.log
    if log is None:
        yield say("report-no-log")
        return
    if not log.intact:
        yield say("report-log-broken", findings=log.findings)
        return
    yield say("report-log", first=log.first, last=log.last, events=log.events, revision=log.of_revision)
    yield say("report-log-lacks", gaps=log.gaps, lost=log.lost, crashes=log.crashes)
    if not log.anchored:
        yield say("report-log-not-anchored")


def _shown(report: ClauseReport, *, whole: bool) -> list[ClauseStanding]:
    """Return every clause, or those alone that still ask for work here."""
    return [entry for entry in report.clauses if whole or entry.standing is Standing.OPEN]


def text(report: ClauseReport, say: Say, *, moment: str, whole: bool) -> Iterator[str]:
    """Yield the report as lines for a terminal."""
    yield say("report-title", policy=report.policy, moment=moment)
    yield _source(report, say)
    for entry in _shown(report, whole=whole):
        yield ""
        badge = say(f"report-standing-{entry.standing}")
        yield f"[{badge}] {entry.clause.id}  {entry.clause.heading}"
        if whole:
            yield from (f"    {line}" for line in entry.clause.text.split("\n"))
            yield from (f"    {gloss}" for gloss in _gloss(entry, say))
        for item in _items(entry, say):
            yield f"  {_MARKS[item.standing]} {item.text}"
            yield from (f"      {note}" for note in item.notes)
        yield from (f"  > {line}" for line in _outside(entry, say))
        if cited := _cited(entry, say):
            yield f"  {cited}"
    yield ""
    yield ", ".join(f"{name} {count}" for _, name, count in _counts(report, say))
    yield say("report-partly", count=report.partly_outside)
    yield from _log(report, say)
    yield say("matrix-revision", revision=report.revision[:12])


_MARKS = {
    Standing.PROVED: "+",
    Standing.CONFIGURED: "=",
    Standing.RECORDED: "*",
    Standing.OPEN: "!",
    Standing.OUTSIDE: ">",
}


def markdown(report: ClauseReport, say: Say, *, moment: str, whole: bool) -> Iterator[str]:
    """Yield the report as Markdown."""
    yield f"# {_plain(say('report-title', policy=report.policy, moment=moment))}"
    yield ""
    yield _source(report, say)
    yield ""
    yield "| " + " | ".join(name for _, name, _ in _counts(report, say)) + " |"
    yield "|---" * len(OF_CLAUSES) + "|"
    yield "| " + " | ".join(str(count) for *_, count in _counts(report, say)) + " |"
    yield ""
    yield say("report-partly", count=report.partly_outside)
    yield ""
    yield from (f"- {_plain(line)}" for line in _log(report, say))
    for entry in _shown(report, whole=whole):
        yield from ("", f"## {entry.clause.id} {entry.clause.heading}", "")
        yield f"**{say(f'report-standing-{entry.standing}')}**"
        yield ""
        yield from (f"> {line}  " for line in entry.clause.text.split("\n"))
        yield ""
        yield from (f"{_plain(gloss)}\n" for gloss in _gloss(entry, say))
        for item in _items(entry, say):
            yield f"- **{say(f'report-standing-{item.standing}')}**: {_plain(item.text)}"
            yield from (f"  - {_plain(note)}" for note in item.notes)
        yield from (f"- {_plain(line)}" for line in _outside(entry, say))
        if cited := _cited(entry, say):
            yield f"- {_plain(cited)}"
    yield ""
    yield say("matrix-revision", revision=report.revision[:12])


def _plain(words: str) -> str:
    """Return words in which nothing is Markdown."""
    return "".join(f"\\{character}" if character in "\\`*_[]<>|#" else character for character in words)


def html(report: ClauseReport, say: Say, *, moment: str, whole: bool) -> Iterator[str]:
    """Yield the report as one HTML page: no script, nothing fetched, fit for print and for dark screens."""
    title = escape(say("report-title", policy=report.policy, moment=moment))
    yield f'<!doctype html>\n<html lang="{say("report-lang")}">\n<head>\n<meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<title>{title}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>"
    yield f"<header><h1>{title}</h1>"
    source = _source(report, say)
    yield f"<p>{escape(source)}</p>"
    yield "<ul class='counts'>"
    for standing, name, count in _counts(report, say):
        yield f"<li class='{standing}'><b>{count}</b> {escape(name)}</li>"
    yield f"</ul><p class='small'>{escape(say('report-partly', count=report.partly_outside))}</p>"
    yield from (f"<p class='small'>{escape(line)}</p>" for line in _log(report, say))
    yield "</header>"
    for entry in _shown(report, whole=whole):
        yield from _section(entry, say)
    yield f"<footer>{escape(say('matrix-revision', revision=report.revision))}</footer>"
    yield "</main>\n</body>\n</html>"


def _section(entry: ClauseStanding, say: Say) -> Iterator[str]:
    clause = entry.clause
    yield f"<section class='{entry.standing}' id='{escape(clause.id)}'>"
    badge = escape(say(f"report-standing-{entry.standing}"))
    yield f"<h2>{escape(clause.heading)} <span class='badge'>{badge}</span></h2>"
    yield f"<p class='id'>{escape(clause.id)}</p>"
    quoted = "<br>".join(escape(line) for line in clause.text.split("\n"))
    yield f"<blockquote lang='ja'>{quoted}</blockquote>"
    yield from (f"<p class='small'>{escape(gloss)}</p>" for gloss in _gloss(entry, say))
    yield "<ul class='evidence'>"
    for item in _items(entry, say):
        notes = "".join(f"<li>{escape(note)}</li>" for note in item.notes)
        summary = escape(say("report-notes", count=len(item.notes)))
        # Open at first: what a proof takes for granted is part of what it says, on paper too.
        inner = f"<details open><summary>{summary}</summary><ul>{notes}</ul></details>" if notes else ""
        yield f"<li class='{item.standing}'>{escape(item.text)}{inner}</li>"
    yield from (f"<li class='outside'>{escape(line)}</li>" for line in _outside(entry, say))
    yield "</ul>"
    if cited := _cited(entry, say):
        yield f"<p class='small'>{escape(cited)}</p>"
    yield "</section>"


# The colours are those of the matrix: green passes, blue is watched, amber asks for work, grey is not ours.
_STYLE = """
:root{--ink:#1d2327;--paper:#fff;--soft:#f4f5f6;--line:#d8dcdf;--proved:#1a7f4b;--configured:#1f6fb2;
--open:#b8560f;--outside:#6b7280}
@media(prefers-color-scheme:dark){:root{--ink:#e6e8ea;--paper:#15191c;--soft:#1f2529;--line:#343c42;
--proved:#4cc38a;--configured:#6cb2f0;--open:#f2a65a;--outside:#9aa4ae}}
*{box-sizing:border-box}
body{margin:0;background:var(--soft);color:var(--ink);line-height:1.7;
font-family:system-ui,"Hiragino Sans","Noto Sans CJK JP","Noto Sans JP","Yu Gothic",Meiryo,sans-serif}
main{max-width:60rem;margin:0 auto;padding:2rem 1.25rem 4rem}
h1{font-size:1.5rem;line-height:1.35;margin:0 0 .25rem}
h2{font-size:1.06rem;line-height:1.5;margin:0;display:flex;gap:.75rem;align-items:baseline;
justify-content:space-between}
header p{margin:.25rem 0}
.counts{list-style:none;display:grid;grid-template-columns:repeat(4,1fr);gap:.75rem;padding:0;
margin:1.25rem 0 .5rem}
.counts li{background:var(--paper);border:1px solid var(--line);border-top:4px solid var(--c);
border-radius:8px;padding:.6rem .9rem;font-size:.92rem}
.counts b{display:block;font-size:1.7rem;line-height:1.3;color:var(--c);font-variant-numeric:tabular-nums}
section{background:var(--paper);border:1px solid var(--line);border-left:5px solid var(--c);border-radius:8px;
padding:1rem 1.25rem;margin:1rem 0;break-inside:avoid}
.proved{--c:var(--proved)}.configured{--c:var(--configured)}.recorded{--c:var(--proved)}.open{--c:var(--open)}.outside{--c:var(--outside)}
.badge{flex:none;font-size:.8rem;font-weight:600;color:var(--c);border:1px solid var(--c);border-radius:99px;
padding:0 .7rem}
.id{margin:0;font:.8rem ui-monospace,monospace;color:var(--outside)}
blockquote{margin:.7rem 0;padding:.1rem 0 .1rem .9rem;border-left:3px solid var(--line)}
.evidence{list-style:none;padding:0;margin:.6rem 0 0}
.evidence>li{position:relative;padding:.15rem 0 .15rem 1.3rem}
.evidence>li::before{content:"";position:absolute;left:.2rem;top:.78em;width:.55rem;height:.55rem;
border-radius:50%;background:var(--c)}
.evidence>li.outside::before{background:none;border:2px solid var(--c)}
details{font-size:.88rem;color:var(--outside)}summary{cursor:pointer;width:max-content}
details ul{margin:.2rem 0;padding-left:1.4rem}
.small,footer{font-size:.85rem;color:var(--outside);overflow-wrap:anywhere}
@media(max-width:34rem){.counts{grid-template-columns:repeat(2,1fr)}h2{flex-direction:column;gap:.2rem}}
@media print{body{background:#fff}main{max-width:none;padding:0}}
"""
