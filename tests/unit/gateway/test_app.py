"""What wires the gateway: mail is admitted as the kernel turned it, roles know what policy they go by."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

from gateway.app import CAPABILITIES, ROLES, PolicyAdmission, run_role
from gateway.process.privilege import CAP_NET_ADMIN
from gateway.settings import freeze, read_settings, thaw
from zones.errors import BackendError
from zones.load import load_policy
from zones.verdict import Outcome, Reason

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.timeout(30)

NOON = 1806462000.0
ZONES = {
    "a": {"interfaces": ["a0"], "networks": ["10.1.0.0/16", "2001:db8:1::/48"], "gateway": ["10.1.0.254"]},
    "b": {"interfaces": ["b0"], "networks": ["10.2.0.0/16", "2001:db8:2::/48"]},
}
FLOWS = [
    {
        "id": "F1",
        "from": "a",
        "to": "b",
        "service": "tcp/25",
        "action": "sanitize:mail",
        "expires": "2027-03-31",
    }
]
TEXT = json.dumps({"schema": "1", "meta": {"name": "x"}, "zones": ZONES, "flows": FLOWS})
POLICY = load_policy({"x.yaml": TEXT})


@pytest.mark.parametrize(
    ("peer", "destination", "now", "outcome", "reason"),
    [
        ("10.1.0.1", ("10.2.0.1", 25), NOON, Outcome.SANITIZE_MAIL, Reason.FLOW),
        ("2001:db8:1::1", ("2001:db8:2::1", 25), NOON, Outcome.SANITIZE_MAIL, Reason.FLOW),
        ("10.1.0.1", ("10.2.0.1", 25), NOON + 43200, Outcome.DENY, Reason.EXPIRED),
        ("10.1.0.1", ("10.2.0.1", 587), NOON, Outcome.DENY, Reason.DEFAULT_DENY),
        ("10.2.0.1", ("10.1.0.1", 25), NOON, Outcome.DENY, Reason.DEFAULT_DENY),
        ("192.0.2.1", ("10.2.0.1", 25), NOON, Outcome.DENY, Reason.UNKNOWN_ZONE),
        # Our own address claims nothing: nobody turns our own connections.
        ("10.1.0.254", ("10.1.0.1", 25), NOON, Outcome.DENY, Reason.DEFAULT_DENY),
    ],
)
def test_a_mail_connection_is_judged_as_its_first_packet_was(
    peer: str, destination: tuple[str, int], now: float, outcome: Outcome, reason: Reason
) -> None:
    verdict = PolicyAdmission(POLICY, lambda: now).decide_connection((peer, 40_000), destination)
    assert (verdict.outcome, verdict.reason) == (outcome, reason)
    assert verdict.revision == POLICY.revision


def test_only_the_enforcer_holds_a_capability_and_it_starts_last() -> None:
    assert set(CAPABILITIES) == set(ROLES)
    assert {role: held for role, held in CAPABILITIES.items() if held} == {"enforcer": (CAP_NET_ADMIN,)}
    assert ROLES == ("recorder", "mail", "enforcer")


async def test_a_role_refuses_a_policy_that_is_not_the_one_it_was_started_with(tmp_path: Path) -> None:
    settings = read_settings(None, policy=tmp_path, state=tmp_path / "s")
    roles = thaw(freeze(settings, {"x.yaml": TEXT}, POLICY.revision))
    assert roles.policy is not None
    (file,) = roles.policy.glob("*.yaml")
    file.write_text(TEXT.replace("tcp/25", "tcp/587"))
    for role in ROLES:
        with pytest.raises(BackendError) as refused:
            await run_role(role, roles, lambda: None)
        assert refused.value.code == "policy-changed"
    loop = asyncio.get_running_loop()
    for number in (15, 2):
        loop.remove_signal_handler(number)
