"""`masugata explain`: the way to a verdict, from the packet to the clause it rests on.

Exit codes: 0 whatever the verdict is, 2 the policy or a packet cannot be used.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from gateway.cli.layout import padded, width
from gateway.cli.packets import asked, packet_flags, packet_text, verdict_record
from gateway.cli.terminal import shared_flags, words
from zones.errors import ExitCode
from zones.explain import explain
from zones.verdict import Reason

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.cli.terminal import Terminal
    from zones.explain import Considered, End, Explanation, Miss
    from zones.model import Flow, Policy


@click.command("explain", help=words("explain-help"))
@packet_flags
@shared_flags
def command(*, terminal: Terminal, **question: Any) -> int:
    """Write the explanation of every packet asked about."""
    case = asked(**question)
    for number, key in enumerate(case.packets):
        explanation = explain(case.policy, key, now=case.now, connection=case.connection)
        if terminal.json_lines:
            terminal.data(explanation_record(explanation, case.policy))
            continue
        if number:
            terminal.write("")
        lines = list(_Words(terminal, explanation, case.policy).lines())
        label_width = max(width(line.label) for line in lines)
        for line in lines:
            # What a text is indented by, its later lines are too: they stay in the column of the texts.
            inner = len(line.text) - len(line.text.lstrip())
            text = f"{padded(line.label, label_width)}  {line.text}"
            terminal.sentence(text, hang=label_width + 2 + inner)
    return ExitCode.OK


class _Line(NamedTuple):
    label: str
    text: str


class _Words:
    """An explanation as labelled lines, in the order in which the decision was made."""

    def __init__(self, terminal: Terminal, explanation: Explanation, policy: Policy) -> None:
        self.say = terminal.words
        self.explanation = explanation
        self.policy = policy

    def lines(self) -> Iterator[_Line]:
        yield from self._packet()
        yield from self._guards()
        yield from self._flows()
        yield from self._verdict()
        yield from self._decisive()
        yield from self._nearest()

    def _packet(self) -> Iterator[_Line]:
        seen = self.explanation
        yield _Line(self.say("explain-packet"), packet_text(seen.key, seen.verdict))
        moment = datetime.fromtimestamp(seen.now, self.policy.timezone).isoformat(timespec="seconds")
        yield _Line(self.say("explain-moment"), moment)
        if seen.connection is not None:
            flow = seen.connection.flow or self.say("explain-nobody")
            yield _Line(
                self.say("explain-state"),
                self.say("explain-connection", state=seen.connection.state.value, flow=flow),
            )
        yield _Line(self.say("explain-source"), self._end(seen.source))
        if seen.verdict.zone_inferred:
            yield _Line("", self.say("explain-inferred"))
        elif seen.verdict.reason is Reason.SPOOFED_SOURCE:
            yield _Line("", self.say("explain-spoofed", ingress=seen.key.ingress))
        yield _Line(self.say("explain-destination"), self._end(seen.destination))

    def _end(self, end: End) -> str:
        names = f" [{', '.join(end.names)}]" if end.names else ""
        params = {"address": end.address, "zone": end.zone or "-", "prefix": end.prefix or "-"}
        return self.say(f"explain-whose-{end.whose}", **params) + names

    def _guards(self) -> Iterator[_Line]:
        for guard, decided in self.explanation.guards:
            forbids = ", ".join(guard.actions) or self.say("explain-everything")
            outcome = self.say("explain-guard-decides" if decided else "explain-guard-silent")
            said = ", ".join([*([guard.because] if guard.because else []), *guard.basis])
            because = f" ({said})" if said else ""
            text = self.say("explain-guard-forbids", actions=forbids)
            yield _Line(self.say("explain-guard", id=guard.id), f"{text}: {outcome}{because}")

    def _flows(self) -> Iterator[_Line]:
        seen = self.explanation
        if not seen.considered:
            return
        matching = [entry.flow for entry in seen.considered if not entry.misses]
        label = self.say("explain-flows")
        yield _Line(
            label,
            self.say("explain-flows-between", count=len(seen.considered), matching=len(matching)),
        )
        for flow in matching:
            yield _Line("", f"{flow.id} {flow.action}")
        for flow_id in seen.verdict.audited:
            yield _Line("", self.say("explain-audited", id=flow_id))

    def _verdict(self) -> Iterator[_Line]:
        verdict = self.explanation.verdict
        outcome = self.say(f"outcome-{verdict.outcome}")
        decided_by = f" {verdict.decided_by}" if verdict.decided_by else ""
        reason = self.say(f"reason-{verdict.reason}")
        yield _Line(self.say("explain-verdict"), f"{outcome}  {verdict.reason}{decided_by}: {reason}")

    def _decisive(self) -> Iterator[_Line]:
        flow = self.explanation.decisive
        if flow is None:
            return
        for label, text in (
            ("explain-flow", f"{flow.id} {flow.action} {_written(flow)}"),
            ("explain-owner", flow.owner),
            ("explain-ticket", flow.ticket),
            ("explain-expires", flow.expires),
            ("explain-justification", flow.justification),
            ("explain-basis", ", ".join(flow.basis)),
            ("explain-place", f"{flow.file}:{flow.line}"),
        ):
            yield _Line(self.say(label), str(text) if text else "-")

    def _nearest(self) -> Iterator[_Line]:
        seen = self.explanation
        if seen.helpless:
            yield _Line(self.say("explain-nearest"), self.say(_helpless_code(seen)))
        for number, entry in enumerate(seen.nearest):
            flow = entry.flow
            label = "" if number else self.say("explain-nearest")
            yield _Line(label, f"{flow.id} {flow.action} {_written(flow)}")
            yield from (_Line("", f"  {self._miss(miss)}") for miss in entry.misses)

    def _miss(self, miss: Miss) -> str:
        params = {"seen": miss.seen, "wanted": miss.wanted, "distance": miss.distance}
        return self.say(f"explain-miss-{miss.field}", **params)


def _helpless_code(seen: Explanation) -> str:
    if any(not guard.actions for guard, _ in seen.guards) and seen.verdict.reason is Reason.GUARD:
        return "explain-helpless-guard"
    if seen.verdict.reason in (Reason.USE_RENDER, Reason.USE_PORTAL):
        return "explain-helpless-way"
    if seen.decisive is not None:
        return "explain-helpless-flow"
    return "explain-helpless-place"


def _written(flow: Flow) -> str:
    ends = (", ".join(flow.source_names), ", ".join(flow.destination_names))
    return f"({ends[0]} > {ends[1]} {', '.join(flow.service_names)})"


def explanation_record(seen: Explanation, policy: Policy) -> dict[str, Any]:
    """Return an explanation as JSON: the verdict of `query`, and the way to it."""
    return {
        **verdict_record(seen.key, seen.verdict),
        "at": datetime.fromtimestamp(seen.now, policy.timezone).isoformat(),
        "connection": None if seen.connection is None else {"flow": seen.connection.flow},
        "from": seen.source._asdict(),
        "to": seen.destination._asdict(),
        "guards": [
            {
                "id": guard.id,
                "actions": list(guard.actions),
                "because": guard.because,
                "basis": list(guard.basis),
                "decided": decided,
            }
            for guard, decided in seen.guards
        ],
        "considered": [_considered_record(entry) for entry in seen.considered],
        "flow": None if seen.decisive is None else _flow_record(seen.decisive),
        "nearest": [_considered_record(entry) for entry in seen.nearest],
        "no_flow_helps": seen.helpless,
    }


def _considered_record(entry: Considered) -> dict[str, Any]:
    return {
        "flow": entry.flow.id,
        "action": entry.flow.action.value,
        "misses": [miss._asdict() for miss in entry.misses],
    }


def _flow_record(flow: Flow) -> dict[str, Any]:
    return {
        "id": flow.id,
        "action": flow.action.value,
        "mode": flow.mode.value,
        "from": list(flow.source_names),
        "to": list(flow.destination_names),
        "service": list(flow.service_names),
        "owner": flow.owner,
        "ticket": flow.ticket,
        "expires": flow.expires,
        "justification": flow.justification,
        "basis": list(flow.basis),
        "file": flow.file,
        "line": flow.line,
    }
