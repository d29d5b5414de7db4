"""What every blob store promises, run over each implementation."""

from __future__ import annotations

import hashlib
import time
from typing import TYPE_CHECKING

import pytest

from gateway.journal.blobs import FolderBlobStore
from gateway.journal.memory import MemoryBlobStore
from gateway.journal.model import Blob, BlobStore
from zones.errors import BackendError, LimitExceeded

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture(params=["memory", "folder"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[BlobStore]:
    made: BlobStore = (
        MemoryBlobStore(clock=time.time) if request.param == "memory" else FolderBlobStore(tmp_path)
    )
    yield made
    await made.close()


async def keep(store: BlobStore, *parts: bytes) -> Blob:
    writer = store.writer()
    for part in parts:
        await writer.write(part)
    return await writer.commit()


async def names(store: BlobStore) -> list[str]:
    return [name async for name in store.digests()]


@pytest.mark.parametrize("parts", [(), (b"",), (b"a", b"b"), (b"x" * 300_000, b"y" * 300_000)])
async def test_content_comes_back_under_its_digest(store: BlobStore, parts: tuple[bytes, ...]) -> None:
    blob = await keep(store, *parts)
    whole = b"".join(parts)
    assert blob == Blob(hashlib.sha256(whole).hexdigest(), len(whole))
    assert await store.read(blob.sha256, max_bytes=1 << 20) == whole
    with await store.open(blob.sha256) as file:
        assert file.read() == whole


async def test_equal_content_is_kept_once(store: BlobStore) -> None:
    assert await keep(store, b"same") == await keep(store, b"sa", b"me")
    assert len(await names(store)) == 1


async def test_nothing_is_there_before_commit_or_after_abort(store: BlobStore) -> None:
    writer = store.writer()
    await writer.write(b"x" * 300_000)
    assert writer.size == 300_000
    assert await names(store) == []
    await writer.abort()
    await writer.abort()
    assert await names(store) == []


async def test_abort_after_commit_takes_nothing_back(store: BlobStore) -> None:
    writer = store.writer()
    await writer.write(b"kept")
    blob = await writer.commit()
    await writer.abort()
    assert await store.read(blob.sha256, max_bytes=10) == b"kept"


async def test_unknown_content_and_too_large_content_are_named(store: BlobStore) -> None:
    with pytest.raises(BackendError) as missing:
        await store.read("00" * 32, max_bytes=10)
    assert missing.value.code == "blob-missing"
    blob = await keep(store, b"x" * 11)
    with pytest.raises(LimitExceeded) as large:
        await store.read(blob.sha256, max_bytes=10)
    assert (large.value.seen, large.value.limit) == (11, 10)


async def test_the_sweep_takes_only_what_is_old_and_unreferred(store: BlobStore) -> None:
    kept, orphan = await keep(store, b"kept"), await keep(store, b"orphan")
    assert await store.sweep({kept.sha256}, before=time.time() - 60) == 0
    assert await store.sweep({kept.sha256}, before=time.time() + 60) == 1
    assert await names(store) == [kept.sha256]
    assert orphan.sha256 != kept.sha256


async def test_there_is_room(store: BlobStore) -> None:
    assert await store.free_bytes() > 1 << 20
