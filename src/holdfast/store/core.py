"""A session on one log: what drives, trees and people append to and read from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from holdfast.crypto import KeyPair
from holdfast.errors import ClosedError, DamagedError, NotWritableError, SeekError
from holdfast.hypercore.encryption import BlockCipher
from holdfast.hypercore.manifest import Manifest
from holdfast.hypercore.peer import Peer
from holdfast.hypercore.staged import Block
from holdfast.store import reading
from holdfast.store.download import Download
from holdfast.store.extension import Extension

if TYPE_CHECKING:
    from holdfast.store.open_log import OpenLog

_T = TypeVar("_T")

PADDING = 8
"""Bytes that encryption adds to each block."""


class Core:
    """One log, opened. Many sessions may share a log; closing one leaves the others open.

    A session with an encryption key encrypts what it appends and decrypts what it reads; lengths in
    bytes then count plaintext.
    """

    def __init__(
        self,
        opened: OpenLog,
        *,
        encryption_key: bytes | None = None,
        is_block_key: bool = False,
        snapshot: tuple[int, int] | None = None,
    ) -> None:
        self._opened = opened
        self._log = opened.log
        self._cipher: BlockCipher | None = None
        self._is_block_key = is_block_key
        self._snapshot = snapshot
        self._closed = False
        self._removers: list[Callable[[], None]] = []
        self.encryption_key = encryption_key
        opened.sessions += 1

    # -- facts ----------------------------------------------------------------------------------

    @property
    def key(self) -> bytes:
        """The public key that names the log and verifies it."""
        return self._log.key

    @property
    def discovery_key(self) -> bytes:
        """Hash of the key: names the log without giving it away."""
        return self._log.discovery_key

    @property
    def manifest(self) -> Manifest | None:
        """Who signs the log and how; None until learnt from a peer, and for compat logs."""
        return self._log.manifest

    @property
    def key_pair(self) -> KeyPair | None:
        """The pair that signs, when it is ours."""
        return self._log.key_pair

    @property
    def writable(self) -> bool:
        """Whether `append` is allowed here."""
        return self._log.writable and self._snapshot is None

    @property
    def compat(self) -> bool:
        """Whether this is a log of the previous generation (the key itself signs)."""
        return self._log.verifier.compat

    @property
    def length(self) -> int:
        """Number of blocks. Raises `DamagedError` while the end on disk is in doubt."""
        if self._log.doubt is not None:
            raise self._log.doubt.with_traceback(None)
        return self._log.local.length if self._snapshot is None else self._snapshot[0]

    @property
    def fork(self) -> int:
        """Grows with each truncation."""
        return self._log.local.fork if self._snapshot is None else self._snapshot[1]

    @property
    def padding(self) -> int:
        """Bytes that encryption adds to each stored block."""
        return PADDING if self.encryption_key is not None else 0

    @property
    def byte_length(self) -> int:
        """Bytes of all blocks, as the reader sees them."""
        state = self._log.local
        return state.byte_length - self.padding * state.length

    @property
    def contiguous_length(self) -> int:
        """Blocks held from the beginning without a gap."""
        return min(self._log.contiguous_length, self.length)

    @property
    def peers(self) -> list[Peer]:
        """Peers with which this log is being exchanged."""
        return list(self._opened.replicator.peers)

    @property
    def damaged(self) -> bool:
        """Whether blocks on disk failed their check and were not repaired yet."""
        return bool(self._log.damaged_blocks)

    # -- reading --------------------------------------------------------------------------------

    def get_local(self, index: int) -> bytes | None:
        """A block that is here, or None.

        Raises `DamagedError` when its bytes on disk are damaged and nobody connected has the block.
        """
        if self._closed:
            raise ClosedError("This session is closed.")
        try:
            data = self._log.block(index)
        except DamagedError:
            if not any(peer.claims.has(index) for peer in self._opened.replicator.peers):
                raise
            self._log.forget(index)
            return None
        if data is None or self.encryption_key is None:
            return data
        return self._decrypt(index, data)

    async def get(self, index: int, *, wait: bool = True, timeout: float | None = None) -> bytes:
        """A block, fetched from a peer when it is not here.

        Raises `BlockNotAvailable` when it is not here and ``wait`` is false or no peer brings it
        within ``timeout`` seconds; `SeekError` beyond the end of a snapshot or of a log of ours;
        `DamagedError` when its bytes on disk are damaged and nobody connected has the block.
        """
        if self._snapshot is not None and index >= self._snapshot[0]:
            raise self._outside(index)
        data = self.get_local(index)
        if data is not None:
            return data
        if index < 0 or self._log.writable and index >= self.length:
            raise self._outside(index)
        if not wait:
            raise self._opened.replicator.unavailable()
        stored = await reading.fetch(self._opened, index, timeout)
        return bytes(stored) if self.encryption_key is None else self._decrypt(index, stored)

    def _outside(self, index: int) -> SeekError:
        return SeekError(f"Block {index} is outside this log of {self.length} blocks.")

    def has(self, start: int, end: int | None = None) -> bool:
        """Whether block ``start`` (or all of ``start`` to ``end``) is here."""
        if end is None or end == start + 1:
            return self._log.has(start)
        return self._log.bitfield.count(start, end) == end - start

    async def seek(self, position: int, *, timeout: float | None = None) -> tuple[int, int]:
        """The block that holds byte ``position``, and the offset in it.

        Where empty blocks stand before that byte, it may be one of those, with offset 0. Raises
        `SeekError` beyond the end, `BlockNotAvailable` when no peer can tell within ``timeout``
        seconds.
        """
        return await reading.seek(self._opened, position, self.padding, timeout)

    async def update(self, *, wait: bool = False, timeout: float | None = None) -> bool:
        """Ask connected peers for a longer version; True when the log grew.

        With ``wait`` it returns only once the log grew (or `BlockNotAvailable` after ``timeout``).
        """
        return await reading.update(self._opened, wait, timeout)

    def download(self, start: int = 0, end: int | None = None) -> Download:
        """Begin to fetch blocks ``start`` to ``end`` (None: all there will ever be)."""
        self._opened.wake()
        return Download(self._opened, start, end)

    # -- writing --------------------------------------------------------------------------------

    async def append(
        self, blocks: bytes | memoryview | Sequence[Block], *, durable: bool | None = None
    ) -> int:
        """Append one block or several as one step; returns the new length.

        Returns once no power cut can take it back, or, with ``durable=False``, once it survives the
        death of this process. Peers see it only when it is durable. Raises `NotWritableError`,
        `DiskFullError`, `StaleWriterError`.
        """
        batch: list[Block] = []
        batch += [blocks] if isinstance(blocks, bytes | bytearray | memoryview) else blocks
        if self._snapshot is not None:
            raise NotWritableError("A snapshot cannot be changed.", "Append to the log itself.")
        if self._closed:
            raise ClosedError("This session is closed.")
        opened = self._opened
        opened.guard.check()
        if not batch:
            return self.length
        if self.encryption_key is not None:
            cipher = self._cipher or self._make_cipher()
            start, fork = self._log.staged_length, self._log.local.fork
            batch = [cipher.encrypt(start + i, fork, block) for i, block in enumerate(batch)]
        if durable is None:
            durable = opened.durable
        return await opened.committer.append(batch, durable=durable)

    async def sync(self) -> None:
        """Make everything appended or received so far durable."""
        self._opened.replicator.flush()
        await self._opened.committer.sync()

    async def truncate(self, length: int, fork: int | None = None) -> None:
        """Cut the log to ``length`` blocks; readers follow to the new fork.

        Durable when it returns. Raises `NotWritableError`, `StaleWriterError`.
        """
        if self._snapshot is not None:
            raise NotWritableError("A snapshot cannot be changed.")
        self._opened.guard.check()
        await self.sync()
        self._log.truncate(length, fork)
        await self._opened.committer.sync()

    async def clear(self, start: int, end: int | None = None) -> int:
        """Free the disk space of blocks (of one, without ``end``); returns the bytes freed.

        They can be fetched again from whoever holds them.
        """
        await self.sync()
        freed = self._log.clear(start, start + 1 if end is None else end)
        await self._opened.committer.sync()
        return freed

    # -- sessions and events --------------------------------------------------------------------

    def session(self) -> Core:
        """Another session on the same log."""
        return Core(
            self._opened,
            encryption_key=self.encryption_key,
            is_block_key=self._is_block_key,
            snapshot=self._snapshot,
        )

    def snapshot(self, length: int | None = None) -> Core:
        """A read-only session that stays at the present (or the given) length."""
        at = (self.length if length is None else min(length, self.length), self.fork)
        return Core(
            self._opened,
            encryption_key=self.encryption_key,
            is_block_key=self._is_block_key,
            snapshot=at,
        )

    def on_append(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call back whenever the log has grown, here or by a peer; returns how to stop it."""
        return self._listen(self._opened.append_listeners, callback)

    def on_truncate(self, callback: Callable[[int], None]) -> Callable[[], None]:
        """Call back with the new length when the log is cut; returns how to stop it."""
        return self._listen(self._opened.truncate_listeners, callback)

    def _listen(self, listeners: list[_T], callback: _T) -> Callable[[], None]:
        listeners.append(callback)

        def remove() -> None:
            if callback in listeners:
                listeners.remove(callback)

        self._removers.append(remove)
        return remove

    async def next_change(self) -> None:
        """Wait until the log grows, shrinks or gains a peer."""
        await self._opened.next_change()

    def extension(self, name: str, on_message: Callable[[bytes, Peer], None]) -> Extension:
        """Exchange small messages with the peers of this log under a name."""
        return Extension(self._opened.replicator, name, on_message)

    async def close(self) -> None:
        """End this session; the last one out makes everything durable."""
        if self._closed:
            return
        self._closed = True
        for remove in self._removers:
            remove()
        self._opened.sessions -= 1
        if self._opened.sessions == 0 and not self._opened.closed:
            self._opened.replicator.flush()
            await self._opened.committer.sync()

    def _decrypt(self, index: int, data: Block) -> bytes:
        return (self._cipher or self._make_cipher()).decrypt(index, data)

    def _make_cipher(self) -> BlockCipher:
        assert self.encryption_key is not None
        self._cipher = BlockCipher(
            self.key, self.encryption_key, compat=self.compat, is_block_key=self._is_block_key
        )
        return self._cipher
