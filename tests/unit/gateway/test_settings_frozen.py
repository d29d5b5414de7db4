"""What a run froze is what its roles read, also when they are started again; anything else ends them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gateway.settings import freeze, read_settings, thaw
from zones.errors import BackendError

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.settings import GatewaySettings


def frozen(tmp_path: Path, text: str = "schema: 1\n") -> tuple[GatewaySettings, Path]:
    config = tmp_path / "gateway.yaml"
    config.write_text(text, encoding="utf-8")
    settings = read_settings(config, policy=tmp_path / "city.yaml", state=tmp_path / "state")
    return settings, freeze(settings, {"city.yaml": "schema: 1\n"}, "ab" * 32)


def test_mail_state_stays_below_the_state_of_the_run(tmp_path: Path) -> None:
    settings, path = frozen(tmp_path, "schema: 1\nlanguage: en\nmail: {max_recipients: 7}\n")
    thawed = thaw(path)
    assert thawed.mail_settings == settings.mail_settings
    assert thawed.mail_settings.state == tmp_path / "state" / "mail"
    assert (thawed.mail_settings.language, thawed.mail_settings.max_recipients) == ("en", 7)
    assert thawed.audit_directory == settings.audit_directory


def test_settings_that_were_written_over_are_refused(tmp_path: Path) -> None:
    _, path = frozen(tmp_path)
    path.write_text(path.read_text().replace("masugata", "other"), encoding="utf-8")
    path.write_text(path.read_text() + " ", encoding="utf-8")
    with pytest.raises(BackendError) as caught:
        thaw(path)
    assert caught.value.code == "settings-changed"


def test_settings_that_are_gone_are_refused(tmp_path: Path) -> None:
    _, path = frozen(tmp_path)
    path.unlink()
    with pytest.raises(BackendError) as caught:
        thaw(path)
    assert caught.value.code == "settings-changed"


def test_the_settings_of_the_last_run_go_when_the_next_freezes(tmp_path: Path) -> None:
    _, first = frozen(tmp_path)
    _, second = frozen(tmp_path, "schema: 1\nlanguage: en\n")
    assert not first.exists()
    assert thaw(second).language == "en"
