"""Marked sockets are handed out for open flows of our proxies, to our own processes, and for nothing else."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import stat
from typing import TYPE_CHECKING, Any

import pytest

from gateway.process.broker import BrokeredConnector, SocketBroker, grant
from zones.errors import BackendError
from zones.load import load_policy

if TYPE_CHECKING:
    from pathlib import Path

    from zones.model import Policy

pytestmark = pytest.mark.timeout(20)

NOON = 1806462000.0  # 2027-03-31T12:00 in Tokyo, a Wednesday
ZONES = {
    "a": {"interfaces": ["a0"], "networks": ["10.1.0.0/16"]},
    "b": {"interfaces": ["b0"], "networks": ["10.2.0.0/16"]},
}


def mail(flow_id: str, **more: Any) -> dict[str, Any]:
    flow = {"id": flow_id, "from": "a", "to": "b", "service": "tcp/25", "action": "sanitize:mail"}
    return {**flow, **more}


@pytest.fixture(scope="module")
def policy() -> Policy:
    flows = [
        mail("F1"),
        mail("F2", service="tcp/443", action="sanitize:web"),
        mail("F3", expires="2027-03-30"),
        mail("F4", when={"to": "09:00"}),
        mail("F5", mode="audit"),
        mail("F6", mode="disabled"),
        mail("F7", action="allow"),
        mail("F8", action="render", service="tcp/443"),
        mail("F9", when={"approval": {"people": 2, "max_minutes": 60}}),
    ]
    document = {"schema": "1", "meta": {"name": "x"}, "zones": ZONES, "flows": flows}
    return load_policy({"x.yaml": json.dumps(document)})


@pytest.mark.parametrize(
    ("flow_id", "answer"),
    [
        ("F1", None),
        ("F2", None),
        ("F3", "broker-closed-flow"),
        ("F4", "broker-closed-flow"),
        ("F5", "broker-unknown-flow"),
        ("F6", "broker-unknown-flow"),
        ("F7", "broker-unknown-flow"),
        ("F8", "broker-unknown-flow"),
        ("F9", "broker-closed-flow"),
        ("G1", "broker-unknown-flow"),
        ("", "broker-unknown-flow"),
    ],
)
def test_only_an_open_flow_of_a_proxy_is_granted(policy: Policy, flow_id: str, answer: str | None) -> None:
    for version, family in ((4, socket.AF_INET), (6, socket.AF_INET6)):
        granted = grant(policy, {"flow": flow_id, "family": version}, NOON)
        flow = policy.flow(flow_id)
        assert granted == (answer or (family, flow.number if flow else 0))


@pytest.mark.parametrize(
    "request_",
    [
        *(None, 3, "F1", [], {}, {"flow": "F1"}, {"flow": "F1", "family": 5}, {"flow": "F1", "family": "4"}),
        *({"flow": "F1", "family": []}, {"flow": "F1", "family": {}}, {"flow": "F1", "family": 4.0}),
        {"flow": "F1", "family": True},
    ],
)
def test_a_request_that_makes_no_sense_is_refused(policy: Policy, request_: object) -> None:
    assert grant(policy, request_, NOON) == "broker-bad-request"


@pytest.mark.parametrize("flow", [None, [], {"x": 1}, 7])
def test_a_flow_that_is_no_name_is_unknown(policy: Policy, flow: object) -> None:
    assert grant(policy, {"flow": flow, "family": 4}, NOON) == "broker-unknown-flow"


class Clock:
    now = NOON


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "broker.sock"


@pytest.fixture
def broker(policy: Policy, path: Path, monkeypatch: pytest.MonkeyPatch) -> SocketBroker:
    """A broker whose sockets take any mark: only CAP_NET_ADMIN may set one (shown in a real kernel)."""
    marks: list[int] = []

    class Unprivileged(socket.socket):
        def setsockopt(self, level: int, option: int, value: Any, *rest: Any) -> None:
            if (level, option) == (socket.SOL_SOCKET, socket.SO_MARK):
                marks.append(value)
            else:
                super().setsockopt(level, option, value, *rest)

    monkeypatch.setattr("gateway.process.broker.socket.socket", Unprivileged)
    made = SocketBroker(path, lambda: policy, lambda: Clock.now)
    made.marks = marks  # type: ignore[attr-defined]
    return made


async def test_a_granted_socket_is_marked_and_connects_where_it_is_told(
    broker: SocketBroker, path: Path, policy: Policy
) -> None:
    broker.start()
    try:
        with socket.create_server(("127.0.0.1", 0)) as server:
            here = server.getsockname()
            connected = await BrokeredConnector(path).connect("F1", here)
            with connected:
                assert connected.getpeername() == here
                assert connected.gettimeout() == 0
        assert broker.marks == [policy.flow("F1").number]  # type: ignore[attr-defined, union-attr]
    finally:
        broker.close()
    assert not path.exists()  # noqa: ASYNC240


async def test_a_refusal_reaches_the_asker_with_its_reason(broker: SocketBroker, path: Path) -> None:
    broker.start()
    try:
        for flow_id, code in (("F3", "broker-closed-flow"), ("F7", "broker-unknown-flow")):
            with pytest.raises(BackendError) as refused:
                await BrokeredConnector(path).connect(flow_id, ("127.0.0.1", 9))
            assert (refused.value.code, refused.value.params["flow"]) == (code, flow_id)
    finally:
        broker.close()


async def test_a_host_that_is_not_there_is_an_os_error_and_the_socket_is_closed(
    broker: SocketBroker, path: Path
) -> None:
    broker.start()
    try:
        with socket.create_server(("127.0.0.1", 0)) as server:
            gone = server.getsockname()
        with pytest.raises(ConnectionRefusedError):
            await BrokeredConnector(path).connect("F1", gone)
        with pytest.raises(ValueError, match="example"):
            await BrokeredConnector(path).connect("F1", ("mx.example", 25))
    finally:
        broker.close()


async def test_without_an_enforcer_the_asker_is_told_so(path: Path) -> None:
    with pytest.raises(BackendError) as refused:
        await BrokeredConnector(path).connect("F1", ("127.0.0.1", 25))
    assert refused.value.code == "broker-absent"


@pytest.mark.parametrize(
    "untrusted", [b"", b"nonsense", b"{", b"[" * 1000, b"\xff\xfe", b"null", b"x" * 5000]
)
async def test_bytes_that_are_no_request_are_refused_and_the_next_is_served(
    broker: SocketBroker, path: Path, untrusted: bytes
) -> None:
    broker.start()

    def ask() -> bytes:
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as line:
            line.settimeout(5)
            line.connect(str(path))
            line.send(untrusted)
            return line.recv(1024)

    try:
        said = await asyncio.to_thread(ask)
        assert json.loads(said) == {"error": "broker-bad-request"}
        with pytest.raises(BackendError) as refused:
            await BrokeredConnector(path).connect("F3", ("127.0.0.1", 9))
        assert refused.value.code == "broker-closed-flow"
    finally:
        broker.close()


async def test_nobody_else_may_open_it(broker: SocketBroker, path: Path) -> None:
    path.write_text("what a dead enforcer left")  # noqa: ASYNC240
    broker.start()
    try:
        found = path.stat()  # noqa: ASYNC240
        assert stat.S_ISSOCK(found.st_mode)
        assert (stat.S_IMODE(found.st_mode), found.st_uid) == (0o600, os.getuid())
    finally:
        broker.close()


async def test_a_path_that_cannot_be_bound_is_an_error_of_the_host(policy: Policy, tmp_path: Path) -> None:
    for path in (tmp_path / "no" / "folder.sock", tmp_path / ("x" * 150)):
        broker = SocketBroker(path, lambda: policy, lambda: NOON)
        with pytest.raises(BackendError) as refused:
            broker.start()
        assert refused.value.code == "socket-path"
        assert refused.value.params["detail"]
        broker.close()
