"""What a drive promises its callers."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from holdfast.errors import (
    ClosedError,
    DecodeError,
    LocalError,
    NotFoundError,
    NotWritableError,
    PathError,
    SeekError,
)
from holdfast.hyperdrive import Drive, FileEntry, Stat, Value
from holdfast.store import Store


async def paths(found: Any) -> list[str]:
    return [entry.path async for entry in found]


async def test_files(drive: Drive) -> None:
    await drive.put("/a.txt", b"kia ora")
    await drive.put("deep/./er//b.txt", b"x" * 200_000, executable=True, metadata={"n": [1, None]})
    await drive.put("/empty", b"")
    assert await drive.get("a.txt") == b"kia ora"
    assert await drive.get("/deep/er/b.txt") == b"x" * 200_000
    assert await drive.get("/empty") == b""
    entry = await drive.entry("deep/er/../er/b.txt")
    assert entry is not None
    assert (entry.path, entry.name, entry.seq) == ("/deep/er/b.txt", "b.txt", 2)
    assert (entry.executable, entry.linkname, entry.size) == (True, None, 200_000)
    assert entry.metadata == {"n": [1, None]}
    assert entry.blob == (1, 7, 4, 200_000, False)
    assert await drive.get(entry) == b"x" * 200_000
    assert await drive.entry("/nothing") is None and not await drive.exists("/nothing")
    assert await drive.exists("/empty") and await drive.size("/empty") == 0
    with pytest.raises(NotFoundError):
        await drive.get("/nothing")
    with pytest.raises(NotFoundError):
        await drive.size("/nothing")
    assert drive.version == 4 and drive.writable


async def test_a_file_is_replaced_and_its_versions_stay(drive: Drive) -> None:
    await drive.put("/a", b"one")
    await drive.put("/a", b"two")
    old = drive.checkout(2)
    assert await drive.get("/a") == b"two" and await old.get("/a") == b"one"
    with pytest.raises(AttributeError):
        old.put  # type: ignore[attr-defined]  # noqa: B018
    assert await drive.delete("/a") == 1 and await drive.delete("/a") == 0
    assert not await drive.exists("/a") and await old.get("/a") == b"one"


async def test_folders(drive: Drive) -> None:
    for path in ("/a", "/b/c", "/b/d/e", "/b.txt", "/b0", "/z/y/x/w"):
        await drive.put(path, path.encode())
    assert await paths(drive.list()) == ["/a", "/b.txt", "/b/c", "/b/d/e", "/b0", "/z/y/x/w"]
    assert await paths(drive.list("b")) == ["/b/c", "/b/d/e"]
    assert await paths(drive.list("/b", recursive=False)) == ["/b/c"]
    assert await paths(drive.list("/nothing")) == []
    assert [name async for name in drive.readdir()] == ["a", "b.txt", "b", "b0", "z"]
    assert [name async for name in drive.readdir("/b/")] == ["c", "d"]
    kinds = [(name, entry is not None) async for name, entry in drive.scan("/z")]
    assert kinds == [("y", False)]
    assert (await drive.stat("/b")).kind == "folder"
    assert await drive.stat("/") == Stat("/", "folder", 0, None)
    stat = await drive.stat("/b/c")
    assert (stat.kind, stat.size, stat.path) == ("file", 4, "/b/c")
    with pytest.raises(NotFoundError):
        await drive.stat("/nothing")


async def test_a_name_that_is_a_file_and_a_folder(drive: Drive) -> None:
    await drive.put("/a", b"1")
    await drive.put("/a/b", b"2")
    assert [name async for name in drive.readdir()] == ["a"]
    assert await paths(drive.list("/a")) == ["/a/b"]


async def test_links(drive: Drive) -> None:
    await drive.put("/d/real", b"content")
    await drive.symlink("/d/near", "real")
    await drive.symlink("/far", "d/near", metadata={"m": 1})
    await drive.symlink("/absolute", "/d/real")
    await drive.symlink("/up", "../outside")
    await drive.symlink("/loop", "loop")
    for path in ("/d/near", "/far", "/absolute"):
        assert await drive.get(path) == b"content"
    far = await drive.entry("/far")
    assert far is not None and (far.linkname, far.blob, far.size) == ("d/near", None, 0)
    followed = await drive.entry("/far", follow=True)
    assert followed is not None and followed.path == "/d/real"
    assert (await drive.stat("/far")).kind == "link"
    for path in ("/up", "/loop"):
        with pytest.raises(PathError):
            await drive.get(path)
    with pytest.raises(PathError):
        await drive.symlink("/bad", "a\0b")


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "..",
        "/a/../..",
        "a\0b",
        "/a\nb",
        "/a\\b",
        "/" + "x" * 256,
        "/\x7f",
        "/\x85",
        "/\ud800",
    ],
)
async def test_names_that_no_disk_could_take(drive: Drive, path: str) -> None:
    before = drive.version
    with pytest.raises(PathError):
        await drive.put(path, b"x")
    assert drive.version == before


async def test_a_folder_moves_up_over_names_that_move_too(drive: Drive) -> None:
    await drive.put("/a/b/x", b"deep")
    await drive.put("/a/b/b/x", b"deeper")
    assert await drive.rename("/a/b", "/a") == 2
    assert [entry.path async for entry in drive.list("/")] == ["/a/b/x", "/a/x"]
    assert (await drive.get("/a/x"), await drive.get("/a/b/x")) == (b"deep", b"deeper")


async def test_rename(drive: Drive) -> None:
    await drive.put("/a", b"1", executable=True)
    await drive.put("/d/b", b"2")
    await drive.put("/d/e/c", b"3")
    blob = (await drive.stat("/a")).entry
    assert await drive.rename("/a", "/moved") == 1
    moved = await drive.entry("/moved")
    assert moved is not None and blob is not None and moved.blob == blob.blob and moved.executable
    assert await drive.rename("/d", "/f/g") == 2
    assert await paths(drive.list()) == ["/f/g/b", "/f/g/e/c", "/moved"]
    assert await drive.rename("/moved", "/moved") == 1
    with pytest.raises(NotFoundError):
        await drive.rename("/nothing", "/x")
    with pytest.raises(PathError):
        await drive.rename("/f", "/f/h")
    assert await drive.delete("/f", recursive=True) == 2
    assert await paths(drive.list()) == ["/moved"]


async def test_batch(drive: Drive) -> None:
    await drive.put("/old", b"0")
    before = drive.version
    async with drive.batch() as batch:
        for i in range(300):
            await batch.put(f"/many/{i:03}", bytes([i % 256]) * (i * 10))
        await batch.put("/big", b"b" * 100_000)
        await batch.delete("/old")
        assert drive.version == before
        entry = await batch.entry("/many/007")
        assert entry is not None and entry.size == 70
        assert await batch.entry("/old") is None
        assert await batch.rename("/many/000", "/first") == 1
    assert await drive.get("/many/299") == bytes([299 % 256]) * 2990
    assert len(await paths(drive.list())) == 301 and await drive.exists("/first")
    with pytest.raises(RuntimeError):
        async with drive.batch() as batch:
            await batch.put("/not", b"1")
            raise RuntimeError
    assert not await drive.exists("/not")
    await drive.put("/after", b"1")
    assert await drive.get("/after") == b"1"


async def test_put_entry(drive: Drive) -> None:
    await drive.put("/a", b"1")
    entry = await drive.entry("/a")
    assert entry is not None
    async with drive.batch() as batch:
        await batch.put_entry("/b", entry.value._replace(metadata="same bytes"))
    assert await drive.get("/b") == b"1"


async def test_many_tasks_put_at_once(drive: Drive) -> None:
    contents = {f"/f{i}": bytes([i]) * (i * 3000) for i in range(60)}

    async def pieces(data: bytes) -> Any:
        for at in range(0, len(data), 7000):
            await asyncio.sleep(0)
            yield data[at : at + 7000]

    async with asyncio.TaskGroup() as group:
        for i, (path, data) in enumerate(contents.items()):
            group.create_task(drive.put(path, pieces(data) if i % 2 else data))
    for path, data in contents.items():
        assert await drive.get(path) == data


async def test_two_batches_do_not_wait_for_each_other_for_ever(drive: Drive) -> None:
    await drive.put("/x", b"1")

    async def slow() -> Any:
        for _ in range(5):
            await asyncio.sleep(0)
            yield b"p" * 70_000

    async def first() -> None:
        async with drive.batch() as batch:
            await batch.rename("/x", "/y")
            await asyncio.sleep(0)
            await batch.put("/one", slow())

    async def second() -> None:
        async with drive.batch() as batch:
            await batch.put("/two", slow())
            await batch.delete("/nothing")

    async with asyncio.timeout(5):
        await asyncio.gather(first(), second())
    assert await paths(drive.list()) == ["/one", "/two", "/y"]
    assert await drive.get("/one") == await drive.get("/two") == b"p" * 350_000


async def test_reading_parts(drive: Drive) -> None:
    data = b"".join(i.to_bytes(4, "little") for i in range(100_000))
    await drive.put("/f", data)
    await drive.put("/g", b"other")
    for start, length in (
        (0, 5),
        (65_530, 20),
        (65_536, 65_536),
        (399_990, 100),
        (0, 0),
        (400_000, 1),
    ):
        got = b"".join([c async for c in drive.read_stream("/f", start, length=length)])
        assert got == data[start : start + length]
    assert b"".join([c async for c in drive.read_stream("/f", 131_000)]) == data[131_000:]
    assert b"".join([c async for c in drive.read_stream("/f", 10, end=14)]) == data[10:14]
    async with await drive.open("/f") as file:
        assert await file.read(3) == data[:3] and file.tell() == 3
        assert await file.seek(10, 1) == 13 and await file.read(4) == data[13:17]
        assert await file.seek(-4, 2) == 399_996 and await file.read() == data[-4:]
        assert await file.read(5) == b""
        assert (
            await file.seek(70_000) == 70_000 and await file.read(100_000) == data[70_000:170_000]
        )
        assert await file.seek(500_000) == 500_000 and await file.read(1) == b""
        with pytest.raises(SeekError):
            await file.seek(-1)
    with pytest.raises(ClosedError):
        await file.read()
    with pytest.raises(ClosedError):
        await file.seek(0)
    with pytest.raises(NotFoundError):
        await drive.open("/nothing")
    await drive.symlink("/l", "f")
    await drive.symlink("/dangling", "nothing")
    async with await drive.open("/l") as file:
        assert file.size == len(data) and file.entry.path == "/f"
    with pytest.raises(NotFoundError):
        _ = [c async for c in drive.read_stream("/dangling")]


async def test_history_and_differences(drive: Drive) -> None:
    await drive.put("/kept", b"1")
    await drive.put("/d/changed", b"1")
    await drive.put("/removed", b"1")
    early = drive.version
    await drive.put("/d/changed", b"2")
    await drive.delete("/removed")
    await drive.put("/added", b"1")
    changes = [(c.kind, c.path) async for c in drive.diff(early)]
    assert changes == [("added", "/added"), ("changed", "/d/changed"), ("removed", "/removed")]
    assert [c.path async for c in drive.diff(drive.checkout(early), "/d")] == ["/d/changed"]
    log = [(e.version, e.kind, e.path, e.entry is not None) async for e in drive.log()]
    assert log[-3:] == [
        (5, "put", "/d/changed", True),
        (6, "del", "/removed", False),
        (7, "put", "/added", True),
    ]
    assert [e.path async for e in drive.log("/d", reverse=True, limit=1)] == ["/d/changed"]
    for version, _, path, present in log:
        assert await drive.checkout(version).exists(path) == present


async def test_watch(drive: Drive) -> None:
    changes = drive.watch("/in")
    waiting = asyncio.ensure_future(anext(changes))
    await asyncio.sleep(0)
    await drive.put("/out", b"1")
    await drive.put("/in/a", b"1")
    change = await waiting
    assert (change.kind, change.path) == ("added", "/in/a")
    await drive.put("/in/b", b"1")
    await drive.delete("/in/a")
    assert [(c.kind, c.path) for c in [await anext(changes), await anext(changes)]] == [
        ("removed", "/in/a"),
        ("added", "/in/b"),
    ]
    await drive.core.truncate(3)
    assert (await anext(changes)).path == "/in/a"


async def test_clear(drive: Drive) -> None:
    await drive.put("/d/a", b"a" * 300_000)
    await drive.put("/d/b", b"b" * 300_000)
    await drive.put("/c", b"c")
    assert await drive.has("/d") and await drive.has()
    await drive.clear("/d/a")
    assert not await drive.has("/d/a") and await drive.has("/d/b") and not await drive.has("/d")
    assert await drive.size("/d/a") == 300_000
    assert await drive.get("/d/b") == b"b" * 300_000
    await drive.clear()
    assert not await drive.has("/c")
    with pytest.raises(NotFoundError):
        await drive.clear("/nothing")
    assert not await drive.has("/nothing")


async def test_drives_of_one_store_share_their_locks(store: Store) -> None:
    async with Drive(store, name="films") as one, Drive(store, one.key) as two:
        assert one.key == two.key and one.key != Drive(store).key and two.writable

        async def pieces() -> Any:
            for _ in range(30):
                await asyncio.sleep(0)
                yield b"x" * 65_536

        await asyncio.gather(
            one.put("/a", pieces()), two.put("/b", b"bbb"), two.put("/c", pieces())
        )
        assert await one.get("/b") == b"bbb" and await one.get("/a") == await two.get("/c")
        await two.close()
        await two.close()
        await one.put("/d", b"still open")


async def test_reopened_by_name_and_by_key(tmp_path: Any) -> None:
    async with await Store.open(tmp_path) as store, Drive(store, encryption_key=b"k" * 32) as drive:
        await drive.put("/a", b"1")
        key = drive.key
        assert drive.encryption_key == b"k" * 32
    for again in (None, key):
        async with (
            await Store.open(tmp_path) as store,
            Drive(store, again, encryption_key=b"k" * 32) as drive,
        ):
            assert drive.key == key and await drive.get("/a") == b"1" and drive.writable
            await drive.put("/b", b"2")
            assert len(drive.discovery_key) == 32 and drive.bee.core is drive.core


async def test_compat(tmp_path: Any) -> None:
    for round in range(2):
        async with (
            await Store.open(tmp_path) as store,
            Drive(store, name="old", compat=True) as drive,
        ):
            await drive.put(f"/{round}", b"1")
            header = await drive.bee.get_header()
            assert header.content_feed == (await drive.blobs()).core.key
            assert await drive.get("/0") == b"1"


async def test_what_is_no_drive(store: Store) -> None:
    core = store.core(name="x")
    await core.append(b"\x0a\x03foo")
    with pytest.raises(DecodeError):
        await Drive(store, core.key).ready()


async def test_somebody_else_on_the_contents_log(drive: Drive) -> None:
    blobs = await drive.blobs()

    async def pieces() -> Any:
        yield b"x" * (1 << 20)
        await blobs.core.append(b"stranger", durable=False)  # type: ignore[arg-type]
        yield b"x" * (1 << 20)

    with pytest.raises(LocalError):
        await drive.put("/a", pieces())
    assert not await drive.exists("/a")
    await drive.put("/a", b"fine")
    assert await drive.get("/a") == b"fine"


async def test_entries_of_a_hostile_writer(store: Store) -> None:
    async with Drive(store) as drive:
        raw = drive.bee.sub("files", value_encoding="binary")
        for value in (
            b"[]",
            b"{",
            b'{"blob":7}',
            b'{"blob":{"blockOffset":-1,"byteOffset":0,"blockLength":0,"byteLength":0}}',
            b'{"blob":{"blockOffset":0,"byteOffset":0,"blockLength":1e3,"byteLength":0}}',
            b'{"blob":{"blockOffset":true,"byteOffset":0,"blockLength":1,"byteLength":0}}',
            b'{"linkname":5}',
        ):
            await raw.put("/a", value)
            with pytest.raises(DecodeError):
                await drive.entry("/a")
        await raw.put(
            "/a", b'{"blob":{"blockOffset":0,"byteOffset":0,"blockLength":1,"byteLength":9}}'
        )
        await (await drive.blobs()).core.append(b"short", durable=False)
        with pytest.raises(DecodeError):
            await drive.get("/a")
        await raw.put("/a", b"{}")
        entry = await drive.entry("/a")
        assert isinstance(entry, FileEntry) and entry.value == Value()
        assert await drive.get("/a") == b""


async def test_a_drive_of_somebody_else_is_read_only(pair: tuple[Store, Store]) -> None:
    here, there = pair
    async with Drive(here) as own, Drive(there, own.key) as other:
        with pytest.raises(NotWritableError):
            await other.put("/a", b"1")
