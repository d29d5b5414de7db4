"""What is said of a word that stands for nothing: what was meant, where anybody can tell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zones.address import parse_network
from zones.nearest import around, full_width, half_width, nearest
from zones.packet import parse_packet
from zones.services import parse_service

if TYPE_CHECKING:
    from collections.abc import Iterable

    from zones.address import Network
    from zones.merge import Merged
    from zones.model import Group, Host

Said = tuple[str, dict[str, object]]
"""The code of a problem and the parameters of its message."""


def unknown_name(name: str, known: Iterable[str]) -> Said:
    """Return what is said of a name that nothing has."""
    names = list(known)
    near = nearest(name, names)
    if near is not None and full_width(name) and half_width(name) == near:
        return _in_full_width(name)
    if near is not None:
        return "unknown-name-near", {"name": name, "suggestion": near}
    if beside := around(name, names):
        return "unknown-number", {"name": name, "suggestion": ", ".join(beside)}
    return "unknown-name", {"name": name}


def unknown_service(name: str) -> Said | None:
    """Return what is said of a service that cannot be read; None where it can only have been a name."""
    plain = half_width(name)
    if plain != name and _is_service(plain):
        return _in_full_width(name)
    # No name has a slash: it was meant as protocol and port.
    return ("bad-service", {"value": name}) if "/" in plain else None


def address_as_name(name: str, hosts: Iterable[Host], groups: Iterable[Group]) -> Said | None:
    """Return what is said of an address where a name is wanted; None if it is no address."""
    address = _address_in(name)
    if address is None:
        return None
    holders = [host.name for host in hosts if address in host.addresses]
    holders += [group.name for group in groups if group.networks == (address,)]
    code = "address-not-name" if holders else "address-without-name"
    return code, {"address": name, "suggestion": ", ".join(holders)}


def unknown_address(name: str) -> Said | None:
    """Return what is said of an address that is one but for its full-width characters; else None."""
    address = _address_in(name)
    return _in_full_width(name) if address is not None and full_width(name) else None


def bad_packet(written: str) -> Said:
    """Return what is said of a packet that cannot be read."""
    plain = half_width(written)
    try:
        parse_packet(plain)
    except ValueError:
        return "bad-packet", {"value": written}
    return _in_full_width(written)


def _in_full_width(written: str) -> Said:
    plain = half_width(written)
    return "full-width", {"value": written, "seen": full_width(written), "suggestion": plain}


def _address_in(name: str) -> Network | None:
    """Return the address or prefix that stands where a name should."""
    try:
        return parse_network(half_width(name))
    except ValueError:
        return None


def _is_service(text: str) -> bool:
    try:
        parse_service(text)
    except ValueError:
        return False
    return True


def keys_written(merged: Merged) -> set[str]:
    """Return every section that stands in the files, valid or not."""
    return {
        key
        for document in merged.documents
        if document.root is not None and isinstance(document.root.value, dict)
        for key in document.root.value
    }


def names_read(merged: Merged) -> set[str]:
    """Return every name and id of an entry that could be read."""
    names = {name for section in merged.named.values() for name in section}
    ids = {getattr(entry, "id", None) for section in merged.ordered.values() for _, _, entry in section}
    return names | {entry_id for entry_id in ids if entry_id is not None}


def names_written(merged: Merged) -> set[str]:
    """Return every name and id that stands in the files, valid or not."""
    names: set[str] = set()
    for document in merged.documents:
        sections = document.root.value if document.root is not None else None
        for section in sections.values() if isinstance(sections, dict) else ():
            if isinstance(section.value, dict):
                names.update(section.value)
            elif isinstance(section.value, list):
                for item in section.value:
                    node = item.value.get("id") if isinstance(item.value, dict) else None
                    if node is not None and isinstance(node.value, str):
                        names.add(node.value)
    return names
