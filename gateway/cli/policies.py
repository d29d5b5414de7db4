"""What the verbs that ask a policy have in common: reading it, and the moment meant."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from zones.errors import ConfigurationError
from zones.expiry import parse_now
from zones.load import load_policy, read_sources

if TYPE_CHECKING:
    from collections.abc import Iterable

    from zones.model import Policy

STDIN = "-"


def policy_of(paths: Iterable[str]) -> Policy:
    """Return the policy of files and directories taken together; `-` is stdin.

    Raises:
        ConfigurationError: a path cannot be read.
        PolicyError: the policy has problems; all of them.
    """
    return load_policy(sources_of(paths))


def sources_of(paths: Iterable[str]) -> dict[str, str]:
    """Return the text of every file of a policy by name; `-` is stdin.

    Raises:
        ConfigurationError: a path cannot be read.
    """
    sources: dict[str, str] = {}
    for path in paths:
        sources.update({"<stdin>": stdin_text()} if path == STDIN else read_sources(Path(path)))
    return sources


def stdin_text() -> str:
    """Return the policy file that stdin holds.

    Raises:
        ConfigurationError: it is not UTF-8.
    """
    try:
        return sys.stdin.buffer.read().decode()
    except UnicodeDecodeError as error:
        raise ConfigurationError("file-not-utf8", path="<stdin>", offset=error.start) from None


def moment_meant(text: str | None, policy: Policy) -> float:
    """Return the second that `--now` means in the policy's time zone; without it, now.

    Raises:
        ConfigurationError: not a date or moment.
    """
    if text is None:
        return time.time()
    try:
        return parse_now(text, policy.timezone)
    except (ValueError, OverflowError):
        raise ConfigurationError("bad-now", value=text) from None
