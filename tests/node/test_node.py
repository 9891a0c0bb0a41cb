from __future__ import annotations

import asyncio
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

import holdfast
from holdfast.crypto import discovery_key, key_pair
from holdfast.encoding import key_text, parse_link
from holdfast.errors import (
    BlockNotAvailable,
    ClosedError,
    LinkError,
    LocalError,
    NotFoundError,
    NotWritableError,
    PathError,
    PeerUnreachable,
    StaleWriterError,
)
from tests.net.loopback import until
from tests.node.nodes import LOOPBACK, sharing

FILES = {"/a.txt": b"one", "/deep/b.bin": bytes(200_000)}


async def test_a_link_opens_the_same_drive_elsewhere() -> None:
    async with sharing(FILES) as (_, link), holdfast.open() as other:
        drive = await other.drive(link)
        assert [entry.path async for entry in drive.list()] == list(FILES)
        assert await drive.get("/deep/b.bin") == FILES["/deep/b.bin"]
        assert not drive.writable
        with pytest.raises(NotWritableError):
            await drive.put("/c", b"")


async def test_drives_are_private_unless_made_public() -> None:
    async with holdfast.open() as node:
        private = await node.drive(name="mine")
        public = await node.drive(name="ours", public=True)
        assert parse_link(str(node.link(private))).secret is not None
        assert parse_link(str(node.link(public))).secret is None
        assert (await node.drive(name="ours")).encryption_key is None
        with pytest.raises(LocalError, match="is private"):
            await node.drive(name="mine", public=True)


async def test_names_secrets_and_keys_come_back_with_the_store(tmp_path: Path) -> None:
    async with holdfast.open(tmp_path / "s") as node:
        drive = await node.drive(name="mine")
        await drive.put("/x", b"x")
        link, identity = str(node.link(drive)), node.key_pair
    async with holdfast.open(tmp_path / "s") as node:
        assert node.key_pair == identity
        (record,) = node.records.all()
        assert (record.name, record.public) == ("mine", False)
        by_name, by_link = await node.drive(name="mine"), await node.drive(link)
        assert str(node.link(by_name)) == link
        assert await by_link.get("/x") == b"x" and by_link.writable


