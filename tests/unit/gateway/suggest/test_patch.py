"""Entries go into files of any layout; every other line stays as it is."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from gateway.suggest.entries import Addition, Field, FlowEntry, NamedEntry
from gateway.suggest.patch import insert, unified
from zones.errors import ConfigurationError
from zones.format import format_text
from zones.load import load_policy

if TYPE_CHECKING:
    from pathlib import Path

FLOW = FlowEntry(
    (
        Field("id", "F9"),
        Field("from", ("a", "b")),
        Field("to", ("b",)),
        Field("service", ("tcp/443", "icmp/echo-request")),
        Field("action", "sanitize:mail"),
        Field("owner", "", "# to do"),
        Field("justification", "見た: 3 回, [要確認]"),
    )
)
HOST = NamedEntry("new", (Field("zone", "a"), Field("ip", "2001:db8::1")), "# name it")
GROUP = NamedEntry("many", (Field("zone", "a"), Field("networks", ("10.1.0.0/30",), many=True)))
ALL = Addition(flows=(FLOW,), hosts=(HOST,), groups=(GROUP,))

BLOCK = """\
# at the top
hosts:
  # the first
  one: {zone: a, ip: 10.1.0.1}   # odd   spacing

flows:   # the flows
    -   id: F1
        from: a   # who

        justification: |
          two lines
          of text
    # the last word

