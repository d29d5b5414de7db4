"""What becomes of a mail: sanitised, held, delivered, waited for, given up; with real SMTP for delivery."""

from __future__ import annotations

import asyncio
import hashlib
import socket
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from gateway.audit.event import make_draft
from gateway.journal.memory import MemoryBlobStore, MemoryJournal
from gateway.journal.model import Job, Target
from gateway.journal.states import Stage, State, TargetState
from gateway.mail.content import Marker
from gateway.mail.delivery import Delivery
from gateway.mail.passage import Endpoint, Passage
from gateway.mail.settings import MailSettings
from gateway.mail.trace import trace_lines
from gateway.mail.worker import DeliverWorker, Desk, SanitizeWorker
from sanitizers.artefact import Artefact, Provenance, Refusal, Removed
from zones.errors import BackendError, IsolationError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

SETTINGS = MailSettings(hostname="gw.example", max_sanitize_attempts=3, poll_seconds=0.05)
NOWHERE = Endpoint("192.0.2.25", 25)
ORIGINAL = b"Subject: original\r\n\r\nuntrusted\r\n"
WRITTEN = b"Subject: =?utf-8?b?5paw?=\r\n\r\nours\r\n.\r\n"


class Events(list[dict[str, Any]]):
    def emit(self, kind: str, **fields: object) -> None:
        revision = str(fields.pop("revision", ""))
        self.append({"kind": kind, **make_draft(kind, fields, actor="mail", revision=revision).fields})

    async def emit_durable(self, kind: str, /, **fields: object) -> None:
        self.emit(kind, **fields)


def artefact(body: bytes = WRITTEN, **changes: object) -> Artefact:
    provenance = Provenance(
        kind="mail",
        source_sha256=hashlib.sha256(ORIGINAL).hexdigest(),
        source_bytes=len(ORIGINAL),
        output_sha256=hashlib.sha256(body).hexdigest(),
        output_bytes=len(body),
        removed=(Removed(kind="attachment", name="請求書.xlsm", sha256="ab" * 32, reason="not-forwarded"),),
        layers=("seccomp",),
    )
    made = Artefact(body=body, media_type="message/rfc822", provenance=provenance)
    return replace(made, **changes)  # type: ignore[arg-type]


class Answering:
    """A sanitizer that answers what the test says."""

    def __init__(self, answer: Callable[[], Artefact | Refusal]) -> None:
        self.answer = answer
        self.asked: list[tuple[str, bytes, dict[str, object]]] = []

    async def sanitize(
        self, *, kind: str, untrusted: Any, options: Mapping[str, object]
    ) -> Artefact | Refusal:
        self.asked.append((kind, untrusted, dict(options)))
        return self.answer()


class Room:
    """A desk with everything in memory and a clock that stands still."""

    def __init__(self, destination: Endpoint = NOWHERE) -> None:
        self.now = 1_000.0
        self.audit = Events()
        self.journal = MemoryJournal()
        self.blobs = MemoryBlobStore(clock=lambda: self.now)
        self.desk = Desk(
            settings=SETTINGS,
            journal=self.journal,
            blobs=self.blobs,
            audit=self.audit,
            clock=lambda: self.now,
        )
        self.passage = Passage(
            sender="a@x.example",
            helo="mx.x.example",
            esmtp=True,
            smtputf8=False,
            peer=Endpoint("192.0.2.1", 40_000),
            destination=destination,
            flow_id="mail-in",
            revision="r1",
            message_id="<1@x.example>",
        )

    async def keep(self, content: bytes) -> Any:
        writer = self.blobs.writer()
        await writer.write(content)
        return await writer.commit()

    async def arrive(self, *recipients: str, state: State = State.SPOOLED, **passage: object) -> None:
        await self.journal.add(
            Job(
                id="job1",
                kind="mail",
                blob=await self.keep(ORIGINAL),
                artefact=await self.keep(WRITTEN) if state is State.VERIFIED else None,
                created=900.0,
                meta=replace(self.passage, **passage).to_json(),  # type: ignore[arg-type]
                targets=tuple(Target(address) for address in recipients or ("b@y.example",)),
                state=state,
            )
        )

    async def sanitize(self, sanitizer: Any) -> Job:
        worker = SanitizeWorker(self.desk, asyncio.Semaphore(0), sanitizer=sanitizer, verified=lambda: None)
        job = await self.journal.lease(Stage.SANITIZE, kind="mail", seconds=60, now=self.now)
        await worker.handle(job, job.lease)
        return await self.journal.get("job1")

    async def deliver(self, connector: Any) -> Job:
        delivery = Delivery(connector, hostname="gw.example", connect_seconds=2, reply_seconds=2)
        worker = DeliverWorker(self.desk, asyncio.Semaphore(0), delivery=delivery)
        job = await self.journal.lease(Stage.DELIVER, kind="mail", seconds=60, now=self.now)
        await worker.handle(job, job.lease)
        return await self.journal.get("job1")


