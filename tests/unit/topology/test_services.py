"""The lab's small servers: they say when they are ready, serve, and end when told."""

from __future__ import annotations

import json
import smtplib
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from topology.probe import probe

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.timeout(40)


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    with socket.socket(socket.AF_INET, kind) as line:
        line.bind(("127.0.0.1", 0))
        return int(line.getsockname()[1])


@contextmanager
def service(kind: str, port: int, *more: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-W", "error", "-m", "topology.services", kind, "--port", str(port)]
    with subprocess.Popen(
        [*command, "--address", "127.0.0.1", *more],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.terminate()
            assert process.wait(15) == 0
            assert process.stderr.read() == ""


def test_a_web_server_answers_with_its_name() -> None:
    port = free_port()
    with service("web", port, "--name", "out-web"):
        for _ in range(3):
            said = probe("tcp", "127.0.0.1", port, 5.0)
            assert (said["result"], said["said"]) == ("answered", "out-web")


@pytest.mark.parametrize("untrusted", [b"", b"\x16\x03\x01", b"x" * 100_000, b"\r\n\r\n"])
def test_whatever_a_client_says_the_next_one_is_served(untrusted: bytes) -> None:
    port = free_port()
    with service("web", port, "--name", "bob"):
        with socket.create_connection(("127.0.0.1", port), timeout=5) as line:
            line.sendall(untrusted)
        assert probe("tcp", "127.0.0.1", port, 5.0)["said"] == "bob"


def test_a_datagram_comes_back_as_it_was() -> None:
    port = free_port(socket.SOCK_DGRAM)
    with service("udp-echo", port), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.settimeout(5)
        for data in (b"one", b"x" * 1400):
            line.sendto(data, ("127.0.0.1", port))
            assert line.recv(2000) == data


def test_a_mail_is_kept_whole_with_its_envelope_and_appears_at_once(tmp_path: Path) -> None:
    port = free_port()
    content = b"Subject: x\r\n\r\n\xe3\x81\x82 .\r\n.\r\nend\r\n"
    with service("smtp-sink", port, "--name", "lg-mail", "--directory", str(tmp_path / "m")):
        for _ in range(2):
            with smtplib.SMTP("127.0.0.1", port, timeout=10) as line:
                line.sendmail("a@x.example", ["b@y.example", "c@y.example"], content)
        kept = sorted((tmp_path / "m").glob("*.eml"))
    assert [path.name for path in kept] == ["0001.eml", "0002.eml"]
    assert kept[0].read_bytes() == content
    envelope = json.loads((tmp_path / "m/0001.json").read_text())
    assert envelope == {"peer": "127.0.0.1", "from": "a@x.example", "to": ["b@y.example", "c@y.example"]}
    assert not list((tmp_path / "m").glob(".*"))


def test_a_port_that_is_taken_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = [sys.executable, "-m", "topology.services", "web", "--address", "127.0.0.1"]
        done = subprocess.run(
            [*command, "--port", str(port)], capture_output=True, text=True, timeout=20, check=False
        )
    assert done.returncode == 3
    assert done.stderr.startswith(f"web on port {port}: ")
    assert "ready" not in done.stdout


def test_an_interrupt_ends_it_too() -> None:
    with service("web", free_port()) as process:
        process.send_signal(2)
        deadline = time.monotonic() + 15
        while process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert process.returncode == 0