tests: []
"""


def added(before: str, after: str) -> list[str]:
    """Return the lines that are new; fails unless all others are there, in order."""
    left = iter(before.splitlines(keepends=True))
    expected = next(left, None)
    new = []
    for line in after.splitlines(keepends=True):
        if line == expected:
            expected = next(left, None)
        else:
            new.append(line)
    assert expected is None, f"lost: {expected!r}"
    return new


def test_a_block_grows_at_its_end_in_its_own_indent() -> None:
    after = insert({"p": BLOCK}, ALL, None)["p"]

    assert "".join(added(BLOCK, after)) == (
        '  new: {zone: a, ip: "2001:db8::1"}  # name it\n'
        "    - id: F9\n"
        "      from: [a, b]\n"
        "      to: b\n"
        "      service: [tcp/443, icmp/echo-request]\n"
        "      action: sanitize:mail\n"
        '      owner: ""  # to do\n'
        '      justification: "見た: 3 回, [要確認]"\n'
        "\n"
        "groups:\n"
        "  many: {zone: a, networks: [10.1.0.0/30]}\n"
    )
    assert after.index("of text") < after.index("F9") < after.index("# the last word")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("flows: []\n", "flows: [{I}]\n"),
        ("flows: [{id: F1}]  # said\n", "flows: [{id: F1}, {I}]  # said\n"),
        ("flows: [{id: F1}, ]\n", "flows: [{id: F1}, {I}, ]\n"),
        ("{flows: [{id: F1}], tests: []}\n", "{flows: [{id: F1}, {I}], tests: []}\n"),
        ("{tests: []}\n", "{tests: [], flows: [{I}]}\n"),
        (
            '{"tests":[],\n "flows":[\n  {"id":"F1"}\n ]}\n',
            '{"tests":[],\n "flows":[\n  {"id":"F1"}, {I}\n ]}\n',
        ),
        ("flows:\n- id: F1\n", "flows:\n- id: F1\n{B}\n"),
        ("flows:\n  -\n    id: F1\n", "flows:\n  -\n    id: F1\n  {B2}\n"),
        ("tests: []\n", "tests: []\n\nflows:\n  {B2}\n"),
        ("# only a comment\n", "# only a comment\n\nflows:\n  {B2}\n"),
        ("", "flows:\n  {B2}\n"),
        ("flows:\n- id: F1", "flows:\n- id: F1\n{B}"),
        ("flows:\r\n- id: F1\r\ntests: []\r\n", "flows:\r\n- id: F1\r\n{BR}\r\ntests: []\r\n"),
        (
            "flows:\n- id: F1  # said\n\n# below\ntests: []\n",
            "flows:\n- id: F1  # said\n{B}\n\n# below\ntests: []\n",
        ),
        ("---\nflows:\n- id: F1\n", "---\nflows:\n- id: F1\n{B}\n"),
    ],
)
def test_every_way_to_write_a_list_can_be_extended(before: str, after: str) -> None:
    flow = FlowEntry((Field("id", "F2"), Field("to", ("a", "b"))))
    words = {
        "{I}": "{id: F2, to: [a, b]}",
        "{B}": "- id: F2\n  to: [a, b]",
        "{BR}": "- id: F2\r\n  to: [a, b]",
        "{B2}": "- id: F2\n    to: [a, b]",
    }
    for mark, text in words.items():
        after = after.replace(mark, text)

    assert insert({"p": before}, Addition(flows=(flow,)), None) == {"p": after}


@pytest.mark.parametrize("text", ["flows:\n", "flows: [{id: F1}]\n...\n"])
def test_what_cannot_be_extended_is_said_before_anything_is_written(text: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        insert({"p": text}, Addition(flows=(FLOW,), hosts=(HOST,)), None)
    assert raised.value.code == "suggest-not-inserted"


def test_flows_in_several_files_of_a_directory_get_a_file_of_their_own() -> None:
    files = {
        "d/1.yaml": "flows:\n- id: F1\n",
        "d/2.yaml": "flows:\n- id: F2\n",
        "d/3.yaml": "hosts:\n  a: {}\n",
    }
    after = insert(files, ALL, "d/suggested.yaml")

    assert after["d/1.yaml"] == files["d/1.yaml"]
    assert after["d/3.yaml"].startswith("hosts:\n  a: {}\n  new: ")
    assert "id: F9" in after["d/suggested.yaml"]
    assert "many:" in after["d/suggested.yaml"]


def test_the_next_time_the_file_of_their_own_grows() -> None:
    files = {"d/1.yaml": "flows:\n- id: F1\n", "d/2.yaml": "flows:\n- id: F2\n"}
    once = insert(files, Addition(flows=(FLOW,)), "d/suggested.yaml")
    twice = insert(once, Addition(flows=(FLOW,)), "d/suggested.yaml")

    assert twice["d/suggested.yaml"] == once["d/suggested.yaml"] + once["d/suggested.yaml"].removeprefix(
        "flows:\n"
    )


def test_the_only_file_with_flows_of_a_directory_takes_them() -> None:
    files = {"d/1.yaml": "flows:\n- id: F1\n", "d/2.yaml": "hosts: {}\n"}
    assert "id: F9" in insert(files, Addition(flows=(FLOW,)), "d/suggested.yaml")["d/1.yaml"]


def test_what_is_inserted_is_written_as_fmt_would_write_it(town_text: str) -> None:
    flow = FlowEntry(
        (
            Field("id", "F012"),
            Field("from", ("files",)),
            Field("to", ("new",)),
            Field("service", ("https",)),
            Field("action", "allow"),
            Field("owner", "", "# to do"),
            Field("ticket", "", "# to do"),
            Field("expires", "2027-12-07"),
            Field("justification", "用途は要確認: 3 回"),
        )
    )
    host = NamedEntry("new", (Field("zone", "lgwan"), Field("ip", "10.20.9.9")), "# name it")
    before = format_text("p.yaml", town_text)
    after = insert({"p.yaml": before}, Addition(flows=(flow,), hosts=(host,)), None)["p.yaml"]

    assert load_policy({"p.yaml": after}).flow("F012") is not None
    assert format_text("p.yaml", after) == after


@pytest.mark.parametrize("program", [["patch", "-p0"], ["git", "apply", "-p0"]], ids=["patch", "git"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("end", ["\n", ""])
def test_the_patch_is_one_that_patch_and_git_apply(
    tmp_path: Path, program: list[str], newline: str, end: str
) -> None:
    text = BLOCK.rstrip("\n").replace("\n", newline) + (newline if end else "")
    before = {"a b/one.yaml": text, "a b/two.yaml": "flows:\n- id: F2"}
    after = insert(before, ALL, "a b/suggested.yaml")
    (tmp_path / "a b").mkdir()
    for name, content in before.items():
        (tmp_path / name).write_bytes(content.encode())
    patch = unified(before, after, {name: name for name in after})
    options = ["--binary"] if program[0] == "patch" else []
    done = subprocess.run(
        [*program, *options], cwd=tmp_path, input=patch.encode(), capture_output=True, timeout=20, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert {name: (tmp_path / name).read_bytes().decode() for name in after} == after


def test_no_difference_is_an_empty_patch() -> None:
    assert unified({"p": BLOCK}, {"p": BLOCK}, {"p": "p"}) == ""
