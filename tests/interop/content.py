"""Content that both sides make for themselves, so that a test needs to send only a digest."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

CHUNK = 65536


def pattern(seed: str, index: int, size: int) -> bytes:
    """Block `index` of the content called `seed`: the sha256 of "seed/index", repeated."""
    unit = hashlib.sha256(f"{seed}/{index}".encode()).digest()
    return (unit * (size // 32 + 1))[:size]


def file_chunks(seed: str, size: int) -> Iterator[bytes]:
    """A file of `size` bytes in chunks of 64 KiB."""
    for at in range(0, size, CHUNK):
        yield pattern(seed, at // CHUNK, min(CHUNK, size - at))


def file_range(seed: str, size: int, start: int, length: int) -> bytes:
    """`length` bytes from `start` of the file that `file_chunks` makes."""
    end = min(start + length, size)
    first = start // CHUNK
    chunks = [pattern(seed, i, CHUNK) for i in range(first, (end + CHUNK - 1) // CHUNK)]
    return b"".join(chunks)[start - first * CHUNK : end - first * CHUNK]


def digest(parts: Iterable[bytes]) -> str:
    """The sha256 of the parts in order, as hex."""
    whole = hashlib.sha256()
    for part in parts:
        whole.update(part)
    return whole.hexdigest()
