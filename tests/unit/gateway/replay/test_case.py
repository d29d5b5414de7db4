"""Cases out of replays: the suite's own runner accepts them, and anonymous ones have the same verdicts."""

from __future__ import annotations

import json
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

import gateway.messages
from gateway.cli.terminal import Terminal
from gateway.filter.reference import ReferenceEngine
from gateway.replay.anonymise import Anonymiser
from gateway.replay.captures import open_capture, read_capture
from gateway.replay.case import Case
from gateway.replay.ingress import ZoneMap, parse_map
from gateway.replay.options import Options
from gateway.replay.packets import Packet
from gateway.replay.replay import Replay
from gateway.replay.selection import Selection
from zones.errors import ConfigurationError
from zones.load import read_policy

if TYPE_CHECKING:
    from collections.abc import Callable

assert gateway.messages, "declares the words"
CORPUS = Path(__file__).parents[3] / "corpus"
CASES = sorted(CORPUS.glob("replay-*"))
TALK = CORPUS / "replay-tcp-conversation"
KEY = bytes(range(32))


def save(case: Path, directory: Path, *only: str, anonymise: bool = False, policy: Path | None = None) -> str:
    """Save a case out of one of the corpus; return what was said to people."""
    import io

    options = json.loads((case / "expected.json").read_text())["options"]
    (capture,) = case.glob("capture.*")
    given = Options(
        files=(str(capture),),
        policy=policy or case / "policy.yaml",
        mapping=tuple(options[1::2]),
        save_case=directory,
        only=only,
        anonymise=anonymise,
    )
    loaded = read_policy(given.policy)
    sink = Case(given)
    zones = ZoneMap(loaded, parse_map(given.mapping, loaded))
    replay = Replay(loaded, ReferenceEngine(loaded), zones, sink)
    with open_capture(str(capture)) as source:
        replay.read(capture.name, read_capture(source, capture.name))
    replay.finish()
    said = io.StringIO()
    sink.write(loaded, Terminal(err=said))
    return said.getvalue()


def decisions(case: Path) -> list[tuple[object, ...]]:
    rows = json.loads((case / "expected.json").read_text())["packets"]
    keys = ("outcome", "reason", "decided_by", "state", "unparsed")
    return [tuple(row[key] for key in keys) for row in rows]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_case_saved_whole_is_one_the_runner_accepts_with_the_same_verdicts(
    case: Path, tmp_path: Path, check_case: Callable[[Path], None]
) -> None:
    said = save(case, tmp_path / "case")

    check_case(tmp_path / "case")
    if "not in the case" not in said:
        assert decisions(tmp_path / "case") == decisions(case)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_an_anonymous_case_has_the_same_verdicts_and_other_addresses(
    case: Path, tmp_path: Path, check_case: Callable[[Path], None]
) -> None:
    try:
        save(case, tmp_path / "case", anonymise=True)
    except ConfigurationError as error:
        assert error.code == "replay-case-empty"  # noqa: PT017  nothing in it could be parsed
        return
    check_case(tmp_path / "case")
    kept = [row for row in decisions(case) if row[4] is None]
    assert len(decisions(tmp_path / "case")) <= len(kept)
    assert set(decisions(tmp_path / "case")) <= set(kept)


def test_nothing_of_the_content_is_left_in_an_anonymous_case(tmp_path: Path) -> None:
    save(TALK, tmp_path / "case", anonymise=True)
    data = (tmp_path / "case" / "capture.pcapng").read_bytes()

    assert ip_address("10.20.16.11").packed not in data
    with open_capture(str(tmp_path / "case" / "capture.pcapng")) as file:
        packets = [item for item in read_capture(file, "x") if isinstance(item, Packet)]
    assert len(packets) == 9
    assert all(len(packet.data) <= 14 + 20 + 60 for packet in packets)


def test_a_case_of_a_policy_in_several_files_keeps_the_files(
    tmp_path: Path, check_case: Callable[[Path], None]
) -> None:
    policy = tmp_path / "policy"
    policy.mkdir()
    text = (TALK / "policy.yaml").read_text()
    head, flows = text.split("flows:\n")
    (policy / "1.yaml").write_text(head)
    (policy / "2.yaml").write_text("flows:\n" + flows)
    save(TALK, tmp_path / "case", policy=policy)

    check_case(tmp_path / "case")
    assert sorted(p.name for p in (tmp_path / "case" / "policy").iterdir()) == ["1.yaml", "2.yaml"]


def test_packets_without_what_came_before_them_are_told(tmp_path: Path) -> None:
    said = save(TALK, tmp_path / "case", "5-9")

    assert "5 packets" in said
    assert "4 packets get another verdict" in said
    assert save(TALK, tmp_path / "flow", "flow=1").count("another verdict") == 0


