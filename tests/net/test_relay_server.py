from __future__ import annotations

import asyncio

import pytest

from holdfast.net.services import Echo, ping, serve_echo, serve_ping
from tests.net.relaying import ALICE, BOB, leaning, relaying


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
