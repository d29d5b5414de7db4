"""What we say to SMTP clients: code, enhanced status (RFC 3463) and text, each once."""

from __future__ import annotations

from typing import NamedTuple


class Reply(NamedTuple):
    """One reply. `code` is the SMTP code, `status` the enhanced one, `reason` our own stable word."""

    code: int
    status: str
    text: str
    reason: str = ""

    def encode(self) -> bytes:
        """Return the reply as it goes over the wire."""
        return f"{self.code} {self.status + ' ' if self.status else ''}{self.text}\r\n".encode("ascii")

    @property
    def refuses(self) -> bool:
        """Whether the client did not get what it asked for."""
        return self.code >= 400


# -- yes
BYE = Reply(221, "2.0.0", "Goodbye")
SENDER_OK = Reply(250, "2.1.0", "Sender OK")
RECIPIENT_OK = Reply(250, "2.1.5", "Recipient OK")
RESET_OK = Reply(250, "2.0.0", "OK")
CANNOT_VERIFY = Reply(252, "2.5.2", "Cannot verify, but will take mail for it")
HELP = Reply(214, "2.0.0", "See RFC 5321")
GO_AHEAD = Reply(354, "", "End with <CR><LF>.<CR><LF>")

# -- not now
SHUTTING_DOWN = Reply(421, "4.3.2", "The gateway is stopping, try again", "shutting-down")
TOO_MANY_CONNECTIONS = Reply(421, "4.7.0", "Too many connections, try again later", "connection-limit")
TOO_SLOW = Reply(421, "4.4.2", "Timeout, closing", "timeout")
TOO_MANY_ERRORS = Reply(421, "4.7.0", "Too many errors, closing", "error-limit")
TOO_MANY_COMMANDS = Reply(421, "4.7.0", "Too many commands without a message, closing", "command-limit")
TOO_MUCH_TO_DRAIN = Reply(421, "4.3.0", "Far too much data, closing", "size-limit")
SPOOL_FULL = Reply(452, "4.3.1", "Not enough room in the spool, try again later", "spool-full")
SPOOL_FAILED = Reply(451, "4.3.0", "Could not store the message, try again later", "spool-unavailable")
TOO_MANY_RECIPIENTS = Reply(452, "4.5.3", "Too many recipients, send the rest separately", "recipient-limit")

# -- no
NO_SERVICE = Reply(554, "5.7.1", "No mail from here to there", "not-admitted")
NOT_DIRECTLY = Reply(554, "5.7.1", "This gateway takes no mail addressed to itself", "no-destination")
UNKNOWN_COMMAND = Reply(500, "5.5.2", "Command not recognised", "unknown-command")
NOT_HTTP = Reply(421, "4.7.0", "This is not what you are looking for, closing", "wrong-protocol")
BAD_LINE = Reply(
    500, "5.5.2", "Command lines end with CR LF and hold no other CR, LF or NUL", "bare-line-end"
)
LINE_TOO_LONG = Reply(500, "5.5.6", "Command line too long", "line-limit")
NOT_OFFERED = Reply(502, "5.5.1", "Command not implemented", "not-implemented")
BAD_SEQUENCE = Reply(503, "5.5.1", "Bad sequence of commands", "bad-sequence")
BAD_ARGUMENT = Reply(501, "5.5.4", "Syntax error in the argument", "bad-argument")
BAD_HELO = Reply(501, "5.5.4", "Say HELO or EHLO with a host name or an address literal", "bad-helo")
BAD_SENDER = Reply(501, "5.1.7", "Not a sender address", "bad-sender")
BAD_RECIPIENT = Reply(501, "5.1.3", "Not a recipient address", "bad-recipient")
NEEDS_SMTPUTF8 = Reply(553, "5.6.7", "Non-ASCII addresses need the SMTPUTF8 parameter", "needs-smtputf8")
UNKNOWN_PARAMETER = Reply(555, "5.5.4", "Parameter not recognised", "unknown-parameter")
TOO_LARGE = Reply(552, "5.3.4", "Message too large", "size-limit")
NO_RECIPIENTS = Reply(554, "5.5.1", "No valid recipients", "no-recipients")
BARE_LINE_END = Reply(554, "5.6.0", "Message holds a bare CR or LF, which RFC 5321 forbids", "bare-line-end")
CONTENT_LINE_TOO_LONG = Reply(554, "5.6.0", "Message holds a line that is too long", "content-line-limit")
HEADER_TOO_LARGE = Reply(554, "5.6.0", "Message header is too large", "header-limit")
TOO_MANY_HOPS = Reply(554, "5.4.6", "Too many hops, this mail is going round in circles", "hop-limit")
OWN_MARKER = Reply(554, "5.4.6", "This mail has been here before", "mail-loop")
BROKEN_MARKER = Reply(554, "5.6.0", "Loop marker is malformed", "bad-marker")


def accepted(job_id: str) -> Reply:
    """Return the 250 that takes responsibility for a message."""
    return Reply(250, "2.0.0", f"Taken as {job_id}")
