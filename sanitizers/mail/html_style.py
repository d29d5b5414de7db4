"""What a reader of the original would not have seen, as far as the elements' own attributes say.

Hiding spans what its element holds; size and colour are inherited until something inside sets them again
(mail is full of `font-size:0` cells around readable text, and of white text on a dark ancestor's ground).
Rules in `<style>` are not evaluated: what only they hide is shown.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

_MAX_STYLE = 4_000
_HIDING = re.compile(
    r"(?:^|;)(?:display:none|visibility:(?:hidden|collapse)|mso-hide:all|opacity:0+(?:\.0*)?(?:;|!|$))"
    r"|(?:^|;)text-indent:-\d{3,}"
)
_CLIPPED = re.compile(r"(?:^|;)(?:max-height|max-width|height|width):0+(?:px)?(?:;|!|$)")
_SIZE = re.compile(r"(?:^|;)font-size:([^;!]+)")
_NO_SIZE = re.compile(r"0+(?:\.0*)?(?:px|pt|em|rem|%)?|[01]px")
_COLOUR = re.compile(r"(?:^|;)color:([^;!]+)")
_GROUND = re.compile(r"(?:^|;)background(?:-color|-image)?:([^;!]+)")
_SPELLINGS = {
    "#fff": "#ffffff",
    "white": "#ffffff",
    "rgb(255,255,255)": "#ffffff",
    "#000": "#000000",
    "black": "#000000",
    "rgb(0,0,0)": "#000000",
}
_NO_GROUND = frozenset({"transparent", "none", "inherit", "initial", "rgba(0,0,0,0)"})


class Look(NamedTuple):
    """What an element hands down to its content."""

    hidden: bool = False
    tiny: bool = False
    colour: str = "#000000"
    ground: str = "#ffffff"

    @property
    def unseen(self) -> bool:
        """Tell whether text with this look cannot be read on a screen."""
        return self.hidden or self.tiny or self.colour in {self.ground, "transparent"}


PLAIN = Look()


def look_of(tag: str, attributes: Mapping[str, str | None], inherited: Look) -> Look:
    """Return the look of an element's text, from its attributes and what it inherits."""
    if not attributes:
        return inherited
    style = "".join((attributes.get("style") or "")[:_MAX_STYLE].lower().split())
    return Look(
        hidden=inherited.hidden or "hidden" in attributes or bool(style and _hides(style)),
        tiny=_tiny(style, inherited.tiny),
        colour=_value(_COLOUR, style, attributes.get("color") if tag == "font" else None) or inherited.colour,
        ground=_ground(style, attributes) or inherited.ground,
    )


def _hides(style: str) -> bool:
    return bool(_HIDING.search(style)) or ("overflow:hidden" in style and bool(_CLIPPED.search(style)))


def _tiny(style: str, inherited: bool) -> bool:
    size = _SIZE.search(style)
    return bool(_NO_SIZE.fullmatch(size[1])) if size else inherited


def _ground(style: str, attributes: Mapping[str, str | None]) -> str:
    if attributes.get("background"):
        return "image"
    ground = _value(_GROUND, style, attributes.get("bgcolor"))
    return "" if ground in _NO_GROUND else ground


def _value(pattern: re.Pattern[str], style: str, attribute: str | None) -> str:
    found = pattern.search(style)
    text = "".join((found[1] if found else attribute or "").lower().split())
    return "" if text == "inherit" else _SPELLINGS.get(text, text)
