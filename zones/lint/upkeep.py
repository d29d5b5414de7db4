"""What nobody looked after: dates, owners, lines in trial or switched off, names that nothing uses."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

from zones.lint.finding import Subject, flow_subject, listed
from zones.model import Mode
from zones.packet import parse_packet
from zones.proof.packets import address_number, address_ranges

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from zones.lint.context import Context
    from zones.lint.finding import Finding
    from zones.model import Flow, Policy

TOGETHER = 12
"""So many flows that end on one day are a day on which things break together."""


def expired(context: Context) -> Iterator[Finding]:
    """Yield enforced flows whose last day has passed."""
    for flow in context.policy.flows:
        if flow.mode is Mode.ENFORCE and context.expired(flow):
            yield context.about("expired", flow, "expires", expires=flow.expires, owner=flow.owner or "-")


def expiring_together(context: Context) -> Iterator[Finding]:
    """Yield one finding for each day on which a dozen flows or more end."""
    days: dict[object, list[Flow]] = {}
    for flow in context.opening:
        if flow.expires is not None:
            days.setdefault(flow.expires, []).append(flow)
    for day, flows in sorted(days.items(), key=lambda item: str(item[0])):
        if len(flows) >= TOGETHER:
            owners = {flow.owner for flow in flows if flow.owner}
            yield context.finding(
                "expiring-together",
                Subject("meta"),
                "expires",
                at=flow_subject(flows[0]),
                aspect=str(day),
                related=[flow_subject(flow) for flow in flows[1:]],
                day=day,
                count=len(flows),
                flows=listed(flow.id for flow in flows),
                owners=len(owners),
            )


def no_owner(context: Context) -> Iterator[Finding]:
    """Yield flows for which nobody answers."""
    yield from (context.about("no-owner", flow) for flow in _kept(context) if not _said(flow.owner))


def no_ticket(context: Context) -> Iterator[Finding]:
    """Yield allowing flows whose decision cannot be found again."""
    for flow in _kept(context):
        if flow.allowing and not _said(flow.ticket):
            yield context.about("no-ticket", flow)


def no_justification(context: Context) -> Iterator[Finding]:
    """Yield flows that do not say what they are for."""
    for flow in _kept(context):
        if not _said(flow.justification):
            yield context.about("no-justification", flow)


def _kept(context: Context) -> Iterator[Flow]:
    return (flow for flow in context.policy.flows if flow.mode is not Mode.DISABLED)


def _said(text: str | None) -> bool:
    return bool(text and text.strip())


def audit_mode_forgotten(context: Context) -> Iterator[Finding]:
    """Yield trials without an end, and trials whose end has passed."""
    for flow in context.policy.flows:
        if flow.mode is Mode.AUDIT and (flow.expires is None or context.expired(flow)):
            key = "mode" if flow.expires is None else "expires"
            variant = "" if flow.expires is None else "over"
            yield context.about("audit-mode-forgotten", flow, key, variant=variant, until=flow.expires or "-")
    policy = context.policy
    if policy.audit_until_at is not None and context.now >= policy.audit_until_at:
        yield context.finding(
            "audit-mode-forgotten",
            Subject("meta"),
            "enforcement",
            "audit_until",
            variant="city",
            until=policy.audit_until,
        )


def disabled_flow(context: Context) -> Iterator[Finding]:
    """Yield flows that are switched off."""
    for flow in context.policy.flows:
        if flow.mode is Mode.DISABLED:
            yield context.about("disabled-flow", flow, "mode", justification=flow.justification or "-")


def names_never_served(context: Context) -> Iterator[Finding]:
    """Yield flows to names: until a proxy serves names they open nothing."""
    for flow in context.opening:
        names = [end.name for end in flow.destinations if end.name is not None]
        if names:
            yield context.about("names-never-served", flow, "to", names=listed(names))


def unused_name(context: Context) -> Iterator[Finding]:
    """Yield hosts, groups, names and services that nothing in the policy means."""
    policy = context.policy
    used = _names_used(policy)
    meant = _addresses_meant(policy, used)
    for host in policy.hosts.values():
        addresses = [(network.version, network.first) for network in host.addresses]
        # A host inside a used group, or in a test, says who that address is.
        if host.name not in used and not any(meant(*address) for address in addresses):
            yield context.finding("unused-name", Subject("hosts", host.name), section="hosts")
    for section, names in (
        ("groups", policy.groups),
        ("names", policy.names),
        ("services", policy.services),
    ):
        for name in names:
            if name not in used:
                yield context.finding("unused-name", Subject(section, name), section=section)


def _names_used(policy: Policy) -> set[str]:
    used: set[str] = set()
    for flow in policy.flows:
        used |= {*flow.source_names, *flow.destination_names, *flow.service_names}
    for invariant in policy.invariants:
        used |= {*invariant.sources, *invariant.destinations}
    return used


def _addresses_meant(policy: Policy, used: set[str]) -> Callable[[int, int], bool]:
    """Return whether an address is in a used group, or is asked about by a test of the policy."""
    ranges = address_ranges(
        network for group in policy.groups.values() if group.name in used for network in group.networks
    )
    starts = [low for low, _ in ranges]
    asked = {
        (key.version, end)
        for key in (parse_packet(test.packet).key for test in policy.tests)
        for end in (key.src, key.dst)
    }

    def meant(version: int, address: int) -> bool:
        number = address_number(version, address)
        at = bisect_right(starts, number) - 1
        return (version, address) in asked or (at >= 0 and number <= ranges[at][1])

    return meant
