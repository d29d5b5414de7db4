"""A dozen questions to the running city: who tries to reach whom, what the policy says, what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from zones.decide import decide
from zones.verdict import ICMP, TCP, Outcome, PacketKey

if TYPE_CHECKING:
    from collections.abc import Iterable

    from topology.plan import LabPlan, Node
    from zones.model import Policy
    from zones.verdict import Verdict


class Question(NamedTuple):
    """One attempt: from a host to a host (or `gateway`), by `tcp` to a port or by `ping`."""

    source: str
    target: str
    method: str
    port: int = 0


QUESTIONS: tuple[Question, ...] = (
    Question("mn-pc1", "out-web", "tcp", 443),
    Question("mn-pc1", "in-relay", "tcp", 8530),
    Question("mn-pc1", "shinsei-asp", "tcp", 443),
    Question("renkei", "shinsei-asp", "tcp", 443),
    Question("mn-wsus", "lg-wsus", "tcp", 8530),
    Question("mn-core", "gc-app", "tcp", 443),
    Question("lg-wsus", "in-relay", "tcp", 8530),
    Question("lg-pc1", "in-browser", "tcp", 443),
    Question("lg-pc1", "out-web", "tcp", 443),
    Question("lg-pc1", "gateway", "ping"),
    Question("in-pc1", "lg-groupware", "tcp", 443),
    Question("in-pc1", "sc-proxy", "tcp", 8080),
    Question("in-mx", "out-mail", "tcp", 25),
    Question("out-mail", "in-mx", "tcp", 25),
    Question("out-web", "lg-mail", "tcp", 25),
    Question("out-web", "mn-core", "tcp", 443),
)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A question with what the policy says, what the client saw, and what the kernel recorded."""

    question: Question
    service: str
    expected: Verdict
    result: str
    said: str
    logged: tuple[tuple[str, str, str | None], ...]

    @property
    def got(self) -> tuple[str, str, str | None] | None:
        """The kernel's own verdict on the first packet, if it recorded just one."""
        return self.logged[0] if len(set(self.logged)) == 1 else None

    @property
    def right(self) -> bool:
        """Whether the recorded verdict is the policy's, and the client saw as much."""
        expected = (str(self.expected.outcome), str(self.expected.reason), self.expected.decided_by)
        reached = self.result in {"answered", "open"}
        return self.got == expected and reached == (self.expected.outcome is Outcome.ALLOW)


def address_of(plan: LabPlan, question: Question) -> str:
    """Return the address a question is about; the gateway's is the one on the asker's segment."""
    if question.target == plan.gateway.name:
        segment = plan.node(question.source).links[0].segment
        return next(str(link.addresses[0].ip) for link in plan.gateway.links if link.segment == segment)
    return str(plan.node(question.target).addresses[0].ip)


def expected_verdict(policy: Policy, plan: LabPlan, question: Question, now: float) -> Verdict:
    """Return what the policy says of the question's first packet."""
    node: Node = plan.node(question.source)
    segment = node.links[0].segment
    interface = next(link.interface for link in plan.gateway.links if link.segment == segment)
    protocol, dport = (ICMP, 8) if question.method == "ping" else (TCP, question.port)
    source, target = str(node.addresses[0].ip), address_of(plan, question)
    key = PacketKey.of(
        policy.zone_of_interface(interface),
        source,
        target,
        protocol,
        dport,
        sport=49152,
        src_mac=node.links[0].mac,
    )
    return decide(policy, key, now=now)


def logged_verdicts(
    events: Iterable[dict[str, Any]], plan: LabPlan, question: Question
) -> tuple[tuple[str, str, str | None], ...]:
    """Return the verdicts the gateway recorded on the packets of a question."""
    source, target = str(plan.node(question.source).addresses[0].ip), address_of(plan, question)
    wanted = {"src": source, "dst": target, "kind": "packet"}
    port = {} if question.method == "ping" else {"dport": question.port}
    return tuple(
        (event["outcome"], event["reason"], event.get("decided_by"))
        for event in events
        if all(event.get(name) == value for name, value in {**wanted, **port}.items())
    )
