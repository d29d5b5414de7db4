"""However a policy is written, wherever its comments stand: formatting keeps both meaning and comments."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zones.errors import PolicyError
from zones.format import format_text
from zones.load import load_policy
from zones.source import read_document
from zones.written import comments_in

CITY = Path(__file__).resolve().parents[2] / "examples" / "sample-city"
CORPUS = Path(__file__).resolve().parents[1] / "corpus"

# The same things in every style that YAML offers for them.
MIXED = """\
meta:
    {name: "mixed",
     model: 'alpha',
     description: "two\\nlines"}
schema: 1
tests:
- packet: "a:10.1.0.1 > b:10.2.0.1 tcp/443"
  expect: allow
  by: F1
flows:
-   to: [b,
         c]
    id: F1
    action: allow
    from: a
    service:
    - https
    - "udp/443"
    justification: |
      # not a comment
      second line
    when:
        to: "17:15"
        from: 08:30
- {id: F2, from: relay, to: 'b', service: [], action: sanitize:mail,
   ticket: "REQ #7", owner: 'it''s', mode: audit,
   expires: "2099-03-31"}
hosts:
  relay: {ip: "10.1.5.5",
     zone: a, mac: 02:00:0a:0a:05:0a,
     relay: {because: "a long reason, of which nobody has to read the end", never: true},
     description: "and more words, so that this machine cannot stand on one line"}
  empty:
    zone: a
    ip:
      - 10.1.5.6
groups: {}
zones:
  a: {networks: [10.1.0.0/16], interfaces: [a0]}
  b: {networks: ["10.2.0.0/16"], interfaces: b0}
  c:
    networks:
    - 0.0.0.0/0
    - ::/0
    interfaces:
    - w0
services:
  https: tcp/443
"""


def body_of(text: str) -> list[int]:
    """Return the lines of `MIXED` where a comment would be text: those of the literal block."""
    lines = text.split("\n")
    start = next(number for number, line in enumerate(lines) if line.endswith("|"))
    return [start + 1, start + 2, start + 3]


NOTES = st.lists(
    st.tuples(
        st.integers(0, MIXED.count("\n") - 1),
        st.sampled_from(["own", "beside", "blank"]),
        st.integers(0, 12),
    ),
    max_size=12,
)


def annotated(text: str, notes: list[tuple[int, str, int]], untouched: list[int]) -> str:
    """Return the text with comments and empty lines put where `notes` say."""
    lines = [[line] for line in text.split("\n")]
    for number, (line, kind, column) in enumerate(notes):
        if line in untouched:
            continue
        if kind == "own":
            lines[line].insert(0, " " * column + f"# note {number}: {{x}}")
        elif kind == "blank":
            lines[line].insert(0, "")
        elif "  #" not in lines[line][-1]:
            lines[line][-1] += f"  # beside {number}"
    return "\n".join(part for group in lines for part in group)


def holds(name: str, text: str) -> str:
    once = format_text(name, text)
    assert format_text(name, once) == once
    assert Counter(comments_in(once)) == Counter(comments_in(text))
    # Counted without any reading of YAML: what the finder of comments itself might overlook.
    assert [once.count(mark) for mark in ("# note ", "# beside ")] == [
        text.count(mark) for mark in ("# note ", "# beside ")
    ]
    before, after = read_document(name, text), read_document(name, once)
    assert after.problems == []
    assert after.root.plain() == before.root.plain()
    return once


@given(NOTES)
def test_formatting_settles_and_keeps_every_comment_wherever_it_stands(
    notes: list[tuple[int, str, int]],
) -> None:
    text = annotated(MIXED.replace("service: []", "service: https"), notes, body_of(MIXED))

    holds("mixed.yaml", text)


@pytest.mark.parametrize("path", sorted(CITY.glob("*.yaml")), ids=lambda path: path.name)
@given(data=st.data())
def test_the_sample_city_is_formatted_whatever_is_noted_in_it(path: Path, data: st.DataObject) -> None:
    text = path.read_text(encoding="utf-8")
    notes = data.draw(
        st.lists(
            st.tuples(
                st.integers(0, text.count("\n") - 1), st.sampled_from(["own", "blank"]), st.integers(0, 8)
            ),
            max_size=6,
        )
    )

    holds(path.name, annotated(text, notes, []))


def test_the_formatted_sample_city_is_the_same_policy() -> None:
    sources = {path.name: path.read_text(encoding="utf-8") for path in CITY.glob("*.yaml")}
    formatted = {name: format_text(name, text) for name, text in sources.items()}

    assert load_policy(formatted).revision == load_policy(sources).revision


@pytest.mark.parametrize("path", sorted(CORPUS.glob("policy-*/*.yaml")), ids=lambda path: path.parent.name)
def test_any_file_of_the_corpus_is_formatted_or_refused_with_places(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    refused = refusal(path.name, text)

    if refused is None:
        holds(path.name, text)
    else:
        assert {problem.file for problem in refused.problems} == {path.name}
        assert all(problem.line > 0 for problem in refused.problems)


def refusal(name: str, text: str) -> PolicyError | None:
    try:
        format_text(name, text)
    except PolicyError as error:
        return error
    return None


WORDS = st.text(
    alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\r\x85\u2028\u2029\ufeff"),
    min_size=1,
    max_size=30,
)


@given(st.lists(WORDS, min_size=4, max_size=4))
def test_any_text_is_written_so_that_it_reads_back(texts: list[str]) -> None:
    def quoted(text: str) -> str:
        return '"' + "".join(f"\\U{ord(character):08x}" for character in text) + '"'

    owner, ticket, because, description = map(quoted, texts)
    text = (
        f"meta: {{name: x, description: {description}}}\n"
        f"flows: [{{id: F1, from: a, to: b, service: any, action: deny, owner: {owner}, ticket: {ticket}}}]\n"
        f"guards: [{{id: G1, from: a, to: b, because: {because}}}]\n"
    )

    once = holds("p.yaml", text)

    plain = read_document("p.yaml", once).root.plain()
    assert [
        plain["flows"][0]["owner"],
        plain["flows"][0]["ticket"],
        plain["guards"][0]["because"],
        plain["meta"]["description"],
    ] == texts
