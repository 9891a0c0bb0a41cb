"""A flipped bit in any file of a store: what drives and logs give is right, or the store says so.

What a reader holds is repaired from whoever has it. ``HOLDFAST_FLIPS`` says how many bits.
"""

from __future__ import annotations

import os
import random
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from holdfast.crypto import discovery_key, key_pair
from holdfast.errors import BlockNotAvailable, DamagedError
from holdfast.hyperdrive import Drive
from holdfast.net import dial, listen
from holdfast.node import Node
from holdfast.store import Store
from tests.faults.test_flips import Image
from tests.faults.workers import flipped
from tests.faults.workers.appending import KEY
from tests.faults.workers.flipped import Findings, Keys, content_of
from tests.faults.workers.sharing import path_of
from tests.support.links import joined

FLIPS = int(os.environ.get("HOLDFAST_FLIPS", "400"))
"""In all: a quarter for each kind of store."""


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory that needs no disk, for speed."""
    top = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(prefix="holdfast-flips-", dir=top) as name:
        monkeypatch.setenv("HOLDFAST_STATE", name + "/state")
        yield Path(name)


Try = Callable[[Path, Findings], Awaitable[None]]


async def flip_bits(source: Path, memory: Path, attempt: Try) -> None:
    """Flip bits of the store in ``source``, one at a time, and see what becomes of it."""
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance = random.Random(seed)
    image, store = Image(source), memory / "store"
    findings = Findings()
    wrong: list[str] = []
    image.lay_out(store)
    await attempt(store, findings)
    assert findings == {"right": 1}, f"the untouched store is right, {findings}"
    for _ in range(FLIPS // 4):
        name = chance.choice([name for name, content in image.files.items() if content])
        bit = position(image.files[name], chance)
        image.lay_out(store, name, bit)
        try:
            await attempt(store, findings)
        except Exception as error:
            wrong.append(f"{name}, byte {bit >> 3}, bit {bit & 7}: {error!r}")
    print(dict(findings))
    assert not wrong, "\n".join(wrong)
    assert findings["right"] > FLIPS // 40


def position(content: bytes, chance: random.Random) -> int:
    """A bit, mostly in a byte that means something."""
    byte = chance.randrange(len(content))
    for _ in range(50):
        if chance.random() < 0.05 or content[byte]:
            break
        byte = chance.randrange(len(content))
    return 8 * byte + chance.randrange(8)


@pytest.mark.faults
@pytest.mark.timeout(60 + FLIPS)
@pytest.mark.parametrize("kind", ["closed", "killed"])
async def test_a_store_of_our_own(kind: str, memory: Path) -> None:
    replica = await Store.open(None)

    async def filled(store: Store) -> Keys:
        keys = await flipped.fill(store)
        link = joined(store, replica)
        await flipped.fetch(replica, keys)
        link.cut()
        return keys

    keys = await flipped.closed_and_killed(memory, filled)

    async def attempt(store: Path, findings: Findings) -> None:
        await flipped.try_own(store, keys, findings, replica)

    await flip_bits(memory / kind, memory, attempt)


@pytest.mark.faults
@pytest.mark.timeout(60 + FLIPS)
@pytest.mark.parametrize("kind", ["closed", "killed"])
async def test_a_store_of_fetched_things(kind: str, memory: Path) -> None:
    writer = await Store.open(None)
    keys = await flipped.fill(writer)

    async def fetched(store: Store) -> Keys:
        link = joined(writer, store)
        await flipped.fetch(store, keys)
        link.cut()
        return keys

    await flipped.closed_and_killed(memory, fetched)
    shutil.rmtree(memory / "state", ignore_errors=True)

    async def attempt(store: Path, findings: Findings) -> None:
        await flipped.try_fetched(store, keys, findings, writer)

    await flip_bits(memory / kind, memory, attempt)


@pytest.mark.faults
async def test_a_node_repairs_the_tree_it_lost(memory: Path) -> None:
    """The whole way: a link, a socket, and a copy of which nothing but the contents is legible."""
    async with Node(await Store.open(memory / "owner")) as owner:
        drive = await owner.drive(name="docs")
        await drive.put("/a", content_of(3))
        await owner.share(drive)
        await owner.listen("127.0.0.1:0")
        link = owner.link(drive)
        async with Node(await Store.open(memory / "copy")) as node:
            await (await node.drive(link)).download()
        name = drive.core.discovery_key.hex()
        spoiled = [p for p in (memory / "copy/cores").rglob(f"{name}*") if p.suffix != ".data"]
        assert spoiled
        for path in spoiled:
            path.write_bytes(bytes(byte ^ 7 for byte in path.read_bytes()))
        async with Node(await Store.open(memory / "copy")) as node:
            copy = await node.drive(link)
            assert await copy.get("/a") == content_of(3)
    async with Node(await Store.open(memory / "copy")) as node:
        copy = await node.drive(link)
        assert await copy.get("/a", wait=False) == content_of(3)


@pytest.mark.faults
async def test_a_damaged_log_does_not_cost_the_others_their_peers(memory: Path) -> None:
    """A peer that asks for it gets no answer, and is served all else."""
    keys = await flipped.closed_and_killed(memory, flipped.fill)
    name = discovery_key(keys.log).hex()
    for path in (memory / "closed/cores").rglob(f"{name}*"):
        if path.suffix != ".data":
            path.write_bytes(bytes(byte ^ 7 for byte in path.read_bytes()))
    store, reader = await Store.open(memory / "closed"), await Store.open(None)
    listener = await listen("127.0.0.1:0", key_pair(), store.attach)
    address = listener.addresses[0]
    connection = await dial(address, key_pair(), on_open=reader.attach)
    damaged = reader.core(key=keys.log, encryption_key=KEY)
    with pytest.raises(BlockNotAvailable):
        await damaged.get(0, timeout=0.2)
    async with Drive(reader, keys.drive, encryption_key=KEY) as drive:
        await drive.update(wait=True, timeout=10)
        assert await drive.get(path_of(3), timeout=10) == content_of(3)
    assert not connection.closed
    with pytest.raises(DamagedError):
        store.core(name="log", encryption_key=KEY)
    connection.close()
    await listener.close()
    await store.close()
    await reader.close()
