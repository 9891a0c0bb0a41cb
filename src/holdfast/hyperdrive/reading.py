"""Content on its way out: ranges of a file, with blocks asked for ahead of the reader."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from holdfast.errors import BlockNotAvailable, DamagedError, DecodeError, SeekError
from holdfast.hyperbee.core import Session
from holdfast.hyperdrive.blockmap import MAX_MAP_BLOCKS, Piece, decode_map
from holdfast.hyperdrive.blockmap import cut as cut_map
from holdfast.hyperdrive.entry import BlobId
from holdfast.hyperdrive.source import BLOCK

AHEAD = 64
"""Blocks asked for ahead of the reader (4 MiB); a reader that stops stops them too."""


class Ahead:
    """Keeps some blocks on their way in front of a reader."""

    def __init__(self, core: Session, blocks: Sequence[int]) -> None:
        self._core = core
        self._blocks = blocks
        self._asked = 0
        self._downloads: list[object] = []

    def reached(self, position: int, size: int) -> None:
        """The reader wants block ``position`` next, and ``size`` more bytes.

        Nearly all blocks are 64 KiB; if these are smaller, more of them are asked for later.
        """
        end = min(len(self._blocks), position + min(AHEAD, size // BLOCK + 2))
        if self._asked >= end or self._asked - position > AHEAD // 2:
            return
        for start, stop in runs(self._blocks[self._asked : end]):
            if not self._core.has(start, stop):
                self._downloads.append(self._core.download(start, stop))
        self._asked = end
        del self._downloads[:-AHEAD]

    def close(self) -> None:
        """Ask for nothing more."""
        for download in self._downloads:
            download.close()  # type: ignore[attr-defined]
        self._downloads.clear()


def local(core: Session, index: int) -> bytes | None:
    """A block that is here and whole; one that is damaged has to be fetched again."""
    try:
        return core.get_local(index)
    except DamagedError:
        return None


def runs(blocks: Sequence[int]) -> list[tuple[int, int]]:
    """Consecutive blocks as ranges ``(start, end)``, in the order given."""
    if isinstance(blocks, range):
        return [(blocks.start, blocks.stop)] if blocks else []
    found: list[tuple[int, int]] = []
    for block in blocks:
        if found and found[-1][1] == block:
            found[-1] = (found[-1][0], block + 1)
        else:
            found.append((block, block + 1))
    return found


async def read_map(
    core: Session, blob: BlobId, *, wait: bool, timeout: float | None
) -> list[Piece]:
    """The block map of a file; fetches its blocks."""
    if blob.block_length > MAX_MAP_BLOCKS:
        raise DecodeError("The block map of a file is too long.")
    core.download(blob.block_offset, blob.block_end)
    indexes = range(blob.block_offset, blob.block_end)
    return decode_map([await core.get(i, wait=wait, timeout=timeout) for i in indexes])


async def chunks(
    core: Session,
    blob: BlobId,
    start: int = 0,
    stop: int | None = None,
    *,
    wait: bool = True,
    timeout: float | None = None,
) -> AsyncIterator[bytes]:
    """Bytes ``start`` to ``stop`` of a file, block by block; fetches what is not here.

    Raises `BlockNotAvailable` when a block is not here and ``wait`` is false or ``timeout``
    (seconds, for each) runs out, `DecodeError` when the writer lied about the length.
    """
    blocks, skip, size = await _locate(core, blob, start, stop, wait, timeout)
    ahead = Ahead(core, blocks) if wait else None
    try:
        for position, index in enumerate(blocks):
            if size <= 0:
                return
            if ahead is not None:
                ahead.reached(position, size + skip)
            block = local(core, index)
            if block is None:
                block = await core.get(index, wait=wait, timeout=timeout)
            if skip or len(block) - skip > size:
                block = block[skip : skip + size]
                skip = 0
            if block:
                size -= len(block)
                yield block
        if size > 0:
            raise DecodeError("The content of a file is shorter than its entry says.")
    finally:
        if ahead is not None:
            ahead.close()


async def _locate(
    core: Session, blob: BlobId, start: int, stop: int | None, wait: bool, timeout: float | None
) -> tuple[Sequence[int], int, int]:
    """Blocks with a range, bytes of the first one before it, and its length."""
    if blob.block_map:
        pieces = await read_map(core, blob, wait=wait, timeout=timeout) if blob.block_length else []
        total = sum(size for _, size in pieces)
    else:
        total = blob.byte_length
    end = total if stop is None else min(stop, total)
    start = min(max(0, start), end)
    if start >= end:
        return [], 0, 0
    if blob.block_map:
        blocks, skip = cut_map(pieces, start, end)
        return blocks, skip, end - start
    if start == 0 or blob.block_length == 1:
        first, skip = blob.block_offset, start
    else:
        first, skip = await _seek(core, blob, start, wait, timeout)
    return range(first, blob.block_end), skip, end - start


async def _seek(
    core: Session, blob: BlobId, start: int, wait: bool, timeout: float | None
) -> tuple[int, int]:
    """The block with byte ``start`` of a file.

    Nearly all files have blocks of 64 KiB; the block that this leads to is asked for while the
    tree is asked where that byte really is, which saves a round trip when it is right.
    """
    guess = blob.block_offset + start // BLOCK
    hint = None
    if wait and guess < blob.block_end and not core.has(guess):
        hint = core.download(guess, guess + 1)
    try:
        await _reach(core, blob.block_end, wait, timeout)
        index, skip = await core.seek(blob.byte_offset + start, timeout=timeout)
    except SeekError:
        raise DecodeError(_LIE) from None
    except BaseException:
        if hint is not None:
            hint.close()
        raise
    if not blob.block_offset <= index < blob.block_end:
        raise DecodeError(_LIE)
    return index, skip


async def _reach(core: Session, length: int, wait: bool, timeout: float | None) -> None:
    """Wait until a log of somebody else is known to be so long."""
    while core.length < length and not core.writable:
        if not wait:
            raise BlockNotAvailable("The content of this file is not on this machine.")
        await core.update(wait=True, timeout=timeout)


_LIE = "An entry of the drive does not say where its content is."
