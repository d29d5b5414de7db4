"""`masugata suggest`: least-privilege proposals for a policy, from captures replayed against it.

Exit codes: 0 nothing to propose, 1 proposals or refusals exist, or a capture could not be read to its end,
2 not a capture, a wrong option or policy, or the policy with the proposals does not pass check, 3 the engine
is not there.
"""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gateway.cli.terminal import shared_flags, words
from zones.errors import ConfigurationError, ExitCode, Unreadable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gateway.cli.terminal import Terminal
    from gateway.replay.replay import Replay
    from gateway.replay.sources import Sources
    from gateway.replay.summary import Summary
    from gateway.suggest.evidence import Collector
    from gateway.suggest.proposals import Proposal
    from gateway.suggest.suggest import Suggestions
    from zones.model import Policy

_NANO = 1_000_000_000


@click.command("suggest", help=words("suggest-help"))
@click.argument("captures", nargs=-1, required=True, metavar="CAPTURE...")
@click.option(
    "--policy",
    "path",
    type=click.Path(path_type=Path),
    required=True,
    envvar="MASUGATA_POLICY",
    help=words("option-suggest-policy"),
)
@click.option("--map", "mapping", multiple=True, metavar="IFACE=ZONE", help=words("option-replay-map"))
@click.option("--engine", "engine_name", metavar="NAME", help=words("option-replay-engine"))
@click.option("--now", "now_text", metavar="DATE", help=words("option-suggest-now"))
@click.option("--keep-order", is_flag=True, help=words("option-replay-keep-order"))
@click.option("--ignore-checksums", is_flag=True, help=words("option-replay-checksums"))
@click.option("--since", "since_text", metavar="DATE", help=words("option-suggest-since"))
@click.option("--until", "until_text", metavar="DATE", help=words("option-suggest-until"))
@click.option("--zone-pair", "pairs", multiple=True, metavar="A:B", help=words("option-suggest-zone-pair"))
@click.option(
    "--min-connections",
    type=click.IntRange(min=1),
    default=2,
    show_default=True,
    metavar="N",
    help=words("option-suggest-min-connections"),
)
@click.option("--expires", "expires_text", metavar="DAY", help=words("option-suggest-expires"))
@click.option("--flows", "show_flows", is_flag=True, help=words("option-suggest-flows"))
@click.option("--limit", type=click.IntRange(min=0), metavar="N", help=words("option-suggest-limit"))
@click.option("--accept", multiple=True, metavar="ID", help=words("option-suggest-accept"))
@click.option(
    "--patch",
    "patch_path",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="OUT",
    help=words("option-suggest-patch"),
)
@click.option("--write", "write_files", is_flag=True, help=words("option-suggest-write"))
@shared_flags
def command(
    *,
    captures: tuple[str, ...],
    path: Path,
    mapping: tuple[str, ...],
    engine_name: str | None,
    now_text: str | None,
    since_text: str | None,
    until_text: str | None,
    pairs: tuple[str, ...],
    min_connections: int,
    expires_text: str | None,
    limit: int | None,
    accept: tuple[str, ...],
    patch_path: Path | None,
    keep_order: bool,
    ignore_checksums: bool,
    show_flows: bool,
    write_files: bool,
    terminal: Terminal,
) -> int:
    """Replay, suggest, show; then write what was asked for."""
    from gateway.cli.policies import moment_meant
    from gateway.filter.engines import engine_by_name, engines
    from gateway.replay.ingress import ZoneMap, parse_map
    from gateway.replay.replay import Replay
    from gateway.replay.sources import find_sources
    from gateway.suggest.evidence import Collector
    from gateway.suggest.files import new_file_of, read_exactly
    from gateway.suggest.proposals import Style
    from gateway.suggest.suggest import Question, suggest
    from gateway.suggest.triage import Thresholds
    from zones.load import load_policy

    streams = find_sources(captures, keep_order=keep_order)
    sources = read_exactly(path)
    _spare(patch_path, sources, streams.names)
    policy = load_policy(sources)
    now = moment_meant(now_text, policy)
    question = Question(
        now=now,
        style=Style(expires=_expires(expires_text, now, policy), language=terminal.language),
        thresholds=Thresholds(min_connections=min_connections),
        zone_pairs=[_pair(pair, policy) for pair in pairs],
        new_file=new_file_of(path),
    )
    collector = Collector(
        since_ns=_moment_ns(since_text, policy), until_ns=_moment_ns(until_text, policy), admitted=show_flows
    )
    fixed = now if now_text is not None else None
    name = engine_name or engines()[0]
    engine = engine_by_name(name, policy, now=fixed, ignore_checksums=ignore_checksums)
    replay = Replay(policy, engine, ZoneMap(policy, parse_map(mapping, policy)), collector)
    _read_all(streams, replay, terminal)
    summary = replay.finish()
    found = suggest(policy, sources, collector, question)
    chosen = _chosen(found, accept)
    _show(terminal, found, collector, summary, limit=limit, flows=show_flows)
    if patch_path is not None or write_files:
        _write(terminal, found, chosen, (path, sources, now), patch_path, write_files=write_files)
    if any(result.unreadable for result in summary.files):
        return ExitCode.USAGE
    return ExitCode.FINDING if found.found or summary.troubled else ExitCode.OK


