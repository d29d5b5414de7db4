"""Aerleon's shade check over a list of rules: run by the Python of a venv that has Aerleon.

python bench/aerleon_shade.py RULES.json      rules as written by bench/proof.py; prints seconds and findings
"""

from __future__ import annotations

import ipaddress
import json
import logging
import sys
import time
from pathlib import Path

from aerleon.lib import naming
from aerleon.lib import policy as aerleon

PROTOCOLS = {6: "tcp", 17: "udp", 1: "icmp"}


class Counted(logging.Handler):
    """Count what the shade check says: one warning for each shaded term."""

    found = 0

    def emit(self, record: logging.LogRecord) -> None:
        self.found += "is shaded by" in record.getMessage()


def main() -> None:
    """Build the policy, then measure its parse with and without the check."""
    rules = json.loads(Path(sys.argv[1]).read_text())
    networks, services, terms = [], [], []
    for number, (source, destination, sport, dport, protocol) in enumerate(rules):
        lines = []
        for key, (low, high) in (("source-address", source), ("destination-address", destination)):
            if (low, high) != (0, (1 << 32) - 1):
                network = ipaddress.summarize_address_range(
                    ipaddress.ip_address(low), ipaddress.ip_address(high)
                )
                name = f"N{number}{key[0].upper()}"
                networks.append(f"{name} = " + "\n  ".join(map(str, network)))
                lines.append(f"{key}:: {name}")
        if protocol[0] == protocol[1]:
            name = PROTOCOLS[protocol[0]]
            lines.append(f"protocol:: {name}")
            for key, (low, high) in (("source-port", sport), ("destination-port", dport)):
                if (low, high) != (0, 65535):
                    services.append(f"S{number}{key[0].upper()} = {low}-{high}/{name}")
                    lines.append(f"{key}:: S{number}{key[0].upper()}")
        terms.append(f"term t{number} {{\n" + "\n".join(lines) + "\naction:: accept\n}")
    definitions = naming.Naming(None)
    definitions.ParseNetworkList([line for entry in networks for line in entry.split("\n")])
    definitions.ParseServiceList(services)
    text = "header {\n target:: cisco list extended\n}\n" + "\n".join(terms)
    counted = Counted()
    logging.getLogger().addHandler(counted)
    seconds = {}
    for shade in (False, True):
        began = time.perf_counter()
        aerleon.ParsePolicy(text, definitions, optimize=True, shade_check=shade)
        seconds[shade] = time.perf_counter() - began
    print(json.dumps({"parse": seconds[False], "parse_and_check": seconds[True], "found": counted.found}))


if __name__ == "__main__":
    main()
