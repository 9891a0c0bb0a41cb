"""A connection whose handshake was done elsewhere, as over the DHT."""

from __future__ import annotations

import asyncio

import pytest

from holdfast.crypto import key_pair
from holdfast.dht.handshake import PeerHandshake
from holdfast.dht.noise_payload import NoisePayload
from holdfast.errors import HandshakeError, HoldfastError
from holdfast.net.connection import Connection
from holdfast.wire import HandshakeResult

CLIENT, SERVER = key_pair(b"c" * 32), key_pair(b"s" * 32)


def agreed() -> tuple[HandshakeResult, HandshakeResult]:
    client, server = PeerHandshake(CLIENT, SERVER.public_key), PeerHandshake(SERVER)
    server.read(client.write(NoisePayload()))
    client.read(server.write(NoisePayload()))
    return client.result, server.result


async def connect(
    ours: HandshakeResult, theirs: HandshakeResult, opened: list[Connection]
) -> tuple[Connection, Connection]:
    loop = asyncio.get_running_loop()
    made: asyncio.Future[Connection] = loop.create_future()

    def make() -> Connection:
        made.set_result(Connection(False, SERVER, result=theirs, on_open=opened.append))
        return made.result()

    server = await loop.create_server(make, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    _, client = await loop.create_connection(
        lambda: Connection(True, CLIENT, result=ours, on_open=opened.append, route="punched"),
        "127.0.0.1",
        port,
    )
    server.close()
    return client, await made


async def test_keys_are_known_at_once_and_both_open() -> None:
    ours, theirs = agreed()
    opened: list[Connection] = []
    client, server = await connect(ours, theirs, opened)
    assert client.remote_public_key == SERVER.public_key
    assert server.remote_public_key == CLIENT.public_key
    assert client.route == "punched"
    assert server.route == "direct"
    await asyncio.gather(client.wait_open(), server.wait_open())
    assert {id(each) for each in opened} == {id(client), id(server)}
    assert client.handshake_hash == server.handshake_hash == ours.handshake_hash
    client.close()
    server.close()
    await asyncio.gather(client.wait_closed(), server.wait_closed())


async def test_messages_flow_from_the_first_on() -> None:
    ours, theirs = agreed()
    client, server = await connect(ours, theirs, [])
    got: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
    channel = server.mux.channel("test/echo", handlers=[lambda body: got.set_result(bytes(body))])
    channel.open()
    mine = client.mux.channel("test/echo")
    mine.open()
    mine.send(0, b"hello")
    assert await asyncio.wait_for(got, 5) == b"hello"
    client.close()
    server.close()
    await asyncio.gather(client.wait_closed(), server.wait_closed())


async def test_somebody_with_other_keys_is_not_let_in() -> None:
    """Whoever has copied a first message of somebody else cannot go on from it."""
    ours, _ = agreed()
    _, theirs = agreed()
    opened: list[Connection] = []
    client, server = await connect(ours, theirs, opened)
    with pytest.raises(HandshakeError):
        await server.wait_open()
    with pytest.raises(HoldfastError):
        await client.wait_open()
    assert opened == []
    await asyncio.gather(client.wait_closed(), server.wait_closed())
