"""The demonstration, act by act: each act does something real, shows it, and says whether it held."""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from typing import TYPE_CHECKING, Any

from gateway.demo import asked, mail
from gateway.demo.compare import Comparison, ReplayVerdicts, compare_generated, compare_replay
from gateway.demo.generated import generate

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from gateway.demo.asked import Answer
    from gateway.demo.city import City
    from gateway.replay.summary import Summary

GENERATED_PACKETS = 3000
_DELIVERY_SECONDS = 30.0
_ANSWER_SECONDS = 10.0


@dataclass
class Story:
    """What happened: filled act by act; `held` says whether everything was as it must be."""

    services: int = 0
    sent_mail: bytes = b""
    arrived_mail: bytes = b""
    arrived_seconds: float = 0.0
    answers: tuple[Answer, ...] = ()
    generated: Comparison | None = None
    sent: int = 0
    replayed: Comparison | None = None
    replay: Summary | None = None
    recorded: Mapping[str, Any] = field(default_factory=dict)
    counters: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    gaps: int = 0

    @property
    def mail_held(self) -> bool:
        """Whether one plain-text mail arrived, with its words and without what must not cross."""
        if not self.arrived_mail:
            return False
        parsed = message_from_bytes(self.arrived_mail, policy=policy.default)
        body = parsed.get_content() if parsed.get_content_type() == "text/plain" else ""
        raw = self.arrived_mail.lower()
        return (
            mail.MARKER in str(body)
            and parsed["Message-ID"] == mail.MESSAGE_ID
            and "http://" not in str(body)
            and b"<script" not in raw
            and b"tracker.example/open.gif" not in raw
        )

    @property
    def held(self) -> bool:
        """Whether all of it held."""
        comparisons = (self.generated, self.replayed)
        return (
            self.mail_held
            and bool(self.answers)
            and all(answer.right for answer in self.answers)
            and all(comparison is not None and not comparison.mismatches for comparison in comparisons)
            and self.generated is not None
            and self.generated.compared >= 1000
            and not self.recorded.get("kernel_drops", 1)
            and self.gaps == 0
        )


def send_mail(city: City, story: Story) -> None:
    """Send the mail from the Internet zone's mail host to the LGWAN mail host, and wait for what arrives."""
    target = str(city.plan.node("lg-mail").addresses[0].ip)
    story.sent_mail = mail.build().as_bytes()
    begin = time.monotonic()
    done = city.lab.run("in-mx", [sys.executable, "-m", "gateway.demo.mail", target], timeout=60)
    if done.returncode != 0:
        story.arrived_mail = b""
        (city.directory / "mail-client.log").write_text(done.stderr, encoding="utf-8")
        return
    while time.monotonic() - begin < _DELIVERY_SECONDS:
        kept = sorted(city.mailbox("lg-mail").glob("*.eml"))
        if kept:
            story.arrived_mail = kept[0].read_bytes()
            story.arrived_seconds = time.monotonic() - begin
            return
        time.sleep(0.05)


def ask(city: City, story: Story) -> None:
    """Try every question at once, each from its own host."""
    running = [
        (
            question,
            city.probe(
                question.source, question.method, asked.address_of(city.plan, question), question.port
            ),
        )
        for question in asked.QUESTIONS
    ]
    results = []
    for question, program in running:
        said, _ = program.communicate(timeout=_ANSWER_SECONDS)
        results.append((question, json.loads(said or "{}")))
    city.settle()
    events, now = city.events(), time.time()
    story.answers = tuple(
        asked.Answer(
            question=question,
            service=f"tcp/{question.port}" if question.method == "tcp" else question.method,
            expected=asked.expected_verdict(city.policy, city.plan, question, now),
            result=str(result.get("result", "failed")),
            said=str(result.get("said", "")),
            logged=asked.logged_verdicts(events, city.plan, question),
        )
        for question, result in results
    )


def compare_packets(city: City, story: Story) -> None:
    """Send generated packets through the kernel and hold its verdicts against the policy's."""
    packets = generate(city.policy, city.plan, now=time.time(), count=GENERATED_PACKETS)
    listeners = city.listen()
    story.sent = city.send(packets)
    city.settle()
    arrived = city.arrivals(listeners)
    story.generated = compare_generated(packets, city.events(), arrived, _owners(city))


def _owners(city: City) -> dict[str, str]:
    """Return which host has an address."""
    return {str(address.ip): node.name for node in city.plan.hosts for address in node.addresses}


def replay_capture(city: City, story: Story) -> None:
    """End the capture, replay it, and hold the replay against what the kernel recorded and forwarded."""
    from gateway.filter.engines import engine_by_name
    from gateway.replay.captures import open_capture, read_capture
    from gateway.replay.ingress import ZoneMap
    from gateway.replay.replay import Replay

    story.recorded = city.stop_recorder()
    verdicts = ReplayVerdicts(_owners(city))
    replay = Replay(city.policy, engine_by_name("reference", city.policy), ZoneMap(city.policy), verdicts)
    name = str(city.capture)
    with open_capture(name) as source:
        replay.read(name, read_capture(source, name))
    story.replay = replay.finish()
    events = city.events()
    story.replayed = compare_replay(verdicts, events)
    story.gaps = sum(event["kind"] in {"gap", "fault"} for event in events)


def read_kernel_counters(city: City, story: Story) -> None:
    """Read the counters of flows, guards and reasons from the gateway's kernel."""
    listed = city.lab.run("gateway", ["nft", "-j", "list", "counters"], timeout=30)
    counters = (entry["counter"] for entry in json.loads(listed.stdout)["nftables"] if "counter" in entry)
    story.counters = {c["name"]: (c["packets"], c["bytes"]) for c in counters}


ACTS: tuple[tuple[str, Callable[[City, Story], None]], ...] = (
    ("demo-act-mail", send_mail),
    ("demo-act-ask", ask),
    ("demo-act-generated", compare_packets),
    ("demo-act-counters", read_kernel_counters),
    ("demo-act-replay", replay_capture),
)


def next_steps(directory: Path) -> list[tuple[str, str]]:
    """Return message code and command of what to look at next."""
    state, python = directory / "state", os.path.relpath(sys.executable)
    return [
        ("demo-next-status", "masugata lab status"),
        ("demo-next-exec", f"masugata lab exec in-pc1 -- {python} -m topology.probe tcp 10.20.5.40 443"),
        ("demo-next-audit", f"masugata audit tail {state / 'audit'} -n 20"),
        ("demo-next-mail", f"masugata mail queue --state {state / 'mail'}"),
        ("demo-next-replay", f"masugata replay {directory / 'capture.pcapng'} --policy examples/sample-city"),
        ("demo-next-explain", 'masugata explain examples/sample-city "mn-wsus > in-relay tcp/8530"'),
        ("demo-next-down", "masugata lab down sample-city"),
    ]
