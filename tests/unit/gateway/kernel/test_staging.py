"""A table is built in bites beside the one in force; only the last text changes anything."""

from __future__ import annotations

import re

import pytest

from gateway.kernel.ruleset import block
from gateway.kernel.staging import _BITE_CHARACTERS, CLOSED_TABLE, TABLES, Ruleset, forget, stage

HOOK = block("chain forward", ["type filter hook forward priority filter; policy drop;", "goto a"])


def chain(name: str, *lines: str) -> list[str]:
    return block(f"chain {name}", lines)


def numbers(name: str, count: int) -> list[str]:
    listed = ", ".join(f"{n:#x}" for n in range(count))
    return block(f"set {name}", ["type mark", f"elements = {{ {listed} }}"])


def test_all_but_the_hooks_comes_before_and_the_hooks_come_with_the_swap() -> None:
    made = stage(TABLES[0], [chain("a", "goto b"), HOOK, chain("b", "drop"), block("counter c", [])])
    assert made.table == TABLES[0]
    assert all("hook" not in text for text in made.stages)
    assert made.swap.count("hook") == 1
    assert made.text() == "\n".join([*made.stages, made.swap])


def test_names_come_before_the_rules_that_lead_to_them() -> None:
    made = stage(TABLES[0], [chain("a", "goto b"), chain("b", "drop"), HOOK])
    text = made.text()
    assert text.index("chain b { }") < text.index("goto b")
    assert text.index("chain a { }") < text.index("chain a {\n")


def test_a_table_that_was_half_built_before_is_begun_anew() -> None:
    made = stage(TABLES[1], [HOOK])
    assert made.stages[0] == forget(TABLES[1])


@pytest.mark.parametrize("table", [*TABLES, CLOSED_TABLE])
def test_the_swap_forgets_every_other_table_of_ours_and_not_its_own(table: str) -> None:
    made = stage(table, [HOOK])
    gone = re.findall(r"^delete table inet (\S+)$", made.swap, re.MULTILINE)
    assert sorted([*gone, table]) == sorted([*TABLES, CLOSED_TABLE])
    # Deleting what is not there fails the whole transaction: each is added first.
    assert all(f"table inet {name} {{ }}\ndelete table inet {name}\n" in made.swap for name in gone)


def test_no_bite_is_larger_than_the_socket_takes() -> None:
    chains = [chain(f"c{n}", *(f"ip saddr 10.0.{n}.{k} accept" for k in range(50))) for n in range(100)]
    made = stage(TABLES[0], [*chains, numbers("s", 50), HOOK])
    assert len(made.stages) > 5
    assert max(map(len, made.stages)) < 2 * _BITE_CHARACTERS
    rules = "\n".join(made.stages)
    assert all(f"ip saddr 10.0.{n}.{k} accept" in rules for n in range(100) for k in range(50))


def test_a_chain_or_set_larger_than_a_bite_is_loaded_in_pieces_and_whole() -> None:
    lines = [f"ip saddr 10.{n // 250}.{n % 250}.1 accept" for n in range(3000)]
    made = stage(TABLES[0], [chain("large", *lines), numbers("many", 20_000), HOOK])
    assert max(map(len, made.stages)) < 2 * _BITE_CHARACTERS
    text = "\n".join(made.stages)
    assert re.findall(r"^\t\t(ip saddr .*)$", text, re.MULTILINE) == lines
    listed = [e for part in re.findall(r"elements = \{ (.*) \}", text) for e in part.split(", ")]
    assert listed == [f"{n:#x}" for n in range(20_000)]
    # Every piece declares what it adds to.
    assert text.count("set many {") == text.count("type mark") > 1


def test_equal_items_give_equal_rulesets() -> None:
    items = [chain("a", "drop"), HOOK]
    assert stage(TABLES[0], items) == stage(TABLES[0], items)
    assert isinstance(stage(TABLES[0], items), Ruleset)
