"""A test case out of a replay: the packets meant, the policy, and what must come of every packet.

The folder is one that `tests/corpus/replay-*` holds: `capture.pcapng`, `policy.yaml` (or the files of a
policy in `policy/`), `expected.json`, `case.md`. What is expected is what the reference engine says of the
packets in the case, not of the capture they were taken from.
"""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from gateway.filter.frames import Frame
from gateway.filter.reference import ReferenceEngine
from gateway.replay.anonymise import Anonymiser
from gateway.replay.captures import read_capture
from gateway.replay.ingress import ZoneMap, parse_map
from gateway.replay.lines import flow_line, packet_line, summary_line
from gateway.replay.pcapng import PcapngWriter
from gateway.replay.replay import Replay
from gateway.replay.selection import Selection
from zones.errors import ConfigurationError, ExitCode
from zones.expiry import parse_now
from zones.load import read_sources

if TYPE_CHECKING:
    from gateway.cli.terminal import Terminal
    from gateway.replay.flows import FlowRecord
    from gateway.replay.options import Options
    from gateway.replay.packets import Interface, Packet
    from gateway.replay.records import PacketRecord
    from zones.model import Policy

MAX_PACKETS = 20_000
MAX_BYTES = 32 << 20
CAPTURE = "capture.pcapng"
_PACKET_KEYS = ("number", "outcome", "reason", "decided_by", "state", "unparsed", "flow", "marks")
_FLOW_KEYS = (
    "flow",
    "src",
    "dst",
    "protocol",
    "packets",
    "denied_packets",
    "initiator",
    "outcome",
    "decided_by",
)
_SUMMARY_KEYS = ("packets", "judged", "unparsed", "skipped", "denied", "flows", "marks", "anti_spoof")
_DECISION = ("outcome", "reason", "decided_by", "state", "source_zone", "destination_zone", "unparsed")


class Taken(NamedTuple):
    """One packet of the case, its zone of ingress, what it says, and what became of it in the replay."""

    packet: Packet
    ingress: str | None
    frame: Frame | None
    decision: tuple[Any, ...]


class Case:
    """A sink that keeps the packets meant, bounded, and writes the case when the replay is over."""

    wants_packets = True
    wants_flows = False

    def __init__(self, options: Options) -> None:
        """Prepare; nothing is written yet.

        Raises:
            ConfigurationError: `--only` says nothing we know, or the directory holds something.
        """
        if options.save_case is None:
            raise ValueError("no directory for the case")
        self._directory: Path = options.save_case
        self._options = options
        self._selection = Selection(options.only)
        self._taken: list[Taken] = []
        self._bytes = 0
        self._unwritable = 0
        if self._directory.exists() and (not self._directory.is_dir() or any(self._directory.iterdir())):
            raise ConfigurationError("replay-case-exists", directory=str(self._directory))

    def packet(self, record: PacketRecord, flow: FlowRecord | None) -> None:
        """Keep one packet, if it is meant.

        Raises:
            ConfigurationError: there are more than a case may hold.
        """
        if not self._selection.holds(record, flow):
            return
        if record.packet.interface.linktype is None:
            self._unwritable += 1  # of an interface the capture never describes
            return
        self._bytes += len(record.packet.data)
        if len(self._taken) >= MAX_PACKETS or self._bytes > MAX_BYTES:
            limits = {"packets": f"{MAX_PACKETS:,}", "megabytes": MAX_BYTES >> 20}
            raise ConfigurationError("replay-case-too-large", **limits)
        frame = record.frame if isinstance(record.frame, Frame) else None
        decision = _decision(packet_line(record, flow))
        self._taken.append(Taken(record.packet, record.ingress, frame, decision))

    def flow(self, record: FlowRecord) -> None:
        """Take no flows: they come again out of the packets."""

    def write(self, policy: Policy, terminal: Terminal) -> None:
        """Write the folder, and say what in it differs from the capture it was taken from.

        Raises:
            ConfigurationError: no packet is meant, a verdict would change by making it anonymous, or
                the folder cannot be written.
        """
        if not self._taken:
            raise ConfigurationError("replay-case-empty")
        taken = self._taken
        plain = _Replayed(taken, policy, self._options)
        if self._options.anonymise:
            taken = self._anonymous(policy, terminal)
            kept = _Replayed(
                [entry for entry in self._taken if entry.frame is not None], policy, self._options
            )
            plain = _same(kept, _Replayed(taken, policy, self._options))
        try:
            self._write(plain)
        except OSError as error:
            detail = error.strerror or str(error)
            raise ConfigurationError("replay-not-written", file=str(self._directory), detail=detail) from None
        terminal.log("replay-case-written", directory=str(self._directory), packets=f"{len(taken):,}")
        if self._unwritable:
            terminal.log("replay-case-unwritable", count=f"{self._unwritable:,}")
        changed = [
            at
            for at, (entry, line) in enumerate(zip(taken, plain.packets, strict=True), 1)
            if entry.decision != _decision(line)
        ]
        if changed:
            terminal.log("replay-case-differs", count=f"{len(changed):,}", first=changed[0])

    def _anonymous(self, policy: Policy, terminal: Terminal) -> list[Taken]:
        anonymiser = Anonymiser(policy)
        taken = []
        for at, entry in enumerate(self._taken):
            if entry.frame is None:
                continue
            packet = anonymiser.packet(entry.packet, entry.frame)
            if packet is None:
                self._taken[at] = entry._replace(frame=None)
                continue
            taken.append(entry._replace(packet=packet))
        if not taken:
            raise ConfigurationError("replay-case-empty")
        if len(taken) < len(self._taken):
            terminal.log("replay-anonymise-left-out", count=f"{len(self._taken) - len(taken):,}")
        return taken

    def _write(self, replayed: _Replayed) -> None:
        self._directory.mkdir(parents=True, exist_ok=True)
        (self._directory / CAPTURE).write_bytes(replayed.capture)
        (self._directory / "expected.json").write_text(expected_text(replayed), encoding="utf-8")
        sources = read_sources(self._options.policy)
        if self._options.policy.is_dir():
            (self._directory / "policy").mkdir(exist_ok=True)
            for name, text in sources.items():
                (self._directory / "policy" / Path(name).name).write_text(text, encoding="utf-8")
        else:
            (text,) = sources.values()
            (self._directory / "policy.yaml").write_text(text, encoding="utf-8")
        (self._directory / "case.md").write_text(self._story(replayed), encoding="utf-8")

    def _story(self, replayed: _Replayed) -> str:
        chosen = ", ".join(self._options.only) or "all packets"
        lines = [
            f"{len(replayed.packets)} packets of a capture ({chosen}), kept by `masugata replay --save-case`."
        ]
        if self._options.anonymise:
            lines.append(
                "Addresses are others that the policy treats alike; what the packets carried is cut off."
            )
        lines.append("Say here what this case shows, and where the capture is from.")
        return "\n".join(lines) + "\n"


