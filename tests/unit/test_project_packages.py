"""The packages under test are the ones meant: the checkout's, or the installed wheel's."""

from __future__ import annotations

import importlib
import os
from importlib import metadata
from pathlib import Path

import pytest

# The run on the installed wheel says where that is; otherwise the packages are those of this checkout.
HOME = Path(os.environ.get("MASUGATA_PACKAGES_FROM", Path(__file__).resolve().parents[2])).resolve()


@pytest.mark.parametrize("name", ["zones", "sanitizers", "topology", "gateway"])
def test_a_package_comes_from_the_place_under_test(name: str) -> None:
    module = importlib.import_module(name)
    assert Path(str(module.__file__)).resolve().parents[1] == HOME
    assert (HOME / name / "py.typed").is_file()


def test_the_command_belongs_to_our_distribution() -> None:
    commands = metadata.entry_points(group="console_scripts", name="masugata")
    assert {entry.value for entry in commands} == {"gateway.cli.main:main"}
    assert metadata.metadata("masugata")["License-Expression"] == "MIT"
