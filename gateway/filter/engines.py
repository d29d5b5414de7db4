"""The engines that are here, and the one that is called by its name."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from gateway.filter.engine import NATIVE, REFERENCE
from gateway.filter.reference import ReferenceEngine
from zones.errors import BackendError

if TYPE_CHECKING:
    from gateway.filter.engine import Engine
    from zones.model import Policy


def engine_by_name(
    name: str, policy: Policy, *, now: float | None = None, ignore_checksums: bool = False
) -> Engine:
    """Return the engine called `name`.

    `now` fixes the time that expiry and hours are judged by. `ignore_checksums` judges packets with a
    wrong IPv4 header checksum too (captures that were rewritten); one that the sender left to its network
    card is no reason for refusal where no interface of the gateway is known to have received it.

    Raises:
        BackendError: this installation has no such engine. There is no silent fallback.
        ConfigurationError: the policy is too large for the native engine.
    """
    if name == NATIVE and native_available():
        from gateway.filter.native_engine import NativeEngine

        return NativeEngine(policy, now=now, ignore_checksums=ignore_checksums)
    if name == REFERENCE:
        return ReferenceEngine(policy, now=now, ignore_checksums=ignore_checksums)
    raise BackendError("engine-unavailable", engine=name, engines=", ".join(engines()))


def native_available() -> bool:
    """Whether the core in C was built where this is installed."""
    return find_spec("gateway.filter._native") is not None


def engines() -> tuple[str, ...]:
    """Return the names of the engines that are here, the fastest first."""
    return (NATIVE, REFERENCE) if native_available() else (REFERENCE,)
