"""Random histories on a directory against the memory twin, with crashes in between."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from holdfast.hypercore.backend import Backend, BlockWrite, Change
from holdfast.storage import DirectoryStorage, MemoryStorage, open_storage
from tests.storage.logs import KEY, Writer

KEYS = (KEY, bytes(32))
SIZES = st.sampled_from([0, 1, 100, 4096, 20000, 40000, 70000])


class StoreMachine(RuleBasedStateMachine):
    """Does the same to both, and compares everything that can be read."""

    @initialize()
    def begin(self) -> None:
        memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
        self.top = Path(tempfile.mkdtemp(prefix="holdfast-model-", dir=memory))
        self.loop = asyncio.new_event_loop()
        self.generation = 0
        self.disk = self._open()
        self.memory = MemoryStorage()
        self.fills = 0
        self._writers()

    def _open(self) -> DirectoryStorage:
        return open_storage(self.top / str(self.generation), state=self.top / "state")

    def _writers(self) -> None:
        self.writers = [(Writer(self.disk.core(k)), Writer(self.memory.core(k))) for k in KEYS]

    def teardown(self) -> None:
        if hasattr(self, "disk"):
            self.loop.run_until_complete(self.disk.close())
            self.loop.close()
            shutil.rmtree(self.top)

    @rule(log=st.integers(0, 1), sizes=st.lists(SIZES, min_size=1, max_size=6))
    def append(self, log: int, sizes: list[int]) -> None:
        self.fills += 1
        blocks = [bytes([self.fills % 256]) * size for size in sizes]
        for writer in self.writers[log]:
            writer.append(*blocks)

    @rule(log=st.integers(0, 1), part=st.floats(0, 1))
    def truncate(self, log: int, part: float) -> None:
        for writer in self.writers[log]:
            if writer.length:
                writer.truncate(int(writer.length * part))

    @rule(log=st.integers(0, 1), part=st.floats(0, 1), count=st.integers(1, 5))
    def clear(self, log: int, part: float, count: int) -> None:
        disk, memory = self.writers[log]
        start = int(disk.length * part)
        count = min(count, disk.length - start)
        if count <= 0:
            return
        first, last = disk.backend.leaf(start), disk.backend.leaf(start + count - 1)
        assert first is not None and last is not None
        for writer in (disk, memory):
            writer.backend.write(Change(absent=[(start, count)]), durable=True)
            writer.backend.punch(first.offset, last.offset + last.size - first.offset)

    @rule(log=st.integers(0, 1), part=st.floats(0, 0.99))
    def fetch_again(self, log: int, part: float) -> None:
        disk, memory = self.writers[log]
        if not disk.length:
            return
        index = int(disk.length * part)
        leaf = disk.backend.leaf(index)
        assert leaf is not None
        data = bytes([index % 256]) * leaf.size
        for writer in (disk, memory):
            if not writer.backend.has(index):
                writer.backend.write(
                    Change(
                        leaves=[leaf._replace(hash=_hash(data))],
                        blocks=[BlockWrite(index, leaf.offset, [data])],
                        present=[(index, 1)],
                    ),
                    durable=False,
                )

    @rule(name=st.sampled_from("abc"), value=st.none() | st.binary(max_size=20))
    def keep_setting(self, name: str, value: bytes | None) -> None:
        self.disk.set_setting(name, value)
        self.memory.set_setting(name, value)

    @rule(log=st.integers(0, 1), value=st.binary(min_size=1, max_size=20))
    def learn_manifest(self, log: int, value: bytes) -> None:
        for writer in self.writers[log]:
            writer.backend.write(Change(manifest=value), durable=False)

    @rule()
    def sync(self) -> None:
        self.loop.run_until_complete(self.disk.sync())

    @rule()
    def begin_checkpoint(self) -> None:
        self.disk._engine.checkpoints.join()
        self.disk._engine.checkpoints.begin()

    @rule()
    def finish_checkpoint(self) -> None:
        self.disk._engine.checkpoints.join()

    @rule()
    def close_and_open(self) -> None:
        self.loop.run_until_complete(self.disk.close())
        self.disk = self._open()
        self._writers()

    @rule()
    def crash(self) -> None:
        """The process dies: what the files hold at this moment is what there is."""
        before = self.top / str(self.generation)
        self.generation += 1
        shutil.copytree(before, self.top / str(self.generation))
        self.loop.run_until_complete(self.disk.close())
        shutil.rmtree(before)
        self.disk = self._open()
        self._writers()

    @invariant()
    def same_everywhere(self) -> None:
        if not hasattr(self, "disk"):
            return
        for disk, memory in self.writers:
            _compare(disk.backend, memory.backend)
        assert self.disk.settings() == self.memory.settings()


def _hash(data: bytes) -> bytes:
    from holdfast.hypercore.tree import leaf_hash

    return leaf_hash(data)


def _compare(disk: Backend, memory: Backend) -> None:
    assert disk.head == memory.head
    assert disk.manifest == memory.manifest
    assert disk.present_ranges() == memory.present_ranges()
    length = disk.head.length if disk.head else 0
    for index in range(2 * length + 2):
        assert disk.node(index) == memory.node(index), index
    for start, count in disk.present_ranges():
        for index in range(start, start + count):
            leaf = disk.leaf(index)
            assert leaf is not None and leaf == memory.leaf(index)
            assert disk.read(leaf.offset, leaf.size) == memory.read(leaf.offset, leaf.size)


TestStore = StoreMachine.TestCase
_EXAMPLES = max(10, (settings.default.max_examples if settings.default else 50) // 2)
TestStore.settings = settings(max_examples=_EXAMPLES, stateful_step_count=25, deadline=None)
