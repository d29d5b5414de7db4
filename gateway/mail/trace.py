"""The lines we put before a sanitised mail: a Received trace (RFC 5321 4.4) and the loop marker.

Every word of them is ours or was checked on intake against a strict grammar; nothing a client said can end a
line or open a comment.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import TYPE_CHECKING

from gateway.mail.content import LOOP_HEADER, Marker

if TYPE_CHECKING:
    from gateway.mail.passage import Endpoint, Passage

_SAFE_HELO = re.compile(r"[A-Za-z0-9._:\[\]-]{1,255}\Z")


def trace_lines(passage: Passage, *, hostname: str, job_id: str, arrived: float) -> bytes:
    """Return our header lines; the same for every attempt to deliver this mail.

    The marker counts the hops so far: sanitising drops the Received lines of others, and a loop through two
    gateways must still come to its end.
    """
    helo = passage.helo if _SAFE_HELO.match(passage.helo) else "unknown"
    protocol = ("UTF8SMTP" if passage.smtputf8 else "ESMTP") if passage.esmtp else "SMTP"
    date = format_datetime(datetime.fromtimestamp(arrived, UTC).replace(microsecond=0))
    markers = [*passage.markers, Marker(hostname.lower(), passage.hops + 1)]
    lines = [
        f"Received: from {helo} ({_literal(passage.peer)})",
        f"\tby {hostname} (masugata) with {protocol} id {job_id};",
        f"\t{date}",
        *(f"{LOOP_HEADER}: {marker}" for marker in markers),
    ]
    return "".join(f"{line}\r\n" for line in lines).encode("ascii")


def _literal(peer: Endpoint) -> str:
    return f"[IPv6:{peer.address}]" if ":" in peer.address else f"[{peer.address}]"
