"""An invitation as lines of text: what, when, where, who. Nothing in it can be accepted or run."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sanitizers.mail.clean import clean_line

if TYPE_CHECKING:
    from sanitizers.mail.limits import Ledger

_MAX_VALUE = 1_000
_MAX_EVENTS = 50
_FIELD = re.compile(r"([A-Za-z-]{1,40})((?:;[^:\"]*(?:\"[^\"]*\"[^:\"]*)*)?):(.*)")
_TIME = re.compile(r"(\d{4})(\d{2})(\d{2})(?:T(\d{2})(\d{2})\d{2}(Z?))?")
_ESCAPE = re.compile(r"\\([nN,;\\])")
_ZONE = re.compile(r"TZID=\"?([^;\":]{1,60})", re.IGNORECASE)
# iCalendar property (RFC 5545) → message code of its label
_SHOWN = {
    "SUMMARY": "mail-calendar-summary",
    "DTSTART": "mail-calendar-start",
    "DTEND": "mail-calendar-end",
    "LOCATION": "mail-calendar-location",
    "ORGANIZER": "mail-calendar-organizer",
    "DESCRIPTION": "mail-calendar-description",
}


def calendar_to_text(untrusted: str, ledger: Ledger) -> str:
    """Return the events of a text/calendar part as labelled lines; empty where there is none."""
    out: list[str] = []
    events = 0
    inside = False
    for line in _unfolded(untrusted):
        match = _FIELD.fullmatch(line)
        if match is None:
            continue
        name, value = match[1].upper(), match[3].strip()
        if name in {"BEGIN", "END"} and value.upper() == "VEVENT":
            inside = name == "BEGIN" and events < _MAX_EVENTS
            events += inside
            out += ["", ledger.voice.say("mail-calendar-event")] if inside else []
        elif inside and name in _SHOWN:
            out.append(f"  {ledger.voice.say(_SHOWN[name])}: {_shown(name, match[2], value, ledger)}")
    return "\n".join(out).strip("\n")


def _unfolded(untrusted: str) -> list[str]:
    text = untrusted.replace("\r\n", "\n").replace("\r", "\n")
    return re.sub(r"\n[ \t]", "", text).split("\n")


def _shown(name: str, parameters: str, value: str, ledger: Ledger) -> str:
    if name.startswith("DT") and (time := _TIME.fullmatch(value)):
        zone = _ZONE.search(parameters)
        clock = f" {time[4]}:{time[5]}" if time[4] else ""
        place = " UTC" if time[6] else f" {zone[1]}" if zone else ""
        return clean_line(f"{time[1]}-{time[2]}-{time[3]}{clock}{place}", ledger, _MAX_VALUE)
    plain = _ESCAPE.sub(lambda match: " " if match[1] in "nN" else match[1], value)
    return clean_line(re.sub(r"(?i)^mailto:", "", plain), ledger, _MAX_VALUE)
