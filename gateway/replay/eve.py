"""EVE-compatible JSON lines: what Suricata's readers (Filebeat, Splunk, Logstash, Tenzir) already understand.

A `drop` event where the first packet of a flow was refused, as soon as that is seen, with an `alert`
before it where the refusal says that somebody pretends; a `flow` event for each flow when it is over. Or,
for sums, one `flow` event for each exchange. What EVE has no field for is under "masugata". Source of the
fields: Suricata's user guide, "EVE JSON Format".
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TextIO

from gateway.replay.lines import exchange_line, flow_line
from zones.verdict import ICMP, ICMP6, Outcome, Reason

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from gateway.replay.exchanges import Exchange
    from gateway.replay.flows import FlowRecord
    from gateway.replay.records import PacketRecord

_PROTOCOLS = {ICMP6: "IPv6-ICMP"}
# Signature ids in the range that rule sets leave to local use (from 1,000,000).
_ALERTS = {
    Reason.SPOOFED_SOURCE: (1_000_001, "source address does not belong to the zone it came from", 1),
    Reason.MISROUTED: (1_000_002, "destination does not lie behind this gateway", 2),
    Reason.UNKNOWN_ZONE: (1_000_003, "address that belongs to no zone", 2),
}
_CATEGORY = "Potentially Bad Traffic"
_DECISION = ("source_zone", "destination_zone", "outcome", "reason", "decided_by")
_ID_BITS = 51  # what readers that hold numbers as floating point can tell apart


class EveWriter:
    """A sink that writes events to a text stream, line by line."""

    def __init__(self, out: TextIO, *, revision: str, flows: bool = True) -> None:
        self.wants_packets = self.wants_flows = flows
        self._out = out
        self._revision = revision

    def packet(self, record: PacketRecord, flow: FlowRecord | None) -> None:
        """Write what is to be said of a flow at once, when this is its first packet and was refused."""
        if flow is not None and flow.packets == 1:
            for event in refusals_of(flow, revision=self._revision):
                self._write(event)

    def flow(self, record: FlowRecord) -> None:
        """Write the event of one flow that is over."""
        if self.wants_flows:
            self._write(flow_event(record, revision=self._revision))

    def exchanges(self, rows: Iterable[Exchange]) -> None:
        """Write one event for each exchange of a whole replay; those whose ends are not known have none."""
        for row in rows:
            if not row.ends.other:
                self._write(event_of(row, revision=self._revision))

    def _write(self, event: dict[str, Any]) -> None:
        self._out.write(json.dumps(event, ensure_ascii=False) + "\n")


def refusals_of(record: FlowRecord, *, revision: str = "") -> Iterator[dict[str, Any]]:
    """Yield what a flow gives at its first packet: `alert` and `drop` where that was refused."""
    if record.verdict.outcome is not Outcome.DENY:
        return
    line = flow_line(record)
    began = {"timestamp": eve_time(record.first_ns), **_common(record, line)}
    ours = _ours(record, line, revision)
    reason = record.verdict.reason
    if reason in _ALERTS:
        yield began | {"event_type": "alert", "alert": _alert(reason), "masugata": ours}
    yield began | {"event_type": "drop", "drop": {"reason": reason.value}, "masugata": ours}


def flow_event(record: FlowRecord, *, revision: str = "") -> dict[str, Any]:
    """Return the `flow` event of a flow that is over."""
    line = flow_line(record)
    ended = {"timestamp": eve_time(record.last_ns), **_common(record, line)}
    return ended | {"flow": _flow(record), "masugata": _ours(record, line, revision)}


def event_of(row: Exchange, *, revision: str = "") -> dict[str, Any]:
    """Return the `flow` event of one exchange; `flows` under "masugata" says how many it adds up."""
    line, ends = exchange_line(row), row.ends
    icmp = ends.protocol in {ICMP, ICMP6}
    event = {
        "timestamp": eve_time(row.last_ns),
        "pcap_filename": row.first.rpartition(":")[0],
        "pcap_cnt": int(row.first.rpartition(":")[2]),
        "event_type": "flow",
        "src_ip": line["src"],
        "dest_ip": line["dst"],
        "dest_port": None if icmp else line["port"],
        "icmp_type": line["port"] if icmp else None,
        "ip_v": ends.version,
        "proto": _protocol(ends.protocol, line),
        "flow": {
            **_directions(row),
            "start": eve_time(row.first_ns),
            "end": eve_time(row.last_ns),
            "age": (row.last_ns - row.first_ns) // 1_000_000_000,
            "action": "drop" if ends.denied else "accept",
        },
        "masugata": {
            **{name: line[name] for name in _DECISION},
            "flows": row.flows,
            "first_packet": row.first,
            "revision": revision,
        },
    }
    return {key: value for key, value in event.items() if value is not None}


def _directions(sums: FlowRecord | Exchange) -> dict[str, int]:
    return {
        "pkts_toserver": sums.packets - sums.answers,
        "pkts_toclient": sums.answers,
        "bytes_toserver": sums.bytes - sums.answer_bytes,
        "bytes_toclient": sums.answer_bytes,
    }


def _protocol(protocol: int, line: dict[str, Any]) -> str:
    return _PROTOCOLS.get(protocol, str(line["protocol"]).removeprefix("proto/").upper())


def _common(record: FlowRecord, line: dict[str, Any]) -> dict[str, Any]:
    frame = record.frame
    event: dict[str, Any] = {
        "flow_id": record.number % (1 << _ID_BITS),
        "pcap_filename": record.first.rpartition(":")[0],
        "pcap_cnt": int(record.first.rpartition(":")[2]),
        "event_type": "flow",
        "src_ip": line["src"],
        "src_port": line["sport"],
        "dest_ip": line["dst"],
        "dest_port": line["dport"],
        "ip_v": frame.version,
        "proto": _protocol(frame.protocol, line),
    }
    if line["icmp_type"] is not None:
        event |= {"icmp_type": line["icmp_type"], "icmp_code": line["icmp_code"]}
    if frame.vlan > 0:
        event["vlan"] = [frame.vlan]
    return {key: value for key, value in event.items() if value is not None}


def _flow(record: FlowRecord) -> dict[str, Any]:
    refused = record.verdict.outcome is Outcome.DENY
    return {
        **_directions(record),
        "start": eve_time(record.first_ns),
        "end": eve_time(record.last_ns),
        "age": (record.last_ns - record.first_ns) // 1_000_000_000,
        "state": "established" if record.connection and record.answers else "new",
        "alerted": refused and record.verdict.reason in _ALERTS,
        "action": "drop" if refused else "accept",
    }


def _ours(record: FlowRecord, line: dict[str, Any], revision: str) -> dict[str, Any]:
    return {
        **{name: line[name] for name in (*_DECISION, "initiator", "connection", "marks")},
        "denied_packets": record.denied,
        "first_packet": record.first,
        "revision": revision,
    }


def _alert(reason: Reason) -> dict[str, Any]:
    number, signature, severity = _ALERTS[reason]
    return {
        "action": "blocked",
        "gid": 1,
        "signature_id": number,
        "rev": 1,
        "signature": f"MASUGATA {signature}",
        "category": _CATEGORY,
        "severity": severity,
    }


def eve_time(time_ns: int) -> str:
    """Return a time the way EVE writes it: microseconds and a numeric zone.

    >>> eve_time(1_700_000_000_000_001_000)
    '2023-11-14T22:13:20.000001+0000'
    """
    seconds, rest = divmod(time_ns, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest // 1000:06d}+0000"
