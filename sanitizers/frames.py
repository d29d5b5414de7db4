"""What passes between the gateway and a worker: one job in, one bounded answer out.

A job is one datagram on the control socket (JSON of our own writing, with two descriptors). An answer is
one frame on a pipe: a fixed header, the metadata, the body, and then the end of the file, exactly.
"""

from __future__ import annotations

import json
import struct
from dataclasses import asdict, dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

from sanitizers.artefact import MAX_PROVENANCE_BYTES, Artefact, Provenance, Refusal, parse_json, refusal_of
from zones.errors import InputError, IsolationError

if TYPE_CHECKING:
    from collections.abc import Mapping

VERSION = 1
MAX_JOB_BYTES = 64 << 10
_MAGIC = b"MSGA"
_HEADER = struct.Struct(">4sHHII")
HEADER_BYTES = _HEADER.size
_MAX_FAILURE_BYTES = 200


class Outcome(IntEnum):
    """What an answer holds."""

    ARTEFACT = 1
    REFUSAL = 2
    FAILURE = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """One input to sanitize, and what the worker may spend on it."""

    kind: str
    options: Mapping[str, object]
    input_bytes: int
    memory_bytes: int
    cpu_seconds: int

    def to_bytes(self) -> bytes:
        """Return the job as JSON.

        Raises:
            ValueError: longer than `MAX_JOB_BYTES`: no options of ours are.
        """
        raw = json.dumps(asdict(self), separators=(",", ":")).encode()
        if len(raw) > MAX_JOB_BYTES:
            raise ValueError(f"a job of {len(raw)} bytes")
        return raw

    @classmethod
    def from_bytes(cls, raw: bytes) -> Job:
        """Return the job; it comes from the gateway and is trusted."""
        return cls(**json.loads(raw))


def max_answer_bytes(max_output_bytes: int) -> int:
    """Return the longest answer that can be right."""
    return HEADER_BYTES + MAX_PROVENANCE_BYTES + max_output_bytes


def answer_of(result: Artefact | Refusal) -> bytes:
    """Return a worker's answer as one frame."""
    if isinstance(result, Artefact):
        return _frame(Outcome.ARTEFACT, result.provenance.to_json().encode(), result.body)
    return _frame(Outcome.REFUSAL, json.dumps(asdict(result)).encode(), b"")


def failure_of(what: str) -> bytes:
    """Return the frame of a worker that met a fault of its own: the name of the fault, nothing else."""
    return _frame(Outcome.FAILURE, what.encode("ascii", "replace")[:_MAX_FAILURE_BYTES], b"")


def read_answer(untrusted: bytes, *, media_type: str, max_output_bytes: int) -> Artefact | Refusal:
    """Return what a worker answered, as far as its form can show.

    Raises:
        IsolationError: `worker-died` (nothing or a piece), `worker-failed` (a fault of its own),
            `worker-lied` (anything that is not exactly one well-formed frame).
    """
    if len(untrusted) < HEADER_BYTES:
        raise IsolationError("worker-died")
    magic, version, outcome, meta_bytes, body_bytes = _HEADER.unpack_from(untrusted)
    if magic != _MAGIC or version != VERSION or body_bytes > max_output_bytes:
        raise IsolationError("worker-lied", detail="header")
    expected = HEADER_BYTES + meta_bytes + body_bytes
    if len(untrusted) != expected:
        raise IsolationError("worker-died" if len(untrusted) < expected else "worker-lied", detail="length")
    meta = untrusted[HEADER_BYTES : HEADER_BYTES + meta_bytes]
    body = untrusted[HEADER_BYTES + meta_bytes :]
    if outcome == Outcome.FAILURE:
        name = meta[:_MAX_FAILURE_BYTES].decode("ascii", "replace")
        raise IsolationError("worker-failed", detail=name if name.isidentifier() else "?")
    try:
        return _result(outcome, meta, body, media_type)
    except InputError as error:
        raise IsolationError("worker-lied", detail=error.code) from error


def _frame(outcome: Outcome, meta: bytes, body: bytes) -> bytes:
    return _HEADER.pack(_MAGIC, VERSION, outcome, len(meta), len(body)) + meta + body


def _result(outcome: int, meta: bytes, body: bytes, media_type: str) -> Artefact | Refusal:
    if outcome == Outcome.ARTEFACT:
        return Artefact(body=body, media_type=media_type, provenance=Provenance.from_json(meta))
    if outcome == Outcome.REFUSAL and not body:
        return refusal_of(parse_json(meta, name="refusal.max_bytes", max_bytes=MAX_JOB_BYTES))
    raise IsolationError("worker-lied", detail="outcome")
