"""The memory twin: a store without a directory, for tests, simulations and throw-away peers."""

from __future__ import annotations

from bisect import bisect_left, insort
from pathlib import Path

from holdfast.crypto import discovery_key, random_bytes
from holdfast.encoding.bitfield import Bitfield
from holdfast.errors import ClosedError, NotFoundError
from holdfast.hypercore.backend import BlockWrite, Change, Head, Leaf
from holdfast.hypercore.tree import Node
from holdfast.storage.interface import CoreInfo
from holdfast.storage.ranges import present_ranges, spans_beyond


class MemoryBackend:
    """One log in dictionaries. Never raises `DamagedError` or `DiskFullError`."""

    def __init__(self, store: MemoryStorage, key: bytes, own: bool) -> None:
        self.key = key
        self.discovery_key = discovery_key(key)
        self.own = own
        self._store = store
        self._head: Head | None = None
        self._manifest: bytes | None = None
        self._leaves: dict[int, Leaf] = {}
        self._nodes: dict[int, Node] = {}
        self._present = Bitfield()
        self._data: dict[int, bytes] = {}
        self._starts: list[int] = []

    @property
    def head(self) -> Head | None:
        return self._head

    @property
    def manifest(self) -> bytes | None:
        return self._manifest

    def leaf(self, index: int) -> Leaf | None:
        self._store.check_open()
        return self._leaves.get(index)

    def node(self, index: int) -> Node | None:
        self._store.check_open()
        if index & 1:
            return self._nodes.get(index)
        leaf = self._leaves.get(index >> 1)
        return None if leaf is None else Node(index, leaf.size, leaf.hash)

    def has(self, index: int) -> bool:
        self._store.check_open()
        return self._present.get(index)

    def present_ranges(self) -> list[tuple[int, int]]:
        self._store.check_open()
        return present_ranges(self._present)

    def read(self, offset: int, size: int) -> bytes:
        self._store.check_open()
        exact = self._data.get(offset)
        if exact is not None and len(exact) >= size:
            return exact[:size]
        end = self._starts[-1] + len(self._data[self._starts[-1]]) if self._starts else 0
        out = bytearray(max(0, min(size, end - offset)))
        for start in self._starts[max(0, bisect_left(self._starts, offset) - 1) :]:
            if start >= offset + len(out):
                break
            piece = self._data[start]
            low, high = max(start, offset), min(start + len(piece), offset + len(out))
            if low < high:
                out[low - offset : high - offset] = piece[low - start : high - start]
        return bytes(out)

    def write(self, change: Change, *, durable: bool) -> int:
        self._store.check_open()
        if change.truncate is not None:
            self._truncate(change.truncate)
        if change.head is not None:
            self._head = change.head
        if change.manifest is not None:
            self._manifest = change.manifest
        for leaf in change.leaves:
            self._leaves[leaf.index] = leaf
        for node in change.nodes:
            self._nodes[node.index] = node
        for run in change.blocks:
            self._keep(run)
        for start, count in change.present:
            self._present.set_range(start, count, True)
        for start, count in change.absent:
            self._present.set_range(start, count, False)
        return self._store.next_ticket(self)

    def _keep(self, run: BlockWrite) -> None:
        offset = run.offset
        for block in run.data:
            if not len(block):
                continue
            if offset not in self._data:
                if self._starts and offset < self._starts[-1]:
                    insort(self._starts, offset)
                else:
                    self._starts.append(offset)
            self._data[offset] = bytes(block)
            offset += len(block)

    def _truncate(self, length: int) -> None:
        if self._head is not None and self._head.length > length:
            self._head = None
        first = self._leaves.get(length)
        if first is not None and first.offset >= 0:
            self._drop_data(first.offset)
        self._leaves = {i: leaf for i, leaf in self._leaves.items() if i < length}
        self._nodes = {i: n for i, n in self._nodes.items() if not spans_beyond(i, length)}
        for start, count in present_ranges(self._present):
            if start + count > length:
                low = max(start, length)
                self._present.set_range(low, start + count - low, False)

    def _drop_data(self, offset: int) -> None:
        keep = bisect_left(self._starts, offset)
        for start in self._starts[keep:]:
            del self._data[start]
        del self._starts[keep:]

    def punch(self, offset: int, size: int) -> int:
        self._store.check_open()
        first = bisect_left(self._starts, offset)
        last = first
        freed = 0
        while last < len(self._starts):
            start = self._starts[last]
            if start + len(self._data[start]) > offset + size:
                break
            freed += len(self._data.pop(start))
            last += 1
        del self._starts[first:last]
        return freed

    def close(self) -> None:
        """Nothing to let go of."""

    def info(self) -> CoreInfo:
        """How `MemoryStorage.cores` lists it."""
        fork, length, size, _ = self._head or Head(0, 0, 0, b"")
        return CoreInfo(self.key, self.discovery_key, fork, length, size, self.own, self.allocated)

    @property
    def allocated(self) -> int:
        """Bytes of block data held."""
        return sum(map(len, self._data.values()))