# --- options ---


def _moment_ns(text: str | None, policy: Policy) -> int | None:
    from gateway.cli.policies import moment_meant

    return None if text is None else round(moment_meant(text, policy) * _NANO)


def _pair(text: str, policy: Policy) -> tuple[str, str]:
    from zones.model import GATEWAY

    source, separator, destination = text.partition(":")
    zones = [*policy.zones, GATEWAY]
    if not separator or source not in zones or destination not in zones:
        raise ConfigurationError("suggest-zone-pair-syntax", entry=text, zones=", ".join(zones))
    return source, destination


def _expires(text: str | None, now: float, policy: Policy) -> date:
    """Return the last day of new flows: the one given, else a year from now."""
    if text is not None:
        try:
            return date.fromisoformat(text)
        except ValueError:
            raise ConfigurationError("suggest-bad-date", text=text) from None
    today = datetime.fromtimestamp(now, policy.timezone).date()
    leap = (today.month, today.day) == (2, 29)
    return today.replace(year=today.year + 1, day=28 if leap else today.day)


def _chosen(found: Suggestions, accept: tuple[str, ...]) -> list[Proposal]:
    wanted = [part for entry in accept for part in entry.split(",") if part]
    known = {proposal.id: proposal for proposal in found.proposals}
    for each in wanted:
        if each not in known:
            raise ConfigurationError("suggest-unknown-id", id=each, known=", ".join(known) or "-")
    return [proposal for proposal in found.proposals if not wanted or proposal.id in wanted]


# --- captures ---


def _read_all(sources: Sources, replay: Replay, terminal: Terminal) -> None:
    """Read the captures in order; all could be opened at the start, so that none is missing halfway."""
    from gateway.replay.captures import open_capture, read_capture
    from gateway.replay.progress import Progress
    from gateway.replay.sources import total_bytes

    progress = Progress(terminal, total_bytes(sources.names))
    for name in sources.names:
        with open_capture(name) as stream:
            progress.begin(stream)
            try:
                packets = read_capture(stream, name)
            except Unreadable as error:
                replay.unreadable(name)
                terminal.error(error)
                continue
            result = replay.read(name, packets, progress.packets if progress.wanted else None)
            progress.end()
        for offset, code in result.troubles:
            place = {"file": name, "offset": f"{offset:,}", "packets": f"{result.packets:,}"}
            terminal.log("replay-trouble", trouble=terminal.words(code), **place)


def _spare(patch: Path | None, policy: Mapping[str, str], captures: Sequence[str]) -> None:
    """Refuse to write the patch over what is read.

    Raises:
        ConfigurationError: that is what is asked for.
    """
    if patch is not None and patch.resolve() in {Path(name).resolve() for name in (*policy, *captures)}:
        raise ConfigurationError("replay-output-taken", file=str(patch))


# --- what is shown ---


