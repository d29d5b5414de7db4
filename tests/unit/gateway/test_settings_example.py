"""The sample city's gateway.yaml, which the documents name, is one that `masugata run` takes."""

from __future__ import annotations

from pathlib import Path

from gateway.settings import read_settings
from zones.load import read_policy

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"


def test_the_example_names_the_policy_beside_it() -> None:
    settings = read_settings(EXAMPLES / "sample-city" / "gateway" / "gateway.yaml")
    assert settings.policy is not None
    assert read_policy(settings.policy).name == "sample-city"
