"""What a well-shaped lab file can still get wrong: names, places and addresses that do not fit together."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from topology.schema import Address, LabShape, Network, NodeShape
    from zones.errors import Problem
    from zones.source import Document

    Path = tuple[str | int, ...]

MAX_HOSTS = 1000
NAME = re.compile(r"[a-z][a-z0-9_-]{0,14}")
# Namespaces of our own, and words that `ip` and /proc/sys/net/*/conf read in another way.
RESERVED = frozenset({"gateway", "switch", "lo", "all", "default", "eth0"})


def check_lab(lab: LabShape, document: Document) -> list[Problem]:
    """Return every problem of the whole, each at its place in the file, in the file's order."""
    checks = (
        _missing,
        _names,
        _segments,
        _gateway_segments,
        _nodes_on_segments,
        _addresses,
        _macs,
        _extras,
        _routes,
        _services,
    )
    return [problem for check in checks for problem in check(lab, document)]


def _missing(lab: LabShape, document: Document) -> Iterator[Problem]:
    data = _plain(document)
    for key in ("schema", "name", "segments", "gateway"):
        if not data.get(key):
            yield document.problem("missing-key", [], key=key)
    gateway = data.get("gateway")
    if isinstance(gateway, dict) and not gateway.get("interfaces"):
        yield document.problem("missing-key", ["gateway"], key="interfaces")
    if len(lab.hosts) > MAX_HOSTS:
        yield document.problem("lab-too-many-hosts", ["hosts"], seen=len(lab.hosts), limit=MAX_HOSTS)


def _names(lab: LabShape, document: Document) -> Iterator[Problem]:
    """Segments, hosts and gateway interfaces all become names inside the switch: they must differ there."""
    interfaces = lab.gateway.interfaces if lab.gateway else {}
    paths: list[Path] = [("segments", name) for name in lab.segments]
    paths += [("gateway", "interfaces", name) for name in interfaces]
    paths += [("hosts", name) for name in lab.hosts]
    taken: dict[str, Path] = {}
    for path in paths:
        name = str(path[-1])
        if not NAME.fullmatch(name):
            yield document.problem("lab-bad-name", path, at_key=True, value=name)
        elif name in RESERVED:
            yield document.problem("lab-reserved-name", path, at_key=True, value=name)
        elif name in taken:
            yield document.problem("lab-name-taken", path, at_key=True, value=name, other=_said(taken[name]))
        taken.setdefault(name, path)


def _segments(lab: LabShape, document: Document) -> Iterator[Problem]:
    seen: list[tuple[Network, str]] = []
    for name, segment in lab.segments.items():
        for index, network in enumerate(segment.networks):
            for other, owner in seen:
                if other.version == network.version and other.overlaps(network):
                    path = ("segments", name, "networks", index)
                    yield document.problem(
                        "lab-networks-overlap", path, network=str(network), other=str(other), segment=owner
                    )
            seen.append((network, name))


def _gateway_segments(lab: LabShape, document: Document) -> Iterator[Problem]:
    feet: dict[str, str] = {}
    for name, interface in lab.gateway.interfaces.items() if lab.gateway else ():
        if interface.segment in feet:
            path = ("gateway", "interfaces", name, "segment")
            yield document.problem(
                "lab-segment-twice", path, segment=interface.segment, interface=feet[interface.segment]
            )
        feet.setdefault(interface.segment, name)


def _placed(lab: LabShape) -> Iterator[tuple[Path, str, Sequence[Address]]]:
    """Yield path, segment and addresses of everything that stands on a segment."""
    for name, interface in lab.gateway.interfaces.items() if lab.gateway else ():
        yield ("gateway", "interfaces", name), interface.segment, interface.addresses
    for name, host in lab.hosts.items():
        yield ("hosts", name), host.segment, host.addresses


def _nodes_on_segments(lab: LabShape, document: Document) -> Iterator[Problem]:
    declared = _declared_segments(document)
    for path, segment, addresses in _placed(lab):
        if segment not in declared:
            yield document.problem(
                "lab-unknown-segment",
                (*path, "segment"),
                segment=segment,
                segments=", ".join(sorted(declared)),
            )
        elif segment in lab.segments:
            yield from _addresses_fit(document, path, addresses, segment, lab.segments[segment].networks)


def _declared_segments(document: Document) -> set[str]:
    # A segment whose own entry is wrong is still declared: its hosts are not to blame.
    segments = _plain(document).get("segments")
    return set(segments) if isinstance(segments, dict) else set()


