"""Two machines that can only dial out exchange a drive through a relay, which learns nothing."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import random
import re
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from holdfast.crypto import KeyPair, key_pair
from holdfast.errors import HoldfastError
from holdfast.hyperdrive import Drive
from holdfast.net import Connection
from holdfast.store import Store
from tests.e2e.proxy import Wire, wire
from tests.faults.workers.canaries import canary, found
from tests.net.relaying import Leaner

pytestmark = pytest.mark.e2e

SIZE = int(os.environ.get("HOLDFAST_RELAY_BYTES", 24_000_000))
SECRET = os.urandom(32)
ALICE, BOB = key_pair(), key_pair()


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what other processes bring about."""
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - no event exists for what tests look at
            await asyncio.sleep(0.005)


class RelayProcess:
    """A real relay, which can be killed and started again on its ports."""

    def __init__(self) -> None:
        self.tcp = self.web = "127.0.0.1:0"
        self.process: asyncio.subprocess.Process

    async def start(self) -> None:
        ports = [address.rpartition(":")[2] for address in (self.tcp, self.web)]
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.e2e.relay_process", *ports, stdout=asyncio.subprocess.PIPE
        )
        assert self.process.stdout is not None
        said = json.loads(await asyncio.wait_for(self.process.stdout.readline(), 30))
        self.tcp, self.web = said["tcp"], said["web"]

    async def stop(self, how: int = signal.SIGTERM) -> str:
        if self.process.returncode is None:
            self.process.send_signal(how)
        assert self.process.stdout is not None
        said = await self.process.stdout.read()
        await self.process.wait()
        return said.decode()

    def memory(self) -> bytes:
        """All of its memory that can be read."""
        found = []
        maps = Path(f"/proc/{self.process.pid}/maps").read_text()
        with open(f"/proc/{self.process.pid}/mem", "rb", 0) as memory:
            for start, end in re.findall(r"^([0-9a-f]+)-([0-9a-f]+) rw", maps, re.MULTILINE):
                memory.seek(int(start, 16))
                try:
                    found.append(memory.read(int(end, 16) - int(start, 16)))
                except OSError:
                    continue
        return b"\n".join(found)


@asynccontextmanager
async def relay_process() -> AsyncIterator[RelayProcess]:
    relay = RelayProcess()
    await relay.start()
    try:
        yield relay
    finally:
        await relay.stop()


class Node:
    """A store whose owner can only dial one relay."""

    def __init__(self, key: KeyPair, store: Store) -> None:
        self.store = store
        self.leaner = Leaner(key)
        self.leaner.relays._on_open = self.attach
        self.met: list[Connection] = []
        self._keeping: asyncio.Task[None] | None = None

    def attach(self, connection: Connection) -> None:
        self.met.append(connection)
        self.store.attach(connection)

    def seek(self, topic: bytes) -> None:
        """Hold a connection with whoever has something, found by its topic alone."""
        keys: asyncio.Queue[bytes] = asyncio.Queue()
        self.leaner.finder.lookup(topic, lambda candidate: keys.put_nowait(candidate.public_key))

        async def keep() -> None:
            while True:
                key = await keys.get()
                try:
                    connection = await self.leaner.dialer.connect(key, on_open=self.attach)
                except HoldfastError:
                    continue
                await connection.wait_closed()

        self._keeping = asyncio.ensure_future(keep())

    async def close(self) -> None:
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.gather(self._keeping, return_exceptions=True)
        await self.leaner.close()


@asynccontextmanager
async def node(key: KeyPair, directory: Path, relay: str) -> AsyncIterator[Node]:
    async with await Store.open(directory, durability="process") as store:
        made = Node(key, store)
        try:
            await made.leaner.lean(relay)
            yield made
        finally:
            await made.close()


def content(canaries: list[bytes]) -> bytes:
    """Random bytes with secrets planted all over."""
    chance = random.Random(3)
    data = bytearray(os.urandom(SIZE))
    for start in range(0, SIZE - 100, 50_000):
        secret = canaries[chance.randrange(len(canaries))]
        data[start : start + len(secret)] = secret
    return bytes(data)


