"""Reading policies: files and folders, places after others were left out, nothing guessed from a scalar."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from zones import PolicyError, load_policy, read_policy
from zones.errors import ConfigurationError
from zones.source import MAX_BYTES, MAX_DEPTH, read_document

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from zones import Policy

HEAD = "schema: 1\nmeta: {name: x}\nzones:\n  a: {interfaces: [a0], networks: [10.1.0.0/16]}\n"


def codes(sources: dict[str, str]) -> list[tuple[int, str]]:
    with pytest.raises(PolicyError) as caught:
        load_policy(sources)
    return [(problem.line, problem.code) for problem in caught.value.problems]


def test_a_folder_is_the_merge_of_its_yaml_files_and_nothing_below(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(HEAD)
    (tmp_path / "b.yaml").write_text("hosts:\n  h: {zone: a, ip: 10.1.0.1}\n")
    (tmp_path / "notes.txt").write_text("{")
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab" / "city.yaml").write_text("{")

    assert list(read_policy(tmp_path).hosts) == ["h"]


def test_nothing_to_read_is_said_by_name(tmp_path: Path) -> None:
    (tmp_path / "binary.yaml").write_bytes(b"meta: \xff")
    for path, code in (
        (tmp_path / "missing.yaml", "file-unreadable"),
        (tmp_path / "binary.yaml", "file-not-utf8"),
    ):
        with pytest.raises(ConfigurationError) as caught:
            read_policy(path)
        assert caught.value.code == code
    (tmp_path / "binary.yaml").unlink()
    with pytest.raises(ConfigurationError) as caught:
        read_policy(tmp_path)
    assert caught.value.code == "policy-empty-directory"


@pytest.mark.parametrize("name", ["30-guards.yml", "30-guards.YAML"])
def test_a_file_that_would_be_passed_over_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "city.yaml").write_text(HEAD, encoding="utf-8")
    (tmp_path / name).write_text("guards: []\n", encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        read_policy(tmp_path)
    assert caught.value.code == "policy-file-suffix"
    assert caught.value.params["name"] == "30-guards.yaml"


def test_a_directory_that_cannot_be_listed_is_not_called_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(tmp_path), "iterdir", refuse)  # root may list everything
    with pytest.raises(ConfigurationError) as caught:
        read_policy(tmp_path)
    assert caught.value.code == "file-unreadable"


def test_a_file_too_large_is_not_parsed() -> None:
    document = read_document("big.yaml", "#" * (MAX_BYTES + 1))

    assert [problem.code for problem in document.problems] == ["yaml-too-large"]
    assert document.unread


def test_depth_is_counted_while_reading() -> None:
    assert read_document("x", "[" * MAX_DEPTH + "]" * MAX_DEPTH).problems == []
    assert [p.code for p in read_document("x", "[" * 100_000).problems] == ["yaml-too-deep"]


def test_scalars_stay_text_until_the_schema_types_them() -> None:
    root = read_document("x", "a: no\nb: 1e3\nc: 0o17\nd: 2027-03-31\ne: ~\nf: '~'\n").root

    assert root is not None
    expected = {"a": "no", "b": "1e3", "c": "0o17", "d": "2027-03-31", "e": None, "f": "~"}
    assert root.plain() == expected


def test_a_name_may_look_like_a_truth_value() -> None:
    policy = load_policy({"x": HEAD + "hosts:\n  no: {zone: a, ip: 10.1.0.1}\n"})

    assert list(policy.hosts) == ["no"]


def test_entries_behind_a_broken_one_keep_their_place() -> None:
    flows = "flows:\n" + "".join(
        f"  - {{id: F{number}, from: a, to: {to}, service: tcp/443, action: {action}}}\n"
        for number, (to, action) in enumerate([("a", "alow"), ("a", "allow"), ("nowhere", "allow")])
    )

    assert codes({"x": HEAD + flows}) == [(6, "bad-action"), (8, "unknown-name")]


def test_what_refers_to_a_broken_entry_is_not_reported_again() -> None:
    hosts = "hosts:\n  h: {zone: a, ip: 10.1.0.300}\n"
    flows = "flows:\n  - {id: F1, from: h, to: a, service: tcp/443, action: allow}\n"

    assert codes({"x": HEAD + hosts + flows}) == [(6, "bad-address")]


def test_a_file_that_cannot_be_read_makes_no_other_file_wrong() -> None:
    flows = "flows:\n  - {id: F1, from: h, to: a, service: web, action: allow}\n"

    assert codes({"1.yaml": HEAD, "2.yaml": "hosts:\n  h: {zone: a, ip: 10.1.0.1\n", "3.yaml": flows}) == [
        (3, "yaml-syntax")
    ]


def test_an_empty_policy_says_what_is_missing() -> None:
    with pytest.raises(PolicyError) as caught:
        load_policy({"x": ""})

    assert [problem.params["section"] for problem in caught.value.problems] == ["meta", "zones"]


def test_groups_names_and_services_are_resolved(small: Callable[[str], Policy]) -> None:
    policy = small(
        """
        hosts: {h: {zone: a, ip: [10.1.0.1, 10.1.0.2]}}
        groups: {g: {zone: a, networks: [10.1.8.0/24], hosts: [h]}}
        services: {web: [tcp/80, tcp/443]}
        flows: [{id: F1, from: [g, h], to: b, service: [web, udp/53], action: allow}]
        """
    )

    (flow,) = policy.flows
    assert [len(end.networks or ()) for end in flow.sources] == [3, 2]
    assert [(term.protocol, term.low) for term in flow.services] == [(6, 80), (6, 443), (17, 53)]
    assert flow.source_names == ("g", "h")


def test_the_rest_is_what_no_other_zone_has(small: Callable[[str], Policy]) -> None:
    policy = small("")
    whole = sum(network.last - network.first + 1 for zone in "abw" for network in policy.networks_of(zone, 4))

    assert policy.zone_of(4, 0x0A030000) == "w"
    martian = 2**24 * 2 + 2**16 + 2**28 * 2  # 0/8 and 127/8, 169.254/16, 224/4 and 240/4
    assert whole == 2**32 - martian