def _addresses_fit(
    document: Document, path: Path, addresses: Sequence[Address], segment: str, networks: Sequence[Network]
) -> Iterator[Problem]:
    for index, address in enumerate(addresses):
        where = (*path, "addresses", index)
        home = next((network for network in networks if address in network), None)
        if home is None:
            allowed = ", ".join(map(str, networks))
            yield document.problem(
                "lab-address-outside", where, address=str(address), segment=segment, networks=allowed
            )
        elif (
            home.version == 4
            and home.prefixlen < 31
            and address in (home.network_address, home.broadcast_address)
        ):
            yield document.problem("lab-address-not-usable", where, address=str(address), network=str(home))


def _addresses(lab: LabShape, document: Document) -> Iterator[Problem]:
    owners: dict[object, Path] = {}
    for path, _, addresses in _placed(lab):
        for index, address in enumerate(addresses):
            if address in owners:
                yield document.problem(
                    "lab-address-taken",
                    (*path, "addresses", index),
                    address=str(address),
                    other=_said(owners[address]),
                )
            owners.setdefault(address, path)


def _macs(lab: LabShape, document: Document) -> Iterator[Problem]:
    given = [
        (("gateway", "interfaces", n), i.mac)
        for n, i in (lab.gateway.interfaces if lab.gateway else {}).items()
    ]
    given += [(("hosts", name), host.mac) for name, host in lab.hosts.items()]  # type: ignore[misc]
    owners: dict[str, Path] = {}
    for path, mac in given:
        if mac is not None and mac in owners:
            yield document.problem("lab-mac-taken", (*path, "mac"), mac=mac, other=_said(owners[mac]))
        if mac is not None:
            owners.setdefault(mac, path)


def _shapes(lab: LabShape) -> Iterator[tuple[Path, NodeShape, set[str]]]:
    """Yield path, shape and own segments of the gateway and every host."""
    if lab.gateway is not None:
        yield ("gateway",), lab.gateway, {interface.segment for interface in lab.gateway.interfaces.values()}
    for name, host in lab.hosts.items():
        yield ("hosts", name), host, {host.segment}


def _extras(lab: LabShape, document: Document) -> Iterator[Problem]:
    """A node answers for its extra addresses: they may not be somebody else's, or lie on another wire."""
    owned: list[tuple[Network, Path]] = []
    addresses = [(address, path) for path, _, held in _placed(lab) for address in held]
    for path, shape, segments in _shapes(lab):
        for index, network in enumerate(shape.extra_addresses):
            where = (*path, "extra_addresses", index)
            others = [owner for other, owner in owned if _overlap(other, network)]
            others += [owner for address, owner in addresses if address in network and owner[:2] != path[:2]]
            if others:
                yield document.problem(
                    "lab-address-taken", where, address=str(network), other=_said(others[0])
                )
            for name, segment in lab.segments.items():
                if name not in segments and any(_overlap(network, other) for other in segment.networks):
                    yield document.problem("lab-extra-elsewhere", where, address=str(network), segment=name)
            owned.append((network, path))


def _routes(lab: LabShape, document: Document) -> Iterator[Problem]:
    """A next hop must be on a wire of the node, or the kernel refuses the route."""
    for path, shape, segments in _shapes(lab):
        hops = getattr(shape, "default_route", ())
        networks = [
            network for name in segments if name in lab.segments for network in lab.segments[name].networks
        ]
        for index, hop in enumerate(hops if isinstance(hops, list) else ()):
            if networks and not any(hop in network for network in networks):
                yield document.problem(
                    "lab-hop-unreachable", (*path, "default_route", index), address=str(hop)
                )


def _services(lab: LabShape, document: Document) -> Iterator[Problem]:
    for path, shape, _ in _shapes(lab):
        seen: dict[tuple[str, int], str] = {}
        for index, service in enumerate(shape.services):
            door = (service.protocol, service.port)
            if door in seen:
                where = (*path, "services", index)
                yield document.problem(
                    "lab-port-taken", where, port=service.port, protocol=service.protocol, other=seen[door]
                )
            seen.setdefault(door, service.name)


def _plain(document: Document) -> dict[str, Any]:
    data = document.root.plain() if document.root is not None else None
    return data if isinstance(data, dict) else {}


def _overlap(one: Network, other: Network) -> bool:
    return one.version == other.version and one.overlaps(other)


def _said(path: Iterable[str | int]) -> str:
    return ".".join(str(part) for part in path)
