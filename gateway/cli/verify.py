"""`masugata verify`: every invariant proved over all packets, or packets that break it.

Exit codes: 0 all proved, 1 one is violated, 2 the policy or an option cannot be used, 4 one is undecided
(out of time, or it speaks of what no packet shows).
"""

from __future__ import annotations

import time
from datetime import datetime
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gateway.cli.terminal import Seconds, shared_flags, words
from zones.errors import ConfigurationError, ExitCode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.cli.terminal import Terminal
    from zones.model import Invariant, Policy
    from zones.proof.verify import Counterexample, Result, Step

_CODES = {"proved": ExitCode.OK, "violated": ExitCode.FINDING, "undecided": ExitCode.UNDECIDED}


@click.command("verify", help=words("verify-help"))
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option("--transitive", is_flag=True, help=words("option-transitive"))
@click.option("--distrust-relays", is_flag=True, help=words("option-distrust-relays"))
@click.option("--invariant", "ids", multiple=True, metavar="ID", help=words("option-invariant"))
@click.option(
    "--pcap", type=click.Path(path_type=Path, dir_okay=False), metavar="OUT", help=words("option-pcap")
)
@click.option("--timeout", type=Seconds(), metavar="SECONDS", help=words("option-timeout"))
@click.option("--now", "now_text", metavar="DATE", help=words("option-now"))
@shared_flags
def command(
    paths: tuple[str, ...],
    ids: tuple[str, ...],
    pcap: Path | None,
    timeout: float | None,
    now_text: str | None,
    *,
    transitive: bool,
    distrust_relays: bool,
    terminal: Terminal,
) -> int:
    """Write one paragraph for each invariant, then one line that sums up."""
    from gateway.cli.policies import moment_meant, policy_of
    from zones.proof.space import Budget
    from zones.proof.verify import verify

    policy = policy_of(paths)
    now = moment_meant(now_text, policy)
    budget = None
    if timeout is not None:
        deadline = time.monotonic() + timeout
        budget = Budget(steps=1 << 62, expired=lambda: time.monotonic() >= deadline)
    results = []
    for result in verify(
        policy,
        now=now,
        invariants=_chosen(policy, ids),
        transitive=transitive,
        distrust_relays=distrust_relays,
        budget=budget,
    ):
        results.append(result)
        write_result(terminal, policy, result, now)
    if pcap is not None:
        _capture(pcap, policy, results)
    _summary(terminal, policy, results, now)
    return exit_code(results)


def exit_code(results: Sequence[Result]) -> ExitCode:
    """Return what the worst result means: a violation is known, so it goes before what is not."""
    states = {result.state.value for result in results}
    return next((_CODES[state] for state in ("violated", "undecided") if state in states), ExitCode.OK)


def _chosen(policy: Policy, ids: tuple[str, ...]) -> list[Invariant]:
    known = [invariant.id for invariant in policy.invariants]
    for wanted in ids:
        if wanted not in known:
            raise ConfigurationError("unknown-invariant", id=wanted, known=", ".join(known) or "-")
    return [invariant for invariant in policy.invariants if not ids or invariant.id in ids]


# --- words -------------------------------------------------------------------------------------------------


def write_result(terminal: Terminal, policy: Policy, result: Result, now: float) -> None:
    """Write what is known of one invariant, with all a proof rests on or every hop of a counterexample."""
    if terminal.json_lines:
        terminal.data(result_record(terminal, policy, result))
        return
    invariant = result.invariant
    if result.unclear is not None:
        terminal.say("verify-undecided", id=invariant.id, reason=terminal.words(result.unclear))
    elif result.counterexamples:
        terminal.say("verify-violated", id=invariant.id)
    elif result.transitive:
        terminal.say("verify-proved-transitive", id=invariant.id)
    else:
        terminal.say("verify-proved", id=invariant.id)
    if invariant.basis:
        terminal.say("verify-clauses", clauses=", ".join(invariant.basis))
    if invariant.exceptions:
        excepted = ", ".join(invariant.exceptions)
        terminal.say("verify-exceptions", ids=excepted, because=invariant.because or "-")
    for assumption in result.assumptions:
        terminal.say("verify-assumes", assumption=terminal.words(assumption.code, **assumption.params))
    for example in result.counterexamples:
        _write_example(terminal, policy, example, now)


def _write_example(terminal: Terminal, policy: Policy, example: Counterexample, now: float) -> None:
    """Write the hops, and from when on where a flow opens only then."""
    terminal.say("verify-target", target=example.target)
    for step in example.steps:
        _write_step(terminal, step)
        if step.at > now:
            now = step.at
            terminal.say("verify-step-at", moment=_moment(now, policy))


