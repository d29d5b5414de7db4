"""Policy → nftables: one table, loaded in one transaction, that decides as `zones.decide` does.

Where each question is asked:

    prerouting raw      is the source where it claims to be; guards; our address on another segment
    prerouting dstnat   new mail connections turned to our own proxy
    forward             connection state; new connections by zone pair, in the order of the program
    input, output       the gateway itself: proxied halves, flows from and to `gateway`, nothing else

A flow's number is the mark of its connections. Packets of a known connection pass while that number is in
the set `live`, whose elements carry time-outs: a flow that expires is cut by the kernel, with nobody there
to ask. Every refusal, and the first packet of every accepted connection, goes to NFLOG with its verdict.

Prefixes of one set must not overlap and names of chains and counters must not be words of the nft
language: every name we make has a prefix (`f_` flow, `c_` closed flow, `g_` guard, `r_` refusal, `p_`
zone pair, `m_` mail of a pair, `z_` zone), and `/`, which no name of a policy holds, separates two.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.kernel.ruleset import address_match, block, elements, log, step_matches
from zones.address import subtract, whole
from zones.expiry import closed_because, open_until
from zones.model import GATEWAY, Action, Mode
from zones.program import compile_policy, may_close
from zones.verdict import Outcome, Reason

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zones.address import Network
    from zones.model import Flow, Policy, Zone
    from zones.program import PairProgram, Program, Step

TABLE = "inet masugata"
TRIAL_MARK = 0x80000000
"""The mark of connections that pass only during a trial; above every flow number."""

_FAMILIES = ((4, "ip"), (6, "ip6"))
_REDIRECTS = ("icmp type redirect", "icmpv6 type nd-redirect")
# RFC 4861: hop limit 255 proves that a neighbour message was not forwarded to us from elsewhere.
_NEIGHBOUR = "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } ip6 hoplimit 255 accept"
# What a kernel says to its own links when they come up; refused like the rest, but no news to anybody.
_OWN_CHATTER = ("icmpv6 type { 143, nd-router-solicit, nd-neighbor-solicit } drop", "meta l4proto 2 drop")
_MAX_TIMEOUT_SECONDS = 400 * 86400


def closed_ruleset() -> str:
    """Return the ruleset that lets nothing pass: loaded before anything else and left behind at the end."""
    hooks = [("ingress", "prerouting", "raw"), ("forward", "forward", "filter")]
    hooks += [("input", "input", "filter"), ("output", "output", "filter")]
    chains: list[str] = []
    for name, hook, priority in hooks:
        local = ["iifname lo accept"] if hook in ("prerouting", "input") else ["oifname lo accept"]
        chains += _base_chain(name, "filter", hook, priority, local if hook != "forward" else [])
    return _table(["chain closed { }", *chains])


def compile_ruleset(policy: Policy, *, now: float, mail_port: int) -> str:
    """Return the nftables text that enforces `policy` from `now` on.

    `mail_port` is the port our SMTP proxy listens on. The text replaces the whole table in one
    transaction; loading it twice is the same as once.
    """
    program = compile_policy(policy)
    writer = _Writer(policy, program, now, mail_port)
    return _table(writer.lines())


def live_elements(policy: Policy, now: float) -> list[tuple[int, float | None]]:
    """Return the numbers of the open flows, each with the seconds it stays open (None: for good)."""
    live: list[tuple[int, float | None]] = []
    for flow in policy.flows:
        if flow.mode is Mode.ENFORCE and flow.allowing and closed_because(flow, now, policy.timezone) is None:
            until = open_until(flow, now, policy.timezone)
            live.append((flow.number, None if until is None else until - now))
    if policy.audit_until_at is not None and now < policy.audit_until_at:
        live.append((TRIAL_MARK, policy.audit_until_at - now))
    return live


def valid_elements(policy: Policy, now: float) -> list[tuple[int, float | None]]:
    """Return the numbers of flows that have hours and have not expired: closed now, they open again."""
    return [
        (flow.number, None if flow.expires_at is None else flow.expires_at - now)
        for flow in policy.flows
        if flow.allowing and flow.hours is not None and (flow.expires_at is None or now < flow.expires_at)
    ]


def set_elements(entries: list[tuple[int, float | None]]) -> str:
    """Return set elements in nft's notation, longest time-out 400 days (the daemon renews it)."""
    return ", ".join(
        f"{number:#x}"
        if seconds is None
        else f"{number:#x} timeout {max(1, int(min(seconds, _MAX_TIMEOUT_SECONDS)))}s"
        for number, seconds in entries
    )


