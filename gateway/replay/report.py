"""A replay for people: a few tables that fit a terminal of 100 columns, in both languages."""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from gateway.cli.terminal import printable
from gateway.filter.frames import MALFORMED
from gateway.replay.lines import anti_spoof, flow_line, packet_line, service_text, time_text
from gateway.replay.summary import DECISION, REASON, ZONES
from gateway.replay.views import by_host, top
from zones.address import address_text
from zones.messages import Language, say
from zones.verdict import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.replay.against import Against, ChangeKey, Kind, Said
    from gateway.replay.exchanges import Ends, Exchange
    from gateway.replay.flows import FlowRecord
    from gateway.replay.records import PacketRecord
    from gateway.replay.summary import Summary, Tally

COLUMNS = 100
_COLORS = {Outcome.DENY.value: "red", Outcome.ALLOW.value: "green"}


class Report:
    """Write records and the summary as text to one stream."""

    def __init__(self, out: TextIO, language: Language, *, color: bool) -> None:
        self._out = out
        self._language = language
        self._console = Console(
            file=out, width=COLUMNS, no_color=not color, force_terminal=color, highlight=False, emoji=False
        )

    def packet(self, record: PacketRecord, flow: FlowRecord | None) -> None:
        """Write one packet on one line."""
        line = packet_line(record, flow)
        what = line["unparsed"] or _exchange(line)
        verdict = _verdict_text(line)
        self._write(f"{record.number:>7}  {line['time'][11:26]}  {line['interface']:<6}  {what}  {verdict}")

    def flow(self, flow: FlowRecord) -> None:
        """Write one flow on one line."""
        line = flow_line(flow)
        size = self._words("replay-flow-size", packets=f"{flow.packets:,}", bytes=size_text(flow.bytes))
        if 0 < flow.denied < flow.packets:
            size += " " + self._words("replay-flow-denied", denied=f"{flow.denied:,}")
        self._write(f"#{flow.number:<6} {_exchange(line)}  {_verdict_text(line)}  {size}")

    def summary(
        self,
        summary: Summary,
        views: tuple[str, ...] = (),
        *,
        rows: int = 20,
        denied: bool = False,
    ) -> None:
        """Write what was read, the verdicts by the views asked for, and what was not judged.

        `rows` is how long the tables of hosts and exchanges get; with `denied` only refused exchanges count.
        """
        self._head(summary)
        for view in views or ("zones", "flow"):
            _VIEWS[view](self, summary, rows, denied)
        self._unread(summary)
        self._remarks(summary)

    def changes(self, against: Against, *, rows: int = 20) -> None:
        """Write what the other policy would change, by kind of change."""
        self._write("")
        self._say("replay-against", name=against.policy.name, revision=against.policy.revision[:12])
        if not any(True for _ in against.changes):
            self._say("replay-against-same", packets=f"{against.changes.compared:,}")
            return
        for kind, found in against.changes.by_kind().items():
            if found:
                self._changes_of(kind, found, rows)

    def _changes_of(self, kind: Kind, found: list[tuple[ChangeKey, Exchange]], rows: int) -> None:
        columns = ("exchange", "before", "after", "first")
        table = self._table(f"replay-change-{kind.value}", columns, ("flows", "packets", "bytes"))
        for key, row in found[:rows]:
            first = row.first.rpartition("/")[2]
            cells = (_between(key.ends), _said(key.before), _said(key.after), first)
            self._cells(table, cells, (f"{row.flows:,}", f"{row.packets:,}", size_text(row.bytes)))
        self._print(table)
        self._more(len(found), rows)

    def _head(self, summary: Summary) -> None:
        self._say("replay-policy", name=summary.policy, revision=summary.revision[:12], engine=summary.engine)
        if summary.first_ns is not None and summary.last_ns is not None:
            span = {"first": time_text(summary.first_ns)[:19], "last": time_text(summary.last_ns)[:19]}
            self._say("replay-span", **span, seconds=f"{(summary.last_ns - summary.first_ns) / 1e9:,.1f}")
        counts = {
            name: f"{getattr(summary, name):,}" for name in ("packets", "judged", "unparsed", "skipped")
        }
        self._say("replay-counts", **counts, flows=f"{summary.flows:,}", denied=f"{summary.denied():,}")

    def _by_zones(self, summary: Summary, _rows: int, _denied: bool) -> None:
        table = self._table("replay-by-zones", ("source", "destination", "outcome"))
        for (source, destination, outcome), tally in summary.by(*ZONES).items():
            self._row(table, (source or "?", destination or "?", outcome), tally, summary.judged)
        self._print(table)

    def _by_decision(self, summary: Summary, _rows: int, _denied: bool) -> None:
        table = self._table("replay-by-decision", ("decided-by", "reason", "outcome"))
        for (decided_by, reason, outcome), tally in summary.by(*DECISION).items():
            self._row(table, (decided_by or "-", reason, outcome), tally, summary.judged)
        self._print(table)

    def _by_reason(self, summary: Summary, _rows: int, _denied: bool) -> None:
        table = self._table("replay-by-reason", ("reason", "outcome", "first"))
        for (reason, outcome), tally in summary.by(*REASON).items():
            self._row(table, (reason, outcome, tally.first.rpartition("/")[2]), tally, summary.judged)
        self._print(table)

    def _by_host(self, summary: Summary, rows: int, _denied: bool) -> None:
        hosts = by_host(summary.exchanges)
        numbers = ("peers", "began", "served", "denied-from", "denied-to", "packets", "bytes")
        table = self._table("replay-by-host", ("zone", "host"), numbers)
        for sums in hosts[:rows]:
            host = address_text(sums.host.version, sums.host.address)
            counts = (sums.peers, sums.flows, sums.served, sums.denied_from, sums.denied_to, sums.packets)
            amounts = (*(f"{count:,}" for count in counts), size_text(sums.bytes))
            self._cells(table, (sums.host.zone or "?", host), amounts)
        self._print(table)
        self._more(len(hosts), rows)

    def _by_exchange(self, summary: Summary, rows: int, denied: bool) -> None:
        found = top(summary.exchanges, denied=denied)
        columns = ("exchange", "outcome", "reason", "decided-by")
        table = self._table("replay-by-exchange", columns, ("flows", "packets", "bytes"))
        for row in found[:rows]:
            cells = (_between(row.ends), row.ends.outcome, row.ends.reason, row.ends.decided_by or "-")
            self._cells(table, cells, (f"{row.flows:,}", f"{row.packets:,}", size_text(row.bytes)))
        self._print(table)
        self._more(len(found), rows)

    def _unread(self, summary: Summary) -> None:
        if not summary.reasons:
            return
        table = self._table("replay-not-parsed", ("reason", "treated", "first"))
        for reason, tally in sorted(summary.reasons.items(), key=lambda item: -item[1].packets):
            treated = self._words("replay-refused" if reason in MALFORMED else "replay-not-judged")
            first = tally.first.rpartition("/")[2]
            self._row(table, (reason.value, treated, first), tally, summary.packets)
        self._print(table)

    def _remarks(self, summary: Summary) -> None:
        for name, count in summary.marked().items():
            self._say(f"replay-mark-{name}", count=f"{count:,}")
        spoof = anti_spoof(summary)
        if spoof["inferred"]:
            self._say("replay-anti-spoof", checked=f"{spoof['checked']:,}", inferred=f"{spoof['inferred']:,}")
        for code, count in (
            ("replay-backwards", summary.backwards),
            ("replay-evicted", summary.evicted),
            ("replay-flows-split", summary.flows_split),
            ("replay-exchanges-other", summary.exchanges.others),
        ):
            if count:
                self._say(code, count=f"{count:,}")
        for flow, count in sorted(summary.audited.items()):
            self._say("replay-audited", flow=flow, count=f"{count:,}")
        for name in summary.unused_map:
            self._say("replay-map-unused", interface=name)

    def _table(
        self,
        title: str,
        columns: tuple[str, ...],
        numbers: tuple[str, ...] = ("packets", "share", "bytes"),
    ) -> Table:
        table = Table(
            title=self._words(title), title_justify="left", title_style="bold", box=None, pad_edge=False
        )
        for column in columns:
            table.add_column(self._words(f"replay-column-{column}"), overflow="fold")
        for column in numbers:
            table.add_column(self._words(f"replay-column-{column}"), justify="right", no_wrap=True)
        return table

    def _row(self, table: Table, cells: tuple[str, ...], tally: Tally, whole: int) -> None:
        share = f"{100 * tally.packets / whole:.1f} %"
        self._cells(table, cells, (f"{tally.packets:,}", share, size_text(tally.bytes)))

    def _cells(self, table: Table, cells: tuple[str, ...], numbers: tuple[str, ...]) -> None:
        texts = [Text(printable(cell), style=_COLORS.get(cell, "")) for cell in cells]
        table.add_row(*texts, *map(Text, numbers))

    def _more(self, found: int, rows: int) -> None:
        if found > rows:
            self._say("replay-more-rows", count=f"{found - rows:,}")

    def _print(self, table: Table) -> None:
        if table.row_count:
            self._write("")
            self._console.print(table)

    def _words(self, code: str, **params: object) -> str:
        return say(code, params, self._language)

    def _say(self, code: str, **params: object) -> None:
        self._write(self._words(code, **params))

    def _write(self, text: str) -> None:
        self._out.write(printable(text) + "\n")