async def test_an_artefact_is_stored_and_waits_for_delivery() -> None:
    room = Room()
    await room.arrive()
    sanitizer = Answering(artefact)
    job = await room.sanitize(sanitizer)
    assert job.state is State.VERIFIED
    assert await room.blobs.read(job.artefact.sha256, max_bytes=1000) == WRITTEN
    assert job.provenance["removed"][0]["name"] == "請求書.xlsm"
    ((kind, untrusted, options),) = sanitizer.asked
    assert (kind, untrusted, options["policy_revision"]) == ("mail", ORIGINAL, "r1")
    (event,) = room.audit
    assert event["kind"] == "mail-sanitized"
    assert event["attachment_names"] == ["請求書.xlsm"]
    assert event["sandbox"] == ["seccomp"]


def _died() -> Artefact:
    raise IsolationError("worker-died", detail="signal 9")


HELD: list[tuple[str, Callable[[], Artefact | Refusal], str]] = [
    ("refused by the sanitizer", lambda: Refusal(reason="mail-encrypted", detail="S/MIME"), "mail-encrypted"),
    ("worker died", _died, "worker-died"),
    ("another type", lambda: artefact(media_type="text/html"), "artefact-type"),
    ("empty", lambda: artefact(b""), "artefact-type"),
    ("bare LF", lambda: artefact(b"Subject: x\n\nx\r\n"), "artefact-bare-line-end"),
    (
        "not what its provenance says",
        lambda: artefact(body=b"x\r\n", provenance=artefact().provenance),
        "artefact-digest",
    ),
]


@pytest.mark.parametrize(("what", "answer", "reason"), HELD, ids=[row[0] for row in HELD])
async def test_without_a_good_artefact_the_mail_is_held_and_the_original_kept(
    what: str, answer: Callable[[], Artefact | Refusal], reason: str
) -> None:
    room = Room()
    await room.arrive()
    job = await room.sanitize(Answering(answer))
    assert (job.state, job.reason, job.artefact) == (State.QUARANTINED, reason, None)
    assert await room.blobs.read(job.blob.sha256, max_bytes=1000) == ORIGINAL
    (event,) = room.audit
    assert (event["kind"], event["code"], event["sha256"]) == ("mail-quarantined", reason, job.blob.sha256)


async def test_while_this_host_cannot_isolate_mails_wait() -> None:
    room = Room()
    await room.arrive()

    def broken() -> Artefact:
        raise IsolationError("worker-not-isolated", layer="seccomp")

    job = await room.sanitize(Answering(broken))
    assert (job.state, job.reason) == (State.SPOOLED, "worker-not-isolated")
    assert job.not_before > room.now
    assert (room.audit[0]["kind"], room.audit[0]["code"]) == ("mail-deferred", "worker-not-isolated")


async def test_the_sanitizer_understands_what_it_is_told() -> None:
    from sanitizers.mail.options import MailOptions

    room = Room()
    await room.arrive()
    sanitizer = Answering(artefact)
    await room.sanitize(sanitizer)
    told = MailOptions.from_mapping(sanitizer.asked[0][2])
    assert (told.gateway_name, told.provenance_id, told.policy_revision) == ("gw.example", "job1", "r1")
    assert told.received_at.timestamp() == 900


async def test_a_mail_that_takes_its_worker_down_again_and_again_is_held() -> None:
    room = Room()
    await room.arrive()
    for _ in range(3):
        assert await room.journal.lease(Stage.SANITIZE, kind="mail", seconds=60, now=room.now)
        await room.journal.interrupt(now=room.now)
    sanitizer = Answering(artefact)
    job = await room.sanitize(sanitizer)
    assert (job.state, job.reason) == (State.QUARANTINED, "worker-lost")
    assert sanitizer.asked == []


async def test_a_lost_original_is_held_not_forgotten() -> None:
    room = Room()
    await room.arrive()
    await room.blobs.sweep(set(), before=room.now + 1)
    job = await room.sanitize(Answering(artefact))
    assert (job.state, job.reason) == (State.QUARANTINED, "blob-missing")


async def test_a_bug_in_one_mail_does_not_end_the_worker() -> None:
    room = Room()
    await room.arrive()

    def broken() -> Artefact:
        raise ZeroDivisionError

    worker = SanitizeWorker(
        room.desk, asyncio.Semaphore(0), sanitizer=Answering(broken), verified=lambda: None
    )
    task = asyncio.create_task(worker.run())
    for _ in range(100):
        await asyncio.sleep(0.01)
        if room.audit:
            break
    assert not task.done()
    assert (room.audit[0]["kind"], room.audit[0]["code"]) == ("fault", "internal-error")
    worker.stop()
    await asyncio.wait_for(task, 5)
    assert (await room.journal.get("job1")).state is State.PARSING  # until its lease ends


