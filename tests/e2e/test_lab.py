"""Labs on the real kernel: what is brought up works, and what is ended or crashes leaves nothing."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from topology import state
from topology.namespaces import Lab
from topology.plan import EXAMPLE, load_plan
from zones.errors import BackendError, ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from topology.plan import LabPlan

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(60)]

ROOT = Path(__file__).resolve().parents[2]
CITY = ROOT / "examples/sample-city/lab/city.yaml"
SECONDS = 15.0  # for any one command; far more than it takes
FORWARD = ["sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"]

# An echo request and its answer by a raw socket: `ping` is not on every machine.
PING = """
import socket, struct, sys
wire = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
wire.settimeout(float(sys.argv[2]))
def total(data):
    words = sum(struct.unpack(f"!{len(data) // 2}H", data))
    return (words & 0xFFFF) + (words >> 16)
body = struct.pack("!BBHHH", 8, 0, 0, 4711, 1)
wire.sendto(body[:2] + struct.pack("!H", ~total(body) & 0xFFFF) + body[4:], (sys.argv[1], 0))
try:
    while True:
        packet, (sender, _) = wire.recvfrom(2048)
        if packet[20] == 0 and packet[24:26] == body[4:6]:
            print("answer from", sender)
            sys.exit(0)
except TimeoutError:
    sys.exit(1)
"""


def example(name: str) -> LabPlan:
    """Return the two-wire lab under a name no other run uses."""
    unique = f"{name}-{os.getpid() % 100_000}"[:15]
    return load_plan(EXAMPLE.replace("two-wires", unique), f"{name}.yaml")


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Keep these labs apart from the user's, and end what a failed test left."""
    runtime = tmp_path / "runtime"
    runtime.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    yield
    for lab in Lab.all():
        lab.down()


@pytest.fixture
def lab() -> Iterator[Lab]:
    lab = Lab.up(example("t"))
    yield lab
    lab.down()


def pid_namespace(pid: int | str) -> str:
    return os.readlink(f"/proc/{pid}/ns/pid")  # noqa: PTH115  (a link that is no path)


