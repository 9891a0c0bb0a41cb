"""A log in memory with the session API of `holdfast.store.Core`, for tests of what stands on it."""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import Callable
from typing import Any

from holdfast.errors import BlockNotAvailable, NotWritableError, SeekError


class Network:
    """Carries blocks between memory logs; counts how often somebody had to wait for it."""

    def __init__(self) -> None:
        self.rounds = 0
        self.blocks = 0

    async def carry(self, source: MemoryCore, index: int) -> bytes:
        self.blocks += 1
        for _ in range(3):  # a round trip is a few turns of the loop, however many ask at once
            await asyncio.sleep(0)
        self.rounds += 1
        return source.blocks[index]


class MemoryCore:
    """Either an own log (``source`` is None) or a sparse copy of another one."""

    def __init__(
        self,
        key: bytes = b"\x01" * 32,
        *,
        source: MemoryCore | None = None,
        network: Network | None = None,
    ) -> None:
        self.key = key if source is None else source.key
        self.discovery_key = self.key[::-1]
        self.source = source
        self.network = network or Network()
        self.fork = 0
        self.blocks: list[bytes] = []
        self.held: dict[int, bytes] = {}
        self.offsets = [0]
        self.closed = False
        self.synced = 0
        self.fail: Exception | None = None
        self._append_hooks: list[Callable[..., None]] = []
        self._truncate_hooks: list[Callable[..., None]] = []
        self._handles: list[_Handle] = []
        self._size = 0

    @property
    def writable(self) -> bool:
        return self.source is None

    @property
    def length(self) -> int:
        return len(self.blocks) if self.source is None else self._size

    @property
    def byte_length(self) -> int:
        return self.offsets[-1] if self.source is None else self.source.offsets[self._size]

    async def append(self, blocks: Any, *, durable: bool | None = None) -> int:
        if not self.writable:
            raise NotWritableError("not mine")
        if self.fail is not None:
            raise self.fail
        many = [blocks] if isinstance(blocks, (bytes, bytearray, memoryview)) else blocks
        for block in many:
            self.held[len(self.blocks)] = data = bytes(block)
            self.blocks.append(data)
            self.offsets.append(self.offsets[-1] + len(data))
        for hook in list(self._append_hooks):
            hook()
        return self.length

    async def get(self, index: int, *, wait: bool = True, timeout: float | None = None) -> bytes:
        block = self.get_local(index)
        if block is not None:
            return block
        if not wait or self.source is None or index >= len(self.source.blocks):
            raise BlockNotAvailable(f"block {index}")
        data = await self.network.carry(self.source, index)
        self.held[index] = data
        return data

    def get_local(self, index: int) -> bytes | None:
        return self.held.get(index)

    def has(self, start: int, end: int | None = None) -> bool:
        return all(i in self.held for i in range(start, start + 1 if end is None else end))

    async def seek(self, position: int, *, timeout: float | None = None) -> tuple[int, int]:
        offsets = (self.source or self).offsets
        if not 0 <= position <= self.byte_length:
            raise SeekError(f"byte {position} is outside the log")
        index = bisect_right(offsets, position) - 1
        return index, position - offsets[index]

    async def update(self, *, wait: bool = False, timeout: float | None = None) -> bool:
        if self.source is None or self._size == self.source.length:
            return False
        if self.fork != self.source.fork:
            self._cut(min(self._size, self.source.last_cut))
            self.fork = self.source.fork
        self._size = self.source.length
        for hook in list(self._append_hooks):
            hook()
        return True

    last_cut = 0

    async def truncate(self, length: int, fork: int | None = None) -> None:
        self.last_cut = length
        self.fork = self.fork + 1 if fork is None else fork
        del self.blocks[length:], self.offsets[length + 1 :]
        self._cut(length)

    def _cut(self, length: int) -> None:
        self.held = {i: block for i, block in self.held.items() if i < length}
        for hook in list(self._truncate_hooks):
            hook(length)

    async def clear(self, start: int, end: int | None = None) -> int:
        end = start + 1 if end is None else end
        return sum(len(self.held.pop(i, b"")) for i in range(start, end))

    def snapshot(self) -> MemoryCore:
        return self

    def session(self) -> MemoryCore:
        return self

    def download(self, start: int = 0, end: int | None = None) -> MemoryDownload:
        return MemoryDownload(self, start, self.length if end is None else end)

    def on_append(self, callback: Callable[..., None]) -> Callable[[], None]:
        self._append_hooks.append(callback)
        return lambda: self._append_hooks.remove(callback)

    def on_truncate(self, callback: Callable[..., None]) -> Callable[[], None]:
        self._truncate_hooks.append(callback)
        return lambda: self._truncate_hooks.remove(callback)

    async def sync(self) -> None:
        self.synced = self.length

    async def close(self) -> None:
        self.closed = True

    def extension(self, name: str, on_message: Callable[[bytes, Any], None]) -> _Handle:
        handle = _Handle(self, name, on_message)
        self._handles.append(handle)
        return handle


class MemoryDownload:
    """A range being fetched."""

    def __init__(self, core: MemoryCore, start: int, end: int) -> None:
        self._task = asyncio.create_task(self._run(core, start, end))

    async def _run(self, core: MemoryCore, start: int, end: int) -> None:
        await asyncio.gather(*(core.get(i) for i in range(start, end)))

    async def done(self) -> None:
        await self._task

    def close(self) -> None:
        self._task.cancel()


class _Handle:
    """An extension of a log; messages arrive on the other side in the next turn of the loop."""

    def __init__(
        self, core: MemoryCore, name: str, on_message: Callable[[bytes, Any], None]
    ) -> None:
        self.core = core
        self.name = name
        self.on_message = on_message
        self.sent: list[bytes] = []

    def broadcast(self, data: bytes) -> None:
        source = self.core.source
        if source is not None:
            for handle in source._handles:
                self.send(data, handle)

    def send(self, data: bytes, peer: _Handle) -> None:
        self.sent.append(data)
        asyncio.get_running_loop().call_soon(peer.on_message, data, self)

    def close(self) -> None:
        if self in self.core._handles:
            self.core._handles.remove(self)
