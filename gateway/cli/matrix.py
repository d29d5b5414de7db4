"""`masugata matrix`: which zone (or host) may reach which, and how; as text, CSV, Markdown, SVG or JSON."""

from __future__ import annotations

import csv
import io
from datetime import datetime
from typing import TYPE_CHECKING

import click

from gateway.cli.paint import Span, grid
from gateway.cli.policies import moment_meant, policy_of
from gateway.cli.terminal import shared_flags, words
from zones.errors import ExitCode
from zones.matrix import Cell, host_matrix, zone_matrix
from zones.model import Action

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gateway.cli.terminal import Terminal
    from zones.matrix import Matrix

# One letter for each way a cell can hold: the host matrix has no room for words. Denies have none: what no
# flow opens is refused all the same.
LETTERS = {
    Action.ALLOW.value: "A",
    Action.SANITIZE_MAIL.value: "M",
    Action.SANITIZE_WEB.value: "W",
    Action.RENDER.value: "R",
    Action.FILE_TRANSFER.value: "F",
    "guard": "x",
    "dormant": "z",
    "audited": "n",
}


@click.command("matrix", help=words("matrix-help"))
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option("--hosts", is_flag=True, help=words("option-hosts"))
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "csv", "markdown", "svg"]),
    default="text",
    show_default=True,
    help=words("option-format"),
)
@click.option("--now", "now_text", metavar="DATE", help=words("option-now"))
@shared_flags
def command(
    paths: tuple[str, ...], form: str, now_text: str | None, *, hosts: bool, terminal: Terminal
) -> int:
    """Write the matrix."""
    policy = policy_of(paths)
    now = moment_meant(now_text, policy)
    matrix = (host_matrix if hosts else zone_matrix)(policy, now=now)
    if terminal.json_lines:
        for cell in matrix.cells.values():
            terminal.data(cell_record(cell))
        return ExitCode.OK
    say = terminal.words
    moment = datetime.fromtimestamp(now, policy.timezone).isoformat(timespec="minutes")
    title = say("matrix-title", name=policy.name, moment=moment)
    revision = say("matrix-revision", revision=policy.revision[:12])
    if form == "svg":
        from gateway.cli.matrix_picture import picture

        terminal.write(picture(matrix, say, title=title, note=revision, compact=hosts))
    elif form == "text":
        terminal.write(f"{title}\n")
        lines = (_letters if hosts else _text)(matrix, say, color=terminal.color)
        # Names and words were made printable before they were coloured.
        terminal.out.writelines(f"{line}\n" for line in lines)
        terminal.write(f"\n{revision}")
    else:
        terminal.write((_csv if form == "csv" else _markdown)(matrix, say))
    return ExitCode.OK


def cell_record(cell: Cell) -> dict[str, object]:
    """Return a cell as JSON."""
    return {
        "from": cell.source,
        "to": cell.destination,
        "opens": cell.opens,
        "ways": {action.value: count for action, count in cell.ways.items()},
        "guards": list(cell.guards),
        "barred": {guard: [action.value for action in actions] for guard, actions in cell.barred.items()},
        "dormant": cell.dormant,
        "audited": cell.audited,
    }


def parts_of(cell: Cell | None, say: Callable[..., str]) -> list[tuple[str, str]]:
    """Return what stands in a cell, as kind and words; kinds are actions and the keys of `LETTERS`."""
    if cell is None:
        return []
    parts = [(action.value, say(f"matrix-{action}", count=count)) for action, count in cell.ways.items()]
    if cell.guards:
        parts.append(("guard", say("matrix-guard", ids=" ".join(cell.guards))))
    if cell.dormant:
        parts.append(("dormant", say("matrix-dormant", count=cell.dormant)))
    if cell.audited:
        parts.append(("audited", say("matrix-audited", count=cell.audited)))
    if not cell.guards:
        for guard, actions in cell.barred.items():
            parts.append(("barred", say("matrix-barred", id=guard, actions=" ".join(actions))))
    return parts or [("nothing", say("matrix-nothing"))]


