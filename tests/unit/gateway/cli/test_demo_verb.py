"""`masugata demo` before anything is up: what it refuses, and what it does not."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from gateway.cli.demo import command
from topology.namespaces import Lab
from zones.errors import BackendError, ConfigurationError

CITY = str(Path(__file__).resolve().parents[4] / "examples" / "sample-city")


class LabReached(Exception):
    """The demonstration went on to bring up its lab."""


def demo(directory: Path) -> None:
    command.main([CITY, "--once", "--dir", str(directory)], standalone_mode=False)


@pytest.fixture(autouse=True)
def _no_lab(monkeypatch: pytest.MonkeyPatch) -> None:
    def reached(*_: object, **__: object) -> Lab:
        raise LabReached

    monkeypatch.setattr(Lab, "up", reached)
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/sbin/{name}")


def test_without_nft_nothing_is_brought_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(BackendError) as caught:
        demo(tmp_path / "demo")
    assert (caught.value.code, caught.value.params["tool"]) == ("tool-missing", "nft")


def test_a_demonstration_that_failed_at_once_does_not_bar_the_next(tmp_path: Path) -> None:
    (tmp_path / "gateway.log").write_text("it could not start\n", encoding="utf-8")
    with pytest.raises(LabReached):
        demo(tmp_path)


def test_what_no_demonstration_made_is_not_cleared_away(tmp_path: Path) -> None:
    (tmp_path / "thesis.odt").write_text("years of work", encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        demo(tmp_path)
    assert caught.value.code == "demo-foreign-directory"
    assert (tmp_path / "thesis.odt").exists()
