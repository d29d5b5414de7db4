"""`masugata diff`: which packets two policies treat differently, each kind with one packet that shows it.

Exit codes: 0 whether or not they differ, 1 with `--exit-code` where something crosses otherwise or is said
otherwise, 2 a policy or an option cannot be used, 4 out of time.
"""

from __future__ import annotations

import time
from itertools import groupby
from typing import TYPE_CHECKING, Any

import click

from gateway.cli.terminal import Seconds, shared_flags, words
from zones.errors import ExitCode

if TYPE_CHECKING:
    from gateway.cli.terminal import Terminal
    from zones.model import Policy
    from zones.otherwise import Otherwise
    from zones.proof.diff import Answer, Difference

_CROSSING = ("crossing", "replies")


@click.command("diff", help=words("diff-help"))
@click.argument("before", metavar="A")
@click.argument("after", metavar="B")
@click.option("--exit-code", "speaking_code", is_flag=True, help=words("option-diff-exit-code"))
@click.option("--all", "everything", is_flag=True, help=words("option-diff-all"))
@click.option("--timeout", type=Seconds(), metavar="SECONDS", help=words("option-timeout"))
@click.option("--now", "now_text", metavar="DATE", help=words("option-now"))
@shared_flags
def command(
    before: str,
    after: str,
    timeout: float | None,
    now_text: str | None,
    *,
    speaking_code: bool,
    everything: bool,
    terminal: Terminal,
) -> int:
    """Write the differences by pair of zones, then one line that sums up."""
    from gateway.cli.policies import moment_meant, policy_of
    from zones.otherwise import otherwise
    from zones.proof.diff import diff
    from zones.proof.space import Budget, Undecided

    policies = policy_of([before]), policy_of([after])
    budget = None
    if timeout is not None:
        deadline = time.monotonic() + timeout
        budget = Budget(steps=1 << 62, expired=lambda: time.monotonic() >= deadline)
    try:
        found = diff(*policies, now=moment_meant(now_text, policies[1]), budget=budget)
    except Undecided:
        terminal.log("diff-undecided")
        return ExitCode.UNDECIDED
    crossing = [difference for difference in found if difference.change.value in _CROSSING]
    for pair, differences in groupby(sorted(found if everything else crossing, key=_pair), key=_pair):
        if not terminal.json_lines:
            terminal.say("diff-pair", source=pair[0], destination=pair[1])
        for difference in differences:
            _write(terminal, difference)
    unseen = otherwise(*policies)
    _write_unseen(terminal, unseen)
    _summary(terminal, found, unseen, policies)
    return ExitCode.FINDING if speaking_code and (crossing or unseen) else ExitCode.OK


def _pair(difference: Difference) -> tuple[str, str]:
    return difference.source or "?", difference.destination or "?"


def _write(terminal: Terminal, difference: Difference) -> None:
    packet = difference.packet.describe()
    opened = difference.opened.describe() if difference.opened is not None else None
    if terminal.json_lines:
        terminal.data(
            {
                "change": difference.change.value,
                "source_zone": difference.source,
                "destination_zone": difference.destination,
                "before": _answer_record(difference.before),
                "after": _answer_record(difference.after),
                "packet": packet,
                "src_mac": difference.packet.src_mac,
                "opened": opened,
            }
        )
        return
    mac = f" mac={difference.packet.src_mac}" if difference.packet.src_mac else ""
    terminal.say(
        f"diff-{difference.change.value}",
        before=_answer_text(difference.before),
        after=_answer_text(difference.after),
        packet=packet + mac,
        opened=opened,
    )


def _write_unseen(terminal: Terminal, unseen: list[Otherwise]) -> None:
    """Write what is said otherwise, though no packet shows it now."""
    if unseen and not terminal.json_lines:
        terminal.say("diff-otherwise")
    for section, name, keys in unseen:
        if terminal.json_lines:
            terminal.data({"change": "otherwise", "section": section, "name": name, "keys": list(keys)})
        else:
            what = ", ".join(keys) if keys else terminal.words("diff-otherwise-alone")
            terminal.say("diff-otherwise-entry", section=section, name=name, keys=what)


def _answer_text(answer: Answer) -> str:
    """Return an answer as policies and logs write it: `deny (use-render) F042`."""
    outcome, reason, decided_by = answer
    because = f" ({reason.value})" if reason.value != "flow" else ""
    return f"{outcome.value}{because}" + (f" {decided_by}" if decided_by else "")


def _answer_record(answer: Answer) -> dict[str, Any]:
    outcome, reason, decided_by = answer
    return {"outcome": outcome.value, "reason": reason.value, "decided_by": decided_by}


def _summary(
    terminal: Terminal, found: list[Difference], unseen: list[Otherwise], policies: tuple[Policy, Policy]
) -> None:
    from zones.proof.diff import Change

    counts = {change.value: sum(difference.change is change for difference in found) for change in Change}
    counts["otherwise"] = len(unseen)
    old, new = (policy.revision for policy in policies)
    if terminal.json_lines:
        terminal.data({"diff": "summary", **counts, "before": old, "after": new})
    else:
        terminal.say("diff-summary", **counts, old=old[:12], new=new[:12])
