"""Two connected ends on this machine, for tests of everything that runs over a connection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from holdfast.crypto import KeyPair, key_pair
from holdfast.net import Connection, Listener, dial, listen

ALICE, BOB = key_pair(b"a" * 32), key_pair(b"b" * 32)


class Arrivals:
    """Takes the connections of a listener, in the order they open."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[Connection] = asyncio.Queue()

    def __call__(self, connection: Connection) -> None:
        self.queue.put_nowait(connection)

    async def next(self) -> Connection:
        return await asyncio.wait_for(self.queue.get(), 10)


@asynccontextmanager
async def listening(key: KeyPair = BOB, **options: Any) -> AsyncIterator[tuple[Listener, Arrivals]]:
    """A listener on a free port."""
    arrivals = Arrivals()
    listener = await listen("127.0.0.1:0", key, arrivals, **options)
    try:
        yield listener, arrivals
    finally:
        await listener.close()


@asynccontextmanager
async def pair(
    prepare: Callable[[Connection], None] | None = None,
) -> AsyncIterator[tuple[Connection, Connection]]:
    """The dialler's end and the listener's end of one connection."""
    async with listening() as (listener, arrivals):
        near = await dial(listener.addresses[0], ALICE, on_open=prepare)
        far = await arrivals.next()
        try:
            yield near, far
        finally:
            near.close()
            far.close()
            await near.wait_closed()
            await far.wait_closed()


async def closed(connection: Connection) -> BaseException:
    """Why a connection ended, once it has."""
    await asyncio.wait_for(connection.wait_closed(), 10)
    assert connection.reason is not None
    return connection.reason


async def until(condition: Callable[[], object]) -> None:
    """Let the loop run until something is true."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - no event exists for what tests look at
            await asyncio.sleep(0)
