"""Run the checks and hold what they find against what the files accept."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from zones.lint import cover, network, upkeep, ways, width
from zones.lint.codes import CODES, Severity
from zones.lint.context import Context
from zones.lint.finding import Finding, Place, Subject
from zones.lint.places import Places

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from zones.model import Policy, Suppression
    from zones.source import Document

CHECKS: dict[str, Callable[[Context], Iterator[Finding]]] = {
    "shadowed": cover.shadowed,
    "redundant": cover.redundant,
    "generalisation": cover.generalisation,
    "overlapping-allows": cover.overlapping_allows,
    "guard-makes-dead": cover.guard_makes_dead,
    "deny-never-matches": cover.deny_never_matches,
    "names-never-served": upkeep.names_never_served,
    "any-any": width.any_any,
    "too-broad": width.too_broad,
    "high-risk-port": width.high_risk_port,
    "asymmetric-service": network.asymmetric_service,
    "relay-host": ways.relay_host,
    "dns-tunnel": network.dns_tunnel,
    "quic-beside-proxy": network.quic_beside_proxy,
    "ipv6-gap": network.ipv6_gap,
    "mac-off-segment": network.mac_off_segment,
    "expired": upkeep.expired,
    "expiring-together": upkeep.expiring_together,
    "no-owner": upkeep.no_owner,
    "no-ticket": upkeep.no_ticket,
    "no-justification": upkeep.no_justification,
    "audit-mode-forgotten": upkeep.audit_mode_forgotten,
    "disabled-flow": upkeep.disabled_flow,
    "unused-name": upkeep.unused_name,
}
"""Who finds what. The codes about suppressions are found here, after all others."""

FAILING = frozenset({Severity.ERROR, Severity.WARNING})
"""What `--strict` fails on."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """Everything found, in the order of the files; accepted findings are among it, marked."""

    findings: tuple[Finding, ...]
    undecided: tuple[str, ...] = ()
    """Flows too entangled to say within the budget whether others cover them."""

    @property
    def open(self) -> tuple[Finding, ...]:
        """The findings that nobody has accepted."""
        return tuple(finding for finding in self.findings if finding.suppressed is None)

    @property
    def failing(self) -> bool:
        """Whether something is left that is more than a note."""
        return any(finding.severity in FAILING for finding in self.open)

    @property
    def counts(self) -> Mapping[str, int]:
        """How many open findings each code has, in the order of the codes."""
        counted = Counter(finding.code for finding in self.open)
        return {code: counted[code] for code in CODES if code in counted}


def lint(
    policy: Policy, documents: Iterable[Document], *, now: float, only: Iterable[str] | None = None
) -> Report:
    """Return what is worth hearing about a policy at `now`; with `only`, of these codes.

    `documents` are the files it was loaded from (`zones.load.load_written`). Time grows with the number of
    flows and of their overlaps: 10,000 flows take some seconds.
    """
    wanted = frozenset(CODES if only is None else only)
    context = Context(policy, Places(documents), now)
    found = [finding for code, check in CHECKS.items() if code in wanted for finding in check(context)]
    used, marked = _accepted(policy.suppressions, found, now)
    marked += [
        finding
        for finding in _about_suppressions(policy.suppressions, used, now, wanted)
        if finding.code in wanted
    ]
    order = {document: at for at, document in enumerate(CODES)}
    marked.sort(key=lambda finding: (*finding.place, order[finding.code]))
    return Report(
        findings=tuple(marked), undecided=tuple(sorted(context.cover.undecided)) if wanted & _COVER else ()
    )


_COVER = frozenset({"shadowed", "redundant"})


def _accepted(
    suppressions: Iterable[Suppression], found: list[Finding], now: float
) -> tuple[set[Suppression], list[Finding]]:
    """Return which suppressions hold for something, and the findings with those that hold for them."""
    by_meaning: dict[tuple[str, str, str], list[Suppression]] = {}
    for suppression in suppressions:
        key = (suppression.code, suppression.section, suppression.name)
        by_meaning.setdefault(key, []).append(suppression)
    used: set[Suppression] = set()
    marked = []
    for finding in found:
        section, name = finding.subject
        # `meta` may speak of every entry by name: services have no place for `lint` of their own.
        keys = {(finding.code, section, name), (finding.code, "meta", name)}
        meant = [suppression for key in sorted(keys) for suppression in by_meaning.get(key, ())]
        used.update(meant)
        holding = next((one for one in meant if one.until_at is None or now < one.until_at), None)
        marked.append(replace(finding, suppressed=holding))
    return used, marked


def _about_suppressions(
    suppressions: Iterable[Suppression], used: set[Suppression], now: float, wanted: frozenset[str]
) -> Iterator[Finding]:
    """Yield those that are over although there is something to accept, and those that accept nothing."""
    for one in suppressions:
        over = one.until_at is not None and now >= one.until_at
        if one.code not in wanted or (one in used and not over):
            continue
        code = "suppression-expired" if one in used else "suppression-unused"
        yield Finding(
            code=code,
            severity=CODES[code],
            subject=Subject(one.section, one.name),
            place=Place(one.file, one.line, one.column),
            params={
                "name": one.name or one.section,
                "ignored": one.code,
                "until": one.until or "-",
                "because": one.because,
            },
        )
