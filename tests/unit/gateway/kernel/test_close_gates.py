"""Closing takes both ways to close, and one that fails does not keep the other open."""

from __future__ import annotations

import pytest

from gateway.kernel import enforcer
from zones.errors import BackendError


def test_forwarding_goes_off_also_when_the_ruleset_cannot_be_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: object) -> None:
        raise BackendError("tool-failed", tool="nft", detail="no memory")

    forwarding: list[bool] = []
    monkeypatch.setattr(enforcer, "put_in_force", refuse)
    monkeypatch.setattr(enforcer, "set_forwarding", forwarding.append)
    with pytest.raises(BackendError) as refused:
        enforcer.close_gates()
    assert refused.value.code == "tool-failed"
    assert forwarding == [False]
