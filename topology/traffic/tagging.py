"""How a packet of ours is known again: eight bytes at the start of its payload."""

from __future__ import annotations

TAG_MAGIC = b"msgt"
TAG_BYTES = 8


def tag(identifier: int) -> bytes:
    r"""Return the eight bytes that mark a payload; `identifier` has 32 bits.

    >>> tag(258)
    b'msgt\x00\x00\x01\x02'
    """
    return TAG_MAGIC + identifier.to_bytes(4, "big")


def read_tag(payload: bytes) -> int | None:
    """Return the number a payload is marked with, or None.

    >>> read_tag(tag(258) + b"rest")
    258
    """
    if len(payload) < TAG_BYTES or not payload.startswith(TAG_MAGIC):
        return None
    return int.from_bytes(payload[4:TAG_BYTES], "big")
