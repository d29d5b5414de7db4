"""`masugata run`: the gateway itself, in the foreground, until it is told to stop."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gateway.cli.terminal import Terminal, shared_flags, words
from zones.errors import BackendError, ExitCode

if TYPE_CHECKING:
    from gateway.process.supervisor import RoleProcess
    from gateway.settings import GatewaySettings


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

    from gateway.settings import read_settings
    from zones.load import read_policy

    settings = read_settings(config, policy=policy, state=state)
    assert settings.policy is not None  # noqa: S101  read_settings refuses otherwise
    loaded = read_policy(settings.policy)
    _demand_privilege()
    if only_check:
        terminal.say("run-check-ok", policy=loaded.name, revision=loaded.revision[:12])
        return ExitCode.OK
    arguments = ["--policy", str(settings.policy.absolute()), "--state", str(settings.state)]
    if config is not None:
        arguments += ["--config", str(config.absolute())]
    return asyncio.run(_run(terminal, settings, arguments, loaded.revision))


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


async def _run(terminal: Terminal, settings: GatewaySettings, arguments: list[str], revision: str) -> int:
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
    settings.run_directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    close_gates()
    arguments = [*arguments, "--parent", str(os.getpid())]
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
            audit.emit("gateway-stopping", reason="told-to-stop")
            await audit.flush()
            await supervisor.stop()
            close_gates()
    terminal.log("run-stopped")
    return ExitCode.OK
