"""For all logs and all changes: a change is found, and no bytes raise."""

from __future__ import annotations

import json

from hypothesis import assume, given
from hypothesis import strategies as st

from gateway.audit.chain import ChainVerifier, ChainWriter, Head
from gateway.audit.event import canonical, make_draft, parse_line
from gateway.audit.wire import (
    NotASubmission,
    Submission,
    decode_reply,
    decode_submission,
    encode_submission,
)

BOOT = "20250401T000000Z-0a1b2c3d"

texts = st.text(max_size=600)
drafts = st.one_of(
    st.builds(
        lambda where, lost: make_draft("gap", {"where": where, "lost": lost}, actor="a"),
        texts,
        st.integers(0, 2**63 - 1),
    ),
    st.builds(
        lambda code, sender, to: make_draft(
            "mail-refused", {"code": code, "sender": sender, "recipients": to}, actor="mail"
        ),
        st.sampled_from(["relay-denied", "too-large"]),
        texts,
        st.lists(texts, max_size=40),
    ),
)


def written(contents: list) -> tuple[list[bytes], Head]:
    writer = ChainWriter(gateway="gw", boot=BOOT)
    lines = [writer.append(make_draft("start", {}, actor="recorder"), now=0, pid=1, uid=0)]
    lines += [writer.append(draft, now=1.0, pid=2, uid=0) for draft in contents]
    return lines, writer.head


def findings(lines: list[bytes]) -> tuple[list[str], Head]:
    verifier = ChainVerifier(file="f", gateway="gw", boot=BOOT)
    return [finding.code for line in lines for finding in verifier.feed(line)], verifier.head


def changed(lines: list[bytes], head: Head) -> bool:
    """Return whether the verifier, or the head kept elsewhere, tells."""
    codes, end = findings(lines)
    return bool(codes) or end != head


chains = st.lists(drafts, min_size=1, max_size=8).map(written)


@given(chains)
def test_what_was_written_is_sound(chain):
    lines, head = chain
    assert findings(lines) == ([], head)


@given(chains, st.data())
def test_any_byte_changed_is_found(chain, data):
    lines, head = chain
    number = data.draw(st.integers(0, len(lines) - 1))
    at = data.draw(st.integers(0, len(lines[number]) - 1))
    mask = data.draw(st.integers(1, 255))
    line = bytearray(lines[number])
    line[at] ^= mask
    assume(b"\n" not in line)
    assert changed([*lines[:number], bytes(line), *lines[number + 1 :]], head)


@given(chains, st.data())
def test_any_lines_taken_doubled_or_moved_are_found(chain, data):
    lines, head = chain
    order = data.draw(st.lists(st.integers(0, len(lines) - 1), max_size=2 * len(lines)))
    assume(order != list(range(len(lines))))
    assert changed([lines[number] for number in order], head)


@given(chains, st.integers(0, 20), texts)
def test_any_line_put_in_is_found(chain, at, text):
    lines, head = chain
    forged, _ = written([make_draft("gap", {"where": text}, actor="forger")])
    at = min(at, len(lines))
    assert changed([*lines[:at], forged[1], *lines[at:]], head)


@given(
    st.one_of(
        st.binary(max_size=300),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
            lambda inner: (
                st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=4)
            ),
            max_leaves=10,
        ).map(lambda value: json.dumps(value).encode()),
    )
)
def test_no_bytes_raise_anything_but_ours(untrusted):
    assert parse_line(untrusted) is None
    for decode in (decode_submission, decode_reply):
        try:
            decode(untrusted)
        except NotASubmission:
            continue


@given(drafts, st.integers(1, 10**9), st.booleans())
def test_a_submission_sent_is_the_submission_received(draft, number, durable):
    submission = Submission(number, durable, draft)
    line = encode_submission(submission)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert decode_submission(line[:-1]) == submission


@given(drafts)
def test_a_line_has_one_form(draft):
    line = written([draft])[0][1]
    event = parse_line(line)
    assert event is not None
    assert event.line() == line == canonical(json.loads(line))
