"""In a kernel of the test's own: a redirected client's destination is known, a direct one has none."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

pytestmark = pytest.mark.kernel

PROGRAM = """
import socket, subprocess, sys
from gateway.mail.destination import endpoint_of, original_destination

subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
rules = '''
table inet t {
  chain c {
    type nat hook output priority -100
    tcp dport 25 redirect to :10025
  }
}
'''
subprocess.run(["nft", "-f", "-"], input=rules, text=True, check=True)
for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
    with socket.socket(family) as listener:
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind((address, 10025))
        listener.listen()
        for port in (25, 10025):
            with socket.create_connection((address, port), timeout=5) as client:
                accepted, _ = listener.accept()
                with accepted:
                    print(address, port, original_destination(accepted, 10025))
"""


def test_the_kernel_says_where_a_redirected_client_wanted_to_go() -> None:
    if not all(shutil.which(tool) for tool in ("unshare", "nft", "ip")):
        pytest.skip("needs unshare, nft and ip")
    done = subprocess.run(
        ["unshare", "--user", "--map-root-user", "--net", sys.executable, "-c", PROGRAM],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.stdout.splitlines() == [
        "127.0.0.1 25 127.0.0.1:25",
        "127.0.0.1 10025 None",
        "::1 25 [::1]:25",
        "::1 10025 None",
    ], done.stderr
