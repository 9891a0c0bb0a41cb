"""Reading something that comes in pieces as a whole."""

from __future__ import annotations

from collections.abc import AsyncIterable

from holdfast.errors import LocalError

MAX_WHOLE = 1 << 30
"""Bytes that may be gathered in memory unless the caller says otherwise: more is a mistake."""


async def read_bytes(pieces: AsyncIterable[bytes], *, limit: int = MAX_WHOLE) -> bytes:
    """All pieces end to end. Raises `LocalError` once they are more than ``limit`` bytes."""
    gathered = bytearray()
    async for piece in pieces:
        gathered += piece
        if len(gathered) > limit:
            raise LocalError(f"This is more than {limit} bytes.", "Read it in pieces instead.")
    return bytes(gathered)


async def read_text(
    pieces: AsyncIterable[bytes], *, encoding: str = "utf-8", limit: int = MAX_WHOLE
) -> str:
    """All pieces end to end as text. Raises UnicodeDecodeError, and as `read_bytes`."""
    return (await read_bytes(pieces, limit=limit)).decode(encoding)
