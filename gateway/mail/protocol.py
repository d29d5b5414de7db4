"""The values of an SMTP session: its states, its limits, the envelope, and what the shell is told to do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from gateway.mail.content import Trace
    from gateway.mail.mailbox import Mailbox
    from gateway.mail.replies import Reply


class State(StrEnum):
    """Where a session stands."""

    GREETING = "greeting"
    REFUSED = "refused"
    START = "start"
    READY = "ready"
    SENDER = "sender"
    RECIPIENTS = "recipients"
    CONTENT = "content"
    STORING = "storing"
    CLOSED = "closed"


@dataclass(frozen=True, kw_only=True)
class SmtpLimits:
    """What one session may cost. The names are those of the `mail:` section."""

    max_bytes: int = 52_428_800
    max_recipients: int = 100
    max_line_bytes: int = 65_536
    max_header_bytes: int = 1_048_576
    max_hops: int = 50
    max_markers: int = 10
    max_errors: int = 10
    max_idle_commands: int = 100
    command_seconds: float = 300.0
    content_seconds: float = 300.0
    min_bytes_per_second: int = 1_000
    session_seconds: float = 3_600.0


@dataclass(frozen=True, kw_only=True)
class Envelope:
    """Who a message is from and for, as the client said; decided before a byte of content is taken."""

    helo: str
    esmtp: bool
    sender: Mailbox
    recipients: tuple[Mailbox, ...] = ()
    smtputf8: bool = False
    eight_bit: bool = False
    declared_bytes: int = 0


class EnvelopeRules(Protocol):
    """What the gateway says to an envelope; None is yes. Pure: what it needs, it knows already."""

    def sender(self, envelope: Envelope) -> Reply | None:
        """Answer MAIL FROM."""
        ...

    def recipient(self, envelope: Envelope, recipient: Mailbox) -> Reply | None:
        """Answer RCPT TO."""
        ...


class Send(NamedTuple):
    """Write these bytes to the client."""

    data: bytes


class Begin(NamedTuple):
    """Open a place in the spool for a message."""

    envelope: Envelope


class Append(NamedTuple):
    """Add these bytes of content."""

    content: bytes


class Complete(NamedTuple):
    """The message is whole: make it durable, then call `settle` with the reply."""

    envelope: Envelope
    size: int
    trace: Trace


class Discard(NamedTuple):
    """Forget what was appended."""


class Refused(NamedTuple):
    """Something was refused: for the audit."""

    reply: Reply
    envelope: Envelope | None
    recipient: Mailbox | None = None


class Close(NamedTuple):
    """Close the connection once everything is sent."""


Command = Send | Begin | Append | Complete | Discard | Refused | Close
