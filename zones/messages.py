"""What we say to people: a code and parameters become a sentence, in Japanese or English.

Each package declares its own table in its `messages.py`; a code is declared once, in both languages side
by side, so that neither can be forgotten. Logs and JSON keep the codes.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class Language(StrEnum):
    """The languages every message exists in."""

    EN = "en"
    JA = "ja"


@dataclass(frozen=True, kw_only=True)
class Message:
    """One sentence in both languages, and what cures it where we know a cure.

    The texts are `str.format` templates; both languages must name the same parameters (tested).
    """

    en: str
    ja: str
    hint_en: str = ""
    hint_ja: str = ""


_declared: dict[str, Message] = {}


def declare(table: Mapping[str, Message]) -> None:
    """Add a package's messages to the catalogue.

    Raises:
        ValueError: a code is declared already, with other words.
    """
    for code, message in table.items():
        if _declared.setdefault(code, message) != message:
            raise ValueError(f"message code declared twice: {code}")


def catalogue() -> Mapping[str, Message]:
    """Return every message declared so far, by code."""
    return _declared


def say(code: str, params: Mapping[str, object], language: Language) -> str:
    """Return the sentence for `code`; an undeclared code is shown as itself, with its parameters."""
    message = _declared.get(code)
    if message is None:
        return " ".join([code, *(f"{name}={value}" for name, value in params.items())])
    return _fill(message.ja if language is Language.JA else message.en, params)


def hint(code: str, params: Mapping[str, object], language: Language) -> str:
    """Return what cures `code`, or an empty string where we know no cure."""
    message = _declared.get(code)
    if message is None:
        return ""
    return _fill(message.hint_ja if language is Language.JA else message.hint_en, params)


def _fill(template: str, params: Mapping[str, object]) -> str:
    # A parameter that a caller forgot must not hide the error that is being reported, and a line break in
    # other people's text must not look like a sentence of ours.
    flat = {name: _flat(value) if isinstance(value, str) else value for name, value in params.items()}
    return template.format_map(_Visible(flat))


def _flat(text: str) -> str:
    return " ⏎ ".join(text.splitlines()) if "\n" in text or "\r" in text else text


class _Visible(dict[str, object]):
    def __missing__(self, key: str) -> str:
        return "{" + key + "}"
