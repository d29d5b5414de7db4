"""Whatever a replay can report has its words; the general scan does not see codes that are put together."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import gateway.messages
import gateway.replay.pcapng
from gateway.filter.frames import MALFORMED, UNREAD, Unparsed
from gateway.replay.records import MARKS
from zones.messages import catalogue

READERS = Path(gateway.replay.pcapng.__file__).parent
TROUBLES = {
    code
    for name in ("pcap.py", "pcapng.py", "stream.py")
    for line in (READERS / name).read_text().splitlines()
    if "CaptureCut(" in line or "Trouble(" in line
    for code in re.findall(r'"([a-z]+(?:-[a-z]+)+)"', line)
}


@pytest.mark.parametrize("code", sorted(TROUBLES))
def test_every_trouble_of_a_capture_has_words(code: str) -> None:
    assert code in catalogue()


def test_the_readers_report_the_troubles_we_know() -> None:
    assert {"capture-cut", "capture-unreadable", "record-length", "block-trailer"} <= TROUBLES


@pytest.mark.parametrize("name", sorted(MARKS.values()))
def test_every_mark_has_words(name: str) -> None:
    assert f"replay-mark-{name}" in catalogue()


def test_a_reason_is_the_captures_the_packets_or_nobodys_fault() -> None:
    assert not MALFORMED & UNREAD
    assert set(Unparsed) > MALFORMED | UNREAD
