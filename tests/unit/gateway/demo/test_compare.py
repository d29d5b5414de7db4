"""The demonstration can fail: whatever the kernel does otherwise than the policy says is found."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from gateway.demo.compare import ReplayVerdicts, compare_generated, compare_replay
from gateway.demo.generated import Generated, Key
from gateway.filter.engine import OUTBOUND_COPY
from gateway.filter.frames import Unparsed
from gateway.filter.link import RAW, parse_frame
from zones.verdict import TCP, Outcome, Reason, State, Verdict

ALLOW = Verdict(Outcome.ALLOW, Reason.FLOW, "F1", "a", "b")
DENY = Verdict(Outcome.DENY, Reason.GUARD, "G1", "a", "b")
OWNERS = {"10.2.0.1": "bob", "10.2.0.2": "bea"}


def key(sport: int, dst: str = "10.2.0.1") -> Key:
    return Key("10.1.0.1", dst, TCP, sport, 443)


def generated(sport: int, expected: Verdict, dst: str = "10.2.0.1") -> Generated:
    return Generated(
        sender="alice", key=key(sport, dst), description={"id": sport}, kind="first", expected=expected
    )


def event(sport: int, verdict: Verdict, dst: str = "10.2.0.1", **more: Any) -> dict[str, Any]:
    said = {"outcome": str(verdict.outcome), "reason": str(verdict.reason), "decided_by": verdict.decided_by}
    ends = {"src": "10.1.0.1", "dst": dst, "protocol": "tcp", "sport": sport, "dport": 443}
    return {"kind": "packet", **said, **ends, **more}


def arrival(sport: int, dst: str = "10.2.0.1") -> dict[str, Any]:
    return {"src": "10.1.0.1", "dst": dst, "protocol": "tcp", "sport": sport, "dport": 443}


PACKETS = [generated(1, ALLOW), generated(2, DENY), generated(3, ALLOW, dst="10.2.0.99")]
EVENTS = [event(1, ALLOW), event(2, DENY), event(3, ALLOW, dst="10.2.0.99")]
ARRIVED = {"bob": [arrival(1)], "bea": []}


def kinds(
    events: list[dict[str, Any]], arrived: dict[str, list[dict[str, Any]]]
) -> list[tuple[int, str, str]]:
    found = compare_generated(PACKETS, events, arrived, OWNERS)
    assert found.compared == 3
    return [(m.key.sport, m.expected, m.got) for m in found.mismatches]


def test_where_all_agree_nothing_is_found_and_verdicts_are_counted() -> None:
    found = compare_generated(PACKETS, EVENTS, ARRIVED, OWNERS)
    assert (found.compared, found.mismatches) == (3, ())
    assert found.counts == {"allow flow": 2, "deny guard": 1}


def test_a_wrong_verdict_is_found() -> None:
    wrong = [event(1, ALLOW._replace(decided_by="F2")), *EVENTS[1:]]
    assert kinds(wrong, ARRIVED) == [(1, "allow flow F1", "allow flow F2")]
    wrong = [EVENTS[0], event(2, DENY._replace(reason=Reason.DEFAULT_DENY, decided_by=None)), EVENTS[2]]
    assert kinds(wrong, ARRIVED) == [(2, "deny guard G1", "deny default-deny None")]


def test_a_packet_nobody_recorded_is_found() -> None:
    assert kinds(EVENTS[1:], ARRIVED) == [(1, "allow flow F1", "nothing")]
    assert kinds([EVENTS[0], EVENTS[2]], ARRIVED) == [(2, "deny guard G1", "nothing")]


def test_two_verdicts_on_one_packet_are_found_even_if_one_is_right() -> None:
    ((sport, _, got),) = kinds([*EVENTS, event(2, ALLOW)], ARRIVED)
    assert sport == 2
    assert got == "allow flow F1; deny guard G1"


def test_what_may_pass_and_does_not_arrive_is_found() -> None:
    assert kinds(EVENTS, {"bob": [], "bea": []}) == [(1, "arrival at bob", "nothing arrived")]
    # At another host is not where it should be.
    assert kinds(EVENTS, {"bob": [], "bea": [arrival(1)]}) == [(1, "arrival at bob", "nothing arrived")]


def test_what_must_not_pass_and_arrives_anywhere_is_found() -> None:
    for host in ("bob", "bea"):
        arrived = {**ARRIVED, host: [*ARRIVED[host], arrival(2)]}
        assert kinds(EVENTS, arrived) == [(2, "no arrival", "arrived")]
    # Nobody has this address: what arrives there was not for them.
    assert kinds(EVENTS, {"bob": [arrival(1)], "bea": [arrival(3, dst="10.2.0.99")]}) == [
        (3, "no arrival", "arrived")
    ]


def test_events_of_other_kinds_and_packets_nobody_could_read_are_left_out() -> None:
    others = [
        {"kind": "audited", "decided_by": "F9"},
        {"kind": "packet", "unparsed": "cut"},
        {"kind": "apply"},
    ]
    assert kinds([*others, *EVENTS], ARRIVED) == []


# --- the replay against the kernel ---


def frame(sport: int, dst: tuple[int, ...] = (10, 2, 0, 1)) -> Any:
    header = bytes([0x45, 0, 0, 40, 0, 1, 0, 0, 64, TCP, 0, 0, 10, 1, 0, 1, *dst])
    tcp = sport.to_bytes(2, "big") + (443).to_bytes(2, "big") + bytes(8) + bytes([0x50, 2, 0, 0, 0, 0, 0, 0])
    return parse_frame(RAW, header + tcp, 40)


class Wire(NamedTuple):
    wire_length: int = 40


class Seen(NamedTuple):
    """One packet of a replay, as its sink gets it."""

    frame: Any
    verdict: Verdict | None
    connection: int = 0
    marks: int = 0
    packet: Wire = Wire()


def replayed(*records: Seen) -> ReplayVerdicts:
    sink = ReplayVerdicts(OWNERS)
    for record in records:
        sink.packet(record, None)  # type: ignore[arg-type]
    return sink


PASSED = (Seen(frame(1), ALLOW, 1), Seen(frame(1), None, 1, OUTBOUND_COPY))
REFUSED = (Seen(frame(2), DENY),)


def differences(sink: ReplayVerdicts, *events: dict[str, Any]) -> list[tuple[int, str, str]]:
    return [(m.key.sport, m.kind, m.got) for m in compare_replay(sink, events).mismatches]


def test_a_replay_that_says_what_the_kernel_said_has_no_difference() -> None:
    found = compare_replay(replayed(*PASSED, *REFUSED), [event(1, ALLOW), event(2, DENY)])
    assert found.mismatches == ()
    assert (found.compared, found.counts) == (2, {"refused or opened": 2, "forwarded": 1})


def test_a_verdict_only_one_of_them_knows_is_found() -> None:
    sink = replayed(*PASSED, *REFUSED)
    assert differences(sink, event(1, ALLOW)) == [(2, "verdict", "live: 0 of 1")]
    found = differences(sink, event(1, ALLOW), event(2, DENY), event(3, DENY))
    assert found == [(3, "verdict", "live: deny guard G1 (1)")]
    # As often, too: the kernel logs every refusal.
    assert differences(replayed(*REFUSED, *REFUSED), event(2, DENY)) == [(2, "verdict", "live: 1 of 2")]


def test_a_packet_that_left_and_must_not_have_is_found() -> None:
    sink = replayed(*REFUSED, Seen(frame(2), None, 0, OUTBOUND_COPY))
    assert differences(sink, event(2, DENY)) == [(2, "forwarding", "left the gateway (1)")]


def test_a_packet_that_should_have_left_and_did_not_is_found() -> None:
    sink = replayed(Seen(frame(1), ALLOW, 1))
    assert differences(sink, event(1, ALLOW)) == [(1, "forwarding", "did not leave the gateway (1)")]


def test_a_packet_that_left_longer_or_twice_is_found() -> None:
    sink = replayed(PASSED[0], PASSED[1]._replace(packet=Wire(60)))
    assert len(differences(sink, event(1, ALLOW))) == 2
    assert len(differences(replayed(*PASSED, PASSED[1]), event(1, ALLOW))) == 1


def test_of_a_connection_only_its_first_packet_is_said() -> None:
    known = ALLOW._replace(state=State.ESTABLISHED)
    sink = replayed(*PASSED, Seen(frame(1), known, 1), PASSED[1], Seen(frame(1), ALLOW, 1), PASSED[1])
    assert differences(sink, event(1, ALLOW)) == []


@pytest.mark.parametrize("outcome", [Outcome.SANITIZE_WEB])
def test_web_is_refused_packet_by_packet_while_nobody_serves_it(outcome: Outcome) -> None:
    web = ALLOW._replace(outcome=outcome)
    assert differences(replayed(Seen(frame(1), web, 1), Seen(frame(1), web, 1)), *[event(1, web)] * 2) == []


def test_mail_is_turned_and_its_first_packet_said_once() -> None:
    mail = ALLOW._replace(outcome=Outcome.SANITIZE_MAIL)
    sink = replayed(Seen(frame(1), mail, 1), Seen(frame(1), mail._replace(state=State.ESTABLISHED), 1))
    assert differences(sink, event(1, mail)) == []
    assert sink.entered == {}


def test_what_nobody_answers_for_and_what_is_our_own_is_not_expected_to_leave() -> None:
    unowned = Seen(frame(1, (10, 2, 0, 99)), ALLOW, 1)
    ours = Seen(frame(7), ALLOW._replace(source_zone="gateway"), 2)
    unread = Seen(Unparsed.BAD_CHECKSUM, DENY)
    sink = replayed(unowned, ours, unread)
    assert differences(sink, event(1, ALLOW, dst="10.2.0.99"), event(7, ALLOW, source_zone="gateway")) == []
    assert sink.packets == 1