# -- delivery, against a scripted SMTP host on loopback


class Host:
    """A next host that answers from a script and keeps what it is told."""

    def __init__(self, answers: Mapping[str, str]) -> None:
        self.answers = dict(answers)
        self.commands: list[str] = []
        self.content = b""
        self.talks: list[asyncio.Task[None]] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.talks.append(task)
        try:
            await self.talk(reader, writer)
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def say(text: str) -> None:
            writer.write(text.encode() + b"\r\n")
            await writer.drain()

        await say(self.answers.get("greeting", "220 host.example"))
        while line := (await reader.readline()).decode().rstrip("\r\n"):
            self.commands.append(line)
            verb = line.split()[0].upper()
            answer = next((text for start, text in self.answers.items() if line.startswith(start)), None)
            if answer == "hang up":
                break
            if verb == "DATA" and answer is None:
                await say("354 go")
                while not self.content.endswith(b"\r\n.\r\n"):
                    self.content += await reader.readline()
                end = self.answers.get("content", "250 kept")
                if end == "hang up":
                    break
                await say(end)
            else:
                default = "250-host.example\r\n250-SIZE 99999\r\n250 8BITMIME" if verb == "EHLO" else "250 OK"
                await say(answer or default)
            if verb == "QUIT":
                break

    async def connect(self, flow_id: str, destination: tuple[str, int]) -> socket.socket:
        assert flow_id == "mail-in"
        sock = socket.socket()
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, destination)
        return sock


@asynccontextmanager
async def host(**answers: str) -> AsyncIterator[tuple[Host, Room]]:
    made = Host({name.replace("_", " "): text for name, text in answers.items()})
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    async with server:
        yield made, Room(Endpoint(*server.sockets[0].getsockname()))
        await asyncio.gather(*made.talks, return_exceptions=True)


async def test_a_mail_is_delivered_with_its_own_envelope_and_our_trace() -> None:
    async with host() as (made, room):
        await room.arrive("b@y.example", "c@y.example", state=State.VERIFIED)
        job = await room.deliver(made)
    assert job.state is State.DELIVERED
    size = len(made.content) - len(b".") - len(b".\r\n")  # one dot was stuffed
    assert made.commands == [
        "EHLO gw.example",
        f"MAIL FROM:<a@x.example> SIZE={size}",
        "RCPT TO:<b@y.example>",
        "RCPT TO:<c@y.example>",
        "DATA",
        "QUIT",
    ]
    assert made.content.startswith(b"Received: from mx.x.example ([192.0.2.1])\r\n\tby gw.example (masugata)")
    assert b"\r\nX-Masugata-Loop: gw.example; hops=1\r\nSubject: " in made.content
    assert made.content.endswith(b"ours\r\n..\r\n.\r\n")
    (event,) = room.audit
    assert (event["kind"], event["reply_code"]) == ("mail-delivered", 250)
    assert event["recipients"] == ["b@y.example", "c@y.example"]


async def test_each_recipient_has_its_own_fate_and_only_the_waiting_ones_are_tried_again() -> None:
    answers = {
        "RCPT TO:<gone@y.example>": "550 5.1.1 no such user",
        "RCPT TO:<full@y.example>": "452 4.2.2 full",
    }
    async with host(**answers) as (made, room):
        await room.arrive("b@y.example", "gone@y.example", "full@y.example", state=State.VERIFIED)
        job = await room.deliver(made)
        assert {t.address: (t.state, t.reply_code) for t in job.targets} == {
            "b@y.example": (TargetState.DELIVERED, 250),
            "gone@y.example": (TargetState.DEAD, 550),
            "full@y.example": (TargetState.PENDING, 452),
        }
        assert job.state is State.VERIFIED
        assert 45 <= job.not_before - room.now <= 60
        assert sorted(e["kind"] for e in room.audit) == ["mail-dead", "mail-deferred", "mail-delivered"]
        made.commands.clear()
        made.content = b""
        made.answers.clear()
        room.now = job.not_before
        job = await room.deliver(made)
    assert [line for line in made.commands if line.startswith("RCPT")] == ["RCPT TO:<full@y.example>"]
    assert job.state is State.DEAD  # somebody was never reached: a person must see that


