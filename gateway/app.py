"""The one place that wires the gateway together: which role is made of what.

recorder   writes the audit chain; holds no capability
mail       takes, sanitises and delivers mail; holds no capability
enforcer   holds CAP_NET_ADMIN alone: the ruleset, the packet log, marked sockets
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.process.confinement import confine_writes
from gateway.process.privilege import CAP_NET_ADMIN, keep_only
from zones.errors import BackendError
from zones.load import read_policy
from zones.messages import say

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from gateway.audit.sink import AuditSink
    from gateway.kernel.enforcer import Enforcer
    from gateway.kernel.nflog import Gap, Record
    from gateway.settings import GatewaySettings
    from zones.model import Policy
    from zones.verdict import Verdict

ROLES = ("recorder", "mail", "enforcer")
"""In the order they start: first who records, then who takes what is turned to us, then who turns it."""


CAPABILITIES: dict[str, tuple[int, ...]] = {"recorder": (), "mail": (), "enforcer": (CAP_NET_ADMIN,)}
_SYSCTLS = Path("/proc/sys/net")


def deprive(name: str, settings: GatewaySettings) -> None:
    """Leave this process the capabilities its role holds, and the folders it may write to.

    Called before the event loop and any thread is there: both are taken from the calling thread alone.

    Raises:
        BackendError: the kernel refuses, or a folder cannot be made.
    """
    folders = {
        "recorder": (settings.audit_directory, settings.run_directory),
        "mail": (settings.mail_settings.state,),
        "enforcer": (settings.run_directory, _SYSCTLS),
    }
    try:
        for folder in folders[name]:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise BackendError("state-unwritable", path=error.filename, detail=error.strerror or "") from error
    keep_only(*CAPABILITIES[name])
    if not confine_writes(folders[name]):
        print(f"masugata {name}: {say('landlock-absent', {}, settings.language)}", file=sys.stderr)  # noqa: T201


async def run_role(name: str, settings: GatewaySettings, ready: Callable[[], None]) -> None:
    """Run one role until it is told to stop (SIGTERM, SIGINT).

    Raises:
        MasugataError: it cannot start, or cannot go on.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    assert settings.policy is not None  # noqa: S101  frozen settings name a directory, called by its revision
    policy = await asyncio.to_thread(read_policy, settings.policy)
    if policy.revision != settings.policy.name:
        raise BackendError("policy-changed", role=name, path=str(settings.policy))
    roles: dict[str, Callable[[], Awaitable[None]]] = {
        "recorder": lambda: _recorder(settings, policy, stop, ready),
        "mail": lambda: _mail(settings, policy, stop, ready),
        "enforcer": lambda: _enforcer(settings, policy, stop, ready),
    }
    await roles[name]()


async def _recorder(
    settings: GatewaySettings, policy: Policy, stop: asyncio.Event, ready: Callable[[], None]
) -> None:
    from gateway.audit.recorder import serve

    await serve(
        settings.audit_directory,
        settings.run_directory / "recorder.sock",
        gateway=settings.id,
        stop=stop,
        revision=policy.revision,
        ready=ready,
    )


async def _mail(
    settings: GatewaySettings, policy: Policy, stop: asyncio.Event, ready: Callable[[], None]
) -> None:
    from gateway.audit.client import AuditClient
    from gateway.journal.blobs import FolderBlobStore
    from gateway.journal.sqlite import SqliteJournal
    from gateway.mail.service import MailService
    from gateway.process.broker import BrokeredConnector
    from sanitizers.isolation import Isolation

    mail = settings.mail_settings
    journal, blobs = SqliteJournal(mail.state), FolderBlobStore(mail.state)
    recorder = settings.run_directory / "recorder.sock"
    async with (
        Isolation() as sanitizer,
        AuditClient(recorder, actor="mail", revision=policy.revision) as audit,
    ):
        service = MailService(
            settings=mail,
            journal=journal,
            blobs=blobs,
            sanitizer=sanitizer,
            admission=PolicyAdmission(policy),
            connector=BrokeredConnector(
                settings.run_directory / "broker.sock", connect_seconds=mail.connect_seconds
            ),
            audit=audit,
        )
        try:
            await service.start()
            ready()
            await stop.wait()
        finally:
            await service.stop()
            await journal.close()
            await blobs.close()


class PolicyAdmission:
    """Asks the policy about a mail connection as the kernel did when it turned it to us."""

    def __init__(self, policy: Policy, clock: Callable[[], float] = time.time) -> None:
        self._policy, self._clock = policy, clock

    def decide_connection(self, peer: tuple[str, int], destination: tuple[str, int]) -> Verdict:
        """Return the verdict for a connection from `peer` that wanted to go to `destination`.

        The source zone is taken from the address: the kernel has held it against the interface already.
        """
        from zones.decide import decide
        from zones.verdict import PacketKey

        key = PacketKey.of(None, peer[0], destination[0], "tcp", destination[1], sport=peer[1])
        return decide(self._policy, key, now=self._clock())


async def _enforcer(
    settings: GatewaySettings, policy: Policy, stop: asyncio.Event, ready: Callable[[], None]
) -> None:
    from gateway.audit.budget import Budget
    from gateway.audit.client import AuditClient
    from gateway.audit.packets import packet_event
    from gateway.kernel.enforcer import Enforcer
    from gateway.kernel.nflog import InterfaceNames, NflogReader, parse_prefix
    from gateway.kernel.ruleset import NFLOG_GROUP
    from gateway.process.broker import SocketBroker
    from zones.verdict import Outcome

    names = InterfaceNames()
    enforcer = Enforcer(policy, mail_port=settings.mail.listen.port, clock=time.time)
    async with AuditClient(
        settings.run_directory / "recorder.sock", actor="enforcer", revision=policy.revision
    ) as audit:
        budget = Budget(now=time.monotonic())

        def record(logged: Record) -> None:
            now = time.monotonic()
            if over := budget.take_over(now):
                audit.emit("gap", where="packets", lost=over, cause="flood")
            verdict = parse_prefix(logged.prefix)
            refused = verdict is None or verdict.outcome is Outcome.DENY
            if refused and not budget.admits(now):
                return
            kind, fields = packet_event(logged, policy, names.name)
            audit.emit(kind, **fields)

        def gap(lost: Gap) -> None:
            audit.emit("gap", where="nflog", lost=lost.lost, cause=lost.cause)

        def fault(error: BackendError) -> None:
            audit.emit("fault", where="enforcer", code=error.code, detail=str(error))

        with contextlib.ExitStack() as stack:
            # The reader first: not one packet is judged that nobody would hear of.
            stack.enter_context(NflogReader(groups=(NFLOG_GROUP,), on_record=record, on_gap=gap))
            _apply(enforcer, audit)
            broker = SocketBroker(settings.run_directory / "broker.sock", lambda: policy, time.time)
            try:
                broker.start()
                enforcer.start_renewing(fault)
                ready()
                await stop.wait()
            finally:
                await enforcer.close()
                broker.close()
                if over := budget.take_over(float("inf")):
                    audit.emit("gap", where="packets", lost=over, cause="flood")


def _apply(enforcer: Enforcer, audit: AuditSink) -> None:
    """Open the gates, and record that; or record why not."""
    policy, begin = enforcer.policy, time.monotonic()
    try:
        enforcer.open_gates()
    except BackendError as error:
        audit.emit("apply-refused", policy=policy.name, code=error.code, detail=str(error))
        raise
    audit.emit(
        "apply",
        policy=policy.name,
        flows=len(policy.flows),
        guards=len(policy.guards),
        duration_ms=round((time.monotonic() - begin) * 1000),
    )