class MemoryStorage:
    """`Storage` without a directory: everything is durable at once and gone with the process."""

    def __init__(self, *, primary_key: bytes | None = None) -> None:
        self._primary_key = random_bytes(32) if primary_key is None else primary_key
        self._cores: dict[bytes, MemoryBackend] = {}
        self._written: dict[bytes, MemoryBackend] = {}
        self._settings: dict[str, bytes] = {}
        self._secrets: dict[str, bytes] = {}
        self._highwater: dict[bytes, tuple[int, int]] = {}
        self._ticket = 0
        self._closed = False

    directory: Path | None = None
    moved = False

    @property
    def primary_key(self) -> bytes:
        self.check_open()
        return self._primary_key

    def confirm_moved(self) -> None:
        self.check_open()

    def check_open(self) -> None:
        """Raise `ClosedError` after `close`."""
        if self._closed:
            raise ClosedError("The store is closed.")

    def next_ticket(self, backend: MemoryBackend) -> int:
        """Count one write."""
        self._ticket += 1
        self._written.setdefault(backend.discovery_key, backend)
        return self._ticket

    def core(self, key: bytes, *, create: bool = True, own: bool = False) -> MemoryBackend:
        self.check_open()
        found = self._cores.get(discovery_key(key))
        if found is None:
            if not create:
                raise NotFoundError(f"No log {key.hex()[:16]}… in this store.")
            found = MemoryBackend(self, key, own)
            self._cores[found.discovery_key] = found
        found.own = found.own or own
        return found

    def key_of(self, discovery_key: bytes) -> bytes | None:
        self.check_open()
        found = self._written.get(discovery_key)
        return None if found is None else found.key

    def cores(self) -> list[CoreInfo]:
        self.check_open()
        return [backend.info() for backend in self._written.values()]

    def get_setting(self, name: str) -> bytes | None:
        self.check_open()
        return self._settings.get(name)

    def set_setting(self, name: str, value: bytes | None) -> None:
        self.check_open()
        _put(self._settings, name, value)

    def settings(self, prefix: str = "") -> dict[str, bytes]:
        self.check_open()
        return {name: v for name, v in self._settings.items() if name.startswith(prefix)}

    def get_secret(self, name: str) -> bytes | None:
        self.check_open()
        return self._secrets.get(name)

    def set_secret(self, name: str, value: bytes | None) -> None:
        self.check_open()
        _put(self._secrets, name, value)

    def highwater(self, key: bytes) -> tuple[int, int] | None:
        self.check_open()
        return self._highwater.get(key)

    def set_highwater(self, key: bytes, fork: int, length: int) -> None:
        self.check_open()
        self._highwater[key] = max(self._highwater.get(key, (0, 0)), (fork, length))

    @property
    def synced(self) -> int:
        return self._ticket

    async def sync(self, ticket: int | None = None) -> None:
        self.check_open()

    def allocated(self, key: bytes) -> int:
        self.check_open()
        found = self._cores.get(discovery_key(key))
        return 0 if found is None else found.allocated

    async def close(self) -> None:
        self._closed = True


def _put(values: dict[str, bytes], name: str, value: bytes | None) -> None:
    if value is None:
        values.pop(name, None)
    else:
        values[name] = bytes(value)