def _show(
    terminal: Terminal,
    found: Suggestions,
    collector: Collector,
    summary: Summary,
    *,
    limit: int | None,
    flows: bool,
) -> None:
    if terminal.json_lines:
        _show_json(terminal, found, collector, summary, limit=limit, flows=flows)
    else:
        _show_text(terminal, found, collector, summary, limit=limit, flows=flows)
    if found.unproved:
        terminal.log("suggest-unproved", ids=", ".join(found.unproved))
    if collector.no_room:
        terminal.log("suggest-no-room", count=f"{collector.no_room:,}", limit=f"{len(collector.exchanges):,}")


def _show_text(
    terminal: Terminal,
    found: Suggestions,
    collector: Collector,
    summary: Summary,
    *,
    limit: int | None,
    flows: bool,
) -> None:
    from gateway.cli.verify import write_result
    from gateway.suggest.report import Report

    report = Report(terminal.out, terminal.language, color=terminal.color, limit=limit)
    report.window(collector.window, name=summary.policy, revision=summary.revision, engine=summary.engine)
    report.proposals(found)
    for refusal in report.refused(found):
        report.refusal(refusal)
        if refusal.result is not None:
            write_result(terminal, refusal.policy, refusal.result, found.now)
    report.rest(found)
    if flows:
        report.usage(found)
    report.summary(found)


def _show_json(
    terminal: Terminal,
    found: Suggestions,
    collector: Collector,
    summary: Summary,
    *,
    limit: int | None,
    flows: bool,
) -> None:
    from gateway.cli.verify import result_record
    from gateway.suggest.lines import aside_line, proposal_line, refusal_line, usage_line, window_line
    from gateway.suggest.triage import NOTES

    terminal.data(window_line(collector.window))
    for proposal in found.proposals[:limit]:
        terminal.data(proposal_line(proposal, found.scores[proposal.id]))
    for refusal in found.refused[:limit]:
        record = None
        if refusal.result is not None:
            record = result_record(terminal, refusal.policy, refusal.result)
        terminal.data(refusal_line(refusal, record))
    for aside in found.set_aside[:limit]:
        terminal.data(aside_line(aside))
    for used in found.usage[:limit] if flows else ():
        terminal.data(usage_line(used))
    notes = sum(aside.why in NOTES for aside in found.set_aside)
    terminal.data(
        {
            "type": "summary",
            "engine": summary.engine,
            "policy": summary.policy,
            "revision": summary.revision,
            "proposals": len(found.proposals),
            "refused": len(found.refused),
            "flow_exists": notes,
            "not_proposed": len(found.set_aside) - notes,
            "unread_packets": collector.unread,
            "no_room": collector.no_room,
            "unproved": list(found.unproved),
            "assumptions": [
                {"invariant": invariant, "code": each.code, **each.params}
                for invariant, each in found.assumptions
            ],
        }
    )


# --- what is written ---


def _write(
    terminal: Terminal,
    found: Suggestions,
    chosen: list[Proposal],
    where: tuple[Path, dict[str, str], float],
    patch_path: Path | None,
    *,
    write_files: bool,
) -> None:
    """Write the patch, then the files; each as it was proved."""
    from gateway.suggest.files import patch_names, write_all, write_text
    from gateway.suggest.patch import unified

    path, sources, now = where
    policy, after = found.trial.applied(chosen)
    if patch_path is not None:
        folder, names = patch_names(path, after)
        write_text(patch_path, unified(sources, after, names))
    if not chosen:
        terminal.log("suggest-nothing-written")
        return
    if patch_path is not None:
        place = {"path": str(patch_path), "folder": str(folder)}
        terminal.log("suggest-patch-written", count=len(chosen), **place)
    if write_files:
        _checked(policy, now)
        files = write_all(sources, after)
        terminal.log("suggest-files-written", count=len(chosen), files=", ".join(files))


def _checked(policy: Policy, now: float) -> None:
    """Refuse to write a policy that `masugata check` would not pass, whoever's fault it is.

    Raises:
        ConfigurationError: a test fails, or an invariant is not proved.
    """
    from zones.checks import run_tests
    from zones.proof.verify import State, verify

    wrong = [checked.test.packet for checked in run_tests(policy, now=now) if not checked.passed]
    wrong += [r.invariant.id for r in verify(policy, now=now) if r.state is not State.PROVED]
    if wrong:
        raise ConfigurationError("suggest-not-written", what=", ".join(wrong))
