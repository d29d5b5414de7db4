"""`masugata compile nft`: the ruleset a policy becomes, to read or to check with `nft -c -f -`."""

from __future__ import annotations

from pathlib import Path

import click

from gateway.cli.terminal import Terminal, shared_flags, words
from zones.errors import ExitCode


@click.command("compile", help=words("verb-compile"))
@click.argument("backend", type=click.Choice(["nft"]))
@click.argument("policy", type=click.Path(path_type=Path))
@click.option("--now", "moment", help=words("compile-option-now"))
@click.option(
    "--mail-port", default=10025, type=click.IntRange(1, 65535), help=words("compile-option-mail-port")
)
@shared_flags
def command(terminal: Terminal, backend: str, policy: Path, moment: str | None, mail_port: int) -> int:
    """Print the whole ruleset; equal policies at the same moment give equal text."""
    from gateway.cli.policies import moment_meant, policy_of
    from gateway.kernel.nftables import compile_ruleset

    loaded = policy_of([str(policy)])
    now = moment_meant(moment, loaded)
    ruleset = compile_ruleset(loaded, now=now, mail_port=mail_port)
    if terminal.json_lines:
        terminal.data(
            {"backend": backend, "revision": loaded.revision, "table": ruleset.table, "text": ruleset.text()}
        )
    else:
        terminal.out.write(ruleset.text())
    return ExitCode.OK
