"""The SMTP server as a state machine (RFC 5321): bytes and time in, commands for the shell out.

It opens nothing and never waits. `receive` takes bytes cut anywhere and returns what the shell must do, in
order: send, begin a message, append to it, complete it, discard it, close. After `Complete` the machine reads
no further until `settle` brings the reply (the spool's answer), so pipelined commands keep their order.

The states are `State`, the commands the table COMMANDS; one that comes in a state it does not list is
answered 503. The envelope is decided at MAIL and RCPT by `EnvelopeRules`, a pure function of what is known
then.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

from gateway.mail import replies
from gateway.mail.content import ContentReader
from gateway.mail.mailbox import Mailbox, Path, parse_helo, parse_path
from gateway.mail.protocol import (
    Append,
    Begin,
    Close,
    Command,
    Complete,
    Discard,
    Envelope,
    EnvelopeRules,
    Refused,
    Send,
    SmtpLimits,
    State,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.mail.replies import Reply


class Rule(NamedTuple):
    """One SMTP command: the states it may come in, its handler, the longest line with CR LF."""

    states: frozenset[State]
    handler: str
    max_line_bytes: int = 512  # RFC 5321 4.5.3.1.4


_TALKING = frozenset({State.START, State.READY, State.SENDER, State.RECIPIENTS})
_GREETED = _TALKING - {State.START}

COMMANDS: dict[bytes, Rule] = {
    b"EHLO": Rule(_TALKING, "_ehlo"),
    b"HELO": Rule(_TALKING, "_helo"),
    # SIZE adds 26 octets, BODY 17, SMTPUTF8 10 (RFC 1870 3, RFC 6152 2, RFC 6531 3.1); 1024 leaves room
    # for UTF-8 addresses, whose octets RFC 6531 does not bound.
    b"MAIL": Rule(frozenset({State.READY}), "_mail", 1024),
    b"RCPT": Rule(frozenset({State.SENDER, State.RECIPIENTS}), "_rcpt", 1024),
    b"DATA": Rule(frozenset({State.SENDER, State.RECIPIENTS}), "_data"),
    b"RSET": Rule(_TALKING, "_rset"),
    b"NOOP": Rule(_TALKING, "_noop"),
    b"VRFY": Rule(_GREETED, "_vrfy", 1024),
    b"HELP": Rule(_TALKING, "_help"),
    b"QUIT": Rule(_TALKING | {State.REFUSED}, "_quit"),
}
MAX_LINE_BYTES = max(rule.max_line_bytes for rule in COMMANDS.values())

NOT_OFFERED = frozenset({b"EXPN", b"TURN", b"ETRN", b"BDAT", b"AUTH", b"STARTTLS", b"SEND", b"SOML", b"SAML"})
# A browser or a server tricked into talking to us (cross-protocol request forgery): hang up at once.
OTHER_PROTOCOLS = frozenset(
    {b"GET", b"POST", b"PUT", b"HEAD", b"CONNECT", b"OPTIONS", b"DELETE", b"PATCH", b"TRACE"}
)

MAIL_PARAMETERS = frozenset({"SIZE", "BODY", "SMTPUTF8"})
BODY_TYPES = frozenset({"7BIT", "8BITMIME"})


@dataclass
class SmtpSession:
    """One connection's conversation. `now` is a monotonic time in seconds.

    `max_bytes` bytes of content are taken, never more; a client that goes on is read to its end without
    keeping anything, and cut off at twice the limit.
    """

    hostname: str
    limits: SmtpLimits
    rules: EnvelopeRules
    now: float
    state: State = State.GREETING
    _buffer: bytes = b""
    _out: list[Command] = field(default_factory=list)
    _envelope: Envelope | None = None
    _helo_name: str = ""
    _esmtp: bool = False
    _reader: ContentReader | None = None
    _failure: Reply | None = None
    _skipping_line: bool = False
    _errors: int = 0
    _idle_commands: int = 0
    _began: float = 0.0
    _heard: float = 0.0
    _content_began: float = 0.0

    # -- what the shell calls ------------------------------------------------------------------------------

    def greet(self, refusal: Reply | None = None) -> list[Command]:
        """Open the conversation, or refuse it (RFC 5321 3.1: 554, then only QUIT is heard)."""
        self._began = self._heard = self.now
        if refusal is None:
            self.state = State.START
            self._out.append(Send(f"220 {self.hostname} ESMTP\r\n".encode("ascii")))
        else:
            self.state = State.REFUSED
            self._out += [Refused(refusal, None), Send(refusal.encode())]
            if refusal.code == 421:
                self._close()
        return self._flush()

    def receive(self, untrusted: bytes, now: float) -> list[Command]:
        """Take bytes as they come; return what to do, in order."""
        self.now = self._heard = now
        self._buffer += untrusted
        self._run()
        return self._flush()

    def settle(self, reply: Reply, now: float) -> list[Command]:
        """Answer the message just completed, and go on with what was pipelined behind it."""
        if self.state is not State.STORING:
            raise RuntimeError("nothing to settle")
        self.now = self._heard = now
        self._idle_commands = 0
        self._end_message(reply)
        self._run()
        return self._flush()

    def fail_content(self, reply: Reply) -> None:
        """Keep no more of the message that is coming in; `reply` is its answer after the end."""
        self._failure = self._failure or reply

    def receive_end(self) -> list[Command]:
        """The client is gone: what is not complete is nobody's responsibility but its own."""
        if self.state is State.CONTENT:
            self._out.append(Discard())
        self.state = State.CLOSED
        return self._flush()

    def shut_down(self) -> list[Command]:
        """Close politely between messages; one that is coming in is left to finish or to time out."""
        if self.state not in {State.CONTENT, State.STORING, State.CLOSED}:
            self._fatal(replies.SHUTTING_DOWN)
        return self._flush()

    @property
    def deadline(self) -> float:
        """When `expire` becomes due unless more is heard."""
        limits = self.limits
        latest = self._began + limits.session_seconds
        if self.state is State.STORING:
            return float("inf")  # it is we who are slow
        if self.state is State.CONTENT:
            # A message earns its time by its size: a large one is no attack, a trickle is.
            taken = self._reader.total_bytes if self._reader else 0
            allowed = limits.content_seconds + taken / limits.min_bytes_per_second
            return min(self._heard + limits.command_seconds, self._content_began + allowed)
        return min(self._heard + limits.command_seconds, latest)

    def expire(self, now: float) -> list[Command]:
        """Close a session whose deadline has passed."""
        self.now = now
        if self.state is not State.CLOSED and now >= self.deadline:
            self._fatal(replies.TOO_SLOW)
        return self._flush()

    # -- the loop ------------------------------------------------------------------------------------------

    def _flush(self) -> list[Command]:
        out, self._out = self._out, []
        return out

    def _run(self) -> None:
        while self._buffer and self.state not in {State.STORING, State.CLOSED}:
            if self.state is State.CONTENT:
                self._take_content()
            elif not self._take_line():
                return

    def _take_line(self) -> bool:
        """Handle one command line; False when it is not complete yet."""
        line, end, rest = self._buffer.partition(b"\n")
        if not end:
            if len(self._buffer) > MAX_LINE_BYTES:
                self._skipping_line, self._buffer = True, b""
            return False
        self._buffer = rest
        too_long = self._skipping_line or len(line) + 1 > MAX_LINE_BYTES
        self._skipping_line = False
        if too_long:
            self._refuse(replies.LINE_TOO_LONG)
        elif not line.endswith(b"\r") or b"\r" in line[:-1] or b"\0" in line:
            # Never executed: two hosts that disagree about line ends see different commands.
            self._refuse(replies.BAD_LINE)
        else:
            self._command(line[:-1])
        return True

    def _command(self, line: bytes) -> None:
        verb, _, argument = line.partition(b" ")
        verb = verb.upper()
        rule = COMMANDS.get(verb)
        if verb in OTHER_PROTOCOLS:
            self._fatal(replies.NOT_HTTP)
        elif rule is None:
            self._refuse(replies.NOT_OFFERED if verb in NOT_OFFERED else replies.UNKNOWN_COMMAND)
        elif len(line) + 2 > rule.max_line_bytes:
            self._refuse(replies.LINE_TOO_LONG)
        elif self.state not in rule.states:
            self._refuse(replies.BAD_SEQUENCE)
        else:
            self._idle_commands += 1
            if self._idle_commands > self.limits.max_idle_commands + self.limits.max_recipients:
                self._fatal(replies.TOO_MANY_COMMANDS)
                return
            handler: Callable[[bytes], None] = getattr(self, rule.handler)
            handler(argument)

    # -- commands ------------------------------------------------------------------------------------------

    def _ehlo(self, argument: bytes) -> None:
        if self._take_helo(argument, esmtp=True):
            extensions = [
                self.hostname,
                f"SIZE {self.limits.max_bytes}",
                "8BITMIME",
                "PIPELINING",
                "SMTPUTF8",
                "ENHANCEDSTATUSCODES",
                "HELP",
            ]
            lines = [f"250-{text}\r\n" for text in extensions[:-1]] + [f"250 {extensions[-1]}\r\n"]
            self._out.append(Send("".join(lines).encode("ascii")))

    def _helo(self, argument: bytes) -> None:
        if self._take_helo(argument, esmtp=False):
            self._out.append(Send(f"250 {self.hostname}\r\n".encode("ascii")))

    def _take_helo(self, argument: bytes, *, esmtp: bool) -> bool:
        try:
            self._helo_name = parse_helo(argument.strip(b" "))
        except ValueError:
            self._refuse(replies.BAD_HELO)
            return False
        self._esmtp = esmtp
        self._reset()
        return True

    def _mail(self, argument: bytes) -> None:
        path = _path(argument, b"FROM:", null_allowed=True)
        if path is None:
            self._refuse(replies.BAD_SENDER)
            return
        refusal = _check_mail(path)
        if refusal is None:
            envelope = self._new_envelope(path)
            too_large = envelope.declared_bytes > self.limits.max_bytes
            refusal = replies.TOO_LARGE if too_large else self.rules.sender(envelope)
            if refusal is None:
                self._envelope, self.state = envelope, State.SENDER
                self._say(replies.SENDER_OK)
                return
        self._refuse(refusal)

    def _new_envelope(self, path: Path) -> Envelope:
        return Envelope(
            helo=self._helo_name,
            esmtp=self._esmtp,
            sender=path.mailbox,
            smtputf8="SMTPUTF8" in path.parameters,
            eight_bit=(path.parameters.get("BODY") or "").upper() == "8BITMIME",
            declared_bytes=int(path.parameters.get("SIZE") or 0),
        )

    def _rcpt(self, argument: bytes) -> None:
        assert self._envelope is not None  # noqa: S101  the table lets RCPT in only after MAIL
        path = _path(argument, b"TO:", bare_postmaster=True)
        if path is None:
            self._refuse(replies.BAD_RECIPIENT)
            return
        refusal = self._check_recipient(self._envelope, path)
        if refusal is not None:
            self._refuse(refusal, path.mailbox)
            return
        recipients = dict.fromkeys((*self._envelope.recipients, path.mailbox))
        self._envelope = replace(self._envelope, recipients=tuple(recipients))
        self.state = State.RECIPIENTS
        self._say(replies.RECIPIENT_OK)

    def _check_recipient(self, envelope: Envelope, path: Path) -> Reply | None:
        if path.parameters:
            return replies.UNKNOWN_PARAMETER
        if path.mailbox.needs_utf8 and not envelope.smtputf8:
            return replies.NEEDS_SMTPUTF8
        if len(envelope.recipients) >= self.limits.max_recipients:
            return replies.TOO_MANY_RECIPIENTS
        return self.rules.recipient(envelope, path.mailbox)

    def _data(self, argument: bytes) -> None:
        if argument.strip(b" "):
            self._refuse(replies.BAD_ARGUMENT)
        elif self._envelope is None or not self._envelope.recipients:
            self._refuse(replies.NO_RECIPIENTS)
        else:
            self.state = State.CONTENT
            self._content_began = self.now
            self._reader = ContentReader(max_header_bytes=self.limits.max_header_bytes)
            self._failure = None
            self._out.append(Begin(self._envelope))
            self._say(replies.GO_AHEAD)

    def _rset(self, argument: bytes) -> None:
        if argument.strip(b" "):
            self._refuse(replies.BAD_ARGUMENT)
            return
        if self.state is not State.START:
            self._reset()
        self._say(replies.RESET_OK)

    def _noop(self, _argument: bytes) -> None:
        self._say(replies.RESET_OK)

    def _vrfy(self, _argument: bytes) -> None:
        self._say(replies.CANNOT_VERIFY)

    def _help(self, _argument: bytes) -> None:
        self._say(replies.HELP)

    def _quit(self, _argument: bytes) -> None:
        self._say(replies.BYE)
        self._close()

    # -- content -------------------------------------------------------------------------------------------

    def _take_content(self) -> None:
        reader = self._reader
        assert reader is not None  # noqa: S101  DATA made it
        content, rest = reader.feed(self._buffer)
        self._buffer = rest or b""
        if self._failure is None:
            self._failure = self._content_failure(reader)
            if self._failure is not None:
                self._out.append(Discard())
            elif content:
                self._out.append(Append(content))
        if reader.total_bytes > 2 * self.limits.max_bytes:
            self._fatal(replies.TOO_MUCH_TO_DRAIN)
        elif rest is not None:
            self._end_of_content(reader)

    def _content_failure(self, reader: ContentReader) -> Reply | None:
        """Return why this message cannot be taken, from what is known so far; the first row that holds."""
        limits, trace = self.limits, reader.trace
        rows = (
            (reader.total_bytes > limits.max_bytes, replies.TOO_LARGE),
            (reader.bare_line_end, replies.BARE_LINE_END),
            (reader.longest_line_bytes > limits.max_line_bytes, replies.CONTENT_LINE_TOO_LONG),
            (reader.header_too_large, replies.HEADER_TOO_LARGE),
            (trace.broken_marker or len(trace.markers) > limits.max_markers, replies.BROKEN_MARKER),
            (self.hostname.lower() in {marker.host for marker in trace.markers}, replies.OWN_MARKER),
            (trace.hops > limits.max_hops, replies.TOO_MANY_HOPS),
        )
        return next((reply for holds, reply in rows if holds), None)

    def _end_of_content(self, reader: ContentReader) -> None:
        assert self._envelope is not None  # noqa: S101  DATA needs an envelope
        # Looked at once more as a whole: the answer must not depend on how the stream was cut.
        failure = self._content_failure(reader) or self._failure
        if failure is not None:
            self._out.append(Refused(failure, self._envelope))
            self._errors += failure.code >= 500
            self._end_message(failure)
            return
        self.state = State.STORING
        self._out.append(Complete(self._envelope, reader.total_bytes, reader.trace))

    def _end_message(self, reply: Reply) -> None:
        self._reset()
        self._say(reply)
        if self._errors > self.limits.max_errors:
            self._fatal(replies.TOO_MANY_ERRORS)

    # -- answers -------------------------------------------------------------------------------------------

    def _reset(self) -> None:
        self._envelope = self._reader = self._failure = None
        self.state = State.READY

    def _say(self, reply: Reply) -> None:
        self._out.append(Send(reply.encode()))

    def _refuse(self, reply: Reply, recipient: Mailbox | None = None) -> None:
        self._out.append(Refused(reply, self._envelope, recipient))
        self._say(reply)
        # A full spool or one recipient too many is no misbehaviour.
        if reply.code >= 500:
            self._errors += 1
            if self._errors > self.limits.max_errors:
                self._fatal(replies.TOO_MANY_ERRORS)

    def _fatal(self, reply: Reply) -> None:
        if self.state is State.CONTENT and self._failure is None:
            self._out.append(Discard())
        self._out.append(Refused(reply, self._envelope))
        self._say(reply)
        self._close()

    def _close(self) -> None:
        self.state = State.CLOSED
        self._buffer = b""
        self._out.append(Close())


def _path(
    argument: bytes, keyword: bytes, *, null_allowed: bool = False, bare_postmaster: bool = False
) -> Path | None:
    if argument[: len(keyword)].upper() != keyword:
        return None
    try:
        return parse_path(
            argument[len(keyword) :], null_allowed=null_allowed, bare_postmaster=bare_postmaster
        )
    except ValueError:
        return None


def _check_mail(path: Path) -> Reply | None:
    """Return what is wrong with the parameters of MAIL."""
    parameters = path.parameters
    if parameters.keys() - MAIL_PARAMETERS:
        return replies.UNKNOWN_PARAMETER
    size, body = parameters.get("SIZE"), parameters.get("BODY")
    if "SIZE" in parameters and not (size and size.isascii() and size.isdigit() and len(size) <= 20):
        return replies.BAD_ARGUMENT
    if "BODY" in parameters and (body or "").upper() not in BODY_TYPES:
        return replies.BAD_ARGUMENT
    if parameters.get("SMTPUTF8") is not None:
        return replies.BAD_ARGUMENT
    if path.mailbox.needs_utf8 and "SMTPUTF8" not in parameters:
        return replies.NEEDS_SMTPUTF8
    return None
