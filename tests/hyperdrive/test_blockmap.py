"""Files that JavaScript stored with a block map."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.encoding import encode_uint
from holdfast.errors import BlockNotAvailable, DecodeError
from holdfast.hyperdrive import BlobId, Blobs
from holdfast.hyperdrive.blockmap import Piece, cut, decode_map
from holdfast.hyperdrive.entry import ValueEncoding
from tests.support.memory_core import MemoryCore

VECTOR = json.loads(Path(__file__).with_name("blockmap.json").read_text())


async def written() -> tuple[Blobs, BlobId, bytes]:
    core = MemoryCore()
    await core.append([bytes.fromhex(block) for block in VECTOR["blocks"]])
    value = ValueEncoding().decode(json.dumps({"blob": VECTOR["id"]}).encode())
    assert value.blob is not None and value.blob.block_map
    return Blobs(core), value.blob, bytes.fromhex(VECTOR["content"])


async def test_a_file_of_javascript() -> None:
    blobs, blob, content = await written()
    assert await blobs.size(blob) == len(content)
    assert await blobs.get(blob) == content
    draw = random.Random(1)
    for _ in range(50):
        start, stop = sorted(draw.randrange(len(content) + 10) for _ in range(2))
        assert await blobs.get(blob, start, stop) == content[start:stop]
    assert await blobs.has(blob)
    await blobs.clear(blob)
    assert not await blobs.has(blob) and await blobs.clear(blob) == 0
    with pytest.raises(BlockNotAvailable):
        await blobs.get(blob, wait=False)


@pytest.mark.parametrize(
    "block", [b"", b"\x01\x00", b"\x00\x05\x01", b"\x00\xff" + b"\xff" * 8, b"\x00\x01\x05"]
)
def test_what_is_no_map(block: bytes) -> None:
    with pytest.raises(DecodeError):
        decode_map([block])


def test_a_map_that_is_too_long() -> None:
    block = b"\0" + encode_uint(300_000) + b"\0\0" * 300_000
    with pytest.raises(DecodeError):
        decode_map([block, block])


@given(st.lists(st.integers(0, 9), max_size=8), st.integers(0, 60), st.integers(0, 60))
def test_ranges_of_pieces(sizes: list[int], start: int, length: int) -> None:
    contents = [bytes([i]) * size for i, size in enumerate(sizes)]
    whole = b"".join(contents)
    stop = min(start + length, len(whole))
    if start >= stop:
        return
    blocks, skip = cut([Piece(i, size) for i, size in enumerate(sizes)], start, stop)
    found = b"".join(contents[i] for i in blocks)
    assert found[skip : skip + stop - start] == whole[start:stop]
