"""The sections of the HTML report, each a few pieces of escaped text; an empty one is left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.filter.frames import MALFORMED
from gateway.replay.against import Kind
from gateway.replay.lines import anti_spoof, service_text
from gateway.replay.page_chart import (
    OUTCOMES,
    axis_labels,
    bars_of,
    bars_svg,
    css,
    moment,
    most,
    share_svg,
)
from gateway.replay.report import size_text
from gateway.replay.timeline import UNPARSED
from gateway.replay.views import by_host, by_pair, opening_flows, top, unused_flows
from zones.verdict import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gateway.replay.exchanges import Exchange
    from gateway.replay.page import Page
    from gateway.replay.page_chart import Bar, Bars
    from gateway.replay.summary import Summary
    from gateway.replay.views import PairSums
    from zones.model import Flow

TOP_DENIED, TOP_OF_PAIR, TOP_CHANGES, MOST_EXCHANGES, MOST_UNUSED = 12, 8, 50, 1000, 500
_HEATS = 5
_DENIED = (Outcome.DENY.value,)


def head_section(page: Page, title: str) -> Iterator[str]:
    """Yield the title, what was read, the large numbers, and what to be wary of."""
    summary = page.summary
    yield f'<header>\n<h1>{title}</h1>\n<p class="meta">'
    if summary.first_ns is not None and summary.last_ns is not None:
        first, last = page.at(summary.first_ns), page.at(summary.last_ns)
        zone = page.say("page-tz", zone=page.policy.timezone.key)
        span = f"{first:%Y-%m-%d %H:%M:%S} – {last:%Y-%m-%d %H:%M:%S}"
        yield f"<span>{page.say('page-window')} <b>{span}</b> {zone}</span>"
    yield f"<span>{page.say('page-files', count=f'{len(summary.files):,}')}</span>"
    yield f"<span>{page.say('page-engine', engine=summary.engine)}</span>"
    yield f"<span>{page.say('page-revision')} <code>{summary.revision[:12]}</code></span></p>\n</header>\n"
    sums = outcome_sums(summary)
    yield '<ul class="tiles">'
    yield _tile("", summary.packets, page.say("page-tile-packets"))
    for outcome in OUTCOMES:
        if sums.get(outcome) or outcome in {Outcome.ALLOW, Outcome.DENY}:
            yield _tile(css(outcome), sums.get(outcome, 0), page.say(f"page-outcome-{css(outcome)}"))
    yield _tile("", summary.flows, page.say("page-tile-flows"))
    yield _tile("", len(by_host(summary.exchanges)), page.say("page-tile-hosts"))
    yield "</ul>\n" + share_svg(sums, page.say("page-share")) + "\n"
    warnings = list(_warnings(page))
    if warnings:
        yield '<div class="warn">' + "".join(f"<p>{words}</p>" for words in warnings) + "</div>\n"


def _tile(kind: str, count: int, words: str) -> str:
    return f'<li class="{kind}"><b>{count:,}</b>{words}</li>'


def outcome_sums(summary: Summary) -> dict[str, int]:
    """Return packets by outcome; what could not be parsed, and was not judged, under its own name."""
    sums: dict[str, int] = {}
    for (outcome,), tally in summary.by(2).items():
        sums[outcome] = tally.packets
    if summary.unparsed:
        sums[UNPARSED] = summary.unparsed
    return sums


def _warnings(page: Page) -> Iterator[str]:
    """Yield what a reader must know before believing the numbers."""
    summary = page.summary
    for result in summary.files:
        if result.unreadable:
            yield page.say("page-warn-unreadable", file=result.name)
        for offset, code in result.troubles:
            trouble = page.say(code)
            packets = f"{result.packets:,}"
            yield page.say(
                "replay-trouble", file=result.name, offset=f"{offset:,}", trouble=trouble, packets=packets
            )
    spoof = anti_spoof(summary)
    if spoof["inferred"]:
        yield page.say(
            "replay-anti-spoof", checked=f"{spoof['checked']:,}", inferred=f"{spoof['inferred']:,}"
        )
    if summary.exchanges.others:
        yield page.say("replay-exchanges-other", count=f"{summary.exchanges.others:,}")
    for name in summary.unused_map:
        yield page.say("replay-map-unused", interface=name)


def timeline_section(page: Page) -> Iterator[str]:
    """Yield packets by outcome over time, then the refused ones alone: they would drown in the rest."""
    bars = bars_of(page.summary.timeline)
    if not bars.bars:
        return
    sums = outcome_sums(page.summary)
    present = tuple(outcome for outcome in OUTCOMES if sums.get(outcome))
    yield '<ul class="key">'
    yield from (f'<li class="{css(o)}">{page.say(f"page-outcome-{css(o)}")}</li>' for o in present)
    yield "</ul>\n"
    titles = [_bar_title(page, bars, bar) for bar in bars.bars]
    span = span_text(page, bars.width_seconds)
    for outcomes, code in ((OUTCOMES, "page-chart-all"), (_DENIED, "page-chart-denied")):
        high = most(bars, outcomes)
        if high:
            name = page.say(code)
            words = page.say("page-chart-most", count=f"{high:,}", span=span)
            yield f'<div class="scale"><span>{name}</span><span>{words}</span></div>\n'
            yield bars_svg(bars, outcomes, titles, name, low=outcomes == _DENIED) + "\n"
    labels = axis_labels(bars, page.policy.timezone)
    yield '<div class="axis">' + "".join(f"<span>{label}</span>" for label in labels) + "</div>\n"


def _bar_title(page: Page, bars: Bars, bar: Bar) -> str:
    start = moment(bar.start, page.policy.timezone)
    if bar.packets is None:
        return page.say("page-chart-gap", time=f"{start:%Y-%m-%d %H:%M:%S}")
    counts = [
        f"{page.say(f'page-outcome-{css(outcome)}')} {bar.packets[outcome]:,}"
        for outcome in OUTCOMES
        if bar.packets.get(outcome)
    ]
    return "\n".join([f"{start:%Y-%m-%d %H:%M:%S} ({span_text(page, bars.width_seconds)})", *counts])


def span_text(page: Page, seconds: int) -> str:
    """Return a span of time in its largest whole unit."""
    for unit, size in (("day", 86_400), ("hour", 3600), ("minute", 60)):
        if seconds >= size and seconds % size == 0:
            return page.say(f"page-span-{unit}", count=seconds // size)
    return page.say("page-span-second", count=seconds)


def matrix_section(page: Page) -> Iterator[str]:
    """Yield the zone matrix: packets of each pair, refused ones in red, the main exchanges on a click."""
    pairs = by_pair(page.summary.exchanges)
    if not pairs:
        return
    order = {zone: at for at, zone in enumerate(page.policy.zones)}
    zones = sorted({zone for pair in pairs for zone in pair}, key=lambda zone: (order.get(zone, 99), zone))
    yield f'<p class="note">{page.say("page-matrix-note")}</p>\n<div class="scroll"><table class="matrix">'
    yield f'<thead><tr><th class="soft">{page.say("page-matrix-corner")}</th>'
    yield "".join(f'<th scope="col">{page.zone(zone)}</th>' for zone in zones) + "</tr></thead>\n<tbody>"
    passed = max((sums.packets - sums.denied for sums in pairs.values()), default=0)
    denied = max((sums.denied for sums in pairs.values()), default=0)
    numbers = {pair: f"pair-{at}" for at, pair in enumerate(pairs)}
    for source in zones:
        yield f'<tr><th scope="row">{page.zone(source)}</th>'
        for destination in zones:
            sums = pairs.get((source, destination))
            if sums is None:
                yield '<td><span class="none" aria-hidden="true">·</span></td>'
            else:
                yield _cell(page, sums, numbers[source, destination], passed, denied)
        yield "</tr>\n"
    yield "</tbody></table></div>\n"
    for pair, sums in pairs.items():
        yield f'<div class="pair" id="{numbers[pair]}" hidden>'
        yield f"<h3>{page.zone(pair[0])} → {page.zone(pair[1])}</h3>\n"
        yield from _exchange_table(page, sums.rows[:TOP_OF_PAIR])
        yield "</div>\n"


def _cell(page: Page, sums: PairSums, number: str, passed: int, denied: int) -> str:
    through = sums.packets - sums.denied
    heat = f"h{_level(through, passed)}" if through else f"r{_level(sums.denied, denied)}"
    refused = f'<i class="deny">{page.say("page-refused", count=f"{sums.denied:,}")}</i>'
    below = refused if sums.denied else f"<i>{page.say('page-flows', count=f'{sums.flows:,}')}</i>"
    return (
        f'<td><button type="button" class="{heat}" data-pair="{number}" '
        f'data-denied="{sums.denied}" aria-expanded="false" '
        f'aria-controls="{number}"><b>{sums.packets:,}</b>{below}</button></td>'
    )


def _level(count: int, most_of_all: int) -> int:
    """Return a step from 1 to `_HEATS` on a logarithmic scale: traffic spans many powers of ten."""
    if most_of_all <= 1:
        return _HEATS
    part = count.bit_length() / most_of_all.bit_length()
    return max(1, min(_HEATS, round(part * _HEATS)))


def _exchange_table(page: Page, rows: Sequence[Exchange], *, name: str = "") -> Iterator[str]:
    sort = ' data-sort=""' if name else ""
    kind = f'id="{name}" class="sortable stack"' if name else 'class="stack"'
    heads = ("exchange", "service", "outcome", "reason")
    numbers = ("flows", "packets", "bytes")
    yield f'<div class="scroll"><table {kind}><thead><tr>'
    yield "".join(f"<th{sort}>{page.say(f'replay-column-{head}')}</th>" for head in heads)
    yield "".join(f'<th class="n"{sort}>{page.say(f"replay-column-{head}")}</th>' for head in numbers)
    yield f"<th{sort}>{page.say('replay-column-first')}</th></tr></thead>\n<tbody>"
    for row in rows:
        ends = row.ends
        service = "…" if ends.other else service_text(ends.protocol, ends.port)
        yield f'<tr><td>{page.between(ends)}</td><td class="mono nowrap">{service}</td>'
        yield f"<td>{_badge(page, ends.outcome)}</td>"
        yield f'<td><span class="nowrap">{ends.reason}</span> {_decider(page, ends.decided_by)}</td>'
        for label, count, shown in (
            ("flows", row.flows, f"{row.flows:,}"),
            ("packets", row.packets, f"{row.packets:,}"),
            ("bytes", row.bytes, size_text(row.bytes)),
        ):
            words = page.say(f"replay-column-{label}")
            yield f'<td class="n" data-value="{count}" data-label="{words}">{shown}</td>'
        yield f'<td class="mono soft wide" data-value="{row.first_ns}">{place(page, row.first)}</td></tr>\n'
    yield "</tbody></table></div>\n"


def _badge(page: Page, outcome: str) -> str:
    return f'<span class="badge {css(outcome)}">{page.say(f"page-outcome-{css(outcome)}")}</span>'


def _decider(page: Page, flow_or_guard: str) -> str:
    return f"<b>{page.zone(flow_or_guard)}</b>" if flow_or_guard else ""


def place(page: Page, first: str) -> str:
    """Return the place of a packet without the directory."""
    return page.zone(first.rpartition("/")[2])


def denied_section(page: Page) -> Iterator[str]:
    """Yield what was refused most, why, and what to do about it."""
    rows = top(page.summary.exchanges, denied=True)
    if not rows:
        return
    yield f'<p class="note">{page.say("page-denied-note")}</p>\n<ul class="denied">'
    for row in rows[:TOP_DENIED]:
        ends = row.ends
        service = "" if ends.other else service_text(ends.protocol, ends.port)
        decided = " " + _decider(page, ends.decided_by)
        yield f'<li><div>{page.between(ends)} · <span class="mono">{service}</span><br>'
        yield f'<span class="badge deny">{ends.reason}</span>{decided} '
        yield f'<span class="soft">{page.say("page-first", place=row.first.rpartition("/")[2])}</span></div>'
        yield f'<div class="n"><b>{row.packets:,}</b><br><span class="soft">'
        yield f"{page.say('page-flows', count=f'{row.flows:,}')}</span></div>"
        cure = page.say(f"replay-cure-{ends.reason}", flow=ends.decided_by)
        yield f'<div class="do"><b>{page.say("page-do")}</b> {cure}</div></li>\n'
    yield "</ul>\n"
    if len(rows) > TOP_DENIED:
        yield f'<p class="note">{page.say("page-denied-more", count=f"{len(rows) - TOP_DENIED:,}")}</p>\n'


def changes_section(page: Page) -> Iterator[str]:
    """Yield what the other policy would change, by kind."""
    against = page.against
    if against is None:
        return
    note = page.say("replay-against", name=against.policy.name, revision=against.policy.revision[:12])
    yield f'<p class="note">{note}</p>\n'
    groups = against.changes.by_kind()
    if not any(groups.values()):
        yield f"<p>{page.say('replay-against-same', packets=f'{against.changes.compared:,}')}</p>\n"
    heads = ("exchange", "service", "before", "after", "flows", "packets", "first")
    for kind, rows in groups.items():
        if not rows:
            continue
        heading = page.say(f"replay-change-{kind.value}")
        yield f'<h3><span class="badge {_KINDS[kind]}">{heading}</span></h3>\n'
        yield '<div class="scroll"><table class="stack"><thead><tr>'
        yield "".join(f"<th>{page.say(f'replay-column-{head}')}</th>" for head in heads)
        yield "</tr></thead>\n<tbody>"
        for key, row in rows[:TOP_CHANGES]:
            service = "…" if key.ends.other else service_text(key.ends.protocol, key.ends.port)
            yield f'<tr><td>{page.between(key.ends)}</td><td class="mono">{service}</td>'
            for said in (key.before, key.after):
                decider = _decider(page, said.decided_by)
                yield f"<td>{_badge(page, said.outcome)} {said.reason} {decider}</td>"
            for label, count in (("flows", row.flows), ("packets", row.packets)):
                yield f'<td class="n" data-label="{page.say(f"replay-column-{label}")}">{count:,}</td>'
            yield f'<td class="mono soft wide">{place(page, row.first)}</td></tr>\n'
        yield "</tbody></table></div>\n"
        if len(rows) > TOP_CHANGES:
            more = page.say("replay-more-rows", count=f"{len(rows) - TOP_CHANGES:,}")
            yield f'<p class="note">{more}</p>\n'


_KINDS = {
    Kind.REFUSED: "deny",
    Kind.ALLOWED: "allow",
    Kind.HANDLED: "sanitize-mail",
    Kind.DECIDED: "unparsed",
}


def unused_section(page: Page) -> Iterator[str]:
    """Yield the flows of the policy that decided nothing in the time observed."""
    summary = page.summary
    flows = unused_flows(page.policy, summary)
    if not flows or summary.first_ns is None or summary.last_ns is None:
        return
    form = "%Y-%m-%d %H:%M"
    window = {"first": f"{page.at(summary.first_ns):{form}}", "last": f"{page.at(summary.last_ns):{form}}"}
    total = len(opening_flows(page.policy))
    yield f'<p class="note">{page.say("page-unused-note", count=len(flows), total=total, **window)}</p>\n'
    yield '<div class="scroll"><table class="stack"><thead><tr>'
    yield "".join(
        f"<th>{page.say(f'page-column-{head}')}</th>"
        for head in ("flow", "ends", "services", "action", "owner", "expires")
    )
    yield "</tr></thead>\n<tbody>"
    yield from (_unused_row(page, flow) for flow in flows[:MOST_UNUSED])
    yield "</tbody></table></div>\n"


def _unused_row(page: Page, flow: Flow) -> str:
    sources, destinations, services = (
        page.zone(", ".join(names))
        for names in (flow.source_names, flow.destination_names, flow.service_names)
    )
    expires = flow.expires.isoformat() if flow.expires else "–"
    first_ns = page.summary.first_ns or 0
    if flow.expires_at is not None and flow.expires_at * 1_000_000_000 <= first_ns:
        expires = f'<span class="badge deny">{expires}</span>'
    return (
        f"<tr><td><b>{page.zone(flow.id)}</b></td><td>{sources} → {destinations}</td><td>{services}</td>"
        f"<td>{page.zone(flow.action.value)}</td><td>{page.zone(flow.owner or '–')}</td>"
        f'<td class="nowrap">{expires}</td></tr>\n'
    )


def exchanges_section(page: Page) -> Iterator[str]:
    """Yield every exchange (at most a thousand) in a table that can be sorted and filtered."""
    rows = top(page.summary.exchanges)
    if not rows:
        return
    if len(rows) > MOST_EXCHANGES:
        words = page.say("page-exchanges-cut", shown=f"{MOST_EXCHANGES:,}", count=f"{len(rows):,}")
        yield f'<p class="note">{words}</p>\n'
    words = page.say("page-filter")
    yield f'<input type="search" data-filter="all" placeholder="{words}" aria-label="{words}">\n'
    yield from _exchange_table(page, rows[:MOST_EXCHANGES], name="all")


def unread_section(page: Page) -> Iterator[str]:
    """Yield what could not be parsed, with its first packet, and what the marks say."""
    summary = page.summary
    if summary.reasons:
        yield '<div class="scroll"><table><thead><tr>'
        yield "".join(f"<th>{page.say(f'replay-column-{head}')}</th>" for head in ("reason", "treated"))
        yield f'<th class="n">{page.say("replay-column-packets")}</th>'
        yield f"<th>{page.say('replay-column-first')}</th></tr></thead>\n<tbody>"
        for reason, tally in sorted(summary.reasons.items(), key=lambda item: -item[1].packets):
            treated = page.say("replay-refused" if reason in MALFORMED else "replay-not-judged")
            yield f'<tr><td class="mono">{reason.value}</td><td>{treated}</td>'
            yield f'<td class="n">{tally.packets:,}</td>'
            yield f'<td class="mono soft">{place(page, tally.first)}</td></tr>\n'
        yield "</tbody></table></div>\n"
    remarks = [page.say(f"replay-mark-{name}", count=f"{n:,}") for name, n in summary.marked().items()]
    audited = sorted(summary.audited.items())
    remarks += [page.say("replay-audited", flow=flow, count=f"{count:,}") for flow, count in audited]
    if summary.backwards:
        remarks.append(page.say("replay-backwards", count=f"{summary.backwards:,}"))
    if remarks:
        yield "<ul>" + "".join(f"<li>{words}</li>" for words in remarks) + "</ul>\n"
