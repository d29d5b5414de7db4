"""The reference engine: parse, track and decide, one packet after the other, in plain Python.

Written to be read: what the native engine does, it must do as this one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.filter.datagrams import Datagrams
from gateway.filter.engine import (
    CHECKSUM_IGNORED,
    FRAGMENT,
    GATEWAY_ANSWER,
    ORPHAN_FRAGMENT,
    OUTBOUND_COPY,
    REFERENCE,
    TRUNCATED,
    VLAN_TAG,
    ZONE_INFERRED,
    Judgements,
    PacketBatch,
    mac_text,
)
from gateway.filter.frames import FIRST_FRAGMENT, LATER_FRAGMENT, MALFORMED, NO_MAC, WRONG, Frame, Unparsed
from gateway.filter.link import parse_frame
from gateway.filter.track import Remembered, Tracker
from zones.decide import decide
from zones.model import GATEWAY
from zones.verdict import Connection, Outcome, PacketKey, Reason, State, Verdict

if TYPE_CHECKING:
    from gateway.filter.track import Entry
    from zones.model import Policy

_MAX_REMEMBERED = 65_536
_INVALID = Connection(State.INVALID)
_NANO = 1_000_000_000


class ReferenceEngine:
    """Parse, track and decide, one packet after the other, in plain Python."""

    name = REFERENCE

    def __init__(
        self,
        policy: Policy,
        *,
        now: float | None = None,
        ignore_checksums: bool = False,
        tracker: Tracker | None = None,
    ) -> None:
        self._policy = policy
        self._ignore_checksums = ignore_checksums
        self._now = now
        self._tracker = Tracker() if tracker is None else tracker
        self._datagrams = Datagrams()
        self._fresh: dict[bytes, Verdict] = {}
        self._fresh_moment = 0
        # A verdict can change with time only where some flow opens or closes: at full minutes, unless
        # the hours of a flow name seconds.
        precise = any(
            flow.hours and (flow.hours.opens.second or (flow.hours.closes and flow.hours.closes.second))
            for flow in policy.flows
        )
        self._moment_ns = _NANO if precise else 60 * _NANO
        self._malformed = Verdict(
            Outcome.DENY, Reason.MALFORMED, state=State.INVALID, revision=policy.revision
        )
        self._zones = {zone: number.to_bytes(2) for number, zone in enumerate((None, GATEWAY, *policy.zones))}

    @property
    def evicted(self) -> int:
        """How many connections were forgotten because the table was full."""
        return self._tracker.evicted

    def judge_batch(self, batch: PacketBatch) -> Judgements:
        """Judge every packet of a batch, in order."""
        frames: list[Frame | Unparsed] = []
        verdicts: list[Verdict | None] = []
        connections: list[int] = []
        marks: list[int] = []
        for linktype, data, wire, time_ns, ingress, outbound in zip(*batch, strict=True):
            frame = parse_frame(linktype, data, wire)
            if not isinstance(frame, Unparsed) and frame.checksum and self._bad_checksum(frame, ingress):
                frame = Unparsed.BAD_CHECKSUM
            if isinstance(frame, Unparsed):
                verdict, connection, mark = self._unread(frame, ingress, outbound=outbound)
            elif outbound and ingress is not None:
                frame, verdict, connection, mark = self._leaving(frame, time_ns)
            else:
                frame, verdict, connection, mark = self._judge(frame, ingress, time_ns)
            frames.append(frame)
            verdicts.append(verdict)
            connections.append(connection)
            marks.append(mark)
        return Judgements(frames, verdicts, connections, marks)

    def _bad_checksum(self, frame: Frame, ingress: str | None) -> bool:
        """RFC 1122 3.2.1.2: a receiver drops the packet; a sender may have captured it unfinished."""
        return not self._ignore_checksums and (frame.checksum == WRONG or ingress is not None)

    def _unread(
        self, reason: Unparsed, ingress: str | None, *, outbound: bool
    ) -> tuple[Verdict | None, int, int]:
        """Refuse what the kernel would drop as malformed; anything else unread has no verdict."""
        if outbound and ingress is not None:
            return None, 0, OUTBOUND_COPY
        if reason not in MALFORMED:
            return None, 0, 0
        return self._malformed._replace(source_zone=ingress), 0, 0

    def _leaving(self, frame: Frame, time_ns: int) -> tuple[Frame, Verdict | None, int, int]:
        """Tell the gateway's own packets from copies of what was judged as it came in."""
        if (frame.version, frame.src) in self._policy.gateway_addresses:
            return self._judge(frame, GATEWAY, time_ns)
        entry = self._tracker.find(frame.key, time_ns)
        if entry is not None and entry.local and frame.key != entry.key:
            self._tracker.advance(entry, frame, time_ns)
            return frame, None, entry.number, GATEWAY_ANSWER
        return frame, None, 0, OUTBOUND_COPY

    def _judge(self, frame: Frame, ingress: str | None, time_ns: int) -> tuple[Frame, Verdict, int, int]:
        mark = TRUNCATED if frame.truncated else 0
        if ingress is None:
            mark |= ZONE_INFERRED
        if frame.checksum:
            mark |= CHECKSUM_IGNORED
        if frame.vlan > 0:
            mark |= VLAN_TAG
        if frame.fragment:
            return self._fragment(frame, ingress, time_ns, mark | FRAGMENT)
        verdict, connection = self._whole(frame, ingress, time_ns)
        return frame, verdict, connection, mark

    def _fragment(
        self, frame: Frame, ingress: str | None, time_ns: int, mark: int
    ) -> tuple[Frame, Verdict, int, int]:
        """Judge a fragment; a later one comes back with the ports of the first."""
        if frame.fragment == FIRST_FRAGMENT and not self._datagrams.rewrites(frame, ingress, time_ns):
            verdict, connection = self._whole(frame, ingress, time_ns)
            self._datagrams.remember(frame, ingress, time_ns, verdict, connection)
            return frame, verdict, connection, mark
        later = frame.fragment == LATER_FRAGMENT
        datagram = self._datagrams.find(frame, ingress, time_ns) if later else None
        if datagram is None:
            orphan = self._decide(frame, ingress, time_ns, _INVALID)
            return frame, orphan, 0, mark | ORPHAN_FRAGMENT
        first = datagram.first
        frame = frame._replace(key=first.key, sport=first.sport, dport=first.dport)
        return frame, datagram.verdict, datagram.connection, mark

    def _whole(self, frame: Frame, ingress: str | None, time_ns: int) -> tuple[Verdict, int]:
        """Judge a packet, or the first fragment that stands for one; return verdict and connection."""
        entry = self._tracker.find(frame.key, time_ns)
        moment = 0 if self._now is not None else time_ns // self._moment_ns
        memory = None
        if entry is not None:
            memory = entry.forward if frame.key == entry.key else entry.answers
        known = memory is not None and (
            memory.moment == moment and memory.ingress == ingress and memory.mac == frame.src_mac
        )
        if not known:
            fresh = self._asked(frame, ingress, time_ns, moment)
            if fresh.reason is Reason.SPOOFED_SOURCE:
                # Before tracking, as in the kernel's raw hook: a forged reset must not end a connection.
                return fresh, 0
        state, entry = self._tracker.advance(entry, frame, time_ns)
        if known and memory is not None and memory.state is state and entry is not None:
            return memory.verdict, entry.number
        if state is State.NEW:
            verdict = self._asked(frame, ingress, time_ns, moment)
            if entry is None:
                return self._open(frame, time_ns, verdict)
        elif state is State.INVALID:
            verdict = self._asked(frame, ingress, time_ns, moment, _INVALID)
        else:
            flow = entry.flow if entry is not None else None
            made_up = state is State.RELATED and not self._from_far_end(frame, ingress)
            verdict = self._decide(frame, ingress, time_ns, _INVALID if made_up else Connection(state, flow))
        if entry is None:
            return verdict, 0
        if state is State.NEW or state is State.ESTABLISHED:
            _remember(entry, frame, Remembered(ingress, frame.src_mac, moment, state, verdict))
        return verdict, entry.number

    def _from_far_end(self, frame: Frame, ingress: str | None) -> bool:
        """Return whether an ICMP error comes from where the packet it quotes was going.

        From any other zone it would pass the guards under the flow of somebody else's connection.
        """
        if ingress == GATEWAY or frame.quoted is None:
            return True
        size = 4 if frame.version == 4 else 16
        far = self._policy.zone_of(frame.version, int.from_bytes(frame.quoted[size : 2 * size]))
        return far == (ingress or self._policy.zone_of(frame.version, frame.src))

    def _open(self, frame: Frame, time_ns: int, verdict: Verdict) -> tuple[Verdict, int]:
        """Track the connection a new packet opens, if the policy lets it pass."""
        if not verdict.passes:
            return verdict, 0
        local = verdict.outcome is not Outcome.ALLOW or verdict.destination_zone == GATEWAY
        entry = self._tracker.admit(frame, time_ns, verdict.decided_by, local=local)
        if entry is None:
            return verdict._replace(outcome=Outcome.DENY, reason=Reason.LIMIT), 0
        return verdict, entry.number

    def _asked(
        self,
        frame: Frame,
        ingress: str | None,
        time_ns: int,
        moment: int,
        connection: Connection | None = None,
    ) -> Verdict:
        """Return the verdict on a new or an invalid packet; scans ask the same question again and again."""
        if moment != self._fresh_moment or len(self._fresh) >= _MAX_REMEMBERED:
            self._fresh.clear()
            self._fresh_moment = moment
        # The source port decides nothing; the addresses, the destination port and who sent it do.
        size = 8 if frame.version == 4 else 32
        question = b"%b%b%b%b%b" % (
            frame.key[:size],
            frame.key[size + 2 :],
            frame.src_mac.to_bytes(7, signed=True),
            self._zones.get(ingress, b""),
            b"" if connection is None else b"!",
        )
        verdict = self._fresh.get(question)
        if verdict is None:
            verdict = self._fresh[question] = self._decide(frame, ingress, time_ns, connection)
        return verdict

    def _decide(
        self, frame: Frame, ingress: str | None, time_ns: int, connection: Connection | None
    ) -> Verdict:
        fixed_mac = (frame.version, frame.src) in self._policy.macs and frame.src_mac != NO_MAC
        key = PacketKey(
            ingress,
            frame.version,
            frame.src,
            frame.dst,
            frame.protocol,
            frame.sport,
            frame.dport,
            mac_text(frame.src_mac) if fixed_mac and ingress is not None else None,
        )
        now = self._now if self._now is not None else time_ns / _NANO
        return decide(self._policy, key, now=now, connection=connection)


def _remember(entry: Entry, frame: Frame, memory: Remembered) -> None:
    if frame.key == entry.key:
        entry.forward = memory
    else:
        entry.answers = memory
