"""One core shared by three peers of mixed kind: blocks travel through whoever has them."""

from __future__ import annotations

import os

import pytest

from tests.interop.conftest import MakeSide
from tests.interop.content import digest, pattern
from tests.interop.sides import CoreHandle, Side

MIXES = os.environ.get(
    "HOLDFAST_INTEROP_TRIOS", "py-js-py,js-py-js,js-py-py,py-js-js,py-py-js,js-js-py"
).split(",")
Trio = tuple[Side, Side, Side]


@pytest.fixture(params=MIXES)
async def trio(request: pytest.FixtureRequest, make_side: MakeSide) -> Trio:
    """A writer, a relay and a reader, not yet connected."""
    writer, relay, reader = request.param.split("-")
    return await make_side(writer), await make_side(relay), await make_side(reader)


async def open_everywhere(trio: Trio, count: int) -> tuple[CoreHandle, CoreHandle, CoreHandle]:
    writer, relay, reader = trio
    core = await writer.core(name="shared")
    await core.append_pattern("shared", count, 300, batch=100)
    return core, await relay.core(key=core.key), await reader.core(key=core.key)


async def test_reader_takes_from_each_what_it_has(trio: Trio) -> None:
    writer, relay, reader = trio
    _, relayed, remote = await open_everywhere(trio, 200)
    await relay.dial(await writer.listen())
    even = list(range(0, 200, 2))
    await relayed.digest(even)
    await relay.hangup()

    await reader.dial(await relay.listen())
    assert await remote.digest(even) == digest(pattern("shared", i, 300) for i in even)
    assert not await remote.has(1, 2)
    await reader.dial(await writer.listen())
    everything = list(range(200))
    assert await remote.digest(everything) == digest(pattern("shared", i, 300) for i in everything)


async def test_what_is_appended_travels_down_a_chain(trio: Trio) -> None:
    writer, relay, reader = trio
    core, relayed, remote = await open_everywhere(trio, 10)
    await relay.dial(await writer.listen())
    await reader.dial(await relay.listen())
    await remote.reach(10)
    for step in range(3):
        length = await core.append_pattern("shared", 10, 300)
        await relayed.reach(length)
        await relayed.download(0, length)
        await remote.reach(length)
        assert await remote.get(length - 1) == pattern("shared", length - 1, 300), step


async def test_two_readers_download_from_the_writer_and_each_other(trio: Trio) -> None:
    writer, relay, reader = trio
    count = 1000
    _, relayed, remote = await open_everywhere(trio, count)
    port = await writer.listen()
    await relay.dial(port)
    await reader.dial(port)
    await reader.dial(await relay.listen())
    everything = list(range(count))
    expected = digest(pattern("shared", i, 300) for i in everything)
    await relayed.download(0, count)
    await remote.download(0, count)
    assert await relayed.digest(everything) == expected
    assert await remote.digest(everything) == expected
