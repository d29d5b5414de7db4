"""The traffic program: `send` or `listen`, on the node it is started on."""

from __future__ import annotations

import argparse
import sys


def main(arguments: list[str] | None = None) -> int:
    """Do what the command line says."""
    options = _parser().parse_args(arguments)
    try:
        if options.verb == "send":
            from topology.traffic import send

            return send.main(options.interface, options.via_mac, options.interval_us)
        from topology.traffic import listen

        return listen.main(options.interface, options.seconds, options.until_stdin_closes)
    except PermissionError:
        sys.stderr.write("raw frames need CAP_NET_RAW: run this on a node, with masugata lab exec\n")
        return 3
    except OSError as error:
        sys.stderr.write(f"interface {options.interface}: {error.strerror}\n")
        return 3


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m topology.traffic", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    sender = verbs.add_parser("send", help="JSON lines on stdin → raw frames")
    sender.add_argument("--via-mac", default="", help="MAC of the next hop where a packet names no dst_mac")
    sender.add_argument("--interval-us", type=int, default=0, help="microseconds between packets")
    listener = verbs.add_parser("listen", help="what arrives → JSON lines on stdout")
    listener.add_argument("--seconds", type=float, default=None, help="end after this time")
    listener.add_argument("--until-stdin-closes", action="store_true", help="end when stdin closes")
    for verb in (sender, listener):
        verb.add_argument("--interface", default="eth0")
    return parser


if __name__ == "__main__":
    sys.exit(main())
