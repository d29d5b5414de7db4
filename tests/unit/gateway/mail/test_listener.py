"""The listener on loopback: who is served, who is refused, how many at once, and what the audit hears."""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from gateway.audit.event import make_draft
from gateway.journal.memory import MemoryBlobStore, MemoryJournal
from gateway.journal.states import State
from gateway.mail.destination import original_destination
from gateway.mail.passage import Endpoint
from gateway.mail.service import MailService
from gateway.mail.settings import Listen, MailSettings
from sanitizers.artefact import Refusal
from zones.errors import BackendError
from zones.verdict import Outcome, Reason, Verdict

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SINK = Endpoint("192.0.2.25", 25)
YES = Verdict(Outcome.SANITIZE_MAIL, Reason.FLOW, "mail-in", "internet", "lgwan", revision="r1")


class Events(list[dict[str, Any]]):
    def emit(self, kind: str, **fields: object) -> None:
        revision = str(fields.pop("revision", ""))
        self.append({"kind": kind, **make_draft(kind, fields, actor="mail", revision=revision).fields})

    async def emit_durable(self, kind: str, /, **fields: object) -> None:
        self.emit(kind, **fields)


class Policy:
    def __init__(self, verdict: Verdict) -> None:
        self.verdict = verdict
        self.asked: list[tuple[tuple[str, int], tuple[str, int]]] = []

    def decide_connection(self, peer: tuple[str, int], destination: tuple[str, int]) -> Verdict:
        self.asked.append((peer, destination))
        return self.verdict


class Held:
    async def sanitize(self, **_: object) -> Refusal:
        return Refusal(reason="test-held")


class Unreachable:
    async def connect(self, flow_id: str, destination: tuple[str, int]) -> socket.socket:
        raise ConnectionRefusedError


class Stand:
    """A service in this process, everything in memory."""

    def __init__(
        self, settings: MailSettings, verdict: Verdict, destination: Endpoint | None, free: int
    ) -> None:
        self.audit, self.policy, self.journal = Events(), Policy(verdict), MemoryJournal()
        self.service = MailService(
            settings=settings,
            journal=self.journal,
            blobs=MemoryBlobStore(clock=lambda: 0.0, free_bytes=free),
            sanitizer=Held(),
            admission=self.policy,
            connector=Unreachable(),
            audit=self.audit,
            resolver=lambda sock, port: destination,
        )

    async def talk(self, *lines: bytes) -> list[bytes]:
        """Return every line heard on one connection until it is closed."""
        port = self.service.addresses[0].port
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"".join(line + b"\r\n" for line in lines))
        async with asyncio.timeout(10):
            heard = await reader.read()
        writer.close()
        await writer.wait_closed()
        return heard.splitlines()


@asynccontextmanager
async def stand(
    verdict: Verdict = YES, destination: Endpoint | None = SINK, free: int = 1 << 40, **settings: object
) -> AsyncIterator[Stand]:
    chosen = MailSettings(
        listen=Listen(addresses=("127.0.0.1",), port=0),
        hostname="gw.example",
        poll_seconds=0.05,
        drain_seconds=1,
        **settings,  # type: ignore[arg-type]
    )
    made = Stand(chosen, verdict, destination, free)
    await made.service.start()
    try:
        yield made
    finally:
        await made.service.stop()


MAIL = (
    b"EHLO c.example", b"MAIL FROM:<a@x.example>", b"RCPT TO:<b@y.example>", b"DATA",
    b"Message-ID: <1@x.example>", b"", b"text", b".", b"QUIT",
)  # fmt: skip


async def test_a_mail_that_cannot_be_recorded_stays_with_its_sender(monkeypatch: pytest.MonkeyPatch) -> None:
    async def full(self: Events, kind: str, /, **fields: object) -> None:
        raise BackendError("audit-unavailable", path="recorder.sock", detail="disk full")

    monkeypatch.setattr(Events, "emit_durable", full)
    async with stand() as made:
        heard = await made.talk(*MAIL)
    assert heard[-2].startswith(b"451 4.3.0")
    assert list(await made.journal.find()) == []
    assert [event["kind"] for event in made.audit] == ["mail-refused"]


async def test_an_admitted_mail_is_taken_with_everything_known_of_it() -> None:
    async with stand() as made:
        heard = await made.talk(*MAIL)
    assert [line[:3] for line in heard if line[3:4] == b" "] == [
        b"220",
        b"250",
        b"250",
        b"250",
        b"354",
        b"250",
        b"221",
    ]
    (job,) = await made.journal.find()
    assert job.meta["flow_id"] == "mail-in"
    assert job.meta["destination"] == ["192.0.2.25", 25]
    assert made.policy.asked[0][1] == ("192.0.2.25", 25)
    accepted = made.audit[0]
    assert (accepted["kind"], accepted["message_id"]) == ("mail-accepted", "<1@x.example>")
    assert accepted["decided_by"] == "mail-in"


