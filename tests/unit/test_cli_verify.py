"""`masugata verify`, and the proofs in `check`: what people see, the exit codes, and captures that replay."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from gateway.cli.main import main
from gateway.replay.captures import read_capture
from gateway.replay.packets import Packet

if TYPE_CHECKING:
    from collections.abc import Callable

CITY = str(Path(__file__).resolve().parents[2] / "examples" / "sample-city")
AUTUMN = ("--now", "2026-10-05T10:00")


class Ended(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ended]:
    def call(*arguments: str, stdin: str = "") -> Ended:
        monkeypatch.setattr(sys, "argv", ["masugata", *arguments])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        with pytest.raises(SystemExit) as ended:
            main()
        seen = capsys.readouterr()
        return Ended(int(ended.value.code or 0), seen.out, seen.err)

    return call


def policy(*lines: str, flows: str = "[]", zones: str = "") -> str:
    return "\n".join(
        (
            "schema: 1",
            "meta: {name: two, timezone: Asia/Tokyo}",
            "zones:",
            "  a: {interfaces: [a0], networks: [10.1.0.0/16, '2001:db8:1::/48']}",
            "  b: {interfaces: [b0], networks: [10.2.0.0/16, '2001:db8:2::/48']}",
            zones,
            f"flows: {flows}",
            "invariants:",
            *(f"  - {{id: I{number}, {line}}}" for number, line in enumerate(lines, 1)),
        )
    )


NEVER = "never: {from: a, to: b}"


def test_the_sample_city_is_proved_and_says_on_what_it_rests(run: Callable[..., Ended]) -> None:
    ended = run("verify", CITY, *AUTUMN)

    assert ended.code == 0
    assert "I1: proved over any number of hops\n" in ended.out
    assert "  assumes: lg-wsus never passes on what it receives (" in ended.out
    assert "  without F040, F041: 更新の取得" in ended.out
    assert "7 proved, 0 violated, 0 undecided" in ended.out


def test_without_its_claims_the_chain_of_updates_is_shown_hop_by_hop(run: Callable[..., Ended]) -> None:
    ended = run("verify", CITY, "--distrust-relays", "--invariant", "I1", *AUTUMN)

    assert ended.code == 1
    assert ended.out.splitlines()[:8] == [
        "I1: violated",
        "  basis: ono-2026:6.3.1",
        "  to internet:",
        "    mn-wsus 10.10.5.30 → lg-wsus 10.20.5.30  tcp/8530  allow F019",
        "    lg-wsus 10.20.5.30 → in-relay 10.30.5.30  tcp/8530  allow F040",
        "  to outside:",
        "    mn-wsus 10.10.5.30 → lg-wsus 10.20.5.30  tcp/8530  allow F019",
        "    lg-wsus 10.20.5.30 → in-relay 10.30.5.30  tcp/8530  allow F040",
    ]
    assert "    in-relay 10.30.5.30 → sc-proxy 198.51.100.80  tcp/443  allow F061\n" in ended.out


def test_the_counterexample_as_a_capture_replays_to_the_same_verdicts(
    run: Callable[..., Ended], tmp_path: Path
) -> None:
    capture = str(tmp_path / "counterexample.pcapng")
    verified = run("verify", CITY, "--distrust-relays", "--pcap", capture, "--json", *AUTUMN)
    *results, _ = verified.records

    replayed = run("replay", capture, "--policy", CITY, "--packets", *AUTUMN)

    claimed = {
        step["flow"]
        for result in results
        for e in result["counterexamples"]
        for step in e["steps"]
        if "flow" in step
    }
    assert replayed.code == 0
    assert claimed == {"F012", "F016", "F019", "F040", "F061"}
    assert "0 packets denied" in replayed.out
    assert all(flow in replayed.out for flow in claimed)


@pytest.mark.parametrize(
    "service", ["tcp/443", "udp/53", "icmp/echo-request", "icmp6/echo-request", "proto/47", "sctp/99"]
)
def test_every_kind_of_packet_is_whole(run: Callable[..., Ended], tmp_path: Path, service: str) -> None:
    path, capture = tmp_path / "policy.yaml", str(tmp_path / "x.pcapng")
    path.write_text(policy(NEVER, flows=f"[{{id: F1, from: b, to: a, service: {service}, action: allow}}]"))

    assert run("verify", str(path), "--pcap", capture).code == 1
    replayed = run("replay", capture, "--policy", str(path), "--packets")

    assert "2 packets = 2 judged + 0 not parsed + 0 skipped" in replayed.out
    assert "0 packets denied" in replayed.out


def test_a_reply_carries_data_against_the_direction_of_its_connection(run: Callable[..., Ended]) -> None:
    flows = "[{id: F1, from: b, to: a, service: tcp/443, action: allow}]"

    ended = run("verify", "-", stdin=policy(NEVER, flows=flows))

    assert ended.code == 1
    assert "in the replies to b 10.2.0.10 → a 10.1.0.10  tcp/443  allow F1" in ended.out


def test_a_guard_that_drops_replies_proves_it(run: Callable[..., Ended]) -> None:
    flows = "[{id: F1, from: b, to: a, service: tcp/443, action: allow}]\nguards: [{id: G1, from: a, to: b}]"

    assert run("verify", "-", stdin=policy(NEVER, flows=flows)).code == 0


def test_ipv6_counts(run: Callable[..., Ended]) -> None:
    flows = (
        "[{id: F1, from: a, to: six, service: tcp/443, action: allow}]\n"
        "hosts: {six: {zone: b, ip: '2001:db8:2::5'}}"
    )

    ended = run("verify", "-", stdin=policy(NEVER, flows=flows))

    assert (ended.code, "six 2001:db8:2::5" in ended.out) == (1, True)


_SATURDAYS = "{id: F1, from: a, to: b, service: tcp/443, action: allow, when: {days: sat}}"


def test_a_flow_that_opens_later_breaks_it_at_the_moment_named(
    run: Callable[..., Ended], tmp_path: Path
) -> None:
    city, capture = policy(NEVER, flows=f"[{_SATURDAYS}]"), tmp_path / "broken.pcapng"

    monday = run("verify", "-", "--now", "2026-10-05", "--pcap", str(capture), stdin=city)
    saturday = run("verify", "-", "--now", "2026-10-10", stdin=city)

    assert (monday.code, saturday.code) == (1, 1)
    assert "from 2026-10-10T00:00+09:00" in monday.out
    assert "from 2026-10-10" not in saturday.out
    with capture.open("rb") as stream:
        (first, *_) = read_capture(stream, "-")
    assert isinstance(first, Packet)
    assert first.time_ns == 1_791_558_000_000_000_000  # that Saturday's first second in Japan


def test_a_flow_that_expires_before_it_opens_again_breaks_nothing(run: Callable[..., Ended]) -> None:
    flows = "[" + _SATURDAYS.replace("when:", "expires: 2026-10-09, when:") + "]"

    assert run("verify", "-", "--now", "2026-10-05", stdin=policy(NEVER, flows=flows)).code == 0


def test_what_only_an_approval_would_open_is_a_printed_assumption(run: Callable[..., Ended]) -> None:
    flows = "[" + _SATURDAYS.replace("days: sat", "approval: {people: 2, max_minutes: 60}") + "]"

    ended = run("verify", "-", "--now", "2026-10-05", stdin=policy(NEVER, flows=flows))

    assert ended.code == 0
    assert "assumes: nobody approves F1" in ended.out


_THIRD = "  c: {interfaces: [c0], networks: [10.3.0.0/16]}"
_RELAYED = "hosts: {relay: {zone: c, ip: 10.3.0.5}}"


def _chain(first: str, second: str) -> str:
    return (
        f"[{{id: F1, from: a, to: relay, service: tcp/443, action: allow, {first}}},"
        f" {{id: F2, from: relay, to: b, service: tcp/443, action: allow, {second}}}]\n{_RELAYED}"
    )


def test_a_relay_holds_data_until_the_next_flow_opens(run: Callable[..., Ended]) -> None:
    flows = _chain("when: {days: mon}", "when: {days: sun}")

    city = policy(NEVER, flows=flows, zones=_THIRD)
    ended = run("verify", "-", "--json", "--transitive", "--now", "2026-10-06", stdin=city)

    (example,) = ended.records[0]["counterexamples"]
    assert ended.code == 1
    assert [step["at"][:10] for step in example["steps"]] == ["2026-10-12", "2026-10-18"]


def test_a_chain_whose_second_flow_has_expired_by_then_is_undecided(run: Callable[..., Ended]) -> None:
    flows = _chain("when: {days: mon}", "expires: 2026-10-10")

    city = policy(NEVER, flows=flows, zones=_THIRD)
    ended = run("verify", "-", "--transitive", "--now", "2026-10-06", stdin=city)

    assert (ended.code, "in this order" in ended.out) == (4, True)


def test_a_destination_that_is_a_source_too_is_still_reached_from_elsewhere(
    run: Callable[..., Ended],
) -> None:
    flows = (
        "[{id: F1, from: a, to: srv, service: tcp/443, action: allow}]\nhosts: {srv: {zone: b, ip: 10.2.0.5}}"
    )
    both = "never: {from: [a, b], to: b}"
    beside = "from: [a, srv], to: srv, require_action: [render]"

    ended = run("verify", "-", "--transitive", stdin=policy(both, beside, flows=flows))

    assert ended.code == 1
    assert ended.out.count("→ srv 10.2.0.5  tcp/443  allow F1") == 2


@pytest.mark.parametrize("second", ["10.2.0.6", "[10.2.0.6, 10.2.0.9]"])
@pytest.mark.parametrize("first", ["[10.2.0.6, 10.2.0.7]", "[10.2.0.6, 10.2.0.8]"])
@pytest.mark.parametrize("entry", ["one", "other"])
def test_two_names_of_one_machine_are_as_trusted_as_the_lesser(
    run: Callable[..., Ended], first: str, second: str, entry: str
) -> None:
    flows = (
        f"[{{id: F1, from: a, to: {entry}, service: tcp/443, action: allow}},"
        " {id: F2, from: one, to: c, service: tcp/443, action: allow}]\n"
        f"hosts: {{one: {{zone: b, ip: {first}}},"
        f" other: {{zone: b, ip: {second}, relay: {{never: true, because: x}}}}}}"
    )
    city = policy("never: {from: a, to: c}", flows=flows, zones=_THIRD)

    ended = run("verify", "-", "--transitive", stdin=city)

    assert (ended.code, "allow F2" in ended.out) == (1, True)


def test_what_stays_in_the_zone_it_began_in_is_taken_for_granted_and_said(run: Callable[..., Ended]) -> None:
    flows = (
        "[{id: F1, from: b, to: a, service: tcp/443, action: allow}]\nhosts: {srv: {zone: b, ip: 10.2.0.5}}"
    )

    within = run("verify", "-", "--transitive", stdin=policy("never: {from: b, to: srv}", flows=flows))
    beside = run("verify", "-", "--transitive", stdin=policy("never: {from: a, to: c}", zones=_THIRD))

    assert (within.code, "hosts in 'b' reach each other without it" in within.out) == (0, True)
    assert (beside.code, "reach each other without it" in beside.out) == (0, False)


def test_a_source_sends_from_the_other_addresses_of_its_machine_too(run: Callable[..., Ended]) -> None:
    flows = (
        "[{id: F1, from: other, to: c, service: tcp/443, action: allow}]\n"
        "hosts: {srv: {zone: b, ip: [10.2.0.6, 10.2.0.8], relay: {never: true, because: x}}}\n"
        "groups: {asked: {zone: b, networks: [10.2.0.6/32]}, other: {zone: b, networks: [10.2.0.8/32]}}"
    )
    city = policy("never: {from: asked, to: c}", flows=flows, zones=_THIRD)

    ended = run("verify", "-", "--transitive", stdin=city)

    assert (ended.code, "srv 10.2.0.8 → c" in ended.out) == (1, True)


def test_one_target_that_is_reached_is_enough_where_another_may_not_be_in_time(
    run: Callable[..., Ended],
) -> None:
    flows = (
        "[{id: F1, from: a, to: b, service: tcp/443, action: allow, when: {days: mon-fri}},"
        " {id: F2, from: b, to: c, service: tcp/443, action: allow, expires: 2026-10-04}]"
    )
    saturday = ("--now", "2026-10-03T10:00", "--transitive")

    both = run(
        "verify",
        "-",
        *saturday,
        stdin=policy("never: {from: a, to: [b, c]}", flows=flows, zones=_THIRD),
    )
    last = run("verify", "-", *saturday, stdin=policy("never: {from: a, to: c}", flows=flows, zones=_THIRD))

    assert (both.code, last.code) == (1, 4)
    assert "to b:" in both.out
    assert "to c:" not in both.out


def test_a_guard_does_not_stop_what_we_fetch_ourselves(run: Callable[..., Ended]) -> None:
    flows = (
        "[{id: F1, from: b, to: a, service: tcp/80, action: 'sanitize:web'},"
        " {id: F2, from: b, to: a, service: tcp/443, action: render},"
        " {id: F3, from: b, to: a, service: tcp/22, action: allow}]\n"
        "guards: [{id: G1, from: a, to: b}]"
    )
    lines = [f"never: {{from: a, to: b}}, over: ['{action}']" for action in ("sanitize:web", "render")]

    states = [
        record.get("state")
        for record in run("verify", "-", "--json", stdin=policy(NEVER, *lines, flows=flows)).records
    ]

    assert states[:3] == ["proved", "violated", "violated"]


def test_only_the_required_actions_may_carry_data(run: Callable[..., Ended]) -> None:
    flows = (
        "[{id: F1, from: a, to: b, service: tcp/25, action: 'sanitize:mail'},"
        " {id: F2, from: b, to: a, service: tcp/443, action: render}]"
    )
    both = "from: a, to: b, require_action: ['sanitize:mail', render]"
    mail = "from: a, to: b, require_action: ['sanitize:mail']"

    records = run("verify", "-", "--json", stdin=policy(both, mail, NEVER, flows=flows)).records

    assert [record["state"] for record in records[:-1]] == ["proved", "violated", "proved"]
    assert records[1]["counterexamples"][0]["steps"][0]["action"] == "render"


def test_out_of_time_is_undecided_and_never_safe(run: Callable[..., Ended]) -> None:
    denies = ", ".join(
        f"{{id: D{n}, from: a, to: b, service: [tcp/{n}-{n + 9}], action: deny}}" for n in range(100, 160)
    )
    flows = f"[{denies}, {{id: F1, from: a, to: b, service: tcp/100-110, action: allow}}]"

    ended = run("verify", "-", "--timeout", "0", stdin=policy(NEVER, flows=flows))

    assert ended.code == 4
    assert "I1: undecided, the time or the steps ran out" in ended.out
    assert run("verify", "-", stdin=policy(NEVER, flows=flows)).code == 0


def test_a_domain_name_is_undecided(run: Callable[..., Ended]) -> None:
    names = "\nnames: {cloud: {hosts: ['*.example.jp'], zone: b}}"

    ended = run("verify", "-", stdin=policy("never: {from: a, to: cloud}", flows="[]" + names))

    assert (ended.code, "known by domain name only" in ended.out) == (4, True)


def test_check_proves_too_and_its_exit_code_says_so(run: Callable[..., Ended]) -> None:
    open_ = "[{id: F1, from: a, to: b, service: tcp/443, action: allow}]"
    cloud = "[]\nnames: {cloud: {hosts: ['*.example.jp'], zone: b}}"

    proved = run("check", "-", stdin=policy(NEVER))
    violated = run("check", "-", stdin=policy(NEVER, flows=open_))
    undecided = run("check", "-", stdin=policy("never: {from: a, to: cloud}", flows=cloud))

    assert (proved.code, violated.code, undecided.code) == (0, 1, 4)
    assert "I1: proved" in proved.err
    assert "1 of 1 invariants proved" in proved.out
    assert "a 10.1.0.10 → b 10.2.0.10  tcp/443  allow F1" in violated.out
    assert "0 of 1 invariants proved" in violated.out


def test_an_invariant_that_is_not_there_is_a_usage_error(run: Callable[..., Ended]) -> None:
    ended = run("verify", CITY, "--invariant", "I99")

    assert (ended.code, ended.out) == (2, "")
    assert "no invariant 'I99'" in ended.err


def test_a_capture_that_cannot_be_written_is_said(run: Callable[..., Ended], tmp_path: Path) -> None:
    ended = run("verify", CITY, "--pcap", str(tmp_path / "nowhere" / "x.pcapng"), *AUTUMN)

    assert (ended.code, "cannot write" in ended.err) == (2, True)


@pytest.mark.parametrize("seconds", ["nan", "inf", "-1", "soon"])
def test_a_time_limit_is_a_number_of_seconds(run: Callable[..., Ended], seconds: str) -> None:
    assert run("verify", CITY, "--timeout", seconds).code == 2


@pytest.mark.parametrize("now", ["0001-01-01", "9999-12-31", "2026-W14-1", "20260401", "2026-10-05T10"])
@pytest.mark.parametrize("verb", ["check", "verify", "lint", "expiring", "matrix", "report"])
def test_a_moment_that_is_none_is_an_error_and_no_crash(
    run: Callable[..., Ended], verb: str, now: str
) -> None:
    assert run(verb, CITY, "--now", now).code == 2


def test_a_line_break_in_somebodys_reason_is_no_line_of_ours(run: Callable[..., Ended]) -> None:
    flows = "[{id: F1, from: a, to: b, service: tcp/443, action: allow}]"
    forged = NEVER + ', except: [F1], because: "reviewed\\nI2: proved"'

    ended = run("verify", "-", stdin=policy(forged, NEVER, flows=flows))

    lines = ended.out.splitlines()
    assert [line for line in lines if line.startswith("I2:")] == ["I2: violated"]
