"""`masugata who`: what a policy says about an address, a network or a name, and all that touches it.

Exit codes: 0 it is known, 2 the policy knows nothing of that name, or cannot be used.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from gateway.cli.layout import padded, width
from gateway.cli.policies import moment_meant, policy_of
from gateway.cli.terminal import shared_flags, words
from zones.errors import ExitCode
from zones.model import GATEWAY, Mode
from zones.who import Kind, Role, who

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.cli.terminal import Terminal
    from zones.model import Policy, Selector
    from zones.who import Binding, Holding, Reach, Who


@click.command("who", help=words("who-help"))
@click.argument("asked", metavar="WHO")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option("--now", "now_text", metavar="DATE", help=words("option-now"))
@shared_flags
def command(asked: str, paths: tuple[str, ...], now_text: str | None, *, terminal: Terminal) -> int:
    """Write everything the policy says about one thing."""
    policy = policy_of(paths)
    now = moment_meant(now_text, policy)
    answer = who(policy, asked, now=now)
    moment = datetime.fromtimestamp(now, policy.timezone).isoformat(timespec="minutes")
    if terminal.json_lines:
        terminal.data(who_record(answer, moment))
        return ExitCode.OK
    lines = list(_Words(terminal, answer, policy, moment).lines())
    places = max(width(line.label) for line in lines)
    for line in lines:
        terminal.write(f"{padded(line.label, places)}  {line.text}".rstrip())
    return ExitCode.OK


class _Line(NamedTuple):
    label: str
    text: str


class _Words:
    """An answer as labelled lines: what it is, what it can do, then every flow and guard."""

    def __init__(self, terminal: Terminal, answer: Who, policy: Policy, moment: str) -> None:
        self.say = terminal.words
        self.answer = answer
        self.policy = policy
        self.moment = moment

    def lines(self) -> Iterator[_Line]:
        answer = self.answer
        yield _Line(self.say(f"who-kind-{answer.kind}"), answer.asked)
        yield _Line(self.say("explain-moment"), self.moment)
        yield from self._labelled("who-zone", [self._end(end) for end in answer.ends] or ["-"])
        yield from self._labelled("who-hosts", [self._host(name) for name in answer.hosts])
        yield from self._labelled("who-groups", [self._described("groups", name) for name in answer.groups])
        yield from self._labelled("who-names", [self._name(name) for name in answer.names])
        yield from self._labelled("who-reaches", [self._reach(reach) for reach in answer.reaches] or ["-"])
        by = [self._reach(reach) for reach in answer.reached_by]
        yield from self._labelled("who-reached-by", by or ["-"])
        for role, label in ((Role.SOURCE, "who-from"), (Role.DESTINATION, "who-to")):
            flows = [self._flow(holding) for holding in answer.flows if holding.role is role]
            yield from self._labelled(label, flows or ["-"])
        yield from self._labelled("who-guards", [self._guard(binding) for binding in answer.guards])

    def _labelled(self, code: str, texts: list[str]) -> Iterator[_Line]:
        for number, text in enumerate(texts):
            yield _Line("" if number else self.say(code), text)

    def _end(self, end: Selector) -> str:
        if end.zone == GATEWAY:
            return self.say("who-ours")
        entry = self.policy.zones[end.zone]
        about = f"{end.zone} ({entry.zone_class})"
        if end.networks is None or self.answer.kind is Kind.ADDRESS:
            return about
        return f"{about}: {', '.join(map(str, end.networks))}"

    def _host(self, name: str) -> str:
        host = self.policy.hosts[name]
        addresses = " ".join(
            str(network).removesuffix("/32").removesuffix("/128") for network in host.addresses
        )
        parts = [name, addresses, host.description]
        if host.mac is not None:
            parts.append(f"mac {host.mac}")
        if host.relay is not None and host.relay.never:
            parts.append(self.say("who-no-relay", because=host.relay.because))
        return "  ".join(part for part in parts if part)

    def _described(self, section: str, name: str) -> str:
        entry = getattr(self.policy, section)[name]
        networks = ", ".join(map(str, entry.networks))
        return "  ".join(part for part in (name, networks, entry.description) if part)

    def _name(self, name: str) -> str:
        entry = self.policy.names[name]
        return f"{name}  {', '.join(entry.hosts)}"

    def _reach(self, reach: Reach) -> str:
        action = self.say(f"who-action-{reach.action}")
        return f"{reach.zone}: {action} {', '.join(reach.services)}  ({', '.join(reach.flows)})"

    def _flow(self, holding: Holding) -> str:
        flow = holding.flow
        ends = f"{', '.join(flow.source_names)} > {', '.join(flow.destination_names)}"
        part = "" if holding.whole else f"  {self.say('who-part')}"
        written = f"{flow.id} {flow.action}: {ends} {', '.join(flow.service_names)}"
        return f"{written}  [{self._state(holding)}]{part}"

    def _state(self, holding: Holding) -> str:
        flow = holding.flow
        if flow.mode is not Mode.ENFORCE:
            return self.say(f"who-mode-{flow.mode}")
        if not flow.allowing:
            return self.say("who-denies")
        if holding.barred:
            return self.say("who-barred", ids=", ".join(holding.barred))
        if holding.closed is not None:
            return self.say(f"reason-{holding.closed}")
        if flow.expires is not None:
            return self.say("who-open-until", day=flow.expires)
        return self.say("who-open")

    def _guard(self, binding: Binding) -> str:
        guard = binding.guard
        forbids = ", ".join(guard.actions) or self.say("explain-everything")
        because = f"  ({guard.because})" if guard.because else ""
        ends = f"{', '.join(guard.sources)} > {', '.join(guard.destinations)}"
        return f"{guard.id}: {ends}: {self.say('explain-guard-forbids', actions=forbids)}{because}"


def who_record(answer: Who, moment: str) -> dict[str, Any]:
    """Return the answer as JSON."""
    return {
        "who": answer.asked,
        "kind": answer.kind.value,
        "at": moment,
        "zones": list(answer.zones),
        "networks": [str(network) for end in answer.ends for network in end.networks or ()],
        "hosts": list(answer.hosts),
        "groups": list(answer.groups),
        "names": list(answer.names),
        "reaches": [_reach_record(reach) for reach in answer.reaches],
        "reached_by": [_reach_record(reach) for reach in answer.reached_by],
        "flows": [
            {
                "flow": holding.flow.id,
                "role": holding.role.value,
                "action": holding.flow.action.value,
                "mode": holding.flow.mode.value,
                "whole": holding.whole,
                "open": holding.open,
                "closed": holding.closed,
                "barred": list(holding.barred),
                "from": list(holding.flow.source_names),
                "to": list(holding.flow.destination_names),
                "service": list(holding.flow.service_names),
                "owner": holding.flow.owner,
                "ticket": holding.flow.ticket,
                "expires": holding.flow.expires,
            }
            for holding in answer.flows
        ],
        "guards": [
            {"guard": guard.id, "role": role.value, "actions": list(guard.actions)}
            for guard, role in answer.guards
        ],
    }


def _reach_record(reach: Reach) -> dict[str, Any]:
    return {
        "zone": reach.zone,
        "action": reach.action.value,
        "service": list(reach.services),
        "flows": list(reach.flows),
    }
