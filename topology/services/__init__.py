"""Small real servers for the hosts of a lab: `python -m topology.services web|smtp-sink|udp-echo …`."""
