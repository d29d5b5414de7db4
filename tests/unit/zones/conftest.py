"""Policies to ask: the sample city, and small ones written in place."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from zones import Policy, load_policy, read_policy

if TYPE_CHECKING:
    from collections.abc import Callable

BASE = """
schema: 1
meta: {name: small}
zones:
  a: {interfaces: [a0], networks: [10.1.0.0/16], gateway: [10.1.255.254]}
  b: {interfaces: [b0], networks: [10.2.0.0/16], gateway: [10.2.255.254]}
  w: {interfaces: [w0], networks: [0.0.0.0/0, "::/0"], class: outside}
"""


@pytest.fixture(scope="session")
def city() -> Policy:
    return read_policy(Path(__file__).resolve().parents[3] / "examples" / "sample-city")


@pytest.fixture(scope="session")
def small() -> Callable[[str], Policy]:
    """Return what loads three zones (a, b, and the world w) with the sections given."""

    def load(sections: str = "") -> Policy:
        return load_policy({"base.yaml": BASE, "more.yaml": textwrap.dedent(sections) or "flows: []"})

    return load
