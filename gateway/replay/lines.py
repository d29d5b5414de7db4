"""Records as JSON objects: the stable shape that scripts read. Keys are never left out; unknown is null."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from gateway.filter.engine import SKIPPED, ZONE_INFERRED
from gateway.filter.frames import MALFORMED, WHOLE, Frame, Unparsed
from gateway.replay.records import MARKS, ZONE_BY_ADDRESS
from gateway.replay.summary import DECISION, REASON, ZONES
from zones.address import address_text
from zones.verdict import ICMP, ICMP6, PORT_PROTOCOLS, PROTOCOL_NAMES, TCP

if TYPE_CHECKING:
    from gateway.replay.against import Against, ChangeKey, Said
    from gateway.replay.exchanges import Ends, Exchange
    from gateway.replay.flows import FlowRecord
    from gateway.replay.records import PacketRecord
    from gateway.replay.summary import Summary, Tally
    from gateway.replay.views import HostSums
    from zones.verdict import Verdict

UNPARSED, OUT = "unparsed", "skipped"
"""What stands in the place of an outcome where there is no verdict."""

_FLAGS = "FSRPAUEC"


def packet_line(record: PacketRecord, flow: FlowRecord | None) -> dict[str, Any]:
    """Return one packet: where it stands in the capture, what it says, its verdict, and its flow's number."""
    packet, frame = record.packet, record.frame
    line: dict[str, Any] = {
        "type": "packet",
        "file": record.file,
        "number": record.number,
        "time": time_text(packet.time_ns),
        "interface": packet.interface.label,
        "direction": packet.direction.value,
        "ingress": record.ingress,
        "length": packet.wire_length,
        "vlan": frame.vlan if isinstance(frame, Frame) and frame.vlan >= 0 else None,
    }
    line.update(_ends(frame) if isinstance(frame, Frame) else dict.fromkeys(_END_KEYS))
    line.update(_decision(record.verdict))
    if record.verdict is None:
        line["outcome"] = OUT if record.marks & SKIPPED else UNPARSED
    line["unparsed"] = frame.value if isinstance(frame, Unparsed) else None
    line["flow"] = flow.number if flow is not None else None
    line["connection"] = record.connection or None
    line["marks"] = mark_names(record.marks)
    return line


def flow_line(flow: FlowRecord) -> dict[str, Any]:
    """Return one flow, told from its initiator's side."""
    ends = _ends(flow.frame)
    decision = _decision(flow.verdict)
    if flow.reversed:
        ends |= {"src": ends["dst"], "dst": ends["src"], "sport": ends["dport"], "dport": ends["sport"]}
        decision["source_zone"], decision["destination_zone"] = (
            decision["destination_zone"],
            decision["source_zone"],
        )
    ends.pop("tcp_flags")
    return {
        "type": "flow",
        "flow": flow.number,
        "connection": flow.connection or None,
        "first": time_text(flow.first_ns),
        "last": time_text(flow.last_ns),
        "first_packet": flow.first,
        "packets": flow.packets,
        "bytes": flow.bytes,
        "denied_packets": flow.denied,
        "initiator": flow.initiator,
        **ends,
        **decision,
        "marks": mark_names(flow.marks),
    }


def summary_line(summary: Summary) -> dict[str, Any]:
    """Return the summary; the same capture and policy give the same line, byte for byte."""
    return {
        "type": "summary",
        "engine": summary.engine,
        "policy": summary.policy,
        "revision": summary.revision,
        "files": [
            {
                "file": result.name,
                "packets": result.packets,
                "readable": not result.unreadable,
                "troubles": [{"offset": offset, "code": code} for offset, code in result.troubles],
            }
            for result in summary.files
        ],
        "packets": summary.packets,
        "judged": summary.judged,
        "unparsed": summary.unparsed,
        "skipped": summary.skipped,
        "denied": summary.denied(),
        "flows": summary.flows,
        "first": time_text(summary.first_ns) if summary.first_ns is not None else None,
        "last": time_text(summary.last_ns) if summary.last_ns is not None else None,
        "by_zones": [
            {
                "source_zone": row[0] or None,
                "destination_zone": row[1] or None,
                "outcome": row[2],
                **_sums(tally),
            }
            for row, tally in summary.by(*ZONES).items()
        ],
        "by_decision": [
            {"decided_by": row[0] or None, "reason": row[1], "outcome": row[2], **_sums(tally)}
            for row, tally in summary.by(*DECISION).items()
        ],
        "by_reason": [
            {"reason": row[0], "outcome": row[1], **_sums(tally)}
            for row, tally in summary.by(*REASON).items()
        ],
        "not_parsed": [
            {"reason": reason.value, "refused": reason in MALFORMED, **_sums(tally)}
            for reason, tally in sorted(summary.reasons.items())
        ],
        "marks": summary.marked(),
        "anti_spoof": anti_spoof(summary),
        "flows_split": summary.flows_split,
        "connections_evicted": summary.evicted,
        "times_backwards": summary.backwards,
        "exchanges": len(summary.exchanges),
        "exchanges_other": summary.exchanges.others,
        "audited": dict(sorted(summary.audited.items())),
        "map_unused": list(summary.unused_map),
    }


def exchange_line(row: Exchange) -> dict[str, Any]:
    """Return one exchange; the ends are null where it stands for those that did not fit into the table."""
    return {
        "type": "exchange",
        **_exchange(row.ends),
        "outcome": row.ends.outcome,
        "reason": row.ends.reason,
        "decided_by": row.ends.decided_by or None,
        **_amounts(row),
    }


