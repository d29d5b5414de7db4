"""How the demonstration is shown: tables for people, one record for programs."""

from __future__ import annotations

from collections import Counter
from email import message_from_bytes, policy
from typing import TYPE_CHECKING, Any

from gateway.cli.terminal import printable
from zones.verdict import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gateway.cli.terminal import Terminal
    from gateway.demo.compare import Comparison
    from gateway.demo.show import Story

_COLORS = {"allow": "green", "deny": "red", "sanitize:mail": "yellow", "sanitize:web": "yellow"}
_SHOWN_MISMATCHES = 20
_SHOWN_LINES = 60


def describe(act: str, story: Story, terminal: Terminal) -> None:
    """Show what one act came to."""
    {
        "demo-act-mail": _mail,
        "demo-act-ask": _answers,
        "demo-act-generated": _generated,
        "demo-act-counters": _counters,
        "demo-act-replay": _replay,
    }[act](story, terminal)


def _table(terminal: Terminal, headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2), header_style="bold")
    for heading in headings:
        table.add_column(terminal.words(heading), overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable(cell), style=_COLORS.get(cell.split(" ")[0], "")) for cell in row))
    Console(
        file=terminal.out, no_color=not terminal.color, highlight=False, width=None if terminal.color else 118
    ).print(table)


def _mail(story: Story, terminal: Terminal) -> None:
    sent = message_from_bytes(story.sent_mail, policy=policy.default)
    parts = [
        f"{part.get_content_type()} {part.get_content_charset() or ''} {part.get_filename() or ''}".strip()
        for part in sent.walk()
    ]
    terminal.say("demo-mail-sent", parts=" · ".join(parts), bytes=len(story.sent_mail))
    if not story.arrived_mail:
        terminal.say("demo-mail-lost")
        return
    arrived = message_from_bytes(story.arrived_mail, policy=policy.default)
    terminal.say(
        "demo-mail-arrived",
        type=f"{arrived.get_content_type()}; charset={arrived.get_content_charset()}",
        seconds=round(story.arrived_seconds, 2),
        subject=str(arrived["Subject"]),
    )
    for line in str(arrived.get_content()).splitlines()[:_SHOWN_LINES]:
        terminal.write(f"    │ {line}")


def _answers(story: Story, terminal: Terminal) -> None:
    rows = []
    for answer in story.answers:
        expected = (
            f"{answer.expected.outcome} {answer.expected.reason} {answer.expected.decided_by or ''}".strip()
        )
        got = " ".join(part for part in answer.got if part) if answer.got else f"? {answer.logged}"
        asked = f"{answer.question.source} → {answer.question.target} {answer.service}"
        rows.append(
            (
                asked,
                expected,
                got,
                f"{answer.result} {answer.said}".strip()[:40],
                "✓" if answer.right else "✗",
            )
        )
    _table(terminal, ("demo-asked", "demo-expected", "demo-got", "demo-client", "demo-right"), rows)


def _generated(story: Story, terminal: Terminal) -> None:
    if story.generated is not None:
        rows = [(name, str(count)) for name, count in sorted(story.generated.counts.items())]
        _table(terminal, ("demo-verdict", "demo-packets"), rows)
        terminal.say(
            "demo-generated",
            compared=story.generated.compared,
            sent=story.sent,
            wrong=len(story.generated.mismatches),
        )
        _mismatches(story.generated, terminal)


def _counters(story: Story, terminal: Terminal) -> None:
    busiest = Counter({name: packets for name, (packets, _) in story.counters.items() if packets})
    rows = [(name, str(packets), str(story.counters[name][1])) for name, packets in busiest.most_common(12)]
    _table(terminal, ("demo-counter", "demo-packets", "demo-bytes"), rows)


def _replay(story: Story, terminal: Terminal) -> None:
    if story.replayed is None or story.replay is None:
        return
    terminal.say(
        "demo-replayed",
        packets=story.replay.packets,
        judged=story.replay.judged,
        engine=story.replay.engine,
        forwarded=story.replayed.counts["forwarded"],
        said=story.replayed.counts["refused or opened"],
        wrong=len(story.replayed.mismatches),
    )
    _mismatches(story.replayed, terminal)


def _mismatches(comparison: Comparison, terminal: Terminal) -> None:
    rows = [
        (
            f"{m.key.src} → {m.key.dst} {m.key.protocol}/{m.key.dport} ({m.key.sport})",
            m.kind,
            m.expected,
            m.got,
        )
        for m in comparison.mismatches[:_SHOWN_MISMATCHES]
    ]
    if rows:
        _table(terminal, ("demo-packet", "demo-kind", "demo-expected", "demo-got"), rows)


def report(story: Story) -> dict[str, Any]:
    """Return the whole story as one record."""
    return {
        "held": story.held,
        "mail": {"held": story.mail_held, "seconds": round(story.arrived_seconds, 3)},
        "asked": [
            {
                "from": answer.question.source,
                "to": answer.question.target,
                "service": answer.service,
                "expected": [answer.expected.outcome, answer.expected.reason, answer.expected.decided_by],
                "got": answer.got,
                "client": answer.result,
                "right": answer.right,
            }
            for answer in story.answers
        ],
        "generated": _comparison(story.generated),
        "replay": _comparison(story.replayed),
        "capture": dict(story.recorded),
        "gaps": story.gaps,
        "allowed": sum(answer.expected.outcome is Outcome.ALLOW for answer in story.answers),
    }


def _comparison(comparison: Comparison | None) -> dict[str, Any] | None:
    if comparison is None:
        return None
    return {
        "compared": comparison.compared,
        "counts": dict(comparison.counts),
        "mismatches": [{**m._asdict(), "key": list(m.key)} for m in comparison.mismatches],
    }
