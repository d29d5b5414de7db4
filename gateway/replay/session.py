"""One run of `masugata replay`: what judges, reads and writes is made from the options, and set to work."""

from __future__ import annotations

import signal
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TextIO

from gateway.filter.engine import NATIVE
from gateway.filter.engines import engine_by_name, engines
from gateway.replay.against import Against
from gateway.replay.captures import STANDARD_INPUT, open_capture, read_capture
from gateway.replay.following import Following
from gateway.replay.ingress import ZoneMap, parse_map
from gateway.replay.listing import Listing, View
from gateway.replay.packets import Trouble
from gateway.replay.progress import Progress
from gateway.replay.replay import Replay, Sinks
from gateway.replay.sources import find_sources, total_bytes
from zones.errors import BackendError, ConfigurationError, ExitCode, Unreadable
from zones.expiry import parse_now
from zones.load import read_policy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import FrameType

    from gateway.cli.terminal import Terminal
    from gateway.filter.engine import Engine
    from gateway.replay.bulk import BulkReplay
    from gateway.replay.case import Case
    from gateway.replay.eve import EveWriter
    from gateway.replay.options import Options
    from gateway.replay.packets import Packet
    from gateway.replay.parquet import ParquetWriter
    from gateway.replay.replay import Sink
    from gateway.replay.sources import Sources
    from gateway.replay.summary import FileResult, Summary
    from zones.model import Policy


def run(options: Options, terminal: Terminal) -> int:
    """Replay the captures and write everything asked for; return the exit code.

    Raises:
        MasugataError: a policy, an option, a file or a library cannot be used.
    """
    _check(options)
    sources = None if options.follow else find_sources(options.files, keep_order=options.keep_order)
    _check_outputs(options, options.files if sources is None else sources.names)
    policy = read_policy(options.policy)
    judge = _Judge(options, policy)
    zones = ZoneMap(policy, parse_map(options.mapping, policy))
    against = judge.against()
    listing = _listing(options, terminal)
    started = time.monotonic()
    with ExitStack() as stack:
        writers = list(_writers(options, policy, judge.engine, stack))
        sinks: list[Sink] = [listing, *writers]
        case = _case(options)
        if case is not None:
            sinks.append(case)
        replay = judge.replay(policy, zones, Sinks(sinks), against)
        if isinstance(replay, Replay) and sources is None:
            _follow(Path(options.files[0]), replay, terminal)
        elif sources is not None:
            _read_all(sources, replay, terminal)
        summary = replay.finish()
        for writer in writers:
            if not writer.wants_flows:
                writer.exchanges(summary.exchanges)
    listing.summary(summary, against)
    if options.html is not None:
        _write_html(options.html, summary, policy, against, terminal)
    if case is not None:
        case.write(policy, terminal)
    _took(terminal, summary, time.monotonic() - started)
    return _exit_code(options, summary, against)


def _check(options: Options) -> None:
    """Refuse what does not go together, before anything is read or written.

    Raises:
        ConfigurationError: it does not.
    """
    if options.follow and (len(options.files) != 1 or options.files[0] == STANDARD_INPUT):
        raise ConfigurationError("replay-follow-one")
    if options.exit_code and options.against is None:
        raise ConfigurationError("replay-exit-code-alone")
    if (options.only or options.anonymise) and options.save_case is None:
        raise ConfigurationError("replay-only-alone")


def _check_outputs(options: Options, names: Iterable[str]) -> None:
    """Refuse to write over what is read, or twice to the same file.

    Raises:
        ConfigurationError: that is what is asked for.
    """
    taken = {Path(name).resolve() for name in names if name != STANDARD_INPUT}
    for policy in (options.policy, options.against):
        if policy is not None:
            taken |= {policy.resolve(), *(path.resolve() for path in policy.glob("*.yaml"))}
    for path in (options.html, options.eve, options.parquet):
        if path is not None and not path.is_char_device():
            if path.resolve() in taken:
                raise ConfigurationError("replay-output-taken", file=str(path))
            taken.add(path.resolve())


class _Judge:
    """Makes what judges: the engine that was named, or the fastest that is here.

    Raises:
        BackendError: the engine is not here.
        ConfigurationError: `--now` is no moment.
    """

    def __init__(self, options: Options, policy: Policy) -> None:
        self.engine = options.engine or engines()[0]
        if self.engine not in engines():
            raise BackendError("engine-unavailable", engine=self.engine, engines=", ".join(engines()))
        self._options = options
        self._now = _moment(options.now, policy)

    def replay(
        self, policy: Policy, zones: ZoneMap, sinks: Sinks, against: Against | None
    ) -> Replay | BulkReplay:
        """Return the replay: one that adds up in the core where nobody looks at single packets or flows."""
        options = self._options
        single = sinks.wants_packets or sinks.wants_flows or zones.by_packet
        if self.engine != NATIVE or single or options.follow or against is not None:
            return Replay(policy, self._engine(policy), zones, sinks, against=against)
        from gateway.replay.bulk import BulkReplay

        return BulkReplay(policy, zones, now=self._now, ignore_checksums=options.ignore_checksums)

    def against(self) -> Against | None:
        """Return the policy to compare with, and an engine of its own."""
        if self._options.against is None:
            return None
        policy = read_policy(self._options.against)
        mapping = parse_map(self._options.mapping, policy)
        return Against(policy, self._engine(policy), ZoneMap(policy, mapping))

    def _engine(self, policy: Policy) -> Engine:
        ignore = self._options.ignore_checksums
        return engine_by_name(self.engine, policy, now=self._now, ignore_checksums=ignore)