def change_line(key: ChangeKey, row: Exchange) -> dict[str, Any]:
    """Return what two policies say differently of one exchange."""
    return {
        "type": "change",
        "kind": key.kind.value,
        **_exchange(key.ends),
        "before": _said(key.before),
        "after": _said(key.after),
        **_amounts(row),
    }


def changes_line(against: Against) -> dict[str, Any]:
    """Return the counts of a comparison."""
    groups = against.changes.by_kind()
    return {
        "type": "changes",
        "policy": against.policy.name,
        "revision": against.policy.revision,
        "compared": against.changes.compared,
        **{
            kind.value: {
                "exchanges": sum(not key.ends.other for key, _ in rows),
                "packets": sum(row.packets for _, row in rows),
                "bytes": sum(row.bytes for _, row in rows),
                "flows": sum(row.flows for _, row in rows),
            }
            for kind, rows in groups.items()
        },
    }


def host_line(sums: HostSums) -> dict[str, Any]:
    """Return what one host did, and what was done with it."""
    return {
        "type": "host",
        "zone": sums.host.zone or None,
        "address": _address_text(sums.host.version, sums.host.address),
        "peers": sums.peers,
        "flows": sums.flows,
        "served": sums.served,
        "packets": sums.packets,
        "bytes": sums.bytes,
        "denied_from": sums.denied_from,
        "denied_to": sums.denied_to,
    }


def service_text(protocol: int, port: int) -> str:
    """Return a service as people write it.

    >>> service_text(6, 443), service_text(1, 8), service_text(47, -1)
    ('tcp/443', 'icmp/8', 'proto/47')
    """
    name = PROTOCOL_NAMES.get(protocol, f"proto/{protocol}")
    return f"{name}/{port}" if port >= 0 else name


def _exchange(ends: Ends) -> dict[str, Any]:
    known = not ends.other
    port = ends.port if known and ends.port >= 0 else None
    return {
        "source_zone": ends.source_zone or None,
        "destination_zone": ends.destination_zone or None,
        "src": _address_text(ends.version, ends.src) if known else None,
        "dst": _address_text(ends.version, ends.dst) if known else None,
        "protocol": PROTOCOL_NAMES.get(ends.protocol, f"proto/{ends.protocol}") if known else None,
        "port": port,
    }


def _amounts(row: Exchange) -> dict[str, Any]:
    return {
        "packets": row.packets,
        "bytes": row.bytes,
        "answers": row.answers,
        "answer_bytes": row.answer_bytes,
        "flows": row.flows,
        "first": time_text(row.first_ns),
        "last": time_text(row.last_ns),
        "first_packet": row.first,
    }


def _said(said: Said) -> dict[str, Any]:
    return {"outcome": said.outcome, "reason": said.reason, "decided_by": said.decided_by or None}


def anti_spoof(summary: Summary) -> dict[str, int]:
    """Return how many verdicts checked the source against a known interface, and how many could not."""
    unproved = ZONE_INFERRED | ZONE_BY_ADDRESS
    inferred = sum(count for bits, count in summary.marks.items() if bits & unproved)
    malformed = sum(tally.packets for reason, tally in summary.reasons.items() if reason in MALFORMED)
    return {"checked": summary.judged - malformed - inferred, "inferred": inferred}


def time_text(time_ns: int) -> str:
    """Return a time as ISO 8601 in UTC with nanoseconds.

    >>> time_text(1_700_000_000_000_000_001)
    '2023-11-14T22:13:20.000000001Z'
    """
    seconds, rest = divmod(time_ns, 1_000_000_000)
    return f"{_second_text(seconds)}.{rest:09d}Z"


@lru_cache(maxsize=1024)
def _second_text(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}"


_address_text = lru_cache(maxsize=65_536)(address_text)


def mark_names(marks: int) -> list[str]:
    """Return the names of the marks set."""
    return [name for bit, name in MARKS.items() if marks & bit] if marks else []


_END_KEYS = ("src", "dst", "protocol", "sport", "dport", "icmp_type", "icmp_code", "tcp_flags", "fragment")


def _ends(frame: Frame) -> dict[str, Any]:
    ports = frame.protocol in PORT_PROTOCOLS
    control = frame.protocol in (ICMP, ICMP6)
    return {
        "src": _address_text(frame.version, frame.src),
        "dst": _address_text(frame.version, frame.dst),
        "protocol": PROTOCOL_NAMES.get(frame.protocol, f"proto/{frame.protocol}"),
        "sport": frame.sport if ports else None,
        "dport": frame.dport if ports else None,
        "icmp_type": frame.dport if control else None,
        "icmp_code": frame.sport if control else None,
        "tcp_flags": flags_text(frame.control) if frame.protocol == TCP else None,
        "fragment": frame.offset if frame.fragment != WHOLE else None,
    }


def flags_text(flags: int) -> str:
    """Return TCP flags as letters, low bit first: F S R P A U E C.

    >>> flags_text(0x12)
    'SA'
    """
    return "".join(letter for bit, letter in enumerate(_FLAGS) if flags >> bit & 1)


def _decision(verdict: Verdict | None) -> dict[str, Any]:
    if verdict is None:
        return dict.fromkeys(
            ("source_zone", "destination_zone", "outcome", "reason", "decided_by", "state", "also", "audited")
        )
    return {
        "source_zone": verdict.source_zone,
        "destination_zone": verdict.destination_zone,
        "outcome": verdict.outcome.value,
        "reason": verdict.reason.value,
        "decided_by": verdict.decided_by,
        "state": verdict.state.value,
        "also": list(verdict.also),
        "audited": list(verdict.audited),
    }


def _sums(tally: Tally) -> dict[str, Any]:
    return {"packets": tally.packets, "bytes": tally.bytes, "first": tally.first}
