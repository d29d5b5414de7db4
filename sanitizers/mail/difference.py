"""Whether two texts say materially the same: a mail's plain text and its HTML often do not."""

from __future__ import annotations

import re
import unicodedata

_SHINGLE = 4
_MAX_CHARACTERS = 60_000
_ENOUGH = 0.6
# What generators add to one of the two only: link targets, image texts, rules, list marks.
_INCIDENTAL = re.compile(r"<[^>\n]{0,2000}>|\[[^\]\n]{0,200}\]|〘[^〙\n]*〙|https?://\S+|[\W_]+")


def is_material(plain: str, rich: str) -> bool:
    """Tell whether either text holds much that the other does not.

    Compared are the sets of four-character runs of letters and digits, which suits Japanese, where there
    are no spaces to split words at.

    >>> is_material("会議は十時からです。", "<b>会議は十時からです</b>")
    False
    """
    first, second = _shingles(plain), _shingles(rich)
    if not first or not second:
        return first != second
    common = len(first & second)
    return common < _ENOUGH * len(first) or common < _ENOUGH * len(second)


def _shingles(text: str) -> set[str]:
    letters = _INCIDENTAL.sub("", unicodedata.normalize("NFKC", text[:_MAX_CHARACTERS]).casefold())
    if len(letters) <= _SHINGLE:
        return {letters} if letters else set()
    return {letters[at : at + _SHINGLE] for at in range(len(letters) - _SHINGLE + 1)}
