"""The gateway's own words inside a mail, in the reader's language."""

from __future__ import annotations

from dataclasses import dataclass

import sanitizers.messages  # noqa: F401  (declares the words)
from sanitizers.mail.clean import MARK_CLOSE, MARK_OPEN
from zones.messages import Language, say

_OURS = {Language.JA: "枡形", Language.EN: "masugata"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Voice:
    """Sentences from the catalogue, and the marks that show a remark in a body to be ours."""

    language: Language

    def say(self, code: str, **params: object) -> str:
        """Return a sentence; parameters must be clean already."""
        return say(code, params, self.language)

    def mark(self, code: str, **params: object) -> str:
        """Return a remark to stand in a body: `〘枡形: …〙`."""
        return f"{MARK_OPEN}{_OURS[self.language]}: {self.say(code, **params)}{MARK_CLOSE}"

    def title(self, code: str) -> str:
        """Return the line a footer begins with: `〘枡形 …〙`."""
        return f"{MARK_OPEN}{_OURS[self.language]} {self.say(code)}{MARK_CLOSE}"
