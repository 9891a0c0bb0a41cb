"""Every system call that changes the disk, one after the other: dying there, and failing there."""

from __future__ import annotations

import asyncio
import errno
import multiprocessing
import multiprocessing.connection
import os
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from holdfast.errors import DiskFullError, StoreError
from holdfast.hypercore.backend import Change
from holdfast.storage import DirectoryStorage, MemoryStorage, Storage, open_storage
from tests.storage.logs import KEY, Writer

pytestmark = [pytest.mark.faults, pytest.mark.slow]

CALLS = ("pwrite", "pwritev", "ftruncate", "open", "replace", "unlink", "fsync", "fdatasync")
OTHER = bytes(32)


class Steps:
    """Counts the calls in `CALLS` and does something instead of one of them."""

    def __init__(self, at: int, happens: Callable[[str, tuple[object, ...]], None]) -> None:
        self.left = at
        self._happens = happens
        self._paused = False
        self._real = {name: getattr(os, name) for name in CALLS}

    def wrap(self, name: str) -> Callable[..., object]:
        real = self._real[name]

        def call(*arguments: object, **options: object) -> object:
            self.left -= not self._paused
            if self.left == 0 and not self._paused:
                self._happens(name, arguments)
            return real(*arguments, **options)

        return call

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Look without counting."""
        self._paused = True
        yield
        self._paused = False

    @contextmanager
    def counted(self) -> Iterator[None]:
        from holdfast.storage import disk

        data_sync = disk._data_sync
        for name in CALLS:
            setattr(os, name, self.wrap(name))
        disk._data_sync = os.fdatasync
        try:
            yield
        finally:
            disk._data_sync = data_sync
            for name, real in self._real.items():
                setattr(os, name, real)


# What a store goes through. Each step is one change: it happens or it does not.
Step = Callable[[Storage], None]


def _append(key: bytes, size: int, count: int) -> Step:
    def step(storage: Storage) -> None:
        writer = Writer(storage.core(key, own=True))
        writer.append(*[bytes([writer.length % 256]) * size for _ in range(count)])

    return step


def _truncate(storage: Storage) -> None:
    Writer(storage.core(KEY)).truncate(5)


def _clear(storage: Storage) -> None:
    backend = storage.core(OTHER)
    first, last = backend.leaf(1), backend.leaf(2)
    assert first is not None and last is not None
    backend.write(Change(absent=[(1, 2)]), durable=True)
    backend.punch(first.offset, last.offset + last.size - first.offset)


def _setting(storage: Storage) -> None:
    count = int(storage.get_setting("count") or 0)
    storage.set_setting("count", b"%d" % (count + 1))


def _checkpoint(storage: Storage) -> None:
    if isinstance(storage, DirectoryStorage):
        storage._engine.checkpoints.begin()
        storage._engine.checkpoints.join()


STEPS: list[Step] = [
    _append(KEY, 100, 3),
    _append(OTHER, 100, 4),
    _setting,
    _append(KEY, 20_000, 4),
    _append(OTHER, 50_000, 1),
    _clear,
    _checkpoint,
    _append(KEY, 100, 7),
    _truncate,
    _append(KEY, 30_000, 2),
    _checkpoint,
    _setting,
    _append(OTHER, 10, 1),
]


def state(storage: Storage) -> object:
    """Everything that can be read of a store."""
    logs = []
    for key in (KEY, OTHER):
        backend = storage.core(key)
        head = backend.head
        length = head.length if head else 0
        blocks = []
        for start, count in backend.present_ranges():
            for index in range(start, start + count):
                leaf = backend.leaf(index)
                assert leaf is not None
                blocks.append((index, backend.read(leaf.offset, leaf.size)))
        nodes = [backend.node(index) for index in range(2 * length)]
        logs.append((head, blocks, nodes))
    return logs, storage.settings()


def possible_states() -> list[object]:
    """The states that a store may be found in, by number of finished steps."""
    memory = MemoryStorage()
    states = [state(memory)]
    for step in STEPS:
        step(memory)
        states.append(state(memory))
    return states


def check(storage: Storage, states: list[object], done: int) -> int:
    """The store is as after ``done`` steps, or one more; returns which."""
    found = state(storage)
    assert found in states[done : done + 2], f"after {done} steps"
    return done if found == states[done] else done + 1


@pytest.fixture
def top() -> Iterator[Path]:
    """A directory in memory where there is one: syncing is free there, and dying is the same."""
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(prefix="holdfast-steps-", dir=memory) as name:
        yield Path(name)


# -- dying -----------------------------------------------------------------------------------------


def _die_at(
    directory: str, at: int, torn: bool, pipe: multiprocessing.connection.Connection
) -> None:
    def die(name: str, arguments: tuple[object, ...]) -> None:
        if torn and name == "pwrite":
            fd, data, offset = arguments
            real = steps._real["pwrite"]
            real(fd, memoryview(data)[: len(data) // 2], offset)  # type: ignore[arg-type]
        os.kill(os.getpid(), signal.SIGKILL)

    steps = Steps(at, die)
    with steps.counted():
        path = Path(directory)
        storage = open_storage(path / "store", state=path / "state")
        pipe.send(0)
        for number, step in enumerate(STEPS, 1):
            step(storage)
            pipe.send(number)
        asyncio.run(storage.close())
        pipe.send("closed")


@pytest.mark.parametrize("torn", [False, True])
@pytest.mark.timeout(240)
def test_dying_at_every_step(top: Path, torn: bool) -> None:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.faults.worker", "tests.faults.test_every_step"])
    states = possible_states()
    loop = asyncio.new_event_loop()
    for at in range(1, 1000):
        directory = top / str(at)
        directory.mkdir()
        receiver, sender = context.Pipe(duplex=False)
        process = context.Process(target=_die_at, args=(str(directory), at, torn, sender))
        process.start()
        sender.close()
        done: object = 0
        try:
            while True:
                done = receiver.recv()
        except EOFError:
            process.join()
        if done == "closed":
            break
        assert process.exitcode == -signal.SIGKILL, at
        assert isinstance(done, int)
        for _ in range(2):
            storage = open_storage(directory / "store", state=directory / "state")
            check(storage, states, done)
            loop.run_until_complete(storage.close())
    loop.close()
    assert at > 100, "there is something to count"


# -- failing ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
@pytest.mark.timeout(240)
def test_failing_at_every_step(top: Path, code: int) -> None:
    """Once: the step is as if it had not been, or the store stops; going on works either way."""
    states = possible_states()
    loop = asyncio.new_event_loop()

    def fail(name: str, arguments: tuple[object, ...]) -> None:
        raise OSError(code, os.strerror(code))

    for at in range(1, 1000):
        path = top / str(at)
        steps = Steps(at, fail)
        with steps.counted():
            storage = open_at_last(path)
            done = 0
            while done < len(STEPS):
                trouble: StoreError | None = None
                try:
                    STEPS[done](storage)
                    done += 1
                except StoreError as error:
                    trouble = error
                if not storage._engine.is_usable:
                    loop.run_until_complete(close_anyway(storage))
                    storage = open_at_last(path)
                elif trouble is not None:
                    assert isinstance(trouble, DiskFullError) and code == errno.ENOSPC
                with steps.paused():
                    done = check(storage, states, done)
            loop.run_until_complete(close_anyway(storage))
        storage = open_at_last(path)
        check(storage, states, done)
        loop.run_until_complete(storage.close())
        if steps.left > 0:
            break
    loop.close()
    assert at > 100, "there is something to count"


def open_at_last(path: Path) -> DirectoryStorage:
    """Open, again if the one failing call hit the opening."""
    try:
        return open_storage(path / "store", state=path / "state")
    except StoreError:
        return open_storage(path / "store", state=path / "state")


async def close_anyway(storage: DirectoryStorage) -> None:
    """Close; a failure while closing is reported, and nothing is lost by it."""
    try:
        await storage.close()
    except StoreError:
        pass