def _moment(text: str | None, policy: Policy) -> float | None:
    if text is None:
        return None
    try:
        return parse_now(text, policy.timezone)
    except (ValueError, OverflowError):
        raise ConfigurationError("replay-now-syntax", text=text) from None


def _listing(options: Options, terminal: Terminal) -> Listing:
    packets, flows = options.packets, options.flows
    sums_alone = options.by or options.against is not None
    if terminal.json_lines and not (packets or flows or sums_alone):
        packets = flows = True
    return Listing(
        terminal,
        packets=packets,
        flows=flows,
        denied=options.denied,
        limit=options.limit,
        views=[View(name) for name in options.by],
    )


def _writers(
    options: Options, policy: Policy, engine: str, stack: ExitStack
) -> Iterator[EveWriter | ParquetWriter]:
    """Yield the sinks that write files; the stack closes them."""
    flows = options.rows == "flows"
    if options.eve is not None:
        from gateway.replay.eve import EveWriter

        try:
            file = stack.enter_context(_text_file(options.eve, by_line=options.follow))
        except OSError as error:
            raise _not_written(options.eve, error) from None
        yield EveWriter(file, revision=policy.revision, flows=flows)
    if options.parquet is not None:
        from gateway.replay.parquet import ParquetWriter

        metadata = {"engine": engine, "policy": policy.name, "revision": policy.revision}
        yield stack.enter_context(ParquetWriter(options.parquet, metadata, flows=flows))


def _text_file(path: Path, *, by_line: bool) -> TextIO:
    """Open a file to write; `by_line` where somebody reads it as it grows."""
    return path.open("w", encoding="utf-8", buffering=1 if by_line else -1)


def _not_written(path: Path, error: OSError) -> ConfigurationError:
    return ConfigurationError("replay-not-written", file=str(path), detail=error.strerror or str(error))


def _read_all(sources: Sources, replay: Replay | BulkReplay, terminal: Terminal) -> None:
    """Read the captures in order; all could be opened at the start, so that none is missing halfway."""
    for name in sources.passed_over:
        terminal.log("replay-passed-over", file=name)
    if sources.moved:
        terminal.log("replay-reordered", files=", ".join(Path(name).name for name in sources.names))
    progress = Progress(terminal, total_bytes(sources.names))
    for name in sources.names:
        with open_capture(name) as source:
            progress.begin(source)
            try:
                result = _read(replay, source, name, progress.packets if progress.wanted else None)
            except Unreadable as error:
                replay.unreadable(name)
                terminal.error(error)
                continue
            progress.end()
        _report_troubles(terminal, result)


def _read(
    replay: Replay | BulkReplay, source: BinaryIO, name: str, progress: Callable[[int], None] | None
) -> FileResult:
    if isinstance(replay, Replay):
        return replay.read(name, replay.items(source, name), progress)
    return replay.read(name, replay.items(source, name), progress)


def _follow(path: Path, replay: Replay, terminal: Terminal) -> None:
    """Read a capture that grows until we are told to stop."""

    def caught_up() -> None:
        replay.flush()
        terminal.out.flush()

    if not path.exists():
        with open_capture(str(path)):  # says what is wrong
            pass
    following = Following(path, caught_up)
    with _stopping(following):
        for name, source in following.streams():
            try:
                packets = read_capture(source, name)
            except Unreadable as error:
                if not following.stopped:  # else the file had not even begun
                    replay.unreadable(name)
                    terminal.error(error)
                continue
            _report_troubles(terminal, replay.read(name, _until_stopped(packets, following)))


def _until_stopped(packets: Iterable[Packet | Trouble], following: Following) -> Iterator[Packet | Trouble]:
    """Pass on what was read; that a record is not whole yet when we stop is no damage."""
    for item in packets:
        if not (isinstance(item, Trouble) and following.stopped):
            yield item


@contextmanager
def _stopping(following: Following) -> Iterator[None]:
    def stop(_number: int, _frame: FrameType | None) -> None:
        following.stop()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _report_troubles(terminal: Terminal, result: FileResult) -> None:
    """Say where reading stopped: always, for what is missing behind it is not in any count."""
    place = {"file": result.name, "packets": f"{result.packets:,}"}
    for offset, code in result.troubles:
        trouble = {"trouble": terminal.words(code), "offset": f"{offset:,}", **place}
        if terminal.json_lines:
            terminal.log("replay-trouble", **trouble)
        else:
            terminal.error(Unreadable("replay-trouble", **trouble))


def _took(terminal: Terminal, summary: Summary, seconds: float) -> None:
    rate = f"{summary.packets / max(seconds, 1e-9):,.0f}"
    terminal.log("replay-took", packets=f"{summary.packets:,}", seconds=f"{seconds:.2f}", rate=rate)


def _exit_code(options: Options, summary: Summary, against: Against | None) -> int:
    if any(result.unreadable for result in summary.files):
        return ExitCode.USAGE
    different = options.exit_code and against is not None and against.changes.crossing
    return ExitCode.FINDING if summary.troubled or different else ExitCode.OK


def _case(options: Options) -> Case | None:
    if options.save_case is None:
        return None
    from gateway.replay.case import Case

    return Case(options)


def _write_html(
    path: Path, summary: Summary, policy: Policy, against: Against | None, terminal: Terminal
) -> None:
    from gateway.replay.page import html_page

    try:
        with path.open("w", encoding="utf-8") as file:
            file.writelines(html_page(summary, policy, against, language=terminal.language))
    except OSError as error:
        raise _not_written(path, error) from None
    terminal.log("replay-written", file=str(path))
