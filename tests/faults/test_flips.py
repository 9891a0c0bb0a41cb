"""One flipped bit anywhere in a store: what is read is right, or the store says that it is damaged.

By default a sample of the bytes; ``HOLDFAST_FLIPS=all`` takes every byte.
"""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from holdfast.errors import StoreError
from holdfast.hypercore.backend import Backend, Change
from holdfast.storage import DirectoryStorage, open_storage
from holdfast.storage.lease import NAME as LEASE
from tests.storage.logs import BadBlock, Writer, check_log

SAMPLE = os.environ.get("HOLDFAST_FLIPS", "500")
PRIMARY_KEY = b"p" * 32
KEYS = [b"own log ".ljust(32), b"read log".ljust(32)]
BLOCKS = [
    [b"block %d " % i * (1 + i % 7) for i in range(21)],
    [os.urandom(11000) for _ in range(4)] + [b"end"],
]
SETTINGS = {"name": b"value", "other": b"\0\1\2"}


class Image:
    """The files of a store at one moment."""

    def __init__(self, directory: Path) -> None:
        self.files = {
            path.relative_to(directory): path.read_bytes()
            for path in sorted(directory.rglob("*"))
            if path.is_file() and path.name != LEASE and not path.name.endswith("-shm")
        }

    def lay_out(self, directory: Path, flipped: Path | None = None, bit: int = 0) -> None:
        """Write the files, one of them with a bit flipped."""
        shutil.rmtree(directory, ignore_errors=True)
        for name, content in self.files.items():
            path = directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if name == flipped:
                changed = bytearray(content)
                changed[bit >> 3] ^= 1 << (bit & 7)
                content = bytes(changed)
            path.write_bytes(content)

    def positions(self, chance: random.Random) -> Iterator[tuple[Path, int]]:
        """Bits to flip: one of each byte, or a sample with every file and few idle zeros."""
        for name, content in self.files.items():
            if SAMPLE == "all":
                chosen: list[int] | range = range(len(content))
            else:
                used = [i for i, byte in enumerate(content) if byte]
                share = max(20, int(SAMPLE) // len(self.files))
                chosen = chance.sample(used, min(share, len(used)))
                chosen += [chance.randrange(len(content)) for _ in range(share // 4) if content]
            for position in chosen:
                yield name, 8 * position + chance.randrange(8)


@pytest.fixture
def memory() -> Iterator[Path]:
    """A directory that needs no disk, for speed."""
    top = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(prefix="holdfast-flips-", dir=top) as name:
        yield Path(name)


def fill(storage: DirectoryStorage) -> None:
    """Two logs, one our own, in several changes; settings and a secret."""
    for key, blocks in zip(KEYS, BLOCKS, strict=True):
        backend = storage.core(key, own=key == KEYS[0])
        backend.write(Change(manifest=b"manifest of " + key), durable=False)
        writer = Writer(backend)
        writer.append(*blocks[:3])
        writer.append(*blocks[3:])
    for name, value in SETTINGS.items():
        storage.set_setting(name, value)
    storage.set_secret("hidden", b"treasure")


async def closed(directory: Path) -> None:
    """Everything in its place, the journals empty."""
    storage = open_storage(directory, primary_key=PRIMARY_KEY, state=directory.parent / "state")
    fill(storage)
    await storage.close()


async def crashed(directory: Path) -> None:
    """The process died: everything is in the journal, durable."""
    scratch = directory.with_name("scratch")
    storage = open_storage(scratch, primary_key=PRIMARY_KEY, state=directory.parent / "state")
    fill(storage)
    await storage.sync()
    shutil.copytree(scratch, directory)
    await storage.close()


async def crashed_unsynced(directory: Path) -> None:
    """The process died: half is in its place, half in the journal and not even synced."""
    scratch = directory.with_name("scratch")
    storage = open_storage(scratch, primary_key=PRIMARY_KEY, state=directory.parent / "state")
    for name, value in SETTINGS.items():
        storage.set_setting(name, value)
    storage.set_secret("hidden", b"treasure")
    writers = []
    for key, blocks in zip(KEYS, BLOCKS, strict=True):
        backend = storage.core(key, own=key == KEYS[0])
        backend.write(Change(manifest=b"manifest of " + key), durable=False)
        writers.append(Writer(backend))
        writers[-1].append(*blocks[:3])
    storage._engine.checkpoints.run_all()
    for writer, blocks in zip(writers, BLOCKS, strict=True):
        writer.append(*blocks[3:])
    shutil.copytree(scratch, directory)
    await storage.close()


class Findings(Counter[str]):
    """What became of each flip."""

    def read(self, what: str, check: Callable[[], None]) -> None:
        """``check`` passes, or the trouble is reported; an AssertionError is silent damage."""
        try:
            check()
        except (StoreError, BadBlock):
            self["loud"] += 1


def check_everything(storage: DirectoryStorage, findings: Findings, more: int = 0) -> None:
    """Read all there is; ``more`` is how many blocks were appended to each log afterwards."""
    assert storage.primary_key == PRIMARY_KEY
    for key, blocks in zip(KEYS, BLOCKS, strict=True):
        findings.read("log", lambda key=key, blocks=blocks: check_one(storage, key, blocks, more))
    for name, value in SETTINGS.items():
        findings.read("setting", lambda n=name, v=value: equal(storage.get_setting(n), v))
    findings.read("secret", lambda: equal(storage.get_secret("hidden"), b"treasure"))


def check_one(storage: DirectoryStorage, key: bytes, blocks: list[bytes], more: int) -> None:
    backend: Backend = storage.core(key, create=True)
    equal(backend.manifest, b"manifest of " + key)
    check_log(backend, blocks + [b"more"] * more)
    equal([info.own for info in storage.cores() if info.key == key], [key == KEYS[0]])


def equal(found: object, wanted: object) -> None:
    assert found == wanted


def try_store(directory: Path, loop: asyncio.AbstractEventLoop, findings: Findings) -> None:
    """Open, read, and when all is well go on writing and read again."""
    try:
        storage = open_storage(directory, state=directory.parent / "state")
    except StoreError:
        findings["refused"] += 1
        return
    before = findings["loud"]
    try:
        check_everything(storage, findings)
        grown = 0
        if findings["loud"] == before:
            for key in KEYS:
                Writer(storage.core(key)).append(b"more")
            grown = 1
    finally:
        try:
            loop.run_until_complete(storage.close())
        except StoreError:
            findings["loud at close"] += 1
    if findings["loud"] > before:
        return
    try:
        storage = open_storage(directory, state=directory.parent / "state")
    except StoreError:
        findings["refused later"] += 1
        return
    try:
        check_everything(storage, findings, grown)
        findings["right"] += findings["loud"] == before
    finally:
        loop.run_until_complete(storage.close())


@pytest.mark.faults
@pytest.mark.slow
@pytest.mark.timeout(24 * 3600 if SAMPLE == "all" else 300)
@pytest.mark.parametrize("make", [closed, crashed, crashed_unsynced])
def test_no_flipped_bit_goes_unnoticed(
    make: Callable[[Path], object], tmp_path: Path, memory: Path
) -> None:
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance = random.Random(seed)
    loop = asyncio.new_event_loop()
    loop.run_until_complete(make(tmp_path / "store"))  # type: ignore[arg-type]
    image = Image(tmp_path / "store")
    findings = Findings()
    store = memory / "store"
    image.lay_out(store)
    try_store(store, loop, findings)
    assert findings == {"right": 1}, "the untouched store is right"
    for name, bit in image.positions(chance):
        image.lay_out(store, name, bit)
        try:
            try_store(store, loop, findings)
        except BaseException as error:
            raise AssertionError(f"{name}, byte {bit >> 3}, bit {bit & 7}: {error!r}") from error
    loop.close()
    print(dict(findings))
    assert findings["right"] > 10
