"""Which packets of a replay are meant: `--only 100-200`, `flow=12`, `denied`, `host=10.20.16.11`, ..."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gateway.filter.frames import Frame
from zones.address import host_network, parse_address, parse_network
from zones.errors import ConfigurationError
from zones.verdict import Outcome, Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from gateway.replay.flows import FlowRecord
    from gateway.replay.records import PacketRecord
    from zones.address import Network

    Test = Callable[[PacketRecord, FlowRecord | None], bool]

_NUMBERS = re.compile(r"(?:(?P<file>.+):)?(?P<first>[1-9][0-9]{0,17})(?:-(?P<last>[1-9][0-9]{0,17}))?")


class Selection:
    """What any of the given selectors means; everything where there is none.

    Raises:
        ConfigurationError: one of them says nothing we know.
    """

    def __init__(self, selectors: Iterable[str]) -> None:
        self._tests = tuple(_parse(selector) for selector in selectors)

    def holds(self, record: PacketRecord, flow: FlowRecord | None) -> bool:
        """Return whether a packet is meant."""
        return not self._tests or any(test(record, flow) for test in self._tests)


def _parse(selector: str) -> Test:
    if selector == "denied":
        return _denied
    numbers = _NUMBERS.fullmatch(selector)
    if numbers is not None:
        first = int(numbers["first"])
        return _numbered(numbers["file"], first, int(numbers["last"] or first))
    name, _, value = selector.partition("=")
    make = _NAMED.get(name)
    try:
        if make is not None and value:
            return make(value)
    except ValueError:
        pass
    raise ConfigurationError("replay-only-syntax", selector=selector)


def _denied(record: PacketRecord, _flow: FlowRecord | None) -> bool:
    return record.verdict is not None and record.verdict.outcome is Outcome.DENY


def _numbered(file: str | None, first: int, last: int) -> Test:
    if last < first:
        raise ConfigurationError("replay-only-syntax", selector=f"{first}-{last}")
    return lambda record, _: (
        first <= record.number <= last
        and (file is None or file in {record.file, record.file.rpartition("/")[2]})
    )


def _flow(value: str) -> Test:
    number = int(value)
    return lambda _, flow: flow is not None and flow.number == number


def _host(value: str) -> Test:
    network: Network = parse_network(value) if "/" in value else host_network(*parse_address(value))

    def test(record: PacketRecord, _flow: FlowRecord | None) -> bool:
        frame = record.frame
        return isinstance(frame, Frame) and (
            network.holds(frame.version, frame.src) or network.holds(frame.version, frame.dst)
        )

    return test


def _by(value: str) -> Test:
    return lambda record, _: record.verdict is not None and record.verdict.decided_by == value


def _reason(value: str) -> Test:
    reason = Reason(value)
    return lambda record, _: record.verdict is not None and record.verdict.reason is reason


_NAMED: dict[str, Callable[[str], Test]] = {"flow": _flow, "host": _host, "by": _by, "reason": _reason}
