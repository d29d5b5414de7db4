"""What `masugata doctor` finds: one value per thing looked at, and the one answer for the shell."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from zones.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class State(StrEnum):
    """Whether a thing is there, and whether we can do without."""

    OK = "ok"
    MISSING = "missing"
    OPTIONAL = "optional"


class Group(StrEnum):
    """What kind of thing it is; the order is the order of the report."""

    TOOLS = "tools"
    NETWORK = "network"
    ISOLATION = "isolation"
    ENGINES = "engines"
    LIBRARIES = "libraries"
    HOST = "host"


@dataclass(frozen=True, kw_only=True)
class Cure:
    """What puts it right: a message code and its parameters."""

    code: str
    params: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing looked at. `detail` is what was seen (a version, or the tool's own complaint)."""

    group: Group
    name: str
    state: State
    detail: str = ""
    cure: Cure | None = None

    @property
    def purpose(self) -> str:
        """Return the code of the message that says what the thing is for."""
        return f"doctor-for-{self.name}"


def exit_code(findings: Iterable[Finding]) -> ExitCode:
    """Return OK when lab and gateway can run here: nothing that they need is missing."""
    missing = any(finding.state is State.MISSING for finding in findings)
    return ExitCode.UNAVAILABLE if missing else ExitCode.OK
