from __future__ import annotations

import asyncio

import pytest

from holdfast.crypto import key_pair
from holdfast.encoding import encode_uint
from holdfast.errors import UnavailableError
from holdfast.net.dial import dial
from holdfast.net.relay.link import RelayLink
from holdfast.net.relay.server import RelayServer
from holdfast.net.relay.stream import RelayedStream
from holdfast.net.relay.wire import (
    ANNOUNCE,
    ASK,
    DATA,
    FIRST_WINDOW,
    JOIN,
    MAX_WINDOW,
    OPEN,
    WINDOW,
    Reason,
    RelayRefused,
)
from holdfast.net.services import Echo, ping, serve_echo, serve_ping
from tests.net.loopback import pair, until
from tests.net.relaying import (
    ALICE,
    BOB,
    CAROL,
    DAVE,
    Relay,
    Sink,
    leaning,
    linked,
    relaying,
    small,
)

TOPIC = b"t" * 32


@pytest.mark.parametrize("way", ["tcp", "web"])
async def test_two_that_can_only_dial_out_meet_at_a_relay(way: str) -> None:
    async with relaying() as relay:
        address = relay.address if way == "tcp" else relay.url
        async with leaning(ALICE, address) as alice, leaning(BOB, address) as bob:
            near = await alice.connect(BOB)
            far = await bob.arrivals.next()
            assert near.remote_public_key == BOB.public_key
            assert far.remote_public_key == ALICE.public_key
            assert near.route == far.route == "relayed"
            assert near.handshake_hash == far.handshake_hash
            serve_ping(far)
            assert await ping(near) > 0
            serve_echo(near)
            data = bytes(range(256)) * 20_000
            back = bytearray()
            echo = Echo(far, back.extend)
            await echo.send(data)
            await echo.drain()
            assert bytes(back) == data
            near.close()
            await asyncio.wait_for(far.wait_closed(), 5)
            await asyncio.wait_for(near.wait_closed(), 5)
            assert not relay.server.pairs


async def refusal(link: RelayLink, key: bytes) -> int:
    """Why a stream to somebody is refused."""
    stream, sink = link.open(key), Sink()
    stream.attach(sink)
    await asyncio.wait_for(sink.ended.wait(), 10)
    assert isinstance(stream.error, RelayRefused)
    return stream.error.reason


async def test_whoever_is_not_here_and_oneself_cannot_be_reached() -> None:
    async with relaying() as relay, linked(relay, ALICE) as alice:
        assert await refusal(alice, BOB.public_key) == Reason.NOT_HERE
        assert await refusal(alice, ALICE.public_key) == Reason.NOT_ALLOWED


async def test_the_sentence_of_a_refusal_reaches_who_dials() -> None:
    async with relaying() as relay, leaning(ALICE, relay.address) as alice:
        with pytest.raises(RelayRefused, match="no connection with that peer") as refused:
            await alice.connect(BOB)
        assert refused.value.code == "relay-refused" and refused.value.hint
        assert len(alice.relays.clients) == 1, "its own relay is kept"


async def test_streams_are_limited_for_each_client_and_by_the_relays_memory() -> None:
    async with (
        relaying(limits=small(streams_per_client=2, buffered=3 * 2 * FIRST_WINDOW)) as relay,
        linked(relay, ALICE) as alice,
        linked(relay, BOB) as bob,
        linked(relay, CAROL) as carol,
        linked(relay, DAVE) as dave,
    ):
        for _ in range(2):
            alice.open(BOB.public_key)
        assert await refusal(alice, CAROL.public_key) == Reason.TOO_MANY
        assert await refusal(carol, BOB.public_key) == Reason.BUSY
        stream = carol.open(DAVE.public_key)
        assert await refusal(dave, CAROL.public_key) == Reason.FULL
        stream.abort()
        assert await until_settled(relay, 2)
        dave.open(CAROL.public_key)
        assert await until_settled(relay, 3)
        assert len(bob.streams) == 2


async def until_settled(relay: Relay, streams: int) -> bool:
    await until(lambda: len(relay.server.pairs) == streams)
    return relay.server.pairs.pool.taken >= streams * 2 * FIRST_WINDOW


async def test_clients_are_limited_and_chosen() -> None:
    async with relaying(limits=small(clients=1), may_use=lambda key: key != CAROL.public_key) as it:
        with pytest.raises(UnavailableError, match="does not relay"):
            async with linked(it, CAROL):
                pass
        async with linked(it, ALICE):
            with pytest.raises(UnavailableError, match="does not relay"):
                async with linked(it, BOB):
                    pass
            async with linked(it, ALICE):  # the same one, who has lost its first connection
                await until(lambda: len(it.server.guests) == 1)


