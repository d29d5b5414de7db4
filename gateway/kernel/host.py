"""What the gateway demands of the kernel it stands on: sysctls, interfaces, addresses, the nft command.

A hidden way around the gateway is worse than a gateway that does not start: an interface or an address
that the policy does not name, or a setting that lets the kernel forward, accept or answer on its own, is
refused with the command that cures it.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from gateway.kernel.staging import CLOSED_TABLE, TABLES, forget
from zones.address import host_network, parse_address
from zones.errors import BackendError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gateway.kernel.staging import Ruleset
    from zones.model import Policy

_SYS = Path("/proc/sys")
_SWAPPED = str.maketrans("./", "/.")
NFT_SECONDS = 30

# name → value, with the reason: what the kernel would do by itself otherwise. `{scope}` is all, default and
# every interface that is there: `all` does not reach what was made before (ip-sysctl; in IPv6 it never does).
DEMANDED: dict[str, str] = {
    "net.netfilter.nf_conntrack_tcp_loose": "0",  # a packet from mid-stream would open a connection
    "net.netfilter.nf_conntrack_acct": "1",  # bytes and packets of accepted connections are recorded
    "net.ipv4.conf.{scope}.rp_filter": "0",  # drops unlogged; our own anti-spoofing replaces it
    "net.ipv4.conf.{scope}.arp_ignore": "1",  # answer ARP only for the address on that segment
    "net.ipv4.conf.{scope}.arp_announce": "2",
    "net.ipv4.conf.{scope}.send_redirects": "0",  # would teach hosts a way around us
    "net.ipv4.conf.{scope}.accept_redirects": "0",
    "net.ipv4.conf.{scope}.accept_source_route": "0",  # the sender would choose the way
    "net.ipv4.conf.{scope}.proxy_arp": "0",  # would answer for the addresses of other segments
    "net.ipv4.conf.{scope}.route_localnet": "0",  # would take 127.0.0.0/8 from the wire
    "net.ipv6.conf.{scope}.accept_source_route": "0",
    "net.ipv6.conf.{scope}.accept_redirects": "0",
    "net.ipv6.conf.{scope}.accept_ra": "0",  # a segment would choose our default route
}


class Interface(NamedTuple):
    """One interface of this network namespace with its addresses as (version, integer)."""

    name: str
    up: bool
    addresses: tuple[tuple[int, int], ...]


def demanded_settings(present: Iterable[str] = ()) -> dict[str, str]:
    """Return every sysctl the gateway demands, written out for the interfaces that are present."""
    # As sysctl(8) writes it, a dot in an interface's name (a VLAN) is a slash.
    scopes = ("all", "default", *(name.replace(".", "/") for name in present))
    return {
        name.format(scope=scope): value
        for name, value in DEMANDED.items()
        for scope in (scopes if "{scope}" in name else scopes[:1])
    }


def unmet_settings(present: Iterable[str] = ()) -> dict[str, tuple[str | None, str]]:
    """Return the demanded sysctls that differ: name → (present value, demanded value).

    A family that this kernel has not, or that is off on an interface, demands nothing.
    """
    seen = {name: (read_sysctl(name), value) for name, value in demanded_settings(present).items()}
    return {
        name: pair
        for name, pair in seen.items()
        if pair[0] != pair[1] and (pair[0] is not None or not name.startswith("net.ipv6."))
    }


def read_sysctl(name: str) -> str | None:
    """Return a sysctl's value, or None where this kernel has none of that name."""
    try:
        return _sysctl_path(name).read_text(encoding="ascii").strip()
    except OSError:
        return None


def write_sysctl(name: str, value: str) -> None:
    """Set a sysctl of this network namespace.

    Raises:
        BackendError: the kernel refuses (a read-only /proc/sys, a missing privilege).
    """
    try:
        _sysctl_path(name).write_text(value, encoding="ascii")
    except OSError as error:
        raise BackendError("sysctl-write", name=name, value=value, detail=error.strerror or "") from error


def _sysctl_path(name: str) -> Path:
    return _SYS / name.translate(_SWAPPED)


def set_forwarding(on: bool) -> None:
    """Turn forwarding between interfaces on or off, for both families."""
    for name in ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"):
        if read_sysctl(name) is not None:
            write_sysctl(name, "1" if on else "0")


