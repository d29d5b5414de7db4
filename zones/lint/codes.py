"""The codes of lint and how serious each is. A code never changes its meaning; a finding may be milder."""

from __future__ import annotations

from enum import StrEnum


class Severity(StrEnum):
    """How serious a finding is: the levels of SARIF 2.1.0 (3.27.10)."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


CODES: dict[str, Severity] = {
    # lines that do nothing, or not what they say
    "shadowed": Severity.WARNING,
    "redundant": Severity.WARNING,
    "generalisation": Severity.NOTE,
    "overlapping-allows": Severity.NOTE,
    "guard-makes-dead": Severity.WARNING,
    "deny-never-matches": Severity.WARNING,
    "names-never-served": Severity.WARNING,
    # lines that open more than anybody asked for
    "any-any": Severity.ERROR,
    "too-broad": Severity.WARNING,
    "high-risk-port": Severity.WARNING,
    "asymmetric-service": Severity.NOTE,
    # ways that no single line shows
    "relay-host": Severity.WARNING,
    "dns-tunnel": Severity.WARNING,
    "quic-beside-proxy": Severity.WARNING,
    "ipv6-gap": Severity.WARNING,
    "mac-off-segment": Severity.WARNING,
    # upkeep
    "expired": Severity.WARNING,
    "expiring-together": Severity.WARNING,
    "no-owner": Severity.WARNING,
    "no-ticket": Severity.WARNING,
    "no-justification": Severity.WARNING,
    "audit-mode-forgotten": Severity.WARNING,
    "disabled-flow": Severity.NOTE,
    "unused-name": Severity.NOTE,
    # silenced findings
    "suppression-expired": Severity.WARNING,
    "suppression-unused": Severity.NOTE,
}
"""Every code with the severity its findings have unless they say otherwise."""
