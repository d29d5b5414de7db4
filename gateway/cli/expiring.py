"""`masugata expiring`: which flows end when, with the people who have to renew them.

Exit codes: 0 whatever is listed, 1 with `--strict`: something is listed, 2 the policy cannot be used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from gateway.cli.layout import columns
from gateway.cli.policies import moment_meant, policy_of
from gateway.cli.terminal import shared_flags, words
from zones.errors import ConfigurationError, ExitCode
from zones.expiring import expiring, parse_span

if TYPE_CHECKING:
    from gateway.cli.terminal import Terminal
    from zones.expiring import EndingDay
    from zones.model import Flow, Policy


@click.command("expiring", help=words("expiring-help"))
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option("--within", metavar="SPAN", help=words("option-within"))
@click.option("--now", "now_text", metavar="DATE", help=words("option-now"))
@click.option("--strict", is_flag=True, help=words("option-expiring-strict"))
@shared_flags
def command(
    paths: tuple[str, ...], within: str | None, now_text: str | None, *, strict: bool, terminal: Terminal
) -> int:
    """Write the days in order, each with its flows."""
    policy = policy_of(paths)
    now = moment_meant(now_text, policy)
    days = expiring(policy, now=now, within_days=_span(within))
    for number, day in enumerate(days):
        if terminal.json_lines:
            _records(terminal, day)
        else:
            _day(terminal, day, policy, first=number == 0)
    if not days:
        terminal.log("expiring-none")
    return ExitCode.FINDING if strict and days else ExitCode.OK


def _span(text: str | None) -> int | None:
    try:
        return parse_span(text) if text is not None else None
    except ValueError:
        raise ConfigurationError("bad-span", value=text) from None


def _records(terminal: Terminal, day: EndingDay) -> None:
    for flow in day.flows:
        terminal.data(
            {
                "expires": day.day,
                "days_left": day.days_left,
                "flow": flow.id,
                "action": flow.action.value,
                "mode": flow.mode.value,
                "from": list(flow.source_names),
                "to": list(flow.destination_names),
                "service": list(flow.service_names),
                "owner": flow.owner,
                "ticket": flow.ticket,
                "justification": flow.justification,
                "file": flow.file,
                "line": flow.line,
            }
        )


def _day(terminal: Terminal, day: EndingDay, policy: Policy, *, first: bool) -> None:
    if not first:
        terminal.write("")
    if day.days_left < 0:
        when = terminal.words("expiring-past", days=-day.days_left)
    else:
        when = terminal.words("expiring-left", days=day.days_left)
    terminal.say(
        "expiring-day", day=day.day, when=when, count=len(day.flows), weekday=_weekday(terminal, day)
    )
    width = max(len(flow.id) for flow in policy.flows)
    rows = [[f"  {flow.id:<{width}}", *_row(flow)] for flow in day.flows]
    for line in columns(rows):
        terminal.write(line)


def _weekday(terminal: Terminal, day: EndingDay) -> str:
    return terminal.words(f"weekday-{day.day.weekday()}")


def _row(flow: Flow) -> list[str]:
    ends = f"{', '.join(flow.source_names)} > {', '.join(flow.destination_names)}"
    return [
        flow.owner or "-",
        flow.ticket or "-",
        flow.action.value,
        f"{ends} {', '.join(flow.service_names)}",
        flow.justification or "",
    ]