async def received(drive: Drive) -> str:
    """The hash of the file, once it has all come."""
    while drive.version <= 1:
        await drive.update(wait=True)
    return hashlib.sha256(await drive.get("/film")).hexdigest()


@pytest.mark.parametrize("way", ["tcp", "web"])
async def test_a_drive_goes_through_a_relay_that_learns_nothing_of_it(
    tmp_path: Path, way: str
) -> None:
    chance = random.Random(1)
    canaries = [canary(chance, "film") for _ in range(20)]
    data = content(canaries)
    async with relay_process() as relay:
        address = relay.tcp if way == "tcp" else f"ws://{relay.web}/"
        async with (
            node(ALICE, tmp_path / "a", address) as alice,
            node(BOB, tmp_path / "b", address) as bob,
            Drive(alice.store, encryption_key=SECRET) as own,
        ):
            await own.put("/film", data)
            await own.put("/name-" + canaries[0].decode(), b"")
            alice.leaner.finder.announce(own.core.discovery_key)
            async with Drive(bob.store, own.key, encryption_key=SECRET) as other:
                bob.seek(own.core.discovery_key)
                half = asyncio.ensure_future(received(other))
                # Look while it goes on, when most would be there, and again when it has gone.
                await until(lambda: held(other) >= 20)
                memory = await asyncio.to_thread(relay.memory)
                assert await half == hashlib.sha256(data).hexdigest()
                memory += await asyncio.to_thread(relay.memory)
            assert {each.route for each in alice.met + bob.met} == {"relayed"}
            # That the scan works: what a relay knows is there.
            assert ALICE.public_key in memory and BOB.public_key in memory
            secrets = [*canaries, SECRET, ALICE.seed, BOB.seed, own.key, own.core.discovery_key]
            assert found(secrets, memory) == []
        said = await relay.stop()
        assert json.loads(said)["carried"] > SIZE


@pytest.mark.parametrize("whose", ["sharer", "getter"])
async def test_a_link_that_drops_is_made_anew_and_the_transfer_goes_on(
    tmp_path: Path, whose: str
) -> None:
    data = os.urandom(SIZE)
    async with relay_process() as relay:
        with wire(relay.tcp) as line:
            ways = {"sharer": relay.tcp, "getter": relay.tcp, whose: line.address}
            async with (
                node(ALICE, tmp_path / "a", ways["sharer"]) as alice,
                node(BOB, tmp_path / "b", ways["getter"]) as bob,
                Drive(alice.store) as own,
            ):
                await own.put("/film", data)
                alice.leaner.finder.announce(own.core.discovery_key)
                async with Drive(bob.store, own.key) as other:
                    got = asyncio.ensure_future(received(other))
                    bob.seek(own.core.discovery_key)
                    for _ in range(3):
                        await hang_up_midway(line, bob, other)
                    assert await got == hashlib.sha256(data).hexdigest()
                assert len(bob.met) >= 4


async def hang_up_midway(line: Wire, bob: Node, drive: Drive) -> None:
    """Break the wire once a connection over it has carried something."""
    met = len(bob.met)
    before = held(drive)
    await until(lambda: held(drive) >= before + 20)
    await asyncio.to_thread(line.hang_up)
    await until(lambda: len(bob.met) > met)


def held(drive: Drive) -> int:
    blobs = drive._state._blobs
    return 0 if blobs is None else sum(blobs.core.has(i) for i in range(blobs.core.length))


async def test_a_relay_that_is_killed_and_started_again_is_leant_on_again(tmp_path: Path) -> None:
    data = os.urandom(SIZE)
    async with (
        relay_process() as relay,
        node(ALICE, tmp_path / "a", relay.tcp) as alice,
        node(BOB, tmp_path / "b", f"ws://{relay.web}/") as bob,
        Drive(alice.store) as own,
    ):
        await own.put("/film", data)
        alice.leaner.finder.announce(own.core.discovery_key)
        async with Drive(bob.store, own.key) as other:
            got = asyncio.ensure_future(received(other))
            bob.seek(own.core.discovery_key)
            await until(lambda: held(other) >= 20)
            await relay.stop(signal.SIGKILL)
            await relay.start()
            assert await got == hashlib.sha256(data).hexdigest()
        assert len(bob.met) == 2
