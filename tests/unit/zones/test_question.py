"""Questions with the policy's own names: what they mean, and what is said when they mean nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from zones.errors import ConfigurationError
from zones.question import packets_asked

if TYPE_CHECKING:
    from collections.abc import Callable

    from zones import Policy


def asked(policy: Policy, text: str) -> list[str]:
    return [key.describe() for key in packets_asked(policy, text)]


def refusal(policy: Policy, text: str) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as caught:
        packets_asked(policy, text)
    return caught.value


def test_hosts_and_services_by_name(city: Policy) -> None:
    assert asked(city, "renkei > shinsei-asp https") == ["mynumber:10.10.5.10 > 10.20.200.5 tcp/443"]


def test_names_and_addresses_mix(city: Policy) -> None:
    assert asked(city, "mynumber:10.10.5.10 > shinsei-asp tcp/443") == asked(
        city, "renkei > lgwan:10.20.200.5 https"
    )
    assert asked(city, "10.10.5.10 > shinsei-asp https") == ["?:10.10.5.10 > 10.20.200.5 tcp/443"]


def test_a_service_stands_for_each_of_its_terms_and_a_range_for_its_ends(city: Policy) -> None:
    assert asked(city, "lg-pc1 > lg-groupware web") == [
        "lgwan:10.20.16.11 > 10.20.5.40 tcp/80",
        "lgwan:10.20.16.11 > 10.20.5.40 tcp/443",
    ]
    assert [key.dport for key in packets_asked(city, "mn-wsus > lg-wsus wsus")] == [8530, 8531]
    assert [key.dport for key in packets_asked(city, "mn-wsus > lg-wsus tcp/1-9")] == [1, 9]


def test_a_host_with_several_addresses_is_asked_about_at_each(city: Policy) -> None:
    assert len(asked(city, "mn-ad > gc-dns udp/53")) == 2


def test_ping_is_asked_in_the_family_of_the_addresses(city: Policy) -> None:
    assert asked(city, "lg-mon > lg-mail ping") == ["lgwan:10.20.5.95 > 10.20.5.25 icmp/8"]


def test_the_gateway_is_our_address_on_the_other_ends_segment(city: Policy) -> None:
    assert asked(city, "lg-pc1 > gateway ping") == ["lgwan:10.20.16.11 > 10.20.255.254 icmp/8"]
    assert asked(city, "gateway > in-mx smtp") == ["gateway:10.30.255.254 > 10.30.5.25 tcp/25"]


def test_a_question_about_spoofing_is_a_question(city: Policy) -> None:
    assert asked(city, "internet:renkei > shinsei-asp https") == ["internet:10.10.5.10 > 10.20.200.5 tcp/443"]


@pytest.mark.parametrize(
    ("text", "code", "params"),
    [
        ("renkei shinsei-asp https", "bad-packet", {}),
        ("renkei > shinsei-asp", "bad-packet", {}),
        ("gateway > gateway ping", "bad-packet", {}),
        ("renkai > shinsei-asp https", "unknown-name-near", {"name": "renkai", "suggestion": "renkei"}),
        ("qqqqqq > shinsei-asp https", "unknown-name", {"name": "qqqqqq"}),
        (
            "renkei > shinsei-asp tcp/４４３",
            "full-width",
            {"value": "tcp/４４３", "seen": "４３", "suggestion": "tcp/443"},
        ),
        (
            "mynumber:１０.10.5.10 > shinsei-asp https",
            "full-width",
            {"value": "１０.10.5.10", "seen": "１０", "suggestion": "10.10.5.10"},
        ),
        ("renkei > shinsei-asp htps", "unknown-name-near", {"name": "htps", "suggestion": "https"}),
        ("lgwam:10.20.16.11 > lg-mail smtp", "unknown-name-near", {"name": "lgwam", "suggestion": "lgwan"}),
        ("renkei > lgwan:10.10.5.20 https", "packet-zone", {"zone": "lgwan", "actual": "mynumber"}),
        ("renkei > lgwan:127.0.0.1 https", "packet-no-zone", {"zone": "lgwan"}),
        ("lg-pcs > lg-mail smtp", "packet-many-addresses", {"name": "lg-pcs", "example": "10.20.16.11"}),
        ("lgwan > lg-mail smtp", "packet-many-addresses", {"name": "lgwan"}),
        ("outside > in-mx smtp", "packet-many-addresses", {"name": "outside"}),
        ("lg-pc1 > m365 https", "packet-by-name", {"name": "m365"}),
        ("renkei > shinsei-asp any", "packet-service", {"value": "any"}),
        ("renkei > shinsei-asp tcp/80000", "bad-service", {"value": "tcp/80000"}),
        ("renkei > shinsei-asp tcp", "packet-service", {"value": "tcp"}),
        ("outside:2001:db8::1 > lg-mail smtp", "packet-families", {}),
    ],
)
def test_what_cannot_be_asked(city: Policy, text: str, code: str, params: dict[str, str]) -> None:
    error = refusal(city, text)

    assert error.code == code
    assert {name: error.params[name] for name in params} == params


def test_a_zone_without_an_address_of_ours(small: Callable[[str], Policy]) -> None:
    assert refusal(small(""), "w:203.0.113.1 > gateway tcp/22").code == "packet-no-gateway"


def test_too_many_packets_at_once(small: Callable[[str], Policy]) -> None:
    ports = ", ".join(f"tcp/{port}" for port in range(1, 70))

    assert refusal(small(f"services: {{many: [{ports}]}}"), "10.1.0.1 > 10.2.0.1 many").code == "packet-many"
