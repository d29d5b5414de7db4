"""The matrix: what each cell counts, and what it leaves out."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

import pytest

from zones.errors import ConfigurationError
from zones.expiry import start_of_day
from zones.matrix import MAX_HOSTS, host_matrix, zone_matrix
from zones.model import Action

if TYPE_CHECKING:
    from collections.abc import Callable

    from zones import Policy

NOW = 1_790_000_000.0
MIXED = """
guards:
  - {id: G1, from: w, to: a}
  - {id: G2, from: b, to: a, actions: [allow]}
flows:
  - {id: F1, from: a, to: b, service: tcp/443, action: allow}
  - {id: F2, from: a, to: b, service: tcp/444, action: allow, expires: 2026-03-31}
  - {id: F3, from: a, to: b, service: tcp/445, action: deny}
  - {id: F4, from: a, to: b, service: tcp/446, action: allow, mode: audit}
  - {id: F5, from: a, to: b, service: tcp/447, action: allow, mode: disabled}
  - {id: F6, from: b, to: a, service: tcp/443, action: allow}
  - {id: F7, from: b, to: a, service: tcp/25, action: "sanitize:mail"}
  - {id: F8, from: w, to: a, service: tcp/443, action: allow}
"""


def test_a_cell_counts_what_is_open(small: Callable[[str], Policy]) -> None:
    cell = zone_matrix(small(MIXED), now=NOW).cells["a", "b"]

    assert cell.ways == {Action.ALLOW: 1, Action.DENY: 1}
    assert (cell.dormant, cell.audited, cell.guards, cell.opens) == (1, 1, (), True)


def test_a_guard_closes_a_cell(small: Callable[[str], Policy]) -> None:
    cell = zone_matrix(small(MIXED), now=NOW).cells["w", "a"]

    assert (cell.guards, cell.ways, cell.opens) == (("G1",), {}, False)


def test_a_guard_with_actions_takes_those_ways_out(small: Callable[[str], Policy]) -> None:
    cell = zone_matrix(small(MIXED), now=NOW).cells["b", "a"]

    assert cell.ways == {Action.SANITIZE_MAIL: 1}
    assert cell.barred == {"G2": (Action.ALLOW,)}


def test_second_halves_of_proxied_flows_are_no_way_of_the_gateways_own(
    small: Callable[[str], Policy],
) -> None:
    assert not zone_matrix(small(MIXED), now=NOW).cells["gateway", "a"].opens


def test_every_pair_has_a_cell_but_gateway_to_gateway(city: Policy) -> None:
    matrix = zone_matrix(city, now=NOW)

    assert len(matrix.cells) == len(matrix.names) ** 2 - 1


def test_time_empties_cells(city: Policy) -> None:
    after = start_of_day(date(2027, 4, 1), city.timezone)

    before_cell = zone_matrix(city, now=NOW).cells["mynumber", "lgwan"]
    after_cell = zone_matrix(city, now=after).cells["mynumber", "lgwan"]

    assert after_cell.ways[Action.ALLOW] < before_cell.ways[Action.ALLOW]
    assert after_cell.dormant > before_cell.dormant


def test_hosts_see_only_what_concerns_them(city: Policy) -> None:
    matrix = host_matrix(city, now=NOW)

    assert matrix.cells["renkei", "shinsei-asp"].ways == {Action.ALLOW: 1, Action.DENY: 1}
    assert matrix.cells["mn-pc1", "shinsei-asp"].ways == {Action.DENY: 1}
    assert matrix.cells["mn-pc1", "out-web"].guards == ("G1",)
    assert ("renkei", "renkei") not in matrix.cells
    assert [matrix.zones[name] for name in matrix.names] == sorted(
        matrix.zones.values(), key=list(city.zones).index
    )


def test_too_many_hosts_are_refused(city: Policy) -> None:
    host = city.hosts["renkei"]
    many = replace(city, hosts={str(number): host for number in range(MAX_HOSTS + 1)})

    with pytest.raises(ConfigurationError) as caught:
        host_matrix(many, now=NOW)
    assert caught.value.code == "matrix-many-hosts"
