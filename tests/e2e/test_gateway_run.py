"""`masugata run` as people start it: what it refuses, what stays closed, what the death of a role loses."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from gateway.audit.reading import events

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(90)]

SECONDS = 30.0
ROLES = ("recorder", "mail", "enforcer")
NET_ADMIN = 1 << 12
SERVICES = {"ping": ["icmp/echo-request", "icmp6/echo-request"]}
FLOWS = [
    {"id": "F1", "from": "a", "to": "b", "service": ["tcp/7", "tcp/8"], "action": "allow"},
    {"id": "F2", "from": "w", "to": "bob", "service": "tcp/25", "action": "sanitize:mail"},
    {"id": "F3", "from": "a", "to": "gateway", "service": "ping", "action": "allow"},
]
SETTINGS = {
    "schema": "1",
    "id": "gw-test",
    "language": "en",
    "mail": {
        "hostname": "gw.town.example",
        "poll_seconds": "0.1",
        "reserve_bytes": "1024",
        "retry": {"first_seconds": "0.3", "ceiling_seconds": "1"},
    },
}


def until(condition: Callable[[], Any], what: str) -> Any:
    end = time.monotonic() + SECONDS
    while not (value := condition()):
        assert time.monotonic() < end, f"never happened: {what}"
        time.sleep(0.02)
    return value


def status(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


class Gateway:
    """One `masugata run`, with everything it says."""

    def __init__(
        self, town: Any, directory: Path, *arguments: str, around: tuple[str, ...] = (), **env: str
    ) -> None:
        self.town, self.directory, self.state = town, directory, directory / "state"
        command = [*around, sys.executable, "-m", "gateway", "run", *arguments, "--json"]
        with (directory / "words").open("w", encoding="utf-8") as words:
            self.process = town.lab.popen(
                "gateway", command, stdout=words, stderr=subprocess.STDOUT, env={**os.environ, **env}
            )

    def said(self) -> list[dict[str, Any]]:
        lines = (self.directory / "words").read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def ready(self) -> Gateway:
        until(
            lambda: self.process.poll() is not None or any(r.get("event") == "ready" for r in self.said()),
            "ready",
        )
        assert self.process.poll() is None, (self.directory / "words").read_text(encoding="utf-8")
        return self

    def ended(self) -> int:
        """Wait for its end and return its exit code."""
        return int(self.process.wait(SECONDS))

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.terminate()
        return self.ended()

    def kill_all(self) -> None:
        for pid in [*self.pids().values(), *filter(None, [self.supervisor()])]:
            os.kill(pid, signal.SIGKILL)
        self.process.kill()
        self.process.wait(SECONDS)

    # --- processes, by what the kernel says of the lab's gateway -------------------------------------

    def commands(self) -> dict[int, str]:
        (node,) = [node for node in self.town.lab.status() if node.name == "gateway"]
        return dict(node.processes)

    def pids(self) -> dict[str, int]:
        """Process ids of the roles that run."""
        listed = self.commands().items()
        return {role: pid for pid, line in listed for role in ROLES if f"gateway.roles {role} " in line}

    def supervisor(self) -> int | None:
        return next((pid for pid, line in self.commands().items() if "-m gateway run" in line), None)

    def kill(self, role: str) -> int:
        """Kill a role without warning; return who it was."""
        pid = self.pids()[role]
        os.kill(pid, signal.SIGKILL)
        return pid

    def back(self, role: str, before: int) -> None:
        """Wait until a role that was killed is ready again."""
        until(lambda: self.pids().get(role, before) != before, f"{role} runs again")
        pid = self.pids()[role]
        # The supervisor's numbers are those of the lab's own PID namespace.
        inside = int(status(pid)["NSpid"].split()[-1])
        until(lambda: inside in [r.get("role_pid") for r in self.said()], f"{role} is ready again")

    # --- the audit log ---------------------------------------------------------------------------------

    def events(self, *kinds: str) -> list[dict[str, Any]]:
        directory = self.state / "audit"
        if not directory.is_dir():
            return []
        found = [json.loads(place.data) for place in events(directory) if place.event is not None]
        return [event for event in found if not kinds or event["kind"] in kinds]

    def verified(self) -> int:
        done = subprocess.run(
            [sys.executable, "-m", "gateway", "audit", "verify", str(self.state / "audit")],
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        return done.returncode


def closed(town: Any) -> bool:
    """Whether the gateway passes nothing: our closed table alone, and no forwarding."""
    tables = town.gateway("nft list tables").split()
    forwarding = town.gateway(
        "cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv6/conf/all/forwarding"
    ).split()
    return bool(tables == ["table", "inet", "masugata_closed"] and forwarding == ["0", "0"])


@pytest.fixture(autouse=True)
def _alone(town: Any) -> Iterator[None]:
    """Leave nobody on the gateway, and the gates closed."""
    yield
    (node,) = [node for node in town.lab.status() if node.name == "gateway"]
    for pid, line in node.processes:
        if "gateway" in line:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    town.close_gates()


@pytest.fixture
def untouched(town: Any) -> str:
    """A gateway on which nothing has ever run."""
    for table in ("closed", "a", "b"):
        town.gateway(f"nft delete table inet masugata_{table} 2>/dev/null || true")
    return str(town.gateway("nft list ruleset"))


@pytest.fixture
def city(town: Any, tmp_path: Path) -> Path:
    """A directory with policy.yaml and gateway.yaml."""
    from_base = town.document({"services": SERVICES, "flows": FLOWS})
    (tmp_path / "policy.yaml").write_text(from_base, encoding="utf-8")
    (tmp_path / "gateway.yaml").write_text(json.dumps(SETTINGS), encoding="utf-8")
    return tmp_path


def arguments(city: Path) -> tuple[str, ...]:
    return (str(city / "policy.yaml"), "--config", str(city / "gateway.yaml"), "--state", str(city / "state"))


@pytest.fixture
def gateway(town: Any, city: Path) -> Iterator[Gateway]:
    made = Gateway(town, city, *arguments(city)).ready()
    yield made
    made.stop()


# --- what it refuses ---------------------------------------------------------------------------------------


def refused(town: Any, city: Path, *given: str, **options: Any) -> dict[str, Any]:
    """Start a gateway that must not start; return the exit code and the last thing it says."""
    made = Gateway(town, city, *(given or arguments(city)), **options)
    code = made.ended()
    said = made.said()
    assert said, (city / "words").read_text(encoding="utf-8")
    assert until(lambda: not made.pids(), "no role is left") is True
    return {"exit": code, **said[-1]}


def test_a_policy_that_is_broken_ends_with_2_and_nothing_is_touched(
    town: Any, city: Path, untouched: str
) -> None:
    (city / "policy.yaml").write_text((city / "policy.yaml").read_text().replace('"tcp/7"', '"tpc/7"'))
    said = refused(town, city)
    assert (said["exit"], said["problem"], said["severity"]) == (2, "bad-service", "error")
    assert (said["file"].endswith("policy.yaml"), said["line"] > 0, said["column"] > 0) == (True, True, True)
    assert town.gateway("nft list ruleset") == untouched
    assert not (city / "state").exists()


def test_settings_that_are_broken_end_with_2_and_their_place(town: Any, city: Path, untouched: str) -> None:
    text = "schema: 1\nid: gw\nmail:\n  listen: {port: 99999}\n  max_bites: 5\n"
    (city / "gateway.yaml").write_text(text)
    made = Gateway(town, city, *arguments(city))
    assert made.ended() == 2
    places = [(r["problem"], r["line"], r["column"], r["path"]) for r in made.said()]
    assert [(line, column) for _, line, column, _ in places] == [(4, 18), (5, 3)]
    assert places[1][0] == "unknown-key"
    assert town.gateway("nft list ruleset") == untouched


def test_without_the_privilege_it_says_so_and_touches_nothing(town: Any, city: Path, untouched: str) -> None:
    said = refused(town, city, around=("setpriv", "--bounding-set", "-net_admin", "--inh-caps", "-net_admin"))
    assert (said["exit"], said["error"]) == (3, "privilege-missing")
    assert town.gateway("nft list ruleset") == untouched


def test_an_ordinary_user_outside_of_any_lab_is_told_what_is_missing(city: Path) -> None:
    ordinary = ("setpriv", "--bounding-set", "-all", "--inh-caps", "-all") if os.getuid() == 0 else ()
    if ordinary and shutil.which("setpriv") is None:
        pytest.skip("missing tool: setpriv")
    done = subprocess.run(
        [*ordinary, sys.executable, "-m", "gateway", "run", *arguments(city)],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 3
    assert "CAP_NET_ADMIN" in done.stderr
    assert "masugata lab exec gateway" in done.stderr


def test_on_a_host_that_is_not_the_gateway_nothing_is_touched(town: Any, city: Path) -> None:
    done = town.lab.run(
        "alice", [sys.executable, "-m", "gateway", "run", *arguments(city), "--json"], timeout=SECONDS
    )
    assert (done.returncode, json.loads(done.stdout.splitlines()[-1])["error"]) == (3, "not-this-host")
    assert town.lab.run("alice", ["nft", "list", "ruleset"], timeout=SECONDS).stdout == ""


def test_without_nft_it_says_what_to_install(town: Any, city: Path, untouched: str) -> None:
    hidden = 'mount --bind /dev/null "$(command -v nft)" && exec "$@"'
    said = refused(town, city, around=("unshare", "--mount", "sh", "-c", hidden, "sh"))
    assert (said["exit"], said["error"], said["tool"]) == (3, "tool-missing", "nft")
    assert town.gateway("nft list ruleset") == untouched


def test_an_interface_the_policy_does_not_name_is_a_way_around_us(town: Any, city: Path) -> None:
    town.gateway("ip link add spare0 type veth peer name spare1 && ip link set spare0 up")
    try:
        said = refused(town, city)
    finally:
        town.gateway("ip link del spare0")
    assert (said["exit"], said["error"], said["interface"]) == (3, "interface-unnamed", "spare0")
    assert closed(town)
    (event,) = [
        json.loads(p.data)
        for p in events(city / "state/audit")
        if p.event and p.event.kind == "apply-refused"
    ]
    assert event["code"] == "interface-unnamed"


def test_an_address_the_policy_does_not_name_is_refused(town: Any, city: Path) -> None:
    town.gateway("ip addr add 10.2.9.9/16 dev b0")
    try:
        said = refused(town, city)
    finally:
        town.gateway("ip addr del 10.2.9.9/16 dev b0")
    assert (said["exit"], said["error"], said["address"]) == (3, "address-unnamed", "10.2.9.9/32")
    assert closed(town)


def test_an_interface_that_is_not_up_is_refused(town: Any, city: Path) -> None:
    town.gateway("ip link set a1 down")
    try:
        said = refused(town, city)
    finally:
        # Its addresses of the second family have gone with it.
        town.gateway("ip link set a1 up && ip addr add 2001:db8:1:1::fe/64 dev a1 nodad")
    assert (said["exit"], said["error"], said["interface"]) == (3, "interface-missing", "a1")
    assert closed(town)


def test_a_mail_port_that_is_taken_ends_it_closed(town: Any, city: Path) -> None:
    holder = "import socket; s = socket.create_server(('', 10025)); print('{}', flush=True); input()"
    taken = town.start("gateway", "-c", holder)
    try:
        until(lambda: taken.lines, "the port is taken")
        said = refused(town, city)
    finally:
        taken.kill()
    assert said["exit"] == 3
    assert "10025" in json.dumps(said)
    assert closed(town)


def test_a_state_directory_that_cannot_be_written_is_named(town: Any, city: Path) -> None:
    (city / "state").write_text("a file in its place")
    said = refused(town, city)
    assert (said["exit"], said["error"]) == (3, "state-unwritable")
    assert str(city / "state") in said["message"]
    assert closed(town)


def test_a_state_directory_another_gateway_works_in_is_left_alone(town: Any, city: Path) -> None:
    """One in another network namespace: its roles must find their settings when they are started again."""
    (city / "state").mkdir()
    with (city / "state/gateway.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        said = refused(town, city)
    assert (said["exit"], said["error"]) == (3, "state-in-use")
    assert [path.name for path in (city / "state").iterdir()] == ["gateway.lock"]
    assert closed(town)


def test_check_only_says_that_it_could_run_and_starts_nothing(town: Any, city: Path, untouched: str) -> None:
    made = Gateway(town, city, *arguments(city), "--check")
    assert made.ended() == 0
    assert town.gateway("nft list ruleset") == untouched
    assert not (city / "state").exists()


def test_a_second_one_is_refused_and_the_first_goes_on(town: Any, gateway: Gateway, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    second = Gateway(town, other, *arguments(gateway.directory))
    assert second.ended() == 3
    assert second.said()[-1]["error"] == "gateway-already-runs"
    assert set(gateway.pids()) == set(ROLES)
    assert town.probe("alice", "ping", "10.1.0.254") == "answered"


# --- how it runs, and how it ends --------------------------------------------------------------------------


def test_told_to_stop_it_closes_everything_and_leaves_a_sound_log(town: Any, city: Path) -> None:
    made = Gateway(town, city, *arguments(city)).ready()
    assert town.probe("alice", "ping", "10.1.0.254") == "answered"
    assert town.probe("alice", "tcp", "10.2.0.1", 9, seconds=0.3) == "silent"
    assert made.stop() == 0
    assert closed(town)
    assert not made.pids()
    assert made.supervisor() is None
    assert made.verified() == 0
    kinds = [event["kind"] for event in made.events()]
    assert (kinds[0], kinds[-1]) == ("start", "stop")
    assert kinds.count("role-started") == 3
    assert "gateway-stopping" in kinds
    (refusal,) = [e for e in made.events("packet") if e.get("dport") == 9 and e["outcome"] == "deny"][:1]
    assert (refusal["reason"], refusal["src"], refusal["in_interface"]) == ("default-deny", "10.1.0.1", "a0")


def test_every_role_holds_what_it_needs_and_nothing_else(town: Any, gateway: Gateway) -> None:
    held = {role: status(pid) for role, pid in gateway.pids().items()}
    assert set(held) == set(ROLES)
    sets = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
    for role, said in held.items():
        wanted = NET_ADMIN if role == "enforcer" else 0
        assert {name: int(said[name], 16) for name in sets} == dict.fromkeys(sets, wanted), role
        assert said["NoNewPrivs"] == "1", role
    # Sockets and state are ours alone.
    for path in (gateway.state, gateway.state / "audit", gateway.state / "mail"):
        assert path.stat().st_mode & 0o077 == 0, path
    run = next(path for path in gateway.state.parent.rglob("*.sock"))
    assert run.stat().st_mode & 0o077 == 0


def test_killed_without_warning_its_roles_end_and_the_gates_close(town: Any, city: Path) -> None:
    made = Gateway(town, city, *arguments(city)).ready()
    supervisor = made.supervisor()
    assert supervisor is not None
    os.kill(supervisor, signal.SIGKILL)
    until(lambda: not made.pids(), "the roles end with their supervisor")
    until(lambda: closed(town), "the gates close behind them")
    made.process.wait(SECONDS)
    assert made.verified() == 0
    # The next one starts on the same state, and the log goes on.
    again = Gateway(town, city, *arguments(city)).ready()
    assert again.stop() == 0
    assert again.verified() == 0


def test_killed_with_all_its_roles_at_once_the_ruleset_stays_and_the_next_run_starts(
    town: Any, city: Path
) -> None:
    """As when the machine runs out of memory: nobody is left to close, so the policy must still hold."""
    made = Gateway(town, city, *arguments(city)).ready()
    made.kill_all()
    assert town.probe("alice", "ping", "10.1.0.254") == "answered"
    assert town.probe("wes", "tcp", "10.2.0.1", 7, seconds=0.3) == "silent"
    assert made.verified() in (0, 1)  # 1: its last line was cut, and verify says so
    again = Gateway(town, city, *arguments(city)).ready()
    assert town.probe("alice", "ping", "10.1.0.254") == "answered"
    assert again.stop() == 0
    assert closed(town)


def test_any_role_that_is_killed_comes_back_and_connections_do_not_notice(
    town: Any, gateway: Gateway
) -> None:
    with town.line("alice", "bob", "10.2.0.1", 7) as line:
        for role in ("enforcer", "mail", "recorder"):
            before = gateway.kill(role)
            # Without it, the kernel goes on as it was told.
            assert line.speak()
            assert town.probe("wes", "tcp", "10.2.0.1", 7, seconds=0.2) == "silent"
            gateway.back(role, before)
            assert line.speak()
            assert town.probe("alice", "ping", "10.1.0.254") == "answered"
    until(lambda: len(gateway.events("role-started")) == 6, "every start is recorded")
    ended = [(event["role"], event["signal"]) for event in gateway.events("role-ended")]
    assert ended == [("enforcer", "SIGKILL"), ("mail", "SIGKILL"), ("recorder", "SIGKILL")]
    # Packets are recorded again, by the new enforcer through the new recorder.
    town.probe("wes", "tcp", "10.2.0.1", 4711, seconds=0.2)
    until(lambda: any(e.get("dport") == 4711 for e in gateway.events("packet")), "it is recorded")
    assert gateway.stop() == 0
    assert gateway.verified() == 0


def test_a_policy_edited_meanwhile_is_not_what_a_role_comes_back_with(town: Any, gateway: Gateway) -> None:
    opened = [{"id": "F9", "from": "w", "to": "b", "service": "any", "action": "allow"}]
    (gateway.directory / "policy.yaml").write_text(town.document({"flows": opened}), encoding="utf-8")
    before = gateway.kill("enforcer")
    gateway.back("enforcer", before)
    assert town.probe("wes", "tcp", "10.2.0.1", 7, seconds=0.3) == "silent"
    assert len({event["revision"] for event in gateway.events("apply")}) == 1


# --- mail, the whole way -----------------------------------------------------------------------------------

SEND = """
import smtplib, sys
from email.message import EmailMessage
mail = EmailMessage()
mail["From"], mail["To"], mail["Subject"] = "a@x.example", "b@town.example", "見積書"
mail["Message-ID"] = f"<{sys.argv[2]}@x.example>"
mail.set_content("ご確認ください。", charset="iso-2022-jp")
mail.add_alternative("<p>ご確認ください。<script>alert(1)</script></p>", subtype="html")
with smtplib.SMTP(sys.argv[1], 25, local_hostname="mx.x.example", timeout=20) as line:
    line.send_message(mail)
