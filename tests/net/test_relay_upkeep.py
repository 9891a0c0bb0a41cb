from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from holdfast.errors import UnavailableError
from holdfast.net.relay.upkeep import AT_ONCE, Upkeep
from tests.net.loopback import until


def telling(told: list[str], name: str) -> Callable[[], Awaitable[None]]:
    async def tell() -> None:
        told.append(name)

    return tell


async def test_it_is_told_soon_and_again() -> None:
    told: list[str] = []
    upkeep = Upkeep(pause=0.01)
    upkeep.keep("a", telling(told, "a"))
    await until(lambda: len(told) >= 3)
    upkeep.drop("a", telling(told, "farewell"))
    upkeep.drop("unknown", telling(told, "never"))
    await until(lambda: told[-1] == "farewell")
    await upkeep.settled()
    count = len(told)
    upkeep.keep("b", telling(told, "b"))
    await until(lambda: "b" in told)
    assert told[count:].count("a") == 0 and "never" not in told
    await upkeep.close()


async def test_a_failure_is_tried_again_and_stops_nothing() -> None:
    told: list[str] = []

    async def fail() -> None:
        told.append("failed")
        raise UnavailableError("The network is away.")

    upkeep = Upkeep(pause=0.01)
    upkeep.keep("a", fail)
    upkeep.keep("b", telling(told, "b"))
    await until(lambda: told.count("failed") > 2 and "b" in told)
    await upkeep.close()


async def test_few_at_once_and_not_more_than_it_can_keep() -> None:
    running, most, gate = 0, 0, asyncio.Event()

    async def slow() -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await gate.wait()
        running -= 1

    upkeep = Upkeep(most=10)
    assert all(upkeep.keep(n, slow) for n in range(10))
    assert not upkeep.keep(10, slow)
    assert upkeep.keep(9, slow), "replacing is not more"
    await until(lambda: running == AT_ONCE)
    gate.set()
    await upkeep.settled()
    assert most == AT_ONCE
    await upkeep.close()