def in_namespace(namespace: str) -> list[int]:
    """Return every process of the machine that is in this PID namespace, whoever started it."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and pid_namespace(entry.name) == namespace:
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


def ping(lab: Lab, node: str, target: str, *, patience: float = 3.0) -> bool:
    done = lab.run(node, [sys.executable, "-c", PING, target, str(patience)], timeout=SECONDS)
    assert done.stderr == ""
    return done.returncode == 0


def cli(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from gateway.cli.main import main; main()", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False, **options)


# --- what is up works


def test_hosts_reach_each_other_only_once_the_gateway_forwards(lab: Lab) -> None:
    assert ping(lab, "alice", "192.0.2.126")
    assert not ping(lab, "alice", "192.0.2.129", patience=0.3)
    assert lab.run("gateway", FORWARD, timeout=SECONDS).returncode == 0
    assert ping(lab, "alice", "192.0.2.129")


def test_nodes_know_each_other_by_name_and_themselves(lab: Lab) -> None:
    program = "import socket; print(socket.gethostname(), socket.gethostbyname('bob'))"
    done = lab.run("alice", [sys.executable, "-c", program], timeout=SECONDS)
    assert done.stdout == "alice 192.0.2.129\n"


def test_the_gateway_starts_with_the_settings_of_its_plan(lab: Lab) -> None:
    assert lab.state.missing == ()
    wanted = {
        "ipv4/ip_forward": "0",
        "netfilter/nf_conntrack_tcp_loose": "0",
        "netfilter/nf_conntrack_acct": "1",
        "ipv4/conf/left0/rp_filter": "0",
        "ipv4/conf/left0/arp_ignore": "1",
        "ipv4/conf/all/arp_announce": "2",
    }
    done = lab.run("gateway", ["cat", *(f"/proc/sys/net/{key}" for key in wanted)], timeout=SECONDS)
    assert dict(zip(wanted, done.stdout.split(), strict=True)) == wanted


def test_sys_shows_the_interfaces_of_the_node(lab: Lab) -> None:
    done = lab.run("gateway", ["ls", "/sys/class/net"], timeout=SECONDS)
    assert done.stdout.split() == ["left0", "lo", "right0"]


def test_a_program_keeps_its_directory_environment_and_input(lab: Lab, tmp_path: Path) -> None:
    done = lab.run(
        "bob",
        ["sh", "-c", "pwd; echo $COLOUR; cat"],
        timeout=SECONDS,
        cwd=tmp_path,
        env={**os.environ, "COLOUR": "青"},
        input="from stdin",
    )
    assert done.stdout == f"{tmp_path}\n青\nfrom stdin"


def test_what_was_in_run_is_still_there(lab: Lab) -> None:
    done = lab.run("bob", ["ls", "-A", "/run"], timeout=SECONDS)
    assert set(os.listdir("/run")) - {"netns"} <= set(done.stdout.splitlines())  # noqa: PTH208


@pytest.mark.parametrize(("program", "code"), [("exit 7", 7), ("kill -TERM $$", -15), ("kill -KILL $$", -9)])
def test_the_exit_status_comes_back(lab: Lab, program: str, code: int) -> None:
    assert lab.run("alice", ["sh", "-c", program], timeout=SECONDS).returncode == code


def test_a_program_that_is_not_there_is_127(lab: Lab) -> None:
    done = lab.run("alice", ["no-such-program"], timeout=SECONDS)
    assert (done.returncode, "no-such-program" in done.stderr) == (127, True)


def test_a_signal_reaches_the_program_and_its_answer_comes_back(lab: Lab) -> None:
    program = (
        "import signal, sys; signal.signal(15, lambda *_: sys.exit(42)); print('ready', flush=True)\n"
        "signal.pause()"
    )
    with lab.popen("alice", [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.terminate()
        assert process.wait(SECONDS) == 42


def test_killing_the_door_kills_the_program(lab: Lab) -> None:
    with lab.popen("alice", ["sh", "-c", "echo $$; exec sleep 1000"], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        running = [pid for node in lab.status() if node.name == "alice" for pid, _ in node.processes]
        assert len(running) == 1
        process.kill()
        eventually(lambda: not Path(f"/proc/{running[0]}").exists())


def test_status_names_what_runs_where(lab: Lab) -> None:
    with lab.popen("bob", ["sleep", "1000"]) as process:
        eventually(lambda: [line for n in lab.status() for _, line in n.processes] == ["sleep 1000"])
        assert [node.name for node in lab.status() if node.processes] == ["bob"]
        process.terminate()


def test_an_unknown_node_is_refused_before_anything_runs(lab: Lab) -> None:
    with pytest.raises(ConfigurationError) as caught:
        lab.command("carol", ["true"])
    assert caught.value.code == "lab-unknown-node"


# --- what is down leaves nothing


def test_down_ends_every_process_and_forgets_the_lab(lab: Lab) -> None:
    namespace = pid_namespace(lab.state.holder.pid)
    # Daemons of their own session, deaf to everything but SIGKILL, are no exception.
    stubborn = "trap '' TERM HUP INT; setsid sleep 1000 & sleep 1000"
    with lab.popen("alice", ["sh", "-c", stubborn]) as process:
        eventually(lambda: len(in_namespace(namespace)) >= 4)
        lab.down()
        assert process.wait(SECONDS) == -signal.SIGKILL
    assert in_namespace(namespace) == []
    assert not Path(f"/proc/{lab.state.supervisor.pid}").exists()
    assert Lab.all() == []
    assert not (state.labs_directory() / lab.name).exists()


def test_down_twice_is_no_error(lab: Lab) -> None:
    lab.down()
    lab.down()
    with pytest.raises(ConfigurationError) as caught:
        Lab.find(lab.name)
    assert caught.value.code == "lab-not-up"


@pytest.mark.parametrize("victim", ["supervisor", "holder"])
def test_a_crash_takes_everything_along_and_up_recovers(lab: Lab, victim: str) -> None:
    namespace = pid_namespace(lab.state.holder.pid)
    with lab.popen("alice", ["sleep", "1000"]) as process:
        eventually(lambda: len(in_namespace(namespace)) == 2)
        os.kill(getattr(lab.state, victim).pid, signal.SIGKILL)
        assert process.wait(SECONDS) == -signal.SIGKILL
    eventually(lambda: in_namespace(namespace) == [])
    # The state on disk is stale now: nobody is fooled by it.
    assert state.load(lab.name) is not None
    assert Lab.all() == []
    with pytest.raises(ConfigurationError):
        lab.command("alice", ["true"])
    again = Lab.up(example("t"))
    assert ping(again, "alice", "192.0.2.126")
    again.down()


def test_a_pid_used_again_is_never_killed() -> None:
    plan = example("reuse")
    with subprocess.Popen(["sleep", "1000"]) as innocent:
        process = state.Process(pid=innocent.pid, started=1)
        stale = state.LabState(
            name=plan.name, file="", text="", digest="", since=0.0, supervisor=process, holder=process
        )
        state.save(stale)
        assert Lab.all() == []
        Lab.up(plan).down()
        assert innocent.poll() is None
        innocent.terminate()


def test_an_up_that_fails_half_way_leaves_nothing() -> None:
    text = EXAMPLE.replace("[192.0.2.129]", "[192.0.2.129], sysctls: {net.ipv4.no_such_key: 1}")
    with pytest.raises(BackendError) as caught:
        Lab.up(load_plan(text, "broken.yaml"))
    assert caught.value.code == "lab-step-failed"
    assert caught.value.params["where"] == "bob"
    assert Lab.all() == []
    assert state.names() == []
    eventually(lambda: ours_in_namespaces() == [])


def ours_in_namespaces() -> list[int]:
    """Return what this test started in other PID namespaces, known by its runtime directory."""
    mark = b"XDG_RUNTIME_DIR=" + os.environ["XDG_RUNTIME_DIR"].encode()
    ours, found = pid_namespace("self"), []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and pid_namespace(entry.name) != ours:
                found += [int(entry.name)] if mark in (entry / "environ").read_bytes() else []
        except OSError:
            continue
    return found


def test_the_search_for_what_is_left_finds_what_is_there(lab: Lab) -> None:
    assert ours_in_namespaces() == [lab.state.holder.pid]


def test_an_up_that_is_killed_half_way_leaves_nothing(tmp_path: Path) -> None:
    """The driver dies after the holder has built the lab, before the state is on disk."""
    program = (
        "import os, sys; from pathlib import Path; from topology import namespaces, plan, state\n"
        "state.save = lambda saved: (print(saved.holder.pid, flush=True), os.kill(os.getpid(), 9))\n"
        "namespaces.Lab.up(plan.read_plan(Path(sys.argv[1])))"
    )
    file = tmp_path / "lab.yaml"
    file.write_text(EXAMPLE)
    done = subprocess.run(
        [sys.executable, "-c", program, str(file)], capture_output=True, timeout=SECONDS, check=False
    )
    assert done.returncode == -signal.SIGKILL
    assert int(done.stdout) > 0
    eventually(lambda: ours_in_namespaces() == [])


# --- names


def test_two_labs_are_up_at_once_and_know_nothing_of_each_other() -> None:
    first, second = Lab.up(example("one")), Lab.up(example("two"))
    assert {lab.name for lab in Lab.all()} == {first.name, second.name}
    first.run("gateway", FORWARD, timeout=SECONDS)
    assert ping(first, "alice", "192.0.2.129")
    assert not ping(second, "alice", "192.0.2.129", patience=0.3)
    first.down()
    assert ping(second, "alice", "192.0.2.126")
    second.down()


def test_a_name_that_is_up_is_refused_or_replaced(lab: Lab) -> None:
    plan = lab.plan
    with pytest.raises(ConfigurationError) as caught:
        Lab.up(plan)
    assert caught.value.code == "lab-already-up"
    assert lab.alive
    other = Lab.up(plan, replace=True)
    assert not lab.alive
    # Whoever still holds the old one and ends it does not touch the new one.
    lab.down()
    assert Lab.find(plan.name) == other
    assert other.alive


def test_of_several_that_bring_up_one_name_one_wins() -> None:
    plan, results = example("race"), []

    def bring_up() -> None:
        try:
            results.append(Lab.up(plan).name)
        except ConfigurationError as error:
            results.append(error.code)

    threads = [threading.Thread(target=bring_up) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS)
    assert sorted(results) == sorted([plan.name, *["lab-already-up"] * 3])


def test_a_state_directory_of_somebody_else_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    private = tmp_path / "elsewhere"
    private.mkdir(mode=0o700)
    runtime = tmp_path / "r"
    runtime.mkdir(mode=0o700)
    (runtime / "masugata").symlink_to(private)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    with pytest.raises(BackendError) as caught:
        Lab.up(example("link"))
    assert caught.value.code == "lab-state-unsafe"
    (runtime / "masugata").unlink()
    (runtime / "masugata").mkdir(mode=0o755)
    with pytest.raises(BackendError):
        Lab.up(example("open"))
    (runtime / "masugata").rmdir()


def test_a_missing_tool_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BackendError) as caught:
        Lab.up(example("tool"))
    assert (caught.value.code, caught.value.params["package"]) == ("lab-tool-missing", "iproute2")


# --- the command line


def test_the_verbs_from_up_to_down(tmp_path: Path) -> None:
    name = example("cli").name
    file = tmp_path / "lab.yaml"
    file.write_text(EXAMPLE.replace("two-wires", name))
    up = cli("lab", "up", str(file))
    assert (up.returncode, name in up.stdout) == (0, True), up.stderr
    again = cli("lab", "up", str(file))
    assert (again.returncode, "--replace" in again.stderr) == (2, True)
    assert cli("lab", "up", "--replace", str(file)).returncode == 0
    run = cli("lab", "exec", "bob", "--", "sh", "-c", "hostname; exit 9")
    assert (run.returncode, run.stdout) == (9, "bob\n")
    record = json.loads(cli("lab", "status", "--json").stdout)
    assert record["lab"] == name
    assert [node["node"] for node in record["nodes"]] == ["gateway", "alice", "bob", "switch"]
    assert record["nodes"][1]["interfaces"][0]["addresses"] == ["192.0.2.1/25"]
    assert cli("lab", "down").returncode == 0
    status = cli("lab", "status")
    assert (status.returncode, status.stdout) == (1, "")
    assert cli("lab", "exec", "bob", "--", "true").returncode == 2


def test_a_wrong_lab_file_is_reported_in_full_and_nothing_comes_up(tmp_path: Path) -> None:
    file = tmp_path / "lab.yaml"
    file.write_text(
        EXAMPLE.replace("segment: left, a", "segmnt: left, a").replace("192.0.2.129", "192.0.2.9")
    )
    done = cli("lab", "up", str(file))
    assert done.returncode == 2
    assert f"{file}:8:13: error[unknown-key]" in done.stderr
    assert f"{file}:12:37: error[lab-address-outside]" in done.stderr
    assert Lab.all() == []


# --- privilege


ORDINARY = """
import sys
from pathlib import Path
from topology.namespaces import Lab
from topology.plan import read_plan
status = Path("/proc/self/status").read_text()
assert int(status.split("CapEff:")[1].split()[0], 16) == 0, status
lab = Lab.up(read_plan(Path(sys.argv[1])))
forward = lab.run("gateway", ["sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"], timeout=10)
ping = lab.run("mn-pc1", [sys.executable, "-c", sys.argv[2], "gc-app", "3"], timeout=10)
lab.down()
print(forward.returncode, ping.stdout.strip(), ping.stderr, lab.alive)
"""


# What a lab needs of our libraries; a copy of these is readable where root's own environment is not.
LIBRARIES = (
    "annotated_types",
    "pydantic",
    "pydantic_core",
    "typing_extensions.py",
    "typing_inspection",
    "yaml",
    "_yaml",
)


def ordinary_user(tree: Path) -> tuple[list[str], str, Path]:
    """Return how to run as an ordinary user, a Python that one may run, and where our packages lie for it.

    Root's checkout may lie where only root may look (/root): then `tree` gets a copy. Root without any
    capability is no stand-in: since Linux 5.12 it may not map itself into a user namespace.
    """
    if os.geteuid() != 0:
        return [], sys.executable, ROOT
    for name in ("zones", "topology", "examples"):
        shutil.copytree(ROOT / name, tree / name)
    for name in LIBRARIES:
        found = Path(sysconfig.get_path("purelib")) / name
        (shutil.copytree if found.is_dir() else shutil.copy)(found, tree / name)
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"]
    # Through a shell, because setpriv itself still has its capabilities when it looks for the program.
    nobody += ["sh", "-c", 'exec "$0" "$@"']
    for python in (sys.executable, f"/usr/bin/python3.{sys.version_info.minor}"):
        tried = subprocess.run(
            [*nobody, python, "-c", "import topology.plan"],
            env={**os.environ, "PYTHONPATH": str(tree)}, capture_output=True, timeout=SECONDS, check=False,
        )  # fmt: skip
        if tried.returncode == 0:
            return nobody, python, tree
    pytest.skip("no Python of this version that an ordinary user may run")


def with_our_path(**variables: str) -> dict[str, str]:
    path = os.pathsep.join(
        entry for entry in sys.path if entry.endswith("site-packages") or entry == str(ROOT)
    )
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join((path, str(ROOT))),
        "PYTHONDONTWRITEBYTECODE": "1",
        **variables,
    }


@pytest.mark.checkout
def test_an_ordinary_user_needs_no_root() -> None:
    # Not below tmp_path: that is closed to others.
    with tempfile.TemporaryDirectory(dir="/tmp") as shared:
        tree, runtime = Path(shared, "tree"), Path(shared, "runtime")
        Path(shared).chmod(0o755)
        tree.mkdir()
        prefix, python, home = ordinary_user(tree)
        runtime.mkdir(mode=0o700)
        if prefix:
            os.chown(runtime, 65534, 65534)
        city = home / CITY.relative_to(ROOT)
        environment = with_our_path(XDG_RUNTIME_DIR=str(runtime))
        if home != ROOT:
            environment["PYTHONPATH"] = str(home)
        done = subprocess.run(
            [*prefix, python, "-c", ORDINARY, str(city), PING], cwd=shared, env=environment,
            capture_output=True, text=True, timeout=SECONDS, check=False,
        )  # fmt: skip
    assert done.stderr == ""
    assert done.stdout == "0 answer from 10.40.1.10  False\n"


REFUSING = """
from pathlib import Path
from topology.namespaces import Lab
from topology.plan import EXAMPLE, load_plan
from zones.errors import BackendError
try:
    lab = Lab.up(load_plan(EXAMPLE, "lab.yaml"))
    print(lab.run("alice", ["hostname"], timeout=10).stdout.strip())
    lab.down()
    print(lab.alive)
except BackendError as error:
    print(error.code, int(error.exit_code), Lab.all())
"""


@pytest.mark.parametrize(
    ("privilege", "said"),
    [
        ([], "alice\nFalse\n"),
        (["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--"], "lab-namespaces-refused 3 []\n"),
    ],
    ids=["root goes without a user namespace", "anybody else is told"],
)
def test_where_user_namespaces_are_refused(privilege: list[str], said: str) -> None:
    # The limit belongs to the user namespace it is set in: one around the test keeps the machine as it is.
    script = 'echo 0 > /proc/sys/user/max_user_namespaces && exec "$0" "$@"'
    command = ["unshare", "--user", "--map-root-user", "--", "sh", "-c", script, *privilege]
    done = subprocess.run(
        [*command, sys.executable, "-c", REFUSING],
        env=with_our_path(), capture_output=True, text=True, timeout=SECONDS, check=False,
    )  # fmt: skip
    assert done.stdout == said, done.stderr
