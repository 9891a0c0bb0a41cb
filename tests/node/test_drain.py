from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from holdfast import read_bytes, read_text
from holdfast.errors import LocalError


async def pieces(*some: bytes) -> AsyncIterator[bytes]:
    for piece in some:
        yield piece


async def test_streams_become_bytes_and_text() -> None:
    assert await read_bytes(pieces(b"a", b"", b"bc")) == b"abc"
    assert await read_text(pieces("tēnā ".encode()[:2], "tēnā ".encode()[2:], b"koe")) == "tēnā koe"
    assert await read_bytes(pieces()) == b""


async def test_too_much_and_not_text_are_errors() -> None:
    with pytest.raises(LocalError, match="more than 3 bytes"):
        await read_bytes(pieces(b"ab", b"cd"), limit=3)
    with pytest.raises(UnicodeDecodeError):
        await read_text(pieces(b"\xff"))
