"""What is printed: the packets and flows that were asked for as they come, then the summary and its views."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from gateway.replay.lines import (
    change_line,
    changes_line,
    exchange_line,
    flow_line,
    host_line,
    packet_line,
    summary_line,
)
from gateway.replay.report import Report
from gateway.replay.views import by_host, top

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.cli.terminal import Terminal
    from gateway.replay.against import Against
    from gateway.replay.flows import FlowRecord
    from gateway.replay.records import PacketRecord
    from gateway.replay.summary import Summary

TABLE_ROWS = 20
"""How long a table for people gets where no limit is given."""


class View(StrEnum):
    """The ways to add up a replay (`--by`)."""

    ZONES = "zones"
    FLOW = "flow"
    REASON = "reason"
    HOST = "host"
    EXCHANGE = "exchange"


class Listing:
    """A sink that writes the records asked for, as JSON lines or as text."""

    def __init__(
        self,
        terminal: Terminal,
        *,
        packets: bool = False,
        flows: bool = False,
        denied: bool = False,
        limit: int | None = None,
        views: Sequence[View] = (),
    ) -> None:
        self.wants_packets = packets
        self.wants_flows = flows
        self._denied = denied
        self._limit = limit
        self._views = views
        self._terminal = terminal
        self._report = (
            None if terminal.json_lines else Report(terminal.out, terminal.language, color=terminal.color)
        )
        self._written = {"packets": 0, "flows": 0}
        self._held_back = {"packets": 0, "flows": 0}

    def packet(self, record: PacketRecord, flow: FlowRecord | None) -> None:
        """Write one packet, unless it is filtered out."""
        verdict = record.verdict
        if (self._denied and (verdict is None or verdict.passes)) or not self._room("packets"):
            return
        if self._report is not None:
            self._report.packet(record, flow)
        else:
            self._terminal.data(packet_line(record, flow))

    def flow(self, record: FlowRecord) -> None:
        """Write one flow, unless it is filtered out."""
        if not self.wants_flows or (self._denied and not record.denied) or not self._room("flows"):
            return
        if self._report is not None:
            self._report.flow(record)
        else:
            self._terminal.data(flow_line(record))

    def summary(self, summary: Summary, against: Against | None = None) -> None:
        """Write the summary, what the other policy would change, and how much `--limit` held back."""
        if self._report is None:
            self._lines(summary, against)
            return
        if any(self._held_back.values()):
            self._terminal.say("replay-not-shown", **{k: f"{n:,}" for k, n in self._held_back.items()})
        if any(self._written.values()):
            self._terminal.write("")
        rows = TABLE_ROWS if self._limit is None else self._limit
        self._report.summary(
            summary, tuple(view.value for view in self._views), rows=rows, denied=self._denied
        )
        if against is not None:
            self._report.changes(against, rows=rows)

    def _lines(self, summary: Summary, against: Against | None) -> None:
        """Write what stands before the summary line, then that."""
        out = self._terminal.data
        if View.EXCHANGE in self._views:
            for row in top(summary.exchanges, denied=self._denied)[: self._limit]:
                out(exchange_line(row))
        if View.HOST in self._views:
            for sums in by_host(summary.exchanges)[: self._limit]:
                out(host_line(sums))
        if against is not None:
            for rows in against.changes.by_kind().values():
                for key, change in rows[: self._limit]:
                    out(change_line(key, change))
            out(changes_line(against))
        out(summary_line(summary))

    def _room(self, kind: str) -> bool:
        if self._limit is not None and self._written[kind] >= self._limit:
            self._held_back[kind] += 1
            return False
        self._written[kind] += 1
        return True
