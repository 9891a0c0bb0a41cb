from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from holdfast.errors import ClosedError, HoldfastError, RemoteError
from holdfast.net.connection import Connection
from holdfast.net.rpc.client import ServiceClient
from holdfast.net.rpc.messages import (
    REQUEST,
    Opening,
    decode_failure,
    encode_numbered,
    encode_opening,
)
from holdfast.net.rpc.service import Request, Service, ServiceHost
from holdfast.net.rpc.shared import (
    OVERHEAD,
    RPC,
    NotOffered,
    PayloadTooLarge,
    RequestFailed,
    RequestTimeout,
    RpcLimits,
    ServiceBusy,
    channel_id,
)
from holdfast.net.rpc.workers import ask_all, map_requests
from tests.net.loopback import pair, until


async def _upper(request: Request) -> bytes:
    return request.payload.upper()


@asynccontextmanager
async def serving(
    *services: Service, name: str = "words", limits: RpcLimits | None = None
) -> AsyncIterator[tuple[ServiceClient, Service, Connection, Connection]]:
    """A client of the first service, the service, and both ends of the connection."""
    host = ServiceHost()
    for service in services:
        host.offer(service)
    async with pair() as (near, far):
        host.attach(far)
        yield ServiceClient(near, name, limits=limits), services[0], near, far


def words(limits: RpcLimits | None = None) -> Service:
    service = Service("words", limits=limits)
    service.method("upper", _upper)
    return service


async def test_a_request_is_answered() -> None:
    async with serving(words()) as (client, *_):
        assert await client.request("upper", b"kia ora") == b"KIA ORA"
        assert await client.request("upper") == b""
        answers = await asyncio.gather(*(client.request("upper", b"%d a" % n) for n in range(200)))
        assert answers == [b"%d A" % n for n in range(200)]
        assert client.in_flight == 0


async def test_a_method_learns_who_asks() -> None:
    async def who(request: Request) -> bytes:
        return request.remote_public_key

    service = Service("words")
    service.method("who", who)
    async with serving(service) as (client, _, near, _far):
        assert await client.request("who") == near.public_key


async def test_both_sides_may_ask_over_one_connection() -> None:
    hosts = [ServiceHost(), ServiceHost()]
    for host in hosts:
        host.offer(words())
    async with pair() as (near, far):
        hosts[0].attach(near)
        hosts[1].attach(far)
        clients = [ServiceClient(near, "words"), ServiceClient(far, "words")]
        assert await ask_all(clients, "upper", b"x") == [b"X", b"X"]


async def test_what_is_not_offered_is_said() -> None:
    async with serving(words(), name="other") as (client, *_):
        with pytest.raises(NotOffered, match="'other'"):
            await client.request("upper")
    async with serving(words()) as (client, *_):
        with pytest.raises(NotOffered, match="no method 'lower'"):
            await client.request("lower")
        with pytest.raises(NotOffered, match="no topic"):
            await client.subscribe("news")
        assert await client.request("upper", b"a") == b"A"


async def test_to_whom_it_is_not_admitted_it_does_not_exist() -> None:
    service = Service("words", admits=lambda key: False)
    service.method("upper", _upper)
    async with serving(service) as (client, *_):
        with pytest.raises(NotOffered, match="does not offer"):
            await client.ready()


async def test_a_payload_too_large_is_refused_before_it_is_sent() -> None:
    service = words(RpcLimits(payload=1000, bytes=2000))
    async with serving(service) as (client, _, near, _far):
        await client.ready()
        before = near.bytes_sent
        with pytest.raises(PayloadTooLarge, match="1,001 bytes.*1,000 at most") as caught:
            await client.request("upper", bytes(1001))
        assert caught.value.hint and near.bytes_sent == before
        assert await client.request("upper", b"a" * 1000) == b"A" * 1000


async def test_a_payload_too_large_is_refused_by_who_gets_it() -> None:
    service = words(RpcLimits(payload=1000, bytes=2000))
    async with serving(service) as (_, _, near, _far):
        failed: asyncio.Future[tuple[int, str, str]] = asyncio.get_running_loop().create_future()
        handlers = [None, lambda body: failed.set_result(decode_failure(body))]
        id = channel_id(near, "words", asking=True)
        channel = near.mux.channel(RPC, id, handlers=handlers)
        channel.open(encode_opening(Opening(1000, 0, 0)))
        channel.send(REQUEST, encode_numbered(7, "upper", bytes(1001)))
        number, kind, sentence = await asyncio.wait_for(failed, 10)
        assert (number, kind) == (7, "too-large") and "1,000" in sentence


async def test_a_response_too_large_for_who_asks_is_an_error() -> None:
    async def much(request: Request) -> bytes:
        return bytes(2000)

    service = Service("words")
    service.method("much", much)
    small = RpcLimits(payload=1000, bytes=2000)
    async with serving(service, limits=small) as (client, *_):
        with pytest.raises(PayloadTooLarge, match="2,000"):
            await client.request("much")


async def test_a_megabyte_goes_both_ways() -> None:
    async with serving(words()) as (client, *_):
        data = os.urandom(1 << 20)
        assert await client.request("upper", data) == data.upper()


