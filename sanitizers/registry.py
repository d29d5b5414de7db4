"""Which sanitizer serves which kind of input.

Names of modules, not functions: the entry, with every parser it drags in, is imported inside a worker
only; the gateway imports the verifier.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sanitizers.artefact import Artefact, Refusal


class Entry(Protocol):
    """What the entry module of a sanitizer offers, inside a worker."""

    def warm(self) -> None:
        """Load everything a run may ever import: a confined worker can open no file."""

    def run(self, untrusted: bytes, options: Mapping[str, object]) -> Artefact | Refusal:
        """Return the outcome for one input."""


class Verifier(Protocol):
    """What the verifier module offers, on the trusted side."""

    def verify(self, output: bytes) -> None:
        """Return if every byte of an artefact is accounted for; raise `ValueError` if not."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sanitizer:
    """One kind of input: who reads it, who checks the output, and how large that may be."""

    kind: str
    entry_module: str
    verifier_module: str
    media_type: str
    max_output_bytes: int

    def verifier(self) -> Verifier:
        """Import the verifier."""
        return import_module(self.verifier_module)


SANITIZERS: dict[str, Sanitizer] = {
    "mail": Sanitizer(
        kind="mail",
        entry_module="sanitizers.mail.entry",
        verifier_module="sanitizers.mail.verify",
        media_type="message/rfc822",
        max_output_bytes=32 << 20,
    ),
}
