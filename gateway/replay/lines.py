"""Records as JSON objects: the stable shape that scripts read. Keys are never left out; unknown is null."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from gateway.filter.engine import SKIPPED
from gateway.filter.frames import MALFORMED, WHOLE, Frame, Unparsed
from gateway.replay.records import MARKS
from gateway.replay.summary import DECISION, ZONES
from zones.address import address_text
from zones.verdict import ICMP, ICMP6, PORT_PROTOCOLS, PROTOCOL_NAMES, TCP

if TYPE_CHECKING:
    from gateway.replay.flows import FlowRecord
    from gateway.replay.records import PacketRecord
    from gateway.replay.summary import Summary, Tally
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
        "not_parsed": [
            {"reason": reason.value, "refused": reason in MALFORMED, **_sums(tally)}
            for reason, tally in sorted(summary.reasons.items())
        ],
        "marks": summary.marked(),
        "anti_spoof": anti_spoof(summary),
        "flows_split": summary.flows_split,
        "connections_evicted": summary.evicted,
        "times_backwards": summary.backwards,
        "map_unused": list(summary.unused_map),
    }


def anti_spoof(summary: Summary) -> dict[str, int]:
    """Return how many verdicts checked the source against a known interface, and how many could not."""
    inferred = summary.marked().get("zone-inferred", 0)
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