class Stuck:
    """A method that goes on until it is let go or cancelled."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.began = 0
        self.cancelled = 0

    async def __call__(self, request: Request) -> bytes:
        self.began += 1
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return b"done"


def stuck(limits: RpcLimits | None = None) -> tuple[Service, Stuck]:
    service, method = words(limits), Stuck()
    service.method("stuck", method)
    return service, method


async def test_out_of_time_the_worker_is_told_to_stop() -> None:
    service, method = stuck()
    async with serving(service) as (client, *_):
        with pytest.raises(RequestTimeout, match="in 0.05 seconds"):
            await client.request("stuck", timeout=0.05)
        await until(lambda: method.cancelled == 1)
        await until(lambda: client.in_flight == 0)
        assert service.working == 0


async def test_cancelling_tells_the_worker_too() -> None:
    service, method = stuck()
    async with serving(service) as (client, *_):
        task = asyncio.create_task(client.request("stuck"))
        await until(lambda: method.began)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await until(lambda: method.cancelled and not client.in_flight)
        assert await client.request("upper", b"a") == b"A"


async def test_requests_wait_for_room() -> None:
    service, method = stuck(RpcLimits(requests=3))
    async with serving(service) as (client, *_):
        tasks = [asyncio.create_task(client.request("stuck")) for _ in range(10)]
        await until(lambda: method.began == 3)
        assert client.in_flight == 3
        tasks[5].cancel()  # one that waits; it must not block those behind it
        method.go.set()
        done = await asyncio.gather(*tasks, return_exceptions=True)
        assert done.count(b"done") == 9
        assert isinstance(done[5], asyncio.CancelledError)
        assert client.in_flight == 0 and method.began == 9


async def test_bytes_on_the_way_are_bounded() -> None:
    service, method = stuck(RpcLimits(payload=1000, bytes=2 * (1000 + OVERHEAD)))
    async with serving(service) as (client, *_):
        tasks = [asyncio.create_task(client.request("stuck", bytes(1000))) for _ in range(6)]
        await until(lambda: method.began == 2)
        assert client.in_flight == 2
        method.go.set()
        assert await asyncio.gather(*tasks) == [b"done"] * 6


async def test_more_than_the_service_takes_in_all_is_busy() -> None:
    service, method = stuck(RpcLimits(requests_in_all=2))
    async with serving(service) as (client, *_):
        tasks = [asyncio.create_task(client.request("stuck")) for _ in range(3)]
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        with pytest.raises(ServiceBusy):
            await done.pop()
        method.go.set()
        assert [t.result() for t in tasks if await _succeeds(t)] == [b"done"] * 2


async def _succeeds(task: asyncio.Task[bytes]) -> bool:
    await asyncio.wait([task])
    return task.exception() is None


async def test_failures_say_as_much_as_the_method_lets_out() -> None:
    async def refuses(request: Request) -> bytes:
        raise RequestFailed("Only on Sundays.", "closed-today")

    async def breaks(request: Request) -> bytes:
        raise ValueError("/home/me/secret")

    async def lacks(request: Request) -> bytes:
        raise ClosedError("/home/me/secret")

    service = Service("words")
    for name, method in {"refuses": refuses, "breaks": breaks, "lacks": lacks}.items():
        service.method(name, method)
    async with serving(service) as (client, *_):
        with pytest.raises(RequestFailed, match="Only on Sundays") as caught:
            await client.request("refuses")
        assert caught.value.kind == "closed-today"
        for name in ("breaks", "lacks"):
            with pytest.raises(RequestFailed) as caught:
                await client.request(name)
            assert "secret" not in caught.value.message


async def test_slow_work_is_stopped() -> None:
    service, method = stuck(RpcLimits(seconds=0.02))
    async with serving(service) as (client, *_):
        with pytest.raises(RequestTimeout, match="too long"):
            await client.request("stuck")
        assert method.cancelled == 1


async def test_the_end_of_the_connection_ends_everything() -> None:
    service, method = stuck()
    news = service.topic("news")
    async with serving(service) as (client, _, near, far):
        heard = await client.subscribe("news")
        asked = asyncio.create_task(client.request("stuck"))
        await until(lambda: method.began)
        far.abort(ClosedError("gone"))
        with pytest.raises(ClosedError):
            await asked
        with pytest.raises(ClosedError):
            await anext(heard)
        with pytest.raises(ClosedError):
            await client.request("upper")
        await until(lambda: method.cancelled)
        assert len(news) == 0 and service.working == 0


async def test_a_withdrawn_service_hangs_up() -> None:
    host = ServiceHost()
    host.offer(words())
    async with pair() as (near, far):
        host.attach(far)
        client = ServiceClient(near, "words")
        assert await client.request("upper", b"a") == b"A"
        host.withdraw("words")
        with pytest.raises(ClosedError):
            while True:
                await client.request("upper", b"a")
        with pytest.raises(NotOffered):
            await ServiceClient(near, "words").ready()


async def test_what_is_published_is_heard_by_all() -> None:
    service = words()
    news = service.topic("news")
    async with serving(service) as (client, _, near, _far):
        first, second = await client.subscribe("news"), await client.subscribe("news")
        assert news.publish(b"one") == 2
        assert (await anext(first)).payload == (await anext(second)).payload == b"one"
        first.close()
        await until(lambda: len(news) == 1)
        assert news.publish(b"two") == 1
        assert (await anext(second)).payload == b"two"
        with pytest.raises(ClosedError):
            await anext(first)
        with pytest.raises(PayloadTooLarge):
            news.publish(bytes((1 << 20) + 1))


async def test_who_is_slow_misses_some_and_is_told_how_many() -> None:
    limits = RpcLimits(payload=1000, bytes=100_000)
    service = words(limits)
    news = service.topic("news")
    async with serving(service, limits=limits) as (client, *_):
        heard = await client.subscribe("news")
        assert [news.publish(bytes([n]) * 400) for n in range(10)] == [1, 1] + [0] * 8
        assert (await anext(heard)).payload[0] == 0
        assert (await anext(heard)).payload[0] == 1
        await client.request("upper")  # the grant has arrived before this is answered
        assert news.publish(b"later") == 1
        late = await anext(heard)
        assert late.payload == b"later" and late.missed == 8


async def test_publishing_beyond_what_was_granted_closes_the_connection() -> None:
    limits = RpcLimits(payload=1000, bytes=100_000)
    service = words(limits)
    news = service.topic("news")
    async with serving(service, limits=limits) as (client, _, near, _far):
        await client.subscribe("news")
        (listener,) = news.listeners
        listener._credit = 10_000
        for _ in range(5):
            news.publish(bytes(900))
        await near.wait_closed()
        assert isinstance(near.reason, RemoteError)


async def test_pieces_are_spread_over_workers_and_come_back_in_order() -> None:
    async with (
        serving(words()) as (one, *_),
        serving(words()) as (two, *_),
    ):
        pieces = [b"piece %d" % n for n in range(100)]
        done = await map_requests([one, two], "upper", pieces)
        assert done == [piece.upper() for piece in pieces]
        assert await map_requests([one], "upper", []) == []


async def test_what_fails_at_one_worker_is_done_by_another() -> None:
    service, method = stuck(RpcLimits(seconds=0.02))
    service.method("upper", method)
    async with (
        serving(service) as (slow, *_),
        serving(words(), name="words") as (good, *_),
        serving(words(), name="other") as (gone, *_),
    ):
        pieces = [b"piece %d" % n for n in range(20)]
        done = await map_requests([slow, good, gone], "upper", pieces)
        assert done == [piece.upper() for piece in pieces]
        assert method.began > 0


async def test_one_bad_piece_does_not_cost_the_others() -> None:
    async def picky(request: Request) -> bytes:
        if request.payload == b"3":
            raise RequestFailed("Not three.")
        return request.payload

    service = Service("words")
    service.method("upper", picky)
    async with serving(service) as (client, *_):
        done = await map_requests([client], "upper", [b"%d" % n for n in range(6)])
        assert isinstance(done.pop(3), RequestFailed)
        assert done == [b"0", b"1", b"2", b"4", b"5"]
    assert all(isinstance(r, HoldfastError) for r in await map_requests([], "upper", [b"x"]))


async def test_a_flood_of_bad_requests_is_not_answered_faster_than_it_is_taken() -> None:
    async with serving(words()) as (_, _, near, far):
        channel = near.mux.channel(RPC, channel_id(near, "words", asking=True))
        channel.handlers = [None, None]
        channel.open(encode_opening(Opening(1000, 0, 0)))
        near.pause_reading()
        for number in range(200_000):
            channel.send(REQUEST, encode_numbered(number, "no-such-method"))
            if number % 1000 == 0:
                await asyncio.sleep(0)
            if far._pauses:
                break
        await until(lambda: far._pauses)
        near.resume_reading()
        await until(lambda: not far._pauses)
        assert not near.closed


async def test_who_asks_and_does_not_listen_is_hung_up_on() -> None:
    async def much(request: Request) -> bytes:
        return bytes(1 << 20)

    service = Service("words", limits=RpcLimits(take_seconds=0.1))
    service.method("much", much)
    async with serving(service) as (client, _, near, _far):
        await client.request("much")
        near.pause_reading()
        tasks = [asyncio.create_task(client.request("much", timeout=5)) for _ in range(40)]
        await until(lambda: service.working)
        await until(lambda: not service.working)
        assert service.held == 0
        near.resume_reading()
        done = await asyncio.gather(*tasks, return_exceptions=True)
        assert any(isinstance(each, ClosedError) for each in done)


async def test_bytes_of_all_together_are_bounded() -> None:
    service, method = stuck(RpcLimits(payload=1000, bytes=5000, bytes_in_all=1500))
    async with serving(service) as (client, *_):
        first = asyncio.create_task(client.request("stuck", bytes(1000)))
        await until(lambda: method.began)
        with pytest.raises(ServiceBusy):
            await client.request("stuck", bytes(1000))
        method.go.set()
        assert await first == b"done" and service.held == 0
