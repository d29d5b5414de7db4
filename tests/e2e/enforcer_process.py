"""An enforcer as a process of its own on a lab's gateway: what it logs comes out, orders go in.

Arguments: a policy file, the port mail is turned to, how many seconds the clock is ahead. Each logged packet
is one JSON line (`packet`, `audited`), as the audit log would hold it, with `id`: the identification of an
IPv4 header or the flow label of an IPv6 one. An order is one JSON line and answered by one: `renew`,
`ahead SECONDS`, `reopen`, `mark NUMBER FAMILY ADDRESS PORT`. It ends, closed, when its input does.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import time
from pathlib import Path

from gateway.audit.packets import packet_event
from gateway.kernel.enforcer import Enforcer
from gateway.kernel.nflog import Gap, InterfaceNames, NflogReader, Record
from gateway.kernel.ruleset import NFLOG_GROUP
from topology.traffic.arrival import read_arrival
from zones.errors import BackendError
from zones.load import load_policy


def say(**fields: object) -> None:
    print(json.dumps(fields, default=str), flush=True)


def number_of(payload: bytes) -> int:
    if payload[0] >> 4 == 4:
        return int.from_bytes(payload[4:6])
    return int.from_bytes(payload[1:4]) & 0xFFFFF


def connect(number: str, version: str, address: str, port: str) -> str:
    """Return what came of a connection of our own under a mark (0: none)."""
    with socket.socket({"4": socket.AF_INET, "6": socket.AF_INET6}[version]) as line:
        if int(number):
            line.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, int(number))
        line.settimeout(0.4)
        try:
            line.connect((address, int(port)))
        except TimeoutError:
            return "silent"
        except OSError as error:
            return f"{error.strerror}"
        return "connected"


class Orders:
    def __init__(self, policy_file: str, mail_port: str, ahead: str) -> None:
        text = Path(policy_file).read_text(encoding="utf-8")
        self.policy = load_policy({"policy.yaml": text})
        self.seconds = float(ahead)
        clock = lambda: time.time() + self.seconds  # noqa: E731
        self.enforcer = Enforcer(self.policy, mail_port=int(mail_port), clock=clock)
        self.names = InterfaceNames()

    def logged(self, record: Record) -> None:
        kind, fields = packet_event(record, self.policy, self.names.name)
        # The lab's own reader: what tests tell packets by must not come from what they test.
        ends = read_arrival(record.payload) or {}
        say(
            kind=kind,
            **{**fields, "id": number_of(record.payload), "src": ends.get("src"), "dst": ends.get("dst")},
        )

    def lost(self, gap: Gap) -> None:
        say(kind="gap", lost=gap.lost, cause=gap.cause)

    def do(self, order: str, *arguments: str) -> object:
        if order == "mark":
            return connect(*arguments)
        if order == "ahead":
            self.seconds = float(arguments[0])
        elif order == "reopen":
            # As one that was killed: a new enforcer that finds the ruleset in force.
            self.enforcer = Enforcer(
                self.policy,
                mail_port=self.enforcer._mail_port,
                clock=self.enforcer._clock,
            )
            self.enforcer.open_gates()
        else:
            self.enforcer.renew()
        return "done"


async def main() -> None:
    orders = Orders(*sys.argv[1:])
    with NflogReader(groups=(NFLOG_GROUP,), on_record=orders.logged, on_gap=orders.lost):
        try:
            await asyncio.to_thread(orders.enforcer.open_gates)
        except BackendError as error:
            say(kind="refused", code=error.code, **error.params)
            return
        say(kind="ready", table=orders.enforcer.table)
        while line := await asyncio.to_thread(sys.stdin.readline):
            try:
                done = await asyncio.to_thread(orders.do, *json.loads(line))
                say(kind="done", answer=done)
            except BackendError as error:
                say(kind="done", answer=error.code)
        await orders.enforcer.close()


if __name__ == "__main__":
    asyncio.run(main())
