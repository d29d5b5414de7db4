"""Segments and datagrams through a real kernel: it takes them for what our tracker takes them for."""

from __future__ import annotations

import itertools
import json
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from gateway.filter.frames import Frame
from gateway.filter.link import parse_frame
from gateway.filter.track import Tracker
from topology.traffic.description import read_description
from topology.traffic.frames import build_frames
from zones.verdict import ICMP, TCP, UDP, State

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(90)]

OPEN = {
    "flows": [
        {"id": "F1", "from": "a", "to": "b", "service": "any", "action": "allow"},
        {"id": "F2", "from": "b", "to": "a", "service": "any", "action": "allow"},
    ]
}
HERE, THERE = "alice", "bob"
ADDRESS = {HERE: "10.1.0.1", THERE: "10.2.0.1"}
MUTE = "table ip mute { chain input { type filter hook input priority 0; meta l4proto { 1, 6, 17 } drop; }; }"
ETHERNET = 1

# `>` goes, `<` comes back; then flags. `+` carries data, `=` repeats the sequence number of the side's last
# segment, `^` begins anew with a sequence number far above the last, `!` will not get there.
CONVERSATIONS = {
    "opens and closes": ">S <SA >A >PA+ <A <PA+ >A >FA <A <FA >A",
    "closed by the server": ">S <SA >A <FA >A >FA <A",
    "both close at once": ">S <SA >A >FA <FA >A <A",
    "data with every flag": ">S <SA >A >PA+ <PA+ >FPA+ <FPA+ >A <A",
    "syn repeated": ">S >S= >S= <SA >A",
    "syn-ack repeated": ">S <SA <SA= >A <SA= >A",
    "everything repeated": ">S >S= <SA <SA= >A >A= >PA+ >PA+= <A <A= >FA >FA= <FA <FA= >A >A=",
    "refused": ">S <RA >A <A >S^",
    "given up": ">S >R <SA >A",
    "given up with an answer": ">S <SA >R <A >A",
    "reset by the server": ">S <SA >A <R >A <A",
    "reset by the client": ">S <SA >A >R <A >PA+",
    "reset while closing": ">S <SA >A >FA <R >A",
    "acknowledgement without a syn": ">A >PA+ <A",
    "syn-ack without a syn": "<SA >A",
    "answer to nothing": ">SA <A",
    "fin without a syn": ">FA <A",
    "reset without a syn": ">R <RA",
    "acknowledged too early": ">S >A <SA >A",
    "the client answers itself": ">S >SA <SA >A",
    "fin too early": ">S >FA! <SA >A",
    "server closes too early": ">S <FA! <SA >A",
    "half-open peer": ">S <A >R >S^ <SA >A",
    "both open at once": ">S <S >SA <SA >A <A >PA+",
    "both open, one syn-ack": ">S <S <SA >A",
    "syn inside": ">S <SA >A >S <A >PA+ <A",
    "syn-ack inside": ">S <SA >A <SA >PA+",
    "syn of the server inside": ">S <SA >A <S >PA+",
    "data after the close": ">S <SA >A >FA <A <FA >A >PA+ <PA+",
    "reopened by the client": ">S <SA >A >FA <A <FA >A >S^ <SA^ >A >PA+",
    "reopened by the server": ">S <SA >A >FA <A <FA >A <S^ >SA^ <A",
    "closed by the server, reopened": ">S <SA >A <FA >A >FA <A >S^ <SA^ >A",
    "reopened after its own reset": ">S <SA >A >R >S^ <SA^ >A",
    "reopened after the server's reset": ">S <SA >A <R >S^ <SA^ >A",
    "reopened after close and reset": ">S <SA >A >FA <A <R >S^ <SA^ >A",
    "challenged while closing": ">S <SA >A >FA <A <FA >S! <A >A",
    "begun again in the middle": ">S <SA >A >PA+ >S^ <SA^ >A >PA+",
    "null": ">S <SA >A > < >A",
    "syn and fin": ">SF! >S <SA >A >SF! <SF! >A",
    "christmas": ">FPU! >S <SA >A >FPU! <FPU! >A",
    "syn and reset": ">SR >S <SA >A",
    "fin alone": ">S <SA >A >F! >A",
    "urgent": ">SU <SA >AU >PAU+ <A >FAU <A",
    "congestion flags": ">SEC <SAE >A >PAC+ <AE",
}


