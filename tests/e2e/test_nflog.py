"""A real kernel in a namespace of its own: it logs and tracks; our readers report it, and every loss."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import textwrap

import pytest

pytestmark = pytest.mark.kernel

PRELUDE = """
import asyncio, json, socket, subprocess, sys, time
from gateway.kernel import conntrack
from gateway.kernel.nflog import InterfaceNames, NflogReader
from zones.errors import BackendError

RULES = '''
table inet t {
  chain c {
    type filter hook input priority 0;
    udp dport 9 log prefix "masugata|deny|guard|G1" group 5 drop
    udp dport 10 log prefix "masugata|deny|default-deny|" group 6 drop
    ct state established,new accept
  }
}'''
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
subprocess.run(["nft", "-f", "-"], input=RULES, text=True, check=True)

async def until(holds, seconds=10):
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "nothing came"
        await asyncio.sleep(0.005)

def send(port, family=socket.AF_INET, to="127.0.0.1", size=8):
    with socket.socket(family, socket.SOCK_DGRAM) as out:
        out.sendto(b"x" * size, (to, port))
        return out.getsockname()[1]
"""


def in_namespace(script: str, *flags: str) -> dict:
    """Run a script in a fresh user and network namespace; it ends by printing one JSON object."""
    missing = [tool for tool in ("unshare", "nft", "ip") if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"missing tool: {', '.join(missing)}")
    done = subprocess.run(
        ["unshare", *(flags or ("-Urn",)), sys.executable, "-W", "error", "-c", script],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def with_prelude(script: str) -> str:
    return PRELUDE + textwrap.dedent(script)


def test_a_logged_packet_arrives_with_its_prefix_interface_and_bytes():
    result = in_namespace(
        with_prelude("""
        async def main():
            records, gaps = [], []
            with NflogReader(groups=(5, 6), on_record=records.append, on_gap=gaps.append) as reader:
                sport = send(9, size=1000)
                send(10)
                send(9, socket.AF_INET6, "::1")
                await until(lambda: len(records) == 3)
            names = InterfaceNames()
            print(json.dumps({
                "prefixes": [record.prefix for record in records],
                "groups": [record.group for record in records],
                "sequences": [record.sequence for record in records],
                "versions": [record.payload[0] >> 4 for record in records],
                "interface": names.name(records[0].in_index),
                "hook": str(records[0].hook),
                "sport": [sport, int.from_bytes(records[0].payload[20:22])],
                "copied": len(records[0].payload),
                "claimed": int.from_bytes(records[0].payload[2:4]),
                "gaps": len(gaps),
                "buffer": reader.receive_bytes,
            }))
        asyncio.run(main())
        """)
    )
    assert result["prefixes"] == [
        "masugata|deny|guard|G1",
        "masugata|deny|default-deny|",
        "masugata|deny|guard|G1",
    ]
    assert result["groups"] == [5, 6, 5]
    assert result["sequences"] == [0, 0, 1]
    assert result["versions"] == [4, 4, 6]
    assert (result["interface"], result["hook"]) == ("lo", "input")
    assert result["sport"][0] == result["sport"][1]
    assert (result["copied"], result["claimed"]) == (128, 1028)
    assert result["gaps"] == 0
    assert result["buffer"] > 0


def test_an_overrun_is_told_at_once_and_counted_exactly():
    result = in_namespace(
        with_prelude("""
        async def main():
            records, gaps = [], []
            with NflogReader(groups=(5,), on_record=records.append, on_gap=gaps.append, receive_bytes=4096):
                for _ in range(2000):
                    send(9)
                await until(lambda: gaps)
                at_once = [gap.cause for gap in gaps]
                send(9)
                await until(lambda: any(gap.lost for gap in gaps))
                await asyncio.sleep(0.05)
            print(json.dumps({
                "at_once": at_once[0],
                "unknown": gaps[0].lost,
                "received": len(records),
                "lost": sum(gap.lost or 0 for gap in gaps),
            }))
        asyncio.run(main())
        """)
    )
    assert (result["at_once"], result["unknown"]) == ("overrun", None)
    assert 0 < result["received"] < 2001
    assert result["received"] + result["lost"] == 2001


def test_a_group_that_another_reads_and_a_missing_privilege_are_told_apart():
    taken = in_namespace(
        with_prelude("""
        first = NflogReader(groups=(5,), on_record=print, on_gap=print)
        codes = []
        for group in (5, 7):
            try:
                NflogReader(groups=(group,), on_record=print, on_gap=print).close()
                codes.append("free")
            except BackendError as error:
                codes.append(error.code)
        first.close()
        NflogReader(groups=(5,), on_record=print, on_gap=print).close()
        print(json.dumps({"codes": codes}))
        """)
    )
    assert taken["codes"] == ["nflog-group-taken", "free"]
    # Its own user namespace, but not its own network: no privilege over this one.
    refused = in_namespace(
        textwrap.dedent("""
        import json
        from gateway.kernel.nflog import NflogReader
        from zones.errors import BackendError
        try:
            NflogReader(groups=(64999,), on_record=print, on_gap=print)
        except BackendError as error:
            print(json.dumps({"code": error.code, "errno": error.params["errno"]}))
        """),
        "-U",
    )
    assert refused == {"code": "netlink-refused", "errno": 1}


def test_connections_are_read_counted_and_flushed():
    result = in_namespace(
        with_prelude("""
        import pathlib
        pathlib.Path("/proc/sys/net/netfilter/nf_conntrack_acct").write_text("1")
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            with socket.create_connection(("127.0.0.1", port)) as client:
                accepted, _ = server.accept()
                client.sendall(b"hello")
                accepted.recv(5)
                entries = [entry for entry in conntrack.dump() if entry.original.dport == port]
                counted = conntrack.count()
                conntrack.flush()
                after = conntrack.count()[0], len(conntrack.dump())
                accepted.close()
        entry = entries[0]
        print(json.dumps({
            "entries": len(entries), "count": counted, "after": after,
            "original": entry.original, "reply": entry.reply, "state": entry.tcp_state,
            "status": [flag.name for flag in entry.status], "packets": entry.packets, "port": port,
        }))
        """)
    )
    assert result["entries"] == 1
    assert result["count"][0] == 1
    assert result["count"][1] > 0
    assert result["after"] == [0, 0]
    version, src, dst, protocol, sport, dport = result["original"]
    assert (version, src, dst, protocol, dport) == (4, 0x7F000001, 0x7F000001, 6, result["port"])
    assert result["reply"] == [4, dst, src, 6, dport, sport]
    assert result["state"] == "established"
    assert {"SEEN_REPLY", "ASSURED", "CONFIRMED"} <= set(result["status"])
    assert min(result["packets"]) >= 1


def test_a_table_larger_than_one_datagram_is_read_whole():
    result = in_namespace(
        with_prelude("""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            for port in range(2000, 5000):
                out.sendto(b"x", ("127.0.0.1", port))
        print(json.dumps({"dumped": len(conntrack.dump()), "count": conntrack.count()[0]}))
        """)
    )
    assert result["dumped"] == result["count"]
    assert result["dumped"] >= 3000
