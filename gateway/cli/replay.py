"""`masugata replay`: what a policy would have done with the packets of captures.

Exit codes: 0 everything was read (denied packets are no failure), 1 a capture was cut, damaged or of a link
type we do not read, 2 not a capture, a wrong option or policy, 3 the engine is not there.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gateway.cli.terminal import shared_flags, words
from zones.errors import ConfigurationError, ExitCode, Unreadable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gateway.cli.terminal import Terminal
    from gateway.replay.flows import FlowRecord
    from gateway.replay.records import PacketRecord
    from gateway.replay.replay import Replay
    from gateway.replay.report import Report
    from gateway.replay.summary import FileResult, Summary
    from zones.model import Policy

_PROGRESS_SECONDS = 0.5


@click.command("replay", help=words("replay-help"))
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option(
    "--policy",
    "policy_path",
    type=click.Path(path_type=Path),
    required=True,
    envvar="MASUGATA_POLICY",
    help=words("option-replay-policy"),
)
@click.option("--map", "mapping", multiple=True, metavar="IFACE=ZONE", help=words("option-replay-map"))
@click.option(
    "--engine", "engine_name", default="reference", show_default=True, help=words("option-replay-engine")
)
@click.option("--now", "now_text", metavar="DATE", help=words("option-replay-now"))
@click.option("--ignore-checksums", is_flag=True, help=words("option-replay-checksums"))
@click.option("--packets", "list_packets", is_flag=True, help=words("option-replay-packets"))
@click.option("--flows", "list_flows", is_flag=True, help=words("option-replay-flows"))
@click.option("--denied", is_flag=True, help=words("option-replay-denied"))
@click.option("--limit", type=click.IntRange(min=0), metavar="N", help=words("option-replay-limit"))
@shared_flags
def command(
    files: tuple[str, ...],
    policy_path: Path,
    mapping: tuple[str, ...],
    engine_name: str,
    now_text: str | None,
    *,
    ignore_checksums: bool,
    list_packets: bool,
    list_flows: bool,
    denied: bool,
    limit: int | None,
    terminal: Terminal,
) -> int:
    """Judge the captures and write records and summary."""
    from gateway.filter.engine import engine_by_name
    from gateway.replay.ingress import ZoneMap, parse_map
    from gateway.replay.replay import Replay
    from zones.load import read_policy

    policy = read_policy(policy_path)
    moment = _moment(now_text, policy)
    engine = engine_by_name(engine_name, policy, now=moment, ignore_checksums=ignore_checksums)
    zones = ZoneMap(policy, parse_map(mapping, policy))
    if terminal.json_lines and not (list_packets or list_flows):
        list_packets = list_flows = True
    listing = Listing(terminal, packets=list_packets, flows=list_flows, denied=denied, limit=limit)
    started = time.monotonic()
    replay = Replay(policy, engine, zones, listing)
    _read_all(files, replay, terminal)
    summary = replay.finish()
    listing.summary(summary)
    _took(terminal, summary, time.monotonic() - started)
    if any(result.unreadable for result in summary.files):
        return ExitCode.USAGE
    return ExitCode.FINDING if summary.troubled else ExitCode.OK


def _moment(text: str | None, policy: Policy) -> float | None:
    from zones.expiry import parse_now

    if text is None:
        return None
    try:
        return parse_now(text, policy.timezone)
    except (ValueError, OverflowError):
        raise ConfigurationError("replay-now-syntax", text=text) from None


def _read_all(files: Sequence[str], replay: Replay, terminal: Terminal) -> None:
    """Read the captures in order; all are opened first, so that none is missing halfway."""
    from gateway.replay.captures import open_capture, read_capture

    progress = _progress(terminal)
    with ExitStack() as stack:
        sources = [(name, stack.enter_context(open_capture(name))) for name in files]
        for name, source in sources:
            try:
                packets = read_capture(source, name)
            except Unreadable as error:
                replay.unreadable(name)
                terminal.error(error)
                continue
            result = replay.read(name, packets, progress)
            _end_progress(terminal)
            for offset, code in result.troubles:
                _report_trouble(terminal, result, offset, code)


def _report_trouble(terminal: Terminal, result: FileResult, offset: int, code: str) -> None:
    """Say where reading stopped: always, for what is missing behind it is not in any count."""
    place = {"file": result.name, "offset": f"{offset:,}", "packets": f"{result.packets:,}"}
    if terminal.json_lines:
        terminal.log("replay-trouble", trouble=terminal.words(code), **place)
    else:
        terminal.error(Unreadable("replay-trouble", trouble=terminal.words(code), **place))


def _progress(terminal: Terminal) -> Callable[[int], None] | None:
    """Return what shows the count and rate on a terminal, in place; None where nobody would see it."""
    if terminal.quiet or not terminal.err.isatty():
        return None
    started = shown = time.monotonic()

    def show(packets: int) -> None:
        nonlocal shown
        now = time.monotonic()
        if now - shown >= _PROGRESS_SECONDS:
            shown = now
            rate = f"{packets / (now - started):,.0f}"
            text = terminal.words("replay-progress", packets=f"{packets:,}", rate=rate)
            terminal.err.write(f"\r{text}\x1b[K")
            terminal.err.flush()

    return show


def _end_progress(terminal: Terminal) -> None:
    if not terminal.quiet and terminal.err.isatty():
        terminal.err.write("\r\x1b[K")


def _took(terminal: Terminal, summary: Summary, seconds: float) -> None:
    rate = f"{summary.packets / max(seconds, 1e-9):,.0f}"
    terminal.log("replay-took", packets=f"{summary.packets:,}", seconds=f"{seconds:.2f}", rate=rate)


class Listing:
    """Write the records that were asked for, as JSON lines or as text."""

    def __init__(
        self, terminal: Terminal, *, packets: bool, flows: bool, denied: bool, limit: int | None
    ) -> None:
        self.wants_packets = packets
        self._wants_flows = flows
        self._denied = denied
        self._limit = limit
        self._terminal = terminal
        self._report = None if terminal.json_lines else _report(terminal)
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
            from gateway.replay.lines import packet_line

            self._terminal.data(packet_line(record, flow))

    def flow(self, record: FlowRecord) -> None:
        """Write one flow, unless it is filtered out."""
        if not self._wants_flows or (self._denied and not record.denied) or not self._room("flows"):
            return
        if self._report is not None:
            self._report.flow(record)
        else:
            from gateway.replay.lines import flow_line

            self._terminal.data(flow_line(record))

    def summary(self, summary: Summary) -> None:
        """Write the summary, and how much `--limit` held back."""
        if self._report is None:
            from gateway.replay.lines import summary_line

            self._terminal.data(summary_line(summary))
            return
        if any(self._held_back.values()):
            self._terminal.say("replay-not-shown", **{k: f"{n:,}" for k, n in self._held_back.items()})
        if any(self._written.values()):
            self._terminal.write("")
        self._report.summary(summary)

    def _room(self, kind: str) -> bool:
        if self._limit is not None and self._written[kind] >= self._limit:
            self._held_back[kind] += 1
            return False
        self._written[kind] += 1
        return True


def _report(terminal: Terminal) -> Report:
    from gateway.replay.report import Report

    return Report(terminal.out, terminal.language, color=terminal.color)
