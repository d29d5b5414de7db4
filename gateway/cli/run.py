"""`masugata run`: the gateway itself, in the foreground, until it is told to stop."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gateway.cli.terminal import Terminal, shared_flags, words
from zones.errors import BackendError, ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.process.supervisor import RoleProcess
    from gateway.settings import GatewaySettings
    from zones.model import Policy


@click.command("run", help=words("verb-run"))
@click.argument("policy", required=False, type=click.Path(path_type=Path))
@click.option("--config", type=click.Path(path_type=Path, exists=True), help=words("run-option-config"))
@click.option("--state", type=click.Path(path_type=Path), help=words("run-option-state"))
@click.option("--check", "only_check", is_flag=True, help=words("run-option-check"))
@shared_flags
def command(
    terminal: Terminal, policy: Path | None, config: Path | None, state: Path | None, only_check: bool
) -> int:
    """Check everything first, then start the roles and stay."""
    import asyncio

    from gateway.kernel.enforcer import close_gates
    from gateway.settings import freeze, read_settings
    from zones.load import load_policy, read_sources

    settings = read_settings(config, policy=policy, state=state)
    assert settings.policy is not None  # noqa: S101  read_settings refuses otherwise
    sources = read_sources(settings.policy)
    loaded = load_policy(sources)
    _demand_privilege()
    _demand_this_host(loaded)
    if only_check:
        terminal.say("run-check-ok", policy=loaded.name, revision=loaded.revision[:12])
        return ExitCode.OK
    with _only_gateway():
        close_gates()  # whatever fails from here on fails closed
        with _only_here(settings.state):
            frozen = freeze(settings, sources, loaded.revision)
            return asyncio.run(_run(terminal, settings, frozen, loaded.revision))


def _demand_privilege() -> None:
    """Refuse early what would fail late: the kernel's tables are ours to change, and nft is there.

    Raises:
        BackendError: no CAP_NET_ADMIN, or no nft command.
    """
    from shutil import which

    from gateway.process.privilege import may_administer_network

    if not may_administer_network():
        raise BackendError("privilege-missing", capability="CAP_NET_ADMIN")
    for tool in ("nft", "ip"):
        if which(tool) is None:
            raise BackendError("tool-missing", tool=tool)


def _demand_this_host(policy: Policy) -> None:
    """Refuse, and touch nothing, on a host that has none of the policy's interfaces: it is another host.

    Raises:
        BackendError: not one of them is here. (Where only some are missing, the roles refuse, closed.)
    """
    from gateway.kernel.host import interfaces

    named = [interface for zone in policy.zones.values() for interface in zone.interfaces]
    if not {interface.name for interface in interfaces()} & set(named):
        raise BackendError("not-this-host", interfaces=", ".join(named))


@contextmanager
def _only_gateway() -> Iterator[None]:
    """Be the one gateway of this network namespace, for as long as this process lives.

    Raises:
        BackendError: another one runs here.
    """
    import socket

    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as claim:
        try:
            # An abstract name belongs to the network namespace and is freed with the process (unix(7)).
            claim.bind("\0masugata-gateway")
        except OSError as error:
            raise BackendError("gateway-already-runs") from error
        yield


@contextmanager
def _only_here(state: Path) -> Iterator[None]:
    """Be the one gateway on this state directory; one in another network namespace may have it.

    Raises:
        BackendError: another one has it, or it cannot be written.
    """
    import fcntl

    try:
        state.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = (state / "gateway.lock").open("a", encoding="ascii")
    except OSError as error:
        raise BackendError("state-unwritable", path=str(state), detail=error.strerror or "") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BackendError("state-in-use", path=str(state)) from error
        yield


async def _run(terminal: Terminal, settings: GatewaySettings, frozen: Path, revision: str) -> int:
    import asyncio
    import os
    import signal

    from gateway.app import ROLES
    from gateway.audit.client import AuditClient
    from gateway.kernel.enforcer import close_gates
    from gateway.process.supervisor import Supervisor, role_command

    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    arguments = ["--settings", str(frozen), "--parent", str(os.getpid())]
    socket_path = settings.run_directory / "recorder.sock"
    async with AuditClient(socket_path, actor="supervisor", revision=revision) as audit:

        def changed(role: RoleProcess, event: str, **fields: object) -> None:
            audit.emit(event, role=role.name, **fields)
            if terminal.json_lines:
                terminal.data({"event": event, "role": role.name, **fields})
                terminal.out.flush()
            else:
                terminal.log(f"run-{event}", role=role.name, pid=role.pid or "-")

        supervisor = Supervisor([(name, role_command(name, *arguments)) for name in ROLES], changed)
        try:
            await supervisor.start()
            terminal.data({"event": "ready", "revision": revision}) if terminal.json_lines else terminal.say(
                "run-ready", revision=revision[:12], state=settings.state
            )
            terminal.out.flush()
            await stop.wait()
        finally:
            audit.emit("gateway-stopping", reason="told-to-stop" if stop.is_set() else "start-failed")
            await audit.flush()
            await supervisor.stop()
            close_gates()
    terminal.log("run-stopped")
    return ExitCode.OK
