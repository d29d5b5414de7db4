"""Entries that say something else, though today's packets are treated alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from zones.load import load_policy
from zones.otherwise import Otherwise, otherwise

if TYPE_CHECKING:
    from zones.model import Policy

TEXT = """
schema: 1
meta: {name: x, enforcement: {audit_until: 2027-01-31}}
zones:
  a: {interfaces: [a0], networks: [10.1.0.0/16]}
  b: {interfaces: [b0], networks: [10.2.0.0/16]}
hosts: {h: {zone: a, ip: 10.1.0.1, relay: {never: true, because: asked}}}
names: {saas: {hosts: ["*.example.jp"], zone: b}}
flows:
  - {id: F1, from: a, to: b, service: tcp/443, action: allow, expires: 2027-03-31,
     when: {days: "mon,tue,wed"}}
  - {id: F2, from: a, to: b, service: tcp/22, action: file-transfer, with: {approvals: 2}}
invariants:
  - {id: I1, never: {from: b, to: a}, except: [F1], because: x}
"""


def policy(before: str = "", after: str = "") -> Policy:
    assert before in TEXT
    return load_policy({"p.yaml": TEXT.replace(before, after) if before else TEXT})


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("approvals: 2", "approvals: 1", Otherwise("flows", "F2", ("with",))),
        ("expires: 2027-03-31", "expires: 2099-03-31", Otherwise("flows", "F1", ("expires",))),
        ('days: "mon,tue,wed"', "days: mon-fri", Otherwise("flows", "F1", ("when",))),
        ("*.example.jp", "*.jp", Otherwise("names", "saas", ("hosts",))),
        (", relay: {never: true, because: asked}", "", Otherwise("hosts", "h", ("relay",))),
        (
            "never: {from: b",
            "transitive: true, never: {from: b",
            Otherwise("invariants", "I1", ("transitive",)),
        ),
        ("id: I1", "id: I2", Otherwise("invariants", "I1")),
        (
            "audit_until: 2027-01-31",
            "audit_until: 2028-01-31",
            Otherwise("meta", "enforcement", ("audit_until",)),
        ),
    ],
)
def test_what_no_packet_shows_is_named(before: str, after: str, expected: Otherwise) -> None:
    assert expected in otherwise(policy(), policy(before, after))


@pytest.mark.parametrize(
    ("before", "after"),
    [('"mon,tue,wed"', "mon-wed"), ("because: x", "because: y"), ("from: a", "from: [a]")],
)
def test_another_way_of_writing_is_nothing(before: str, after: str) -> None:
    assert otherwise(policy(), policy(before, after)) == []
