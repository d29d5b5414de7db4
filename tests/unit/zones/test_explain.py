"""Explanations: whose address it is, what was looked at, what nearly matched and by how much."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest

from zones.expiry import start_of_day
from zones.explain import Field, Whose, explain
from zones.question import packets_asked
from zones.verdict import Connection, State

if TYPE_CHECKING:
    from collections.abc import Callable

    from zones import Policy
    from zones.explain import Explanation

NOW = 1_790_000_000.0  # 2026-09-21 22:13 in Tokyo


def told(policy: Policy, text: str, *, now: float = NOW, connection: Connection | None = None) -> Explanation:
    (key,) = packets_asked(policy, text)
    return explain(policy, key, now=now, connection=connection)


def near(explanation: Explanation) -> list[tuple[str, list[tuple[Field, int]]]]:
    return [
        (entry.flow.id, [(miss.field, miss.distance) for miss in entry.misses])
        for entry in explanation.nearest
    ]


def test_an_allow_leads_to_its_owner_ticket_and_clause(city: Policy) -> None:
    flow = told(city, "renkei > shinsei-asp https").decisive

    assert flow is not None
    assert (flow.id, flow.owner, flow.ticket) == ("F012", "情報政策課", "REQ-2026-014")
    assert flow.basis == ("ono-2026:6.3.1", "ono-2026:6.3.2")
    assert flow.file.endswith("41-flows-mynumber-links.yaml")


def test_ends_are_named(city: Policy) -> None:
    seen = told(city, "mn-pc1 > out-web https")

    assert seen.source == ("10.10.16.11", "mynumber", Whose.PREFIX, "10.10.0.0/16", ("mn-pc1", "mn-pcs"))
    assert seen.destination == ("198.51.100.10", "outside", Whose.REST, "0.0.0.0/0", ("out-web",))


@pytest.mark.parametrize(
    ("packet", "whose"),
    [
        ("lg-pc1 > gateway ping", Whose.OURS),
        ("lg-pc1 > 10.30.255.254 ping", Whose.OURS_ELSEWHERE),
        ("lg-pc1 > 127.0.0.1 ping", Whose.MARTIAN),
    ],
)
def test_addresses_of_no_zone_say_what_they_are(city: Policy, packet: str, whose: Whose) -> None:
    assert told(city, packet).destination.whose is whose


def test_one_field_away(city: Policy) -> None:
    assert near(told(city, "zei > eltax tcp/444")) == [("F013", [(Field.PORT, 1)])]
    assert near(told(city, "atena > eltax https"))[0] == ("F013", [(Field.SOURCE, 1)])


def test_what_is_closed_for_now_is_nearest_of_all(city: Policy) -> None:
    after = start_of_day(date(2027, 4, 3), city.timezone)

    assert near(told(city, "zei > eltax https", now=after))[0] == ("F013", [(Field.EXPIRED, 3)])
    assert near(told(city, "vendor-a > in-jump https"))[0] == ("F080", [(Field.APPROVAL, 2)])
    assert near(told(city, "mn-jump > mn-core ssh"))[0] == ("F082", [(Field.HOURS, 1)])
    assert near(told(city, "lg-pc1 > shinsei-asp http"))[0] == ("F110", [(Field.MODE, 0)])


def test_hours_say_when_they_open(city: Policy) -> None:
    ((_, (miss,)),) = told(city, "mn-jump > mn-core ssh").nearest

    assert miss.wanted == "2026-09-22T08:30+09:00"


def test_under_a_guard_with_actions_only_other_ways_are_near(city: Policy) -> None:
    seen = told(city, "in-pc1 > lg-mail smtp")

    assert [guard.id for guard, decided in seen.guards if decided] == ["G2"]
    assert near(seen)[0] == ("F043", [(Field.SOURCE, 13)])


@pytest.mark.parametrize(
    "packet",
    [
        "mn-pc1 > out-web https",  # a guard without actions
        "internet:renkei > shinsei-asp https",  # spoofed
        "lg-pc1 > 127.0.0.1 tcp/80",  # nobody's
        "in-pc1 > sc-proxy udp/53",  # a deny flow
        "lg-pc1 > in-browser https",  # another way
    ],
)
def test_where_no_flow_helps_none_is_named(city: Policy, packet: str) -> None:
    seen = told(city, packet)

    assert seen.helpless
    assert seen.nearest == ()


def test_what_passes_has_nothing_near(city: Policy) -> None:
    seen = told(city, "renkei > shinsei-asp https")

    assert (seen.helpless, seen.nearest) == (False, ())
    assert [entry.flow.id for entry in seen.considered if not entry.misses] == ["F012"]


def test_a_known_connection_is_explained_by_its_flow(city: Policy) -> None:
    seen = told(city, "shinsei-asp > renkei tcp/51000", connection=Connection(State.ESTABLISHED, "F012"))

    assert seen.decisive is not None
    assert (seen.decisive.id, seen.considered) == ("F012", ())
    assert [(guard.id, decided) for guard, decided in seen.guards] == [("G6", False)]


def test_a_service_in_another_protocol_and_a_domain_name(small: Callable[[str], Policy]) -> None:
    policy = small(
        """
        names: {saas: {hosts: ["*.example.jp"]}}
        flows:
          - {id: F1, from: a, to: b, service: tcp/443, action: allow}
          - {id: F2, from: a, to: saas, service: tcp/443, action: allow, mode: disabled}
        """
    )

    assert near(told(policy, "a:10.1.0.1 > b:10.2.0.1 udp/443")) == [("F1", [(Field.PROTOCOL, 1000)])]
    fields = [entry.misses for entry in told(policy, "a:10.1.0.1 > 203.0.113.1 tcp/443").nearest]
    assert [[miss.field for miss in misses] for misses in fields] == [[Field.DESTINATION_ZONE]]
