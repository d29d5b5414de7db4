"""Policy → nftables: one table that decides as `zones.decide` does.

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
zone pair, `m_` mail of a pair, `t_` its turn to the proxy, `z_` zone), and `/`, which no name of a policy
holds, separates two.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.kernel.answers import audit_rules, flow_chains, pair_chains, refusal_chains, while_live
from gateway.kernel.liveness import live_elements, set_elements, valid_elements
from gateway.kernel.ruleset import address_match, block, elements, log, step_matches
from gateway.kernel.staging import CLOSED_TABLE, TABLES, Ruleset, stage
from zones.address import subtract, whole
from zones.model import GATEWAY, Mode
from zones.program import compile_policy, may_close
from zones.verdict import Outcome, Reason

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from zones.address import Network
    from zones.model import Policy, Zone
    from zones.program import PairProgram, Program, Step

_FAMILIES = ((4, "ip"), (6, "ip6"))
_ADDRESS_TYPE = {4: "ipv4_addr", 6: "ipv6_addr"}
_REDIRECTS = ("icmp type redirect", "icmpv6 type nd-redirect")
HOOKED = ("ingress", "mail", "forward", "input", "output")
"""The chains that hook a policy's table into the kernel."""
# RFC 4861: hop limit 255 proves that a neighbour message was not forwarded to us from elsewhere; from the
# link's own addresses and to them alone, or it would be a way past the guards.
_NEIGHBOUR = "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } ip6 hoplimit 255"
_LINK_SOURCE = "ip6 saddr { ::, fe80::/10 }"
_LINK_DESTINATION = "fe80::/10, ff02::/16"
# What a kernel says to its own links when they come up; refused like the rest, but no news to anybody.
_OWN_CHATTER = ("icmpv6 type { 143, nd-router-solicit, nd-neighbor-solicit } drop", "meta l4proto 2 drop")
_SPOOFED = f"goto r_{Reason.SPOOFED_SOURCE}"
_DEFAULT = f"goto r_{Reason.DEFAULT_DENY}"


def closed_ruleset() -> Ruleset:
    """Return the ruleset that lets nothing pass: loaded before anything else and left behind at the end."""
    own = {"prerouting": "iifname lo accept", "input": "iifname lo accept", "output": "oifname lo accept"}
    hooks = (("prerouting", "raw"), ("forward", "filter"), ("input", "filter"), ("output", "filter"))
    chains = [_base_chain(hook, hook, priority, filter(None, [own.get(hook)])) for hook, priority in hooks]
    return stage(CLOSED_TABLE, chains)


def compile_ruleset(policy: Policy, *, now: float, mail_port: int, table: str = TABLES[0]) -> Ruleset:
    """Return the ruleset that enforces `policy` from `now` on.

    `mail_port` is the port our SMTP proxy listens on. Loading it replaces whatever table of ours is in
    force, in one transaction; loading it twice is the same as once.
    """
    return stage(table, _Writer(policy, compile_policy(policy), now, mail_port).items())


def revision_chain(revision: str) -> str:
    """Return the name of the empty chain that says which policy a loaded table enforces."""
    return f"revision_{revision}"


def _base_chain(name: str, hook: str, priority: str, lines: Iterable[str]) -> list[str]:
    # The nat chain only turns connections: what it leaves alone is judged in `forward`.
    kind, policy = ("nat", "accept") if priority == "dstnat" else ("filter", "drop")
    return block(f"chain {name}", [f"type {kind} hook {hook} priority {priority}; policy {policy};", *lines])


def _vmap(field: str, entries: list[str]) -> list[str]:
    return [f"{field} vmap {{ {', '.join(entries)} }}"] if entries else []


def _matches(field: str, networks: Iterable[Network]) -> Iterator[str]:
    listed = list(networks)
    for version, _ in _FAMILIES:
        if any(network.version == version for network in listed):
            yield address_match(field, listed, version)


