from __future__ import annotations

import asyncio
import errno

import pytest

from holdfast.errors import HoldfastError, ListenError
from holdfast.net import Address, Limits, dial, listen
from holdfast.net.listener import _cannot
from tests.net.loopback import ALICE, BOB, Arrivals, closed, listening, until


async def test_a_taken_port_is_a_sentence_with_a_hint() -> None:
    async with listening() as (listener, _):
        with pytest.raises(ListenError, match="already listens") as caught:
            await listen(listener.addresses[0], BOB, Arrivals())
        assert caught.value.hint


@pytest.mark.parametrize("number", [errno.EACCES, errno.EADDRNOTAVAIL, errno.EIO])
def test_other_failures_too(number: int) -> None:
    error = _cannot(Address("h", 1), OSError(number, "words"))
    assert error.message.endswith(".") and error.exit_code


async def test_every_interface_is_reachable_under_useful_addresses() -> None:
    listener = await listen(":0", BOB, Arrivals())
    port = listener.addresses[0].port
    assert Address("127.0.0.1", port) == listener.reachable[-1]
    assert all(address.host != "0.0.0.0" for address in listener.reachable)
    await listener.close()


async def test_a_flood_of_handshakes_from_one_source_keeps_room() -> None:
    limits = Limits(handshakes=8, handshakes_per_source=3)
    async with listening(limits=limits) as (listener, _):
        address = listener.addresses[0]
        knocks = [await asyncio.open_connection(*address) for _ in range(3)]
        await until(lambda: listener.gate.handshakes == 3)
        near = await dial(address, ALICE)
        assert listener.gate.refused == 1
        assert await knocks[0][0].read() == b"", "who took longest had to go"
        assert listener.gate.handshakes == 2 and listener.gate.connections == 3
        for _, writer in knocks:
            writer.close()
        await until(lambda: not listener.gate.handshakes)
        assert listener.gate.connections == 1
        near.close()
        await near.wait_closed()


async def test_a_slow_crowd_from_everywhere_gives_way_to_whoever_comes() -> None:
    limits = Limits(handshakes=3, handshakes_per_source=3)
    async with listening(limits=limits) as (listener, _):
        address = listener.addresses[0]
        elsewhere = ("127.0.0.2", 0)
        knocks = [await asyncio.open_connection(*address, local_addr=elsewhere) for _ in range(3)]
        await until(lambda: listener.gate.handshakes == 3)
        near = await dial(address, ALICE)
        assert listener.gate.handshakes == 2
        for _, writer in knocks:
            writer.close()
        near.close()
        await near.wait_closed()


async def test_open_connections_do_not_give_way() -> None:
    async with listening(limits=Limits(connections_per_source=1)) as (listener, arrivals):
        near = await dial(listener.addresses[0], ALICE)
        with pytest.raises(HoldfastError):
            await dial(listener.addresses[0], ALICE)
        assert near.opened and listener.gate.refused == 1
        near.close()
        await near.wait_closed()


async def test_closing_gives_up_unfinished_handshakes_but_not_connections() -> None:
    async with listening() as (listener, arrivals):
        near = await dial(listener.addresses[0], ALICE)
        far = await arrivals.next()
        reader, writer = await asyncio.open_connection(*listener.addresses[0])
        await until(lambda: listener.gate.handshakes)
        await listener.close()
        try:
            assert await reader.read() == b""
        except ConnectionResetError:
            pass
        writer.close()
        assert near.opened and far.opened
        near.close()
        await closed(far)
        assert listener.gate.connections == 0
