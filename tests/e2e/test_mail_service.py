"""The mail service as it runs: real SMTP in, real disk, real delivery, and a process that is killed.

Loopback only; the service and the receiving SMTP server are processes of their own.
"""

from __future__ import annotations

import json
import os
import signal
import smtplib
import socket
import subprocess
import sys
import threading
import time
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from gateway.journal.lookup import list_jobs
from gateway.journal.states import State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HERE = Path(__file__).parent
PATIENCE_SECONDS = 20.0


def until(condition: Callable[[], Any], what: str) -> Any:
    """Wait for something to come true, and return it."""
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        if value := condition():
            return value
        time.sleep(0.02)
    raise AssertionError(f"never happened: {what}")


class Process:
    """A Python program of ours that writes its port when it is ready."""

    def __init__(self, program: str, folder: Path, *arguments: str) -> None:
        folder.mkdir(exist_ok=True)
        (folder / "port").unlink(missing_ok=True)
        self._process = subprocess.Popen([sys.executable, str(HERE / program), *arguments])
        self.port = int(until(lambda: self._port(folder), f"{program} is ready"))

    def _port(self, folder: Path) -> str:
        assert self._process.poll() is None, "the program has ended"
        return (folder / "port").read_text() if (folder / "port").exists() else ""

    @property
    def resident_bytes(self) -> int:
        """The most memory the process has had."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) * 1024

    def kill(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(10)

    def stop(self) -> None:
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(15)
            except subprocess.TimeoutExpired:
                self.kill()
                raise


class City:
    """A sink, and a mail service that can be started again on the same state."""

    def __init__(self, folder: Path) -> None:
        self.state, self.mails = folder / "state", folder / "sink"
        self.sink = Process("mail_sink.py", self.mails, str(self.mails), "0")
        self.service: Process | None = None

    def start(self, **given: object) -> Process:
        options = {"state": str(self.state), "sink": self.sink.port, **given}
        self.service = Process("mail_process.py", self.state, json.dumps(options))
        return self.service

    def answer(self, **answers: object) -> None:
        (self.mails / "answers.new").write_text(json.dumps(answers))
        (self.mails / "answers.new").rename(self.mails / "answers.json")

    def received(self) -> list[dict[str, Any]]:
        return [json.loads(path.read_text()) for path in sorted(self.mails.glob("*.mail"))]

    def message_ids(self) -> list[str]:
        lines = [line for mail in self.received() for line in mail["content"].splitlines()]
        return [line.split(": ")[1] for line in lines if line.lower().startswith("message-id:")]

    def events(self, *kinds: str) -> list[dict[str, Any]]:
        lines = (self.state / "audit.jsonl").read_text().splitlines()
        return [event for event in map(json.loads, lines) if event["kind"] in kinds]

    def send(self, content: bytes, *recipients: str) -> None:
        assert self.service is not None
        with smtplib.SMTP("127.0.0.1", self.service.port, timeout=20) as client:
            client.sendmail("a@x.example", recipients or ("b@y.example",), content)


@pytest.fixture
def city(tmp_path: Path) -> Iterator[City]:
    made = City(tmp_path)
    yield made
    if made.service is not None:
        made.service.stop()
    made.sink.stop()


def mail(name: str, body: bytes = b"hello\r\n") -> bytes:
    return f"Message-ID: <{name}@x.example>\r\nSubject: {name}\r\n\r\n".encode() + body


def test_a_mail_arrives_rewritten_and_every_step_is_audited(city: City) -> None:
    city.start()
    city.send(mail("one"), "b@y.example", "c@y.example")
    (received,) = until(city.received, "the mail arrives")
    assert received["from"] == "a@x.example"
    assert received["to"] == ["b@y.example", "c@y.example"]
    assert "text of our own\r\n.\r\n..\r\n" in received["content"]
    assert "hello" not in received["content"]
    until(lambda: city.events("mail-delivered"), "delivery is audited")
    assert (
        len({event["job"] for event in city.events("mail-accepted", "mail-sanitized", "mail-delivered")}) == 1
    )
    assert city.message_ids() == ["<one@x.example>"]


def test_through_the_real_sanitizer_only_our_own_text_arrives(city: City) -> None:
    message = EmailMessage()
    message["From"], message["To"] = "山田 <a@x.example>", "b@y.example"
    message["Subject"], message["Message-ID"] = "見積書の件", "<real@x.example>"
    message.set_content("ご確認ください。", charset="iso-2022-jp")
    message.add_alternative("<p>ご確認<b>ください</b>。<script>alert(1)</script></p>", subtype="html")
    message.add_attachment(b"MZ\x90\0", maintype="application", subtype="x-msdownload", filename="見積.exe")
    city.start(isolated=True)
    city.send(message.as_bytes(policy=SMTP))
    (received,) = until(city.received, "the mail arrives")
    arrived = message_from_bytes(received["content"].encode("latin-1"), policy=SMTP)
    assert arrived.get_content_type() == "text/plain"
    assert arrived["Message-ID"] == "<real@x.example>"
    assert arrived["Subject"] == "見積書の件"
    text = arrived.get_content()
    assert "ご確認ください。" in text
    assert "見積.exe" in text
    assert "alert" not in received["content"]
    (event,) = city.events("mail-sanitized")
    assert event["attachment_names"] == ["見積.exe"]
    assert event["sandbox"]


def test_killed_right_after_the_250_nothing_is_lost(city: City) -> None:
    for round_ in range(3):
        service = city.start(sanitize_seconds=5)
        for number in range(4):
            city.send(mail(f"r{round_}n{number}"))
        service.kill()
    city.start()
    sent = {f"<r{round_}n{number}@x.example>" for round_ in range(3) for number in range(4)}
    until(lambda: set(city.message_ids()) >= sent, "every mail that was promised arrives")
    assert sorted(city.message_ids()) == sorted(sent)  # and each once


def test_killed_while_delivering_nothing_is_lost_and_a_second_copy_keeps_its_name(city: City) -> None:
    city.answer(seconds=1.0)
    service = city.start()
    for number in range(3):
        city.send(mail(f"n{number}"))
    until(lambda: list_jobs(city.state, states={State.DELIVERING}, limit=10).jobs, "delivery begins")
    time.sleep(0.3)  # the content is with the sink, its answer is not yet with us: RFC 1047's window
    service.kill()
    city.answer()
    city.start()
    sent = {f"<n{number}@x.example>" for number in range(3)}
    until(lambda: list_jobs(city.state, states={State.DELIVERED}, limit=10).jobs[2:], "all are delivered")
    assert set(city.message_ids()) == sent
    assert len(city.message_ids()) <= 2 * len(sent)


def test_killed_again_and_again_under_load_every_promise_is_kept(city: City) -> None:
    promised: set[str] = set()
    stop = threading.Event()
    ports: list[int] = [city.start(sanitize_seconds=0.02).port]

    def send_on(worker: int) -> None:
        number = 0
        while not stop.is_set():
            name = f"w{worker}n{number}"
            number += 1
            try:
                with smtplib.SMTP("127.0.0.1", ports[-1], timeout=5) as client:
                    client.sendmail("a@x.example", ["b@y.example"], mail(name))
                promised.add(f"<{name}@x.example>")
                time.sleep(0.01)
            except (OSError, smtplib.SMTPException):
                time.sleep(0.02)  # no 250: the sender keeps its mail

    senders = [threading.Thread(target=send_on, args=(worker,)) for worker in range(4)]
    for sender in senders:
        sender.start()
    for wait in (0.5, 0.33, 0.71, 0.2):
        time.sleep(wait)
        assert city.service is not None
        city.service.kill()
        ports.append(city.start(sanitize_seconds=0.02).port)
    time.sleep(0.3)
    stop.set()
    for sender in senders:
        sender.join(10)
    assert len(promised) > 20
    until(lambda: set(city.message_ids()) >= promised, "every promise is kept")
    counts = {job.state for job in list_jobs(city.state, states=frozenset(), limit=100_000).jobs}
    assert counts <= {State.DELIVERED, State.VERIFIED, State.DELIVERING, State.SPOOLED, State.PARSING}


def test_while_the_next_host_is_away_mails_wait(city: City) -> None:
    city.answer(data="451 4.3.0 not now")
    city.start()
    city.send(mail("patient"))
    until(lambda: city.events("mail-deferred")[1:], "it is tried again")
    assert city.received() == []
    city.answer()
    until(city.received, "the mail arrives")
    assert city.events("mail-deferred")[0]["reply_code"] == 451


def test_a_hostile_mail_is_held_and_its_original_kept(city: City) -> None:
    city.start()
    city.send(b"X-Y: z\r\nX-Hostile: yes\r\n" + mail("bad"))
    (event,) = until(lambda: city.events("mail-quarantined"), "the mail is held")
    assert event["code"] == "test-hostile"
    assert (city.state / "blobs" / "content" / event["sha256"][:2] / event["sha256"]).exists()
    assert city.received() == []


def test_a_disk_that_is_full_is_a_4xx_and_leaves_nothing_half_done(city: City) -> None:
    city.start(file_bytes=200_000)
    with pytest.raises(smtplib.SMTPDataError) as refused:
        city.send(mail("large", b"x" * 70 + b"\r\n" + (b"y" * 70 + b"\r\n") * 10_000))
    assert refused.value.smtp_code == 452
    assert list((city.state / "blobs" / "incoming").iterdir()) == []
    assert list((city.state / "blobs" / "content").glob("*/*")) == []
    assert list_jobs(city.state, states=frozenset(), limit=10).jobs == ()
    (event,) = city.events("mail-refused")
    assert (event["code"], event["reply_code"]) == ("spool-full", 452)


def test_a_journal_that_cannot_grow_is_a_4xx_too(city: City) -> None:
    """The content fits, the row does not: no 250, and the sender keeps its mail."""
    city.start(file_bytes=60_000)
    answers = []
    for number in range(30):
        try:
            city.send(mail(f"n{number}"))
            answers.append(250)
        except smtplib.SMTPDataError as refused:
            answers.append(refused.smtp_code)
    assert answers[-1] in {451, 452}
    assert set(answers) <= {250, 451, 452}
    city.service.kill()
    city.start()
    promised = {f"<n{number}@x.example>" for number, code in enumerate(answers) if code == 250}
    until(lambda: set(city.message_ids()) >= promised, "what was promised arrives")
    assert set(city.message_ids()) == promised


def test_a_large_mail_streams_through_flat_memory(city: City) -> None:
    service = city.start(settings={"max_bytes": 60_000_000}, sanitize_seconds=60)
    city.send(mail("small"))
    before = service.resident_bytes
    with socket.create_connection(("127.0.0.1", service.port), timeout=30) as client:
        client.sendall(b"EHLO c\r\nMAIL FROM:<a@x.example>\r\nRCPT TO:<b@y.example>\r\nDATA\r\n")
        client.sendall(mail("large"))
        piece = (b"z" * 76 + b"\r\n") * 840
        sent = 0
        while sent < 50_000_000:
            client.sendall(piece)
            sent += len(piece)
        during = service.resident_bytes
        client.sendall(b".\r\nQUIT\r\n")
        answers = b""
        while more := client.recv(4096):
            answers += more
    assert answers.count(b"\r\n250 2.0.0 Taken as ") == 1
    assert during - before < 8 * 1024 * 1024


def test_a_second_service_on_the_same_state_is_refused(city: City) -> None:
    city.start()
    options = {"state": str(city.state), "sink": city.sink.port}
    second = subprocess.run(
        [sys.executable, str(HERE / "mail_process.py"), json.dumps(options)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        env={**os.environ, "PYTHONTRACEMALLOC": "0"},
    )
    assert second.returncode == 1
    assert "spool-in-use" in second.stderr
    city.send(mail("still"))
    until(city.received, "the first goes on")
