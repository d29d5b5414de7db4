"""An event as one line that people read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway.audit.event import COMMON
from zones.messages import Language, say

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.audit.event import AuditEvent

# What a packet or connection line says in a sentence; the fields left over follow as name=value.
_TOLD = frozenset(
    {
        "outcome",
        "reason",
        "decided_by",
        "source_zone",
        "destination_zone",
        "src",
        "dst",
        "sport",
        "dport",
        "protocol",
        "icmp_type",
        "icmp_code",
        "in_interface",
    }
)
# Left to `--json`: they say the same of almost every line.
_QUIET = frozenset({"hook", "state", "mac", "out_interface", "bytes", "mark", *COMMON})


def describe(event: AuditEvent, language: Language) -> str:
    """Return the event in one line: time (UTC), what happened, to what, and the rest as name=value."""
    fields = event.fields
    told: list[str] = [f"{event.time[:10]} {event.time[11:23]}Z"]
    if event.kind == "packet":
        told += [_outcome(fields, language), _ends(fields), _rest(fields, _TOLD | _QUIET)]
    elif event.kind == "audited":
        kind = say("audit-kind-audited", {}, language)
        told += [f"{kind} ({fields['decided_by']})", _ends(fields), _rest(fields, _TOLD | _QUIET)]
    elif event.kind == "connection":
        kind = say("audit-kind-connection", {}, language)
        told += [f"{kind} {fields['phase']}", _outcome(fields, language), _ends(fields)]
        told += [_rest(fields, _TOLD | _QUIET | {"phase"})]
    else:
        told += [
            say(f"audit-kind-{event.kind}", {}, language),
            f"[{event.actor}]",
            _rest(fields, frozenset(COMMON)),
        ]
    # One event, one line: a name with a line end in it must not look like an event of its own.
    return "  ".join(part for part in told if part).replace("\n", "\\n")


def _outcome(fields: Mapping[str, Any], language: Language) -> str:
    if "outcome" not in fields:
        return ""
    outcome = say(f"audit-outcome-{fields['outcome']}", {}, language)
    why = " ".join(str(fields[name]) for name in ("reason", "decided_by") if name in fields)
    return f"{outcome} ({why})"


def _ends(fields: Mapping[str, Any]) -> str:
    where = fields.get("in_interface")
    source = _end(fields, "source_zone", "src", "sport") + (f" @{where}" if where else "")
    if "src" not in fields:
        return source
    return f"{source} → {_end(fields, 'destination_zone', 'dst', None)} {_service(fields)}"


def _end(fields: Mapping[str, Any], zone: str, address: str, port: str | None) -> str:
    text = str(fields.get(address, "?"))
    if port is not None and port in fields:
        text = f"[{text}]:{fields[port]}" if ":" in text else f"{text}:{fields[port]}"
    return f"{fields.get(zone, '?')} {text}"


def _service(fields: Mapping[str, Any]) -> str:
    protocol = str(fields.get("protocol", "?"))
    number = fields.get("dport", fields.get("icmp_type"))
    return protocol if number is None else f"{protocol}/{number}"


def _rest(fields: Mapping[str, Any], without: frozenset[str]) -> str:
    return " ".join(
        f"{name}={_short(value)}" for name, value in sorted(fields.items()) if name not in without
    )


def _short(value: object) -> str:
    if isinstance(value, list):
        return ",".join(str(item) for item in value)
    text = str(value)
    # A digest is for machines; its beginning tells two apart.
    return text[:12] + "…" if len(text) == 64 and set(text) <= set("0123456789abcdef") else text
