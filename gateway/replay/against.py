"""Two policies over the same packets in one pass: what would change, for whom, and from which packet on."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from gateway.replay.exchanges import MAX_EXCHANGES, NO_PORT, Exchange, ends_of
from gateway.replay.ingress import IngressTable
from zones.verdict import Outcome, Reason

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gateway.filter.engine import Engine, PacketBatch
    from gateway.replay.exchanges import Ends
    from gateway.replay.flows import FlowRecord
    from gateway.replay.ingress import ZoneMap
    from gateway.replay.packets import Packet
    from gateway.replay.records import PacketRecord
    from zones.model import Policy
    from zones.verdict import Verdict


class Kind(StrEnum):
    """What becomes otherwise; stable strings for JSON."""

    REFUSED = "newly-refused"
    ALLOWED = "newly-allowed"
    HANDLED = "handled-otherwise"
    """Passes under both, but once forwarded and once through a proxy of ours (or through another one)."""
    DECIDED = "decided-otherwise"
    """The same outcome, by another flow or guard, or for another reason."""


CROSSING = (Kind.REFUSED, Kind.ALLOWED, Kind.HANDLED)
"""The kinds for which something crosses otherwise than before."""


class Said(NamedTuple):
    """What a policy said: outcome, reason, and what decided (empty: nothing did)."""

    outcome: str
    reason: str
    decided_by: str


class ChangeKey(NamedTuple):
    """An exchange (with the first policy's verdict in it) and what the second one says."""

    ends: Ends
    after: Said

    @property
    def before(self) -> Said:
        """What the first policy says."""
        return Said(self.ends.outcome, self.ends.reason, self.ends.decided_by)

    @property
    def kind(self) -> Kind:
        """Which kind of change this is."""
        was, is_ = self.ends.outcome, self.after.outcome
        if was == is_:
            return Kind.DECIDED
        if is_ == Outcome.DENY:
            return Kind.REFUSED
        return Kind.ALLOWED if was == Outcome.DENY else Kind.HANDLED


class Changes:
    """Exchanges on which two policies differ; bounded as `Exchanges` is.

    What follows a refused beginning is refused as `invalid-state`; here it counts under the reason for
    which the beginning was refused, on either side: that is what a change of the policy would change.
    """

    def __init__(self, *, max_rows: int = MAX_EXCHANGES) -> None:
        self._limit = max_rows
        self._rows: dict[ChangeKey, Exchange] = {}
        self._others: dict[ChangeKey, Exchange] = {}
        self.compared = 0

    def __iter__(self) -> Iterator[tuple[ChangeKey, Exchange]]:
        """Yield every change in the order they began, then those whose ends did not fit."""
        yield from self._rows.items()
        yield from self._others.items()

    def add(self, record: PacketRecord, flow: FlowRecord, other: Verdict | None, *, answer: bool) -> None:
        """Count one packet that the first policy judged as `record` says and the second one as `other`."""
        verdict = record.verdict
        if verdict is None or other is None:
            return
        self.compared += 1
        if flow.packets == 1:
            flow.against = other
        verdict, other = _cause(verdict, flow.verdict), _cause(other, flow.against)
        after = Said(other.outcome.value, other.reason.value, other.decided_by or "")
        if (verdict.outcome.value, verdict.reason.value, verdict.decided_by or "") == after:
            return
        key = ChangeKey(ends_of(flow, verdict, answer=answer), after)
        row = self._row(key, record)
        row.packets += 1
        row.bytes += record.packet.wire_length
        row.flows += flow.packets == 1
        if answer:
            row.answers += 1
            row.answer_bytes += record.packet.wire_length
        row.last_ns = max(row.last_ns, record.packet.time_ns)

    def _row(self, key: ChangeKey, record: PacketRecord) -> Exchange:
        row = self._rows.get(key)
        if row is not None:
            return row
        table = self._rows
        if len(table) >= self._limit:
            ends = key.ends._replace(version=0, src=0, dst=0, protocol=0, port=NO_PORT)
            table, key = self._others, ChangeKey(ends, key.after)
            row = table.get(key)
        if row is None:
            row = table[key] = Exchange(key.ends, record.place, record.packet.time_ns)
        return row

    def by_kind(self) -> dict[Kind, list[tuple[ChangeKey, Exchange]]]:
        """Return the changes by kind, in each the one with most packets first."""
        groups: dict[Kind, list[tuple[ChangeKey, Exchange]]] = {kind: [] for kind in Kind}
        for key, row in self:
            groups[key.kind].append((key, row))
        for rows in groups.values():
            rows.sort(key=lambda item: (-item[1].packets, item[1].first_ns, item[0]))
        return groups

    @property
    def crossing(self) -> bool:
        """Whether anything crosses otherwise."""
        return any(key.kind in CROSSING for key, _ in self)


def _cause(verdict: Verdict, first: Verdict | None) -> Verdict:
    """Return the refusal of the beginning for what is refused only because of it."""
    if verdict.reason is not Reason.INVALID_STATE or first is None or first.passes:
        return verdict
    return first._replace(source_zone=verdict.source_zone, destination_zone=verdict.destination_zone)


class Against:
    """The second policy: its engine, its zones, and what it says otherwise."""

    def __init__(self, policy: Policy, engine: Engine, zones: ZoneMap) -> None:
        self.policy = policy
        self.changes = Changes()
        self._engine = engine
        self._ingress = IngressTable(zones)

    def judge(self, batch: Sequence[Packet], columns: PacketBatch) -> Sequence[Verdict | None]:
        """Return this policy's verdicts on a batch; only the zones behind interfaces may differ."""
        zones = [found.zone for found in self._ingress.of(batch)]
        return self._engine.judge_batch(columns._replace(ingress=zones)).verdicts
