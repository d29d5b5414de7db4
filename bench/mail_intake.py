"""Measure the mail intake: durable mails per second (content and journal on the disk before each 250).

    python bench/mail_intake.py [--folder DIR]

One process serves, this one sends over loopback with plain sockets; nothing is sanitised or delivered in the
meantime. Reported with machine and input; compare runs on one machine only.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "e2e"))

CASES = [(4_096, 1, 400), (4_096, 20, 2_000), (1 << 20, 1, 60), (1 << 20, 20, 200)]


async def send(port: int, content: bytes, count: int) -> None:
    """Send `count` mails over one connection, waiting for each 250."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    await reader.readline()
    writer.write(b"EHLO bench.example\r\n")
    while not (await reader.readline()).startswith(b"250 "):
        pass
    for _ in range(count):
        writer.write(b"MAIL FROM:<a@x.example>\r\nRCPT TO:<b@y.example>\r\nDATA\r\n")
        for _ in range(3):
            await reader.readline()
        # Different every time: equal content would be stored once.
        writer.write(
            b"Message-ID: <" + os.urandom(8).hex().encode() + b"@x.example>\r\n\r\n" + content + b".\r\n"
        )
        await writer.drain()
        answer = await reader.readline()
        if not answer.startswith(b"250"):
            raise SystemExit(f"refused: {answer!r}")
    writer.close()


async def measure(port: int, size: int, connections: int, total: int) -> dict[str, object]:
    """Return one row: mails and megabytes per second."""
    content = (b"z" * 76 + b"\r\n") * (size // 78)
    began = time.perf_counter()
    await asyncio.gather(*(send(port, content, total // connections) for _ in range(connections)))
    seconds = time.perf_counter() - began
    return {
        "bytes": size,
        "connections": connections,
        "mails": total,
        "mails_per_second": round(total / seconds, 1),
        "megabytes_per_second": round(total * size / seconds / 1e6, 1),
    }


def main() -> None:
    """Start a service, run the cases, print one JSON line each."""
    from test_mail_service import Process

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path)
    place = parser.parse_args().folder
    with tempfile.TemporaryDirectory(dir=place) as folder:
        state = Path(folder) / "state"
        options = {"state": str(state), "sink": 9, "sanitize_seconds": 3600}
        service = Process("mail_process.py", state, json.dumps(options))
        print(
            json.dumps(
                {"machine": platform.platform(), "cpus": os.cpu_count(), "python": platform.python_version()}
            )
        )
        for size, connections, total in CASES:
            print(json.dumps(asyncio.run(measure(service.port, size, connections, total))))
        print(json.dumps({"peak_resident_megabytes": round(service.resident_bytes / 1e6, 1)}))
        service.kill()


if __name__ == "__main__":
    main()
