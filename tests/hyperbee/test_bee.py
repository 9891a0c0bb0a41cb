"""What a bee promises its callers."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from holdfast.errors import (
    BlockNotAvailable,
    DecodeError,
    DiskFullError,
    LocalError,
    NotWritableError,
)
from holdfast.hyperbee import Bee, Header, is_bee
from tests.support.memory_core import MemoryCore


async def keys(found: Any) -> list[Any]:
    return [entry.key async for entry in found]


async def letters(core: Any, text: str = "abcdefgh") -> Bee:
    bee = Bee(core, key_encoding="utf-8", value_encoding="utf-8")
    async with bee.batch() as batch:
        for letter in text:
            await batch.put(letter, letter.upper())
    return bee


async def test_put_get_delete(core: Any) -> None:
    bee = Bee(core, key_encoding="utf-8", value_encoding="json")
    assert await bee.get("a") is None and bee.version == 1
    assert await bee.put("a", {"n": 1})
    assert await bee.get("a") == (1, "a", {"n": 1})
    assert await bee.put("a", [2])
    assert await bee.get("a") == (2, "a", [2])
    assert await bee.delete("a") and not await bee.delete("a")
    assert await bee.get("a") is None
    assert core.length == bee.version == 4
    assert await bee.get_by_seq(1) == (1, "a", {"n": 1})
    assert await bee.get_by_seq(3) == (3, "a", None)


async def test_header(core: Any) -> None:
    bee = Bee(core, metadata=Header("hyperbee", True, b"\x07" * 32))
    assert not await bee.delete(b"a")
    assert core.length == 1  # JavaScript writes the header before it looks for the key
    assert (await bee.get_header()).content_feed == b"\x07" * 32
    assert await is_bee(core)
    assert bee.key == core.key and bee.writable and bee.core is core


async def test_a_log_that_is_no_bee(core: Any) -> None:
    await core.append([b"\x08\x01", b"\xff\xff"])
    assert not await is_bee(core)
    with pytest.raises(DecodeError):
        await Bee(core).get_header()
    with pytest.raises(DecodeError):
        await Bee(core).get(b"x")


async def test_batch_is_one_step(core: Any) -> None:
    bee = await letters(core)
    before = core.length
    async with bee.batch() as batch:
        await batch.put("x", "1")
        await batch.delete("a")
        assert await bee.get("x") is None and await bee.get("a") is not None
        entry = await batch.get("x")
        assert entry == (before, "x", "1") and await batch.get("a") is None
        assert await batch.get("b") == (2, "b", "B")
    assert core.length == before + 2 and await bee.get("a") is None
    with pytest.raises(ZeroDivisionError):
        async with bee.batch() as batch:
            await batch.put("y", "1")
            raise ZeroDivisionError
    assert core.length == before + 2
    batch = bee.batch()
    assert (await batch.get("x")) is not None
    await batch.put("z", "1")
    await batch.close()
    await batch.flush()
    assert core.length == before + 2
    assert await bee.put("z", "1")  # the lock is free again


async def test_ranges(core: Any) -> None:
    bee = await letters(core)
    assert await keys(bee.iterate()) == list("abcdefgh")
    assert await keys(bee.iterate(gte="b", lt="e")) == list("bcd")
    assert await keys(bee.iterate(gt="b", lte="e")) == list("cde")
    assert await keys(bee.iterate(gt="bb", lt="dd", reverse=True)) == list("dc")
    assert await keys(bee.iterate(reverse=True, limit=3)) == list("hgf")
    assert await keys(bee.iterate(limit=0)) == []
    assert await keys(bee.iterate(gt="z")) == []
    assert await bee.peek() == (1, "a", "A")
    last = await bee.peek(reverse=True, lt="h")
    assert last is not None and last.key == "g"
    assert await bee.peek(gt="h") is None


async def test_ranges_of_a_batch(core: Any) -> None:
    bee = await letters(core)
    async with bee.batch() as batch:
        await batch.put("bb", "new")
        await batch.delete("d")
        assert await keys(batch.iterate()) == ["a", "b", "bb", "c", "e", "f", "g", "h"]
        assert await keys(batch.iterate(gt="b", lt="f", reverse=True, limit=2)) == ["e", "c"]
    assert await keys(bee.iterate(lt="d")) == ["a", "b", "bb", "c"]


async def test_sub(core: Any) -> None:
    bee = await letters(core)
    sub = bee.sub("s", value_encoding="json")
    inner = sub.sub("t")
    await sub.put("b", 1)
    await inner.put("c", 2)
    await sub.put("", 0)
    assert (await bee.get("s\0b")) == (9, "s\0b", "1")
    assert await sub.get("b") == (9, "b", 1)
    assert await keys(sub.iterate()) == ["", "b", "t\0c"]
    assert await keys(sub.iterate(reverse=True)) == ["t\0c", "b", ""]
    assert await keys(sub.iterate(gt="", lt="c")) == ["b"]
    assert await keys(inner.iterate(lte="z")) == ["c"]
    assert [change.key async for change in inner.history()] == ["c"]
    async with sub.batch() as batch:
        await batch.delete("b")
    assert await bee.get("s\0b") is None
    assert await sub.checkout(10).get("b") == (9, "b", 1)


async def test_versions(core: Any) -> None:
    bee = Bee(core, key_encoding="utf-8", value_encoding="utf-8")
    for i, key in enumerate("abcab"):
        await bee.put(key, str(i))
    await bee.delete("c")
    snapshot = bee.snapshot()
    await bee.put("d", "9")
    assert await keys(snapshot.iterate()) == ["a", "b"] and snapshot.version == 7
    past = bee.checkout(4)
    assert [entry.value async for entry in past.iterate()] == ["0", "1", "2"]
    assert await bee.checkout(0).get("a") is None
    assert not past.moving and not past.writable
    with pytest.raises(NotWritableError):
        await past.put("x", "1")
    with pytest.raises(LocalError):
        bee.checkout(-1)
    differences = [(d.left and d.left.value, d.right and d.right.value) async for d in bee.diff(4)]
    assert differences == [("3", "0"), ("4", "1"), (None, "2"), ("9", None)]
    assert [d async for d in bee.diff(snapshot, lt="c")] == []
    assert len([d async for d in bee.diff(past, limit=1)]) == 1


async def test_history(core: Any) -> None:
    bee = Bee(core, key_encoding="utf-8", value_encoding="utf-8")
    for key in "abc":
        await bee.put(key, key)
    await bee.delete("b")
    kinds = [(change.kind, change.seq, change.key) async for change in bee.history()]
    assert kinds == [("put", 1, "a"), ("put", 2, "b"), ("put", 3, "c"), ("del", 4, "b")]

    async def seqs(**options: Any) -> list[int]:
        return [change.seq async for change in bee.history(**options)]

    assert await seqs(reverse=True) == [4, 3, 2, 1]
    assert await seqs(gt=1, lt=4) == [2, 3]
    assert await seqs(gte=2, lte=3) == [2, 3]
    assert await seqs(gte=-2) == [3, 4]
    assert await seqs(reverse=True, limit=2) == [4, 3]
    assert await bee.checkout(3).history(live=True).__anext__() == ("put", 1, "a", "a")
    assert [change.seq async for change in bee.checkout(3).history(live=True)] == [1, 2]


async def test_live_history(core: Any) -> None:
    bee = await letters(core, "a")
    live = bee.history(live=True)
    assert (await anext(live)).key == "a"
    waiting = asyncio.ensure_future(anext(live))
    await asyncio.sleep(0)
    await bee.put("b", "B")
    assert (await waiting).key == "b"
    await live.aclose()


async def test_compare_and_swap(core: Any) -> None:
    bee = await letters(core, "a")
    seen: list[Any] = []

    def newer(now: Any, new: Any) -> bool:
        seen.append((now.value, new.value))
        return bool(new.value is None or now.value < new.value)

    async def never(now: Any, new: Any) -> bool:
        return False

    assert not await bee.put("a", "0", cas=newer)
    assert await bee.put("a", "Z", cas=newer)
    assert await bee.put("new", "0", cas=never)  # only changes of existing keys are asked about
    assert not await bee.delete("a", cas=never)
    assert await bee.delete("a", cas=newer)
    assert seen == [("A", "0"), ("A", "Z"), ("Z", None)]


async def test_many_writers_lose_nothing(core: Any) -> None:
    bee = Bee(core, key_encoding="utf-8", value_encoding="json")
    await bee.put("n", 0)

    async def count() -> None:
        for _ in range(20):
            async with bee.batch() as batch:
                await batch.lock()
                now = await batch.get("n")
                assert now is not None
                await batch.put("n", now.value + 1)

    await asyncio.gather(*(count() for _ in range(16)))
    entry = await bee.get("n")
    assert entry is not None and entry.value == 16 * 20


async def test_puts_from_many_tasks(core: Any) -> None:
    bee = Bee(core, key_encoding="utf-8")
    await asyncio.gather(*(bee.put(f"{i:03}", b"x") for i in range(200)))
    assert await keys(bee.iterate()) == [f"{i:03}" for i in range(200)]
    assert core.length == 201
    assert await keys(Bee(core, key_encoding="utf-8").iterate()) == [f"{i:03}" for i in range(200)]


async def test_a_refused_append_changes_nothing() -> None:
    core = MemoryCore()
    bee = await letters(core)
    core.fail = DiskFullError("full")
    with pytest.raises(DiskFullError):
        await bee.put("x", "1")
    with pytest.raises(DiskFullError):
        async with bee.batch() as batch:
            await batch.put("x", "1")
    core.fail = None
    assert await bee.get("x") is None
    assert await bee.put("x", "2")
    assert await keys(bee.iterate()) == list("abcdefghx")


async def test_somebody_else_appends_during_a_batch(core: Any) -> None:
    bee = await letters(core)
    batch = bee.batch()
    await batch.put("x", "1")
    await core.append(b"stranger", durable=False)
    with pytest.raises(LocalError):
        await batch.flush()


async def test_truncation(core: Any) -> None:
    bee = Bee(core, key_encoding="utf-8", value_encoding="utf-8")
    for key in "abcd":
        await bee.put(key, "1")
    old, older = bee.snapshot(), bee.checkout(3)
    assert await old.get("d") is not None
    await core.truncate(3)
    assert await keys(bee.iterate()) == ["a", "b"]
    assert await keys(older.iterate()) == ["a", "b"] and older.intact
    with pytest.raises(BlockNotAvailable):
        await old.get("a")
    await bee.put("z", "2")
    await bee.put("y", "2")
    assert not old.intact
    assert await keys(bee.iterate()) == ["a", "b", "y", "z"]
    batch = bee.batch()
    await batch.put("w", "1")
    await core.truncate(4)
    with pytest.raises(LocalError):
        await batch.flush()


async def test_watch(core: Any) -> None:
    bee = await letters(core)
    changes = bee.watch(gte="x")
    waiting = asyncio.ensure_future(anext(changes))
    await asyncio.sleep(0)
    await bee.put("a", "2")  # outside
    await bee.put("x", "1")
    now, before = await waiting
    assert await now.get("x") is not None and await before.get("x") is None
    await bee.delete("x")  # while nobody waits
    now, before = await anext(changes)
    assert await now.get("x") is None and await before.get("x") is not None
    await bee.put("y", "1")
    await anext(changes)
    await core.truncate(5)
    now, before = await anext(changes)
    assert now.version == 5 and not before.intact
    await changes.aclose()


async def test_watch_key(core: Any) -> None:
    bee = await letters(core, "a")
    entries = bee.watch_key("b")
    assert await anext(entries) is None
    waiting = asyncio.ensure_future(anext(entries))
    await asyncio.sleep(0)
    await bee.put("a", "2")
    await bee.put("b", "2")
    assert await waiting == (3, "b", "2")
    await bee.delete("b")
    assert await anext(entries) is None
    await entries.aclose()


async def test_encodings(core: Any) -> None:
    with pytest.raises(LocalError):
        Bee(core, key_encoding="latin")

    class Upper:
        def encode(self, value: str) -> bytes:
            return value.upper().encode()

        def decode(self, data: bytes) -> str:
            return data.decode()

    bee = Bee(core, key_encoding=Upper(), value_encoding="json")
    await bee.put("a", {"é": "\ud800\u2028\x7f\x01"})
    assert await keys(bee.iterate()) == ["A"]
    raw = await Bee(core).get(b"A")
    assert raw is not None and raw.value == '{"é":"\\ud800\u2028\x7f\\u0001"}'.encode()
    plain = Bee(core)
    await plain.put(bytearray(b"N"), memoryview(b"NaN"))
    await plain.put("S", "text")
    with pytest.raises(DecodeError):
        await bee.get("n")
    with pytest.raises(DecodeError):
        await bee.get("s")
    await plain.put(b"none", None)
    assert await plain.get(b"none") == (core.length - 1, b"none", None)


async def test_close(core: Any) -> None:
    bee = await letters(core)
    await bee.close()