class _Writer:
    """Writes the table of one policy, item by item; an item is a set, map, counter or chain as lines."""

    def __init__(self, policy: Policy, program: Program, now: float, mail_port: int) -> None:
        self.policy, self.program, self.now, self.mail_port = policy, program, now, mail_port
        self.zones = [policy.zones[name] for name in sorted(policy.zones)]
        self.flows = sorted(
            (f for f in policy.flows if f.mode is not Mode.DISABLED), key=lambda flow: flow.id
        )

    def items(self) -> Iterator[list[str]]:
        """Yield every item of the table."""
        yield from self.objects()
        yield from refusal_chains(self.policy)
        yield from flow_chains(self.policy)
        yield from pair_chains(self.policy, self.program)
        for zone in self.zones:
            yield from self.zone_chains(zone)
        yield self.ingress()
        yield from self.mail()
        yield from self.forward()
        yield self.input()
        yield self.output()

    def objects(self) -> Iterator[list[str]]:
        """Yield what chains refer to: the revision's mark, counters, sets and maps."""
        yield [f"chain {revision_chain(self.policy.revision)} {{ }}"]
        ids = [flow.id for flow in self.flows] + [guard.id for guard in self.policy.guards]
        yield from ([f"counter f_{entry_id} {{ }}"] for entry_id in ids)
        yield from ([f"counter r_{reason} {{ }}"] for reason in Reason)
        live, valid = live_elements(self.policy, self.now), valid_elements(self.policy, self.now)
        yield _collection("set live", ["type mark", "flags timeout"], set_elements(live))
        yield _collection("set valid", ["type mark", "flags timeout"], set_elements(valid))
        counted = ", ".join(f'{flow.number:#x} : "f_{flow.id}"' for flow in self.flows)
        yield _collection("map flow_counters", ["type mark : counter"], counted)
        for zone in self.zones:
            for version, _ in _FAMILIES:
                declared = [f"type {_ADDRESS_TYPE[version]}", "flags interval"]
                networks = self.policy.networks_of(zone.name, version)
                yield _collection(f"set z_{zone.name}_{version}", declared, elements(networks))

    # --- per zone ------------------------------------------------------------------------------------

    def zone_chains(self, zone: Zone) -> Iterator[list[str]]:
        """Yield what may come in from a zone, what may come to us, and where its addresses must go out."""
        yield block(f"chain from_{zone.name}", self._from(zone))
        own = [f"{match} goto r_{Reason.INVALID_STATE}" for match in _REDIRECTS]
        yield block(f"chain own_{zone.name}", [*own, "accept"])
        elsewhere = [f"{ip} daddr != @z_{zone.name}_{v} goto r_{Reason.MISROUTED}" for v, ip in _FAMILIES]
        yield block(f"chain to_{zone.name}", elsewhere)
        yield block(f"chain about_{zone.name}", self._about(zone))

    def _about(self, zone: Zone) -> Iterator[str]:
        """Yield what an ICMP error from this zone must show: the far end of its connection lies here.

        It quotes what anybody may guess, and carries what its sender likes: from any other zone it would
        be a way past the guards, under the flow of a connection that is none of the sender's.
        """
        for version, ip in _FAMILIES:
            for way in ("original", "reply"):
                yield f"ct direction {way} ct {way} {ip} saddr @z_{zone.name}_{version} goto known"
        yield f"goto r_{Reason.INVALID_STATE}"

    def _from(self, zone: Zone) -> Iterator[str]:
        yield from self._claimed_source(zone)
        yield from self._nowhere()
        yield from (f"{match} goto own_{zone.name}" for match in _matches("daddr", zone.gateway))
        for other in self.zones:
            pair = self.program.pairs.get((zone.name, other.name))
            if pair is not None and pair.guards:
                answer = f"goto g_{pair.guards[0]}"
                yield from (f"{ip} daddr @z_{other.name}_{version} {answer}" for version, ip in _FAMILIES)
        foreign = [address for entry in self.zones if entry.name != zone.name for address in entry.gateway]
        yield from (f"{match} goto r_{Reason.MISROUTED}" for match in _matches("daddr", foreign))
        yield from (f"{match} goto r_{Reason.INVALID_STATE}" for match in _REDIRECTS)
        yield "accept"

    def _claimed_source(self, zone: Zone) -> Iterator[str]:
        """Yield the refusal of sources that are not this zone's, are ours, or come from another MAC."""
        neighbours = self._neighbours(zone)
        yield from (f"{_LINK_SOURCE} {match} accept" for match in neighbours)
        yield from (f"{ip} saddr != @z_{zone.name}_{version} {_SPOOFED}" for version, ip in _FAMILIES)
        ours = [address for entry in self.zones for address in entry.gateway]
        yield from (f"{match} {_SPOOFED}" for match in _matches("saddr", ours))
        for host in self.policy.hosts.values():
            if host.zone == zone.name and host.mac is not None:
                for match in _matches("saddr", host.addresses):
                    yield f"{match} ether saddr != {host.mac} {_SPOOFED}"
        yield from (f"{match} accept" for match in neighbours)

    def _neighbours(self, zone: Zone) -> list[str]:
        """Return the match of neighbour messages to this link: without them nobody reaches us by IPv6."""
        if not self.policy.networks_of(zone.name, 6):
            return []
        ours = elements(address for address in zone.gateway if address.version == 6)
        return [f"{_NEIGHBOUR} ip6 daddr {{ {_LINK_DESTINATION}{', ' if ours else ''}{ours} }}"]

    def _nowhere(self) -> Iterator[str]:
        """Yield the refusal of destinations that no zone owns, the management segment by its own name."""
        managed = self.policy.management.networks if self.policy.management else ()
        yield from (f"{match} goto r_{Reason.MANAGEMENT}" for match in _matches("daddr", managed))
        for version, _ in _FAMILIES:
            owned = [n for zone in self.zones for n in self.policy.networks_of(zone.name, version)]
            nowhere = subtract([whole(version)], owned)
            yield from (f"{match} goto r_{Reason.UNKNOWN_ZONE}" for match in _matches("daddr", nowhere))

    def _by_interface(self, field: str, verdict: str) -> list[str]:
        entries = [f'"{i}" : {verdict}_{zone.name}' for zone in self.zones for i in zone.interfaces]
        return _vmap(field, entries)

    # --- hooks ---------------------------------------------------------------------------------------

    def ingress(self) -> list[str]:
        """Return the first chain every packet meets, before connection tracking."""
        lines = [
            "iifname lo accept",
            *self._management(_SPOOFED),
            *self._by_interface("iifname", "goto from"),
        ]
        return _base_chain("ingress", "prerouting", "raw", [*lines, f"goto r_{Reason.UNKNOWN_ZONE}"])

    def _management(self, otherwise: str) -> list[str]:
        """Return what admits the management segment by its own interface only."""
        if self.policy.management is None:
            return []
        interface = self.policy.management.interface
        admitted = _matches("saddr", self.policy.management.networks)
        neighbours = any(network.version == 6 for network in self.policy.management.networks)
        link = f"{_LINK_SOURCE} {_NEIGHBOUR} ip6 daddr {{ {_LINK_DESTINATION} }}"
        return [
            *([f'iifname "{interface}" {link} accept'] if neighbours else []),
            *(f'iifname "{interface}" {match} accept' for match in admitted),
            f'iifname "{interface}" {otherwise}',
        ]

    def mail(self) -> Iterator[list[str]]:
        """Yield the chains that turn new mail connections to our proxy, unless something outranks them."""
        turned: list[str] = []
        for (source, destination), pair in sorted(self.program.pairs.items()):
            # Mail to ourselves has no next host: its flow is refused in `input`.
            rules = [] if GATEWAY in (source, destination) else self._turn(pair)
            if not rules:
                continue
            chain = f"m_{source}/{destination}"
            yield from self._redirects(pair)
            yield block(f"chain {chain}", rules)
            turned += [
                f'iifname "{i}" {ip} daddr @z_{destination}_{version} goto {chain}'
                for i in self.policy.zones[source].interfaces
                for version, ip in _FAMILIES
                if self.policy.networks_of(destination, version)
            ]
        yield _base_chain("mail", "prerouting", "dstnat", turned)

    def _turn(self, pair: PairProgram) -> list[str]:
        """Return the rules of one pair up to its last mail step; an earlier match leaves it to `forward`."""
        rules: list[str] = []
        kept = 0
        for step in pair.steps:
            mail = step.outcome is Outcome.SANITIZE_MAIL
            answer = f"goto t_{_redirect_name(pair, step)}" if mail else "return"
            rules += [f"{match} {while_live(self.policy, step)}{answer}" for match in step_matches(step)]
            kept = len(rules) if mail else kept
        return rules[:kept]

    def _redirects(self, pair: PairProgram) -> Iterator[list[str]]:
        """Yield what each mail flow of a pair does; the packet never comes to the pair's own chain."""
        audited = [rule for step in pair.audited for rule in audit_rules(step)]
        mail = {_redirect_name(pair, s): s for s in pair.steps if s.outcome is Outcome.SANITIZE_MAIL}
        for name, step in mail.items():
            note = log(step.outcome, step.reason, step.decided_by)
            # nft wants to see that there are ports; a mail flow has no other protocol.
            turn = f"meta l4proto tcp counter name f_{step.decided_by} {note} redirect to :{self.mail_port}"
            yield block(f"chain t_{name}", [*audited, turn])

    def _known(self, *, errors: str = "related") -> list[str]:
        """Return the rules for packets of known connections: they pass while their flow is open."""
        return [
            # What tracking leaves alone has no mark that could be live: router and listener messages.
            f"ct state {{ invalid, untracked }} goto r_{Reason.INVALID_STATE}",
            "ct state established goto known",
            f"ct state related goto {errors}",
        ]

    def forward(self) -> Iterator[list[str]]:
        """Yield what judges packets between zones."""
        enforced = (flow for flow in self.flows if flow.mode is Mode.ENFORCE)
        closing = ", ".join(f"{flow.number:#x} : goto c_{flow.id}" for flow in enforced if may_close(flow))
        yield _collection("map closing", ["type mark : verdict"], closing)
        passing = ["counter name ct mark map @flow_counters", "ct mark @live accept"]
        yield block("chain known", [*passing, "ct mark vmap @closing", _DEFAULT])
        yield block("chain related", [*self._by_interface("iifname", "goto about"), _DEFAULT])
        # During a trial also pairs of which the policy says nothing pass.
        trial = "jump trial" if self.policy.audit_until is not None else None
        pairs = [
            f'"{one}" . "{other}" : {answer}'
            for source in self.zones
            for destination in self.zones
            if (answer := self._pair_chain(source, destination) or trial) is not None
            for one in source.interfaces
            for other in destination.interfaces
        ]
        lines = [
            *self._by_interface("oifname", "jump to"),
            *self._known(),
            *_vmap("iifname . oifname", pairs),
        ]
        yield _base_chain("forward", "forward", "filter", [*lines, _DEFAULT])

    def _pair_chain(self, source: Zone, destination: Zone) -> str | None:
        pair = source.name, destination.name
        return f"goto p_{source.name}/{destination.name}" if pair in self.program.pairs else None

    def _own(self, field: str, *, incoming: bool) -> list[str]:
        """Return what leads to the chains of flows to (or from) the gateway itself."""
        entries = [
            f'"{interface}" : goto p_{source}/{destination}'
            for source, destination in sorted(self.program.pairs)
            if (destination if incoming else source) == GATEWAY
            for interface in self.policy.zones[source if incoming else destination].interfaces
        ]
        return _vmap(field, entries)

    def input(self) -> list[str]:
        """Return what judges packets to us."""
        # Neighbour messages that are not of their link have been refused before.
        lines = ["iifname lo accept", f"{_NEIGHBOUR} accept", *self._management("drop"), *self._known()]
        # The proxied half: its flow was decided, marked and noted when the connection was turned to us.
        lines += ["ct status dnat ct mark @live accept", *self._own("iifname", incoming=True), _DEFAULT]
        return _base_chain("input", "input", "filter", lines)

    def output(self) -> list[str]:
        """Return what judges packets from us: known connections, marked ones, flows from `gateway`."""
        lines = ["oifname lo accept", f"{_NEIGHBOUR} accept", *_OWN_CHATTER]
        if self.policy.management is not None:
            # Answers to the administrators' segment; the gateway opens nothing towards it.
            lines.append(f'oifname "{self.policy.management.interface}" ct state established,related accept')
        return _base_chain(
            "output",
            "output",
            "filter",
            [
                *lines,
                *self._by_interface("oifname", "jump to"),
                # Errors that we write ourselves came in by no interface.
                *self._known(errors="known"),
                *self._own("oifname", incoming=False),
                _DEFAULT,
            ],
        )


def _redirect_name(pair: PairProgram, step: Step) -> str:
    return f"{pair.source}/{pair.destination}/{step.decided_by}"


def _collection(head: str, declared: list[str], content: str) -> list[str]:
    return block(head, [*declared, *([f"elements = {{ {content} }}"] if content else [])])
