"""What two policies say otherwise although no packet shows it now: treatment, time, names, claims.

`zones.proof.diff` compares packets at one moment. A flow whose approvals were taken away, or that ends a year
later, treats today's packets alike and is a weaker flow all the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from zones.model import DomainName, Flow, Host, Invariant, Policy


class Otherwise(NamedTuple):
    """One entry that says something else: its section and name, and the keys that changed.

    No keys at all: the entry stands in one of the two policies only.
    """

    section: str
    name: str
    keys: tuple[str, ...] = ()


def _flow(flow: Flow) -> dict[str, Any]:
    return {"with": dict(flow.options), "expires": flow.expires, "when": flow.hours}


def _name(entry: DomainName) -> dict[str, Any]:
    return {"hosts": sorted(entry.hosts), "zone": entry.zone, "tenant": entry.tenant}


def _host(host: Host) -> dict[str, Any]:
    return {"relay": host.relay is not None and host.relay.never}


def _invariant(entry: Invariant) -> dict[str, Any]:
    return {
        "from": sorted(entry.sources),
        "to": sorted(entry.destinations),
        "never": entry.never,
        "transitive": entry.transitive,
        "require_action": sorted(entry.require_action),
        "over": sorted(entry.over),
        "except": sorted(entry.exceptions),
    }


def otherwise(before: Policy, after: Policy) -> list[Otherwise]:
    """Return what differs, by section and name. Flows of only one policy are left to `zones.proof.diff`."""
    found = list(_changed("flows", _by_id(before.flows), _by_id(after.flows), _flow))
    found += _changed("names", before.names, after.names, _name)
    found += _changed("hosts", before.hosts, after.hosts, _host)
    invariants = _by_id(before.invariants), _by_id(after.invariants)
    found += _changed("invariants", *invariants, _invariant)
    found += [Otherwise("invariants", name) for name in sorted(invariants[0].keys() ^ invariants[1].keys())]
    if before.audit_until != after.audit_until:
        found.append(Otherwise("meta", "enforcement", ("audit_until",)))
    return found


def _by_id(entries: tuple[Any, ...]) -> dict[str, Any]:
    return {entry.id: entry for entry in entries}


def _changed(
    section: str, before: Mapping[str, Any], after: Mapping[str, Any], said: Callable[[Any], dict[str, Any]]
) -> Iterator[Otherwise]:
    for name in sorted(before.keys() & after.keys()):
        old, new = said(before[name]), said(after[name])
        keys = tuple(key for key in old if old[key] != new[key])
        if keys:
            yield Otherwise(section, name, keys)
