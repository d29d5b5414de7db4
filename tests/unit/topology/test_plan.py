from __future__ import annotations

from pathlib import Path

import pytest

from topology.plan import EXAMPLE, LabPlan, load_plan, mac_of, read_plan
from zones.errors import ConfigurationError, PolicyError

CITY = Path(__file__).resolve().parents[3] / "examples/sample-city/lab/city.yaml"

# One mistake each, put in place of a line of EXAMPLE: what is replaced, by what, code, line, column.
MISTAKES = {
    "unknown key": ("alice: {segment: left,", "alice: {segmnt: x, segment: left,", "unknown-key", 11, 11),
    "missing key": ("bob: {segment: right, ", "bob: {", "missing-key", 12, 8),
    "schema": ("schema: 1", "schema: 2", "lab-bad-schema", 1, 9),
    "no schema": ("schema: 1\n", "", "missing-key", 1, 1),
    "lab name": ("name: two-wires", "name: Two Wires", "lab-bad-name", 2, 7),
    "network": ("[192.0.2.0/25]", "[192.0.2.1/25]", "lab-bad-network", 4, 21),
    "overlap": ("[192.0.2.128/25]", "[192.0.2.0/24]", "lab-networks-overlap", 5, 22),
    "host name": ("  alice:", "  Alice:", "lab-bad-name", 11, 3),
    "long name": ("  alice:", "  sixteen-letters-:", "lab-bad-name", 11, 3),
    "long interface": ("    left0:", "    leftmost-interface:", "lab-bad-name", 8, 5),
    "reserved": ("  alice:", "  switch:", "lab-reserved-name", 11, 3),
    "name taken": ("  alice:", "  right0:", "lab-name-taken", 11, 3),
    "segment": ("alice: {segment: left,", "alice: {segment: lift,", "lab-unknown-segment", 11, 20),
    "outside": ("[192.0.2.1]", "[192.0.2.200]", "lab-address-outside", 11, 38),
    "broadcast": ("[192.0.2.1]", "[192.0.2.127]", "lab-address-not-usable", 11, 38),
    "address": ("[192.0.2.1]", "[192.0.2.1/25]", "lab-bad-address", 11, 38),
    "multicast": ("[192.0.2.1]", "[224.0.0.1]", "lab-bad-address", 11, 38),
    "taken": ("[192.0.2.1]", "[192.0.2.126]", "lab-address-taken", 11, 38),
    "mac": ("[192.0.2.1]", '[192.0.2.1], mac: "01:00:00:00:00:01"', "lab-bad-mac", 11, 55),
    "port": ("[192.0.2.1]", "[192.0.2.1], services: [{name: web, port: 0}]", "lab-bad-port", 11, 79),
    "route": ("[192.0.2.1]", "[192.0.2.1], default_route: no", "lab-bad-route", 11, 65),
    "hop": ("[192.0.2.1]", "[192.0.2.1], default_route: [192.0.2.254]", "lab-hop-unreachable", 11, 66),
    "sysctl": ("[192.0.2.1]", "[192.0.2.1], sysctls: {kernel.x: 1}", "lab-bad-sysctl", 11, 59),
    "extra elsewhere": (
        "[192.0.2.1]", "[192.0.2.1], extra_addresses: [192.0.2.192/27]", "lab-extra-elsewhere", 11, 68
    ),
    "extra taken": ("[192.0.2.1]", "[192.0.2.1], extra_addresses: [192.0.2.126]", "lab-address-taken", 11, 68),  # noqa: E501
    "two feet": ("right0: {segment: right,", "right0: {segment: left,", "lab-segment-twice", 9, 23),
    "alias": ("[192.0.2.1]", "&a [192.0.2.1]", "yaml-alias", 11, 37),
    "twice": ("  bob:", "  alice:", "duplicate-key", 12, 3),
}  # fmt: skip


