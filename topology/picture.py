"""A plan as a picture: an SVG with the gateway in the middle and every segment as a wire with its hosts.

Pure text in, text out: the same plan and language give the same bytes, and showing it fetches nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from xml.sax.saxutils import escape, quoteattr

from zones.messages import Language

if TYPE_CHECKING:
    from collections.abc import Iterator

    from topology.plan import Label, LabPlan, Link, Node, Segment

# All lengths in SVG user units (px at 100 %).
PANEL = 286
GAP = 22
MARGIN = 28
TITLE = 64  # room for the name and networks of a segment
CARD = 46
CARD_GAP = 10
WIRE = 60  # free wire between a panel and the gateway, where the interface is named
GATEWAY = 74
HEAD = 66

_FONTS = "'Noto Sans JP','Noto Sans CJK JP','Hiragino Sans','Yu Gothic UI',Meiryo,'Segoe UI',sans-serif"
_MONO = "'Noto Sans Mono','DejaVu Sans Mono',Consolas,monospace"
_STYLE = f"""
text {{ font-family: {_FONTS}; fill: #1f2933 }}
.name {{ font-size: 15px; font-weight: 600 }}
.small {{ font-size: 12px; fill: #52606d }}
.mono {{ font-family: {_MONO}; font-size: 12px; fill: #3e4c59 }}
.service {{ font-family: {_MONO}; font-size: 11px; fill: #52606d }}
.head {{ font-size: 20px; font-weight: 700 }}
.light {{ fill: #ffffff }}
""".strip()


_Row = list[tuple["Segment", tuple["Node", ...]]]


class _Column(NamedTuple):
    """A segment with what stands on it, and where its panel is."""

    segment: Segment
    link: Link | None  # the gateway's foot on it
    hosts: tuple[Node, ...]
    x: int
    y: int
    height: int
    above: bool


def draw(plan: LabPlan, language: Language = Language.EN) -> str:
    """Return the lab as an SVG document.

    >>> from topology.plan import EXAMPLE, load_plan
    >>> draw(load_plan(EXAMPLE, "example.yaml")).count("<svg")
    1
    """
    upper, lower = _rows(plan)
    widest = max(len(upper), len(lower))
    width = 2 * MARGIN + widest * PANEL + (widest - 1) * GAP
    gateway_y = MARGIN + HEAD + _height(upper) + WIRE
    lower_y = gateway_y + GATEWAY + WIRE
    height = lower_y + _height(lower) + MARGIN if lower else gateway_y + GATEWAY + MARGIN
    columns = [
        *_place(plan, upper, MARGIN + HEAD, _height(upper), width, above=True),
        *_place(plan, lower, lower_y, _height(lower), width, above=False),
    ]
    parts = [
        _open(plan, width, height, language),
        *(part for column in columns for part in _column(column, gateway_y, language)),
        *_gateway(plan, width, gateway_y, language),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _hosts(plan: LabPlan, segment: Segment) -> tuple[Node, ...]:
    return tuple(host for host in plan.hosts if host.links[0].segment == segment.name)


def _rows(plan: LabPlan) -> tuple[_Row, _Row]:
    """Return the segments above and below the gateway, in the file's order."""
    filled = [(segment, _hosts(plan, segment)) for segment in plan.segments]
    cut = len(filled) if len(filled) <= 2 else (len(filled) + 1) // 2
    return filled[:cut], filled[cut:]


def _height(row: _Row) -> int:
    most = max((len(hosts) for _, hosts in row), default=0)
    return TITLE + most * (CARD + CARD_GAP) + 8 if row else 0


def _place(
    plan: LabPlan,
    row: _Row,
    y: int,
    height: int,
    width: int,
    *,
    above: bool,
) -> Iterator[_Column]:
    links = {link.segment: link for link in plan.gateway.links}
    x = (width - len(row) * PANEL - (len(row) - 1) * GAP) // 2
    for segment, hosts in row:
        own = height if above else _height([(segment, hosts)])
        yield _Column(segment, links.get(segment.name), hosts, x, y, own, above)
        x += PANEL + GAP


def _open(plan: LabPlan, width: int, height: int, language: Language) -> str:
    title = _title(plan.label, plan.name, language)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}"'
        f' viewBox="0 0 {width} {height}" role="img" aria-label={quoteattr(title)} lang="{language}">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n"
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>\n'
        f'<text class="head" x="{MARGIN}" y="{MARGIN + 24}">{escape(title)}</text>'
    )


def _column(column: _Column, gateway_y: int, language: Language) -> Iterator[str]:
    segment, x, y = column.segment, column.x, column.y
    color = segment.color
    yield (
        f'<rect x="{x}" y="{y}" width="{PANEL}" height="{column.height}" rx="10" fill="{color}"'
        f' fill-opacity="0.07" stroke="{color}" stroke-opacity="0.45"/>'
    )
    yield _text("name", x + 36, y + 27, _title(segment.label, segment.name, language), fill=color)
    networks = ", ".join(str(network) for network in segment.networks)
    yield _text("mono", x + 36, y + 47, f"{segment.name} · {networks}")
    yield from _wire(column, gateway_y)
    for index, host in enumerate(column.hosts):
        yield from _card(host, x, y + TITLE + index * (CARD + CARD_GAP), color, language)


def _wire(column: _Column, gateway_y: int) -> Iterator[str]:
    """Draw the segment's wire from its farthest host to the gateway, and name the gateway's foot on it."""
    x, color = column.x + 20, column.segment.color
    last = column.y + TITLE + max(len(column.hosts) - 1, 0) * (CARD + CARD_GAP) + CARD // 2
    far, near = (column.y + TITLE + CARD // 2, gateway_y) if column.above else (last, gateway_y + GATEWAY)
    if column.link is None:
        far, near = column.y + TITLE + CARD // 2, last
    yield f'<path d="M{x} {far}V{near}" stroke="{color}" stroke-width="4" stroke-linecap="round"/>'
    if column.link is not None:
        middle = (near - WIRE // 2) if column.above else (near + WIRE // 2)
        yield _text("name", x + 14, middle - 2, column.link.interface, fill=color)
        yield _text(
            "mono", x + 14, middle + 16, ", ".join(str(address.ip) for address in column.link.addresses)
        )


def _card(host: Node, x: int, y: int, color: str, language: Language) -> Iterator[str]:
    middle = y + CARD // 2
    yield f'<path d="M{x + 20} {middle}H{x + 36}" stroke="{color}" stroke-width="2.5" fill="none"/>'
    yield f'<circle cx="{x + 20}" cy="{middle}" r="4.5" fill="{color}"/>'
    yield (
        f'<rect x="{x + 36}" y="{y}" width="{PANEL - 48}" height="{CARD}" rx="6" fill="#ffffff"'
        f' stroke="{color}" stroke-opacity="0.5"/>'
    )
    yield _text("name", x + 46, y + 19, host.name)
    yield _text("small", x + PANEL - 22, y + 19, _said(host.label, language), anchor="end")
    addresses = [str(address.ip) for address in host.addresses] + [
        str(extra) for extra in host.extra_addresses
    ]
    yield _text("mono", x + 46, y + 37, _short(", ".join(addresses), 30))
    if not host.extra_addresses:
        ports = " ".join(f"{service.protocol}/{service.port}" for service in host.services)
        yield _text("service", x + PANEL - 22, y + 37, _short(ports, 17), anchor="end")


def _gateway(plan: LabPlan, width: int, y: int, language: Language) -> Iterator[str]:
    inner = width - 2 * MARGIN
    yield f'<rect x="{MARGIN}" y="{y}" width="{inner}" height="{GATEWAY}" rx="10" fill="#1f2933"/>'
    middle = width // 2
    name = _title(plan.gateway.label, plan.gateway.name, language)
    yield _text("head light", middle, y + 33, name, anchor="middle")
    routes = ", ".join(plan.gateway.default_routes)
    below = plan.gateway.name + (f" · default → {routes}" if routes else "")
    yield _text("mono light", middle, y + 56, below, anchor="middle")


def _text(kind: str, x: int, y: int, words: str, *, anchor: str = "start", fill: str = "") -> str:
    if not words:
        return ""
    # A class would win over the attribute `fill`; `style` wins over the class.
    style = f' style="fill:{fill}"' if fill else ""
    return f'<text class="{kind}" x="{x}" y="{y}" text-anchor="{anchor}"{style}>{escape(words)}</text>'


def _title(label: Label, name: str, language: Language) -> str:
    return _said(label, language) or name


def _said(label: Label, language: Language) -> str:
    first, second = (label.ja, label.en) if language is Language.JA else (label.en, label.ja)
    return first or second


def _short(words: str, limit: int) -> str:
    return words if len(words) <= limit else words[: limit - 1] + "…"