class Step(NamedTuple):
    sender: str
    packet: dict[str, Any]


class Side:
    """One end's sequence numbers."""

    def __init__(self, first: int) -> None:
        self.first = first
        self.next = self.last = 0

    def send(self, word: str) -> int:
        if "=" in word:
            return self.last
        if "^" in word:
            self.first = self.next + 1_000_000
        seq = self.first if "S" in word else self.next
        if "!" not in word:
            self.last, self.next = seq, seq + ("S" in word) + ("F" in word) + 10 * ("+" in word)
        return seq


def conversation(script: str, port: int) -> Iterator[Step]:
    """Segments with the sequence numbers that two sane ends would give them."""
    sides = {">": Side(100_000), "<": Side(500_000_000)}
    for word in script.split():
        me, other = sides[word[0]], sides["<" if word[0] == ">" else ">"]
        flags = "".join(c for c in word if c.isalpha())
        sport, dport = (port, 7000) if word[0] == ">" else (7000, port)
        seq = me.send(word)
        ack = other.next if "A" in flags else 0
        made = {"sport": sport, "dport": dport, "flags": flags, "seq": seq, "ack": ack}
        yield from step(word[0], TCP, **made, payload_len=10 * ("+" in word))


def step(way: str, protocol: int, **more: Any) -> Iterator[Step]:
    here, there = (HERE, THERE) if way == ">" else (THERE, HERE)
    yield Step(here, {"src": ADDRESS[here], "dst": ADDRESS[there], "protocol": protocol, **more})


def exchanges() -> dict[str, list[Step]]:
    """What is not TCP: datagrams, echoes, and errors about them."""

    def udp(way: str, port: int) -> Iterator[Step]:
        sport, dport = (port, 7000) if way == ">" else (7000, port)
        return step(way, UDP, sport=sport, dport=dport)

    def error(way: str, kind: int, about: str, port: int, protocol: str = "udp") -> Iterator[Step]:
        src, dst, sport, dport = ADDRESS[HERE], ADDRESS[THERE], port, 7000
        if about == "<":
            src, dst, sport, dport = dst, src, dport, sport
        quote = {"src": src, "dst": dst, "sport": sport, "dport": dport, "protocol": protocol, "seq": 100_000}
        return step(way, ICMP, icmp_type=kind, icmp_code=1, quote=quote)

    opened = next(conversation(">S", 9100))
    made = {
        "udp, answered": (udp(">", 9000), udp(">", 9000), udp("<", 9000), udp(">", 9000), udp("<", 9000)),
        "udp, from the server": (udp("<", 9001), udp(">", 9001)),
        "udp, refused": (udp(">", 9002), error("<", 3, ">", 9002), udp(">", 9002)),
        "an error about nothing": (error("<", 3, ">", 9003), udp(">", 9003)),
        "an error about the answer": (udp(">", 9004), udp("<", 9004), error(">", 3, "<", 9004)),
        "an error to the wrong end": (udp(">", 9005), error(">", 3, ">", 9005), error("<", 3, "<", 9005)),
        "other errors": (udp(">", 9006), *(error("<", kind, ">", 9006) for kind in (4, 11, 12))),
        "tcp, unreachable": ((opened,), error("<", 3, ">", 9100, "tcp")),
        "echo": (step("<", ICMP, icmp_type=0), step(">", ICMP, icmp_type=8), step("<", ICMP, icmp_type=0)),
        "timestamp": (step(">", ICMP, icmp_type=13), step("<", ICMP, icmp_type=14)),
        "no questions": tuple(step(">", ICMP, icmp_type=kind) for kind in (0, 14, 16, 18, 9, 10, 40, 42)),
        "gre": (step(">", 50), step("<", 50), step(">", 50)),
    }
    return {name: list(itertools.chain.from_iterable(steps)) for name, steps in made.items()}


