"""`python -m gateway.roles ROLE`: one role of the gateway in a process of its own.

Started by the supervisor, which reads `ready` from its standard output, or the error it ends with.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from pathlib import Path

import gateway.messages  # noqa: F401  (declares the words of every package)
from gateway.app import ROLES, deprive, run_role
from gateway.process.privilege import die_with_parent
from gateway.settings import thaw
from zones.errors import MasugataError


def main() -> int:
    """Run the role named on the command line."""
    parser = argparse.ArgumentParser(prog="gateway.roles")
    parser.add_argument("role", choices=ROLES)
    parser.add_argument("--settings", type=Path, required=True)
    parser.add_argument("--parent", type=int, required=True)
    arguments = parser.parse_args()
    die_with_parent(arguments.parent)
    os.umask(0o077)
    try:
        settings = thaw(arguments.settings)
        deprive(arguments.role, settings)
        asyncio.run(run_role(arguments.role, settings, lambda: print("ready", flush=True)))  # noqa: T201
    except MasugataError as error:
        told = {"error": error.code, "params": {name: str(value) for name, value in error.params.items()}}
        print(json.dumps(told), flush=True)  # noqa: T201
        print(f"masugata {arguments.role}: {error}", file=sys.stderr)  # noqa: T201
        return int(error.exit_code)
    return 0


if __name__ == "__main__":
    sys.exit(main())
