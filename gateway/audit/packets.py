"""From a packet the kernel logged to the fields of a `packet` event.

The verdict is the kernel's own, as its rule wrote it into the log prefix; it is never decided again here.
The zones are the policy's names for the interface it came in by and the address it went to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.audit.event import timestamp
from gateway.filter.frames import LATER_FRAGMENT, WHOLE, Frame, Unparsed
from gateway.filter.link import RAW, parse_frame
from gateway.kernel.nflog import parse_audit_prefix, parse_prefix
from zones.address import address_text
from zones.model import GATEWAY
from zones.verdict import ICMP, ICMP6, PORT_PROTOCOLS, PROTOCOL_NAMES, TCP

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.kernel.nflog import Record
    from zones.model import Policy

_TCP_FLAGS = "FSRPAUEC"


def packet_event(
    record: Record, policy: Policy, name_of: Callable[[int | None], str | None]
) -> tuple[str, dict[str, object]]:
    """Return kind and fields of the event for one logged packet.

    `name_of` gives an interface's name by index (`InterfaceNames.name`). A record whose prefix is not ours
    becomes a `fault`: some other rule logs to our group, and that must be seen.
    """
    ingress, egress = name_of(record.in_index), name_of(record.out_index)
    seen = _seen(record, policy, ingress, egress)
    audited = parse_audit_prefix(record.prefix)
    if audited is not None:
        return "audited", {"decided_by": audited, **seen}
    verdict = parse_prefix(record.prefix)
    if verdict is None:
        return "fault", {"where": "nflog", "code": "foreign-log-prefix", "detail": record.prefix}
    said = {"outcome": verdict.outcome, "reason": verdict.reason, "decided_by": verdict.decided_by}
    return "packet", {**said, **seen}


def _seen(record: Record, policy: Policy, ingress: str | None, egress: str | None) -> dict[str, object]:
    """Return what the record itself shows, whatever the verdict."""
    return {
        "source_zone": _source_zone(record, ingress, policy),
        "in_interface": ingress,
        "out_interface": egress,
        "mac": record.mac,
        "mark": record.mark or None,
        "hook": str(record.hook),
        "observed": timestamp(record.seconds) if record.seconds is not None else None,
        "bytes": wire_bytes(record.payload),
        **_parsed(record.payload, policy),
    }


def _source_zone(record: Record, ingress: str | None, policy: Policy) -> str | None:
    if not record.in_index:
        return GATEWAY  # it came in by no interface: our own
    # An interface that is gone by now has no name, and its packet no zone that could be named.
    return policy.zone_of_interface(ingress) if ingress else None


def wire_bytes(payload: bytes) -> int:
    """Return the packet's whole length, which its header names where the copy is cut.

    >>> wire_bytes(bytes.fromhex("45000054") + bytes(16))
    84
    """
    claimed = 0
    if len(payload) >= 20 and payload[0] >> 4 == 4:
        claimed = int.from_bytes(payload[2:4])
    elif len(payload) >= 40 and payload[0] >> 4 == 6:
        claimed = 40 + int.from_bytes(payload[4:6])
    # The kernel has checked this length before any hook of ours saw the packet.
    return max(claimed, len(payload))


def _parsed(payload: bytes, policy: Policy) -> dict[str, object]:
    frame = parse_frame(RAW, payload, wire_bytes(payload))
    if isinstance(frame, Unparsed):
        return {"unparsed": str(frame)}
    return {
        "src": address_text(frame.version, frame.src),
        "dst": address_text(frame.version, frame.dst),
        "destination_zone": destination_zone(policy, frame.version, frame.dst),
        "protocol": PROTOCOL_NAMES.get(frame.protocol, f"proto/{frame.protocol}"),
        "fragment": frame.fragment != WHOLE or None,
        **_carried(frame),
    }


def destination_zone(policy: Policy, version: int, address: int) -> str | None:
    """Return the zone an address is in, `gateway` for our own addresses."""
    if (version, address) in policy.gateway_addresses:
        return GATEWAY
    return policy.zone_of(version, address)


def _carried(frame: Frame) -> dict[str, object]:
    if frame.fragment == LATER_FRAGMENT:
        return {}
    if frame.protocol in {ICMP, ICMP6}:
        return {"icmp_type": frame.dport, "icmp_code": frame.sport}
    if frame.protocol not in PORT_PROTOCOLS:
        return {}
    ports: dict[str, object] = {"sport": frame.sport, "dport": frame.dport}
    if frame.protocol == TCP:
        ports["tcp_flags"] = "".join(
            letter for bit, letter in enumerate(_TCP_FLAGS) if frame.control >> bit & 1
        )
    return ports