WAITING: list[tuple[str, dict[str, str], str, State]] = [
    ("busy at the greeting", {"greeting": "421 busy"}, "greeting-refused", State.VERIFIED),
    ("no service at the greeting", {"greeting": "554 no"}, "greeting-refused", State.DEAD),
    ("sender not now", {"MAIL FROM": "451 later"}, "sender-refused", State.VERIFIED),
    ("sender never", {"MAIL FROM": "550 no"}, "sender-refused", State.DEAD),
    ("leaves at RCPT", {"RCPT TO": "hang up"}, "connection-lost", State.VERIFIED),
    ("closing at RCPT", {"RCPT TO": "421 closing"}, "service-closing", State.VERIFIED),
    ("DATA not now", {"DATA": "451 later"}, "content-refused", State.VERIFIED),
    ("an answer to DATA that is none", {"DATA": "250 thanks"}, "content-refused", State.VERIFIED),
    ("content not now", {"content": "452 full"}, "content-refused", State.VERIFIED),
    ("content never", {"content": "554 no"}, "content-refused", State.DEAD),
    ("leaves after the content", {"content": "hang up"}, "connection-lost", State.VERIFIED),
    ("no 8BITMIME needed for ASCII", {"EHLO": "250 host.example"}, "", State.DELIVERED),
    ("only HELO", {"EHLO": "502 what"}, "", State.DELIVERED),
]


@pytest.mark.parametrize(("what", "answers", "reason", "state"), WAITING, ids=[row[0] for row in WAITING])
async def test_what_the_next_host_says_decides(
    what: str, answers: dict[str, str], reason: str, state: State
) -> None:
    async with host(**answers) as (made, room):
        await room.arrive(state=State.VERIFIED)
        job = await room.deliver(made)
    assert (job.state, job.reason) == (state, reason)
    (event,) = room.audit
    assert event.get("code", "") == reason
    assert (event.get("detail") == "maybe-delivered") == (what == "leaves after the content")


class Nobody:
    def __init__(self, error: Exception) -> None:
        self._error = error

    async def connect(self, flow_id: str, destination: tuple[str, int]) -> socket.socket:
        raise self._error


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ConnectionRefusedError("refused"), "unreachable"),
        (TimeoutError(), "timeout"),
        (BackendError("enforcer-away"), "enforcer-away"),
    ],
)
async def test_a_host_that_cannot_be_reached_is_waited_for(error: Exception, reason: str) -> None:
    room = Room()
    await room.arrive(state=State.VERIFIED)
    job = await room.deliver(Nobody(error))
    assert (job.state, job.reason) == (State.VERIFIED, reason)
    assert job.targets[0].state is TargetState.PENDING


async def test_after_days_without_success_we_give_up_and_say_so() -> None:
    room = Room()
    await room.arrive(state=State.VERIFIED)
    room.now = 900.0 + SETTINGS.retry.give_up_seconds
    job = await room.deliver(Nobody(ConnectionRefusedError("refused")))
    assert (job.state, job.reason) == (State.DEAD, "gave-up")
    assert job.targets[0].state is TargetState.DEAD
    assert room.audit[0]["kind"] == "mail-dead"


async def test_an_address_in_japanese_needs_a_host_that_takes_it() -> None:
    async with host() as (made, room):
        await room.arrive("山田@例え.example", state=State.VERIFIED)
        job = await room.deliver(made)
    assert (job.state, job.reason) == (State.DEAD, "needs-smtputf8")
    async with host(EHLO="250-host.example\r\n250 SMTPUTF8") as (made, room):
        await room.arrive("山田@例え.example", state=State.VERIFIED)
        job = await room.deliver(made)
    assert job.state is State.DELIVERED
    assert "RCPT TO:<山田@例え.example>" in made.commands


async def test_the_null_sender_stays_null() -> None:
    async with host() as (made, room):
        await room.arrive(state=State.VERIFIED, sender="")
        await room.deliver(made)
    assert made.commands[1].startswith("MAIL FROM:<> ")


def test_trace_lines_hold_nothing_a_client_can_shape() -> None:
    room = Room()
    hostile = replace(
        room.passage,
        helo="x\r\nBcc: victim@y.example",
        peer=Endpoint("2001:db8::1", 1),
        markers=(Marker("b.example", 3),),
        hops=5,
    )
    lines = trace_lines(hostile, hostname="gw.example", job_id="job1", arrived=1_700_000_000.5).decode()
    assert lines == (
        "Received: from unknown ([IPv6:2001:db8::1])\r\n"
        "\tby gw.example (masugata) with ESMTP id job1;\r\n"
        "\tTue, 14 Nov 2023 22:13:20 +0000\r\n"
        "X-Masugata-Loop: b.example; hops=3\r\n"
        "X-Masugata-Loop: gw.example; hops=6\r\n"
    )


def test_a_passage_goes_through_the_journal_unchanged() -> None:
    passage = replace(Room().passage, markers=(Marker("b.example", 3),), hops=2)
    assert Passage.from_json(passage.to_json()) == passage