def demand_settings(present: Iterable[str] = ()) -> None:
    """Set what the gateway may set itself and refuse to go on where that fails.

    Raises:
        BackendError: a setting differs and cannot be changed from here.
    """
    for name, (_, value) in unmet_settings(present).items():
        try:
            write_sysctl(name, value)
        except BackendError as error:
            raise BackendError("sysctl-unmet", name=name, value=value) from error


def interfaces() -> list[Interface]:
    """Return the interfaces of this namespace but the loopback.

    Raises:
        BackendError: there is no working `ip` command.
    """
    listed = json.loads(run_tool("ip", "-json", "address", "show") or "[]")
    return [
        Interface(
            entry["ifname"],
            "UP" in entry.get("flags", ()),
            tuple(
                parse_address(address["local"])
                for address in entry.get("addr_info", ())
                if "local" in address
            ),
        )
        for entry in listed
        if "LOOPBACK" not in entry.get("flags", ())
    ]


def check_interfaces(policy: Policy, present: list[Interface]) -> None:
    """Refuse an interface or address the policy does not name, and a policy whose interfaces are not here.

    Raises:
        BackendError: what is missing, or too much.
    """
    named = {i: zone.name for zone in policy.zones.values() for i in zone.interfaces}
    managed = policy.management.interface if policy.management else None
    there = {interface.name for interface in present if interface.up}
    for name, zone in sorted(named.items()):
        if name not in there:
            raise BackendError("interface-missing", interface=name, zone=zone)
    for interface in present:
        if interface.name == managed:
            continue
        if interface.name not in named:
            if interface.up:
                raise BackendError("interface-unnamed", interface=interface.name)
            continue
        own = policy.zones[named[interface.name]].gateway
        for version, address in interface.addresses:
            network = host_network(version, address)
            link_local = version == 6 and address >> 118 == 0x3FA
            if network not in own and not link_local:
                raise BackendError(
                    "address-unnamed", address=network, interface=interface.name, zone=named[interface.name]
                )


def load_ruleset(text: str) -> None:
    """Load nftables text in one transaction: all of it, or nothing.

    Raises:
        BackendError: nft is missing or refuses the text.
    """
    run_tool("nft", "-f", "-", stdin=text)


def put_in_force(ruleset: Ruleset) -> None:
    """Build a table beside the one in force, then swap the two in one transaction.

    Raises:
        BackendError: nft refuses; what was built is taken away and the old table stays in force.
    """
    try:
        for text in ruleset.stages:
            load_ruleset(text)
        load_ruleset(ruleset.swap)
    except BackendError:
        # A swap that only seemed to fail (nft killed after its commit) has deleted the others: then this
        # table is all that stands between the segments, and it stays.
        if any(list_chains(name) for name in (*TABLES, CLOSED_TABLE) if name != ruleset.table):
            load_ruleset(forget(ruleset.table))
        raise


def list_chains(table: str) -> set[str]:
    """Return the names of the chains of a loaded inet table; empty when there is no such table."""
    listed = json.loads(run_tool("nft", "-j", "list", "chains", "inet") or "{}")
    chains = (entry["chain"] for entry in listed.get("nftables", ()) if "chain" in entry)
    return {chain["name"] for chain in chains if chain["table"] == table}


def read_counters(table: str) -> dict[str, tuple[int, int]]:
    """Return every named counter of an inet table: name → (packets, bytes)."""
    listed = json.loads(run_tool("nft", "-j", "list", "counters", "table", "inet", table) or "{}")
    counters = (entry["counter"] for entry in listed.get("nftables", ()) if "counter" in entry)
    return {c["name"]: (c["packets"], c["bytes"]) for c in counters}


def run_tool(*command: str, stdin: str = "") -> str:
    """Return the output of a host tool.

    Raises:
        BackendError: it is missing, takes too long or fails; its own words are kept.
    """
    try:
        done = subprocess.run(
            command, input=stdin, capture_output=True, text=True, timeout=NFT_SECONDS, check=False
        )
    except FileNotFoundError as error:
        raise BackendError("tool-missing", tool=command[0]) from error
    except subprocess.TimeoutExpired as error:
        raise BackendError("tool-timeout", tool=command[0], seconds=NFT_SECONDS) from error
    if done.returncode != 0:
        detail = done.stderr.strip().splitlines()
        raise BackendError("tool-failed", tool=" ".join(command[:2]), detail=detail[0] if detail else "?")
    return done.stdout