def _exchange(line: dict[str, object]) -> str:
    """Return the ends and the service of a packet or flow line."""
    source, destination = line["src"], line["dst"]
    if line["sport"] is not None:
        source, destination = (
            f"{_bracket(source)}:{line['sport']}",
            f"{_bracket(destination)}:{line['dport']}",
        )
    zones = f"{line['source_zone'] or '?'} → {line['destination_zone'] or '?'}"
    kind = f" {line['icmp_type']}/{line['icmp_code']}" if line["icmp_type"] is not None else ""
    flags = f" [{line['tcp_flags']}]" if line.get("tcp_flags") else ""
    return f"{zones}  {source} → {destination} {line['protocol']}{kind}{flags}"


def _between(ends: Ends) -> str:
    """Return an exchange on one line: zones, addresses, service."""
    zones = f"{ends.source_zone or '?'} → {ends.destination_zone or '?'}"
    if ends.other:
        return f"{zones}  …"
    source, destination = (address_text(ends.version, address) for address in (ends.src, ends.dst))
    return f"{zones}  {source} → {destination} {service_text(ends.protocol, ends.port)}"


def _said(said: Said) -> str:
    return " ".join(word for word in said if word)


def _bracket(address: object) -> str:
    return f"[{address}]" if ":" in str(address) else str(address)


def _verdict_text(line: dict[str, object]) -> str:
    words = [str(line["outcome"]), str(line["reason"] or ""), str(line["decided_by"] or "")]
    marks = line["marks"]
    if isinstance(marks, list) and marks:
        words.append(f"({', '.join(marks)})")
    return " ".join(word for word in words if word)


def size_text(size: float) -> str:
    """Return a size as people read it.

    >>> size_text(1536)
    '1.5 kB'
    """
    if size < 1000:
        return f"{size:.0f} B"
    for unit in ("kB", "MB", "GB"):
        size /= 1000
        if size < 1000:
            return f"{size:,.1f} {unit}"
    return f"{size / 1000:,.1f} TB"


_VIEWS: dict[str, Callable[[Report, Summary, int, bool], None]] = {
    "zones": Report._by_zones,
    "flow": Report._by_decision,
    "reason": Report._by_reason,
    "host": Report._by_host,
    "exchange": Report._by_exchange,
}