print("promised", flush=True)
"""


def send_mail(town: Any, name: str, address: str = "10.2.0.1") -> bool:
    done = town.lab.run("wes", [sys.executable, "-c", SEND, address, name], timeout=SECONDS)
    return bool(done.stdout == "promised\n")


@pytest.fixture
def sink(town: Any, tmp_path: Path) -> Iterator[Callable[[], list[bytes]]]:
    """bob's mail server; what it has taken so far."""
    four, six = tmp_path / "bob4", tmp_path / "bob6"
    with (
        town.serving("bob", "smtp-sink", 25, "0.0.0.0", directory=four),
        town.serving("bob", "smtp-sink", 25, "::", directory=six),
    ):
        yield lambda: [path.read_bytes() for path in (*four.glob("*.eml"), *six.glob("*.eml"))]


def names(mails: list[bytes]) -> list[str]:
    return [line.decode().partition("<")[2].partition("@")[0] for mail in mails
            for line in mail.splitlines() if line.lower().startswith(b"message-id:")]  # fmt: skip


def test_a_mail_crosses_as_our_own_text_in_both_families(
    town: Any, gateway: Gateway, sink: Callable[[], list[bytes]]
) -> None:
    assert send_mail(town, "four")
    assert send_mail(town, "six", "2001:db8:2::1")
    mails = until(lambda: len(sink()) == 2 and sink(), "both arrive")
    assert sorted(names(mails)) == ["four", "six"]
    assert all(b"text/plain" in mail and b"<script" not in mail for mail in mails)
    until(lambda: len(gateway.events("mail-delivered")) == 2, "delivery is recorded")
    turned = [e for e in gateway.events("packet") if e["outcome"] == "sanitize:mail"]
    assert {(e["decided_by"], e["src"], e["dport"]) for e in turned} == {
        ("F2", "198.51.100.1", 25),
        ("F2", "2001:db8:ffff::1", 25),
    }
    ours = [
        e for e in gateway.events("packet") if e.get("source_zone") == "gateway" and e["outcome"] == "allow"
    ]
    assert {(e["decided_by"], e["dst"], e["dport"]) for e in ours} == {
        ("F2", "10.2.0.1", 25),
        ("F2", "2001:db8:2::1", 25),
    }
    # Nobody else's mail is turned, and the proxy's own port is not there for anybody.
    assert town.probe("alice", "tcp", "10.2.0.1", 25, seconds=0.3) == "silent"
    assert town.probe("wes", "tcp", "198.51.100.254", 10025, seconds=0.3) == "silent"


def test_killed_right_after_its_promise_the_mail_role_loses_nothing(
    town: Any, gateway: Gateway, sink: Callable[[], list[bytes]]
) -> None:
    promised = [f"n{number}" for number in range(3)]
    for name in promised:
        assert send_mail(town, name)
        gateway.back("mail", gateway.kill("mail"))
    until(lambda: set(names(sink())) >= set(promised), "every promised mail arrives")
    assert gateway.stop() == 0
    assert gateway.verified() == 0
