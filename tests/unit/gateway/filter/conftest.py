"""The city whose policy judges the packets of these tests."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from zones.load import read_policy

if TYPE_CHECKING:
    from zones.model import Policy

CITY = Path(__file__).parents[1] / "filter" / "city.yaml"


@pytest.fixture(scope="session")
def city() -> Policy:
    """Every kind of flow once: see city.yaml."""
    return read_policy(CITY)