async def test_a_client_that_leaves_ends_its_streams_and_topics() -> None:
    async with relaying() as relay, linked(relay, BOB) as bob:
        async with linked(relay, ALICE) as alice:
            stream, sink = bob.open(ALICE.public_key), Sink()
            stream.attach(sink)
            alice.join(TOPIC, ANNOUNCE)
            await until(lambda: relay.server.topics.announced)
        await asyncio.wait_for(sink.ended.wait(), 10)
        assert isinstance(stream.error, RelayRefused) and stream.error.reason == Reason.GONE
        assert not relay.server.topics and not relay.server.pairs
        assert relay.server.pairs.pool.taken == 0
        assert list(relay.server.guests) == [BOB.public_key]


async def test_half_closed_streams_carry_the_other_half() -> None:
    arrived: asyncio.Queue[RelayedStream] = asyncio.Queue()
    async with (
        relaying() as relay,
        linked(relay, BOB, arrived.put_nowait),
        linked(relay, ALICE) as alice,
    ):
        near, far = Sink(), Sink(stays=True)
        stream = alice.open(BOB.public_key)
        stream.attach(near)
        stream.write(b"question")
        stream.write_eof()
        other = await arrived.get()
        assert other.public_key == ALICE.public_key
        other.attach(far)
        await asyncio.wait_for(far.eof.wait(), 10)
        assert far.data == b"question"
        other.write(b"answer" * 50_000)
        other.close()
        await asyncio.wait_for(near.ended.wait(), 10)
        assert near.data == b"answer" * 50_000 and near.error is None
        await asyncio.wait_for(far.ended.wait(), 10)
        assert not relay.server.pairs and not alice.streams


async def test_a_stream_on_which_nothing_moves_is_closed() -> None:
    async with (
        relaying(limits=small(idle=0.1)) as relay,
        linked(relay, BOB),
        linked(relay, ALICE) as alice,
    ):
        assert await refusal(alice, BOB.public_key) == Reason.IDLE


async def test_an_end_that_stops_reading_stops_its_own_stream_only() -> None:
    """What the relay holds for it is its window; a stream beside it runs at full speed."""
    arrived: asyncio.Queue[RelayedStream] = asyncio.Queue()
    total = 8 * MAX_WINDOW
    async with (
        relaying() as relay,
        linked(relay, BOB, arrived.put_nowait),
        linked(relay, ALICE) as alice,
    ):
        stuck, free = alice.open(BOB.public_key), alice.open(BOB.public_key)
        ends, sinks = [], [Sink(), Sink(), Sink(stays=True), Sink(stays=True)]
        for stream, sink in zip((stuck, free), sinks, strict=False):
            stream.attach(sink)
            stream.write(bytes(total))
            stream.write_eof()
        for sink in sinks[2:]:
            ends.append(await arrived.get())
            if sink is sinks[2]:
                ends[0].pause_reading()
            ends[-1].attach(sink)
        await asyncio.wait_for(sinks[3].eof.wait(), 20)
        assert len(sinks[3].data) == total
        assert len(sinks[2].data) == 0
        assert stuck.get_write_buffer_size() >= total - FIRST_WINDOW
        assert relay.server.pairs.pool.taken <= 2 * FIRST_WINDOW + FIRST_WINDOW + MAX_WINDOW
        ends[0].resume_reading()
        await asyncio.wait_for(sinks[2].eof.wait(), 20)
        assert len(sinks[2].data) == total


async def test_a_flood_from_one_does_not_keep_the_others_waiting() -> None:
    """Measured as round trips of a quiet pair while another one sends as fast as it can."""
    async with (
        relaying() as relay,
        leaning(ALICE, relay.address) as alice,
        leaning(BOB, relay.address) as bob,
        leaning(CAROL, relay.address) as carol,
        leaning(DAVE, relay.url) as dave,
    ):
        quiet = await carol.connect(DAVE)
        serve_ping(await dave.arrivals.next())
        loud = await alice.connect(BOB)
        far = await bob.arrivals.next()
        far.mux.on_request("flood", lambda id, _: far.mux.channel("flood", handlers=[None]).open())
        channel = loud.mux.channel("flood")

        def flood() -> None:
            while channel.drained and not channel.closed:
                channel.send(0, bytes(65536))

        channel.on_open = lambda handshake: flood()
        channel.on_drain = flood
        channel.open()
        start = relay.server.carried
        await until(lambda: relay.server.carried > start + 4 * MAX_WINDOW)
        times = [await ping(quiet) for _ in range(20)]
        assert relay.server.carried > start + 8 * MAX_WINDOW, "the flood went on"
        assert sorted(times)[10] < 0.25
        assert relay.server.pairs.pool.taken <= 4 * MAX_WINDOW
        channel.close()