class _Replayed:
    """The packets of a case written as a capture, read again and judged."""

    def __init__(self, taken: list[Taken], policy: Policy, options: Options) -> None:
        interfaces: dict[tuple[Interface, str | None], int] = {}
        for entry in taken:
            interfaces.setdefault((entry.packet.interface, entry.ingress), len(interfaces))
        self.options = _map_options(interfaces, policy)
        if options.now is not None:
            self.options += ["--now", options.now]
        if options.ignore_checksums:
            self.options += ["--ignore-checksums"]
        file = io.BytesIO()
        writer = PcapngWriter(file, [interface for interface, _ in interfaces])
        for packet, ingress, *_ in taken:
            writer.write(
                interfaces[packet.interface, ingress],
                packet.time_ns,
                packet.data,
                wire_length=packet.wire_length,
                direction=packet.direction,
            )
        self.capture = file.getvalue()
        self.packets: list[dict[str, Any]] = []
        self.flows: list[dict[str, Any]] = []
        now = parse_now(options.now, policy.timezone) if options.now is not None else None
        engine = ReferenceEngine(policy, now=now, ignore_checksums=options.ignore_checksums)
        mapping = [
            value for name, value in zip(self.options, self.options[1:], strict=False) if name == "--map"
        ]
        replay = Replay(policy, engine, ZoneMap(policy, parse_map(mapping, policy)), self)
        replay.read(CAPTURE, read_capture(io.BytesIO(self.capture), CAPTURE))
        self.summary = replay.finish()

    wants_packets = True

    def packet(self, record: PacketRecord, flow: FlowRecord | None) -> None:
        """Keep one packet's line."""
        self.packets.append(packet_line(record, flow))

    def flow(self, record: FlowRecord) -> None:
        """Keep one flow's line."""
        self.flows.append(flow_line(record))


def _map_options(interfaces: dict[tuple[Interface, str | None], int], policy: Policy) -> list[str]:
    """Return the `--map` that gives every interface of the case the zone it had in the replay."""
    options: list[str] = []
    for (interface, zone), number in interfaces.items():
        known = policy.zone_of_interface(interface.name) if interface.name else None
        if zone is not None and zone != known:
            options += ["--map", f"{number}={zone}"]
    return options


def _decision(line: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(line[key] for key in _DECISION)


def _same(plain: _Replayed, anonymous: _Replayed) -> _Replayed:
    """Return the anonymous one, if every packet has the verdict it had.

    Raises:
        ConfigurationError: one has another.
    """
    pairs = zip(plain.packets, anonymous.packets, strict=True)
    for number, (before, after) in enumerate(pairs, 1):
        if _decision(before) != _decision(after):
            raise ConfigurationError("replay-anonymise-differs", number=number)
    return anonymous


def expected_text(replayed: _Replayed) -> str:
    """Return `expected.json`, one line for each packet and flow."""
    summary = summary_line(replayed.summary)
    troubled = replayed.summary.troubled
    parts = {
        "options": json.dumps(replayed.options),
        "exit": str(int(ExitCode.FINDING if troubled else ExitCode.OK)),
        "packets": _rows(replayed.packets, _PACKET_KEYS),
        "flows": _rows(replayed.flows, _FLOW_KEYS),
        "summary": json.dumps({key: summary[key] for key in _SUMMARY_KEYS} | {"troubles": []}),
    }
    return "{\n" + ",\n".join(f'  "{name}": {text}' for name, text in parts.items()) + "\n}\n"


def _rows(lines: list[dict[str, Any]], keys: tuple[str, ...]) -> str:
    rows = ",\n".join("    " + json.dumps({key: line[key] for key in keys}) for line in lines)
    return f"[\n{rows}\n  ]" if rows else "[]"
