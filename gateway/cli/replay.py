"""`masugata replay`: what a policy would have done with the packets of captures.

Exit codes: 0 everything was read (denied packets are no failure), 1 a capture was cut, damaged or of a link
type we do not read, or `--exit-code` found a difference, 2 not a capture, a wrong option or policy, 3 the
engine or a library is not there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from gateway.cli.terminal import shared_flags, words
from gateway.replay.options import Options, replay_options

if TYPE_CHECKING:
    from gateway.cli.terminal import Terminal


@click.command("replay", help=words("replay-help"))
@replay_options
@shared_flags
def command(*, terminal: Terminal, **given: Any) -> int:
    """Judge the captures and write records, summary and reports."""
    from gateway.replay.session import run

    return run(Options(**given), terminal)
