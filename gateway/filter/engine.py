"""The engine: batches of captured packets in, columns of verdicts out.

`Engine` is the seam between the packet path and everything that reports on it. Its columns are sequences,
so that an engine may keep them as arrays and its verdicts as one small table. The reference engine is the
readable one, built of the parser, the tracker and `zones.decide`; the native one is the same in C, and one
contract test holds it to that. Engines are chosen by name, and whoever prints a result names the engine that
gave it.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, NamedTuple, Protocol

from zones.errors import BackendError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.filter.frames import Frame, Unparsed
    from zones.model import Policy
    from zones.verdict import Verdict


class PacketBatch(NamedTuple):
    """Packets as columns of equal length.

    `ingress` is the zone of the interface a packet was seen on, None where that is not known; `outbound`
    whether it was leaving by that interface. Times are nanoseconds since the epoch.
    """

    linktypes: Sequence[int | None]
    frames: Sequence[bytes]
    wire_lengths: Sequence[int]
    times_ns: Sequence[int]
    ingress: Sequence[str | None]
    outbound: Sequence[bool]


class Judgements(NamedTuple):
    """One batch's answers as columns.

    `frames` holds what each packet said, or why it could not be read; `verdicts` None where there is none:
    the packet was not read (see `frames`), or it left by a mapped interface (see `SKIPPED`). `connections`
    numbers the admitted connection a packet belongs to, 0 without one. `marks` are bits of `MARKS`.
    """

    frames: Sequence[Frame | Unparsed]
    verdicts: Sequence[Verdict | None]
    connections: Sequence[int]
    marks: Sequence[int]


ZONE_INFERRED, TRUNCATED, FRAGMENT, ORPHAN_FRAGMENT = 1, 2, 4, 8
OUTBOUND_COPY, GATEWAY_ANSWER, VLAN_TAG, CHECKSUM_IGNORED = 16, 32, 64, 128
MARKS: dict[int, str] = {
    ZONE_INFERRED: "zone-inferred",
    TRUNCATED: "truncated",
    FRAGMENT: "fragment",
    ORPHAN_FRAGMENT: "orphan-fragment",
    OUTBOUND_COPY: "outbound-copy",
    GATEWAY_ANSWER: "gateway-answer",
    VLAN_TAG: "vlan",
    CHECKSUM_IGNORED: "checksum-ignored",
}
SKIPPED = OUTBOUND_COPY | GATEWAY_ANSWER
"""On its way out a packet was judged as it came in, or is the gateway's own answer to a redirected one."""


class Engine(Protocol):
    """What judges packets. It keeps the connections; batches must come in the order of capture."""

    @property
    def name(self) -> str:
        """The name under which it is chosen and reported."""

    @property
    def evicted(self) -> int:
        """How many connections had to be forgotten for want of room."""

    def judge_batch(self, batch: PacketBatch) -> Judgements:
        """Return the verdict on every packet; never raises, whatever the frames hold."""


NATIVE, REFERENCE = "native", "reference"


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
        from gateway.filter.reference import ReferenceEngine

        return ReferenceEngine(policy, now=now, ignore_checksums=ignore_checksums)
    raise BackendError("engine-unavailable", engine=name, engines=", ".join(engines()))


def native_available() -> bool:
    """Whether the core in C was built where this is installed."""
    return find_spec("gateway.filter._native") is not None


def engines() -> tuple[str, ...]:
    """Return the names of the engines that are here, the fastest first."""
    return (NATIVE, REFERENCE) if native_available() else (REFERENCE,)


def mac_text(mac: int) -> str:
    """Return a MAC address as people write it.

    >>> mac_text(0x02000A0A050A)
    '02:00:0a:0a:05:0a'
    """
    return mac.to_bytes(6).hex(":")
