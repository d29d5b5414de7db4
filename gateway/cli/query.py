"""`masugata query`: the verdict for packets, one line each.

Exit codes: 0 whatever the verdicts are, 1 a verdict differs from `--expect`, 2 the policy or a packet cannot
be used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from gateway.cli.packets import asked, packet_flags, packet_text, verdict_record
from gateway.cli.terminal import shared_flags, words
from zones.decide import decide
from zones.errors import ConfigurationError, ExitCode
from zones.verdict import Outcome, Reason

if TYPE_CHECKING:
    from gateway.cli.terminal import Terminal
    from zones.verdict import PacketKey, Verdict


@click.command("query", help=words("query-help"))
@packet_flags
@click.option("--expect", metavar="VERDICT", help=words("option-expect"))
@shared_flags
def command(expect: str | None, *, terminal: Terminal, **question: Any) -> int:
    """Write the verdict of every packet asked about."""
    if expect is not None and expect not in {*Outcome, *Reason}:
        raise ConfigurationError("bad-expectation", value=expect)
    case = asked(**question)
    code = ExitCode.OK
    for key in case.packets:
        verdict = decide(case.policy, key, now=case.now, connection=case.connection)
        _write(terminal, key, verdict)
        if expect not in (None, verdict.outcome, verdict.reason):
            terminal.log("query-unexpected", packet=packet_text(key, verdict), expected=expect)
            code = ExitCode.FINDING
    return code


def _write(terminal: Terminal, key: PacketKey, verdict: Verdict) -> None:
    if terminal.json_lines:
        terminal.data(verdict_record(key, verdict))
        return
    outcome = terminal.words(f"outcome-{verdict.outcome}")
    decided_by = f" {verdict.decided_by}" if verdict.decided_by else ""
    reason = terminal.words(f"reason-{verdict.reason}")
    terminal.write(f"{packet_text(key, verdict)}  {outcome}  {verdict.reason}{decided_by}: {reason}")
    if verdict.also:
        terminal.log("query-also", ids=", ".join(verdict.also))
    if verdict.audited:
        terminal.log("query-audited", ids=", ".join(verdict.audited))
