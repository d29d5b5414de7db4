"""A town, and traffic in it: packets as people write them, replayed the way the verb does."""

from __future__ import annotations

import io
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gateway.cli.frames import frame
from gateway.filter.engines import engine_by_name
from gateway.replay.captures import read_capture
from gateway.replay.ingress import ZoneMap, parse_map
from gateway.replay.pcapng import PcapngWriter
from gateway.replay.replay import Replay
from gateway.suggest.evidence import Collector
from gateway.suggest.proposals import Style
from gateway.suggest.suggest import Question, Suggestions, suggest
from gateway.suggest.triage import Thresholds
from zones.address import parse_address
from zones.load import load_policy
from zones.messages import Language
from zones.proof.ways import reply_to
from zones.services import parse_service
from zones.verdict import PORT_PROTOCOLS, PacketKey

if TYPE_CHECKING:
    from collections.abc import Callable

    from zones.model import Policy

TOWN = Path(__file__).with_name("town.yaml")
MONDAY_NS = 1_796_601_600_000_000_000  # 2026-12-07 00:00 UTC
SECOND_NS = 1_000_000_000


class Traffic:
    """Packets in the order they are said; every connection a second after the one before."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.interfaces = [name for zone in policy.zones.values() for name in zone.interfaces]
        self.packets: list[tuple[int, str, bytes]] = []
        self.now_ns = MONDAY_NS
        self.port = 20_000

    def say(
        self,
        ends: str,
        service: str,
        *,
        times: int = 1,
        answered: bool = False,
        packets: int = 2,
        zone: str | None = None,
    ) -> Traffic:
        """Open `ends` (`a > b`) so many times; unanswered it is asked again a moment later."""
        source, destination = ends.split(" > ")
        term = parse_service(service)
        assert term.protocol is not None
        for _ in range(times):
            self.now_ns += SECOND_NS
            self.port += 1
            version, src = parse_address(source)
            _, dst = parse_address(destination)
            zone = zone or self.policy.zone_of(version, src)
            sport = self.port if term.protocol in PORT_PROTOCOLS else 0
            key = PacketKey(zone, version, src, dst, term.protocol, sport, term.low or 0)
            self.put(key)
            if answered:
                back = reply_to(key, self.policy.zone_of(version, dst) or "")
                self.put(back, reply=True)
            for again in range(0 if answered else packets - 1):
                self.put(key, after_ns=(again + 1) * 1000)
        return self

    def put(self, key: PacketKey, *, reply: bool = False, after_ns: int = 0) -> None:
        zone = self.policy.zones[key.ingress or ""]
        key = key._replace(src_mac=self.policy.macs.get((key.version, key.src)))
        self.packets.append((self.now_ns + after_ns, zone.interfaces[0], frame(key, reply=reply)))

    def wait(self, seconds: float) -> Traffic:
        self.now_ns += int(seconds * SECOND_NS)
        return self

    def capture(self) -> bytes:
        stream = io.BytesIO()
        writer = PcapngWriter(stream, self.interfaces)
        for time_ns, interface, data in self.packets:
            writer.write(self.interfaces.index(interface), time_ns, data)
        return stream.getvalue()

    def collected(self, **options: object) -> Collector:
        collector = Collector(**options)  # type: ignore[arg-type]
        replay = Replay(
            self.policy,
            engine_by_name("reference", self.policy),
            ZoneMap(self.policy, parse_map((), self.policy)),
            collector,
        )
        replay.read("town.pcapng", read_capture(io.BytesIO(self.capture()), "town.pcapng"))
        replay.finish()
        return collector


@pytest.fixture(scope="session")
def town_text() -> str:
    return TOWN.read_text()


@pytest.fixture(scope="session")
def town(town_text: str) -> Policy:
    """A policy with one flow of every kind that `suggest` must respect: see town.yaml."""
    return load_policy({"town.yaml": town_text})


@pytest.fixture
def traffic(town: Policy) -> Traffic:
    return Traffic(town)


@pytest.fixture
def make_traffic() -> type[Traffic]:
    return Traffic


Ask = "Callable[..., Suggestions]"


@pytest.fixture
def ask(town: Policy, town_text: str) -> Callable[..., Suggestions]:
    """Return what is suggested for some traffic."""

    def question(said: Traffic, *, sources: dict[str, str] | None = None, **options: object) -> Suggestions:
        thresholds = Thresholds(**{k: v for k, v in options.items() if k in Thresholds.__annotations__})  # type: ignore[arg-type]
        collecting = {k: v for k, v in options.items() if k in ("since_ns", "until_ns", "admitted")}
        return suggest(
            said.policy,
            sources or {"town.yaml": town_text},
            said.collected(**collecting),
            Question(
                now=MONDAY_NS / 1e9,
                style=Style(expires=date(2027, 12, 7), language=Language.EN),
                thresholds=thresholds,
                zone_pairs=options.get("zone_pairs", ()),  # type: ignore[arg-type]
                new_file=options.get("new_file"),  # type: ignore[arg-type]
            ),
        )

    return question