async def test_nothing_is_offered_before_share_nor_after_unshare(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with holdfast.open(listen=LOOPBACK) as node, holdfast.open() as other:
        drive = await node.drive(name="things")
        await drive.put("/a", b"a")
        link = node.link(drive)
        assert node.policy.offered == []
        with monkeypatch.context() as patched:
            patched.setattr("holdfast.node.finding.PEER_TIMEOUT", 0.2)
            with pytest.raises(BlockNotAvailable, match="does not offer"):
                await other.drive(link)
        await node.share(drive)
        theirs = await other.drive(link)
        assert await theirs.get("/a") == b"a"
        await node.unshare(drive)
        assert node.policy.offered == []
        await until(lambda: not theirs.core.peers)
        await drive.put("/b", b"b")
        assert not await theirs.update()


async def test_a_drive_may_be_shared_with_some_keys_only() -> None:
    async with (
        sharing({"/a": b"a"}) as (node, link),
        holdfast.open() as friend,
        holdfast.open() as stranger,
    ):
        await node.share(await node.drive(name="things"), to=[friend.key_pair.public_key])
        assert await (await friend.drive(link)).get("/a") == b"a"
        for key in node.policy.offered:
            assert not node.policy.offers(key, stranger.key_pair.public_key)


async def test_what_was_fetched_is_not_offered_on() -> None:
    async with sharing({"/a": b"a"}) as (_, link), holdfast.open(listen=LOOPBACK) as middle:
        drive = await middle.drive(link)
        await drive.get("/a")
        stranger = key_pair().public_key
        assert middle.policy.offered == []
        assert not middle.policy.offers(drive.discovery_key, stranger)


async def test_a_shared_copy_serves_when_the_first_sharer_is_gone() -> None:
    async with holdfast.open(listen=LOOPBACK) as middle, holdfast.open() as last:
        async with sharing(FILES) as (_, link):
            drive = await middle.drive(link)
            await drive.download()
            await middle.share(drive)
        again = await last.drive(middle.link(drive))
        assert await again.get("/deep/b.bin") == FILES["/deep/b.bin"]


async def test_updates_arrive_live() -> None:
    async with sharing({"/a": b"1"}) as (node, link), holdfast.open() as other:
        theirs = await other.drive(link)
        changes = theirs.watch("/")
        mine = await node.drive(name="things")
        await mine.put("/b", b"2")
        change = await asyncio.wait_for(anext(changes), 10)
        assert (change.kind, change.path) == ("added", "/b")
        assert await theirs.get("/b") == b"2"


async def test_a_version_in_the_link_is_looked_at() -> None:
    async with sharing({"/a": b"1"}) as (node, link), holdfast.open() as other:
        drive = await node.drive(name="things")
        old = drive.version
        await drive.put("/a", b"2")
        parsed = parse_link(link)
        view, path = await other.view(replace(parsed, version=old, path="/a"))
        assert await view.get(path) == b"1"
        with pytest.raises(NotFoundError, match="no version 99"):
            await other.view(replace(parsed, version=99))


async def test_wrong_and_missing_secrets_are_told_apart() -> None:
    async with sharing({"/a": b"a"}) as (_, text), holdfast.open() as other:
        link = parse_link(text)
        with pytest.raises(LinkError, match="does not open"):
            await other.drive(replace(link, secret=bytes(32)))
        with pytest.raises(LinkError, match="lacks the secret"):
            await other.drive(replace(link, secret=None))
        assert other.records.all() == []
        drive = await other.drive(link)
        assert await drive.get("/a") == b"a"
    async with sharing({"/a": b"a"}, public=True) as (_, text), holdfast.open() as other:
        with pytest.raises(LinkError):
            await other.drive(replace(parse_link(text), secret=bytes(32)))
        assert await (await other.drive(text)).get("/a") == b"a"


async def test_nobody_to_ask_is_said_at_once() -> None:
    async with holdfast.open() as node:
        key = key_text(key_pair().public_key)
        with pytest.raises(PeerUnreachable, match="Nobody is known") as caught:
            await node.drive(f"hyper://{key}")
        assert "--peer" in caught.value.hint
        with pytest.raises(PeerUnreachable, match="Nobody listens"):
            await node.drive(f"hyper://{key}?peer=127.0.0.1:1")


async def test_what_is_here_needs_nobody(tmp_path: Path) -> None:
    async with sharing(FILES) as (_, link), holdfast.open(tmp_path / "s") as other:
        await (await other.drive(link)).download()
    async with holdfast.open(tmp_path / "s") as other:
        (record,) = other.records.all()
        assert record.addresses and record.secret == parse_link(link).secret
        # Neither the secret nor an address is needed again, and nobody answers any more.
        drive = await other.drive(parse_link(link).without_secret())
        assert await drive.get("/a.txt") == b"one"


async def test_connecting_asks_for_every_open_drive() -> None:
    async with sharing({"/a": b"a"}) as (node, text), holdfast.open() as other:
        address = str(node.peers.listeners[0].addresses[0])
        link = replace(parse_link(text), peers=())
        await other.connect(address)
        assert await (await other.drive(link)).get("/a") == b"a"
        assert len(other.peers) == 1


async def test_misuse_is_a_sentence() -> None:
    async with holdfast.open() as node:
        with pytest.raises(LocalError):
            await node.drive()
        with pytest.raises(LocalError):
            await node.drive("hyper://x", name="y")
        with pytest.raises(PathError):
            await node.drive(name="a/b")
        with pytest.raises(LinkError):
            await node.drive("hyper://short")
    with pytest.raises(ClosedError):
        await node.drive(name="late")
    await node.close()


async def test_awaiting_open_gives_a_node_to_be_closed_by_hand() -> None:
    node = await holdfast.open(listen=[LOOPBACK, LOOPBACK])
    assert len(node.peers.listeners) == 2
    await node.close()


async def test_a_bad_listen_address_leaves_nothing_open(tmp_path: Path) -> None:
    with pytest.raises(LocalError):
        await holdfast.open(tmp_path / "s", listen="256.1.1.1:x")
    async with holdfast.open(tmp_path / "s"):
        pass


async def test_discovery_keys_of_both_logs_are_known() -> None:
    async with sharing({"/a": b"a"}) as (node, _):
        drive = await node.drive(name="things")
        blobs = await drive.blobs()
        assert set(node.policy.offered) == {discovery_key(drive.key), blobs.core.discovery_key}


async def test_an_older_copy_of_a_writer_catches_up_before_it_writes(tmp_path: Path) -> None:
    home = tmp_path / "s"
    async with holdfast.open(home) as node:
        await (await node.drive(name="mine")).put("/1", b"1" * 100_000)
    shutil.copytree(home, tmp_path / "backup")
    async with holdfast.open(listen=LOOPBACK) as keeper:
        async with holdfast.open(home, listen=LOOPBACK) as node:
            drive = await node.drive(name="mine")
            await drive.put("/2", b"2" * 100_000)
            await node.share(drive)
            copy = await keeper.drive(node.link(drive))
            await copy.download()
            await keeper.share(copy)
        shutil.rmtree(home)
        shutil.copytree(tmp_path / "backup", home)
        async with holdfast.open(home) as node:
            drive = await node.drive(name="mine")
            with pytest.raises(StaleWriterError):
                await drive.put("/3", b"3")
            address = keeper.peers.listeners[0].addresses[0]
            assert await asyncio.wait_for(node.catch_up(drive, address), 20)
            await drive.put("/3", b"3" * 100_000)
            assert [entry.path async for entry in drive.list()] == ["/1", "/2", "/3"]
            assert await drive.get("/2") == b"2" * 100_000
            assert not await node.catch_up(drive, address)
