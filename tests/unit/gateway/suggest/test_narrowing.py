"""What open flows were used for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.suggest.narrowing import Usage
    from gateway.suggest.suggest import Suggestions

    Ask = Callable[..., Suggestions]


def by_id(found: Suggestions) -> dict[str, Usage]:
    return {used.flow.id: used for used in found.usage}


def test_a_used_flow_says_which_part_and_how_much_wider_it_is(traffic: Any, ask: Ask) -> None:
    traffic.say("10.20.5.45 > 203.0.113.50", "tcp/443", times=3, answered=True)
    traffic.say("10.20.16.9 > 203.0.113.50", "tcp/443", times=3, answered=True)
    used = by_id(ask(traffic, admitted=True))["F011"]

    assert (used.opened, used.seen, used.bits, used.wide) == (65_536, 2, 15.0, True)
    (part,) = used.parts
    assert (part.sources, part.destinations, part.services) == (
        ("files", "10.20.16.9"),
        ("vendor",),
        ("https",),
    )
    assert used.sightings is not None
    assert used.sightings.connections == 6


def test_a_flow_that_nobody_used_is_listed_and_one_that_is_over_is_not(traffic: Any, ask: Ask) -> None:
    traffic.say("10.20.5.45 > 203.0.113.50", "tcp/443", times=3, answered=True)
    usage = by_id(ask(traffic, admitted=True))

    assert set(usage) == {"F007", "F011"}  # F008 has expired, F009 denies
    assert usage["F007"].sightings is None
    assert not usage["F007"].wide


def test_nothing_about_use_reaches_the_proposals(traffic: Any, ask: Ask) -> None:
    traffic.say("10.20.5.45 > 203.0.113.50", "tcp/443", times=3, answered=True)
    assert not ask(traffic, admitted=True).found