@pytest.mark.parametrize(
    ("only", "numbers"),
    [
        (["3"], [3]),
        (["2-4", "9"], [2, 3, 4, 9]),
        (["capture.pcapng:8-9"], [8, 9]),
        (["other.pcap:8-9"], []),
        (["denied"], [9]),
        (["flow=2"], [9]),
        (["by=F020"], [1, 2, 3, 4, 5, 6, 7, 8]),
        (["reason=default-deny"], [9]),
        (["host=10.20.16.11"], list(range(1, 10))),
        (["host=10.99.0.0/16"], []),
        ([], list(range(1, 10))),
    ],
)
def test_packets_are_chosen_by_what_any_selector_says(only: list[str], numbers: list[int]) -> None:
    policy = read_policy(TALK / "policy.yaml")
    selection = Selection(only)
    chosen: list[int] = []

    class Chosen:
        wants_packets = True

        def packet(self, record: object, flow: object) -> None:
            if selection.holds(record, flow):  # type: ignore[arg-type]
                chosen.append(record.number)  # type: ignore[attr-defined]

        def flow(self, record: object) -> None:
            pass

    with open_capture(str(TALK / "capture.pcapng")) as file:
        replay = Replay(policy, ReferenceEngine(policy), ZoneMap(policy), Chosen())
        replay.read("a/capture.pcapng", read_capture(file, "x"))
    assert chosen == numbers


@pytest.mark.parametrize(
    "selector", ["", "0", "9-3", "-4", "flow=x", "host=nowhere", "host=", "reason=because", "deny", "by="]
)
def test_a_selector_that_says_nothing_is_refused(selector: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Selection([selector])
    assert caught.value.code == "replay-only-syntax"


def test_a_case_is_never_written_over_anything(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("precious")
    with pytest.raises(ConfigurationError) as caught:
        save(TALK, tmp_path)

    assert caught.value.code == "replay-case-exists"
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_case_without_packets_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        save(TALK, tmp_path / "case", "host=10.99.0.1")

    assert caught.value.code == "replay-case-empty"
    assert not (tmp_path / "case").exists()


def test_a_case_holds_no_more_than_a_case_should(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.replay.case.MAX_PACKETS", 5)
    with pytest.raises(ConfigurationError) as caught:
        save(TALK, tmp_path / "case")

    assert caught.value.code == "replay-case-too-large"


POLICY = read_policy(TALK / "policy.yaml")
NETWORKS = [
    *(str(network) for zone in POLICY.zones.values() for network in (*zone.networks, *zone.gateway)),
    *(str(network) for host in POLICY.hosts.values() for network in host.addresses),
    "127.0.0.0/8",
    "224.0.0.0/4",
    "fe80::/10",
]
V4 = st.one_of(
    st.integers(0, 2**32 - 1), st.integers(0x0A000000, 0x0A1FFFFF), st.integers(0x0A140000, 0x0A14FFFF)
)


def shared_bits(one: int, other: int, bits: int) -> int:
    return bits - (one ^ other).bit_length()


@given(V4, V4)
def test_new_ipv4_addresses_lie_in_the_same_networks_and_share_the_same_prefixes(
    one: int, other: int
) -> None:
    anonymiser = Anonymiser(POLICY, key=KEY)
    new, new_other = anonymiser.address(4, one), anonymiser.address(4, other)

    assert [ip_address(one) in ip_network(n) for n in NETWORKS] == [
        ip_address(new) in ip_network(n) for n in NETWORKS
    ]
    assert shared_bits(new, new_other, 32) == shared_bits(one, other, 32)
    assert POLICY.zone_of(4, one) == POLICY.zone_of(4, new)


@given(st.integers(0, 2**128 - 1), st.integers(0, 127))
def test_new_ipv6_addresses_keep_zone_and_prefixes(address: int, flipped: int) -> None:
    anonymiser = Anonymiser(POLICY, key=KEY)
    other = address ^ 1 << flipped
    new, new_other = anonymiser.address(6, address), anonymiser.address(6, other)

    assert POLICY.zone_of(6, address) == POLICY.zone_of(6, new)
    assert shared_bits(new, new_other, 128) == shared_bits(address, other, 128)


def test_another_key_gives_other_addresses_and_hosts_of_the_policy_keep_theirs() -> None:
    one, other = Anonymiser(POLICY), Anonymiser(POLICY)
    named = 0x0A0A050A  # renkei, 10.10.5.10
    client = 0x0A14100B

    assert one.address(4, named) == named
    assert {one.address(4, client + n) for n in range(64)} != {
        other.address(4, client + n) for n in range(64)
    }
