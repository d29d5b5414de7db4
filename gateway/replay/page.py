"""A replay as one HTML page that people would rather look at: self-contained, and safe for any bytes.

Nothing is fetched: style and script stand in the page and are the only ones its security policy lets run.
Everything that comes from captures or policies is escaped, control and bidirectional characters are shown.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, NamedTuple

from gateway.cli.terminal import printable
from gateway.replay import messages  # noqa: F401  (declares the words of the page)
from gateway.replay.page_assets import SCRIPT, STYLE, content_policy
from gateway.replay.page_chart import moment
from gateway.replay.page_sections import (
    changes_section,
    denied_section,
    exchanges_section,
    head_section,
    matrix_section,
    timeline_section,
    unread_section,
    unused_section,
)
from zones.address import address_text
from zones.messages import Language, say

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from gateway.replay.against import Against
    from gateway.replay.exchanges import Ends
    from gateway.replay.summary import Summary
    from zones.model import Policy


class Page(NamedTuple):
    """What the sections are written from: the results, the policy, and the reader's language."""

    summary: Summary
    policy: Policy
    against: Against | None
    language: Language
    hosts: dict[tuple[int, int], str]

    def say(self, code: str, **params: object) -> str:
        """Return a message, escaped."""
        return text(say(code, params, self.language))

    def at(self, time_ns: int) -> datetime:
        """Return a moment in the policy's time zone."""
        return moment(time_ns // 1_000_000_000, self.policy.timezone)

    def host(self, version: int, address: int) -> str:
        """Return an address with the name the policy has for it, escaped."""
        name = self.hosts.get((version, address))
        plain = f'<span class="mono">{address_text(version, address)}</span>'
        return f"<b>{text(name)}</b> {plain}" if name else plain

    def zone(self, name: str) -> str:
        """Return the name of a zone, escaped; a question mark where it is not known."""
        return text(name) if name else "?"

    def between(self, ends: Ends) -> str:
        """Return who spoke to whom."""
        if ends.other:
            return self.say("page-other")
        source, destination = (self.host(ends.version, address) for address in (ends.src, ends.dst))
        zones = f"{self.zone(ends.source_zone)} → {self.zone(ends.destination_zone)}"
        return f'<span class="ends">{source} → {destination}</span><br><span class="soft">{zones}</span>'


def text(words: object) -> str:
    """Return text that is text and nothing else in HTML."""
    return escape(printable(str(words)))


def html_page(
    summary: Summary, policy: Policy, against: Against | None = None, *, language: Language = Language.EN
) -> Iterator[str]:
    """Yield the page in pieces."""
    hosts = {
        (network.version, network.first): host.name
        for host in policy.hosts.values()
        for network in host.addresses
        if network.first == network.last
    }
    page = Page(summary, policy, against, language, hosts)
    title = page.say("page-title", policy=policy.name)
    yield f'<!doctype html>\n<html lang="{language.value}">\n<head>\n<meta charset="utf-8">\n'
    yield f'<meta http-equiv="Content-Security-Policy" content="{content_policy()}">\n'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
    yield f'<meta name="referrer" content="no-referrer">\n<title>{title}</title>\n'
    yield f"<style>{STYLE}</style>\n</head>\n<body>\n<main>\n"
    sections = [
        (name, page.say(f"page-{name}"), "".join(write(page)))
        for name, write in (
            ("timeline", timeline_section),
            ("matrix", matrix_section),
            ("changes", changes_section),
            ("denied", denied_section),
            ("unused", unused_section),
            ("exchanges", exchanges_section),
            ("unread", unread_section),
        )
    ]
    sections = [(name, heading, body) for name, heading, body in sections if body]
    yield from head_section(page, title)
    yield "<nav>"
    yield from (f'<a href="#{name}">{heading}</a>' for name, heading, _ in sections)
    yield "</nav>\n"
    for name, heading, body in sections:
        yield f'<section id="{name}">\n<h2>{heading}</h2>\n{body}</section>\n'
    yield f"<footer>{page.say('page-footer', revision=summary.revision, engine=summary.engine)}</footer>\n"
    yield f"</main>\n<script>{SCRIPT}</script>\n</body>\n</html>\n"
