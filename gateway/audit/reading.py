"""Reading the log: the newest events, new ones as they come, and those that match a question."""

from __future__ import annotations

import ipaddress
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from gateway.audit.event import parse_line
from gateway.audit.files import in_order, log_files, open_log, read_lines
from zones.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from ipaddress import IPv4Network, IPv6Network
    from pathlib import Path

    from gateway.audit.event import AuditEvent
    from gateway.audit.files import LogFile


class Place(NamedTuple):
    """A line of the log: where it stands, its bytes, and its event (None if it is none)."""

    file: str
    line: int
    data: bytes
    event: AuditEvent | None


@dataclass(frozen=True, kw_only=True)
class Query:
    """What `search` asks; an empty member asks nothing. A zone or address matches as written or within."""

    kinds: frozenset[str] = frozenset()
    outcome: str | None = None
    reason: str | None = None
    decided_by: str | None = None
    zone: str | None = None
    job: str | None = None
    src: IPv4Network | IPv6Network | None = None
    dst: IPv4Network | IPv6Network | None = None

    def matches(self, event: AuditEvent) -> bool:
        """Return whether the event is asked for."""
        fields = event.fields
        if self.kinds and event.kind not in self.kinds:
            return False
        exact = {
            "outcome": self.outcome,
            "reason": self.reason,
            "decided_by": self.decided_by,
            "job": self.job,
        }
        if any(asked is not None and fields.get(name) != asked for name, asked in exact.items()):
            return False
        if self.zone is not None and self.zone not in {
            fields.get("source_zone"),
            fields.get("destination_zone"),
        }:
            return False
        return _inside(fields.get("src"), self.src) and _inside(fields.get("dst"), self.dst)


def parse_query_network(text: str | None) -> IPv4Network | IPv6Network | None:
    """Return an address or network to search for.

    Raises:
        ConfigurationError: it is neither.
    """
    if text is None:
        return None
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError as error:
        raise ConfigurationError("audit-bad-network", text=text) from error


def _inside(address: str | None, network: IPv4Network | IPv6Network | None) -> bool:
    if network is None:
        return True
    return address is not None and ipaddress.ip_address(address) in network


def events(directory: Path) -> Iterator[Place]:
    """Yield every line of the log in order.

    Raises:
        ConfigurationError: no such directory.
        BackendError: a file cannot be read.
    """
    for file in in_order(log_files(directory)[0]):
        yield from _places(file)


def newest(directory: Path, count: int) -> list[Place]:
    """Return the last `count` lines of the log, in order.

    Raises:
        ConfigurationError: no such directory.
        BackendError: a file cannot be read.
    """
    found: deque[Place] = deque()
    for file in reversed(in_order(log_files(directory)[0])):
        wanted = count - len(found)
        if wanted <= 0:
            break
        with open_log(file.path) as stream:
            lines = ((n, line.data) for n, line in enumerate(read_lines(stream), 1) if line.whole)
            last = deque(lines, maxlen=wanted)
        found.extendleft(Place(file.path.name, line, data, parse_line(data)) for line, data in reversed(last))
    return list(found)


class Follower:
    """Gives the lines that were added since the last look; begins at the present end."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._offsets: dict[str, int] = {}
        for _ in self.look():
            pass

    def look(self) -> Iterator[Place]:
        """Yield the lines added since the last look, of files that did not exist then too.

        Raises:
            BackendError: a file cannot be read.
        """
        for file in log_files(self._directory)[0]:
            with open_log(file.path) as stream:
                stream.seek(self._offsets.get(file.path.name, 0))
                for line in read_lines(stream):
                    if not line.whole:
                        break  # being written: the next look sees it whole
                    self._offsets[file.path.name] = stream.tell()
                    yield Place(file.path.name, 0, line.data, parse_line(line.data))


def _places(file: LogFile) -> Iterator[Place]:
    with open_log(file.path) as stream:
        for number, line in enumerate(read_lines(stream), 1):
            yield Place(file.path.name, number, line.data, parse_line(line.data) if line.whole else None)
