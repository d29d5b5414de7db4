"""Canonical writing, case by case."""

from __future__ import annotations

import textwrap

import pytest

from zones.errors import PolicyError
from zones.format import WIDTH, format_text


def formatted(text: str) -> str:
    return format_text("p.yaml", textwrap.dedent(text))


def test_sections_and_keys_come_in_the_order_of_the_reference() -> None:
    assert formatted("""
        flows: [{action: deny, service: any, to: b, from: a, id: F1}]
        meta: {model: alpha, name: x}
        schema: 1
    """) == textwrap.dedent("""\
        schema: 1

        meta:
          name: x
          model: alpha

        flows:
          - {id: F1, from: a, to: b, service: any, action: deny}
    """)


def test_entries_keep_their_order_and_a_host_may_be_called_like_a_key() -> None:
    assert formatted("""
        hosts:
          zone: {ip: 10.1.0.2, zone: a}
          relay: {relay: {because: x, never: true}, ip: 10.1.0.1, zone: a}
    """) == textwrap.dedent("""\
        hosts:
          zone: {zone: a, ip: 10.1.0.2}
          relay: {zone: a, ip: 10.1.0.1, relay: {never: true, because: x}}
    """)


def test_the_first_comment_stays_first_whatever_is_moved_below_it() -> None:
    assert formatted("""\
        # yaml-language-server: $schema=masugata.schema.json
        meta: {name: x}
        schema: 1
    """).startswith("# yaml-language-server: $schema=masugata.schema.json\nschema: 1\n\nmeta:")


def test_comments_go_with_what_they_are_about() -> None:
    assert formatted("""
        services:   # ours
            # the web
            web: [tcp/443,   # encrypted
                  tcp/80]
            dns: udp/53   # names
            # nothing else
        zones:
            # the office
            a: {interfaces: [a0], networks: [10.1.0.0/16]}
    """) == textwrap.dedent("""\
        zones:
          # the office
          a: {interfaces: [a0], networks: [10.1.0.0/16]}

        services:  # ours
          # the web
          web:
            - tcp/443  # encrypted
            - tcp/80
          dns: udp/53  # names
          # nothing else
    """)


def test_an_entry_too_long_for_a_line_is_written_key_by_key() -> None:
    flow = "{id: F1, from: a, to: b, service: any, action: allow, justification: %s}"
    fits = "あ" * ((WIDTH - len("  - ") - len(flow % "")) // 2)

    assert formatted(f"flows: [{flow % fits}]") == f"flows:\n  - {flow % fits}\n"
    assert formatted(f"flows: [{flow % (fits + 'あ')}]").splitlines()[1] == "  - id: F1"


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("'plain'", "plain"),
        ('"住民情報 (持出し)"', "住民情報 (持出し)"),
        ("08:30", '"08:30"'),
        ("02:00:0a:0a:05:0a", '"02:00:0a:0a:05:0a"'),
        ("sanitize:mail", "sanitize:mail"),
        ("ono-2026:6.3.1", '"ono-2026:6.3.1"'),
        ('"2027-03-31"', '"2027-03-31"'),
        ("2027-03-31", "2027-03-31"),
        ("'yes'", '"yes"'),
        ("'null'", '"null"'),
        ("'a: b'", '"a: b"'),
        ("'# x'", '"# x"'),
        ("it's", '"it\'s"'),
        ("' x'", '" x"'),
    ],
)
def test_quotes_stand_where_another_reader_would_need_them(written: str, canonical: str) -> None:
    text = formatted(f"meta: {{name: x, description: {written}}}")

    assert text.splitlines()[-1] == f"  description: {canonical}"


def test_several_lines_of_text_stay_several_lines() -> None:
    assert (
        formatted("""
        meta:
          description: "first\\nsecond # no comment\\n"
          name: x
    """)
        == "meta:\n  name: x\n  description: |\n    first\n    second # no comment\n"
    )


def test_empty_lines_part_entries_but_never_pile_up() -> None:
    text = formatted(
        "flows:\n\n\n  - {id: F1, from: a, to: b, service: any, action: deny}\n\n\n"
        "  - {id: F2, from: a, to: b, service: any, action: deny}\n\n\n"
    )

    assert text.count("\n\n") == 1


@pytest.mark.parametrize(
    "text", ["flows: [{id: F1}]", "flows: {", "zones: &a {}", "unknown: 1", "a: 1\na: 2"]
)
def test_what_is_not_understood_is_not_rewritten(text: str) -> None:
    with pytest.raises(PolicyError) as refused:
        formatted(text)

    assert all(problem.line in {1, 2} for problem in refused.value.problems)


@pytest.mark.parametrize("text", ["", "# only a comment\n", "\n\n"])
def test_a_file_without_a_value_stays_as_it_is(text: str) -> None:
    assert format_text("p.yaml", text) == text


def test_a_mark_at_the_beginning_is_dropped() -> None:
    assert format_text("p.yaml", "\ufeffschema: 1\n") == "schema: 1\n"
