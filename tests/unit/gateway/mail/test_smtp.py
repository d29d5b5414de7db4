"""The SMTP state machine as a table: what is said → what is answered and done."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gateway.mail import replies
from gateway.mail.protocol import (
    Append,
    Begin,
    Close,
    Complete,
    Discard,
    Envelope,
    Refused,
    Send,
    SmtpLimits,
    State,
)
from gateway.mail.replies import Reply
from gateway.mail.smtp import COMMANDS, SmtpSession

if TYPE_CHECKING:
    from gateway.mail.mailbox import Mailbox


class Rules:
    """Says no to what the test names."""

    def __init__(self, *, sender: Reply | None = None, recipients: dict[str, Reply] | None = None) -> None:
        self._sender, self._recipients = sender, recipients or {}

    def sender(self, envelope: Envelope) -> Reply | None:
        return self._sender

    def recipient(self, envelope: Envelope, recipient: Mailbox) -> Reply | None:
        return self._recipients.get(str(recipient))


def session(limits: SmtpLimits | None = None, rules: Rules | None = None) -> SmtpSession:
    made = SmtpSession("gw.example", limits or SmtpLimits(), rules or Rules(), 0.0)
    made.greet()
    return made


def said(commands: list[object]) -> list[str]:
    return b"".join(c.data for c in commands if isinstance(c, Send)).decode().splitlines()


def codes(commands: list[object]) -> list[int]:
    return [int(line[:3]) for line in said(commands) if line[3:4] == " "]


def kinds(commands: list[object]) -> list[str]:
    return [type(command).__name__ for command in commands]


HELLO = b"EHLO client.example\r\n"
ENVELOPE = HELLO + b"MAIL FROM:<a@x.example>\r\nRCPT TO:<b@y.example>\r\n"


def test_greeting_names_us() -> None:
    made = SmtpSession("gw.example", SmtpLimits(), Rules(), 0.0)
    assert made.greet() == [Send(b"220 gw.example ESMTP\r\n")]
    assert made.state is State.START


def test_a_refused_connection_hears_554_then_only_quit() -> None:
    made = SmtpSession("gw.example", SmtpLimits(), Rules(), 0.0)
    greeting = made.greet(replies.NO_SERVICE)
    assert codes(greeting) == [554]
    assert isinstance(greeting[0], Refused)
    assert codes(made.receive(HELLO + b"MAIL FROM:<a@x.example>\r\n", 0.0)) == [503, 503]
    goodbye = made.receive(b"QUIT\r\n", 0.0)
    assert codes(goodbye) == [221]
    assert goodbye[-1] == Close()


def test_a_busy_gateway_closes_at_once() -> None:
    made = SmtpSession("gw.example", SmtpLimits(), Rules(), 0.0)
    assert made.greet(replies.TOO_MANY_CONNECTIONS)[-1] == Close()


def test_ehlo_lists_what_we_do() -> None:
    lines = said(session(SmtpLimits(max_bytes=5000)).receive(HELLO, 0.0))
    assert {line[4:] for line in lines[1:]} == {
        "SIZE 5000", "8BITMIME", "PIPELINING", "SMTPUTF8", "ENHANCEDSTATUSCODES", "HELP",
    }  # fmt: skip
    assert [line[3] for line in lines] == ["-"] * 6 + [" "]


# what came before, one line, the code it gets
LINES: list[tuple[bytes, bytes, int]] = [
    (b"", b"HELO client.example", 250),
    (b"", b"ehlo [192.0.2.1]", 250),
    (b"", b"EHLO [IPv6:2001:db8::1]", 250),
    (b"", b"EHLO under_score.example", 250),
    (b"", b"EHLO", 501),
    (b"", b"EHLO bad host", 501),
    (b"", b"EHLO (comment)", 501),
    (b"", b"EHLO [192.0.2.999]", 501),
    (b"", b"NOOP", 250),
    (b"", b"NOOP anything", 250),
    (b"", b"HELP", 214),
    (b"", b"VRFY a", 503),
    (b"", b"MAIL FROM:<a@x.example>", 503),
    (b"", b"RCPT TO:<a@x.example>", 503),
    (b"", b"DATA", 503),
    (b"", b"RSET", 250),
    (b"", b"STARTTLS", 502),
    (b"", b"AUTH PLAIN AAAA", 502),
    (b"", b"BDAT 5 LAST", 502),
    (b"", b"EXPN list", 502),
    (b"", b"XYZZY", 500),
    (b"", b"", 500),
    (b"", b"NO\0OP", 500),
    (b"", b"NO\rOP", 500),
    (b"", b"NOOP " + b"x" * 600, 500),
    (b"", b"NOOP " + b"x" * 3000, 500),
    (HELLO, b"VRFY postmaster", 252),
    (HELLO, b"MAIL FROM:<>", 250),
    (HELLO, b"mail from: <a@x.example>", 250),
    (HELLO, b"MAIL FROM:<a@x.example> SIZE=1000 BODY=8BITMIME", 250),
    (HELLO, b"MAIL FROM:<a@x.example> size=1000 body=7bit", 250),
    (HELLO, b"MAIL FROM:<a@x.example> SIZE=99999999999", 552),
    (HELLO, b"MAIL FROM:<a@x.example> SIZE=-1", 501),
    (HELLO, b"MAIL FROM:<a@x.example> SIZE=", 501),
    (HELLO, b"MAIL FROM:<a@x.example> SIZE", 501),
    (HELLO, b"MAIL FROM:<a@x.example> SIZE=1 SIZE=2", 501),
    (HELLO, b"MAIL FROM:<a@x.example> SIZE=" + b"1" * 300, 501),
    (HELLO, b"MAIL FROM:<a@x.example> BODY=BINARYMIME", 501),
    (HELLO, b"MAIL FROM:<a@x.example> RET=FULL", 555),
    (HELLO, b"MAIL FROM:<a@x.example>SIZE=1", 501),
    (HELLO, b"MAIL FROM:a@x.example", 501),
    (HELLO, b"MAIL FROM:<a@x.example", 501),
    (HELLO, b"MAIL FROM", 501),
    (HELLO, b"MAIL TO:<a@x.example>", 501),
    (HELLO, b"MAIL FROM:<@hop.example:a@x.example>", 501),
    (HELLO, "MAIL FROM:<山田@例え.example>".encode(), 553),
    (HELLO, "MAIL FROM:<山田@例え.example> SMTPUTF8".encode(), 250),
    (HELLO, b"MAIL FROM:<a@x.example> SMTPUTF8=YES", 501),
    (HELLO, b"RCPT TO:<b@y.example>", 503),
    (HELLO + b"MAIL FROM:<>\r\n", b"MAIL FROM:<>", 503),
    (HELLO + b"MAIL FROM:<>\r\n", b"DATA", 554),
    (HELLO + b"MAIL FROM:<>\r\n", b"RCPT TO:<>", 501),
    (HELLO + b"MAIL FROM:<>\r\n", b"RCPT TO:<Postmaster>", 250),
    (HELLO + b"MAIL FROM:<>\r\n", b"RCPT TO:<b@y.example> NOTIFY=NEVER", 555),
    (HELLO + b"MAIL FROM:<>\r\n", "RCPT TO:<山田@y.example>".encode(), 553),
    (HELLO + b"MAIL FROM:<>\r\n", b"EHLO again.example", 250),
    (ENVELOPE, b"DATA now", 501),
    (ENVELOPE, b"DATA", 354),
    (ENVELOPE, b"RSET", 250),
    (ENVELOPE, b"RSET x", 501),
    (ENVELOPE, b"QUIT", 221),
]


@pytest.mark.parametrize(("before", "line", "code"), LINES)
def test_every_line_has_its_answer(before: bytes, line: bytes, code: int) -> None:
    made = session()
    made.receive(before, 0.0)
    assert codes(made.receive(line + b"\r\n", 0.0))[-1] == code


def test_a_command_out_of_its_states_is_503_in_every_state() -> None:
    reached = {
        State.START: b"",
        State.READY: HELLO,
        State.SENDER: HELLO + b"MAIL FROM:<>\r\n",
        State.RECIPIENTS: ENVELOPE,
    }
    for state, before in reached.items():
        for verb, rule in COMMANDS.items():
            made = session()
            made.receive(before, 0.0)
            assert made.state is state
            answer = codes(made.receive(verb + b" x\r\n", 0.0))
            assert (answer == [503]) == (state not in rule.states), (state, verb)


def test_a_whole_mail_goes_to_the_spool_and_is_answered_when_stored() -> None:
    made = session()
    begun = made.receive(ENVELOPE + b"DATA\r\n", 0.0)
    assert kinds(begun)[-2:] == ["Begin", "Send"]
    done = made.receive(b"Subject: x\r\n\r\n..stuffed\r\n.\r\nNOOP\r\n", 0.0)
    assert [c.content for c in done if isinstance(c, Append)] == [b"Subject: x\r\n\r\n.stuffed\r\n"]
    complete = done[-1]
    assert isinstance(complete, Complete)
    assert complete.size == 24
    assert [str(address) for address in complete.envelope.recipients] == ["b@y.example"]
    assert made.state is State.STORING
    # Nothing that came behind the message is answered before the message is.
    assert codes(made.settle(replies.accepted("job1"), 1.0)) == [250, 250]


def test_the_spools_refusal_reaches_the_client() -> None:
    made = session()
    made.receive(ENVELOPE + b"DATA\r\nx\r\n.\r\n", 0.0)
    assert codes(made.settle(replies.SPOOL_FULL, 0.0)) == [452]
    assert made.state is State.READY


def test_one_refused_recipient_does_not_stop_the_others() -> None:
    made = session(rules=Rules(recipients={"b@y.example": Reply(550, "5.1.1", "Who?", "unknown-user")}))
    answers = made.receive(ENVELOPE + b"RCPT TO:<c@y.example>\r\nDATA\r\n", 0.0)
    assert codes(answers)[-3:] == [550, 250, 354]
    begin = next(c for c in answers if isinstance(c, Begin))
    assert [str(address) for address in begin.envelope.recipients] == ["c@y.example"]


def test_a_full_spool_is_said_before_content_is_sent() -> None:
    made = session(rules=Rules(sender=replies.SPOOL_FULL))
    assert codes(made.receive(ENVELOPE + b"DATA\r\n", 0.0))[-3:] == [452, 503, 503]


def test_the_same_recipient_twice_is_one_recipient() -> None:
    made = session()
    begin = made.receive(ENVELOPE + b"RCPT TO:<b@y.example>\r\nDATA\r\n", 0.0)
    assert len(next(c for c in begin if isinstance(c, Begin)).envelope.recipients) == 1


def test_one_recipient_too_many_is_452() -> None:
    made = session(SmtpLimits(max_recipients=1))
    assert codes(made.receive(ENVELOPE + b"RCPT TO:<c@y.example>\r\n", 0.0))[-1] == 452


def message(content: bytes, limits: SmtpLimits | None = None) -> list[object]:
    """Return what follows from one mail sent in pieces of seven bytes."""
    made = session(limits)
    out: list[object] = list(made.receive(ENVELOPE + b"DATA\r\n", 0.0))
    for start in range(0, len(content), 7):
        out += made.receive(content[start : start + 7], 0.0)
        if made.state is State.STORING:
            out += made.settle(replies.accepted("job1"), 0.0)
    return out


TOO_MUCH: list[tuple[str, bytes, int, str]] = [
    ("too large", b"x" * 60 + b"\r\n" * 30 + b".\r\n", 552, "size-limit"),
    ("a line too long", b"a" * 41 + b"\r\n.\r\n", 554, "content-line-limit"),
    ("bare LF", b"a\nb\r\n.\r\n", 554, "bare-line-end"),
    ("bare CR", b"a\rb\r\n.\r\n", 554, "bare-line-end"),
    ("too many hops", b"Received: x\r\n" * 4 + b"\r\n.\r\n", 554, "hop-limit"),
    ("hops counted elsewhere", b"X-Masugata-Loop: b.example; hops=4\r\n\r\n.\r\n", 554, "hop-limit"),
    ("been here before", b"x-masugata-loop: GW.example; hops=1\r\n\r\n.\r\n", 554, "mail-loop"),
    ("a forged marker", b"X-Masugata-Loop: ????\r\n\r\n.\r\n", 554, "bad-marker"),
    ("header too large", b"A: bbbbbbbbbbbbbbbbbbbb\r\n" * 3 + b"\r\n.\r\n", 554, "header-limit"),
]


@pytest.mark.parametrize(("what", "content", "code", "reason"), TOO_MUCH, ids=[row[0] for row in TOO_MUCH])
def test_a_message_over_a_limit_is_read_to_its_end_then_refused(
    what: str, content: bytes, code: int, reason: str
) -> None:
    limits = SmtpLimits(max_bytes=100, max_line_bytes=60, max_hops=3, max_header_bytes=60)
    if what == "a line too long":
        limits = SmtpLimits(max_line_bytes=40)
    out = message(content, limits)
    assert codes(out)[-1] == code
    assert [c.reply.reason for c in out if isinstance(c, Refused)] == [reason]
    assert not any(isinstance(c, Complete) for c in out)
    if any(isinstance(c, Append) for c in out):
        assert any(isinstance(c, Discard) for c in out)


def test_markers_of_other_gateways_travel_on() -> None:
    done = message(b"X-Masugata-Loop: b.example; hops=2\r\nReceived: x\r\n\r\n.\r\n")
    complete = next(c for c in done if isinstance(c, Complete))
    assert [str(marker) for marker in complete.trace.markers] == ["b.example; hops=2"]
    assert complete.trace.hops == 3


def test_the_message_id_is_read_for_the_audit() -> None:
    done = message(b"Subject: x\r\nMessage-Id:\r\n <1.2@x.example>\r\n\r\nMessage-ID: <no@body>\r\n.\r\n")
    assert next(c for c in done if isinstance(c, Complete)).trace.message_id == "<1.2@x.example>"


def test_a_client_that_never_ends_is_cut_off_at_twice_the_limit() -> None:
    made = session(SmtpLimits(max_bytes=1000))
    made.receive(ENVELOPE + b"DATA\r\n", 0.0)
    out: list[object] = []
    for _ in range(200):
        out += made.receive(b"x" * 98 + b"\r\n", 0.0)
    assert codes(out) == [421]
    assert sum(len(c.content) for c in out if isinstance(c, Append)) <= 1000
    assert made.state is State.CLOSED


def test_too_many_errors_end_the_session() -> None:
    made = session(SmtpLimits(max_errors=3))
    out = made.receive(b"BAD\r\n" * 9, 0.0)
    assert codes(out) == [500, 500, 500, 500, 421]
    assert out[-1] == Close()


def test_commands_without_a_message_end_the_session() -> None:
    made = session(SmtpLimits(max_idle_commands=5, max_recipients=1))
    assert codes(made.receive(b"NOOP\r\n" * 9, 0.0)) == [250] * 6 + [421]


def test_a_browser_is_hung_up_on() -> None:
    made = session()
    out = made.receive(b"POST / HTTP/1.1\r\nHost: x\r\n\r\nEHLO a\r\nMAIL FROM:<a@b>\r\n", 0.0)
    assert codes(out) == [421]
    assert made.state is State.CLOSED


def test_a_command_line_ended_by_a_bare_lf_is_not_executed() -> None:
    made = session()
    made.receive(HELLO, 0.0)
    assert codes(made.receive(b"MAIL FROM:<a@x.example>\n", 0.0)) == [500]
    assert made.state is State.READY


def test_an_idle_client_is_sent_away_and_a_talking_one_is_not() -> None:
    made = session(SmtpLimits(command_seconds=10, session_seconds=100))
    assert made.deadline == 10
    made.receive(b"NOOP\r\n", 8.0)
    assert made.expire(17.9) == []
    assert codes(made.expire(18.0)) == [421]


def test_a_session_has_an_end_even_for_the_talkative() -> None:
    made = session(SmtpLimits(command_seconds=10, session_seconds=12))
    made.receive(b"NOOP\r\n", 9.0)
    assert made.deadline == 12


def test_content_earns_its_time_by_its_size() -> None:
    made = session(
        SmtpLimits(content_seconds=10, command_seconds=10, min_bytes_per_second=100, session_seconds=1)
    )
    made.receive(ENVELOPE + b"DATA\r\n", 0.0)
    made.receive((b"x" * 98 + b"\r\n") * 10, 9.0)
    assert made.deadline == pytest.approx(19, abs=1)  # 10 + 1000/100 by size, 9 + 10 by silence
    made.receive(b"x", 18.0)
    expired = made.expire(20.1)
    assert Discard() in expired
    assert codes(expired) == [421]


def test_a_client_that_leaves_in_the_middle_leaves_nothing() -> None:
    made = session()
    made.receive(ENVELOPE + b"DATA\r\nhalf a mail\r\n", 0.0)
    assert made.receive_end() == [Discard()]


def test_stopping_lets_a_message_finish() -> None:
    made = session()
    made.receive(ENVELOPE + b"DATA\r\n", 0.0)
    assert made.shut_down() == []
    made.receive(b"x\r\n.\r\n", 0.0)
    made.settle(replies.accepted("job1"), 0.0)
    assert codes(made.shut_down()) == [421]


def test_every_reply_is_one_ascii_line_with_a_matching_status() -> None:
    every = [value for value in vars(replies).values() if isinstance(value, Reply)]
    assert len(every) > 30
    for reply in every:
        line = reply.encode()
        assert line.endswith(b"\r\n")
        assert line.count(b"\n") == 1
        assert len(line) <= 512
        assert not reply.status or reply.status[0] == str(reply.code)[0]
        assert bool(reply.reason) == reply.refuses
