from __future__ import annotations

import asyncio
from typing import cast

import pytest

from holdfast.errors import ClosedError, HandshakeError, HoldfastError, PeerUnreachable
from holdfast.net import Address, Connection
from holdfast.node.reach import Reach
from tests.net.loopback import until

A, B = Address("a", 1), Address("b", 2)


class Line:
    """A connection that ends when the test says so."""

    def __init__(self) -> None:
        self.reason: HoldfastError | None = None
        self._gone = asyncio.Event()

    @property
    def closed(self) -> bool:
        return self.reason is not None

    def cut(self) -> None:
        self.reason = ClosedError("cut")
        self._gone.set()

    async def wait_closed(self) -> None:
        await self._gone.wait()


class Net:
    """Answers dials as the test arranged them."""

    def __init__(self, **answers: object) -> None:
        self.answers = answers
        self.dials: list[str] = []
        self.lines: list[Line] = []

    async def connect(self, address: Address) -> Connection:
        self.dials.append(address.host)
        await asyncio.sleep(0)
        answer = self.answers[address.host]
        if isinstance(answer, HoldfastError):
            raise answer
        self.lines.append(Line())
        return cast(Connection, self.lines[-1])


def reach(net: Net, *addresses: Address) -> Reach:
    return Reach(net.connect, addresses, first_pause=0.001, longest_pause=0.004)


async def test_the_first_address_that_answers_is_kept() -> None:
    net = Net(a=PeerUnreachable("no"), b="yes")
    found = reach(net, A, B, A)
    connection = await found.wait_connected(5)
    assert found.connected and connection is net.lines[0] and found.error is None
    assert sorted(net.dials) == ["a", "b"]
    await found.close()


async def test_a_lost_connection_is_dialled_again() -> None:
    net = Net(a="yes")
    found = reach(net, A)
    await found.wait_connected(5)
    net.lines[0].cut()
    await until(lambda: len(net.lines) == 2)
    assert await found.wait_connected(5) is net.lines[1]
    await found.close()


async def test_failures_are_repeated_until_somebody_is_there() -> None:
    net = Net(a=PeerUnreachable("not yet"))
    found = reach(net, A)
    await found.first()
    assert not found.connected and str(found.error) == "not yet"
    with pytest.raises(PeerUnreachable, match="not yet"):
        await found.wait_connected(0.01)
    net.answers["a"] = "yes"
    await found.wait_connected(5)
    await found.close()


async def test_the_failure_that_says_most_is_told() -> None:
    net = Net(a=HandshakeError("somebody else"), b=PeerUnreachable("silence"))
    found = reach(net, A, B)
    await found.first()
    assert str(found.error) == "somebody else"
    await found.close()


async def test_addresses_can_be_added_and_closing_stops_dialling() -> None:
    net = Net(a=PeerUnreachable("no"), b="yes")
    found = reach(net, A)
    await found.first()
    found.add([A, B])
    assert found.addresses == [A, B]
    await found.wait_connected(5)
    await found.close()
    dials = len(net.dials)
    net.lines[0].cut()
    for _ in range(10):
        await asyncio.sleep(0)
    assert len(net.dials) == dials
