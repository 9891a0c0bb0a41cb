"""Logs that change under a reader: truncation and reorg, clearing, and the older kinds of core."""

from __future__ import annotations

import asyncio

import pytest

from tests.interop.conftest import MakeSide, Pair
from tests.interop.content import digest, pattern

SECRET = bytes(range(32))


def expected(before: int, count: int) -> str:
    """The digest of `before` blocks of the first history and `count` of the second."""
    kept = [pattern("old", i, 200) for i in range(before)]
    return digest(kept + [pattern("new", i, 200) for i in range(before, before + count)])


@pytest.mark.parametrize("keep", [0, 1, 60, 99])
async def test_reader_follows_a_truncation_while_connected(pair: Pair, keep: int) -> None:
    core = await pair.source.core(name="fork")
    await core.append_pattern("old", 100, 200, batch=10)
    remote = await pair.reader.core(key=core.key)
    await pair.connect()
    await remote.download(0, 100)
    await core.truncate(keep)
    await core.append_pattern("new", 37, 200, batch=5)
    await remote.reach(keep + 37, fork=1)
    assert await remote.digest(list(range(keep + 37))) == expected(keep, 37)


async def test_reader_follows_a_truncation_made_while_it_was_away(pair: Pair) -> None:
    core = await pair.source.core(name="fork")
    await core.append_pattern("old", 1000, 200, batch=100)
    remote = await pair.reader.core(key=core.key)
    await pair.connect()
    await remote.download(0, 1000)
    await pair.reader.hangup()
    await core.truncate(700)
    await core.truncate(613)
    await core.append_pattern("new", 500, 200, batch=100)
    await pair.connect()
    await remote.reach(1113, fork=2)
    assert await remote.digest(list(range(1113))) == expected(613, 500)


async def test_sparse_reader_follows_a_truncation(pair: Pair) -> None:
    core = await pair.source.core(name="fork")
    await core.append_pattern("old", 300, 200, batch=100)
    remote = await pair.reader.core(key=core.key)
    await pair.connect()
    some = [1, 55, 120, 250, 299]
    assert await remote.digest(some) == digest(pattern("old", i, 200) for i in some)
    await core.truncate(121)
    await core.append_pattern("new", 300, 200, batch=50)
    await remote.reach(421, fork=1)
    assert await remote.has(55, 56)
    assert not await remote.has(250, 251)
    assert await remote.digest(list(range(421))) == expected(121, 300)


async def test_encrypted_truncation_never_reuses_a_keystream(pair: Pair) -> None:
    core = await pair.source.core(name="fork", encryption_key=SECRET)
    await core.append([b"the first thought", b"the second thought"])
    open_reader = await pair.reader.core(key=core.key, encryption_key=SECRET)
    await pair.connect()
    assert await open_reader.get(1) == b"the second thought"
    await core.truncate(1)
    await core.append([b"the better thought"])
    await open_reader.reach(2, fork=1)
    assert await open_reader.get(1) == b"the better thought"


async def test_cleared_blocks_are_fetched_again(pair: Pair) -> None:
    core = await pair.source.core(name="clear")
    await core.append_pattern("clear", 200, 500, batch=50)
    remote = await pair.reader.core(key=core.key)
    await pair.connect()
    await remote.download(0, 200)
    await remote.clear(50, 150)
    assert not await remote.has(50, 51)
    assert not await remote.has(149, 150)
    assert await remote.has(0, 50)
    assert await remote.has(150, 200)
    assert (await remote.info()).contiguous == 50
    everything = list(range(200))
    assert await remote.digest(everything) == digest(pattern("clear", i, 500) for i in everything)


async def test_a_source_that_cleared_blocks_still_serves_the_rest(pair: Pair) -> None:
    core = await pair.source.core(name="holes")
    await core.append_pattern("holes", 100, 500, batch=50)
    await core.clear(20, 40)
    remote = await pair.reader.core(key=core.key)
    await pair.connect()
    rest = [*range(20), *range(40, 100)]
    missing = asyncio.create_task(remote.get(30))
    assert await remote.digest(rest) == digest(pattern("holes", i, 500) for i in rest)
    assert not missing.done()
    missing.cancel()
    assert not await remote.has(20, 21)


@pytest.mark.parametrize("writer", ["py-compat", "js-compat", "js-v10"])
async def test_older_kinds_of_core_as_source(
    make_side: MakeSide, writer: str, dialler: str
) -> None:
    side, kind = writer.split("-")
    reader = "js" if side == "py" else "py"
    pair = Pair(await make_side(side), await make_side(reader), dialler)
    core = await pair.source.core(name="older", kind=kind)
    await core.append_pattern("old", 60, 200, batch=10)
    remote = await pair.reader.core(key=core.key)
    await pair.connect()
    order = list(reversed(range(60)))
    assert await remote.digest(order) == digest(pattern("old", i, 200) for i in order)
    await core.truncate(40)
    await core.append_pattern("new", 30, 200, batch=7)
    await remote.reach(70, fork=1)
    assert await remote.digest(list(range(70))) == expected(40, 30)


@pytest.mark.parametrize("kind", ["compat", "v10"])
async def test_encrypted_older_kinds_of_core(make_side: MakeSide, kind: str, dialler: str) -> None:
    pair = Pair(await make_side("js"), await make_side("py"), dialler)
    core = await pair.source.core(name="older", kind=kind, encryption_key=SECRET)
    await core.append_pattern("old", 60, 200, batch=10)
    remote = await pair.reader.core(key=core.key, encryption_key=SECRET)
    await pair.connect()
    assert await remote.digest(list(range(60))) == expected(60, 0)
