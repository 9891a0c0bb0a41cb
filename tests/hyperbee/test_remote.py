"""Reading a bee that lies on another machine."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from holdfast.errors import BlockNotAvailable
from holdfast.hyperbee import Bee
from holdfast.hyperbee.extension import RANGE_BLOCKS
from holdfast.hyperbee.questions import Cache, Get, Iterator, decode, encode
from tests.support.memory_core import MemoryCore, Network

COUNT = 3000


def name(i: int) -> str:
    return f"{i * 7919 % COUNT:05}"


async def filled(core: Any, **options: Any) -> Bee:
    bee = Bee(core, key_encoding="utf-8", **options)
    for start in range(0, COUNT, 500):
        async with bee.batch(durable=False) as batch:
            for i in range(start, start + 500):
                await batch.put(name(i), b"value of %d" % i)
    await core.sync()
    return bee


async def copy_of(core: Any, source: Any, **options: Any) -> Bee:
    bee = Bee(core, key_encoding="utf-8", **options)
    async with asyncio.timeout(5):
        while core.length < source.length:
            await core.update(wait=True)
    return bee


async def test_everything_reads_the_same_elsewhere(cores: Any) -> None:
    own, far = cores
    bee = await filled(own)
    copy = await copy_of(far, own)
    assert await copy.get(name(5)) == await bee.get(name(5))
    assert await copy.get("nothing") is None
    want = [entry async for entry in bee.iterate(gte="01000", lt="01100")]
    assert [entry async for entry in copy.iterate(gte="01000", lt="01100")] == want
    want = [entry async for entry in bee.iterate(reverse=True, limit=50)]
    assert [entry async for entry in copy.iterate(reverse=True, limit=50)] == want
    assert not far.has(1, COUNT)  # only what was read came over
    assert [c async for c in copy.history(gte=10, lt=300)] == [
        c async for c in bee.history(gte=10, lt=300)
    ]
    await bee.put("00100", b"other")
    await copy_of(far, own)
    differences = [d async for d in copy.diff(COUNT + 1)]
    assert [d.left and d.left.key for d in differences] == ["00100"]
    assert [entry async for entry in copy.iterate()] == [entry async for entry in bee.iterate()]


async def test_a_copy_cannot_be_written(cores: Any) -> None:
    own, far = cores
    await filled(own)
    copy = await copy_of(far, own)
    assert not copy.writable


async def test_without_waiting(cores: Any) -> None:
    own, far = cores
    await filled(own)
    copy = await copy_of(far, own)
    with pytest.raises(BlockNotAvailable):
        await copy.get(name(1), wait=False)
    with pytest.raises(BlockNotAvailable):
        await anext(copy.iterate(wait=False))
    assert await copy.get(name(1)) is not None
    assert await copy.get(name(1), wait=False) is not None


async def test_nobody_answers() -> None:
    class Silent(Network):
        async def carry(self, source: MemoryCore, index: int) -> bytes:
            await asyncio.Event().wait()
            raise AssertionError

    own = MemoryCore()
    await filled(own)
    far = MemoryCore(source=own, network=Silent())
    copy = await copy_of(far, own)
    with pytest.raises(BlockNotAvailable):
        await copy.get(name(1), timeout=0.001)
    with pytest.raises(BlockNotAvailable):
        async for _ in copy.iterate(timeout=0.001):
            pass
    await copy.close()


async def waits(bee: Bee, key: str) -> int:
    """How often the lookup of a key had to wait for the network."""
    far = bee.core
    turns = 0
    task = asyncio.ensure_future(bee.get(key))
    while not task.done():
        turns += 1
        await asyncio.sleep(0)
    assert task.result() is not None
    assert isinstance(far, MemoryCore)
    return turns


async def test_a_whole_lookup_is_asked_in_one_message() -> None:
    own = MemoryCore()
    await filled(own)
    plain = await copy_of(MemoryCore(source=own), own, extension=False)
    helped = await copy_of(MemoryCore(source=own), own)
    alone, together = await waits(plain, name(77)), await waits(helped, name(77))
    assert together <= alone / 2, (alone, together)


async def test_a_range_is_asked_in_few_messages() -> None:
    own = MemoryCore()
    source = await filled(own)
    far = MemoryCore(source=own)
    copy = await copy_of(far, own)
    assert len([entry async for entry in copy.iterate()]) == COUNT
    assert 1 <= len(far._handles[0].sent) <= 2 + 2 * COUNT // RANGE_BLOCKS
    assert source is not None


async def test_questions_of_javascript() -> None:
    """A checkpoint names where a range stands: the answer goes on from there."""
    own = MemoryCore()
    bee = await filled(own)
    asker = MemoryCore(source=own)
    await asker.update()
    answers: list[Cache] = []
    handle = asker.extension("hyperbee", lambda data, _: answers.extend(decode(data)))  # type: ignore[arg-type]

    async def ask(question: Get | Iterator) -> list[int]:
        answers.clear()
        handle.broadcast(encode(question))
        for _ in range(200):
            await asyncio.sleep(0)
        assert all(c.start == min(c.blocks) and c.end == max(c.blocks) + 1 for c in answers)
        return [seq for answer in answers for seq in answer.blocks]

    key = name(123).encode()
    touched = await ask(Get(own.length, key))
    assert touched[0] == own.length - 1 and 124 in touched and len(touched) < 40
    assert await ask(Get(own.length + 1, key)) == []
    assert await ask(Get(0, key)) == []
    all_blocks = await ask(Iterator(own.length))
    assert len(all_blocks) >= RANGE_BLOCKS
    few = await ask(Iterator(own.length, gte=b"01000", lt=b"01010"))
    wanted = {e.seq async for e in bee.iterate(gte="01000", lt="01010")}
    assert wanted <= set(few) and len(few) < 60
    back = await ask(Iterator(own.length, lte=b"01010", limit=5, reverse=True))
    assert {e.seq async for e in bee.iterate(lte="01010", limit=5, reverse=True)} <= set(back)
    root = own.length - 1
    rest = await ask(Iterator(own.length, limit=3, checkpoint=(root, 0, 1)))
    first = bee._forest.root(own.length)
    assert first is not None and first.seqs[0] in rest
    backwards = await ask(Iterator(own.length, limit=1, reverse=True, checkpoint=(root, 0, 1)))
    assert first.seqs[0] in backwards
    assert await ask(Iterator(own.length, checkpoint=(own.length + 5, 0, 1))) == []
    assert await ask(Iterator(own.length, checkpoint=(root, 99, 1))) == []


async def test_answers_make_nobody_fetch_more_than_was_asked_for() -> None:
    own = MemoryCore()
    await filled(own)
    far = MemoryCore(source=own)
    copy = await copy_of(far, own)
    extension = copy._shared.extension
    assert extension is not None
    extension.receive(encode(Cache(1, COUNT, list(range(1, COUNT)))), None)
    extension.receive(b"\xff\xff", None)
    for _ in range(20):
        await asyncio.sleep(0)
    assert far.network.blocks == 0
    await copy.close()


def test_question_bytes() -> None:
    assert encode(Get(5, b"\x12\x01k"[2:])).hex() == "1205080512016b"
    for message in (
        Get(300, b"key"),
        Cache(3, 900, [3, 400, 899]),
        Iterator(9, b"a", None, None, b"b", 0, True, (8, 0, 3)),
        Iterator(9, None, b"a", b"b", None, 7),
    ):
        assert decode(encode(message)) == [message]
