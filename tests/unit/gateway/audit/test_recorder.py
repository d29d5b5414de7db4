"""Sister roles send, the recorder writes; killed, it loses at most the line being written."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from gateway.audit.client import AuditClient
from gateway.audit.event import make_draft
from gateway.audit.log import open_for_append
from gateway.audit.reading import events
from gateway.audit.recorder import MAX_REFUSALS, Recorder, serve
from gateway.audit.verify import verify
from gateway.audit.wire import MAX_SUBMISSION_BYTES, Submission, encode_submission
from zones.errors import BackendError

if TYPE_CHECKING:
    from pathlib import Path

ROLE = """
import asyncio, sys
from pathlib import Path
from gateway.audit.recorder import serve
asyncio.run(serve(Path(sys.argv[1]), Path(sys.argv[2]), gateway="gw", stop=asyncio.Event(),
                  ready=lambda: print("ready", flush=True)))
"""


@asynccontextmanager
async def recorder(tmp_path: Path):
    stop, ready = asyncio.Event(), asyncio.Event()
    role = asyncio.create_task(
        serve(tmp_path / "log", tmp_path / "s", gateway="gw", stop=stop, ready=ready.set)
    )
    waiting = asyncio.create_task(ready.wait())
    await asyncio.wait({role, waiting}, return_when=asyncio.FIRST_COMPLETED)
    try:
        yield role
    finally:
        waiting.cancel()
        stop.set()
        await asyncio.wait({role})


def recorded(tmp_path: Path, kind: str | None = None):
    found = [place.event for place in events(tmp_path / "log")]
    assert all(found)
    return [event for event in found if kind in {None, event.kind}]


async def test_events_are_written_in_order_with_sender_and_revision(tmp_path):
    async with recorder(tmp_path), AuditClient(tmp_path / "s", actor="mail", revision="r1") as audit:
        audit.emit("gap", where="one")
        audit.revision = "r2"
        audit.emit("gap", where="two", actor="uid:1000")
        assert await audit.flush()
    one, two = recorded(tmp_path, "gap")
    assert (one.fields["where"], one.actor, one.revision) == ("one", "mail", "r1")
    assert (two.fields["where"], two.actor, two.revision) == ("two", "uid:1000", "r2")
    assert (one.pid, one.uid) == (os.getpid(), os.getuid())
    assert [event.kind for event in recorded(tmp_path)] == ["start", "gap", "gap", "stop"]
    assert verify(tmp_path / "log").findings == ()


async def test_a_durable_event_is_in_the_file_when_the_wait_ends(tmp_path):
    async with recorder(tmp_path), AuditClient(tmp_path / "s", actor="mail") as audit:
        await asyncio.gather(*(audit.emit_durable("gap", where=str(n)) for n in range(50)))
        assert len(recorded(tmp_path, "gap")) == 50


async def test_the_socket_is_for_its_owner_only(tmp_path):
    async with recorder(tmp_path):
        assert (tmp_path / "s").stat().st_mode & 0o777 == 0o600
    assert not (tmp_path / "s").exists()


async def test_emit_before_the_recorder_is_there_waits_in_the_queue(tmp_path):
    async with AuditClient(tmp_path / "s", actor="mail") as audit:
        audit.emit("gap", where="early")
        async with recorder(tmp_path):
            assert await audit.flush()
    assert [event.fields["where"] for event in recorded(tmp_path, "gap")] == ["early"]


async def test_overflow_becomes_one_gap_event(tmp_path):
    async with AuditClient(tmp_path / "s", actor="mail", max_pending=10) as audit:
        for n in range(25):
            audit.emit("fault", where=str(n), code="x")
        async with recorder(tmp_path):
            assert await audit.flush()
    assert len(recorded(tmp_path, "fault")) == 10
    assert [event.fields["lost"] for event in recorded(tmp_path, "gap")] == [15]


async def test_a_durable_event_without_a_recorder_is_an_error_in_time(tmp_path):
    async with AuditClient(tmp_path / "s", actor="mail", durable_seconds=0.05) as audit:
        with pytest.raises(BackendError) as refused:
            await audit.emit_durable("gap", where="x")
        assert refused.value.code == "audit-unavailable"
    assert await audit.close() == 0, "nobody waits for it: it is not sent later"


async def test_a_bug_of_the_caller_is_refused_at_the_call(tmp_path):
    audit = AuditClient(tmp_path / "s", actor="mail")
    with pytest.raises(ValueError, match="no field subject"):
        audit.emit("mail-refused", code="x", subject="secret")
    with pytest.raises(ValueError, match="unknown audit event kind"):
        await audit.emit_durable("mail-lost")
    await audit.close()
    with pytest.raises(RuntimeError):
        audit.emit("gap", where="late")


async def test_the_first_and_last_event_are_the_recorders_own(tmp_path):
    async with recorder(tmp_path), AuditClient(tmp_path / "s", actor="mail") as audit:
        with pytest.raises(ValueError, match="recorder's own"):
            audit.emit("stop", reason="told-to")
        reader, writer = await asyncio.open_unix_connection(str(tmp_path / "s"))
        draft = make_draft("stop", {"reason": "forged"}, actor="x")
        writer.write(encode_submission(Submission(1, True, draft)))
        assert json.loads(await reader.readline())["what"] == "refused"
        writer.close()
        await writer.wait_closed()
    assert [event.kind for event in recorded(tmp_path)] == ["start", "fault", "stop"]


async def test_a_client_outlives_a_recorder_that_restarts(tmp_path):
    async with AuditClient(tmp_path / "s", actor="mail") as audit:
        async with recorder(tmp_path):
            await audit.emit_durable("gap", where="first")
        audit.emit("gap", where="between")
        async with recorder(tmp_path):
            await audit.emit_durable("gap", where="second")
    assert {event.fields["where"] for event in recorded(tmp_path, "gap")} == {"first", "between", "second"}
    report = verify(tmp_path / "log")
    assert report.findings == ()
    assert report.files == 2


async def test_a_disk_error_reaches_every_sender_and_ends_the_role(tmp_path):
    log = open_for_append(tmp_path / "log", gateway="gw")
    role = Recorder(log)
    await role.start(tmp_path / "s")
    async with AuditClient(tmp_path / "s", actor="mail", durable_seconds=1) as audit:
        await audit.emit_durable("gap", where="good")
        full = os.open("/dev/full", os.O_WRONLY)
        os.dup2(full, log._descriptor)
        os.close(full)
        with pytest.raises(BackendError) as refused:
            await audit.emit_durable("gap", where="bad")
        assert refused.value.params["detail"] == "audit-log-broken"
        with pytest.raises(BackendError) as ended:
            await role.wait()
        assert ended.value.code == "audit-log-broken"
        with pytest.raises(BackendError):
            await audit.emit_durable("gap", where="after")
    await role.close()


async def test_what_no_sister_would_send_is_refused_and_recorded(tmp_path):
    async with recorder(tmp_path):
        reader, writer = await asyncio.open_unix_connection(str(tmp_path / "s"))
        good = encode_submission(Submission(3, False, make_draft("gap", {"where": "good"}, actor="x")))
        bad = json.loads(good)
        bad["fields"] = {"where": "x", "password": "hunter2"}
        writer.write(b"nonsense\n" + json.dumps(bad).encode() + b"\n" + good)
        replies = [json.loads(await reader.readline()) for _ in range(3)]
        assert [(reply["what"], reply["number"]) for reply in replies] == [
            ("refused", 0),
            ("refused", 3),
            ("written", 3),
        ]
        writer.close()
        await writer.wait_closed()
    faults = recorded(tmp_path, "fault")
    assert [event.fields["code"] for event in faults] == ["audit-bad-submission"] * 2
    assert not any(b"hunter2" in place.data for place in events(tmp_path / "log"))
    assert len(recorded(tmp_path, "gap")) == 1


async def test_a_sender_of_nonsense_cannot_fill_the_log(tmp_path):
    async with recorder(tmp_path):
        reader, writer = await asyncio.open_unix_connection(str(tmp_path / "s"))
        writer.write(b"nonsense\n" * 10_000)
        replies = (await reader.read()).splitlines()
        assert json.loads(replies[-1])["what"] == "closed"
        writer.transport.abort()
    assert len(recorded(tmp_path, "fault")) == MAX_REFUSALS


async def test_a_line_without_end_is_cut_off(tmp_path):
    async with recorder(tmp_path):
        reader, writer = await asyncio.open_unix_connection(str(tmp_path / "s"))
        writer.write(b"x" * (MAX_SUBMISSION_BYTES + 2))
        assert json.loads(await reader.readline())["code"] == "audit-submission-too-long"
        assert await reader.read() == b""
        writer.transport.abort()


async def test_a_dead_socket_is_replaced_and_a_living_one_is_not(tmp_path):
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    async with recorder(tmp_path):
        with pytest.raises(BackendError) as refused:
            await serve(tmp_path / "other", path, gateway="gw", stop=asyncio.Event())
        assert refused.value.code == "audit-socket"
        async with AuditClient(path, actor="mail") as audit:
            await audit.emit_durable("gap", where="still here")


async def test_a_file_where_the_socket_should_be_is_left_alone(tmp_path):
    (tmp_path / "s").write_text("precious")
    with pytest.raises(BackendError):
        await serve(tmp_path / "log", tmp_path / "s", gateway="gw", stop=asyncio.Event())
    assert (tmp_path / "s").read_text() == "precious"


@pytest.mark.timeout(60)
async def test_kill_9_while_writing_loses_nothing_that_was_acknowledged(tmp_path):
    acknowledged: list[str] = []
    async with AuditClient(tmp_path / "s", actor="mail") as audit:
        for boot in range(3):
            role = subprocess.Popen(  # noqa: ASYNC220  started in a millisecond, and killed by hand
                [sys.executable, "-c", ROLE, str(tmp_path / "log"), str(tmp_path / "s")],
                stdout=subprocess.PIPE,
            )
            try:
                await asyncio.to_thread(role.stdout.readline)
                until = time.monotonic() + 0.25
                number = 0
                while time.monotonic() < until:
                    for _ in range(50):
                        audit.emit("fault", where="load", code="x")
                    await audit.emit_durable("gap", where=f"{boot}.{number}")
                    acknowledged.append(f"{boot}.{number}")
                    number += 1
                for _ in range(500):
                    audit.emit("fault", where="load", code="x")
                await asyncio.sleep(0)
            finally:
                role.send_signal(signal.SIGKILL)
                role.wait()
                role.stdout.close()
        async with recorder(tmp_path):
            assert await audit.flush(20)
    assert acknowledged
    written = [event.fields["where"] for event in recorded(tmp_path, "gap")]
    assert set(acknowledged) <= set(written)
    report = verify(tmp_path / "log")
    assert report.sound, report.findings
    crashed = [finding.code for finding in report.findings]
    assert crashed.count("audit-boot-crashed") == 3
    assert report.files == 4
