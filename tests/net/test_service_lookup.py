"""Services over a DHT of three nodes on this machine: announced, found, answered, expired."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from holdfast.crypto import key_pair
from holdfast.errors import DecodeError, HoldfastError, LocalError, UnavailableError
from holdfast.net import Peers
from holdfast.net.dht.node import DhtNode
from holdfast.net.rpc.lookup import Workers, attach_services, offer_service
from holdfast.net.rpc.names import service_topic
from holdfast.net.rpc.records import MAX_RECORD, get_record, put_record
from holdfast.net.rpc.service import Request, Service, ServiceHost
from holdfast.net.rpc.shared import PayloadTooLarge, RpcLimits
from holdfast.net.swarm.swarm import Swarm

RECORD_AGE = 20 * 60


class Clock:
    """The loop's time, and as much more as a test says."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return asyncio.get_running_loop().time() + self.ahead


class Grape:
    """Three nodes that stay, and whoever joins them."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack
        self.clock = Clock()
        self.nodes: list[DhtNode] = []

    async def node(self, ephemeral: bool | None = None) -> DhtNode:
        first = [f"127.0.0.1:{self.nodes[0].port}"] if self.nodes else []
        node = await DhtNode.open(
            host="127.0.0.1", bootstrap=first, ephemeral=ephemeral, clock=self.clock
        )
        self._stack.push_async_callback(node.close)
        await node.bootstrapped()
        return node

    async def swarm(self) -> Swarm:
        peers = Peers(key_pair(), lambda connection: None)
        swarm = Swarm(peers, dht=await self.node())
        self._stack.push_async_callback(peers.close)
        self._stack.push_async_callback(swarm.close)
        return swarm

    async def worker(self, service: Service) -> Swarm:
        swarm, host = await self.swarm(), ServiceHost()
        attach_services(swarm, host)
        assert await offer_service(swarm, host, service).flushed()
        return swarm

    async def looking(self, name: str, limits: RpcLimits | None = None) -> Workers:
        workers = Workers(await self.swarm(), name, limits=limits)
        self._stack.callback(workers.close)
        return workers


@asynccontextmanager
async def grape() -> AsyncIterator[Grape]:
    async with AsyncExitStack() as stack:
        made = Grape(stack)
        for _ in range(3):
            made.nodes.append(await made.node(ephemeral=False))
        yield made


def upper(limits: RpcLimits | None = None, word: bytes = b"") -> Service:
    async def call(request: Request) -> bytes:
        return request.payload.upper() + word

    service = Service("upper", limits=limits)
    service.method("upper", call)
    return service


async def test_a_worker_announces_and_a_client_finds_it_and_is_answered() -> None:
    async with grape() as dht:
        await dht.worker(upper())
        workers = await dht.looking("upper")
        assert await workers.request("upper", b"kia ora") == b"KIA ORA"
        assert len(workers) == 1


async def test_two_workers_share_the_work_and_one_may_go() -> None:
    async with grape() as dht:
        first, _ = await dht.worker(upper(word=b"1")), await dht.worker(upper(word=b"2"))
        workers = await dht.looking("upper")
        await workers.wait(2)
        done = await workers.map("upper", [b"%d" % n for n in range(50)])
        assert {bytes(each)[-1:] for each in done if isinstance(each, bytes)} == {b"1", b"2"}
        assert [each[:-1] for each in done if isinstance(each, bytes)] == [
            b"%d" % n for n in range(50)
        ]
        await first.peers.close()
        assert await workers.request("upper", b"a") == b"A2"


async def test_a_payload_too_large_is_refused() -> None:
    async with grape() as dht:
        await dht.worker(upper(RpcLimits(payload=1000, bytes=2000)))
        workers = await dht.looking("upper")
        with pytest.raises(PayloadTooLarge, match="1,000 at most"):
            await workers.request("upper", bytes(1001))


async def test_a_service_that_nobody_offers_is_not_found() -> None:
    async with grape() as dht:
        await dht.worker(upper())
        workers = await dht.looking("lower")
        with pytest.raises(UnavailableError, match="'lower' found nobody") as caught:
            await workers.wait(timeout=0.3)
        assert caught.value.hint


async def test_whoever_asks_for_another_service_hears_nothing_of_it() -> None:
    """A peer that is connected, but was not found under the topic, is not asked."""
    async with grape() as dht:
        worker = await dht.worker(upper())
        swarm = await dht.swarm()
        there = swarm.peers
        connection = await swarm.reach(worker.peers.key_pair.public_key)
        assert connection is not None and len(there) == 1
        workers = Workers(swarm, "lower")
        with pytest.raises(UnavailableError):
            await workers.wait(timeout=0.3)
        assert connection.mux.channels() == []
        workers.close()


async def test_an_announcement_expires() -> None:
    async with grape() as dht:
        node = await dht.node()
        topic = service_topic("upper")
        assert await node.announce(topic, key_pair())
        assert [found async for found in (await dht.node()).lookup(topic)]
        dht.clock.ahead += RECORD_AGE + 60
        assert not [found async for found in (await dht.node()).lookup(topic)]


async def test_a_record_is_read_until_it_expires() -> None:
    async with grape() as dht:
        pair = key_pair()
        written = await put_record(
            await dht.node(), pair, b"open", seconds=60, clock=lambda: 2_000_000_000.0
        )
        reader = await dht.node()
        assert await get_record(reader, pair.public_key, clock=lambda: written.expires - 1) == (
            written
        )
        assert await get_record(reader, pair.public_key, clock=lambda: written.expires) is None
        assert await get_record(reader, key_pair().public_key) is None
        later = await put_record(
            await dht.node(), pair, b"closed", seconds=60, clock=lambda: 2_000_000_001.0
        )
        found = await get_record(reader, pair.public_key, clock=lambda: 2_000_000_002.0)
        assert found == later and found.value == b"closed"


async def test_a_record_too_large_or_of_another_kind_is_refused() -> None:
    async with grape() as dht:
        node, pair = await dht.node(), key_pair()
        with pytest.raises(PayloadTooLarge):
            await put_record(node, pair, bytes(MAX_RECORD + 1), seconds=60)
        await put_record(node, pair, bytes(MAX_RECORD), seconds=60)
        await node.mutable_put(pair, b"\x07other", 1 << 50)
        with pytest.raises(DecodeError, match="of a kind"):
            await get_record(node, pair.public_key)


async def test_a_value_is_found_by_its_hash() -> None:
    async with grape() as dht:
        target = await (await dht.node()).immutable_put(b"a small value")
        assert await (await dht.node()).immutable_get(target) == b"a small value"
        with pytest.raises(LocalError, match="at most"):
            await (await dht.node()).immutable_put(bytes(1001))


async def test_without_a_worker_a_request_fails_in_time() -> None:
    async with grape() as dht:
        workers = await dht.looking("upper")
        with pytest.raises(HoldfastError):
            await workers.request("upper", timeout=0.3)
