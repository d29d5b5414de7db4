"""Packets a lab is tried with, and what arrived of them: a program of its own, run on a node.

    python -m topology.traffic send   JSON lines on stdin → raw frames out of eth0
    python -m topology.traffic listen raw socket on eth0 → JSON lines on stdout

Only `frames` imports scapy (GPL-2.0), and nothing outside this package may import it: the serving processes
never load it.
"""
