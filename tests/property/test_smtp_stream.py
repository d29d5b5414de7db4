"""For all byte streams: how they are cut changes nothing, nothing escapes, and only CRLF.CRLF ends a mail."""

from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.mail import replies
from gateway.mail.content import ContentReader
from gateway.mail.mailbox import parse_path
from gateway.mail.protocol import Append, Begin, Close, Complete, Discard, Refused, Send, SmtpLimits, State
from gateway.mail.smtp import SmtpSession

LIMITS = SmtpLimits(max_bytes=400, max_line_bytes=60, max_header_bytes=80, max_hops=2, max_errors=4)
ENVELOPE = b"EHLO c.example\r\nMAIL FROM:<a@x.example>\r\nRCPT TO:<b@y.example>\r\n"


class Everything:
    def sender(self, envelope: object) -> None:
        return None

    def recipient(self, envelope: object, recipient: object) -> None:
        return None


def converse(pieces: list[bytes]) -> tuple[bytes, list[object], State]:
    """Return what was answered, the messages and refusals in order, and the state at the end."""
    session = SmtpSession("gw.example", LIMITS, Everything(), 0.0)
    queue = session.greet()
    answers, events, content = b"", [], b""
    for piece in [*pieces, None]:
        queue += session.receive(piece, 0.0) if piece is not None else session.receive_end()
        while queue:
            match queue.pop(0):
                case Send(data):
                    answers += data
                case Begin():
                    content = b""
                case Append(part):
                    content += part
                case Discard():
                    content = b"(discarded)"
                case Complete() as complete:
                    assert complete.size == len(content) <= LIMITS.max_bytes
                    events.append((complete, content))
                    queue += session.settle(replies.accepted("job"), 0.0)
                case Refused() as refused:
                    events.append(refused)
                case Close():
                    assert not queue
                    return answers, events, session.state
    return answers, events, session.state


WORDS = [
    b"\r\n",
    b"\r",
    b"\n",
    b".",
    b"\r\n.\r\n",
    b"\n.\n",
    b"\0",
    b" ",
    b"<",
    b">",
    b"\xff",
    b"x" * 59,
    b"y" * 600,
    b"EHLO c.example\r\n",
    b"MAIL FROM:<a@x.example>\r\n",
    b"MAIL FROM:<> SIZE=99\r\n",
    b"RCPT TO:<b@y.example>\r\n",
    b"DATA\r\n",
    b"RSET\r\n",
    b"QUIT\r\n",
    b"NOOP\r\n",
    b"Received: z\r\n",
    b"X-Masugata-Loop: gw.example; hops=1\r\n",
    b"Message-ID: <1@x>\r\n",
    ENVELOPE + b"DATA\r\n",
]
STREAMS = st.lists(st.one_of(st.sampled_from(WORDS), st.binary(max_size=20)), max_size=25).map(b"".join)


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    marks = sorted({0, len(stream), *(place % (len(stream) + 1) for place in places)})
    return [stream[a:b] for a, b in itertools.pairwise(marks)]


@given(STREAMS, st.lists(st.integers(0, 10_000), max_size=30))
def test_how_a_stream_is_cut_changes_nothing(stream: bytes, places: list[int]) -> None:
    whole = converse([stream])
    assert converse(cut(stream, places)) == whole
    assert converse([stream[i : i + 1] for i in range(len(stream))]) == whole


@given(STREAMS)
def test_answers_are_well_formed_whatever_comes(stream: bytes) -> None:
    answers, _, _ = converse([ENVELOPE, stream])
    assert answers.endswith(b"\r\n")
    for line in answers[:-2].split(b"\r\n"):
        assert re.match(rb"[2-5][0-9]{2}[ -][ -~]*\Z", line)


@given(
    st.lists(
        st.sampled_from([b"\r\n", b".", b"..", b"a", b"\r\n.", b"\0", b"\xe3\x81\x82", b" "]), max_size=40
    )
)
def test_what_a_proper_client_sends_arrives_unchanged(parts: list[bytes]) -> None:
    content = b"".join(parts)
    if not content.endswith(b"\r\n"):
        content += b"\r\n"
    stuffed = re.sub(rb"(?m)^\.", b"..", content)
    reader = ContentReader(max_header_bytes=1 << 20)
    kept, rest = reader.feed(stuffed + b".\r\nQUIT\r\n")
    assert (kept, rest) == (content, b"QUIT\r\n")
    assert reader.total_bytes == len(content)
    assert not reader.bare_line_end


# End-of-data look-alikes of the smuggling literature: some host takes each of them for an end.
LOOK_ALIKES = [
    b"\n.\n",
    b"\n.\r\n",
    b"\r.\r",
    b"\r.\r\n",
    b"\r\n.\n",
    b"\r\n.\r",
    b"\n\n.\n\n",
    b"\r\n\0.\r\n",
    b"\r\n.\0\r\n",
    b"\r\r\n.\r\r\n",
    b"\r\n .\r\n",
    b"\r\n. \r\n",
    b"\n.\r",
    b"\r.\n",
    b"\r\n\r.\r\n",
    b"\n\r.\n\r",
    b"\r\n.\r\r\n",
    b"\x0b.\x0b",
    b"\x85.\x85",
    b"\r\n..\r\n",
]


@pytest.mark.parametrize("look_alike", LOOK_ALIKES)
@pytest.mark.parametrize("size", [1, 2, 3, 5, 10_000])
def test_smuggling_yields_one_message_or_none_and_never_a_second(look_alike: bytes, size: int) -> None:
    inner = b"MAIL FROM:<evil@x.example>\r\nRCPT TO:<victim@y.example>\r\nDATA\r\nsmuggled\r\n"
    stream = ENVELOPE + b"DATA\r\nA: b\r\n\r\nfirst" + look_alike + inner + b".\r\nQUIT\r\n"
    answers, events, _ = converse([stream[i : i + size] for i in range(0, len(stream), size)])
    assert len(events) == 1
    assert answers.count(b"\r\n354 ") == 1
    assert answers.endswith(b"221 2.0.0 Goodbye\r\n")
    if isinstance(events[0], Refused):
        assert events[0].reply is replies.BARE_LINE_END
    else:
        complete, content = events[0]
        assert [str(a) for a in complete.envelope.recipients] == ["b@y.example"]
        assert b"smuggled\r\n" in content


@given(st.binary(max_size=300))
def test_a_path_is_understood_or_refused_with_value_error(untrusted: bytes) -> None:
    for kind in ({}, {"null_allowed": True}, {"bare_postmaster": True}):
        try:
            mailbox = parse_path(b"<" + untrusted, **kind).mailbox
        except ValueError:
            continue
        # Whatever is understood can be said again in a command without ending it.
        assert not re.search(r"[\x00-\x1f\x7f]", str(mailbox))
        assert len(str(mailbox).encode()) <= 254
