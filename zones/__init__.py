"""The policy domain: zones, hosts, services, flows, guards; loading, deciding, explaining. No I/O."""
