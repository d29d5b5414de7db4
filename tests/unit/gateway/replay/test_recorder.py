"""The recorder in a namespace of its own: what went by is in the file, in order, with direction and tag."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from gateway.replay.captures import open_capture, read_capture
from gateway.replay.packets import Direction, Packet

if TYPE_CHECKING:
    from pathlib import Path

# Two veth pairs; one program records one end of each while frames are sent into the other.
SCRIPT = r"""
set -e
for n in 0 1; do
  ip link add r$n type veth peer name s$n
  for i in r$n s$n; do echo 1 > /proc/sys/net/ipv6/conf/$i/disable_ipv6; ip link set $i up; done
done
"$PYTHON" -m gateway.replay.recorder --interface r0 --interface r1 --write "$FILE" $BOTH > "$OUT" &
recorder=$!
until grep -q ready "$OUT"; do sleep 0.05; kill -0 $recorder; done
"$PYTHON" - <<'SEND'
import socket
def send(interface, payload, head=b"\x02" * 12):
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as s:
        s.bind((interface, 0))
        s.send(head + payload)
for number in range(100):
    send(f"s{number % 2}", b"\x88\xb5" + bytes([number]) * 50)
send("s0", b"\x81\x00\x00\x07\x88\xb5" + b"v" * 50)
send("r0", b"\x88\xb5" + b"o" * 50)
SEND
kill -TERM $recorder
wait $recorder
"""


@pytest.mark.kernel
@pytest.mark.parametrize("both", [False, True])
def test_it_records_what_came_in_in_order_and_ends_with_a_complete_file(tmp_path: Path, both: bool) -> None:
    unshare = shutil.which("unshare")
    if unshare is None or shutil.which("ip") is None:
        pytest.skip("unshare and ip are needed")
    file, out = tmp_path / "x.pcapng", tmp_path / "out"
    environment = {
        "PYTHON": sys.executable,
        "FILE": str(file),
        "OUT": str(out),
        "BOTH": "--both" if both else "",
    }
    done = subprocess.run(
        [unshare, "--net", "--map-root-user", "sh", "-c", SCRIPT],
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **environment},
        capture_output=True,
        timeout=50,
        check=False,
    )

    assert done.returncode == 0, done.stderr.decode()
    ready, report = out.read_text().splitlines()
    with open_capture(str(file)) as source:
        items = list(read_capture(source, "x"))
    packets = [item for item in items if isinstance(item, Packet)]
    assert ready == "ready"
    assert json.loads(report) == {"packets": 101 + both, "kernel_drops": 0, "file": str(file)}
    assert len(items) == len(packets) == 101 + both
    inbound = [p for p in packets if p.direction is Direction.INBOUND]
    assert [p.data[14] for p in inbound[:100]] == list(range(100))
    assert [p.interface.name for p in inbound[:4]] == ["r0", "r1", "r0", "r1"]
    assert inbound[100].data[12:18] == b"\x81\x00\x00\x07\x88\xb5"
    assert [p.data[14:15] for p in packets if p.direction is Direction.OUTBOUND] == [b"o"] * both
    times = [p.time_ns for p in inbound]
    assert times == sorted(times)


def test_an_interface_that_is_not_there_is_named(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "gateway.replay.recorder",
            "--interface",
            "nosuch9",
            "--write",
            str(tmp_path / "x"),
        ],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert done.returncode == 3
    assert "nosuch9" in done.stderr
    assert not (tmp_path / "x").exists()


def test_it_ends_by_the_signals_people_send() -> None:
    from gateway.replay import recorder

    assert {signal.SIGTERM, signal.SIGINT} == set(recorder.STOP_SIGNALS)
