"""Replay: what a policy would have done with the packets of a capture file."""
