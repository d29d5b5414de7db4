"""Suggestions for people: tables that fit a terminal of 100 columns, and a few lines for each proposal."""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from gateway.cli.terminal import printable
from gateway.replay.lines import time_text
from gateway.replay.report import size_text
from gateway.suggest.confidence import confidence
from gateway.suggest.lines import exchange_text
from gateway.suggest.triage import NOTES, Why
from zones.messages import Language, say
from zones.model import Action

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.suggest.evidence import Window
    from gateway.suggest.narrowing import Usage
    from gateway.suggest.proposals import Proposal
    from gateway.suggest.suggest import Suggestions
    from gateway.suggest.triage import SetAside
    from gateway.suggest.trial import Refusal

COLUMNS = 100
_DIRECT = frozenset({Action.ALLOW, Action.SANITIZE_MAIL, Action.SANITIZE_WEB})
_MAX_PARTS = 3
_BY_SOURCE = frozenset({Why.SCAN_PORTS, Why.SCAN_HOSTS, Why.SPOOFED})


class Report:
    """Write suggestions as text to one stream; at most `limit` entries of each list."""

    def __init__(self, out: TextIO, language: Language, *, color: bool, limit: int | None) -> None:
        self._out = out
        self._language = language
        self._limit = limit
        self._console = Console(
            file=out, width=COLUMNS, no_color=not color, force_terminal=color, highlight=False, emoji=False
        )

    def window(self, window: Window, *, name: str, revision: str, engine: str) -> None:
        """Write when was looked, and when nothing was seen."""
        about = {"name": name, "revision": revision[:12], "engine": engine}
        if window.first_ns is None:
            self._say("suggest-window-empty", **about)
            return
        span = {"first": _second(window.first_ns), "last": _second(window.last_ns)}
        self._say("suggest-window", **span, packets=f"{window.packets:,}", **about)
        for begin, end in window.gaps[: self._limit]:
            minutes = f"{(end - begin) / 60e9:,.0f}"
            self._say("suggest-gap", first=_second(begin), last=_second(end), minutes=minutes)
        more = len(window.gaps) - len(window.gaps[: self._limit]) + window.gaps_left_out
        if more:
            self._say("suggest-gaps-more", count=f"{more:,}")

    def proposals(self, found: Suggestions) -> None:
        """Write the proposals as a table, then the evidence of each."""
        shown = found.proposals[: self._limit]
        if not shown:
            return
        columns = ("id", "from", "to", "service", "action", "connections", "bits", "confidence")
        table = self._table("suggest-title-proposals", columns, right={"connections", "bits"})
        for proposal in shown:
            row = self._row_of(proposal)
            bits = self._words("suggest-bits", bits=f"{found.scores[proposal.id]:.1f}")
            word = self._words(f"suggest-confidence-{confidence(proposal.sightings)}")
            self._add(table, (*row, f"{proposal.sightings.connections:,}", bits, word))
        self._print(table)
        for proposal in shown:
            self._evidence(proposal)
        self._more(found.proposals, shown)
        for invariant, each in found.assumptions:
            assumption = self._words(each.code, **each.params)
            self._say("suggest-assumes", invariant=invariant, assumption=assumption)

    def refused(self, found: Suggestions) -> Sequence[Refusal]:
        """Write the title of what is refused, and return what is to be shown of it."""
        shown = found.refused[: self._limit]
        if shown:
            self._write("")
            self._title("suggest-title-refused")
        return shown

    def refusal(self, refusal: Refusal) -> None:
        """Write why one proposal is refused; the counterexample of an invariant is the verb's to write."""
        because = None
        if refusal.guard is not None:
            because = refusal.guard.because
        elif refusal.result is not None:
            because = refusal.result.invariant.because
        _, source, target, service, action = self._row_of(refusal.proposal)
        params = {
            "id": refusal.proposal.id,
            "flow": f"{source} → {target} {service} {action}",
            "by": refusal.by,
            "because": because or "-",
            "packet": refusal.proposal.draft.evidence[0].exchange.packet.describe(),
        }
        self._say(f"suggest-refused-{refusal.kind}", **params)
        if refusal.together:
            self._say("suggest-refused-together")
        if refusal.basis and refusal.result is None:
            self._say("suggest-clauses", clauses=", ".join(refusal.basis))

    def rest(self, found: Suggestions) -> None:
        """Write what has a flow already, and what is not proposed."""
        rows = _by_reason(found.set_aside)
        notes = [aside for aside in rows if aside.why in NOTES]
        others = [aside for aside in rows if aside.why not in NOTES]
        for title, listed in (("suggest-title-notes", notes), ("suggest-title-aside", others)):
            table = self._table(
                title,
                ("why", "exchanges", "connections", "example", "first"),
                right={"exchanges", "connections"},
            )
            for aside in listed[: self._limit]:
                self._add(table, self._aside(aside))
            if listed:
                self._print(table)
            self._more(listed, listed[: self._limit])

    def usage(self, found: Suggestions) -> None:
        """Write which open flows are wider than their use, and which were not used."""
        wide = [used for used in found.usage if used.wide]
        table = self._table("suggest-title-wide", ("flow", "bits", "used"), right={"bits"})
        for used in wide[: self._limit]:
            bits = self._words("suggest-bits", bits=f"{used.bits:.1f}")
            self._add(table, (used.flow.id, bits, _parts(used)))
        if wide:
            self._print(table)
        self._more(wide, wide[: self._limit])
        unused = [used.flow.id for used in found.usage if used.sightings is None]
        if unused:
            self._write("")
            self._title("suggest-title-unused")
            self._console.print(Text("  " + ", ".join(unused)))
        counts = {"used": len(found.usage) - len(unused), "wide": len(wide), "unused": len(unused)}
        self._say("suggest-summary-flows", **counts)

    def summary(self, found: Suggestions) -> None:
        """Write the counts of everything in one line."""
        notes = sum(aside.why in NOTES for aside in found.set_aside)
        self._write("")
        self._say(
            "suggest-summary",
            proposals=len(found.proposals),
            refused=len(found.refused),
            notes=notes,
            aside=len(found.set_aside) - notes,
        )

    def _evidence(self, proposal: Proposal) -> None:
        seen = proposal.sightings
        self._say(
            "suggest-evidence",
            id=proposal.id,
            connections=f"{seen.connections:,}",
            answered=f"{seen.answered:,}",
            sources=len(proposal.draft.sources),
            packets=f"{seen.packets:,}",
            bytes=size_text(seen.bytes),
            first=_second(seen.first_ns),
            last=_second(seen.last_ns),
            places=", ".join(place.rpartition("/")[2] for place in seen.places),
        )
        if proposal.draft.action not in _DIRECT:
            self._say("suggest-other-action", action=proposal.draft.action.value)
        for end in (proposal.sources, proposal.destinations):
            for host in end.hosts:
                self._say("suggest-new-host", name=host.name, address=host.address)
            for group in end.groups:
                self._say("suggest-new-group", name=group.name, networks=", ".join(group.networks))
        for option in proposal.options:
            params = option._asdict() | {"of": f"{option.of:,}", "bits": f"{option.bits:.1f}"}
            self._say("suggest-option", **params)

    def _row_of(self, proposal: Proposal) -> tuple[str, str, str, str, str]:
        return (
            proposal.id,
            ", ".join(proposal.sources.names),
            ", ".join(proposal.destinations.names),
            ", ".join(proposal.services),
            proposal.draft.action.value,
        )

    def _aside(self, aside: SetAside) -> tuple[str, ...]:
        seen = aside.sightings
        return (
            self._words(f"suggest-why-{aside.why}", detail=aside.detail or "-"),
            f"{len(aside.exchanges):,}",
            f"{seen.connections:,}",
            exchange_text(aside.exchanges[0].exchange),
            seen.places[0].rpartition("/")[2] if seen.places else "-",
        )

    def _table(self, title: str, columns: tuple[str, ...], right: set[str]) -> Table:
        table = Table(title=self._words(title), title_justify="left", title_style="bold", box=None)
        for column in columns:
            justify = "right" if column in right else "left"
            table.add_column(self._words(f"suggest-column-{column}"), justify=justify, overflow="fold")  # type: ignore[arg-type]
        return table

    def _add(self, table: Table, cells: tuple[str, ...]) -> None:
        table.add_row(*(Text(printable(cell)) for cell in cells))

    def _print(self, table: Table) -> None:
        self._write("")
        self._console.print(table)

    def _title(self, code: str) -> None:
        self._console.print(Text(self._words(code), style="bold"))

    def _more(self, rows: Sequence[object], shown: Sequence[object]) -> None:
        if len(rows) > len(shown):
            self._say("suggest-more", count=f"{len(rows) - len(shown):,}")

    def _words(self, code: str, /, **params: object) -> str:
        return say(code, params, self._language)

    def _say(self, code: str, /, **params: object) -> None:
        self._write(self._words(code, **params))

    def _write(self, text: str) -> None:
        self._out.write(printable(text) + "\n")


def _by_reason(set_aside: Sequence[SetAside]) -> list[SetAside]:
    """Return one row for each reason and what explains it; a scan keeps its source: that is who to ask."""
    rows: dict[object, SetAside] = {}
    for aside in set_aside:
        whose = aside.exchanges[0].exchange.source if aside.why in _BY_SOURCE else None
        known = rows.get((aside.why, aside.detail, whose))
        exchanges = (*known.exchanges, *aside.exchanges) if known is not None else aside.exchanges
        rows[aside.why, aside.detail, whose] = aside._replace(exchanges=exchanges)
    return list(rows.values())


def _second(time_ns: int) -> str:
    return time_text(time_ns)[:19]


def _parts(used: Usage) -> str:
    texts = [
        f"{', '.join(part.sources)} → {', '.join(part.destinations)} {', '.join(part.services)}"
        for part in used.parts[:_MAX_PARTS]
    ]
    more = len(used.parts) - len(texts)
    return "; ".join(texts) + (f"; … {more}" if more else "")
