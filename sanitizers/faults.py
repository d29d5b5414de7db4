"""A sanitizer that misbehaves on request: what the isolation runner is tested against.

Not in the registry: nothing loads it unless an `Isolation` is told to, by a test or a drill.
"""

from __future__ import annotations

import ctypes
import os
import time
from typing import TYPE_CHECKING

from sanitizers import probe
from sanitizers.artefact import Artefact, Refusal
from sanitizers.mail import entry
from sanitizers.registry import Sanitizer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_OUTPUT = 4  # the descriptor a worker answers on
FAULTS = Sanitizer(
    kind="faults",
    entry_module="sanitizers.faults",
    verifier_module="sanitizers.mail.verify",
    media_type="message/rfc822",
    max_output_bytes=1 << 20,
)


def warm() -> None:
    """Load what an honest answer needs."""
    entry.warm()


def run(untrusted: bytes, options: Mapping[str, object]) -> Artefact | Refusal:
    """Do the fault that `options` names; without one, report what a confined worker could still do."""
    fault = _FAULTS.get(str(options.get("fault", "")))
    if fault is not None:
        fault()
    return Refusal(reason="mail-unreadable", detail=", ".join(probe.escapes()) or "none")


def _crash() -> None:
    os._exit(3)


def _segfault() -> None:
    ctypes.string_at(0)


def _hang() -> None:
    while True:
        time.monotonic()


def _raise() -> None:
    raise ZeroDivisionError


def _exhaust() -> None:
    hoard = []
    while True:
        hoard.append(bytearray(1 << 24))


def _flood() -> None:
    while True:
        os.write(_OUTPUT, b"\0" * 65536)


def _half() -> None:
    os.write(_OUTPUT, b"MSGA\x00\x01")
    os._exit(0)


def _trailing() -> None:
    os.write(_OUTPUT, b"MSGA\x00\x01\x00\x02\x00\x00\x00\x02\x00\x00\x00\x00{}more")
    os._exit(0)


_FAULTS: Mapping[str, Callable[[], None]] = {
    "crash": _crash,
    "segfault": _segfault,
    "hang": _hang,
    "raise": _raise,
    "exhaust": _exhaust,
    "flood": _flood,
    "half": _half,
    "trailing": _trailing,
}
