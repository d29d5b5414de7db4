"""Starts the roles in order, restarts one that ends, and stops them in the opposite order.

A role says `ready` on its standard output when it serves. A role that ends by itself is started again
after a growing wait; the kernel ruleset stays in force meanwhile. A role that cannot start at all ends
the gateway, closed.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from zones.errors import BackendError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

READY_SECONDS = 30.0
STOP_SECONDS = 30.0
_FIRST_WAIT_SECONDS, _LONGEST_WAIT_SECONDS = 0.2, 30.0
READY_LINE = b"ready\n"


@dataclass
class RoleProcess:
    """One role as the supervisor sees it."""

    name: str
    command: Sequence[str]
    process: asyncio.subprocess.Process | None = None
    restarts: int = 0
    started_at: float = 0.0
    last_words: str = ""
    watcher: asyncio.Task[None] | None = field(default=None, repr=False)

    @property
    def pid(self) -> int | None:
        """The process id, while it runs."""
        running = self.process is not None and self.process.returncode is None
        return self.process.pid if self.process is not None and running else None


class Supervisor:
    """Keeps a list of roles running. `on_change(role, event, fields)` is told what happens to them."""

    def __init__(self, roles: Sequence[tuple[str, Sequence[str]]], on_change: Callable[..., None]) -> None:
        self.roles = [RoleProcess(name, command) for name, command in roles]
        self._on_change = on_change
        self._stopping = False

    async def start(self) -> None:
        """Start every role in order, each ready before the next; `stop` is due even if this fails.

        Raises:
            BackendError: a role did not get ready; those before it still run.
        """
        for role in self.roles:
            await self._launch(role)
        for role in self.roles:
            role.watcher = asyncio.create_task(self._watch(role))

    async def stop(self) -> None:
        """Stop the roles in the opposite order; one that does not end in time is killed."""
        self._stopping = True
        for role in reversed(self.roles):
            if role.watcher is not None:
                role.watcher.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await role.watcher
            await self._end(role)

    async def _launch(self, role: RoleProcess) -> None:
        loop = asyncio.get_running_loop()
        role.process = await asyncio.create_subprocess_exec(
            *role.command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=None,
            start_new_session=True,
        )
        role.started_at = loop.time()
        role.last_words = ""
        try:
            async with asyncio.timeout(READY_SECONDS):
                await self._await_ready(role)
        except TimeoutError as error:
            await self._end(role)
            raise BackendError("role-not-ready", role=role.name, seconds=READY_SECONDS) from error
        self._on_change(role, "role-started", role_pid=role.process.pid, restarts=role.restarts)

    async def _await_ready(self, role: RoleProcess) -> None:
        assert role.process is not None  # noqa: S101  launched by the caller
        assert role.process.stdout is not None  # noqa: S101  piped by the caller
        # A line longer than the reader's limit is no word of ours.
        with contextlib.suppress(ValueError):
            while line := await role.process.stdout.readline():
                if line == READY_LINE:
                    return
                role.last_words = line.decode("utf-8", "replace").strip()
            await role.process.wait()
        await self._end(role)
        raise role_failure(role.name, role.last_words, role.process.returncode or 0)

    async def _watch(self, role: RoleProcess) -> None:
        """Start a role again whenever it ends, waiting longer each time it does not last."""
        wait = _FIRST_WAIT_SECONDS
        loop = asyncio.get_running_loop()
        while not self._stopping:
            assert role.process is not None  # noqa: S101  started before it is watched
            code = await role.process.wait()
            lasted = loop.time() - role.started_at
            wait = (
                _FIRST_WAIT_SECONDS
                if lasted > _LONGEST_WAIT_SECONDS
                else min(wait * 2, _LONGEST_WAIT_SECONDS)
            )
            self._on_change(role, "role-ended", restarts=role.restarts, **_how_it_ended(code))
            await asyncio.sleep(wait)
            role.restarts += 1
            # Neither a role that will not start nor a host without processes to spare ends the watch.
            with contextlib.suppress(BackendError, OSError):
                await self._launch(role)

    async def _end(self, role: RoleProcess) -> None:
        if role.process is None or role.process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            role.process.terminate()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await role.process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                # The role leads its own process group: its workers go with it.
                os.killpg(role.process.pid, signal.SIGKILL)
            await role.process.wait()


def role_failure(role: str, last_words: str, code: int) -> BackendError:
    """Return the error a role ended with: its own, when it could still say it."""
    try:
        told = json.loads(last_words)
        return BackendError(str(told["error"]), **{str(k): v for k, v in told["params"].items()})
    except (ValueError, KeyError, TypeError, AttributeError):
        return BackendError("role-failed", role=role, code=code)


def _how_it_ended(code: int) -> dict[str, object]:
    if code >= 0:
        return {"exit_code": code}
    return {"signal": signal.Signals(-code).name}


def role_command(role: str, *arguments: str) -> list[str]:
    """Return the command that runs a role of this installation."""
    return [sys.executable, "-m", "gateway.roles", role, *arguments]
