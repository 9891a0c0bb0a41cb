from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

fsspec = pytest.importorskip("fsspec")

import holdfast  # noqa: E402
from holdfast.node.fsspec import HyperFileSystem  # noqa: E402

BIG = os.urandom(3_000_000)


@pytest.fixture(scope="module")
def link() -> Iterator[str]:
    """A shared drive, served by a loop of its own as another process would."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def share() -> tuple[holdfast.Node, str]:
        node = await holdfast.open(listen="127.0.0.1:0")
        drive = await node.drive(name="data")
        await drive.put("/a.txt", b"one\ntwo\n")
        await drive.put("/tables/big.bin", BIG)
        await drive.put("/tables/deep/b.txt", b"b")
        await drive.symlink("/link.txt", "a.txt")
        await node.share(drive)
        return node, str(node.link(drive))

    node, text = asyncio.run_coroutine_threadsafe(share(), loop).result(30)
    yield text
    asyncio.run_coroutine_threadsafe(node.close(), loop).result(30)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@pytest.fixture
def opened(link: str) -> Iterator[tuple[HyperFileSystem, str]]:
    fs, path = fsspec.url_to_fs(link, skip_instance_cache=True)
    yield fs, path
    fs.close()


def at(link: str, path: str) -> str:
    head, query, rest = link.partition("?")
    return head + path + query + rest


def test_the_protocol_is_registered() -> None:
    assert fsspec.get_filesystem_class("hyper") is HyperFileSystem


def test_open_a_link_to_a_file(link: str) -> None:
    with fsspec.open(at(link, "/a.txt"), "rt") as file:
        assert file.read() == "one\ntwo\n"


def test_listing(opened: tuple[HyperFileSystem, str]) -> None:
    fs, top = opened
    assert fs.ls(top, detail=False) == [f"{top}/a.txt", f"{top}/link.txt", f"{top}/tables"]
    infos = {each["name"].rpartition("/")[2]: each for each in fs.ls(top)}
    assert infos["a.txt"]["size"] == 8 and infos["tables"]["type"] == "directory"
    assert infos["link.txt"]["destination"] == "a.txt"
    assert fs.info(f"{top}/tables/big.bin")["size"] == len(BIG)
    assert fs.isdir(f"{top}/tables") and fs.isfile(f"{top}/a.txt")
    assert not fs.exists(f"{top}/nothing")
    with pytest.raises(FileNotFoundError):
        fs.info(f"{top}/nothing")


def test_find_and_glob(opened: tuple[HyperFileSystem, str]) -> None:
    fs, top = opened
    assert fs.find(f"{top}/tables") == [f"{top}/tables/big.bin", f"{top}/tables/deep/b.txt"]
    assert fs.glob(f"{top}/**/*.txt") == [
        f"{top}/a.txt", f"{top}/link.txt", f"{top}/tables/deep/b.txt",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("start", "end"),
    [(None, None), (0, 10), (1_000_000, 1_000_100), (-50, None), (10, -10), (5, 5)],
)
def test_ranges(opened: tuple[HyperFileSystem, str], start: int | None, end: int | None) -> None:
    fs, top = opened
    assert fs.cat_file(f"{top}/tables/big.bin", start=start, end=end) == BIG[start:end]


def test_buffered_reads_and_seeks(opened: tuple[HyperFileSystem, str]) -> None:
    fs, top = opened
    with fs.open(f"{top}/tables/big.bin") as file:
        file.seek(2_500_000)
        assert file.read(1000) == BIG[2_500_000:2_501_000]
        file.seek(10)
        assert file.read(10) == BIG[10:20]
    assert fs.cat(f"{top}/link.txt") == b"one\ntwo\n"


def test_getting_files_to_disk(opened: tuple[HyperFileSystem, str], tmp_path: Path) -> None:
    fs, top = opened
    fs.get(f"{top}/tables", str(tmp_path / "out"), recursive=True)
    assert (tmp_path / "out" / "big.bin").read_bytes() == BIG
    assert (tmp_path / "out" / "deep" / "b.txt").read_bytes() == b"b"


def test_writing_is_refused(opened: tuple[HyperFileSystem, str]) -> None:
    fs, top = opened
    with pytest.raises(NotImplementedError):
        fs.open(f"{top}/new.txt", "wb")
    with pytest.raises(IsADirectoryError):
        fs.cat_file(f"{top}/tables")


def test_versions_stay_apart(opened: tuple[HyperFileSystem, str]) -> None:
    fs, top = opened
    assert fs.ls(f"{top}+2", detail=False) == [f"{top}+2/a.txt"]
