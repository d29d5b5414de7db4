"""Rules and policies like those people have, of any size, the same for the same seed.

`firewall` makes a first-match list over five fields (source, destination, source port, destination port,
protocol) in the manner of a perimeter firewall: a few networks, many services, some wide rules, some that
earlier ones hold. `policy` makes the text of a masugata policy with a given number of flows.
"""

from __future__ import annotations

import json
import random
from typing import Any

Box = tuple[tuple[tuple[int, int], ...], ...]

EVERY_ADDRESS, EVERY_PORT, EVERY_PROTOCOL = (0, (1 << 32) - 1), (0, 65535), (0, 255)
TCP, UDP, ICMP = 6, 17, 1
PORTS = [
    22,
    25,
    53,
    80,
    110,
    123,
    135,
    143,
    161,
    389,
    443,
    445,
    465,
    514,
    587,
    636,
    993,
    1433,
    1521,
    3306,
    3389,
]
PORTS += [5432, 5900, 6514, 8080, 8443, 8530, 9100]


def firewall(count: int, seed: int = 1) -> list[Box]:
    """Return `count` rules; a quarter is wide at one end, every thirtieth lies within an earlier one."""
    random_ = random.Random(seed)
    sites = [random_.randrange(1 << 16) << 16 for _ in range(40)]
    rules: list[Box] = []
    for _ in range(count):
        if rules and random_.random() < 0.03:
            rules.append(_narrowed(random_.choice(rules), random_))
            continue
        # Wide at one end at most: a rule that holds everything would end the list.
        wide = random_.choices(["source", "destination", ""], [20, 5, 75])[0]
        protocol = random_.choices([TCP, UDP, ICMP, None], [70, 22, 3, 0 if wide else 5])[0]
        fields = [
            _prefix(sites, random_, wide=wide == "source"),
            _prefix(sites, random_, wide=wide == "destination"),
            EVERY_PORT if random_.random() < 0.9 else (1024, 65535),
            _ports(random_) if protocol in (TCP, UDP) else EVERY_PORT,
            EVERY_PROTOCOL if protocol is None else (protocol, protocol),
        ]
        rules.append(tuple((field,) for field in fields))
    return rules


def _prefix(sites: list[int], random_: random.Random, *, wide: bool) -> tuple[int, int]:
    if wide and random_.random() < 0.5:
        return EVERY_ADDRESS
    length = random_.choice([16, 20] if wide else [24, 26, 28, 29, 30, 32, 32, 32])
    size = 1 << (32 - length)
    low = (random_.choice(sites) | random_.randrange(1 << 16)) & ~(size - 1)
    return low, low + size - 1


def _ports(random_: random.Random) -> tuple[int, int]:
    kind = random_.random()
    if kind < 0.75:
        port = random_.choice(PORTS)
        return port, port
    if kind < 0.9:
        low = random_.randrange(1, 60000)
        return low, low + random_.choice([1, 9, 99, 999])
    return EVERY_PORT if kind < 0.95 else (1024, 65535)


def _narrowed(rule: Box, random_: random.Random) -> Box:
    """Return a rule within another one: half of some of its addresses and ports."""
    fields = [0, 1] + ([3] if rule[4][0] in ((TCP, TCP), (UDP, UDP)) else [])
    return tuple(
        (((low + high) // 2 + 1, high),)
        if at in fields and high > low and random_.random() < 0.3
        else ((low, high),)
        for at, ((low, high),) in enumerate(rule)
    )


# --- policies ------------------------------------------------------------------------------------------

ZONES = {"mynumber": "10.10", "lgwan": "10.20", "internet": "10.30", "cloud": "10.40"}


def policy(count: int, seed: int = 1, *, changed: int = 0) -> str:
    """Return the JSON text (JSON is YAML) of a policy with `count` flows; `changed` of them are other ones.

    Zones, guards and invariants are of the sample city's kind; hosts grow with the flows.
    """
    random_ = random.Random(seed)
    hosts = _hosts(max(40, count // 8), random_)
    # My Number sends to hosts of the LGWAN that pass nothing on: that is what its invariant rests on.
    ends = [
        hosts["mynumber"],
        hosts["mynumber"] + hosts["cloud"],
        hosts["lgwan"],
        hosts["internet"],
        ["outside"],
    ]
    pairs = [(0, 1), (0, 0), (2, 2), (2, 2), (3, 3), (3, 4), (4, 3), (0, "never")]
    never = [name for name in hosts["lgwan"] if name.endswith("n")]
    flows = []
    for number in range(count):
        source, target = random_.choice(pairs)
        flow = {
            "id": f"F{number:05}",
            "from": random_.choice(ends[source]),
            "to": random_.choice(never if target == "never" else ends[int(target)]),
            "service": f"{random_.choice(['tcp', 'tcp', 'udp'])}/{random_.choice(PORTS)}",
            "action": "deny" if random_.random() < 0.02 else "allow",
            "owner": "dept",
        }
        if number < changed:
            flow["service"] = f"tcp/{7000 + number}"
        flows.append(flow)
    return json.dumps(_entries(hosts, never, flows))


def _hosts(count: int, random_: random.Random) -> dict[str, list[str]]:
    zones = list(ZONES)
    found: dict[str, list[str]] = {zone: [] for zone in zones}
    for number in range(count):
        zone = zones[number % len(zones)]
        found[zone].append(f"{zone}-{number}{random_.choice('mn')}")
    return found


def _entries(hosts: dict[str, list[str]], never: list[str], flows: list[dict[str, Any]]) -> dict[str, Any]:
    entries: dict[str, Any] = {}
    for zone, names in hosts.items():
        for number, name in enumerate(names):
            entries[name] = {"zone": zone, "ip": f"{ZONES[zone]}.{number // 250}.{number % 250 + 1}"}
            if name in never:
                entries[name]["relay"] = {"never": True, "because": "reviewed"}
    zones: dict[str, Any] = {
        zone: {"interfaces": [f"if{zone}"], "networks": [f"{prefix}.0.0/16"]}
        for zone, prefix in ZONES.items()
    }
    zones["outside"] = {"interfaces": ["wan0"], "networks": ["0.0.0.0/0", "::/0"], "class": "outside"}
    far = ["internet", "outside"]
    return {
        "schema": 1,
        "meta": {"name": "bench", "timezone": "Asia/Tokyo"},
        "zones": zones,
        "hosts": entries,
        "guards": [
            {"id": "G1", "from": "mynumber", "to": far},
            {"id": "G2", "from": far, "to": "lgwan", "actions": ["allow"]},
            {"id": "G3", "from": far, "to": ["mynumber", "cloud"]},
        ],
        "flows": flows,
        "invariants": [
            {"id": "I1", "never": {"from": "mynumber", "to": far}, "transitive": True},
            {"id": "I2", "from": far, "to": "lgwan", "require_action": ["sanitize:mail", "render"]},
            {"id": "I3", "never": {"from": far, "to": ["mynumber", "cloud"]}, "transitive": True},
            {"id": "I4", "never": {"from": "lgwan", "to": "outside"}},
        ],
    }