@pytest.fixture
def silent(town: Any) -> Iterator[None]:
    """Hosts that see everything and say nothing of their own."""
    with ExitStack() as afterwards:
        for host in (HERE, THERE):
            subprocess_ok(town.lab.run(host, ["nft", "-f", "-"], timeout=20, input=MUTE))
            undo = ["nft", "delete", "table", "ip", "mute"]
            afterwards.callback(lambda host=host, undo=undo: town.lab.run(host, undo, timeout=20))
        yield


def subprocess_ok(done: subprocess.CompletedProcess[str]) -> None:
    assert done.returncode == 0, done.stderr


def play(town: Any, plays: dict[str, list[Step]]) -> dict[str, list[int]]:
    """Send the first packet of every play, then the second of every one, and so on; return their numbers."""
    numbers: dict[str, list[int]] = {name: [] for name in plays}
    for turn in itertools.zip_longest(*plays.values()):
        batch: dict[str, list[dict[str, Any]]] = {HERE: [], THERE: []}
        for name, now in zip(plays, turn, strict=True):
            if now is not None:
                numbers[name].append(next(town.ids))
                batch[now.sender].append({"id": numbers[name][-1], **now.packet})
        for sender, packets in batch.items():
            if packets:
                town.send(sender, *packets)
    return numbers


def foreseen(steps: list[Step]) -> list[str]:
    """What the tracker makes of the same packets, where the policy admits every new one."""
    tracker, words = Tracker(), []
    for number, (_, packet) in enumerate(steps):
        description = read_description(json.dumps({"id": 1, **packet}), 1)
        [data] = build_frames(description, "02:00:00:00:00:01", "02:00:00:00:00:02")
        frame = parse_frame(ETHERNET, data, len(data))
        assert isinstance(frame, Frame), frame
        state, entry = tracker.advance(tracker.find(frame.key, number), frame, number)
        word = "invalid" if state is State.INVALID else "known"
        if state is State.NEW and entry is None:
            tracker.admit(frame, number, "F1", local=False)
            word = (
                "new"  # the kernel logs a connection once, so that a repeated opening looks like a known one
            )
        words.append(word)
    return words


def observed(
    enforced: Any, plays: dict[str, list[Step]], numbers: dict[str, list[int]]
) -> dict[str, list[Any]]:
    """What the kernel made of each packet, by what it logged and what arrived."""
    arrived = {number for _, number, _, _ in enforced.town.arrivals()}
    said: dict[int, list[tuple[str, str]]] = {}
    for record in enforced.records():
        said.setdefault(record["id"], []).append((record["outcome"], record["reason"]))
    found: dict[str, list[Any]] = {}
    for name in plays:
        found[name] = [_kernel_state(said.get(n & 0xFFFF, []), n & 0xFFFF in arrived) for n in numbers[name]]
    return found


def _kernel_state(said: list[tuple[str, str]], arrived: bool) -> str:
    if said == [("deny", "invalid-state")] and not arrived:
        return "invalid"
    if said == [("allow", "flow")] and arrived:
        return "new"
    if not said and arrived:
        return "known"
    return f"{said} {'arrived' if arrived else 'lost'}"


def differences(town: Any, plays: dict[str, list[Step]]) -> list[str]:
    with town.enforce(OPEN) as enforced:
        numbers = play(town, plays)
        enforced.settle()
        time.sleep(0.3)
        found = observed(enforced, plays, numbers)
    wrong = []
    for name, steps in plays.items():
        meant = foreseen(steps)
        if meant != found[name]:
            wrong.append(f"{name}: tracker {meant}, kernel {found[name]}")
    return wrong


@pytest.mark.usefixtures("silent")
def test_the_kernel_sees_the_states_our_tables_foresee(town: Any) -> None:
    plays = {
        f"{name} ({script})": list(conversation(script, 10_000 + number))
        for number, (name, script) in enumerate(CONVERSATIONS.items())
    }

    found = differences(town, {**plays, **exchanges()})
    assert found == [], "\n".join(found)
