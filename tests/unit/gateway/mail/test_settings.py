"""The `mail:` section: defaults that hold, and mistakes that are named."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from gateway.mail.mailbox import parse_helo
from gateway.mail.settings import MailSettings


def test_the_defaults_are_a_working_configuration() -> None:
    settings = MailSettings()
    assert settings.listen.port == 10_025
    assert parse_helo(settings.hostname.encode())
    assert settings.smtp_limits().max_bytes == settings.max_bytes


@pytest.mark.parametrize(
    "given",
    [
        {"hostname": "bad host"},
        {"hostname": "x\r\ny"},
        {"max_bytes": 0},
        {"max_byte": 5},
        {"listen": {"port": 70_000}},
        {"listen": {"addresses": ["everywhere"]}},
        {"retry": {"first_seconds": -1}},
        {"language": "fr"},
    ],
)
def test_a_mistake_is_refused(given: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        MailSettings.model_validate(given)
