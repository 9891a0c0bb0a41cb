"""Strangers who only ever send first handshake messages (threat P1)."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from holdfast.crypto import KeyPair, blake2b, key_pair
from holdfast.dht.commands import PEER_HANDSHAKE
from holdfast.dht.handshake import PeerHandshake
from holdfast.dht.handshake_messages import Handshake, Mode
from holdfast.dht.handshake_table import HandshakeLimits
from holdfast.dht.ids import pack
from holdfast.dht.nat import Firewall
from holdfast.dht.noise_payload import NoisePayload, RelayThrough, UdxInfo
from holdfast.dht.packet import Frame
from holdfast.net.dht.incoming import Incoming
from holdfast.net.dht.server import DhtServer
from tests.net.dht_world import SERVER, DhtWorld, descriptors, dht_world, exchange

MESSAGES = int(os.environ.get("HOLDFAST_FLOOD", "1500"))
"""10,000 is the promise; each costs the attacker in this test half a millisecond, too."""
SOURCES = 250
ROOM = 16 * 1024 * 1024
"""Bytes that it may cost us."""
PATIENCE = 5.0
"""Seconds within which an honest peer must get through meanwhile."""

LIMITS = HandshakeLimits()


@pytest.fixture
async def world() -> AsyncIterator[DhtWorld]:
    async with asyncio.timeout(100), dht_world(3) as world:
        yield world


def first_message(
    client: KeyPair, number: int, *, firewall: Firewall = Firewall.UNKNOWN, **more: RelayThrough
) -> bytes:
    """A valid one, from a client that will never go on."""
    hello = NoisePayload(firewall=firewall, udx=UdxInfo(number), **more)
    return PeerHandshake(client, SERVER.public_key).write(hello)


def datagram(noise: bytes, to: tuple[str, int], number: int, **more: tuple[str, int]) -> bytes:
    mode = Mode.RELAY if more else Mode.CLIENT
    value = Handshake(mode, noise, **more).encode()
    target = blake2b(SERVER.public_key)
    frame = Frame(PEER_HANDSHAKE, internal=False, id32=None, token=None, target=target, value=value)
    return frame.encode(number.to_bytes(2, "little"), pack(to))


def resident() -> int:
    """Bytes of memory in use."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Attackers:
    """Sockets at addresses of their own."""

    def __init__(self, count: int) -> None:
        self.sockets = []
        for number in range(count):
            each = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            each.bind((f"127.1.{number // 250}.{1 + number % 250}", 0))
            each.setblocking(False)
            self.sockets.append(each)

    def close(self) -> None:
        for each in self.sockets:
            each.close()

    def answered(self) -> int:
        """Bytes that came back to all of them."""
        total = 0
        for each in self.sockets:
            try:
                while True:
                    total += len(each.recv(4096))
            except BlockingIOError:
                pass
        return total


async def test_a_flood_costs_little_and_keeps_nobody_out(world: DhtWorld) -> None:
    server = await world.listen(await world.node())
    honest = await world.node()
    to = (server.dht.host, server.dht.port)
    thief = key_pair()
    packets = [
        datagram(first_message(thief if number % 2 else key_pair(), number), to, number)
        for number in range(MESSAGES)
    ]
    attackers = Attackers(SOURCES)
    try:
        memory, files = resident(), descriptors()
        flooding = asyncio.ensure_future(flood(attackers, packets, to))
        loop = asyncio.get_running_loop()
        worst, most = 0.0, 0
        while not flooding.done():
            began = loop.time()
            ours = await world.connect(honest, client=key_pair())
            worst = max(worst, loop.time() - began)
            await exchange(ours, await world.served.get(), 1000)
            most = max(most, len(server.handshakes))
            ours.close()
        sent = await flooding
        print(f"{MESSAGES} messages: an honest peer waited {worst:.3f} s at most")
        assert worst < PATIENCE
        assert most <= LIMITS.pending
        assert len(server.dht.server_socket.table) <= LIMITS.pending + 100
        assert descriptors() <= files + 2
        assert resident() - memory < ROOM
        assert attackers.answered() <= 3 * sent
    finally:
        attackers.close()


async def flood(attackers: Attackers, packets: list[bytes], to: tuple[str, int]) -> int:
    """Send all, from one address after the other; returns the bytes."""
    for number, packet in enumerate(packets):
        attackers.sockets[number % len(attackers.sockets)].sendto(packet, to)
        if number % 20 == 0:
            await asyncio.sleep(0)
    return sum(map(len, packets))


async def test_the_same_message_again_costs_nothing(world: DhtWorld) -> None:
    server = await world.listen(await world.node())
    to = (server.dht.host, server.dht.port)
    noise = first_message(key_pair(), 1)
    attackers = Attackers(50)
    try:
        await flood(attackers, [datagram(noise, to, number) for number in range(500)], to)
        await world.connect(await world.node())
        assert len(server.handshakes) == 2
    finally:
        attackers.close()


async def test_a_client_does_not_choose_whom_we_dial(
    world: DhtWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key to relay through is only a word of a stranger: nobody is looked up for it."""
    server = await world.listen(await world.node())
    to = (server.dht.host, server.dht.port)
    monkeypatch.setattr(server.dht, "query", None)
    through = RelayThrough(key_pair().public_key, bytes(32))
    noise = first_message(key_pair(), 1, relay_through=through)
    attackers = Attackers(1)
    try:
        streams = len(server.dht.server_socket.table)
        await flood(attackers, [datagram(noise, to, 1)], to)
        await world.connect(await world.node())
        assert len(server.handshakes) == 2
        assert len(server.dht.server_socket.table) == streams + 2
    finally:
        attackers.close()


async def test_who_says_that_it_is_open_gets_no_more_than_it_sent(world: DhtWorld) -> None:
    """We write to an open client first; the address may be a victim's."""
    server = await world.listen(await world.node())
    to = (server.dht.host, server.dht.port)
    attackers = Attackers(2)
    try:
        relay, victim = attackers.sockets
        noise = first_message(key_pair(), 1, firewall=Firewall.OPEN)
        packet = datagram(noise, to, 1, peer_address=victim.getsockname())
        relay.sendto(packet, to)
        incoming = await begun(server)
        connection = incoming.connection
        assert connection is not None
        incoming.give_up()
        await connection.wait_closed()
        assert 0 < attackers.answered() <= 3 * len(packet)
    finally:
        attackers.close()


async def begun(server: DhtServer) -> Incoming:
    """The first of its handshakes, once it is there."""
    while not len(server.handshakes):  # noqa: ASYNC110
        await asyncio.sleep(0)
    return next(iter(server.handshakes))
