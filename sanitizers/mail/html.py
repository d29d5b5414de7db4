"""HTML to the text a person would have read: our own walk over a tree that lexbor built.

Script and style are dropped, hidden text is left out and counted, images and active content are counted,
links are written out. The walk is iterative; what is too deep to build a tree of is shown flat.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from selectolax.lexbor import LexborHTMLParser, LexborNode

from sanitizers.mail.clean import clean_text
from sanitizers.mail.html_page import Page
from sanitizers.mail.html_shape import flat_text, measure
from sanitizers.mail.html_style import PLAIN, Look, look_of
from sanitizers.mail.links import describe_link

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sanitizers.mail.limits import Ledger

_Attributes = dict[str, str | None]

_DROPPED = frozenset(
    {"script", "style", "title", "head", "template", "noembed", "noframes", "datalist", "rp"}
)
# Parts that act or load by themselves; their fallback text, if any, is shown.
_ACTIVE = frozenset(
    {"iframe", "object", "embed", "applet", "video", "audio", "svg", "math", "canvas", "form"}
)
_BLOCKS = frozenset(
    {
        "address",
        "article",
        "aside",
        "center",
        "details",
        "dd",
        "dir",
        "div",
        "dl",
        "dt",
        "fieldset",
        "figcaption",
        "figure",
        "footer",
        "form",
        "header",
        "legend",
        "li",
        "main",
        "nav",
        "section",
        "summary",
        "table",
        "tbody",
        "thead",
        "tfoot",
        "tr",
        "caption",
        "option",
        "body",
        "html",
    }
)
_PARAGRAPHS = frozenset(
    {
        "p",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "ul",
        "ol",
        "menu",
        "pre",
        "listing",
        "xmp",
        "blockquote",
        "table",
        "dl",
        "hr",
    }
)
_LISTS = frozenset({"ul", "ol", "menu"})
_PREFORMATTED = frozenset({"pre", "listing", "xmp", "textarea"})
_ALT_CHARACTERS = 200


def html_to_text(markup: str, ledger: Ledger) -> str:
    """Return readable text; what was dropped, hidden or loaded is counted in the ledger.

    Raises:
        LimitExceeded: more than `max_html_bytes` characters of markup in the mail.
    """
    ledger.spend("max_html_bytes", len(markup))
    if not measure(markup).is_buildable(ledger.limits.max_html_depth):
        ledger.note("mail-note-html-flat")
        return clean_text(flat_text(markup), ledger)
    walk = _Walk(ledger)
    walk.over(LexborHTMLParser(markup).root)
    for code, count in walk.counts.items():
        ledger.note(code, count)
    return walk.page.finish()


@dataclass(slots=True)
class _Open:
    """What to undo or write when an element ends."""

    tag: str
    look: Look
    dropped: bool
    preformatted: bool
    leave: Callable[[], None] | None = None


@dataclass
class _Walk:
    ledger: Ledger
    page: Page = field(default_factory=Page)
    counts: Counter[str] = field(default_factory=Counter)
    _open: list[_Open] = field(default_factory=lambda: [_Open("", PLAIN, dropped=False, preformatted=False)])
    _shown: list[str] | None = None  # the text shown by the link we are in
    _numbers: list[int | None] = field(default_factory=list)  # of each open list: its next number, or none

    def over(self, root: LexborNode | None) -> None:
        """Visit every node in document order, without recursion."""
        node = root
        depth = 0
        while node is not None:
            if node.is_text_node:
                self._text(node.text_content or "")
            elif node.is_element_node:
                self._enter(node)
                if (child := node.child) is not None:
                    node, depth = child, depth + 1
                    continue
                self._leave()
            while node is not None and node.next is None:
                node = node.parent if depth else None
                depth -= 1
                if node is not None:
                    self._leave()
            node = node.next if node is not None else None

    def _text(self, untrusted: str) -> None:
        top = self._open[-1]
        if top.dropped:
            self.counts["mail-note-script"] += (
                1 if untrusted.strip() and top.tag in {"script", "style"} else 0
            )
            return
        if top.look.unseen:
            self.counts["mail-note-hidden"] += len("".join(untrusted.split()))
            return
        text = clean_text(untrusted, self.ledger)
        if self._shown is not None:
            self._shown.append(text)
        if top.preformatted:
            self.page.preformatted(text)
        else:
            self.page.text(text)

    def _enter(self, node: LexborNode) -> None:
        tag, attributes = node.tag or "", node.attributes
        outer = self._open[-1]
        here = _Open(
            tag,
            look_of(tag, attributes, outer.look),
            dropped=outer.dropped or tag in _DROPPED,
            preformatted=outer.preformatted or tag in _PREFORMATTED,
        )
        self._open.append(here)
        if here.dropped:
            return
        self._break_before(tag)
        if tag in _ACTIVE:
            self.counts["mail-note-active"] += 1
        enter = _ENTER.get(tag)
        if enter is not None and not here.look.unseen:
            here.leave = enter(self, attributes)

    def _leave(self) -> None:
        here = self._open.pop()
        if here.leave is not None:
            here.leave()
        if here.dropped:
            return
        self._break_before(here.tag)

    def _break_before(self, tag: str) -> None:
        if tag in _PARAGRAPHS and not (tag in _LISTS and self._numbers):
            self.page.blank()
        elif tag in _BLOCKS or tag in _LISTS:
            self.page.end_line()

    def _link(self, attributes: _Attributes) -> Callable[[], None] | None:
        href = clean_text(attributes.get("href") or "", self.ledger)
        if not href.strip() or self._shown is not None:
            return None
        self._shown = []

        def write_target() -> None:
            shown, self._shown = "".join(self._shown or []), None
            target = describe_link(" ".join(shown.split()), href, self.ledger)
            if target:
                self.page.text(target if shown.strip() else target.lstrip())

        return write_target

    def _image(self, attributes: _Attributes) -> None:
        source = (attributes.get("src") or "").strip().lower()
        if source.startswith(("cid:", "data:")):
            self.counts["mail-note-embedded-images"] += 1
        else:
            self.counts["mail-note-remote-images"] += 1
        alt = " ".join(clean_text(attributes.get("alt") or "", self.ledger).split())
        if alt:
            self.page.text(f"[{alt[:_ALT_CHARACTERS]}]")

    def _list(self, attributes: _Attributes, *, number: int | None) -> Callable[[], None]:
        self._numbers.append(number)
        return lambda: _ignore(self._numbers.pop())

    def _ordered(self, attributes: _Attributes) -> Callable[[], None]:
        start = attributes.get("start") or ""
        is_number = start.isascii() and start.isdigit() and len(start) < 6
        return self._list(attributes, number=int(start) if is_number else 1)

    def _unordered(self, attributes: _Attributes) -> Callable[[], None]:
        return self._list(attributes, number=None)

    def _item(self, _: _Attributes) -> Callable[[], None]:
        number = self._numbers[-1] if self._numbers else None
        mark = "・" if number is None else f"{number}. "
        if number is not None:
            self._numbers[-1] = number + 1
        self.page.push("　" if number is None else " " * len(mark))
        self.page.bullet(mark)
        return self.page.pop

    def _quote(self, _: _Attributes) -> Callable[[], None]:
        self.page.push("> ")
        return self.page.pop

    def _cell(self, _: _Attributes) -> None:
        self.page.cell()

    def _break(self, _: _Attributes) -> None:
        self.page.break_line()

    def _rule(self, _: _Attributes) -> None:
        self.page.text("--------")

    def _input(self, attributes: _Attributes) -> None:
        value = attributes.get("value") or ""
        if attributes.get("type") in {"submit", "button", "reset"} and value:
            self.page.text(f"[{' '.join(clean_text(value, self.ledger).split())[:_ALT_CHARACTERS]}]")


def _ignore(_: object) -> None:
    return None


_ENTER: Mapping[str, Callable[[_Walk, _Attributes], Callable[[], None] | None]] = {
    "a": _Walk._link,
    "area": _Walk._link,
    "img": _Walk._image,
    "ul": _Walk._unordered,
    "menu": _Walk._unordered,
    "ol": _Walk._ordered,
    "li": _Walk._item,
    "blockquote": _Walk._quote,
    "td": _Walk._cell,
    "th": _Walk._cell,
    "br": _Walk._break,
    "hr": _Walk._rule,
    "input": _Walk._input,
}