async def test_a_limited_rate_is_kept() -> None:
    arrived: asyncio.Queue[RelayedStream] = asyncio.Queue()
    async with (
        relaying(limits=small(rate=400_000.0)) as relay,
        linked(relay, BOB, arrived.put_nowait),
        linked(relay, ALICE) as alice,
    ):
        loop = asyncio.get_running_loop()
        stream, far = alice.open(BOB.public_key), Sink()
        stream.attach(Sink())
        start = loop.time()
        stream.write(bytes(300_000))
        stream.write_eof()
        (await arrived.get()).attach(far)
        await asyncio.wait_for(far.eof.wait(), 20)
        # A window is free; the rest is paid for.
        assert loop.time() - start > (300_000 - 2 * FIRST_WINDOW) / 400_000


@pytest.mark.parametrize(
    ("type", "body"),
    [
        (OPEN, encode_uint(1) + BOB.public_key),
        (OPEN, encode_uint(2)),
        (DATA, encode_uint(0)),
        (DATA, encode_uint(0) + bytes(65537)),
        (WINDOW, encode_uint(0) + encode_uint(1)),
        (JOIN, b"short"),
        (ASK, b""),
    ],
)
async def test_whoever_breaks_the_rules_is_cut_off_and_the_other_end_is_told(
    type: int, body: bytes
) -> None:
    arrived: asyncio.Queue[RelayedStream] = asyncio.Queue()
    async with (
        relaying() as relay,
        linked(relay, BOB, arrived.put_nowait) as bob,
        linked(relay, ALICE) as alice,
    ):
        alice.open(BOB.public_key)
        stream, sink = await arrived.get(), Sink()
        stream.attach(sink)
        alice._channel.send(type, body)
        await asyncio.wait_for(alice.wait_closed(), 10)
        await asyncio.wait_for(sink.ended.wait(), 10)
        assert not bob.closed and not relay.server.pairs


async def test_sending_beyond_the_window_is_breaking_the_rules() -> None:
    async with relaying() as relay, linked(relay, BOB), linked(relay, ALICE) as alice:
        alice.open(BOB.public_key)
        for _ in range(2):
            alice._channel.send(DATA, encode_uint(0) + bytes(FIRST_WINDOW - 100))
        await asyncio.wait_for(alice.wait_closed(), 10)


async def test_joins_without_end_are_refused() -> None:
    async with relaying() as relay, linked(relay, ALICE) as alice:
        for _ in range(2000):
            alice.join(TOPIC, ANNOUNCE)
        await asyncio.wait_for(alice.wait_closed(), 10)


async def test_opening_without_end_is_refused_stream_by_stream() -> None:
    async with relaying() as relay, linked(relay, BOB), linked(relay, ALICE) as alice:
        reasons = []
        for _ in range(700):
            stream, sink = alice.open(BOB.public_key), Sink()
            stream.attach(sink)
            stream.abort()
        reasons.append(await refusal(alice, BOB.public_key))
        assert reasons == [Reason.TOO_MANY]


async def test_who_takes_nothing_of_what_it_asks_for_is_not_read_and_then_let_go() -> None:
    async with relaying(limits=small(stall=0.3)) as relay, linked(relay, BOB) as bob:
        key = key_pair()
        connection = await dial(relay.address, key)
        link = RelayLink(
            connection, on_incoming=lambda stream: None, on_peers=lambda topic, keys: None
        )
        await link.wait_open()
        connection.pause_reading()
        while key.public_key in relay.server.guests:
            for number in range(500):
                link._channel.send(ASK, encode_uint(number) + encode_uint(1) + BOB.public_key)
            await asyncio.sleep(0.001)
        assert not bob.closed
        connection.close()
        await connection.wait_closed()


async def test_nodes_can_be_each_others_relay_on_one_connection() -> None:
    async with pair() as (near, far):
        servers = [RelayServer(each.public_key) for each in (near, far)]
        links = []
        for server, connection in zip(servers, (near, far), strict=True):
            server.attach(connection)
        for connection in (near, far):
            links.append(
                RelayLink(connection, on_incoming=lambda s: None, on_peers=lambda t, k: None)
            )
        for link in links:
            await asyncio.wait_for(link.wait_open(), 10)
        assert [list(server.guests) for server in servers] == [
            [far.public_key],
            [near.public_key],
        ]
        for server in servers:
            await server.close()
        for link in links:
            await asyncio.wait_for(link.wait_closed(), 10)
