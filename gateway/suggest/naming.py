"""Names: how the policy would write the addresses and services of a draft.

A host is called what the policy calls it, whatever the capture's DNS says: answers on the wire are claims of
whoever sent them. An address without a name gets a host entry that says where it is; many of them get one
group that lists them. A group of the policy stands for its members only if nearly all of them were seen.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from zones.address import address_text
from zones.model import GATEWAY, ServiceTerm
from zones.services import service_text
from zones.verdict import ICMP, ICMP6, PORT_PROTOCOLS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from zones.address import Network
    from zones.model import Policy

GROUP_SHARE = 0.9
"""A group is proposed in the place of hosts if this share of all its addresses was seen."""

_MOST_HOSTS = 3
"""So many unnamed addresses of one end become hosts; more become one group."""

_MOST_PORTS = 16
_NAME_LENGTH = 32


class NewHost(NamedTuple):
    """A host entry that a proposal needs."""

    name: str
    zone: str
    address: str


class NewGroup(NamedTuple):
    """A group entry that a proposal needs; its networks hold the addresses seen and no other."""

    name: str
    zone: str
    networks: tuple[str, ...]


class Ends(NamedTuple):
    """One end of a flow in the policy's words, and the entries that are still to be made for it."""

    names: tuple[str, ...]
    hosts: tuple[NewHost, ...] = ()
    groups: tuple[NewGroup, ...] = ()


def name_ends(
    policy: Policy,
    zone: str,
    version: int,
    addresses: frozenset[int],
    group_name: str,
    *,
    exact: bool = False,
) -> Ends:
    """Return the names for addresses of one zone; `group_name` is for a group that has to be made.

    With `exact` the names mean these addresses and no other: a group not seen whole, or a host with another
    address, is not named.
    """
    if zone == GATEWAY:
        return Ends((GATEWAY,))
    left = set(addresses)
    names = list(_groups(policy, zone, version, left, share=1.0 if exact else GROUP_SHARE))
    names += _hosts(policy, zone, version, left, exact=exact)
    known = any(_in(host.addresses, version, each) for host in policy.hosts.values() for each in left)
    taken = {*policy.zones, *policy.hosts, *policy.groups, *policy.names, GATEWAY}
    if len(left) > _MOST_HOSTS or known:
        group = NewGroup(_free(group_name, taken), zone, _exactly(version, left))
        return Ends((*names, group.name), groups=(group,))
    made = tuple(
        NewHost(_free(_host_name(zone, version, address), taken), zone, address_text(version, address))
        for address in sorted(left)
    )
    return Ends((*names, *(host.name for host in made)), hosts=made)


def _groups(policy: Policy, zone: str, version: int, left: set[int], *, share: float) -> Iterator[str]:
    """Yield groups whose members were nearly all seen, largest first, and take those out of `left`."""
    groups = [group for group in policy.groups.values() if group.zone == zone]
    sizes = {group.name: sum(n.last - n.first + 1 for n in group.networks) for group in groups}
    for group in sorted(groups, key=lambda group: (-sizes[group.name], group.name)):
        if not 2 <= sizes[group.name] <= len(left) / share:
            continue
        members = {address for address in left if _in(group.networks, version, address)}
        if len(members) >= 2 and len(members) >= share * sizes[group.name]:
            left -= members
            yield group.name


def _hosts(policy: Policy, zone: str, version: int, left: set[int], *, exact: bool) -> Iterator[str]:
    """Yield hosts with an address in `left`, and take those out; first those that have no other address."""
    hosts = [host for host in policy.hosts.values() if host.zone == zone]
    known = {host.name: {n.first for n in host.addresses if n.version == version} & left for host in hosts}
    for host in sorted(hosts, key=lambda host: len(host.addresses) - len(known[host.name])):
        mine = known[host.name] & left
        if mine and (not exact or len(known[host.name]) == len(host.addresses)):
            left -= mine
            yield host.name


def _in(networks: Iterable[Network], version: int, address: int) -> bool:
    return any(network.holds(version, address) for network in networks)


def _host_name(zone: str, version: int, address: int) -> str:
    name = f"{zone}-{re.sub('[.:]+', '-', address_text(version, address)).strip('-')}"
    if len(name) <= _NAME_LENGTH:
        return name
    return f"{zone[:15].rstrip('-._')}-{hashlib.sha256(f'{version}/{address}'.encode()).hexdigest()[:12]}"


def _free(name: str, taken: set[str]) -> str:
    name = name[:_NAME_LENGTH]
    found, number = name, 2
    while found in taken:
        found, number = f"{name[: _NAME_LENGTH - 4]}-{number}", number + 1
    taken.add(found)
    return found


def _exactly(version: int, addresses: Iterable[int]) -> tuple[str, ...]:
    """Return the fewest prefixes that hold these addresses and no other."""
    if version == 4:
        return tuple(map(str, ipaddress.collapse_addresses(map(ipaddress.IPv4Network, addresses))))
    return tuple(map(str, ipaddress.collapse_addresses(map(ipaddress.IPv6Network, addresses))))


# --- services ---


def term_of(service: tuple[int, int]) -> ServiceTerm:
    """Return the term that means exactly one service."""
    protocol, number = service
    if protocol in PORT_PROTOCOLS or protocol in (ICMP, ICMP6):
        return ServiceTerm(protocol=protocol, low=number, high=number)
    return ServiceTerm(protocol=protocol)


def name_services(policy: Policy, services: frozenset[tuple[int, int]]) -> tuple[str, ...]:
    """Return the policy's names of services, each for exactly what was seen, then the ports left over."""
    left = set(services)
    names = []
    known = {name: meant(terms) for name, terms in policy.services.items()}
    for name, whole in sorted(known.items(), key=lambda item: (-len(item[1]), item[0])):
        if whole and whole <= left:
            left -= whole
            names.append(name)
    return (*names, *(service_text(term_of(service)) for service in sorted(left)))


def meant(terms: Iterable[ServiceTerm]) -> frozenset[tuple[int, int]]:
    """Return every service that some terms mean; none of them where there is a wide term."""
    found: set[tuple[int, int]] = set()
    for term in terms:
        if term.protocol is None:
            return frozenset()
        if term.low is None:
            if term.protocol in PORT_PROTOCOLS or term.protocol in (ICMP, ICMP6):
                return frozenset()
            found.add((term.protocol, 0))
            continue
        high = term.low if term.high is None else term.high
        if high - term.low >= _MOST_PORTS:
            return frozenset()
        found |= {(term.protocol, number) for number in range(term.low, high + 1)}
    return frozenset(found)


# --- ids ---

_NUMBERED = re.compile(r"(.*?)(\d+)")


def next_ids(policy: Policy) -> Iterator[str]:
    """Yield flow ids that are not taken, in the policy's own style of numbering.

    Without a style, `S001` and so on.
    """
    taken = {entry.id for section in (policy.flows, policy.guards, policy.invariants) for entry in section}
    styled = [match for flow in policy.flows if (match := _NUMBERED.fullmatch(flow.id))]
    prefix, width, number = "S", 3, 0
    if styled:
        prefix = Counter(match[1] for match in styled).most_common(1)[0][0]
        mine = [match[2] for match in styled if match[1] == prefix]
        width = max(map(len, mine)) if any(text.startswith("0") for text in mine) else 1
        number = max(map(int, mine))
    while True:
        number += 1
        found = f"{prefix}{number:0{width}d}"
        if found not in taken:
            yield found
