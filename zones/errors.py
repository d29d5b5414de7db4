"""The errors of masugata: each says who acts.

    MasugataError
    ├ PolicyError(problems)   the operator acts: every problem at once
    ├ ConfigurationError      the operator acts: gateway.yaml, a lab file, an option
    ├ InputError              the peer's doing
    │  ├ ProtocolViolation    it does not speak the protocol
    │  ├ Unreadable           it is not what it claims to be
    │  └ LimitExceeded        it is larger than a named limit: seen, limit
    ├ IsolationError          a worker died, timed out or lied about its output
    └ BackendError            the host acts: a tool, a privilege, the kernel, the disk

An error is a code and parameters; the words are in the catalogues (`zones.messages`). A refusal is a
`Verdict`, never an exception. Our own bugs stay built-in exceptions.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING

from zones.messages import Language, say

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class ExitCode(IntEnum):
    """What a verb tells the shell; the table is part of the command reference."""

    OK = 0
    FINDING = 1
    USAGE = 2
    UNAVAILABLE = 3
    UNDECIDED = 4


class MasugataError(Exception):
    """A failure somebody can act on: `code` names it, `params` fill its message."""

    exit_code = ExitCode.USAGE

    def __init__(self, code: str, /, **params: object) -> None:
        super().__init__(code, params)
        self.code = code
        self.params: Mapping[str, object] = params

    def __str__(self) -> str:
        return say(self.code, self.params, Language.EN)


class ConfigurationError(MasugataError):
    """The operator gave a file or option we cannot use."""


class InputError(MasugataError):
    """Something from outside is not acceptable; the peer, not the operator, caused it."""

    exit_code = ExitCode.FINDING


class ProtocolViolation(InputError):
    """The peer does not speak the protocol it opened."""


class Unreadable(InputError):
    """The input is not what it claims to be, or ends in the middle."""


class LimitExceeded(InputError):
    """The input is larger than a named limit; counted while reading, before memory was spent."""

    def __init__(self, name: str, seen: int, limit: int) -> None:
        super().__init__("limit-exceeded", name=name, seen=seen, limit=limit)
        self.name, self.seen, self.limit = name, seen, limit


class IsolationError(MasugataError):
    """A worker that handles untrusted bytes died, timed out or lied about its output."""

    exit_code = ExitCode.UNAVAILABLE


class BackendError(MasugataError):
    """The host could not do it: a missing tool or privilege, the kernel, the disk."""

    exit_code = ExitCode.UNAVAILABLE


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One thing wrong with an operator's file, with its place (1-based) and its cure."""

    code: str
    file: str
    line: int
    column: int
    path: str = ""
    severity: str = "error"
    params: Mapping[str, object] = field(default_factory=dict)


class PolicyError(MasugataError):
    """A policy (or gateway configuration) that cannot be used: all its problems in one run."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("policy-invalid", count=len(problems))
        self.problems = tuple(problems)