def problems(text: str) -> list[tuple[str, int, int]]:
    with pytest.raises(PolicyError) as caught:
        load_plan(text, "lab.yaml")
    assert all(problem.file == "lab.yaml" for problem in caught.value.problems)
    return [(problem.code, problem.line, problem.column) for problem in caught.value.problems]


@pytest.fixture(scope="module")
def city() -> LabPlan:
    return read_plan(CITY)


def test_the_example_has_no_problem() -> None:
    plan = load_plan(EXAMPLE, "lab.yaml")
    assert [str(address) for address in plan.node("bob").addresses] == ["192.0.2.129/25"]
    assert plan.node("bob").default_routes == ("192.0.2.254",)


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_reported_where_it_stands(mistake: str) -> None:
    right, wrong, code, line, column = MISTAKES[mistake]
    assert right in EXAMPLE
    assert (code, line, column) in problems(EXAMPLE.replace(right, wrong, 1))


def test_all_mistakes_are_reported_in_one_run() -> None:
    text = EXAMPLE
    for mistake in ("unknown key", "missing key", "network", "outside"):
        text = text.replace(*MISTAKES[mistake][:2], 1)
    codes = [code for code, _, _ in problems(text)]
    assert {"unknown-key", "missing-key", "lab-bad-network"} <= set(codes)


@pytest.mark.parametrize(
    "text", ["", "[]", "just words", "{", "a: b: c", "\0", "- &x [*x]", "---\n---\n", "!!python/x {}"]
)
def test_no_lab_at_all_is_a_problem_not_a_crash(text: str) -> None:
    assert problems(text)


def test_a_wrong_segment_does_not_blame_its_hosts() -> None:
    text = EXAMPLE.replace("[192.0.2.0/25]", "[192.0.2.0/99]")
    assert [code for code, _, _ in problems(text)] == ["lab-bad-network"]


def test_an_unreadable_file_is_the_operators_to_mend(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes(b"name: \xe9")
    for path in (tmp_path, tmp_path / "none.yaml", tmp_path / "latin.yaml"):
        with pytest.raises(ConfigurationError) as caught:
            read_plan(path)
        assert caught.value.code == "lab-file-unreadable"


@pytest.mark.checkout
def test_the_sample_city_is_the_one_its_policy_speaks_of(city: LabPlan) -> None:
    feet = {link.interface: (link.segment, str(link.addresses[0])) for link in city.gateway.links}
    assert feet == {
        "mn0": ("mynumber", "10.10.255.254/16"),
        "lg0": ("lgwan", "10.20.255.254/16"),
        "in0": ("internet", "10.30.255.254/16"),
        "gc0": ("govcloud", "10.40.255.254/16"),
        "wan0": ("outside", "198.51.100.254/24"),
    }
    assert city.gateway.default_routes == ("198.51.100.1",)
    assert city.node("renkei").links[0].mac == "02:00:0a:0a:05:0a"
    assert city.node("mn-pc1").default_routes == ("10.10.255.254",)


@pytest.mark.checkout
def test_every_mac_is_local_unicast_and_its_own(city: LabPlan) -> None:
    macs = [link.mac for node in city.nodes.values() for link in node.links]
    assert len(set(macs)) == len(macs)
    assert all(int(mac[:2], 16) & 3 == 2 for mac in macs)
    assert mac_of("a", "eth0") != mac_of("b", "eth0")


def test_the_digest_tells_labs_apart_and_not_layouts() -> None:
    plan = load_plan(EXAMPLE, "one.yaml")
    assert load_plan("# a remark\n" + EXAMPLE, "two.yaml").digest == plan.digest
    assert load_plan("# a remark\n" + EXAMPLE, "two.yaml") == plan
    assert load_plan(EXAMPLE.replace("192.0.2.1]", "192.0.2.2]"), "one.yaml").digest != plan.digest


@pytest.mark.checkout
def test_an_unknown_node_is_told_from_those_there_are(city: LabPlan) -> None:
    with pytest.raises(ConfigurationError) as caught:
        city.node("lg-male")
    assert "lg-mail" in str(caught.value.params["nodes"])