@pytest.mark.parametrize("outcome", [Outcome.DENY, Outcome.ALLOW, Outcome.SANITIZE_WEB])
async def test_without_a_sanitize_mail_flow_there_is_no_service(outcome: Outcome) -> None:
    verdict = Verdict(outcome, Reason.GUARD, "block-all", "internet", "lgwan")
    async with stand(verdict) as made:
        heard = await made.talk(*MAIL)
        assert await made.journal.find() == []
    assert heard[0].startswith(b"554 5.7.1 ")
    assert not any(line.startswith(b"250") for line in heard)
    event = made.audit[0]
    assert (event["kind"], event["code"], event["decided_by"]) == (
        "mail-refused",
        "not-admitted",
        "block-all",
    )


async def test_whoever_speaks_to_the_gateway_itself_is_refused() -> None:
    async with stand(destination=None) as made:
        heard = await made.talk(b"EHLO c.example", b"QUIT")
        assert made.policy.asked == []
    assert [line[:3] for line in heard] == [b"554", b"503", b"221"]
    assert made.audit[0]["code"] == "no-destination"


async def test_an_untracked_socket_has_no_destination() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            accepted, _ = listener.accept()
            with accepted:
                assert original_destination(accepted, port) is None
                # Under TPROXY the socket is bound to the destination, and its port is not the listener's.
                assert original_destination(accepted, 1) == Endpoint("127.0.0.1", port)


async def test_one_connection_too_many_is_told_to_come_back() -> None:
    async with stand(max_connections_per_peer=2) as made:
        port = made.service.addresses[0].port
        first = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
        for reader, _ in first:
            assert (await reader.readline()).startswith(b"220")
        assert (await made.talk())[0].startswith(b"421 4.7.0 ")
        for _, writer in first:
            writer.close()
            await writer.wait_closed()
        for _ in range(100):
            if (await made.talk(b"QUIT"))[0].startswith(b"220"):
                break
            await asyncio.sleep(0.02)
        else:
            pytest.fail("the places are never given back")


async def test_a_full_spool_is_said_at_mail_from() -> None:
    async with stand(free=2048, reserve_bytes=1024) as made:
        heard = await made.talk(b"EHLO c", b"MAIL FROM:<> SIZE=2000", b"MAIL FROM:<> SIZE=10", b"QUIT")
    assert [line[:3] for line in heard if line[3:4] == b" "][-3:] == [b"452", b"250", b"221"]
    assert made.audit[0]["code"] == "spool-full"


async def test_a_silent_client_is_sent_away() -> None:
    async with stand(command_seconds=0.1) as made:
        heard = await made.talk()
    assert heard[-1].startswith(b"421 4.4.2 ")


async def test_stopping_says_goodbye_to_idle_clients() -> None:
    async with stand() as made:
        reader, writer = await asyncio.open_connection("127.0.0.1", made.service.addresses[0].port)
        await reader.readline()
        await made.service.stop()
        assert (await reader.readline()).startswith(b"421 4.3.2 ")
        writer.close()
        await writer.wait_closed()


async def test_a_client_that_hangs_up_in_the_middle_leaves_no_job() -> None:
    async with stand() as made:
        reader, writer = await asyncio.open_connection("127.0.0.1", made.service.addresses[0].port)
        writer.write(b"EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<b@y.example>\r\nDATA\r\nhalf\r\n")
        await reader.readuntil(b"354")
        writer.close()
        await writer.wait_closed()
        assert (await made.talk(b"QUIT"))[-1].startswith(b"221")
        assert await made.journal.find() == []


async def test_a_refused_mail_is_held_with_an_event() -> None:
    async with stand() as made:
        await made.talk(*MAIL)
        for _ in range(200):
            if made.audit[-1]["kind"] == "mail-quarantined":
                break
            await asyncio.sleep(0.01)
        (job,) = await made.journal.find()
    assert (job.state, job.reason) == (State.QUARANTINED, "test-held")


async def test_a_port_that_is_taken_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        settings = MailSettings(listen=Listen(addresses=("127.0.0.1",), port=port))
        made = Stand(settings, YES, SINK, 1 << 40)
        with pytest.raises(BackendError) as refused:
            await made.service.start()
    assert refused.value.code == "mail-listen"
    assert str(port) in refused.value.params["address"]
