"""Logs between Holdfast and JavaScript: live append, sparse reads, seek, encryption."""

from __future__ import annotations

import asyncio
import random

import pytest

from tests.interop.conftest import Pair
from tests.interop.content import digest, pattern
from tests.interop.sizes import size

SECRET = bytes(range(32))


async def test_live_append_reaches_a_waiting_reader(pair: Pair) -> None:
    core = await pair.source.core(name="live")
    remote = await pair.reader.core(key=core.key)
    await pair.connect()
    future_block = asyncio.create_task(remote.get(6))
    for step in range(5):
        length = await core.append_pattern("live", step + 1, 100, batch=step + 1)
        assert (await remote.reach(length)).length == length
        assert await remote.get(length - 1) == pattern("live", length - 1, 100)
    assert await future_block == pattern("live", 6, 100)


async def test_append_before_and_after_the_connection(pair: Pair) -> None:
    core = await pair.source.core(name="later")
    await core.append([b"before", b""])
    await pair.connect()
    remote = await pair.reader.core(key=core.key)
    assert await remote.get(0) == b"before"
    assert await remote.get(1) == b""
    await core.append([b"after"])
    assert await remote.get(2) == b"after"


async def test_sparse_read_in_random_order(pair: Pair) -> None:
    count = size(4_000, 20_000)
    core = await pair.source.core(name="sparse")
    await core.append_pattern("sparse", count, 100, batch=1000)
    remote = await pair.reader.core(key=core.key)
    await pair.connect()
    order = list(range(count))
    random.Random(7).shuffle(order)
    half = order[: count // 2]
    assert await remote.digest(half) == digest(pattern("sparse", i, 100) for i in half)
    unread = order[count // 2]
    assert not await remote.has(unread, unread + 1)
    assert await remote.digest(order) == digest(pattern("sparse", i, 100) for i in order)
    assert (await remote.info()).contiguous == count


async def test_download_of_everything(pair: Pair) -> None:
    count = size(300, 1_024)
    core = await pair.source.core(name="all")
    await core.append_pattern("all", count, 65536, batch=16)
    remote = await pair.reader.core(key=core.key)
    await pair.connect()
    await remote.download(0, count)
    await pair.source.hangup()
    assert (await remote.info()).contiguous == count
    everything = list(range(count))
    assert await remote.digest(everything) == digest(pattern("all", i, 65536) for i in everything)


@pytest.mark.parametrize("secret", [None, SECRET], ids=["plain", "encrypted"])
async def test_seek_by_byte_offset(pair: Pair, secret: bytes | None) -> None:
    lengths = [random.Random(3).randrange(1, 3000) for _ in range(500)]
    core = await pair.source.core(name="seek", encryption_key=secret)
    await core.append([pattern("seek", i, n) for i, n in enumerate(lengths)])
    starts = [0]
    for n in lengths:
        starts.append(starts[-1] + n)
    remote = await pair.reader.core(key=core.key, encryption_key=secret)
    await pair.connect()
    assert (await remote.reach(500)).byte_length == starts[-1]
    for index in random.Random(4).sample(range(500), 40):
        inside = lengths[index] // 2
        assert await remote.seek(starts[index] + inside) == (index, inside)
        assert await remote.seek(starts[index]) == (index, 0)


async def test_encrypted_core(pair: Pair) -> None:
    core = await pair.source.core(name="secret", encryption_key=SECRET)
    await core.append_pattern("secret", 300, 1000, batch=50)
    remote = await pair.reader.core(key=core.key, encryption_key=SECRET)
    await pair.connect()
    order = random.Random(5).sample(range(300), 300)
    assert await remote.digest(order) == digest(pattern("secret", i, 1000) for i in order)


async def test_without_the_secret_only_ciphertext_is_seen(pair: Pair) -> None:
    core = await pair.source.core(name="blind", encryption_key=SECRET)
    await core.append([b"for friends only"])
    remote = await pair.reader.core(key=core.key)
    await pair.connect()
    block = await remote.get(0)
    assert block is not None
    assert len(block) == len(b"for friends only") + 8
    assert b"friends" not in block
