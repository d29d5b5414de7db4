"""What an audit log shows, as a plain value: made by whoever can read the log, weighed by `zones.report`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

COUNTERS = ("allowed", "refused", "sanitised", "mail-refused", "applied")
"""What records are counted as; the clause packs and the words of the report name them so."""


@dataclass(frozen=True, kw_only=True)
class LogEvidence:
    """One audit log. Of a log whose chain is broken nothing is counted: any of it may be forged.

    `first` and `last` are the times of the records at its ends (RFC 3339, UTC), in the order of the chain.
    `gaps` are the places where the log itself says that records were lost, `lost` how many at least;
    `crashes` the runs that ended without their last record, `anchored` whether its end was held against a
    head that was noted down elsewhere, `of_revision` how many records were made under the policy's revision.
    """

    intact: bool
    findings: int = 0
    events: int = 0
    first: str = ""
    last: str = ""
    gaps: int = 0
    lost: int = 0
    crashes: int = 0
    anchored: bool = False
    of_revision: int = 0
    counts: Mapping[str, int] = field(default_factory=dict)
