"""The bee: sorted keys with values on an append-only log."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from holdfast.errors import DecodeError, LocalError
from holdfast.hyperbee.batch import Batch, Swap
from holdfast.hyperbee.blocks import Header, decode_header
from holdfast.hyperbee.core import Session
from holdfast.hyperbee.encodings import Codec, Encoding, encoding
from holdfast.hyperbee.extension import attach
from holdfast.hyperbee.forest import Forest
from holdfast.hyperbee.reader import Entry, Reader
from holdfast.hyperbee.shared import Shared
from holdfast.hyperbee.watch import watch_key, watch_range

PROTOCOL = "hyperbee"


class Bee(Reader):
    """A sorted key-value tree over ``core`` that JavaScript Hyperbee 2 reads and writes.

    ``key_encoding`` and ``value_encoding`` are ``"binary"``, ``"utf-8"``, ``"json"`` or an object
    with ``encode`` and ``decode``. ``metadata`` goes into the header when this bee writes the first
    block (None leaves it out). ``extension=False`` neither asks peers for whole lookups in one
    message nor answers such questions.
    """

    def __init__(
        self,
        core: Session,
        *,
        key_encoding: str | Encoding = "binary",
        value_encoding: str | Encoding = "binary",
        metadata: Header | None = None,
        extension: bool = True,
    ) -> None:
        codec = Codec(encoding(key_encoding), encoding(value_encoding))
        super().__init__(Shared(Forest(core)), codec, None)
        self.header = metadata or Header(PROTOCOL)
        """The header that is written with the first entry."""
        if extension:
            self._shared.extension = attach(self._shared)

    @property
    def core(self) -> Session:
        """The log underneath."""
        return self._forest.core

    @property
    def key(self) -> bytes:
        """The key of the log."""
        return self.core.key

    @property
    def writable(self) -> bool:
        """Whether this process can change the bee."""
        return self._fixed is None and self.core.writable

    async def get_header(self, *, wait: bool = True, timeout: float | None = None) -> Header:
        """Block 0, fetched when it is not here; `DecodeError` when it is no bee header."""
        return decode_header(await self.core.get(0, wait=wait, timeout=timeout))

    # ---------------------------------------------------------------- views

    def checkout(self, version: int) -> Bee:
        """The bee as it was when its log had ``version`` blocks; read only.

        Versions inside a batch are not valid trees (only the last block of a batch is).
        """
        if version < 0:
            raise LocalError(f"there is no version {version}")
        return self._view(self._codec, max(1, version))

    def snapshot(self) -> Bee:
        """The bee as it is now; read only."""
        return self.checkout(self.version)

    def sub(
        self,
        name: str | bytes,
        *,
        key_encoding: str | Encoding | None = None,
        value_encoding: str | Encoding | None = None,
    ) -> Bee:
        """The keys under ``name`` and a zero byte, as a bee of their own."""
        keys = None if key_encoding is None else encoding(key_encoding)
        values = None if value_encoding is None else encoding(value_encoding)
        return self._view(self._codec.sub(name, keys, values), self._fixed)

    def _view(self, codec: Codec, version: int | None) -> Bee:
        view = Bee.__new__(Bee)
        Reader.__init__(view, self._shared, codec, version)
        view.header = self.header
        if version is not None and version == self._fixed:
            view._since = self._since
        return view

    def watch(self, **bounds: Any) -> AsyncIterator[tuple[Bee, Bee]]:
        """Views ``(now, before)`` each time keys in the range (as in `iterate`) have changed.

        Changes count from this call on; what happens while the caller is busy comes as one. A log
        that was cut back counts as changed (the older view may then be unreadable).
        """
        return watch_range(self, self.snapshot(), bounds)

    def watch_key(self, key: Any) -> AsyncIterator[Entry | None]:
        """The entry of a key now, and each time it was set again or removed (None)."""
        return watch_key(self, key)

    # ---------------------------------------------------------------- changing

    async def put(
        self, key: Any, value: Any, *, cas: Swap | None = None, durable: bool | None = None
    ) -> bool:
        """Set a key; False when it exists and ``cas`` refused the change.

        Raises `NotWritableError`, `DiskFullError`.
        """
        async with Batch(self, durable) as batch:
            return await batch.put(key, value, cas=cas)

    async def delete(
        self, key: Any, *, cas: Swap | None = None, durable: bool | None = None
    ) -> bool:
        """Remove a key; False when it is not there or ``cas`` refused. Raises as `put`."""
        async with Batch(self, durable) as batch:
            return await batch.delete(key, cas=cas)

    def batch(self, *, durable: bool | None = None) -> Batch:
        """Many changes that become visible together: ``async with bee.batch() as b``."""
        return Batch(self, durable)

    async def close(self) -> None:
        """Stop fetching and close the log session."""
        if self._shared.extension is not None:
            self._shared.extension.close()
        await self._shared.fetcher.close()
        await self.core.close()


async def is_bee(core: Session, *, wait: bool = True, timeout: float | None = None) -> bool:
    """Whether the first block of a log says that it is a bee."""
    try:
        return decode_header(await core.get(0, wait=wait, timeout=timeout)).protocol == PROTOCOL
    except DecodeError:
        return False
