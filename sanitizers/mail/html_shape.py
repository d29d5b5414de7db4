"""How deep and how heavy HTML is, counted before a parser builds a tree of it; and text without a tree.

The parser is quadratic in depth (100,000 open `div` took 21 s), in the attributes of one tag, and in open
formatting elements times blocks. lxml and others silently drop text below some depth, which is an evasion.
So markup above a bound never reaches the parser: its tags are struck out and all its text is shown.

The count errs upwards: whatever a parser might read as an opening tag counts as one; a closing tag counts
only outside comments, CDATA and raw text, and only for an element of its own name.
"""

from __future__ import annotations

import html
import re
from collections import Counter
from typing import NamedTuple

MAX_ATTRIBUTES = 1_000
_MAX_FORMATTING_WORK = 1_000_000
_FEW_FORMATTING = 50
_LONG_TAG = 4_000

_ATTRIBUTE = r"""[\s/]*+[^\s/>][^\s/>=]*+(?:\s*+=\s*+(?:"[^"]*+"|'[^']*+'|[^\s>"'][^\s>]*+)?)?"""
_ATTRIBUTES = re.compile(_ATTRIBUTE)
_RAW = "script|style|textarea|title|xmp|iframe|noembed|noframes"
_TOKEN = re.compile(
    rf"(?P<comment><!--(?:-?>|.*?(?:--!?>|\Z)))"
    rf"|(?P<cdata><!\[CDATA\[.*?(?:\]\]>|\Z))"
    rf"|(?P<bogus><[!?][^>]*+>?|</[^A-Za-z][^>]*+>?)"
    rf"|(?P<raw><(?P<rawname>{_RAW})(?=[\s/>])(?:{_ATTRIBUTE})*+[\s/]*+>.*?(?:</(?P=rawname)(?=[\s/>])[^>]*+>|\Z))"
    rf"|(?P<tag><(?P<slash>/?)(?P<name>[A-Za-z][^\s/>]*+)(?:{_ATTRIBUTE})*+[\s/]*+(?:>|\Z))",
    re.DOTALL | re.IGNORECASE,
)
_OPENING = re.compile(r"<([A-Za-z][^\s/>]{0,30})")
_VOID = frozenset(
    {
        "area",
        "base",
        "br",
        "col",
        "embed",
        "hr",
        "img",
        "input",
        "link",
        "meta",
        "param",
        "source",
        "track",
        "wbr",
    }
)
# Elements that close their like by themselves: they nest only through others, which are counted.
_SELF_CLOSING = frozenset(
    {
        "p",
        "li",
        "dt",
        "dd",
        "option",
        "tr",
        "td",
        "th",
        "tbody",
        "thead",
        "tfoot",
        "colgroup",
        "caption",
        "body",
        "html",
        "head",
    }
)
_UNCOUNTED = _VOID | _SELF_CLOSING
_FORMATTING = frozenset(
    {"a", "b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike", "strong", "tt", "u"}
)
_BREAKING = frozenset(
    {
        "br",
        "p",
        "div",
        "tr",
        "li",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "table",
        "blockquote",
        "hr",
        "dt",
        "dd",
        "pre",
    }
)
_UNSHOWN_RAW = frozenset({"script", "style", "title", "iframe", "noembed", "noframes"})


class Shape(NamedTuple):
    """Upper bounds: open elements at once, open formatting elements at once, tags, attributes of one tag."""

    depth: int
    formatting: int
    tags: int
    attributes: int

    def is_buildable(self, max_depth: int) -> bool:
        """Tell whether a parser can build the tree within a moment."""
        work = self.formatting * self.tags if self.formatting > _FEW_FORMATTING else 0
        return self.depth <= max_depth and self.attributes <= MAX_ATTRIBUTES and work <= _MAX_FORMATTING_WORK


def measure(markup: str) -> Shape:
    """Return bounds on the tree a parser would build, in one linear pass."""
    opened: Counter[str] = Counter()
    depth = formatting = deepest = most_formatting = tags = attributes = 0
    for match in _TOKEN.finditer(markup):
        names, closing = _names(match)
        tags += len(names)
        if len(match[0]) > _LONG_TAG and match.lastgroup != "comment":
            attributes = max(attributes, len(_ATTRIBUTES.findall(match[0])))
        for name in names:
            if name in _UNCOUNTED or (closing and not opened[name]):
                continue
            step = -1 if closing else 1
            opened[name] += step
            depth += step
            formatting += step if name in _FORMATTING else 0
        deepest, most_formatting = max(deepest, depth), max(most_formatting, formatting)
    return Shape(deepest, most_formatting, tags, attributes)


def flat_text(markup: str) -> str:
    """Return all the text of markup with its tags struck out: no structure, nothing hidden."""
    out, end = [], 0
    for match in _TOKEN.finditer(markup):
        out.append(markup[end : match.start()])
        end = match.end()
        if match["raw"] and match["rawname"].lower() not in _UNSHOWN_RAW:
            out.append(re.sub(r"<[^>]*+>?", " ", match[0]))
        elif match["name"]:
            out.append("\n" if match["name"].lower() in _BREAKING else " ")
    out.append(markup[end:])
    text = html.unescape("".join(out))
    lines = (" ".join(line.split()) for line in text.split("\n"))
    return "\n".join(line for line in lines if line)


def _names(match: re.Match[str]) -> tuple[list[str], bool]:
    if match["name"]:
        return [match["name"].lower()], match["slash"] == "/"
    return [name.lower() for name in _OPENING.findall(match[0])], False
