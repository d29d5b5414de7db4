"""Record frames of named interfaces into a pcapng file: `python -m gateway.replay.recorder`.

    --interface mn0 --interface lg0 --write FILE [--both]

Runs inside the gateway's network namespace and needs CAP_NET_RAW there. One packet socket hears all
interfaces, so the file keeps the order in which the kernel saw the frames; only those coming in are kept
unless `--both`, which a replay needs to follow connections of the gateway itself. Writes `ready` to
stdout when it listens; SIGTERM or SIGINT end it with the file complete and one JSON line: `packets`,
`kernel_drops`, `file`. Exit codes: 0, 1 if the kernel dropped any, 3 if it could not listen.
"""

from __future__ import annotations

import argparse
import json
import selectors
import signal
import socket
import struct
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import gateway.messages  # noqa: F401  (declares the words of our errors)
from gateway.replay.packets import MAX_PACKET_BYTES, Direction
from gateway.replay.pcapng import PcapngWriter
from zones.errors import BackendError, ExitCode, MasugataError

if TYPE_CHECKING:
    from collections.abc import Sequence

# <linux/if_ether.h>, <linux/if_packet.h>, <asm-generic/socket.h>; Python names only some of them.
_ETH_P_ALL = 0x0003
_SOL_PACKET = 263
_PACKET_STATISTICS, _PACKET_AUXDATA, _PACKET_IGNORE_OUTGOING, _PACKET_OUTGOING = 6, 8, 23, 4
_SO_TIMESTAMPNS, _SO_RCVBUFFORCE = 35, 33
_VLAN_VALID, _VLAN_TPID_VALID = 1 << 4, 1 << 6
_ARPHRD_ETHER, _ARPHRD_LOOPBACK = 1, 772
_AUXDATA = struct.Struct("=IIIHHHH")
_TIMESPEC = struct.Struct("@ll")
_QUEUE_BYTES = 64 << 20
_ANCILLARY_BYTES = socket.CMSG_SPACE(_AUXDATA.size) + socket.CMSG_SPACE(_TIMESPEC.size)
_NANO = 1_000_000_000
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Recorded(NamedTuple):
    """What a recording came to; `kernel_drops` frames were lost because we read too slowly."""

    packets: int
    kernel_drops: int


