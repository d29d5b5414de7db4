"""The policy domain: zones, hosts, services, flows, guards; loading, deciding, explaining. No I/O.

>>> from zones import PacketKey, decide, load_policy
>>> policy = load_policy({"p.yaml": '''
... schema: 1
... meta: {name: two-zones}
... zones:
...   a: {interfaces: [a0], networks: [10.1.0.0/16]}
...   b: {interfaces: [b0], networks: [10.2.0.0/16]}
... flows:
...   - {id: F1, from: a, to: b, service: tcp/443, action: allow}
... '''})
>>> verdict = decide(policy, PacketKey.of("a", "10.1.0.1", "10.2.0.1", "tcp", 443), now=0)
>>> str(verdict.outcome), str(verdict.reason), verdict.decided_by
('allow', 'flow', 'F1')
"""

from typing import TYPE_CHECKING, Any

from zones.decide import decide
from zones.errors import MasugataError, PolicyError, Problem
from zones.model import Action, Flow, Guard, Policy, Zone
from zones.packet import parse_packet
from zones.verdict import Connection, Outcome, PacketKey, Reason, State, Verdict

if TYPE_CHECKING:
    from zones.load import load_policy, read_policy

__all__ = [
    "Action",
    "Connection",
    "Flow",
    "Guard",
    "MasugataError",
    "Outcome",
    "PacketKey",
    "Policy",
    "PolicyError",
    "Problem",
    "Reason",
    "State",
    "Verdict",
    "Zone",
    "decide",
    "load_policy",
    "parse_packet",
    "read_policy",
]


def __getattr__(name: str) -> Any:
    # Loading brings the YAML parser and the schema (0.1 s): only who loads a policy pays for it.
    if name in {"load_policy", "read_policy"}:
        from zones import load

        return getattr(load, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
