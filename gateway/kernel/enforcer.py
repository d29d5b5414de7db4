"""The enforcer: puts a policy in force in this network namespace and keeps it true.

The order is what keeps the gateway closed: a ruleset that passes nothing, then the demands on the host,
then the policy's ruleset in one transaction and read back, then connections from before forgotten, and
only then forwarding. At the end the same backwards.

An enforcer that was killed leaves its ruleset in force. The one started after it finds this very policy
there and puts a fresh table in its place in one transaction: what is connected stays connected.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
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
from gateway.kernel.liveness import TimedSet, live_elements, valid_elements
from gateway.kernel.nftables import HOOKED, closed_ruleset, compile_ruleset, revision_chain
from gateway.kernel.staging import CLOSED_TABLE, TABLES
from zones.errors import BackendError

if TYPE_CHECKING:
    from collections.abc import Callable

    from zones.model import Policy

RENEW_SECONDS = 20.0
"""How late a flow may open after its hours begin; closing is the kernel's and is not late."""


def close_gates() -> None:
    """Let nothing pass: forwarding off, and a ruleset that drops everything.

    Raises:
        BackendError: the kernel refuses; then nothing else may be started.
    """
    try:
        put_in_force(closed_ruleset())
    finally:
        set_forwarding(False)  # also where nft fails: one of the two is enough


class Enforcer:
    """One policy in force. `clock` gives seconds since the epoch, `ticks` seconds that nobody sets."""

    def __init__(
        self,
        policy: Policy,
        *,
        mail_port: int,
        clock: Callable[[], float],
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self.policy = policy
        self._mail_port, self._clock, self._ticks = mail_port, clock, ticks
        self.table = TABLES[0]
        self._sets: tuple[TimedSet, ...] = ()
        self._renewing: asyncio.Task[None] | None = None

    def open_gates(self) -> None:
        """Put the policy in force, from closed to forwarding.

        Raises:
            BackendError: the host is not as demanded, or the kernel does not hold the ruleset we loaded;
                the gates are closed.
        """
        before = self._in_force()
        if before is None:
            close_gates()
        try:
            present = interfaces()
            demand_settings(interface.name for interface in present)
            check_interfaces(self.policy, present)
            self._load(TABLES[before == TABLES[0]])
            if before is None:
                # Connections admitted under another ruleset carry marks that may mean something else now.
                conntrack.flush()
            set_forwarding(True)
        except BaseException:
            close_gates()
            raise

    def _in_force(self) -> str | None:
        """Return the table that enforces this very policy already, with its hooks; None if there is none."""
        if list_chains(CLOSED_TABLE):
            return None
        wanted = {revision_chain(self.policy.revision), *HOOKED}
        return next((table for table in TABLES if wanted <= list_chains(table)), None)

    def _load(self, table: str) -> None:
        now = self._clock()
        put_in_force(compile_ruleset(self.policy, now=now, mail_port=self._mail_port, table=table))
        if revision_chain(self.policy.revision) not in list_chains(table):
            raise BackendError("ruleset-not-loaded", revision=self.policy.revision)
        self.table = table
        live, valid = live_elements(self.policy, now), valid_elements(self.policy, now)
        self._sets = TimedSet("live", live), TimedSet("valid", valid)
        # Loading took a while, by which every flow would close too late.
        self.renew()

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
        """Make the kernel's sets say what the clock says: open what has opened since, close where it was set.

        In between, what closes closes there by itself.

        Raises:
            BackendError: the kernel refuses; the next call says everything again.
        """
        now, tick = self._clock(), self._ticks()
        entries = live_elements(self.policy, now), valid_elements(self.policy, now)
        try:
            for held, wanted in zip(self._sets, entries, strict=True):
                for text in held.changes(self.table, wanted, tick):
                    load_ruleset(text)
        except BackendError:
            for held in self._sets:
                held.forget()
            raise

    async def close(self) -> None:
        """Close the gates behind us."""
        if self._renewing is not None:
            self._renewing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._renewing
        close_gates()
