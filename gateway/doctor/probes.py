"""The probes: one row or one small function for each thing that lab and gateway stand on.

A layer that counts is tried: a namespace is made, a rule set of the kind we compile is loaded in it, a link
is laid. A version number says what a tool could do, not what this machine lets it do.
"""

from __future__ import annotations

import re
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from typing import TYPE_CHECKING, NamedTuple

from gateway.doctor.findings import Cure, Finding, Group, State
from gateway.filter.engines import native_available

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from gateway.doctor.host import Host


class Tool(NamedTuple):
    """A command of the host: the Debian package that brings it, and whether we can do without."""

    command: str
    package: str
    required: bool = False
    version: str = "--version"


TOOLS = (
    Tool("nft", "nftables", required=True),
    Tool("ip", "iproute2", required=True, version="-V"),
    Tool("unshare", "util-linux", required=True),
    Tool("bwrap", "bubblewrap"),
    Tool("conntrack", "conntrack"),
    Tool("tcpdump", "tcpdump"),
    Tool("swaks", "swaks"),
    Tool("docker", "docker.io"),
)

# What the lab asks for: network, mounts and processes of its own, as root of a user namespace. Where a host
# refuses that (in a chroot, say), real root goes without the user namespace, and so does the lab.
NAMESPACE = ("unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
USER_NAMESPACE = (*NAMESPACE, "--user", "--map-root-user")

# The same constructs that the compiler writes; a kernel that takes these takes the real rule set.
RULESET = """
table inet masugata_probe {
    set mg_live { type mark; flags timeout; elements = { 0x1 timeout 400d } }
    chain mg_redirect { type nat hook prerouting priority dstnat; tcp dport 25 redirect to :2525; }
    chain mg_forward {
        type filter hook forward priority filter; policy drop;
        ct state established ct mark @mg_live accept
        iifname "mg0" ip saddr 192.0.2.0/24 tcp dport 443 ct state new ct mark set 0x1 counter accept
        log group 1 counter drop
    }
}
"""
LAY_A_LINK = """
mount -t tmpfs tmpfs /run
mkdir /run/netns
ip netns add mg
ip link add mg0 type veth peer name mg1 netns mg
"""
LOOSE = "/proc/sys/net/netfilter/nf_conntrack_tcp_loose"

# switch of the host → the value that forbids user namespaces, and the line that lifts it
USER_NAMESPACE_SWITCHES = (
    ("/proc/sys/user/max_user_namespaces", "0", "sysctl -w user.max_user_namespaces=15000"),
    ("/proc/sys/kernel/unprivileged_userns_clone", "0", "sysctl -w kernel.unprivileged_userns_clone=1"),
    (
        "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
        "1",
        "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
    ),
)

CAP_NET_ADMIN = 12


def examine(host: Host) -> list[Finding]:
    """Return every finding, in the order of the report. Takes as long as the slowest probe."""
    probes: list[Callable[[Host], Iterable[Finding]]] = [
        tools,
        network,
        isolation,
        engines,
        libraries,
        machine,
    ]
    with ThreadPoolExecutor(max_workers=len(probes)) as pool:
        results = pool.map(lambda probe: list(probe(host)), probes)
        return [finding for found in results for finding in found]


def install_line(package: str) -> Cure:
    """Return the exact line that brings a Debian package."""
    return Cure(code="doctor-cure-install", params={"package": package})


# --- tools -------------------------------------------------------------------------------------------------


def tools(host: Host) -> Iterable[Finding]:
    """Look for each command and ask it for its version."""
    with ThreadPoolExecutor(max_workers=len(TOOLS)) as pool:
        yield from pool.map(lambda tool: _tool(host, tool), TOOLS)


def _tool(host: Host, tool: Tool) -> Finding:
    path = host.find(tool.command)
    if path is None:
        state = State.MISSING if tool.required else State.OPTIONAL
        return Finding(group=Group.TOOLS, name=tool.command, state=state, cure=install_line(tool.package))
    answer = host.run([path, tool.version])
    number = re.search(r"\d+(?:\.\d+)+", answer.text)
    detail = number.group() if answer.ok and number else path
    return Finding(group=Group.TOOLS, name=tool.command, state=State.OK, detail=detail)


# --- network: really tried, in a namespace that goes with the probe -----------------------------------------


class Trial(NamedTuple):
    """A command to try in a fresh namespace, and the part of the kernel to look for when it fails."""

    name: str
    arguments: tuple[str, ...]
    module: str
    stdin: str = ""


TRIALS = (
    # A veth link into a named namespace, as the lab lays one for every host of the city.
    Trial(
        "links",
        ("sh", "-ec", LAY_A_LINK),
        "veth",
    ),
    Trial("packet-filter", ("nft", "-f", "-"), "nf_tables", RULESET),
    # The kernel's leniency towards connections that it has not seen begin; there once tracking is.
    Trial("strict-tracking", ("sh", "-ec", f"nft -f -; echo 0 > {LOOSE}"), "nf_conntrack", RULESET),
)


def network(host: Host) -> Iterable[Finding]:
    """Make a namespace; where that works, try in fresh ones what lab and gateway do in theirs."""
    refusal = host.run([*USER_NAMESPACE, "true"])
    entry: tuple[str, ...] = USER_NAMESPACE
    if not refusal.ok and host.is_root():
        entry = NAMESPACE
        refusal = host.run([*NAMESPACE, "true"])
    if not refusal.ok:
        yield _missing("namespaces", refusal.text, _namespace_cure(host))
        for trial in TRIALS:
            yield _missing(trial.name, "", Cure(code="doctor-cure-namespaces-first"))
        return
    detail = "" if entry is USER_NAMESPACE else "root"
    yield Finding(group=Group.NETWORK, name="namespaces", state=State.OK, detail=detail)
    for trial in TRIALS:
        answer = host.run([*entry, *trial.arguments], trial.stdin)
        cure = Cure(code="doctor-cure-kernel", params={"module": trial.module})
        if answer.ok:
            yield Finding(group=Group.NETWORK, name=trial.name, state=State.OK)
        else:
            yield _missing(trial.name, answer.text, cure)


def _missing(name: str, detail: str, cure: Cure) -> Finding:
    return Finding(group=Group.NETWORK, name=name, state=State.MISSING, detail=detail, cure=cure)


def _namespace_cure(host: Host) -> Cure:
    for path, forbids, line in USER_NAMESPACE_SWITCHES:
        if host.read(path) == forbids:
            return Cure(code="doctor-cure-sysctl", params={"line": line})
    return Cure(code="doctor-cure-container")


# --- isolation, engines, libraries, machine -----------------------------------------------------------------


def isolation(host: Host) -> Iterable[Finding]:
    """Ask the kernel which layers it can put around a worker that reads untrusted bytes."""
    kernel = Cure(code="doctor-cure-newer-kernel")
    landlock = host.landlock_abi()
    layers = (
        ("no-new-privileges", host.no_new_privileges(), State.MISSING, ""),
        ("seccomp", host.seccomp_filter(), State.MISSING, ""),
        ("landlock", landlock > 0, State.OPTIONAL, f"ABI {landlock}"),
    )
    for name, there, otherwise, detail in layers:
        state = State.OK if there else otherwise
        yield Finding(
            group=Group.ISOLATION,
            name=name,
            state=state,
            detail=detail if there else "",
            cure=None if there else kernel,
        )


def engines(host: Host) -> Iterable[Finding]:
    """Name the engines that can answer for a packet."""
    yield Finding(group=Group.ENGINES, name="engine-reference", state=State.OK, detail="Python")
    native = native_available()
    yield Finding(
        group=Group.ENGINES,
        name="engine-native",
        state=State.OK if native else State.OPTIONAL,
        detail="C" if native else "",
        cure=None if native else Cure(code="doctor-cure-compiler"),
    )


_OPTIONAL_EXTRAS = frozenset({"replay"})  # neither lab nor gateway needs them


def libraries(host: Host) -> Iterable[Finding]:
    """Look for the libraries of each extra; those without an extra are needed by every verb."""
    for extra, names in sorted(_required_libraries().items()):
        found = {name: _version(name) for name in names}
        absent = sorted(name for name, version in found.items() if version is None)
        name = f"libraries-{extra}" if extra else "libraries"
        if absent:
            cure = Cure(code="doctor-cure-pip", params={"extra": f"[{extra}]" if extra else ""})
            state = State.OPTIONAL if extra in _OPTIONAL_EXTRAS else State.MISSING
            yield Finding(group=Group.LIBRARIES, name=name, state=state, detail=", ".join(absent), cure=cure)
        else:
            detail = ", ".join(f"{library} {version}" for library, version in sorted(found.items()))
            yield Finding(group=Group.LIBRARIES, name=name, state=State.OK, detail=detail)


def _required_libraries() -> dict[str, list[str]]:
    """Return library names by extra, from our own metadata; tests' and gathering extras left out."""
    wanted: dict[str, list[str]] = {}
    for line in metadata.requires("masugata") or []:
        library = re.match(r"[A-Za-z0-9._-]+", line)
        extra = re.search(r"extra == ['\"]([^'\"]+)['\"]", line)
        name = extra.group(1) if extra else ""
        if library and library.group() != "masugata" and name != "test":
            wanted.setdefault(name, []).append(library.group())
    return wanted


def _version(library: str) -> str | None:
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return None


def machine(host: Host) -> Iterable[Finding]:
    """Say who we are here: the Python, the privilege, the encoding of the terminal."""
    version = ".".join(map(str, sys.version_info[:3]))
    yield Finding(group=Group.HOST, name="python", state=State.OK, detail=version)
    yield _net_admin(host)
    encoding = (sys.stdout.encoding or "").lower().replace("-", "")
    fits = encoding == "utf8"
    yield Finding(
        group=Group.HOST,
        name="utf-8",
        state=State.OK if fits else State.OPTIONAL,
        detail=encoding,
        cure=None if fits else Cure(code="doctor-cure-locale"),
    )


def _net_admin(host: Host) -> Finding:
    status = re.search(r"^CapEff:\s*([0-9a-f]+)", host.read("/proc/self/status") or "", re.MULTILINE)
    held = status is not None and bool(int(status.group(1), 16) >> CAP_NET_ADMIN & 1)
    return Finding(
        group=Group.HOST,
        name="net-admin",
        state=State.OK if held else State.OPTIONAL,
        cure=None if held else Cure(code="doctor-cure-net-admin"),
    )
