"""Services as the policy writes them: `tcp/443`, `udp/5000-5010`, `icmp/echo-request`, `proto/50`, `any`."""

from __future__ import annotations

import re

from zones.model import ServiceTerm
from zones.verdict import ICMP, ICMP6, PROTOCOL_NUMBERS

ANY = "any"
_TERM = re.compile(r"([a-z0-9]+)(?:/([a-z0-9-]+))?")

# RFC 792 and the IANA registry; redirects (5, 137) are named so that a policy can deny them by name.
ICMP_TYPES = {
    "echo-reply": 0,
    "destination-unreachable": 3,
    "redirect": 5,
    "echo-request": 8,
    "time-exceeded": 11,
    "parameter-problem": 12,
    "timestamp-request": 13,
    "timestamp-reply": 14,
}
# RFC 4443 and RFC 4861.
ICMP6_TYPES = {
    "destination-unreachable": 1,
    "packet-too-big": 2,
    "time-exceeded": 3,
    "parameter-problem": 4,
    "echo-request": 128,
    "echo-reply": 129,
    "nd-router-solicit": 133,
    "nd-router-advert": 134,
    "nd-neighbor-solicit": 135,
    "nd-neighbor-advert": 136,
    "nd-redirect": 137,
}
_TYPES = {ICMP: ICMP_TYPES, ICMP6: ICMP6_TYPES}
PORT_TOP = 65535


def parse_service(text: str) -> ServiceTerm:
    """Return the term for one service.

    Raises:
        ValueError: not a service; the text says what was expected.

    >>> parse_service("tcp/8530-8531")
    ServiceTerm(protocol=6, low=8530, high=8531)
    """
    if text == ANY:
        return ServiceTerm(protocol=None)
    match = _TERM.fullmatch(text)
    if match is None:
        raise ValueError(text)
    name, detail = match.groups()
    if name == "proto":
        return ServiceTerm(protocol=_number(detail, 255))
    if name not in PROTOCOL_NUMBERS:
        raise ValueError(name)
    protocol = PROTOCOL_NUMBERS[name]
    if detail is None:
        return ServiceTerm(protocol=protocol)
    if protocol in _TYPES:
        kind = _TYPES[protocol].get(detail)
        number = _number(detail, 255) if kind is None else kind
        return ServiceTerm(protocol=protocol, low=number, high=number)
    low, _, high = detail.partition("-")
    first, last = _number(low, PORT_TOP), _number(high or low, PORT_TOP)
    if first > last:
        raise ValueError(text)
    return ServiceTerm(protocol=protocol, low=first, high=last)


def service_text(term: ServiceTerm) -> str:
    """Return a term as the policy writes it.

    >>> service_text(parse_service("icmp/echo-request"))
    'icmp/echo-request'
    """
    if term.protocol is None:
        return ANY
    name = next((name for name, number in PROTOCOL_NUMBERS.items() if number == term.protocol), None)
    if name is None:
        return f"proto/{term.protocol}"
    if term.low is None:
        return name
    for kind, number in _TYPES.get(term.protocol, {}).items():
        if number == term.low:
            return f"{name}/{kind}"
    return f"{name}/{term.low}" if term.low == term.high else f"{name}/{term.low}-{term.high}"


def _number(text: str | None, top: int) -> int:
    if text is None or not text.isascii() or not text.isdigit() or int(text) > top:
        raise ValueError(text)
    return int(text)