def legend(matrix: Matrix, say: Callable[..., str]) -> list[tuple[str, str, str]]:
    """Return kind, sample and meaning of what stands in this matrix."""
    seen = {kind for cell in matrix.cells.values() for kind, _ in parts_of(cell, say)}
    samples = {
        "guard": say("matrix-guard", ids="G"),
        "barred": say("matrix-barred", id="G", actions="…"),
        "nothing": say("matrix-nothing"),
    }
    kinds = [*(action.value for action in Action), "guard", "barred", "dormant", "audited", "nothing"]
    return [
        (kind, samples.get(kind) or say(f"matrix-{kind}", count="n"), say(f"matrix-legend-{kind}"))
        for kind in kinds
        if kind in seen
    ]


def _text(matrix: Matrix, say: Callable[..., str], *, color: bool) -> Iterator[str]:
    rows = [[[Span(name, "heading")] for name in (say("matrix-corner"), *matrix.names)]]
    for source in matrix.names:
        cells = [[Span(text, kind) for kind, text in parts_of(cell, say)] for cell in _row(matrix, source)]
        rows.append([[] for _ in range(len(matrix.names) + 1)])
        for line in range(max(len(cell) for cell in cells)):
            first = [Span(source, "heading")] if line == 0 else []
            rows.append([first, *(cell[line : line + 1] for cell in cells)])
    yield from grid(rows, color=color)
    yield ""
    entries = legend(matrix, say)
    yield from grid(
        [[[Span(sample, kind)], [Span(meaning)]] for kind, sample, meaning in entries], color=color
    )
    yield say("matrix-legend-within")


def _letters(matrix: Matrix, say: Callable[..., str], *, color: bool) -> Iterator[str]:
    """Yield one line a host with one letter a cell; columns are numbered like the rows."""
    numbers = [str(number) for number in range(1, len(matrix.names) + 1)]
    places = max(map(len, numbers), default=1)
    head: list[list[Span]] = [[], [], [], [Span(f" {number:>{places}}") for number in numbers]]
    rows = [
        [
            [Span(number)],
            [Span(name, "heading")],
            [Span(matrix.zones[name])],
            [span for cell in _row(matrix, name) for span in _letter(cell, places)],
        ]
        for number, name in zip(numbers, matrix.names, strict=True)
    ]
    yield from grid([head, *rows], color=color)
    yield ""
    shown = [(kind, LETTERS[kind], meaning) for kind, _, meaning in legend(matrix, say) if kind in LETTERS]
    shown.append(("nothing", ".", say("matrix-legend-nothing")))
    yield from grid([[[Span(letter, kind)], [Span(meaning)]] for kind, letter, meaning in shown], color=color)


def _letter(cell: Cell | None, places: int) -> Iterator[Span]:
    """Yield at most two letters of a cell, after the blanks that put them under the column's number."""
    kinds = [kind for kind, _ in parts_of(cell, lambda code, **_: code) if kind in LETTERS][:2]
    letters = [Span(LETTERS[kind], kind) for kind in kinds]
    if not letters:
        letters = [Span(" ") if cell is None else Span(".", "nothing")]
    yield Span(" " * (1 + max(places - len(letters), 0)))
    yield from letters


def _row(matrix: Matrix, source: str) -> list[Cell | None]:
    return [matrix.cells.get((source, destination)) for destination in matrix.names]


def _joined(cell: Cell | None, say: Callable[..., str], between: str) -> str:
    return between.join(text for _, text in parts_of(cell, say))


def _csv(matrix: Matrix, say: Callable[..., str]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([say("matrix-corner"), *matrix.names])
    for source in matrix.names:
        writer.writerow([source, *(_joined(cell, say, "; ") for cell in _row(matrix, source))])
    return out.getvalue().rstrip("\n")


def _markdown(matrix: Matrix, say: Callable[..., str]) -> str:
    lines = [_table_row([say("matrix-corner").replace("\\", "\\\\"), *matrix.names])]
    lines.append("|---" * (len(matrix.names) + 1) + "|")
    lines += [
        _table_row([source, *(_joined(cell, say, "<br>") for cell in _row(matrix, source))])
        for source in matrix.names
    ]
    return "\n".join(lines)


def _table_row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
