"""nftables text: the few shapes our rulesets are made of, and the matches of a program step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zones.verdict import ICMP, ICMP6, PROTOCOL_NAMES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from zones.address import Network
    from zones.model import ServiceTerm
    from zones.program import Step
    from zones.verdict import Outcome, Reason

NFLOG_GROUP = 1
_FAMILY = {4: "ip", 6: "ip6"}
_TYPE_FIELD = {ICMP: "icmp type", ICMP6: "icmpv6 type"}
_ICMP_FAMILY = {ICMP: 4, ICMP6: 6}


def block(head: str, lines: Iterable[str]) -> list[str]:
    """Return `head { … }` with its lines indented."""
    return [f"{head} {{", *(f"\t{line}" for line in lines), "}"]


def elements(networks: Iterable[Network]) -> str:
    """Return prefixes as the elements of a set, single addresses without their length."""
    return ", ".join(str(n) if n.first != n.last else str(n).partition("/")[0] for n in networks)


def address_match(field: str, networks: Sequence[Network], version: int) -> str:
    """Return `ip saddr { … }` for one family; `field` is saddr or daddr."""
    return f"{_FAMILY[version]} {field} {{ {elements(n for n in networks if n.version == version)} }}"


def log(outcome: Outcome | str, reason: Reason | str, decided_by: str | None) -> str:
    """Return the statement that reports a packet to the recorder with its verdict."""
    return f'log prefix "masugata|{outcome}|{reason}|{decided_by or ""}" group {NFLOG_GROUP}'


def family_of(networks: Sequence[Network] | None, version: int) -> bool:
    """Return whether an end can be an address of this family."""
    return networks is None or any(network.version == version for network in networks)


def step_matches(step: Step) -> Iterator[str]:
    """Yield the matches of a step: one line for each family and kind of service it speaks of."""
    if step.sources is None and step.destinations is None:
        yield from service_matches(step.services, None)
        return
    for version in (4, 6):
        if not (family_of(step.sources, version) and family_of(step.destinations, version)):
            continue
        ends = [
            address_match(field, networks, version)
            for field, networks in (("saddr", step.sources), ("daddr", step.destinations))
            if networks is not None
        ]
        for service in service_matches(step.services, version):
            yield " ".join([*ends, *([service] if service else [])])


def service_matches(terms: Sequence[ServiceTerm], version: int | None) -> Iterator[str]:
    """Yield one match for each protocol with ports or types, and one for all protocols without.

    An empty match is every packet. `version` None is either family.
    """
    if any(term.protocol is None for term in terms):
        yield ""
        return
    protocols = sorted({term.protocol for term in terms if term.protocol is not None})
    spoken = [p for p in protocols if version in (None, _ICMP_FAMILY.get(p, version))]
    whole = [p for p in spoken if any(term.protocol == p and term.low is None for term in terms)]
    if whole:
        yield f"meta l4proto {{ {', '.join(map(str, whole))} }}"
    for protocol in spoken:
        if protocol not in whole:
            ranges = _joined(term for term in terms if term.protocol == protocol)
            field = _TYPE_FIELD.get(protocol) or f"{PROTOCOL_NAMES[protocol]} dport"
            yield f"{field} {{ {', '.join(map(_span, ranges))} }}"


def _span(term: tuple[int, int]) -> str:
    low, high = term
    return str(low) if low == high else f"{low}-{high}"


def _joined(terms: Iterable[ServiceTerm]) -> list[tuple[int, int]]:
    """Return the ranges in order with overlapping ones made one: an interval set refuses overlaps."""
    joined: list[tuple[int, int]] = []
    for low, high in sorted(
        (t.low, t.high if t.high is not None else t.low) for t in terms if t.low is not None
    ):
        if joined and low <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(high, joined[-1][1]))
        else:
            joined.append((low, high))
    return joined
