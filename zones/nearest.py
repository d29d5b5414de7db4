"""What somebody may have meant: names near one that does not exist, text typed in full width."""

from __future__ import annotations

import difflib
import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_SUGGESTIONS = 5
"""The most names a hint lists: a longer list is a page of the reference, not a hint."""

_CLOSE = 0.6
_DIGITS = re.compile(r"[0-9]+")
# A Japanese keyboard gives these two where a hyphen is meant; neither is a full-width form of Unicode.
_HYPHENS = {"ー": "-", "\u2212": "-"}


def half_width(text: str) -> str:
    """Return `text` with its full-width characters (UAX #11, class F) as the plain ones they stand for.

    >>> half_width("１０．10.0.0／16")
    '10.10.0.0/16'
    """
    return "".join(_plain(character) for character in text).strip() if full_width(text) else text


def full_width(text: str) -> str:
    """Return the full-width characters of `text`, each once, in order.

    >>> full_width("１0.１0.0.２")
    '１２'
    """
    return "".join(dict.fromkeys(character for character in text if _plain(character) != character))


def _plain(character: str) -> str:
    if character in _HYPHENS:
        return _HYPHENS[character]
    wide = unicodedata.east_asian_width(character) == "F"
    return unicodedata.normalize("NFKC", character) if wide else character


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the one known name that `name` is most likely a slip of; None where none is really near.

    Names that differ in their numbers are different things, not slips (F001 is not F101), unless the numbers
    are equal (F12, F012) or two neighbouring digits changed places (F021, F012).

    >>> nearest("renkai", ["renkei", "mn-core"])
    'renkei'
    >>> nearest("F001", ["F101", "F201"]) is None
    True
    """
    rated = [(_likeness(name, other), other) for other in known]
    best = max((likeness for likeness, _ in rated), default=0.0)
    return next(other for likeness, other in rated if likeness == best) if best >= _CLOSE else None


def closest(name: str, known: Iterable[str]) -> list[str]:
    """Return the name that is really near alone, else a bounded list of those most like it.

    >>> closest("form", ["id", "from", "to"])
    ['from']
    """
    names = list(known)
    near = nearest(name, names)
    if near is not None:
        return [near]
    return difflib.get_close_matches(name, names, n=MAX_SUGGESTIONS, cutoff=0)


def around(name: str, known: Iterable[str]) -> list[str]:
    """Return the known names that differ from `name` in one number only and stand next to it, in order.

    >>> around("F003", ["F001", "F002", "F010", "F101", "G3"])
    ['F001', 'F002', 'F010', 'F101']
    """
    mine = _numbers(name)
    if not mine:
        return []
    alike = [(other, _numbers(other)) for other in known if _DIGITS.sub("#", other) == _DIGITS.sub("#", name)]
    ordered = sorted(alike, key=lambda entry: (entry[1], entry[0]))
    before = [other for other, numbers in ordered if numbers < mine]
    after = [other for other, numbers in ordered if numbers >= mine]
    return [*before[-2:], *after[:2]]


def _likeness(name: str, other: str) -> float:
    one, two = _folded(name), _folded(other)
    if one == two:
        return 1.0
    mine, theirs = _numbers(one), _numbers(two)
    if mine and theirs and mine != theirs:
        swapped = _DIGITS.sub("#", one) == _DIGITS.sub("#", two) and _swapped(one, two)
        return 0.9 if swapped else 0.0
    return difflib.SequenceMatcher(None, one, two).ratio()


def _folded(name: str) -> str:
    return half_width(name).casefold().replace("_", "-")


def _numbers(name: str) -> list[int]:
    return [int(digits[:20]) for digits in _DIGITS.findall(name)]


def _swapped(one: str, two: str) -> bool:
    """Return whether the two differ in two neighbours that changed places, and in nothing else."""
    places = [place for place, (a, b) in enumerate(zip(one, two, strict=False)) if a != b]
    if len(one) != len(two) or len(places) != 2 or places[1] != places[0] + 1:
        return False
    first, second = places
    return one[first] == two[second] and one[second] == two[first]
