"""What is written can be verified; what was changed afterwards is found."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from gateway.audit.chain import Head
from gateway.audit.event import make_draft, parse_line
from gateway.audit.files import in_order, log_files
from gateway.audit.log import open_for_append
from gateway.audit.verify import verify
from zones.errors import BackendError, ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path


def write_boot(directory: Path, events: int = 5, *, stop: bool = True, clock=None) -> Path:
    log = open_for_append(directory, gateway="gw", **({"clock": clock} if clock else {}))
    for number in range(events):
        log.append(make_draft("gap", {"where": "test", "lost": number}, actor="test"))
    if stop:
        log.close()
    else:
        os.close(log._descriptor)
        os.close(log._lock)
    return log.path


def codes(directory: Path, severity: str | None = "error", **options) -> list[str]:
    report = verify(directory, **options)
    return [f.code for f in report.findings if severity in {None, f.severity}]


def lines_of(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines(keepends=True)


def test_several_boots_make_one_sound_chain(tmp_path):
    for _ in range(3):
        write_boot(tmp_path)
    report = verify(tmp_path)
    assert report.sound
    assert report.findings == ()
    assert (report.files, report.events) == (3, 21)
    assert [head.seq for head in report.heads] == [7]
    assert not report.anchored


def test_files_are_for_their_owner_only(tmp_path):
    path = write_boot(tmp_path / "log")
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("number", range(7))
def test_a_line_changed_in_a_sealed_file_is_found(tmp_path, number):
    path = write_boot(tmp_path)
    write_boot(tmp_path)
    lines = lines_of(path)
    changed = lines[number].replace(b'"pid":', b'"pid":1')
    assert parse_line(changed[:-1]) is not None, "still a well-formed event: only the chain can tell"
    path.write_bytes(b"".join([*lines[:number], changed, *lines[number + 1 :]]))
    assert codes(tmp_path) == (["audit-altered-line"] if number < 6 else ["audit-end-altered"])


@pytest.mark.parametrize("number", range(7))
def test_a_line_taken_from_a_sealed_file_is_found(tmp_path, number):
    path = write_boot(tmp_path)
    write_boot(tmp_path)
    lines = lines_of(path)
    path.write_bytes(b"".join(lines[:number] + lines[number + 1 :]))
    found = codes(tmp_path)
    assert ("audit-missing-lines" if number < 6 else "audit-end-cut") in found


@pytest.mark.parametrize("number", range(7))
def test_a_line_that_stands_twice_is_found(tmp_path, number):
    path = write_boot(tmp_path)
    lines = lines_of(path)
    path.write_bytes(b"".join(lines[: number + 1] + lines[number:]))
    assert "audit-duplicated-line" in codes(tmp_path)


@pytest.mark.parametrize("number", range(6))
def test_two_lines_exchanged_are_found(tmp_path, number):
    path = write_boot(tmp_path)
    lines = lines_of(path)
    lines[number], lines[number + 1] = lines[number + 1], lines[number]
    path.write_bytes(b"".join(lines))
    assert "audit-reordered-line" in codes(tmp_path)


def test_a_cut_end_is_seen_only_with_an_anchor(tmp_path):
    path = write_boot(tmp_path)
    head = verify(tmp_path).heads[0]
    path.write_bytes(b"".join(lines_of(path)[:-2]))
    assert codes(tmp_path) == []
    assert codes(tmp_path, None) == ["audit-open-end"]
    assert codes(tmp_path, anchor=head) == ["audit-anchor-cut"]


def test_a_rewrite_is_seen_only_with_an_anchor(tmp_path):
    path = write_boot(tmp_path, clock=lambda: 1_000_000_000.0)
    head = verify(tmp_path).heads[0]
    original = path.read_bytes()
    path.unlink()
    write_boot(tmp_path, clock=lambda: 1_000_000_000.0).rename(path)
    boot = head.boot.encode()
    forged = original.replace(b'"lost":3', b'"lost":4')
    assert boot in forged
    path.write_bytes(original)
    assert codes(tmp_path, anchor=head) == []
    rechain(path, forged)
    assert codes(tmp_path) == []
    assert codes(tmp_path, anchor=head) == ["audit-anchor-rewritten"]


def rechain(path: Path, forged: bytes) -> None:
    """Do what a careful forger would: compute every hash anew."""
    from dataclasses import replace

    from gateway.audit.event import GENESIS, line_hash

    previous, out = GENESIS, []
    for line in forged.splitlines():
        event = parse_line(line)
        assert event is not None
        out.append(replace(event, prev=previous).line())
        previous = line_hash(out[-1])
    path.write_bytes(b"\n".join(out) + b"\n")


def test_a_whole_file_taken_away_is_found(tmp_path):
    first, second, third = (write_boot(tmp_path, clock=lambda n=n: 1e9 + n) for n in range(3))
    head = verify(tmp_path).heads[0]
    middle = second.read_bytes()
    second.unlink()
    assert codes(tmp_path) == ["audit-missing-file", "audit-unsealed"]
    second.write_bytes(middle)
    third.unlink()
    assert codes(tmp_path) == [], "the newest boot: not to be seen without an anchor"
    assert codes(tmp_path, anchor=head) == ["audit-anchor-file-missing"]
    first.unlink()
    assert codes(tmp_path) == ["audit-missing-file"]


def test_a_second_beginning_and_a_fork_are_found(tmp_path):
    first = write_boot(tmp_path, clock=lambda: 1e9)
    second = write_boot(tmp_path, clock=lambda: 2e9)
    kept = second.read_bytes()
    second.unlink()
    write_boot(tmp_path, clock=lambda: 3e9)
    second.write_bytes(kept)
    assert "audit-fork" in codes(tmp_path)
    moved = first.rename(tmp_path / "aside")
    for path in tmp_path.glob("audit-*"):
        path.unlink()
    write_boot(tmp_path)
    moved.rename(first)
    assert "audit-second-beginning" in codes(tmp_path)


def test_a_half_written_line_is_sealed_as_it_is_and_never_repaired(tmp_path):
    path = write_boot(tmp_path, stop=False)
    lines = lines_of(path)
    torn = b"".join(lines[:-1]) + lines[-1][:40]
    path.write_bytes(torn)
    assert codes(tmp_path, None) == ["audit-torn-end", "audit-open-end"]
    following = write_boot(tmp_path)
    assert path.read_bytes() == torn
    start = parse_line(lines_of(following)[0][:-1])
    assert start is not None
    assert start.fields["previous_torn_bytes"] == 40
    assert start.fields["previous_seq"] == 5
    assert codes(tmp_path, None) == ["audit-torn-sealed", "audit-boot-crashed"]
    path.write_bytes(torn[:-1])
    assert codes(tmp_path) == ["audit-torn-altered"]


def test_a_recorder_that_died_while_beginning_does_not_break_the_chain(tmp_path):
    write_boot(tmp_path, clock=lambda: 1e9)
    (tmp_path / "audit-gw-20300101T000000Z-00000000.jsonl").write_bytes(b'{"half')
    write_boot(tmp_path, clock=lambda: 2e9)
    assert codes(tmp_path) == []
    assert codes(tmp_path, "notice") == ["audit-stillborn"]


def test_a_clock_that_was_set_back_does_not_break_the_chain(tmp_path):
    for seconds in (3e9, 2e9, 1e9):
        write_boot(tmp_path, clock=lambda seconds=seconds: seconds)
    report = verify(tmp_path)
    assert report.findings == ()
    assert report.heads[0].boot.startswith("2001")


def test_files_are_read_in_the_order_of_their_seals_not_of_their_names(tmp_path):
    boots = [write_boot(tmp_path, clock=lambda n=n: n).name for n in (2e9, 2e9, 1e9, 3e9)]
    assert [file.path.name for file in in_order(log_files(tmp_path)[0])] == boots
    (tmp_path / boots[0]).unlink()
    (tmp_path / boots[2]).write_bytes(b"broken")
    assert {file.path.name for file in in_order(log_files(tmp_path)[0])} == set(boots[1:])


def test_lines_of_another_gateway_or_nonsense_are_found(tmp_path):
    path = write_boot(tmp_path / "a")
    other = write_boot(tmp_path / "b")
    lines = lines_of(path)
    path.write_bytes(b"".join([*lines[:3], lines_of(other)[3], b"nonsense\n", *lines[3:]]))
    assert codes(tmp_path / "a") == ["audit-foreign-line", "audit-unreadable-line"]


def test_an_endless_line_is_read_within_bounds(tmp_path):
    path = write_boot(tmp_path)
    with path.open("ab") as stream:
        stream.write(b"x" * 3_000_000 + b"\n")
    assert codes(tmp_path) == ["audit-unreadable-line"]


def test_lines_after_the_stop_are_found(tmp_path):
    path = write_boot(tmp_path, events=1)
    stop = parse_line(lines_of(path)[-1][:-1])
    assert stop is not None
    from dataclasses import replace

    from gateway.audit.event import line_hash

    more = replace(stop, seq=stop.seq + 1, prev=line_hash(lines_of(path)[-1][:-1]))
    with path.open("ab") as stream:
        stream.write(more.line() + b"\n")
    assert codes(tmp_path) == ["audit-line-after-stop"]


def test_a_hopeless_file_is_reported_with_a_bound(tmp_path):
    path = write_boot(tmp_path)
    path.write_bytes(b"x\n" * 5_000)
    report = verify(tmp_path)
    assert len(report.findings) < 200
    more = [finding for finding in report.findings if finding.code == "audit-more-findings"]
    assert more[0].params["count"] == 4_900


def test_an_empty_directory_proves_nothing_and_a_missing_one_is_the_operators(tmp_path):
    assert codes(tmp_path) == ["audit-empty"]
    with pytest.raises(ConfigurationError):
        verify(tmp_path / "none")


def test_one_directory_has_one_writer(tmp_path):
    log = open_for_append(tmp_path, gateway="gw")
    with pytest.raises(BackendError) as refused:
        open_for_append(tmp_path, gateway="gw")
    assert refused.value.code == "audit-directory-in-use"
    log.close()
    open_for_append(tmp_path, gateway="gw").close()
    assert len(log_files(tmp_path)[0]) == 2


@pytest.mark.parametrize("gateway", ["", "a/b", "../up", "-x", "é", "x" * 64])
def test_a_gateway_id_that_cannot_be_a_file_name_is_refused(tmp_path, gateway):
    with pytest.raises(ConfigurationError):
        open_for_append(tmp_path, gateway=gateway)


def test_a_directory_that_cannot_be_written_is_the_hosts_fault(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(BackendError) as refused:
        open_for_append(tmp_path / "file", gateway="gw")
    assert refused.value.code == "audit-cannot-open"


def test_a_full_disk_breaks_the_log_for_good(tmp_path):
    log = open_for_append(tmp_path, gateway="gw")
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, log._descriptor)
    os.close(full)
    draft = make_draft("gap", {"where": "x"}, actor="test")
    for attempt in (lambda: log.append(draft), lambda: log.append(draft), log.sync):
        with pytest.raises(BackendError) as refused:
            attempt()
        assert refused.value.code == "audit-log-broken"
    log.close()


@pytest.mark.parametrize("text", ["", "a:b", "a:0:" + "0" * 64, "a:1:00", "a:x:" + "0" * 64, "a:1:zz"])
def test_an_anchor_is_read_strictly(text):
    with pytest.raises(ValueError):
        Head.parse(text)
