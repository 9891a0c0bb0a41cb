from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

import holdfast
from holdfast.errors import BlockNotAvailable, NotFoundError, PeerUnreachable
from holdfast.hyperdrive import Progress
from holdfast.node import fetching
from tests.node.nodes import sharing

FILES = {"/a.txt": b"one", "/deep/b.bin": bytes(300_000), "/deep/empty": b""}


async def test_a_drive_arrives_and_what_it_cost_is_told(tmp_path: Path) -> None:
    steps: list[Progress] = []
    async with sharing(FILES) as (_, link), holdfast.open() as node:
        view, path = await node.view(link)
        fetched = await node.fetch(view, path, tmp_path / "d", progress=steps.append)
        assert (fetched.files, fetched.bytes) == (3, 300_003)
        assert 300_003 < fetched.received < 330_000
        assert fetched.mirrored.added == 3 and not fetched.mirrored.refused
        assert steps[-1].bytes == steps[-1].total_bytes == 300_003
        again = await node.fetch(view, "/deep", tmp_path / "d" / "deep")
        assert again.files == 2 and again.mirrored.unchanged == 2 and again.received < 1000
    for name, content in FILES.items():
        assert (tmp_path / "d" / name[1:]).read_bytes() == content


async def test_what_is_not_there_is_said_at_once(tmp_path: Path) -> None:
    async with sharing(FILES) as (_, link), holdfast.open() as node:
        view, _path = await node.view(link)
        with pytest.raises(NotFoundError):
            await node.fetch(view, "/nothing", tmp_path / "d")


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks often, so that patience can be short."""
    monkeypatch.setattr(fetching, "TICK", 0.01)
    monkeypatch.setattr(fetching, "NOTICE", 0.02)
    monkeypatch.setattr(fetching, "BUSY", 1000)


@pytest.mark.usefixtures("hasty")
async def test_when_the_sharer_is_gone_it_waits_says_so_and_gives_up(tmp_path: Path) -> None:
    waits: list[str] = []
    async with holdfast.open() as node:
        async with sharing(FILES) as (_, link):
            view, path = await node.view(link)
        with pytest.raises(PeerUnreachable, match="could not be made again") as caught:
            await node.fetch(
                view, path, tmp_path / "d", patience=0.3, progress=print, waiting=waits.append
            )
        assert "same command" in caught.value.hint
        assert len(waits) == 1 and waits[0].endswith("to come back")


@pytest.mark.usefixtures("hasty")
async def test_when_nobody_has_the_rest_it_gives_up_too(tmp_path: Path) -> None:
    async with sharing(FILES) as (sharer, link), holdfast.open() as node:
        view, path = await node.view(link)
        drive = await sharer.drive(name="things")
        await drive.clear("/deep/b.bin")
        with pytest.raises(BlockNotAvailable, match="Nobody who is connected") as caught:
            await node.fetch(view, path, tmp_path / "d", patience=0.3)
        assert caught.value.hint
        assert not (tmp_path / "d" / "deep" / "b.bin").exists()


async def test_our_own_work_is_a_sign_of_life(monkeypatch: pytest.MonkeyPatch) -> None:
    async with sharing(FILES) as (_, link), holdfast.open() as node:
        drive = await node.drive(link)
        await drive.download()
        watch = fetching._Watch(node.peers, node.held(drive), 0.0, None, None)
        watch.meter.read()
        while watch._computed + fetching.BUSY * fetching.TICK > fetching.time.process_time():
            sum(range(1000))
        watch.look()
        monkeypatch.setattr(fetching, "BUSY", 1000)
        with pytest.raises(BlockNotAvailable):
            watch.look()


async def test_stopping_a_fetch_stops_it(tmp_path: Path) -> None:
    async with sharing({"/big": bytes(3_000_000)}) as (_, link), holdfast.open() as node:
        view, path = await node.view(link)
        task = asyncio.ensure_future(node.fetch(view, path, tmp_path / "d"))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
