"""A hostile process on a real socket: it costs little, and honest peers are served meanwhile."""

from __future__ import annotations

import asyncio
import random
import resource
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from holdfast.crypto import key_pair
from holdfast.errors import StaleWriterError, UnavailableError
from holdfast.net import Connection, Limits, dial, listen
from holdfast.net.listener import BACKLOG
from holdfast.store import Store, guard
from holdfast.wire import SecretStream
from tests.faults.workers import sharing
from tests.faults.workers.appending import KEY
from tests.faults.workers.children import Child
from tests.faults.workers.content import block
from tests.faults.workers.hostile import (
    Intruder,
    Watch,
    after_the_handshake,
    before_the_handshake,
    connect,
    endless,
    hung_up,
)

pytestmark = [
    pytest.mark.faults,
    pytest.mark.timeout(120),
    pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads /proc of Linux"),
]

BLOCKS = 40
MEMORY = 16 << 20
"""Bytes that an attack may cost while it lasts."""
WITHIN = 5.0
"""Seconds in which an honest peer must be connected."""
SOURCES = 250


class Victim:
    """A process that shares a log, watched from outside."""

    def __init__(self) -> None:
        self._child = Child(sharing.main, BLOCKS, 0)
        ready = self._child.wait_for("ready")
        self.port = int(ready["port"])
        self.key = bytes.fromhex(ready["log"])
        asyncio.run(self.serve_somebody())
        self.watch = Watch(self._child.process.pid or 0)

    async def serve_somebody(self) -> float:
        """An honest peer connects and gets everything; returns after how many seconds it could."""
        store = await Store.open(None)
        began = time.monotonic()
        connection = await self._connect(store)
        took = time.monotonic() - began
        core = store.core(key=self.key, encryption_key=KEY)
        await core.update(wait=True, timeout=10)
        await asyncio.wait_for(core.download(0, BLOCKS).done(), 20)
        for index in range(BLOCKS):
            assert core.get_local(index) == block(0, index, sharing.RECEIVED_SIZES)
        connection.close()
        await connection.wait_closed()
        await store.close()
        return took

    async def _connect(self, store: Store) -> Connection:
        async with asyncio.timeout(WITHIN):
            while True:
                try:
                    return await dial(
                        f"127.0.0.1:{self.port}", key_pair(), on_open=store.attach, timeout=2
                    )
                except UnavailableError:
                    await asyncio.sleep(0.05)

    def check(self) -> None:
        """It is well and has not grown; its descriptors are back soon."""
        assert self._child.process.is_alive()
        deadline = time.monotonic() + 10
        while self.watch.files > self.watch.files_before:
            assert time.monotonic() < deadline, "descriptors stay open"
            time.sleep(0.01)
        grown, files = self.watch.grown
        print(f"at most {grown >> 10} KiB and {files} descriptors more")
        assert grown < MEMORY

    def end(self) -> None:
        self._child.kill()


@pytest.fixture
def victim(tmp_path: Path) -> Iterator[Victim]:
    made = Victim()
    yield made
    made.end()


