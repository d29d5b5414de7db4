"""Held against each other: what was expected, what the kernel recorded, what arrived, what replay says."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from gateway.demo.generated import Key, key_of_event
from gateway.filter.engine import OUTBOUND_COPY
from gateway.filter.frames import Unparsed
from zones.address import address_text
from zones.model import GATEWAY
from zones.verdict import ICMP, ICMP6, PROTOCOL_NUMBERS, Outcome, State

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping, Sequence

    from gateway.demo.generated import Generated
    from gateway.filter.frames import Frame
    from gateway.replay.flows import FlowRecord
    from gateway.replay.records import PacketRecord

Said = tuple[str, str, str | None]
"""Outcome, reason, and the id that decided."""


class Mismatch(NamedTuple):
    """One packet on which two sides disagree."""

    key: Key
    kind: str
    expected: str
    got: str


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """How many things were held against each other, by what, and where they differ."""

    compared: int
    counts: Mapping[str, int]
    mismatches: tuple[Mismatch, ...]


def compare_generated(
    packets: Sequence[Generated],
    events: Iterable[Mapping[str, Any]],
    arrived: Mapping[str, Iterable[Mapping[str, Any]]],
    owners: Mapping[str, str],
) -> Comparison:
    """Hold each packet's expected verdict against the kernel's record and against what arrived.

    `owners` says which host has an address. A packet that must pass has to be recorded with its flow and to
    arrive; one that must not, to be recorded with its reason and to arrive nowhere.
    """
    logged: dict[Key, set[Said]] = defaultdict(set)
    for event in events:
        key = key_of_event(dict(event)) if event.get("kind") == "packet" else None
        if key is not None:
            logged[key].add((event["outcome"], event["reason"], event.get("decided_by")))
    seen = {(host, _arrival_key(record)) for host, records in arrived.items() for record in records}
    everywhere = {key for _, key in seen}
    mismatches = []
    for packet in packets:
        expected = (str(packet.expected.outcome), str(packet.expected.reason), packet.expected.decided_by)
        if logged[packet.key] != {expected}:
            got = (
                "; ".join(" ".join(map(str, said)) for said in sorted(logged[packet.key], key=str))
                or "nothing"
            )
            mismatches.append(Mismatch(packet.key, packet.kind, " ".join(map(str, expected)), got))
        owner = owners.get(packet.key.dst)
        passes = packet.expected.outcome is Outcome.ALLOW and owner is not None
        if passes and (owner, packet.key) not in seen:
            mismatches.append(Mismatch(packet.key, packet.kind, f"arrival at {owner}", "nothing arrived"))
        if not passes and packet.key in everywhere:
            mismatches.append(Mismatch(packet.key, packet.kind, "no arrival", "arrived"))
    counts = Counter(f"{packet.expected.outcome} {packet.expected.reason}" for packet in packets)
    return Comparison(compared=len(packets), counts=counts, mismatches=tuple(mismatches))


def _arrival_key(record: Mapping[str, Any]) -> Key:
    protocol = PROTOCOL_NUMBERS.get(str(record["protocol"])) or int(record["protocol"])
    if protocol == ICMP:
        return Key(record["src"], record["dst"], protocol, 0, record.get("icmp_type", 0))
    return Key(record["src"], record["dst"], protocol, record.get("sport", 0), record.get("dport", 0))


class ReplayVerdicts:
    """A sink for `Replay` that keeps what live enforcement also shows.

    `said` counts refused packets, and the first packet of each admitted connection (the kernel records no
    others); `entered` and `left` count the packets that must have been forwarded, and those that were.
    """

    wants_packets = True

    def __init__(self, reachable: Container[str]) -> None:
        """Forwarding is expected to the `reachable` addresses only: nobody answers ARP for the others."""
        self._reachable = reachable
        self.said: Counter[tuple[Key, Said]] = Counter()
        self.entered: Counter[tuple[Key, int]] = Counter()
        self.left: Counter[tuple[Key, int]] = Counter()
        self.packets = 0
        self._known: set[int] = set()

    def packet(self, record: PacketRecord, flow: FlowRecord | None) -> None:
        """Take one packet's verdict."""
        frame, verdict = record.frame, record.verdict
        if isinstance(frame, Unparsed):
            return
        key = _frame_key(frame)
        if record.marks & OUTBOUND_COPY:
            self.left[key, record.packet.wire_length] += 1
        if verdict is None or verdict.source_zone == GATEWAY:
            return
        self.packets += 1
        said = (str(verdict.outcome), str(verdict.reason), verdict.decided_by)
        # Web is refused packet by packet until there is a proxy to turn it to.
        if not verdict.passes or verdict.outcome is Outcome.SANITIZE_WEB:
            self.said[key, said] += 1
            return
        if verdict.state is State.NEW and record.connection not in self._known:
            self._known.add(record.connection)
            self.said[key, said] += 1
        forwarded = verdict.outcome is Outcome.ALLOW and verdict.destination_zone != GATEWAY
        if forwarded and key.dst in self._reachable:
            self.entered[key, record.packet.wire_length] += 1

    def flow(self, record: FlowRecord) -> None:
        """Flows are not compared: their packets are."""


def _frame_key(frame: Frame) -> Key:
    src, dst = address_text(frame.version, frame.src), address_text(frame.version, frame.dst)
    sport = 0 if frame.protocol in (ICMP, ICMP6) else frame.sport
    return Key(src, dst, frame.protocol, sport, frame.dport)


def compare_replay(replayed: ReplayVerdicts, events: Iterable[Mapping[str, Any]]) -> Comparison:
    """Hold a replay of the capture against the kernel's record and against what left the gateway."""
    live: Counter[tuple[Key, Said]] = Counter()
    for event in events:
        key = key_of_event(dict(event)) if event.get("kind") == "packet" else None
        # What the gateway itself sends is marked by the kernel and cannot be judged from a capture.
        if key is not None and event.get("source_zone") != GATEWAY:
            live[key, (event["outcome"], event["reason"], event.get("decided_by"))] += 1
    mismatches = [
        Mismatch(key, "verdict", f"replay: {' '.join(map(str, said))}", f"live: {live[key, said]} of {count}")
        for (key, said), count in replayed.said.items()
        if live[key, said] != count
    ]
    mismatches += [
        Mismatch(key, "verdict", "replay: nothing", f"live: {' '.join(map(str, said))} ({count})")
        for (key, said), count in live.items()
        if (key, said) not in replayed.said
    ]
    for difference, expected, got in (
        (replayed.entered - replayed.left, "forwarded", "did not leave the gateway"),
        (replayed.left - replayed.entered, "not forwarded", "left the gateway"),
    ):
        mismatches += [
            Mismatch(key, "forwarding", expected, f"{got} ({n})") for (key, _), n in difference.items()
        ]
    counts = {"refused or opened": sum(replayed.said.values()), "forwarded": sum(replayed.entered.values())}
    return Comparison(compared=replayed.packets, counts=counts, mismatches=tuple(mismatches))
