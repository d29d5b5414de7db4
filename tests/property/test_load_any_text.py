"""Whatever stands in a policy file: a policy, or problems with a place; and one revision for one meaning."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from zones import Policy, PolicyError, load_policy
from zones.canonical import flow_numbers
from zones.messages import Language, hint, say
from zones.source import read_document

SMALL = """schema: 1
meta: {name: small, timezone: Asia/Tokyo, enforcement: {audit_until: 2026-05-01}}
zones:
  a: {interfaces: [a0], networks: [10.1.0.0/16], gateway: [10.1.255.254], class: lgwan}
  w:
    interfaces: [w0]
    networks: [0.0.0.0/0, "::/0"]
    class: outside
management: {interface: m0, networks: [10.99.0.0/24]}
hosts:
  a1: {zone: a, ip: [10.1.0.1], mac: "02:00:00:00:00:01", relay: {never: true, because: reviewed}}
  w1: {zone: w, ip: 203.0.113.1}
groups:
  g: {zone: a, networks: [10.1.8.0/24], hosts: [a1]}
services:
  web: [tcp/80, tcp/443]
names:
  saas: {hosts: ["*.example.jp"], tenant: t}
guards:
  - {id: G1, from: w, to: a, actions: [allow], because: why}
flows:
  - {id: F1, from: [a1, g], to: w, service: [web, udp/53], action: allow, expires: 2027-03-31, owner: 課}
  - id: F2
    from: a
    to: w1
    service: tcp/443
    action: allow
    when: {days: mon-fri, from: "08:30", to: "17:15", approval: {people: 2, max_minutes: 120}}
    with: {approvals: 2, methods: [GET]}
invariants:
  - {id: I1, never: {from: a, to: w}, transitive: true, except: [F1], because: why}
tests:
  - {packet: "a:10.1.0.1 > w:203.0.113.1 tcp/80", expect: allow, by: F1, at: 2026-10-05T10:00}
"""


def problems_or_policy(sources: dict[str, str]) -> Policy | None:
    """Load the sources; every problem must have a place in them and a sentence in both languages."""
    try:
        return load_policy(sources)
    except PolicyError as error:
        problems = error.problems
    assert problems
    for problem in problems:
        assert 1 <= problem.line <= len(sources[problem.file].splitlines()) + 1
        assert problem.column >= 1
        for language in Language:
            assert say(problem.code, problem.params, language)
            hint(problem.code, problem.params, language)
    return None


@given(st.text() | st.binary().map(lambda raw: raw.decode("latin-1")))
@example("")
@example("\x00")
@example("\ud800")
@example("a: b: c")
@example("? ")
@example("- - -\n- ")
@example("!!binary x")
@example("%YAML 9.9\n---\na: 1")
@example("[" * 5000)
@example("{a: " * 5000)
@example("schema: 99999999999999999999999999999999999999999")
@example("schema: " + "9" * 5000)
@example("flows: []\nflows: []\nzones: 3\nmeta:")
def test_any_text_is_a_policy_or_problems(text: str) -> None:
    problems_or_policy({"any.yaml": text})


KEYS = st.sampled_from(
    [
        *("schema", "meta", "zones", "hosts", "groups", "services", "names", "guards", "flows", "invariants"),
        *("tests", "management", "id", "from", "to", "service", "action", "ip", "zone", "networks", "when"),
        *("interfaces", "name", "class", "mac", "expires", "never", "packet", "expect", "at", "with"),
    ]
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from(["a", "a1", "tcp/443", "10.1.0.0/16", "", "F1"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(KEYS | st.text(max_size=3), inner, max_size=5)
    ),
    max_leaves=20,
)


@given(st.dictionaries(KEYS, VALUES, max_size=8))
def test_any_tree_is_a_policy_or_problems(tree: dict[str, Any]) -> None:
    problems_or_policy({"any.yaml": json.dumps(tree)})


@given(st.data())
def test_a_damaged_policy_is_a_policy_or_problems(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(SMALL)))
    length = data.draw(st.integers(0, 40))
    middle = data.draw(st.text(alphabet=" \n:-[]{},'\"#&*!|>%@`azF1\t\x07あ", max_size=8))

    problems_or_policy({"any.yaml": SMALL[:start] + middle + SMALL[start + length :]})


@given(st.data())
def test_a_damaged_value_is_a_policy_or_problems(data: st.DataObject) -> None:
    """Put any value in the place of any other: the shape is whole, the meaning is not."""
    tree = plain(SMALL)
    path = data.draw(st.sampled_from(list(paths(tree))))
    node = tree
    for step in path[:-1]:
        node = node[step]
    node[path[-1]] = data.draw(VALUES)

    problems_or_policy({"any.yaml": json.dumps(tree)})


def test_the_sound_policy_is_one() -> None:
    assert problems_or_policy({"any.yaml": SMALL}) is not None


# --- one meaning, one revision ---------------------------------------------------------------------------


@settings(max_examples=20)
@given(st.randoms())
def test_order_of_keys_and_entries_comments_and_files_do_not_change_the_revision(random: Any) -> None:
    sections = plain(SMALL)
    parts: list[dict[str, Any]] = [{}, {}, {}]
    for name in random.sample(list(sections), len(sections)):
        random.choice(parts)[name] = shuffled(sections[name], random) if name != "tests" else sections[name]
    files = {
        f"{number}.yaml": "# a remark\n" + json.dumps(part, indent=2) for number, part in enumerate(parts)
    }

    assert load_policy(files).revision == load_policy({"one.yaml": SMALL}).revision


@pytest.mark.parametrize(
    "change",
    [
        ("2027-03-31", "2027-04-01"),
        ("udp/53", "udp/54"),
        ("10.1.8.0/24", "10.1.9.0/24"),
        ("people: 2", "people: 3"),
        ("mon-fri", "mon-sat"),
        ("because: why}\nflows", "because: other}\nflows"),
        ("actions: [allow], ", ""),
        ("owner: 課", "owner: 係"),
        ("02:00:00:00:00:01", "02:00:00:00:00:02"),
        ("2026-05-01", "2026-05-02"),
        ("m0", "m1"),
    ],
)
def test_another_meaning_is_another_revision(change: tuple[str, str]) -> None:
    assert SMALL.count(change[0]) == 1

    assert (
        load_policy({"one.yaml": SMALL.replace(*change)}).revision
        != load_policy({"one.yaml": SMALL}).revision
    )


@given(st.lists(st.text(min_size=1, max_size=8), max_size=40), st.randoms())
def test_numbers_of_flows_are_distinct_and_do_not_depend_on_order(ids: list[str], random: Any) -> None:
    numbers = flow_numbers(ids)

    assert len(set(numbers.values())) == len(set(ids))
    assert all(1 <= number < 2**31 for number in numbers.values())
    random.shuffle(ids)
    assert flow_numbers(ids) == numbers


def shuffled(value: Any, random: Any) -> Any:
    """Return a section with its keys and its entries in another order; lists of names keep theirs."""
    if isinstance(value, dict):
        return {key: shuffled(value[key], random) for key in random.sample(list(value), len(value))}
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return [shuffled(item, random) for item in random.sample(value, len(value))]
    return value


def plain(text: str) -> Any:
    document = read_document("any.yaml", text)
    assert document.root is not None
    return document.root.plain()


def paths(node: Any, at: tuple[Any, ...] = ()) -> Any:
    """Yield the path of every value of a tree."""
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for step, value in items:
        yield (*at, step)
        yield from paths(value, (*at, step))