@pytest.fixture
def many_files() -> Iterator[int]:
    """How many descriptors this process may open now (the victim was started before)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = max(soft, min(hard, 4096))
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    yield allowed - 500
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_garbage_instead_of_a_handshake(victim: Victim) -> None:
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance = random.Random(seed)
    for number in range(600):
        with hung_up(), connect(victim.port, number % SOURCES) as knock:
            knock.sendall(before_the_handshake(chance))
        victim.watch.look()
    assert asyncio.run(victim.serve_somebody()) < WITHIN
    victim.check()


def test_garbage_after_a_handshake(victim: Victim) -> None:
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance = random.Random(seed)
    for number in range(120):
        with hung_up():
            intruder = Intruder(victim.port, number % SOURCES)
            with hung_up():
                if chance.random() < 0.3:
                    intruder.raw(chance.choice([b"\xff\xff\xff", b"\x30\x00\x00"]) + bytes(3000))
                else:
                    intruder.say(*after_the_handshake(chance, victim.key, intruder.stream))
            victim.watch.look()
            intruder.close()
    assert asyncio.run(victim.serve_somebody()) < WITHIN
    victim.check()


def test_a_sealed_message_that_was_changed_ends_the_connection(victim: Victim) -> None:
    intruder = Intruder(victim.port)
    intruder.raw(b"\x30\x00\x00" + bytes(0x30))
    assert intruder.wait_until_thrown_out()
    intruder.close()
    victim.check()


async def test_a_claim_without_proof_does_not_stop_a_writer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An older copy must wait for what a peer says it has, but not for ever."""
    monkeypatch.setenv("HOLDFAST_STATE", str(tmp_path / "state"))
    monkeypatch.setattr(guard, "PROOF_WITHIN", 0.5)
    store = await Store.open(tmp_path / "store")
    await store.core(name="log").append(b"one")
    await store.close()
    store = await Store.open(tmp_path / "store")
    core = store.core(name="log")
    listener = await listen("127.0.0.1:0", key_pair(), store.attach)
    intruder = await asyncio.to_thread(Intruder, listener.addresses[0].port)
    intruder.say(*endless(core.key, intruder.stream))
    async with asyncio.timeout(10):
        while not any(peer.remote.synced for peer in core.peers):  # noqa: ASYNC110 - no such event
            await asyncio.sleep(0.01)
        with pytest.raises(StaleWriterError):
            await core.append(b"two")
        while core.length < 2:
            with suppress(StaleWriterError):
                await core.append(b"two")
            await asyncio.sleep(0.05)
    intruder.close()
    await listener.close()
    await store.close()


@pytest.mark.parametrize("greet", [False, True], ids=["silent", "first message"])
def test_thousands_of_handshakes_that_do_not_end(
    victim: Victim, many_files: int, greet: bool
) -> None:
    """From many addresses; every one is held open as long as the victim lets it."""
    seed = random.randrange(1 << 32)
    chance = random.Random(seed)
    flood = Flood(victim, min(2000, many_files), chance if greet else None)
    flood.start()
    flood.half.wait(60)
    took = asyncio.run(victim.serve_somebody())
    flood.join(60)
    again = asyncio.run(victim.serve_somebody())
    print(f"connected in {took:.2f} s amid {flood.made} knocks, {again:.2f} s after them")
    _, files = victim.watch.grown
    assert files <= Limits().handshakes + 3 * BACKLOG, "many come in one turn of the loop"
    flood.end()
    victim.check()


def test_dribbling(victim: Victim) -> None:
    """A byte now and then, from many addresses, does not keep anybody out."""
    hello = before_the_handshake(random.Random(1)) or bytes(100)
    knocks = [connect(victim.port, number) for number in range(300)]
    for position in range(10):
        for knock in knocks:
            with hung_up():
                knock.send(hello[position : position + 1])
        victim.watch.look()
    assert asyncio.run(victim.serve_somebody()) < WITHIN
    for knock in knocks:
        knock.close()
    victim.check()


class Flood(threading.Thread):
    """Knocks as fast as it can, and keeps every connection open."""

    def __init__(self, victim: Victim, count: int, greet: random.Random | None) -> None:
        super().__init__(daemon=True)
        self._victim = victim
        self._count = count
        self._greet = greet
        self._knocks: list[socket.socket] = []
        self.half = threading.Event()
        self.made = 0

    def run(self) -> None:
        hellos = [Greeting(self._greet) for _ in range(50)] if self._greet else []
        for number in range(self._count):
            with hung_up():
                knock = connect(self._victim.port, number % SOURCES)
                self._knocks.append(knock)
                if hellos:
                    knock.sendall(hellos[number % 50].bytes)
            self.made = number + 1
            if self.made == self._count // 2:
                self.half.set()
            if number % 50 == 0:
                self._victim.watch.look()

    def end(self) -> None:
        """Let all connections go."""
        for knock in self._knocks:
            knock.close()


class Greeting:
    """A first message of a handshake."""

    def __init__(self, chance: random.Random) -> None:
        stream = SecretStream(True, key_pair(chance.randbytes(32)))
        self.bytes = b"".join(map(bytes, stream.to_send(0.0)))