class Recorder:
    """A packet socket and the file it fills. `stop` may be called from a signal handler."""

    def __init__(self, interfaces: Sequence[str], *, both: bool = False) -> None:
        """Listen at once: what comes in after this is recorded.

        Raises:
            BackendError: no such interface, not an Ethernet one, or CAP_NET_RAW is missing.
        """
        self._numbers = {name: number for number, name in enumerate(interfaces)}
        self._both = both
        for name in interfaces:
            _check_ethernet(name)
        try:
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
        except OSError as error:
            raise BackendError("recorder-not-allowed", detail=error.strerror or "") from None
        self._configure()
        self._wake, self._woken = socket.socketpair()
        self._stop_ns: int | None = None

    def stop(self, *_signal: object) -> None:
        """End the recording with the last frame that came before this moment."""
        if self._stop_ns is None:
            self._stop_ns = time.time_ns()
            self._wake.send(b"\0")

    def record(self, file: Path) -> Recorded:
        """Write frames to `file` until `stop`.

        Raises:
            BackendError: the file cannot be written.
        """
        packets = 0
        try:
            with file.open("wb", buffering=1 << 20) as stream:
                writer = PcapngWriter(stream, list(self._numbers), snap=MAX_PACKET_BYTES)
                stream.flush()
                going_on = True
                while going_on:
                    going_on = self._wait()
                    packets += self._take(writer)
        except OSError as error:
            raise BackendError("recorder-not-written", file=str(file), detail=error.strerror or "") from None
        return Recorded(packets, self._drops())

    def close(self) -> None:
        """Give the sockets back."""
        for each in (self._socket, self._wake, self._woken):
            each.close()

    def _configure(self) -> None:
        listening = self._socket
        listening.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        listening.setsockopt(_SOL_PACKET, _PACKET_AUXDATA, 1)
        listening.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, int(not self._both))
        try:
            listening.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _QUEUE_BYTES)
        except PermissionError:
            # In a user namespace only the host's root may pass the system's ceiling.
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _QUEUE_BYTES)
        listening.setblocking(False)

    def _wait(self) -> bool:
        """Wait for frames; False when the recording has been stopped: what is queued then is the rest."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._socket, selectors.EVENT_READ)
            selector.register(self._woken, selectors.EVENT_READ)
            selector.select()
        return self._stop_ns is None

    def _take(self, writer: PcapngWriter) -> int:
        """Write the frames that are waiting, up to the moment of `stop`."""
        packets = 0
        while True:
            try:
                data, ancillary, _, address = self._socket.recvmsg(MAX_PACKET_BYTES, _ANCILLARY_BYTES)
            except BlockingIOError:
                return packets
            except OSError:
                # ENETDOWN: some interface, ours or not, went down; the socket goes on listening.
                continue
            number = self._numbers.get(address[0])
            outgoing = address[2] == _PACKET_OUTGOING
            if number is None or (outgoing and not self._both):
                continue
            time_ns, tag = _told(ancillary)
            if self._stop_ns is not None and time_ns > self._stop_ns:
                return packets
            frame = data[:12] + tag + data[12:]
            direction = Direction.OUTBOUND if outgoing else Direction.INBOUND
            writer.write(number, time_ns, frame, direction=direction)
            packets += 1

    def _drops(self) -> int:
        statistics = self._socket.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8)
        return int(struct.unpack("=II", statistics)[1])


def _told(ancillary: list[tuple[int, int, bytes]]) -> tuple[int, bytes]:
    """Return the kernel's time of arrival and the VLAN tag that it took out of the frame."""
    time_ns, tag = 0, b""
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, _SO_TIMESTAMPNS):
            seconds, nanoseconds = _TIMESPEC.unpack(data[: _TIMESPEC.size])
            time_ns = seconds * _NANO + nanoseconds
        elif (level, kind) == (_SOL_PACKET, _PACKET_AUXDATA):
            status, _, _, _, _, tci, tpid = _AUXDATA.unpack(data[: _AUXDATA.size])
            if status & _VLAN_VALID:
                tag = struct.pack("!HH", tpid if status & _VLAN_TPID_VALID else 0x8100, tci)
    return time_ns or time.time_ns(), tag


def _check_ethernet(name: str) -> None:
    try:
        kind = int((Path("/sys/class/net") / Path(name).name / "type").read_text())
    except (OSError, ValueError):
        # A namespace entered without its own /sys shows the host's; the kernel itself knows better.
        kind = _ARPHRD_ETHER
    try:
        socket.if_nametoindex(name)
    except OSError:
        raise BackendError("recorder-no-interface", interface=name) from None
    if kind not in (_ARPHRD_ETHER, _ARPHRD_LOOPBACK):
        raise BackendError("recorder-not-ethernet", interface=name)


def main(arguments: Sequence[str] | None = None) -> int:
    """Record until told to stop; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="gateway.replay.recorder", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--interface", action="append", required=True, dest="interfaces")
    parser.add_argument("--write", required=True, type=Path, dest="file")
    parser.add_argument("--both", action="store_true")
    options = parser.parse_args(arguments)
    try:
        recorder = Recorder(list(dict.fromkeys(options.interfaces)), both=options.both)
        for number in STOP_SIGNALS:
            signal.signal(number, recorder.stop)
        _write_line("ready")
        recorded = recorder.record(options.file)
        recorder.close()
    except MasugataError as error:
        sys.stderr.write(f"masugata: {error}\n")
        return error.exit_code
    _write_line(json.dumps({**recorded._asdict(), "file": str(options.file)}))
    return ExitCode.FINDING if recorded.kernel_drops else ExitCode.OK


def _write_line(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
