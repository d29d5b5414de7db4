"""The pictures of the HTML report, as inline SVG without text: they stretch to any width."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from gateway.replay.timeline import UNPARSED
from zones.verdict import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import tzinfo

    from gateway.replay.timeline import Timeline

OUTCOMES = (
    Outcome.ALLOW.value,
    Outcome.SANITIZE_MAIL.value,
    Outcome.SANITIZE_WEB.value,
    UNPARSED,
    Outcome.DENY.value,
)
"""In the order they are stacked; what was refused lies on top."""

_MAX_BARS = 200
_MAX_LABELS = 7
_ROUND = (1, 5, 10, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 604_800)
_LONGEST_GAP = 24  # bars of silence; a longer one is drawn as a break of fixed width


class Bar(NamedTuple):
    """One bar: its first second since the epoch and its packets by outcome; None stands for a break."""

    start: int
    packets: Mapping[str, int] | None


class Bars(NamedTuple):
    """A timeline ready to be drawn; `width_seconds` is that of each bar."""

    bars: tuple[Bar, ...]
    width_seconds: int


def css(outcome: str) -> str:
    """Return the class that colours an outcome."""
    return outcome.replace(":", "-")


def bars_of(timeline: Timeline) -> Bars:
    """Return at most some two hundred bars, with long silences cut out and marked."""
    spans = timeline.spans()
    if not spans:
        return Bars((), timeline.width_seconds)
    for width in _widths(timeline.width_seconds):
        grouped: dict[int, dict[str, int]] = {}
        for span in spans:
            into = grouped.setdefault(span.start // width, {})
            for outcome, count in span.packets.items():
                into[outcome] = into.get(outcome, 0) + count
        bars = _with_breaks(grouped, width)
        if len(bars) <= _MAX_BARS or len(grouped) == 1:
            break
    return Bars(tuple(bars), width)


def _widths(narrowest: int) -> Iterator[int]:
    """Yield widths that people count in and that hold whole spans, then ever wider ones."""
    for width in _ROUND:
        if width >= narrowest and width % narrowest == 0:
            yield width
    width = max(narrowest, _ROUND[-1])
    while True:
        width *= 2
        yield width


def _with_breaks(grouped: Mapping[int, Mapping[str, int]], width: int) -> list[Bar]:
    bars: list[Bar] = []
    before: int | None = None
    for number in sorted(grouped):
        if before is not None:
            gap = number - before - 1
            if gap > _LONGEST_GAP:
                bars.append(Bar((before + 1) * width, None))
            else:
                bars += [Bar((before + 1 + n) * width, {}) for n in range(gap)]
        bars.append(Bar(number * width, grouped[number]))
        before = number
    return bars


def bars_svg(bars: Bars, outcomes: tuple[str, ...], titles: list[str], name: str, *, low: bool) -> str:
    """Return stacked bars of these outcomes; `titles` say each bar in words, `name` the whole."""
    top = max((_height(bar, outcomes) for bar in bars.bars), default=0) or 1
    parts = [_svg("chart low" if low else "chart", f"0 0 {len(bars.bars) * 10} 100", name)]
    for at, (bar, title) in enumerate(zip(bars.bars, titles, strict=True)):
        x = at * 10
        parts.append(f'<g class="slot"><title>{title}</title><rect class="hit" x="{x}" y="0" width="10" ')
        parts.append('height="100"/>')
        if bar.packets is None:
            parts.append(f'<rect class="gap" x="{x + 3}" y="0" width="4" height="100"/></g>')
            continue
        y = 100.0
        for outcome in outcomes:
            count = bar.packets.get(outcome, 0)
            if count:
                # A single refused packet beside a million must still be a line to be seen.
                height = max(100 * count / top, 1.5)
                y = max(y - height, 0.0)
                parts.append(
                    f'<rect class="{css(outcome)}" x="{x + 0.8:.1f}" y="{y:.2f}" width="8.4" '
                    f'height="{height:.2f}"/>'
                )
        parts.append("</g>")
    parts.append("</svg>")
    return "".join(parts)


def _svg(kind: str, box: str, name: str) -> str:
    shape = f'class="{kind}" viewBox="{box}" preserveAspectRatio="none"'
    return f'<svg {shape} role="img" aria-label="{name}">'


def _height(bar: Bar, outcomes: tuple[str, ...]) -> int:
    return sum((bar.packets or {}).get(outcome, 0) for outcome in outcomes)


def most(bars: Bars, outcomes: tuple[str, ...]) -> int:
    """Return the packets of the highest bar."""
    return max((_height(bar, outcomes) for bar in bars.bars), default=0)


def share_svg(sums: Mapping[str, int], name: str) -> str:
    """Return one bar that is divided by outcome."""
    whole = sum(sums.values()) or 1
    parts = [_svg("share", "0 0 1000 10", name)]
    x = 0.0
    for outcome in OUTCOMES:
        width = 1000 * sums.get(outcome, 0) / whole
        if width:
            parts.append(
                f'<rect class="{css(outcome)}" x="{x:.2f}" y="0" width="{max(width, 2):.2f}" height="10"/>'
            )
            x += width
    return "".join([*parts, "</svg>"])


def axis_labels(bars: Bars, zone: tzinfo) -> list[str]:
    """Return a few times from the first to the last bar, in the policy's time zone."""
    if not bars.bars:
        return []
    places = sorted({round(n * (len(bars.bars) - 1) / (_MAX_LABELS - 1)) for n in range(_MAX_LABELS)})
    times = [moment(bars.bars[place].start, zone) for place in places]
    several_days = times[0].date() != times[-1].date()
    form = "%m-%d %H:%M" if several_days else "%H:%M" if bars.width_seconds >= 60 else "%H:%M:%S"
    return [f"{time:{form}}" for time in times]


def moment(seconds: float, zone: tzinfo) -> datetime:
    """Return a moment of capture time in the policy's time zone; one that no calendar holds in UTC."""
    try:
        return datetime.fromtimestamp(seconds, zone)
    except (OverflowError, ValueError, OSError):
        return datetime.fromtimestamp(0, UTC)
