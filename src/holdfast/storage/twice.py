"""Small files whose loss would be great are kept twice in one file, each copy with its own check.

A copy: magic 8 bytes, length of the content u32le, content, first 8 bytes of BLAKE2b-256 over all
of that. The second copy follows at once; either is enough.
"""

from __future__ import annotations

import struct
from pathlib import Path

from holdfast.crypto import blake2b
from holdfast.storage.disk import replace_file

_HEADER = struct.Struct("<8sI")
_CHECK_BYTES = 8
MAX_CONTENT = 1 << 24


def pack_twice(magic: bytes, content: bytes) -> bytes:
    """Two copies of ``content`` under an 8-byte ``magic``."""
    copy = _HEADER.pack(magic, len(content)) + content
    copy += blake2b(copy)[:_CHECK_BYTES]
    return copy + copy


def unpack_twice(magic: bytes, data: bytes) -> bytes | None:
    """The content of the first intact copy, or None when neither is."""
    found = _copy_at(magic, data, 0)
    if found is None and len(data) % 2 == 0:
        found = _copy_at(magic, data, len(data) // 2)
    return found


def _copy_at(magic: bytes, data: bytes, start: int) -> bytes | None:
    if start + _HEADER.size > len(data):
        return None
    found, size = _HEADER.unpack_from(data, start)
    end = start + _HEADER.size + size
    if found != magic or size > MAX_CONTENT or end + _CHECK_BYTES > len(data):
        return None
    if blake2b(data[start:end])[:_CHECK_BYTES] != data[end : end + _CHECK_BYTES]:
        return None
    return data[start + _HEADER.size : end]


def write_twice(path: Path, magic: bytes, content: bytes) -> None:
    """Replace a file by two copies of ``content``, durably."""
    replace_file(path, pack_twice(magic, content))


def read_twice(path: Path, magic: bytes) -> bytes | None:
    """The content of such a file; None when no copy is intact. Raises FileNotFoundError."""
    return unpack_twice(magic, path.read_bytes())
