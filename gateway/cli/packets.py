"""The packets a verb is asked about: from arguments or stdin, with what is known of their connection."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from gateway.cli.policies import STDIN, moment_meant, policy_of
from gateway.cli.terminal import words
from zones.address import address_text
from zones.errors import ConfigurationError
from zones.model import ServiceTerm
from zones.question import packets_asked, unknown_name
from zones.services import service_text
from zones.verdict import PROTOCOL_NAMES, Connection, State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from zones.model import Policy
    from zones.verdict import PacketKey, Verdict

_STATES = [state.value for state in State]


class Asked(NamedTuple):
    """Everything one call of `query` or `explain` is about."""

    policy: Policy
    packets: Iterator[PacketKey]
    now: float
    connection: Connection | None


def packet_flags(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a verb the arguments that `asked` reads."""
    for decorate in (
        click.option("--flow", metavar="ID", help=words("option-flow")),
        click.option("--state", type=click.Choice(_STATES), help=words("option-state")),
        click.option("--now", "now_text", metavar="DATE", help=words("option-now")),
        click.option("--policy", "policy_path", metavar="PATH", help=words("option-policy")),
        click.argument("arguments", nargs=-1, required=True, metavar="[PATH] PACKET..."),
    ):
        function = decorate(function)
    return function


def asked(
    arguments: tuple[str, ...],
    policy_path: str | None,
    now_text: str | None,
    state: str | None,
    flow: str | None,
) -> Asked:
    """Return what is asked; packets are read (and refused) one by one.

    Raises:
        ConfigurationError: no policy or packet is named, a wrong moment, or a flow that does not exist.
        PolicyError: the policy has problems.
    """
    if policy_path is None:
        policy_path, *rest = arguments
        arguments = tuple(rest)
    if not arguments:
        raise ConfigurationError("query-nothing-asked")
    if policy_path == STDIN and STDIN in arguments:
        raise ConfigurationError("query-stdin-twice")
    policy = policy_of([policy_path])
    return Asked(
        policy, _packets(policy, arguments), moment_meant(now_text, policy), _connection(policy, state, flow)
    )


def _connection(policy: Policy, state: str | None, flow: str | None) -> Connection | None:
    if flow is not None and policy.flow(flow) is None:
        code, params = unknown_name(flow, (entry.id for entry in policy.flows))
        raise ConfigurationError(code, **params)
    if flow is not None and state is None:
        state = State.ESTABLISHED
    return None if state is None else Connection(State(state), flow)


def _packets(policy: Policy, arguments: tuple[str, ...]) -> Iterator[PacketKey]:
    for argument in arguments:
        if not argument.strip():
            raise ConfigurationError("query-nothing-asked")
        for line in sys.stdin if argument == STDIN else (argument,):
            if line.strip() and not line.lstrip().startswith("#"):
                yield from packets_asked(policy, line.strip())


def verdict_record(key: PacketKey, verdict: Verdict) -> dict[str, Any]:
    """Return a verdict as the JSON of `query` and `explain`."""
    return {
        "packet": packet_text(key, verdict),
        "outcome": verdict.outcome.value,
        "reason": verdict.reason.value,
        "decided_by": verdict.decided_by,
        "source_zone": verdict.source_zone,
        "destination_zone": verdict.destination_zone,
        "state": verdict.state.value,
        "also": list(verdict.also),
        "audited": list(verdict.audited),
        "zone_inferred": verdict.zone_inferred,
        "revision": verdict.revision,
    }


def packet_text(key: PacketKey, verdict: Verdict) -> str:
    """Return the packet with both its zones, in the notation of policy tests."""
    numbered = key.protocol in PROTOCOL_NAMES
    term = ServiceTerm(
        protocol=key.protocol, low=key.dport if numbered else None, high=key.dport if numbered else None
    )
    source = _end(key.ingress or verdict.source_zone, key.version, key.src)
    return f"{source} > {_end(verdict.destination_zone, key.version, key.dst)} {service_text(term)}"


def _end(zone: str | None, version: int, address: int) -> str:
    text = address_text(version, address)
    if zone is None:
        return text
    # A zone called `a` before a bare 2001:db8::1 would read as one longer address.
    return f"{zone}:[{text}]" if version == 6 else f"{zone}:{text}"
