"""The enforcer: puts a policy in force in this network namespace and keeps it true.

The order is what keeps the gateway closed: a ruleset that passes nothing, then the demands on the host,
then the policy's ruleset in one transaction and read back, then connections from before forgotten, and
only then forwarding. At the end the same backwards.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from gateway.kernel import conntrack
from gateway.kernel.host import (
    check_interfaces,
    demand_settings,
    interfaces,
    list_chains,
    load_ruleset,
    put_in_force,
    set_forwarding,
)
from gateway.kernel.liveness import live_elements, set_elements, valid_elements
from gateway.kernel.nftables import closed_ruleset, compile_ruleset, revision_chain
from gateway.kernel.staging import TABLES
from zones.errors import BackendError

if TYPE_CHECKING:
    from collections.abc import Callable

    from zones.model import Policy

RENEW_SECONDS = 20.0
"""How late a flow may open after its hours begin; closing is the kernel's and is never late."""


def close_gates() -> None:
    """Let nothing pass: forwarding off, and a ruleset that drops everything.

    Raises:
        BackendError: the kernel refuses; then nothing else may be started.
    """
    put_in_force(closed_ruleset())
    set_forwarding(False)


class Enforcer:
    """One policy in force. `clock` gives seconds since the epoch."""

    def __init__(self, policy: Policy, *, mail_port: int, clock: Callable[[], float]) -> None:
        self.policy = policy
        self._mail_port, self._clock = mail_port, clock
        self.table = TABLES[0]
        self._open: set[int] = set()
        self._renewing: asyncio.Task[None] | None = None

    def open_gates(self) -> None:
        """Put the policy in force, from closed to forwarding.

        Raises:
            BackendError: the host is not as demanded, or the kernel does not hold the ruleset we loaded;
                the gates stay closed.
        """
        close_gates()
        demand_settings()
        check_interfaces(self.policy, interfaces())
        now = self._clock()
        try:
            ruleset = compile_ruleset(self.policy, now=now, mail_port=self._mail_port, table=self.table)
            put_in_force(ruleset)
            if revision_chain(self.policy.revision) not in list_chains(self.table):
                raise BackendError("ruleset-not-loaded", revision=self.policy.revision)
            # Connections admitted under another ruleset carry marks that may mean something else now.
            conntrack.flush()
            set_forwarding(True)
        except BaseException:
            close_gates()
            raise
        self._open = {number for number, _ in live_elements(self.policy, now)}

    def start_renewing(self, on_fault: Callable[[BackendError], None]) -> None:
        """Open flows at the beginning of their hours from now on; faults are told, and tried again."""
        self._renewing = asyncio.create_task(self._renew(on_fault))

    async def _renew(self, on_fault: Callable[[BackendError], None]) -> None:
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            try:
                await asyncio.to_thread(self.renew)
            except BackendError as error:
                on_fault(error)

    def renew(self) -> None:
        """Add to the kernel's sets the flows that have opened since; what closes, closes there by itself.

        Raises:
            BackendError: the kernel refuses; nothing was changed.
        """
        now = self._clock()
        live, valid = live_elements(self.policy, now), valid_elements(self.policy, now)
        opened = [entry for entry in live if entry[0] not in self._open]
        if opened:
            lines = [f"add element inet {self.table} live {{ {set_elements(opened)} }}"]
            still = [entry for entry in valid if entry[0] in {number for number, _ in opened}]
            if still:
                lines.append(f"add element inet {self.table} valid {{ {set_elements(still)} }}")
            load_ruleset("\n".join([*lines, ""]))
        self._open = {number for number, _ in live}

    async def close(self) -> None:
        """Close the gates behind us."""
        if self._renewing is not None:
            self._renewing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._renewing
        close_gates()
