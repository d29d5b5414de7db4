"""What is said on the recorder's socket: one JSON object a line, each way.

A sender numbers its events 1, 2, 3 …; the recorder answers with the highest number it has written, and,
where an event asked to be durable, the highest it has synced. So a sender always knows which events the
recorder has, and sends the others again after a reconnect.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from gateway.audit.event import MAX_LINE_BYTES, RESERVED, canonical, make_draft

if TYPE_CHECKING:
    from gateway.audit.event import Draft

MAX_SUBMISSION_BYTES = MAX_LINE_BYTES
_SUBMISSION = {"n": int, "durable": bool, "kind": str, "actor": str, "revision": str, "fields": dict}


class Submission(NamedTuple):
    """One event on its way to the recorder."""

    number: int
    durable: bool
    draft: Draft


class Reply(NamedTuple):
    """What the recorder says. `what`: written, synced (both up to `number`), refused, closed."""

    what: str
    number: int = 0
    code: str = ""


class NotASubmission(ValueError):
    """A line no sibling of ours would send; `number` is 0 where even that is unknown."""

    def __init__(self, number: int, detail: str) -> None:
        super().__init__(detail)
        self.number = number


def encode_submission(submission: Submission) -> bytes:
    """Return the line, newline included."""
    draft = submission.draft
    return (
        canonical(
            {
                "n": submission.number,
                "durable": submission.durable,
                "kind": draft.kind,
                "actor": draft.actor,
                "revision": draft.revision,
                "fields": draft.fields,
            }
        )
        + b"\n"
    )


def decode_submission(untrusted: bytes) -> Submission:
    """Return the submission of one line, its fields checked against the table of kinds again.

    Raises:
        NotASubmission: it is none.
    """
    try:
        record = json.loads(untrusted)
    except (ValueError, RecursionError) as error:
        raise NotASubmission(0, "not JSON") from error
    if not isinstance(record, dict) or record.keys() != _SUBMISSION.keys():
        raise NotASubmission(0, "other members than a submission has")
    if any(type(record[name]) is not kind for name, kind in _SUBMISSION.items()):
        raise NotASubmission(0, "a member is of the wrong type")
    number = record["n"]
    if record["kind"] in RESERVED:
        # A second `stop` in the middle would make a sound file look forged.
        raise NotASubmission(number, f"{record['kind']} is the recorder's own")
    try:
        draft = make_draft(
            record["kind"], record["fields"], actor=record["actor"], revision=record["revision"]
        )
    except ValueError as error:
        raise NotASubmission(number, str(error)) from error
    return Submission(number, record["durable"], draft)


def encode_reply(reply: Reply) -> bytes:
    """Return the line, newline included."""
    return canonical(reply._asdict()) + b"\n"


def decode_reply(untrusted: bytes) -> Reply:
    """Return the reply of one line.

    Raises:
        NotASubmission: it is none.
    """
    try:
        record = json.loads(untrusted)
        reply = Reply(what=record["what"], number=record["number"], code=record["code"])
    except (ValueError, RecursionError, TypeError, KeyError) as error:
        raise NotASubmission(0, "not a reply") from error
    if [type(member) for member in reply] != [str, int, str]:
        raise NotASubmission(0, "a member is of the wrong type")
    return reply
