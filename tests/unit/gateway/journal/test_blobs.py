"""The folder on the disk: crashes, damage, full disks, two owners."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.journal.blobs import FolderBlobStore
from zones.errors import BackendError


async def test_a_leftover_of_a_crash_goes_at_the_next_start(tmp_path: Path) -> None:
    (tmp_path / "incoming").mkdir()
    (tmp_path / "incoming" / "half").write_bytes(b"half a mail")
    store = FolderBlobStore(tmp_path)
    assert list((tmp_path / "incoming").iterdir()) == []
    await store.close()


async def test_damage_is_seen_when_reading(tmp_path: Path) -> None:
    store = FolderBlobStore(tmp_path)
    writer = store.writer()
    await writer.write(b"content")
    blob = await writer.commit()
    (path,) = (tmp_path / "content").glob("*/*")
    path.write_bytes(b"c0ntent")
    with pytest.raises(BackendError) as damaged:
        await store.open(blob.sha256)
    assert damaged.value.code == "blob-damaged"
    await store.close()


async def test_a_second_owner_is_refused_until_the_first_lets_go(tmp_path: Path) -> None:
    store = FolderBlobStore(tmp_path)
    with pytest.raises(BackendError) as refused:
        FolderBlobStore(tmp_path)
    assert refused.value.code == "spool-in-use"
    await store.close()
    await FolderBlobStore(tmp_path).close()


async def test_content_is_durable_before_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = FolderBlobStore(tmp_path)
    steps: list[str] = []
    fsync, rename = os.fsync, os.rename

    def seen_fsync(descriptor: int) -> None:
        steps.append(f"fsync {Path(f'/proc/self/fd/{descriptor}').readlink()}")
        fsync(descriptor)

    def seen_rename(before: Path, after: Path) -> None:
        steps.append(f"rename {after}")
        rename(before, after)

    monkeypatch.setattr(os, "fsync", seen_fsync)
    monkeypatch.setattr(os, "rename", seen_rename)
    writer = store.writer()
    await writer.write(b"content")
    blob = await writer.commit()
    shelf = tmp_path / "content" / blob.sha256[:2]
    assert [step.split()[0] for step in steps] == ["fsync", "fsync", "rename", "fsync"]
    assert "/incoming/" in steps[0]
    assert steps[1] == f"fsync {tmp_path / 'content'}"  # the new shelf's own name
    assert steps[2] == f"rename {shelf / blob.sha256}"
    assert steps[3] == f"fsync {shelf}"
    await store.close()


@pytest.mark.parametrize(
    ("number", "code"),
    [(errno.ENOSPC, "spool-full"), (errno.EDQUOT, "spool-full"), (errno.EIO, "spool-unavailable")],
)
async def test_a_disk_that_fails_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, code: str
) -> None:
    store = FolderBlobStore(tmp_path)

    def fail(descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fail)
    writer = store.writer()
    await writer.write(b"content")
    with pytest.raises(BackendError) as failed:
        await writer.commit()
    assert failed.value.code == code
    assert list((tmp_path / "incoming").iterdir()) == []
    await store.close()


def test_a_really_full_file_system_is_said_to_be_full(tmp_path: Path) -> None:
    """RLIMIT_FSIZE in a process of its own: the kernel refuses the write itself."""
    program = """
import asyncio, resource, sys
from pathlib import Path
from gateway.journal.blobs import FolderBlobStore
from zones.errors import BackendError

async def main():
    store = FolderBlobStore(Path(sys.argv[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
    writer = store.writer()
    try:
        await writer.write(b"x" * 300_000)
    except BackendError as error:
        print(error.code)
        await writer.abort()

asyncio.run(main())
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout == "spool-full\n"
    assert list((tmp_path / "incoming").iterdir()) == []
