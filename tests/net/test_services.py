from __future__ import annotations

import asyncio
import os

import pytest

from holdfast.errors import ClosedError, RemoteError
from holdfast.net import Echo, ping, serve_echo, serve_ping
from holdfast.net.services import PING
from tests.net.loopback import pair


async def test_ping_measures_a_round_trip_both_ways() -> None:
    async with pair() as (near, far):
        serve_ping(near)
        serve_ping(far)
        assert 0 < await ping(near) < 5
        assert 0 < await ping(far) < 5
        await asyncio.gather(*(ping(near) for _ in range(50)))


async def test_a_service_that_is_not_offered_is_an_error() -> None:
    async with pair() as (near, _):
        with pytest.raises(RemoteError, match="does not offer"):
            await ping(near)
        echo = Echo(near, lambda data: None)
        with pytest.raises(RemoteError, match="does not offer"):
            await echo.send(b"hello?")
        echo.close()


async def test_a_megabyte_comes_back() -> None:
    async with pair() as (near, far):
        serve_echo(far)
        data, back = os.urandom(1 << 20), bytearray()
        echo = Echo(near, back.extend)
        await echo.send(data)
        await echo.drain()
        echo.close()
        assert back == data


async def test_many_echoes_run_side_by_side_and_one_may_end_early() -> None:
    async with pair() as (near, far):
        serve_echo(far)

        async def one(n: int) -> None:
            back = bytearray()
            echo = Echo(near, back.extend)
            await echo.send(bytes([n]) * 10_000)
            if n % 3:
                await echo.drain()
                assert back == bytes([n]) * 10_000
            echo.close()

        await asyncio.gather(*(one(n) for n in range(40)))


async def test_the_end_of_the_connection_ends_the_wait() -> None:
    async with pair() as (near, far):
        serve_echo(far)
        echo = Echo(near, lambda data: None)
        await echo.send(b"x")
        far.abort(ClosedError("gone"))
        with pytest.raises(ClosedError):
            while True:
                await echo.send(bytes(60_000))
                await echo.drain()
        echo.close()


async def test_a_ping_that_carries_a_load_is_cut_off() -> None:
    async with pair() as (near, far):
        serve_ping(far)
        channel = near.mux.channel(PING)
        channel.open()
        channel.send(0, bytes(65))
        await near.wait_closed()
        assert isinstance(far.reason, RemoteError)


async def test_no_answer_in_time_is_an_error() -> None:
    async with pair() as (near, far):
        far.mux.on_request(PING, lambda id, handshake: True)
        with pytest.raises(RemoteError, match="in time"):
            await ping(near, timeout=0.02)
