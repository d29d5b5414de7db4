"""The engine in C: parse, zones, connection tracking and classification in one pass over a batch.

The core numbers its verdicts: one number for each combination of what a verdict depends on. Here `decide` is
asked once for each number, with the first packet that got it, and must agree with what the core did.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from struct import Struct
from typing import TYPE_CHECKING, Any

from gateway.filter._native import ffi, lib
from gateway.filter.compiled import FIRST_ZONE, OURS, PolicyCompiler
from gateway.filter.datagrams import MAX_DATAGRAMS
from gateway.filter.engine import NATIVE, Judgements, PacketBatch, mac_text
from gateway.filter.frames import NO_MAC, NO_VLAN, Frame, Unparsed
from gateway.filter.track import MAX_CONNECTIONS
from zones.decide import decide
from zones.errors import ConfigurationError, ExitCode, MasugataError
from zones.model import GATEWAY
from zones.verdict import Connection, Outcome, PacketKey, Reason, State, Verdict

if TYPE_CHECKING:
    from gateway.filter.compiled import CompiledPolicy, Span
    from zones.model import Policy

_NANO = 1_000_000_000
_LAST_NS = 2**63 - 1
_FIRST_NS = -(2**63)
_RECORD = Struct("=QqIIiHBx")
_NO_LINKTYPE = -1
_INBOUND, _OUTBOUND = 1, 2
_STATES = (State.NEW, State.ESTABLISHED, State.RELATED, State.INVALID)
_REASONS: tuple[Unparsed | None, ...] = (None, *Unparsed)
MAX_VERDICTS = 1 << 20


class EnginesDisagree(MasugataError):
    """The core decided otherwise than `decide`: a bug of ours, and nothing it said can be used."""

    exit_code = ExitCode.UNDECIDED


class Core:
    """The C engine with a policy in it: what judging packets and adding them up share.

    Raises:
        ConfigurationError: the policy has more zones, or is larger, than the core can hold.
    """

    def __init__(
        self,
        policy: Policy,
        *,
        now: float | None = None,
        ignore_checksums: bool = False,
        max_connections: int = MAX_CONNECTIONS,
        max_verdicts: int = MAX_VERDICTS,
        max_flows: int = 0,
    ) -> None:
        if FIRST_ZONE + len(policy.zones) > lib.MG_MOST_ZONES:
            most = lib.MG_MOST_ZONES - FIRST_ZONE
            raise ConfigurationError("engine-too-many-zones", zones=len(policy.zones), most=most)
        self.policy = policy
        self.zone_numbers: dict[str | None, int] = {
            **{zone: number for number, zone in enumerate(policy.zones, FIRST_ZONE)},
            GATEWAY: OURS,
            None: lib.MG_NOWHERE,
        }
        self._zone_names: dict[int, str | None] = {n: zone for zone, n in self.zone_numbers.items()}
        self._compiler = PolicyCompiler(policy)
        self._flow_ids = {number: flow for flow, number in self._compiler.flow_numbers.items()}
        self._now = now
        self._epochs = 0
        self._verdicts: dict[int, Verdict] = {}
        engine = lib.mg_engine_new(
            max_connections, MAX_DATAGRAMS, max_verdicts, max_flows, secrets.token_bytes(16)
        )
        if engine == ffi.NULL:
            raise MemoryError
        self.pointer: Any = ffi.gc(engine, lib.mg_engine_free)
        self.pointer.ignore_checksums = ignore_checksums
        self._in_force: Any = None
        self.turn_to(0 if now is None else int(now * _NANO))

    def turn_to(self, time_ns: int) -> None:
        """Put the tables in force that hold at a moment."""
        if self._now is None:
            compiled, span = self._compiler.at(time_ns / _NANO)
            start, last = _nanoseconds(span)
            # Seconds as floats are not exact to the nanosecond: the moment asked for is inside all the same.
            start, last = min(start, time_ns), max(last, time_ns)
        else:
            compiled, _ = self._compiler.at(self._now)
            start, last = _FIRST_NS, _LAST_NS
        self._epochs += 1
        self._in_force = _PolicyNow(compiled, start, last, self._epochs)
        self.pointer.policy = self._in_force.pointer

    def forget_verdicts(self) -> None:
        """Begin numbering anew: whatever the old numbers meant must have been asked for before."""
        lib.mg_forget_verdicts(self.pointer)
        self._verdicts.clear()
        self._epochs += 1
        self._in_force.pointer.epoch = self._epochs

    def verdict(self, number: int) -> Verdict | None:
        """Return the verdict that a number stands for; None for 0.

        Raises:
            EnginesDisagree: `decide` says otherwise than the core did.
        """
        if number == 0:
            return None
        known = self._verdicts.get(number)
        if known is None:
            known = self._verdicts[number] = self._asked(self.pointer.verdicts[number])
        return known

    def _asked(self, answer: Any) -> Verdict:
        question = ffi.addressof(answer, "question")
        ingress, flags = self._ingress(answer), lib.mg_question_flags(question)
        if flags & lib.MG_IS_MALFORMED:
            return Verdict(
                Outcome.DENY,
                Reason.MALFORMED,
                source_zone=ingress,
                state=State.INVALID,
                revision=self.policy.revision,
            )
        state = _STATES[lib.mg_question_state(question)]
        connection = (
            None
            if state is State.NEW
            else Connection(state, self._flow_ids.get(lib.mg_question_flow(question)))
        )
        now = self._now if self._now is not None else answer.time_ns / _NANO
        verdict = decide(self.policy, self._key(answer, ingress), now=now, connection=connection)
        if flags & lib.MG_AT_LIMIT:
            return verdict._replace(outcome=Outcome.DENY, reason=Reason.LIMIT)
        if answer.decided:
            self._compare(answer, verdict)
        return verdict

    def _ingress(self, answer: Any) -> str | None:
        return self._zone_names[lib.mg_question_ingress(ffi.addressof(answer, "question"))]

    def _key(self, answer: Any, ingress: str | None) -> PacketKey:
        key = answer.key
        src, dst = key.src_hi << 64 | key.src_lo, key.dst_hi << 64 | key.dst_lo
        mac = None
        if answer.src_mac != _C_NO_MAC and ingress is not None and (key.version, src) in self.policy.macs:
            mac = mac_text(answer.src_mac)
        return PacketKey(ingress, key.version, src, dst, key.protocol, answer.sport, answer.dport, mac)

    def _compare(self, answer: Any, verdict: Verdict) -> None:
        admits = verdict.decided_by if verdict.passes else None
        local = verdict.passes and (
            verdict.outcome is not Outcome.ALLOW or verdict.destination_zone == GATEWAY
        )
        flow = self._flow_ids.get(answer.flow)
        if (bool(answer.passes), flow, bool(answer.local)) != (verdict.passes, admits, local):
            raise EnginesDisagree(
                "engines-disagree",
                packet=self._key(answer, self._ingress(answer)).describe(),
                native=flow or ("allow" if answer.passes else "deny"),
                reference=f"{verdict.outcome} {verdict.reason} {verdict.decided_by or ''}".strip(),
            )


class NativeEngine:
    """Judges batches; every frame and verdict is there to be looked at."""

    name = NATIVE

    def __init__(
        self,
        policy: Policy,
        *,
        now: float | None = None,
        ignore_checksums: bool = False,
        max_connections: int = MAX_CONNECTIONS,
        max_verdicts: int = MAX_VERDICTS,
    ) -> None:
        self._core = Core(
            policy,
            now=now,
            ignore_checksums=ignore_checksums,
            max_connections=max_connections,
            max_verdicts=max_verdicts,
        )

    @property
    def evicted(self) -> int:
        """How many connections were forgotten because the table was full."""
        return int(lib.mg_tracker_evicted(self._core.pointer.tracker))

    def judge_batch(self, batch: PacketBatch) -> Judgements:
        """Judge every packet of a batch, in order."""
        count = len(batch.frames)
        records, _keep = self._records(batch)
        judged = ffi.new("struct mg_judgement[]", max(count, 1))
        frames = ffi.new("struct mg_frame[]", max(count, 1))
        stop = ffi.new("enum mg_stop *")
        verdicts: list[Verdict | None] = []
        done = 0
        while done < count:
            done += lib.mg_judge(
                self._core.pointer, records + done, count - done, judged + done, frames + done, stop
            )
            # The numbers of verdicts may be forgotten before the next round.
            verdicts += [self._core.verdict(judged[at].verdict) for at in range(len(verdicts), done)]
            if stop[0] == lib.MG_OTHER_TIME:
                self._core.turn_to(batch.times_ns[done])
            elif stop[0] == lib.MG_FULL_VERDICTS:
                self._core.forget_verdicts()
        return Judgements(
            Frames(frames, judged, count),
            verdicts,
            [judged[at].connection for at in range(count)],
            [judged[at].marks for at in range(count)],
        )

    def _records(self, batch: PacketBatch) -> tuple[Any, object]:
        """Return the batch as C records, and what must live as long as they are used."""
        data = ffi.from_buffer(b"".join(batch.frames))
        at = int(ffi.cast("uintptr_t", data))
        packed = []
        for linktype, frame, wire, time_ns, ingress, outbound in zip(*batch, strict=True):
            packed.append(
                _RECORD.pack(
                    at,
                    time_ns,
                    len(frame),
                    wire,
                    _NO_LINKTYPE if linktype is None else linktype,
                    self._core.zone_numbers[ingress],
                    _OUTBOUND if outbound else _INBOUND,
                )
            )
            at += len(frame)
        records = ffi.from_buffer(b"".join(packed))
        return ffi.cast("struct mg_record *", records), (data, records)


class Frames(Sequence["Frame | Unparsed"]):
    """Frames of the core, made into ours when they are looked at."""

    def __init__(self, frames: Any, judged: Any, count: int) -> None:
        self._frames, self._judged, self._count = frames, judged, count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, at: Any) -> Any:
        if isinstance(at, slice):
            return [self[index] for index in range(*at.indices(self._count))]
        if not -self._count <= at < self._count:
            raise IndexError(at)
        at %= self._count
        reason = _REASONS[self._judged[at].reason]
        return frame_of(self._frames[at]) if reason is None else reason


def frame_of(frame: Any) -> Frame:
    """Return a frame of the core as a `Frame`."""
    key = frame.key
    return Frame(
        version=key.version,
        src=key.src_hi << 64 | key.src_lo,
        dst=key.dst_hi << 64 | key.dst_lo,
        protocol=key.protocol,
        sport=frame.sport,
        dport=frame.dport,
        key=key_bytes(key),
        control=frame.control,
        ident=frame.ident,
        fragment=frame.fragment,
        offset=frame.offset,
        payload=frame.payload,
        truncated=bool(frame.truncated),
        src_mac=NO_MAC if frame.src_mac == _C_NO_MAC else frame.src_mac,
        vlan=NO_VLAN if frame.vlan == _C_NO_VLAN else frame.vlan,
        quoted=key_bytes(frame.quoted) if frame.quotes else None,
        checksum=frame.checksum,
    )


def key_bytes(key: Any) -> bytes:
    """Return a key of the core as `Frame.key`."""
    size = 4 if key.version == 4 else 16
    src: int
    dst: int
    src, dst = key.src_hi << 64 | key.src_lo, key.dst_hi << 64 | key.dst_lo
    return src.to_bytes(size) + dst.to_bytes(size) + int(key.tail).to_bytes(4) + bytes((key.protocol,))


_C_NO_MAC = 2**64 - 1
_C_NO_VLAN = 0xFFFF


class _PolicyNow:
    """A compiled policy as the C structures that the core reads; they live as long as this."""

    def __init__(self, compiled: CompiledPolicy, start_ns: int, last_ns: int, epoch: int) -> None:
        self._tables = compiled.tables
        places = [
            (place.zone, place.owner, place.managed, _C_NO_MAC if place.mac is None else place.mac)
            for place in compiled.places
        ]
        effects = [(effect.flow, effect.passes, effect.local) for effect in compiled.effects]
        barred = bytearray(compiled.zones**2)
        for source, destination in compiled.barred:
            barred[source * compiled.zones + destination] = 1
        self._places = ffi.new("struct mg_place[]", places)
        self._effects = ffi.new("struct mg_effect[]", effects or 1)
        self._barred = ffi.from_buffer("uint8_t[]", bytes(barred))
        self.pointer: Any = ffi.new("struct mg_policy_now *")
        self.pointer.lookup = lib.mg_tables_lookup(self._tables.pointer)
        self.pointer.source_places = self.pointer.destination_places = self._places
        self.pointer.effects, self.pointer.effect_count = self._effects, len(effects)
        self.pointer.barred, self.pointer.zones = self._barred, compiled.zones
        self.pointer.from_ns, self.pointer.last_ns = start_ns, last_ns
        self.pointer.epoch, self.pointer.trial = epoch, compiled.trial


def _nanoseconds(span: Span) -> tuple[int, int]:
    """Return the first and the last nanosecond of a span."""
    return _bounded(span.start * _NANO), _bounded(span.end * _NANO - 1)


def _bounded(nanoseconds: float) -> int:
    if nanoseconds >= _LAST_NS:
        return _LAST_NS
    return _FIRST_NS if nanoseconds <= _FIRST_NS else int(nanoseconds)