def _moment(seconds: float, policy: Policy) -> str:
    return datetime.fromtimestamp(seconds, policy.timezone).isoformat(timespec="minutes")


def _write_step(terminal: Terminal, step: Step) -> None:
    ends = {"source": _end(step.source, step.source_address)}
    ends["destination"] = _end(step.destination, step.destination_address)
    if step.seen is None:
        terminal.say("verify-step-segment", **ends)
        return
    details = {
        "service": _service(step),
        "action": step.seen.action.value,  # as the policy writes it
        "flow": step.seen.flow or step.seen.verdict.reason.value,
    }
    if step.carried.value != "replied":
        terminal.say("verify-step", **ends, **details)
    else:
        terminal.say("verify-step-reply", **ends, **details)


def _end(name: str, address: tuple[int, int]) -> str:
    from zones.address import address_text

    return f"{name} {address_text(*address)}"


def _service(step: Step) -> str:
    assert step.seen is not None  # noqa: S101  asked for crossings only
    return step.seen.packet.describe().rpartition(" ")[2]


def result_record(terminal: Terminal, policy: Policy, result: Result) -> dict[str, Any]:
    """Return one result as JSON."""
    invariant = result.invariant
    return {
        "invariant": invariant.id,
        "state": result.state.value,
        "transitive": result.transitive,
        "exceptions": list(invariant.exceptions),
        "because": invariant.because,
        "undecided": result.unclear,
        "assumptions": [
            {"code": a.code, **a.params, "message": terminal.words(a.code, **a.params)}
            for a in result.assumptions
        ],
        "counterexamples": [_example_record(example, policy) for example in result.counterexamples],
        "file": invariant.file,
        "line": invariant.line,
    }


def _example_record(example: Counterexample, policy: Policy) -> dict[str, Any]:
    from zones.address import address_text

    return {
        "to": example.target,
        "steps": [
            {
                "at": _moment(step.at, policy),
                "carried": step.carried.value,
                "source": step.source,
                "source_address": address_text(*step.source_address),
                "destination": step.destination,
                "destination_address": address_text(*step.destination_address),
                **(_seen_record(step) if step.seen is not None else {}),
            }
            for step in example.steps
        ],
    }


def _seen_record(step: Step) -> dict[str, Any]:
    from gateway.cli.packets import verdict_record

    assert step.seen is not None  # noqa: S101  asked for crossings only
    record = verdict_record(step.seen.packet, step.seen.verdict)
    return {**record, "flow": step.seen.flow, "action": step.seen.action.value}


def _summary(terminal: Terminal, policy: Policy, results: Sequence[Result], now: float) -> None:
    counts = {state: sum(result.state.value == state for result in results) for state in _CODES}
    moment = _moment(now, policy)
    if terminal.json_lines:
        record = {"verify": "summary", "policy": policy.name, "at": moment, **counts}
        terminal.data({**record, "revision": policy.revision})
        return
    if not results:
        terminal.log("verify-none")
    terminal.say("verify-summary", name=policy.name, moment=moment, **counts, revision=policy.revision[:12])


# --- capture -----------------------------------------------------------------------------------------------


def _capture(path: Path, policy: Policy, results: Sequence[Result]) -> None:
    """Write the packets of all counterexamples, each on an interface of the zone that it comes from."""
    from gateway.cli.frames import frame
    from gateway.replay.packets import Direction
    from gateway.replay.pcapng import PcapngWriter
    from zones.model import GATEWAY

    interfaces = [name for zone in policy.zones.values() for name in zone.interfaces]
    steps = [
        (step.at, step.seen)
        for result in results
        for example in result.counterexamples
        for step in example.steps
        if step.seen is not None
    ]
    try:
        with path.open("wb") as stream:
            writer = PcapngWriter(stream, interfaces)
            at = 0
            # One connection is one conversation, however many chains it is part of. A replay judges by the
            # time of the packet, so each bears the moment at which its flow is open.
            for moment, seen in sorted(dict.fromkeys(steps), key=itemgetter(0)):
                at = max(at, int(moment) * 1_000_000_000)
                packets = [seen.packet] if seen.reply is None else [seen.packet, seen.reply]
                for packet in packets:
                    ours = packet.ingress == GATEWAY
                    zone = seen.verdict.destination_zone if ours else packet.ingress
                    writer.write(
                        interfaces.index(policy.zones[str(zone)].interfaces[0]),
                        at,
                        frame(packet, reply=packet is seen.reply),
                        direction=Direction.OUTBOUND if ours else Direction.INBOUND,
                    )
                    at += 1_000_000
    except OSError as error:
        raise ConfigurationError("pcap-unwritable", path=str(path), detail=error.strerror or "") from error
