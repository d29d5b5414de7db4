"""The service program: one small real server on the node it is started on, until it is told to stop.

`web` answers every request with the name it was given, so that a client can tell whom it reached.
`smtp-sink` keeps every mail it takes as a file. `udp-echo` sends datagrams back.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_MAX_REQUEST_BYTES = 16 * 1024


async def web(options: argparse.Namespace) -> Callable[[], None]:
    """Serve HTTP/1.1, one answer a connection."""
    body = f"{options.name}\n".encode()
    lines = (
        "HTTP/1.1 200 OK",
        "Content-Type: text/plain",
        f"Content-Length: {len(body)}",
        "Connection: close",
    )
    head = "\r\n".join([*lines, "", ""])

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(10):
                await reader.readuntil(b"\r\n\r\n")
                writer.write(head.encode() + body)
                await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # a client that goes away, or does not speak HTTP, is no concern of a sample server
        finally:
            writer.close()

    server = await asyncio.start_server(answer, options.address, options.port, limit=_MAX_REQUEST_BYTES)
    return server.close


async def smtp_sink(options: argparse.Namespace) -> Callable[[], None]:
    """Take every mail and keep it as `NNNN.eml` with its envelope beside it as `NNNN.json`."""
    from aiosmtpd.smtp import SMTP

    options.directory.mkdir(parents=True, exist_ok=True)
    numbers = itertools.count(1)

    class Keep:
        async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802  aiosmtpd's name
            stem = f"{next(numbers):04d}"
            told = {"peer": session.peer[0], "from": envelope.mail_from, "to": envelope.rcpt_tos}
            (options.directory / f"{stem}.json").write_text(json.dumps(told), encoding="utf-8")
            # The mail appears under its name only when it is whole: whoever waits for it may read it at once.
            partial = options.directory / f".{stem}.part"
            partial.write_bytes(envelope.original_content)
            partial.rename(options.directory / f"{stem}.eml")
            return "250 2.0.0 kept"

    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(Keep(), hostname=options.name, enable_SMTPUTF8=True), options.address, options.port
    )
    return server.close


async def udp_echo(options: argparse.Namespace) -> Callable[[], None]:
    """Send every datagram back to where it came from."""

    class Echo(asyncio.DatagramProtocol):
        transport: asyncio.DatagramTransport

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            # Python's own datagram transport is a subclass of DatagramTransport only from 3.12 on.
            self.transport = cast("asyncio.DatagramTransport", transport)

        def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
            self.transport.sendto(data, addr)

    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(Echo, local_addr=(options.address, options.port))
    return transport.close


SERVICES: dict[str, Callable[[argparse.Namespace], Awaitable[Callable[[], None]]]] = {
    "web": web,
    "smtp-sink": smtp_sink,
    "udp-echo": udp_echo,
}


async def serve(options: argparse.Namespace) -> None:
    """Run one service; say `ready` once it listens."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    close = await SERVICES[options.service](options)
    print("ready", flush=True)  # noqa: T201  the sign the starter waits for
    await stop.wait()
    close()


def main(arguments: list[str] | None = None) -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m topology.services", description=__doc__)
    parser.add_argument("service", choices=sorted(SERVICES))
    parser.add_argument("--name", default="host")
    parser.add_argument("--address", default="0.0.0.0")  # noqa: S104  a lab host serves all its addresses
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--directory", type=Path, default=Path("mail"))
    options = parser.parse_args(arguments)
    try:
        asyncio.run(serve(options))
    except OSError as error:
        sys.stderr.write(f"{options.service} on port {options.port}: {error.strerror}\n")
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
