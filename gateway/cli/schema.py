"""`masugata schema`: the JSON Schema of a policy file, for editors."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from gateway.cli.terminal import shared_flags, words
from zones.errors import ExitCode
from zones.json_schema import policy_schema

if TYPE_CHECKING:
    from gateway.cli.terminal import Terminal


@click.command("schema", help=words("schema-help"))
@shared_flags
def command(*, terminal: Terminal) -> int:
    """Write the schema; it is one JSON object in any case, with `--json` on one line."""
    schema = policy_schema()
    if terminal.json_lines:
        terminal.data(schema)
    else:
        terminal.write(json.dumps(schema, ensure_ascii=False, indent=2))
    return ExitCode.OK
