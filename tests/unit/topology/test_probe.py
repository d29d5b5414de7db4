"""One real attempt and what came of it: answered, open, refused, unreachable or silent."""

from __future__ import annotations

import errno
import json
import socket
import struct
import threading
from typing import TYPE_CHECKING

import pytest

from topology import probe as module
from topology.probe import main, probe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.timeout(20)


@pytest.fixture
def serve() -> Iterator[Callable[[Callable[[socket.socket], None]], int]]:
    """Run a server of one connection on the loopback; return its port."""
    threads: list[threading.Thread] = []
    servers: list[socket.socket] = []

    def start(talk: Callable[[socket.socket], None]) -> int:
        server = socket.create_server(("127.0.0.1", 0))
        server.settimeout(10)
        servers.append(server)

        def run() -> None:
            line, _ = server.accept()
            with line:
                line.settimeout(10)
                talk(line)

        threads.append(threading.Thread(target=run))
        threads[-1].start()
        return int(server.getsockname()[1])

    yield start
    for thread in threads:
        thread.join(10)
    for server in servers:
        server.close()


def closed_port(kind: socket.SocketKind) -> int:
    with socket.socket(socket.AF_INET, kind) as line:
        line.bind(("127.0.0.1", 0))
        return int(line.getsockname()[1])


def test_who_answers_is_told_by_its_last_line(serve: Callable[..., int]) -> None:
    def web(line: socket.socket) -> None:
        assert line.recv(4096).startswith(b"GET / HTTP/1.1\r\n")
        line.sendall(b"HTTP/1.1 200 OK\r\n\r\nbob\n")

    said = probe("tcp", "127.0.0.1", serve(web), 5.0)
    assert (said["result"], said["said"]) == ("answered", "bob")
    assert isinstance(said["sport"], int)


def test_who_says_nothing_is_open_all_the_same(serve: Callable[..., int]) -> None:
    assert probe("tcp", "127.0.0.1", serve(lambda line: None), 5.0)["result"] == "open"
    assert probe("tcp", "127.0.0.1", serve(lambda line: line.recv(4096) and None), 0.5)["result"] == "open"


def test_bytes_that_are_no_text_are_no_reason_to_fail(serve: Callable[..., int]) -> None:
    said = probe("tcp", "127.0.0.1", serve(lambda line: line.sendall(b"\xff\xfe\n")), 5.0)
    assert said["result"] in ("answered", "open")


@pytest.mark.parametrize(("method", "kind"), [("tcp", socket.SOCK_STREAM), ("udp", socket.SOCK_DGRAM)])
def test_a_port_nobody_listens_on_is_refused(method: str, kind: socket.SocketKind) -> None:
    assert probe(method, "127.0.0.1", closed_port(kind), 5.0)["result"] == "refused"


def test_a_datagram_that_comes_back_is_an_answer_and_none_is_silence() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(10)
        port = server.getsockname()[1]

        def echo() -> None:
            data, peer = server.recvfrom(100)
            server.sendto(data, peer)

        thread = threading.Thread(target=echo)
        thread.start()
        assert probe("udp", "127.0.0.1", port, 5.0) == {"result": "answered", "said": "probe"}
        thread.join(10)
        assert probe("udp", "127.0.0.1", port, 0.1) == {"result": "silent"}


@pytest.mark.parametrize("number", [errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EPERM, errno.EACCES])
def test_what_the_network_refuses_is_unreachable(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def refused(*_: object) -> dict[str, object]:
        raise OSError(number, "no")

    monkeypatch.setitem(module.METHODS, "tcp", refused)
    assert probe("tcp", "192.0.2.1", 1, 1.0)["result"] == "unreachable"


def test_anything_else_is_told_and_never_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> dict[str, object]:
        raise OSError(errno.EMFILE, "too many")

    monkeypatch.setitem(module.METHODS, "tcp", broken)
    assert probe("tcp", "192.0.2.1", 1, 1.0) == {"result": "failed", "detail": "too many"}


def test_an_echo_request_has_the_checksum_of_rfc_792() -> None:
    message = module._echo(8, 0x1234, with_checksum=True)
    words = sum(struct.unpack(f"!{len(message) // 2}H", message))
    while words >> 16:
        words = (words & 0xFFFF) + (words >> 16)
    assert words == 0xFFFF
    assert message[4:6] == b"\x12\x34"
    assert module._echo(128, 1, with_checksum=False)[2:4] == b"\0\0"


@pytest.mark.kernel
@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_the_loopback_answers_a_ping(address: str) -> None:
    said = probe("ping", address, 0, 5.0)
    if said.get("detail") == "Operation not permitted" or said["result"] == "failed":
        pytest.skip(f"no raw socket or no such family here: {said}")
    assert said == {"result": "answered", "said": "echo reply"}


def test_the_program_prints_one_line_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    port = closed_port(socket.SOCK_STREAM)
    assert main(["tcp", "127.0.0.1", str(port), "--seconds", "2"]) == 0
    assert json.loads(capsys.readouterr().out)["result"] == "refused"
    with pytest.raises(SystemExit):
        main(["sctp", "127.0.0.1", "1"])
