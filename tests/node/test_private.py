"""A fresh node with somebody asking: nothing is announced and nothing given until it is told."""

from __future__ import annotations

from dataclasses import replace

import pytest

import holdfast
from holdfast import Node
from holdfast.encoding import parse_link
from holdfast.errors import HoldfastError, RemoteError
from holdfast.hyperdrive import Drive
from holdfast.net import dial, ping
from holdfast.wire import Channel
from tests.net.loopback import ALICE, until
from tests.node.nodes import LOOPBACK, sharing

FILES = {"/a.txt": b"one", "/deep/b.bin": bytes(200_000)}


def blocks_sent(node: Node) -> int:
    return sum(peer.blocks_sent for log in node.store.logs for peer in log.replicator.peers)


async def test_nothing_leaves_a_fresh_node_until_it_is_told() -> None:
    async with (
        sharing(FILES) as (_, link),
        holdfast.open(listen=LOOPBACK) as fresh,
        holdfast.open() as asking,
    ):
        own = await fresh.drive(name="own")
        await own.put("/secret", b"secret")
        fetched = await fresh.drive(link)
        await fetched.download()
        here = tuple(parse_link(str(fresh.link(own))).peers)
        links = [fresh.link(own), replace(parse_link(link), peers=here)]
        for each in links:
            with pytest.raises(HoldfastError):
                await asking.drive(each, timeout=0.5)
        asked = {key for each in fresh.store._attachments for key in each._shown}
        assert {own.discovery_key, fetched.discovery_key} <= asked
        assert fresh.policy.announced == fresh.policy.offered == []
        assert blocks_sent(fresh) == 0 and not any(log.log.local.length for log in _logs(asking))

        await fresh.share(fetched)
        assert await (await asking.drive(links[1])).get("/a.txt") == b"one"
        assert blocks_sent(fresh) > 0
        with pytest.raises(HoldfastError):  # each drive has a switch of its own
            await asking.drive(links[0], timeout=0.5)


def _logs(node: Node) -> list:  # type: ignore[type-arg]
    return node.store.logs


async def test_a_drive_that_is_shared_is_not_shown_to_who_has_not_asked() -> None:
    async with sharing(FILES) as (node, _):
        (address,) = node.peers.listeners[0].addresses
        opened: list[Channel] = []
        stranger = await dial(
            address,
            ALICE,
            on_open=lambda connection: connection.mux.on_request(
                "hypercore/alpha",
                lambda id, handshake: opened.append(id),  # type: ignore[arg-type]
            ),
        )
        await until(lambda: len(node.peers) == 1)
        drive = await node.drive(name="things")
        await drive.put("/news", b"news")
        with pytest.raises(RemoteError):  # not a service of nodes, but a way there and back
            await ping(stranger)
        assert opened == []
        stranger.close()
        await stranger.wait_closed()


async def test_a_drive_may_be_turned_off_and_on_for_one_peer() -> None:
    async with sharing(FILES) as (node, link), holdfast.open() as other:
        drive: Drive = await other.drive(link)
        assert await drive.get("/a.txt") == b"one"
        node.policy.stop_uploads(other.key_pair.public_key)
        await until(lambda: not drive.core.peers)
        node.policy.resume_uploads(other.key_pair.public_key)
        assert await drive.get("/deep/b.bin") == FILES["/deep/b.bin"]
