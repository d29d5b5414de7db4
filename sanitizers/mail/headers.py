"""The header fields of the mail we write, each made anew from what we understood of the original's.

Nothing is copied. A field that is not on the list of `regenerate` does not exist in the output.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

from sanitizers.mail.addresses import Address, claims_other_domain, parse_addresses
from sanitizers.mail.clean import clean_line
from sanitizers.mail.encode import field, phrase_tokens, text_tokens
from sanitizers.mail.links import defang
from sanitizers.mail.words import decode_words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sanitizers.mail.limits import Ledger
    from sanitizers.mail.options import MailOptions
    from sanitizers.mail.reading import Part

MAX_SUBJECT_CHARACTERS = 1_000
_MAX_REFERENCES = 50
_SENDER_UNKNOWN = Address("", "unreadable", "sender.invalid")  # RFC 2606: .invalid is nobody's
_ATEXT = r"A-Za-z0-9!#$%&'*+/=?^_`{|}~.\-"
MESSAGE_ID = re.compile(rf"<[{_ATEXT}]{{1,250}}@[A-Za-z0-9._:\[\]\-]{{1,250}}>", re.ASCII)
_DATE = re.compile(
    r"(?:[A-Za-z]{3,9}\.?,?\s+)?(\d{1,2})\s+([A-Za-z]{3})[a-z]*\s+(\d{4}|\d{2})\s+(\d{1,2}):(\d{2})(?::(\d{2}))?"
    r"(?:\s*([+-]\d{4}|[A-Za-z]{1,4}))?",
    re.ASCII,
)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
# Zone names of RFC 5322 section 4.3, and the one Japanese mailers write; others mean "unknown": UTC.
_ZONES = {"JST": 9, "EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7}
_AUTO = re.compile(r"auto-generated|auto-replied|auto-notified", re.IGNORECASE)
_ONCE = ("subject", "date", "message-id", "reply-to", "in-reply-to", "references")


@dataclass(frozen=True, kw_only=True, slots=True)
class Headers:
    """Fields as bytes with their CRLF, in the order they are written, and what the body must say of them."""

    fields: tuple[bytes, ...]
    remarks: tuple[str, ...]


def regenerate(mail: Part, options: MailOptions, source_sha256: str, ledger: Ledger) -> Headers:
    """Return the header of the new mail, without the MIME fields."""
    _note_repeated(mail, ledger)
    senders = _addresses(mail, "from", ledger)
    out = [field("Date", [_date(mail, options, ledger)]), _from(senders, ledger)]
    out += _lists(mail, ledger)
    out.append(_subject(mail, ledger))
    out += _threading(mail, options, source_sha256, ledger)
    if match := _AUTO.match(mail.header("auto-submitted").decode("latin-1")):
        # RFC 3834: without it, two robots on either side of the gateway would answer each other for ever.
        out.append(field("Auto-Submitted", [match[0].lower()]))
    return Headers(fields=tuple(filter(None, out)), remarks=_remarks(senders, ledger))


def _note_repeated(mail: Part, ledger: Ledger) -> None:
    for name in _ONCE:
        if len({value for key, value in mail.headers if key == name}) > 1:
            ledger.note("mail-note-repeated-headers", 1, name)


def _addresses(mail: Part, name: str, ledger: Ledger) -> list[Address]:
    values = dict.fromkeys(value for key, value in mail.headers if key == name)
    return [address for value in values for address in parse_addresses(value, ledger, name)]


def _from(senders: list[Address], ledger: Ledger) -> bytes:
    if not any(sender.local for sender in senders):
        ledger.note("mail-note-sender")
        name = senders[0].name if senders else ""
        senders = [_SENDER_UNKNOWN._replace(name=name)]
    return _address_field("From", senders)


def _remarks(senders: list[Address], ledger: Ledger) -> tuple[str, ...]:
    suspect = next((sender for sender in senders if sender.local and claims_other_domain(sender)), None)
    if suspect is None:
        return ()
    ledger.note("mail-note-sender-mismatch")
    return (ledger.voice.mark("mail-mark-sender", address=f"{suspect.local}@{suspect.domain}"),)


def _lists(mail: Part, ledger: Ledger) -> list[bytes]:
    names = {"reply-to": "Reply-To", "to": "To", "cc": "Cc"}
    return [_address_field(shown, _addresses(mail, name, ledger)) for name, shown in names.items()]


def _address_field(name: str, addresses: list[Address]) -> bytes:
    usable = [address for address in addresses if address.local]
    tokens = [token for address in usable for token in _tokens(address, last=address is usable[-1])]
    return field(name, tokens) if tokens else b""


def _tokens(address: Address, *, last: bool) -> Iterator[str]:
    yield from phrase_tokens(address.name)
    spec = f"<{address.spec()}>" if address.name else address.spec()
    yield spec if last else spec + ","


def _subject(mail: Part, ledger: Ledger) -> bytes:
    text = clean_line(decode_words(mail.header("subject"), ledger, "subject"), ledger, MAX_SUBJECT_CHARACTERS)
    tokens = text_tokens(defang(text, ledger))
    return field("Subject", tokens) if tokens else b""


def _threading(mail: Part, options: MailOptions, source_sha256: str, ledger: Ledger) -> list[bytes]:
    own = _ids(mail, "message-id")[:1]
    if not own:
        ledger.note("mail-note-message-id")
        own = [f"<{source_sha256[:32]}@{options.gateway_name}>"]
    references = _ids(mail, "references")
    if len(references) > _MAX_REFERENCES:
        references = [references[0], *references[-_MAX_REFERENCES + 1 :]]
    found = {"Message-ID": own, "In-Reply-To": _ids(mail, "in-reply-to")[:1], "References": references}
    return [field(name, ids) for name, ids in found.items() if ids]


def _ids(mail: Part, name: str) -> list[str]:
    return list(dict.fromkeys(MESSAGE_ID.findall(mail.header(name).decode("latin-1"))))


def _date(mail: Part, options: MailOptions, ledger: Ledger) -> str:
    sent = parse_date(mail.header("date").decode("latin-1"))
    if sent is None:
        ledger.note("mail-note-date")
        sent = options.received_at
    return format_date(sent)


def parse_date(untrusted: str) -> datetime | None:
    """Return the time of a Date field (RFC 5322 section 3.3 and 4.3), or None where it is none.

    >>> parse_date("Tue, 1 Jul 2003 10:52:37 +0900").isoformat()
    '2003-07-01T10:52:37+09:00'
    """
    match = _DATE.match(untrusted.strip())
    if match is None or match[2].lower() not in _MONTHS:
        return None
    year = int(match[3]) + (0 if len(match[3]) == 4 else 2000 if int(match[3]) < 50 else 1900)
    try:
        return datetime(
            year,
            _MONTHS.index(match[2].lower()) + 1,
            int(match[1]),
            int(match[4]),
            int(match[5]),
            min(int(match[6] or 0), 59),
            tzinfo=_zone(match[7] or ""),
        )
    except ValueError:
        return None


def format_date(moment: datetime) -> str:
    """Return a Date field's value; never in the words of the machine's locale."""
    offset = moment.strftime("%z")[:5]
    month = _MONTHS[moment.month - 1].capitalize()
    return f"{_DAYS[moment.weekday()]}, {moment.day:02d} {month} {moment.year:04d} {moment:%H:%M:%S} {offset}"


def _zone(name: str) -> timezone:
    if name[:1] in {"+", "-"}:
        minutes = int(name[1:3]) * 60 + int(name[3:5])
        return timezone(timedelta(minutes=minutes if name[0] == "+" else -minutes))
    hours = _ZONES.get(name.upper(), 0)
    return timezone(timedelta(hours=hours)) if hours else UTC


def fallback_id(source_sha256: str, policy_revision: str) -> str:
    """Return a provenance id made from the input and the policy."""
    return hashlib.sha256(f"{source_sha256} {policy_revision}".encode("ascii")).hexdigest()[:32]
