"""A city to lint: four zones of the model, hosts in each, and what the test adds."""

from __future__ import annotations

import textwrap
from datetime import datetime
from typing import TYPE_CHECKING

import pytest

from zones.lint.engine import Report, lint
from zones.load import load_written

if TYPE_CHECKING:
    from collections.abc import Callable

BASE = """schema: 1
meta: {name: small}
zones:
  core: {interfaces: [c0], networks: [10.1.0.0/16], gateway: [10.1.255.254], class: mynumber}
  office: {interfaces: [o0], networks: [10.2.0.0/16], gateway: [10.2.255.254], class: lgwan}
  net: {interfaces: [n0], networks: [10.3.0.0/16], gateway: [10.3.255.254], class: internet}
  world: {interfaces: [w0], networks: [0.0.0.0/0, "::/0"], gateway: [198.51.100.254], class: outside}
hosts:
  app: {zone: core, ip: 10.1.5.10}
  desk: {zone: office, ip: 10.2.16.11}
  relay: {zone: net, ip: 10.3.5.30}
  proxy: {zone: world, ip: 198.51.100.80}
"""


@pytest.fixture
def linted() -> Callable[..., Report]:
    """Return what lints that city with the sections given, as of a day (2027-01-01)."""

    def run(sections: str, *, day: str = "2027-01-01", only: list[str] | None = None) -> Report:
        policy, documents = load_written({"base.yaml": BASE, "more.yaml": textwrap.dedent(sections)})
        now = datetime.fromisoformat(day).replace(tzinfo=policy.timezone).timestamp()
        return lint(policy, documents, now=now, only=only)

    return run