def revision_chain(revision: str) -> str:
    """Return the name of the empty chain that says which policy a loaded table enforces."""
    return f"revision_{revision}"


def _table(lines: list[str]) -> str:
    return "\n".join([f"table {TABLE}", f"delete table {TABLE}", *block(f"table {TABLE}", lines), ""])


def _base_chain(name: str, kind: str, hook: str, priority: str, lines: list[str]) -> list[str]:
    policy = "accept" if kind == "nat" else "drop"
    return block(f"chain {name}", [f"type {kind} hook {hook} priority {priority}; policy {policy};", *lines])


class _Writer:
    """Writes the table of one policy, part by part."""

    def __init__(self, policy: Policy, program: Program, now: float, mail_port: int) -> None:
        self.policy, self.program, self.now, self.mail_port = policy, program, now, mail_port
        self.zones = [policy.zones[name] for name in sorted(policy.zones)]
        self.flows = sorted(
            (f for f in policy.flows if f.mode is not Mode.DISABLED), key=lambda flow: flow.id
        )

    def lines(self) -> list[str]:
        parts = (
            self.names(),
            self.sets(),
            self.refusals(),
            self.flow_chains(),
            self.pair_chains(),
            self.zone_chains(),
            self.ingress(),
            self.mail(),
            self.forward(),
            self.input(),
            self.output(),
        )
        return [line for part in parts for line in part]

    # --- declarations ------------------------------------------------------------------------------

    def names(self) -> Iterator[str]:
        yield f"chain {revision_chain(self.policy.revision)} {{ }}"
        for entry_id in [entry.id for entry in self.flows] + [entry.id for entry in self.policy.guards]:
            yield f"counter f_{entry_id} {{ }}"
        for reason in Reason:
            yield f"counter r_{reason} {{ }}"

    def sets(self) -> Iterator[str]:
        for name, entries in (
            ("live", live_elements(self.policy, self.now)),
            ("valid", valid_elements(self.policy, self.now)),
        ):
            content = [f"elements = {{ {set_elements(entries)} }}"] if entries else []
            yield from block(f"set {name}", ["type mark", "flags timeout", *content])
        counted = ", ".join(f'{flow.number:#x} : "f_{flow.id}"' for flow in self.flows)
        content = [f"elements = {{ {counted} }}"] if counted else []
        yield from block("map flow_counters", ["type mark : counter", *content])
        for zone in self.zones:
            for version, family in _FAMILIES:
                yield from self._address_set(f"z_{zone.name}_{version}", family, zone, version)

    def _address_set(self, name: str, family: str, zone: Zone, version: int) -> Iterator[str]:
        networks = self.policy.networks_of(zone.name, version)
        kind = {"ip": "ipv4_addr", "ip6": "ipv6_addr"}[family]
        content = [f"elements = {{ {elements(networks)} }}"] if networks else []
        yield from block(f"set {name}", [f"type {kind}", "flags interval", *content])

    # --- answers -----------------------------------------------------------------------------------

    def refusals(self) -> Iterator[str]:
        """Yield a chain for each reason that needs no flow, and for each guard."""
        for reason in Reason:
            yield from block(
                f"chain r_{reason}", [f"counter name r_{reason}", log(Outcome.DENY, reason, None), "drop"]
            )
        for guard in self.policy.guards:
            lines = [f"counter name f_{guard.id}", log(Outcome.DENY, Reason.GUARD, guard.id), "drop"]
            yield from block(f"chain g_{guard.id}", lines)

    def flow_chains(self) -> Iterator[str]:
        for flow in self.flows:
            if flow.mode is Mode.ENFORCE and flow.allowing:
                yield from block(f"chain f_{flow.id}", self._admit(flow))
            if may_close(flow):
                yield from block(f"chain c_{flow.id}", self._closed(flow))

    def _admit(self, flow: Flow) -> Iterator[str]:
        """Yield the rules that admit a new connection of an open flow, and note its first packet."""
        yield f"ct mark set {flow.number:#x}"
        yield "ct mark != @live return"
        yield f"counter name f_{flow.id}"
        # UDP without an answer stays `new`: its connection is noted once, when it is not confirmed yet.
        yield "ct status confirmed accept"
        yield log(Outcome.ALLOW, Reason.FLOW, flow.id)
        yield "accept"

    def _closed(self, flow: Flow) -> Iterator[str]:
        yield f"counter name f_{flow.id}"
        if flow.hours is not None:
            waits = flow.hours.approval_people or flow.hours.approval_max_minutes
            reason = Reason.NEEDS_APPROVAL if waits else Reason.OUTSIDE_HOURS
            yield f"ct mark @valid {log(Outcome.DENY, reason, flow.id)} drop"
        yield log(Outcome.DENY, Reason.EXPIRED, flow.id)
        yield "drop"

    # --- zone pairs ----------------------------------------------------------------------------------

    def pair_chains(self) -> Iterator[str]:
        for (source, destination), pair in sorted(self.program.pairs.items()):
            rules = [rule for step in pair.audited for rule in self._audit(step)]
            rules += [rule for step in pair.steps for rule in self._step(step)]
            yield from block(f"chain p_{source}/{destination}", [*rules, self._default(pair)])

    def _audit(self, step: Step) -> Iterator[str]:
        for match in step_matches(step):
            yield f"{match} counter name f_{step.decided_by} {log('audit', Reason.FLOW, step.decided_by)}"

    def _default(self, pair: PairProgram) -> str:
        if self.policy.audit_until is None or GATEWAY in (pair.source, pair.destination):
            return f"goto r_{Reason.DEFAULT_DENY}"
        return "goto trial"

    def _step(self, step: Step) -> Iterator[str]:
        number = self._number(step)
        for match in step_matches(step):
            if step.closed:
                yield f"{match} ct mark set {number} goto c_{step.decided_by}"
            elif step.marked:
                yield f"meta mark {number} {match} jump f_{step.flow}"
            elif step.outcome is Outcome.ALLOW:
                yield f"{match} jump f_{step.flow}"
            elif step.reason is Reason.GUARD:
                yield f"{match} {self._while_live(step)}goto g_{step.decided_by}"
            else:
                yield f"{match} {self._while_live(step)}{self._answer(step)}"

    def _answer(self, step: Step) -> str:
        """Return the refusal of a packet that a flow matched; a sanitize flow never forwards.

        Mail that comes this far was not turned to the proxy (its connection is older than the table).
        """
        note = log(step.outcome, step.reason, step.decided_by)
        if step.outcome is Outcome.SANITIZE_MAIL:
            note = log(Outcome.DENY, Reason.NO_PROXY, step.decided_by)
        return f"counter name f_{step.decided_by} {note} drop"

    def _while_live(self, step: Step) -> str:
        flow = self.policy.flow(step.flow) if step.flow is not None else None
        if flow is None or flow.action is Action.DENY:
            return ""
        return f"ct mark set {self._number(step)} ct mark @live "

    def _number(self, step: Step) -> str:
        flow = self.policy.flow(step.flow) if step.flow is not None else None
        return f"{flow.number:#x}" if flow is not None else "0x0"

    # --- hooks ---------------------------------------------------------------------------------------

    def zone_chains(self) -> Iterator[str]:
        """Yield per zone: what may come in from it, and where its addresses must go out."""
        for zone in self.zones:
            yield from block(f"chain from_{zone.name}", self._from(zone))
            yield from block(
                f"chain to_{zone.name}",
                [
                    f"{ip} daddr != @z_{zone.name}_{version} goto r_{Reason.MISROUTED}"
                    for version, ip in _FAMILIES
                ],
            )
            own = [f"{match} goto r_{Reason.INVALID_STATE}" for match in _REDIRECTS]
            yield from block(f"chain own_{zone.name}", [*own, "accept"])
        if self.policy.audit_until is not None:
            yield from block("chain trial", self._trial())

    def _trial(self) -> Iterator[str]:
        yield f"ct mark set {TRIAL_MARK:#x}"
        yield f"ct mark != @live goto r_{Reason.DEFAULT_DENY}"
        yield f"counter name r_{Reason.WOULD_DENY}"
        yield "ct status confirmed accept"
        yield log(Outcome.ALLOW, Reason.WOULD_DENY, None)
        yield "accept"

    def _from(self, zone: Zone) -> Iterator[str]:
        spoofed = f"goto r_{Reason.SPOOFED_SOURCE}"
        for version, ip in _FAMILIES:
            if version == 6 and self.policy.networks_of(zone.name, 6):
                yield _NEIGHBOUR
            yield f"{ip} saddr != @z_{zone.name}_{version} {spoofed}"
        own = [address for entry in self.zones for address in entry.gateway]
        yield from (f"{match} {spoofed}" for match in self._addresses("saddr", own))
        for host in self.policy.hosts.values():
            if host.zone == zone.name and host.mac is not None:
                for match in self._addresses("saddr", list(host.addresses)):
                    yield f"{match} ether saddr != {host.mac} {spoofed}"
        yield from self._nowhere()
        yield from (f"{match} goto own_{zone.name}" for match in self._addresses("daddr", list(zone.gateway)))
        for other in self.zones:
            pair = self.program.pairs.get((zone.name, other.name))
            if pair is not None and pair.guards:
                for version, ip in _FAMILIES:
                    yield f"{ip} daddr @z_{other.name}_{version} goto g_{pair.guards[0]}"
        foreign = [address for entry in self.zones if entry.name != zone.name for address in entry.gateway]
        yield from (f"{match} goto r_{Reason.MISROUTED}" for match in self._addresses("daddr", foreign))
        yield from (f"{match} goto r_{Reason.INVALID_STATE}" for match in _REDIRECTS)
        yield "accept"

    def _addresses(self, field: str, networks: list[Network]) -> Iterator[str]:
        for version, _ in _FAMILIES:
            if any(network.version == version for network in networks):
                yield address_match(field, networks, version)

    def _nowhere(self) -> Iterator[str]:
        """Yield the refusal of destinations that no zone owns, the management segment by its own name."""
        managed = self.policy.management.networks if self.policy.management else ()
        for match in self._addresses("daddr", list(managed)):
            yield f"{match} goto r_{Reason.MANAGEMENT}"
        for version, _ in _FAMILIES:
            owned = [n for zone in self.zones for n in self.policy.networks_of(zone.name, version)]
            nowhere = list(subtract([whole(version)], owned))
            if nowhere:
                yield f"{address_match('daddr', nowhere, version)} goto r_{Reason.UNKNOWN_ZONE}"

    def _by_interface(self, field: str, verdict: str) -> list[str]:
        """Return `iifname vmap { … }` that leads to each zone's own chain."""
        pairs = ", ".join(f'"{i}" : {verdict}_{zone.name}' for zone in self.zones for i in zone.interfaces)
        return [f"{field} vmap {{ {pairs} }}"]

    def ingress(self) -> list[str]:
        lines = ["iifname lo accept", *self._management(f"goto r_{Reason.SPOOFED_SOURCE}")]
        lines += [*self._by_interface("iifname", "goto from"), f"goto r_{Reason.UNKNOWN_ZONE}"]
        return _base_chain("ingress", "filter", "prerouting", "raw", lines)

    def _management(self, otherwise: str) -> list[str]:
        """Return what admits the management segment by its own interface only."""
        if self.policy.management is None:
            return []
        interface, networks = self.policy.management.interface, list(self.policy.management.networks)
        admitted = [f'iifname "{interface}" {match} accept' for match in self._addresses("saddr", networks)]
        return [*admitted, f'iifname "{interface}" {otherwise}']

    def mail(self) -> list[str]:
        """Return the chains that turn new mail connections to our proxy, unless something outranks them."""
        chains: list[str] = []
        turned: list[str] = []
        for (source, destination), pair in sorted(self.program.pairs.items()):
            rules = self._turn(pair)
            if not rules or source == GATEWAY:
                continue
            chains += block(f"chain m_{source}/{destination}", rules)
            turned += [
                f'iifname "{i}" {ip} daddr @z_{destination}_{version} goto m_{source}/{destination}'
                for i in self.policy.zones[source].interfaces
                for version, ip in _FAMILIES
                if self.policy.networks_of(destination, version)
            ]
        return [*chains, *_base_chain("mail", "nat", "prerouting", "dstnat", turned)]

    def _turn(self, pair: PairProgram) -> list[str]:
        """Return the rules of one pair up to its last mail step; an earlier match leaves it to `forward`."""
        rules: list[str] = []
        kept = 0
        for step in pair.steps:
            mail = step.outcome is Outcome.SANITIZE_MAIL and not step.closed
            for match in step_matches(step):
                live = self._while_live(step)
                if mail:
                    note = log(step.outcome, step.reason, step.decided_by)
                    rules.append(
                        f"{match} {live}counter name f_{step.decided_by} {note} redirect to :{self.mail_port}"
                    )
                else:
                    rules.append(f"{match} {live}return")
            kept = len(rules) if mail else kept
        return rules[:kept]

    def _known(self) -> list[str]:
        """Return the rules for packets of known connections: they pass while their flow is open."""
        return [
            f"ct state invalid goto r_{Reason.INVALID_STATE}",
            "ct state established,related goto known",
        ]

    def forward(self) -> list[str]:
        closing = ", ".join(f"{f.number:#x} : goto c_{f.id}" for f in self.flows if may_close(f))
        known = ["counter name ct mark map @flow_counters", "ct mark @live accept"]
        known += [f"ct mark vmap {{ {closing} }}"] if closing else []
        lines = [*self._by_interface("oifname", "jump to"), *self._known(), *self._pairs("iifname . oifname")]
        return [
            *block("chain known", [*known, f"goto r_{Reason.DEFAULT_DENY}"]),
            *_base_chain("forward", "filter", "forward", "filter", [*lines, f"goto r_{Reason.DEFAULT_DENY}"]),
        ]

    def _pairs(self, field: str) -> list[str]:
        entries = [
            f'"{one}" . "{other}" : goto p_{source}/{destination}'
            for source, destination in sorted(self.program.pairs)
            if GATEWAY not in (source, destination)
            for one in self.policy.zones[source].interfaces
            for other in self.policy.zones[destination].interfaces
        ]
        return [f"{field} vmap {{ {', '.join(entries)} }}"] if entries else []

    def _own(self, field: str, *, incoming: bool) -> list[str]:
        entries = [
            f'"{interface}" : goto p_{source}/{destination}'
            for source, destination in sorted(self.program.pairs)
            if (destination if incoming else source) == GATEWAY
            for interface in self.policy.zones[source if incoming else destination].interfaces
        ]
        return [f"{field} vmap {{ {', '.join(entries)} }}"] if entries else []

    def input(self) -> list[str]:
        lines = ["iifname lo accept", _NEIGHBOUR, *self._management("drop"), *self._known()]
        # The proxied half: its flow was decided, marked and noted when the connection was turned to us.
        lines += ["ct status dnat ct mark @live accept", *self._own("iifname", incoming=True)]
        return _base_chain("input", "filter", "input", "filter", [*lines, f"goto r_{Reason.DEFAULT_DENY}"])

    def output(self) -> list[str]:
        lines = ["oifname lo accept", _NEIGHBOUR, *_OWN_CHATTER]
        if self.policy.management is not None:
            # Answers to the administrators' segment; the gateway opens nothing towards it.
            lines.append(f'oifname "{self.policy.management.interface}" ct state established,related accept')
        lines += [*self._known(), *self._own("oifname", incoming=False)]
        return _base_chain("output", "filter", "output", "filter", [*lines, f"goto r_{Reason.DEFAULT_DENY}"])
