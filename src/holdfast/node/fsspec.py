"""``hyper://`` for everything that speaks fsspec (pandas, DuckDB, dask): reading drives.

``fsspec.open("hyper://KEY/table.parquet?peer=HOST:PORT#SECRET")`` fetches only what it reads.
Paths inside are ``KEY[+VERSION]/path``; the secret and the peers of a link become options of the
filesystem. Needs the extra ``holdfast[fsspec]``.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from fsspec.asyn import AsyncFileSystem, sync
from fsspec.spec import AbstractBufferedFile

from holdfast.encoding import Link, key_text, parse_key, parse_link
from holdfast.errors import HoldfastError, NotFoundError
from holdfast.hyperdrive import DriveView, FileEntry
from holdfast.node.node import Node
from holdfast.node.opening import open as open_node

BLOCK_SIZE = 1 << 20
"""Bytes that a buffered file reads ahead: sixteen blocks of a drive."""


class HyperFileSystem(AsyncFileSystem):  # type: ignore[misc]
    """Drives as a read-only filesystem; raises FileNotFoundError and `HoldfastError`."""

    protocol = "hyper"
    cachable = True
    async_impl = True

    def __init__(
        self,
        store: str | None = None,
        secret: str | None = None,
        peers: Iterable[str] = (),
        passphrase: str | None = None,
        **options: Any,
    ) -> None:
        """``store`` is a directory that keeps what is fetched (default: memory).

        ``secret`` opens private drives and ``peers`` (``HOST:PORT``) are asked for them; a link
        that contains both needs neither.
        """
        super().__init__(**options)
        self._directory, self._passphrase = store, passphrase
        self._secret = parse_key(secret) if secret is not None else None
        self._addresses = tuple(peers)
        self._node: Node | None = None
        self._opening: asyncio.Lock | None = None
        self._views: dict[str, DriveView] = {}

    # -- links ----------------------------------------------------------------------------------

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        if isinstance(path, list):
            return [cls._strip_protocol(each) for each in path]
        text = str(path)
        if "://" not in text:
            return text.rstrip("/")
        link = parse_link(text)
        return (_top(link) + link.path).rstrip("/")

    @staticmethod
    def _get_kwargs_from_urls(path: str) -> dict[str, Any]:
        link = parse_link(path)
        found: dict[str, Any] = {}
        if link.secret is not None:
            found["secret"] = key_text(link.secret)
        if link.peers:
            found["peers"] = tuple(f"[{h}]:{p}" if ":" in h else f"{h}:{p}" for h, p in link.peers)
        return found

    async def _view(self, path: str) -> tuple[DriveView, str, str]:
        """The drive of a path, the path in it, and the path's first part."""
        top, _, below = self._strip_protocol(path).partition("/")
        self._opening = self._opening or asyncio.Lock()
        async with self._opening:
            if self._node is None:
                self._node = await open_node(
                    self._directory, passphrase=self._passphrase, durability="process"
                )
                if not self.asynchronous:
                    weakref.finalize(self, _close, self.loop, self._node)
            if top not in self._views:
                link = parse_link("hyper://" + top)
                link = Link(link.key, "/", self._secret, (), link.version)
                self._views[top], _ = await self._node.view(link, peers=self._addresses)
        return self._views[top], "/" + below, top

    # -- reading --------------------------------------------------------------------------------

    async def _info(self, path: str, **_: Any) -> dict[str, Any]:
        view, inside, top = await self._view(path)
        try:
            stat = await view.stat(inside)
            if stat.entry is not None:
                target = await view.entry(stat.entry, follow=True)
                size = 0 if target is None else await view.size(target)
                return _file(top, stat.entry, size)
        except NotFoundError:
            raise FileNotFoundError(path) from None
        return _folder(top + inside)

    async def _ls(self, path: str, detail: bool = True, **_: Any) -> list[Any]:
        view, inside, top = await self._view(path)
        info = await self._info(path)
        if info["type"] != "directory":
            return [info] if detail else [info["name"]]
        found = []
        async for name, entry in view.scan(inside):
            if entry is None:
                found.append(_folder(f"{top}{inside.rstrip('/')}/{name}"))
            else:
                found.append(_file(top, entry, await view.size(entry)))
        return found if detail else [each["name"] for each in found]

    async def _cat_file(
        self, path: str, start: int | None = None, end: int | None = None, **_: Any
    ) -> bytes:
        info = await self._info(path)
        if info["type"] == "directory":
            raise IsADirectoryError(path)
        size = info["size"]
        first, stop, _step = slice(start, end).indices(size)
        view, inside, _top = await self._view(path)
        pieces = [piece async for piece in view.read_stream(inside, first, end=max(first, stop))]
        return b"".join(pieces)

    async def _get_file(self, rpath: str, lpath: str, **_: Any) -> None:
        view, inside, _top = await self._view(rpath)
        target = Path(lpath)
        is_folder = (await self._info(rpath))["type"] == "directory"
        folder = target if is_folder else target.parent
        await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
        if is_folder:
            return
        with await asyncio.to_thread(target.open, "wb", BLOCK_SIZE) as file:
            async for piece in view.read_stream(inside):
                await asyncio.to_thread(file.write, piece)

    def _open(
        self, path: str, mode: str = "rb", block_size: int | None = None, **options: Any
    ) -> HyperFile:
        if mode != "rb":
            raise NotImplementedError("drives are read-only through fsspec")
        return HyperFile(self, path, mode, block_size or BLOCK_SIZE, **options)

    def close(self) -> None:
        """Close the node behind; the next use opens it again."""
        node, self._node = self._node, None
        self._views.clear()
        if node is not None:
            sync(self.loop, node.close)

    def created(self, path: str) -> Any:
        """Drives keep no creation times."""
        raise NotImplementedError

    def modified(self, path: str) -> Any:
        """Not every drive keeps modification times."""
        raise NotImplementedError


class HyperFile(AbstractBufferedFile):  # type: ignore[misc]
    """A file of a drive, read with a cache in front."""

    def _fetch_range(self, start: int, end: int) -> bytes:
        data: bytes = self.fs.cat_file(self.path, start=start, end=end)
        return data


def _top(link: Link) -> str:
    return key_text(link.key) + (f"+{link.version}" if link.version is not None else "")


def _file(top: str, entry: FileEntry, size: int) -> dict[str, Any]:
    found = {"name": top + entry.path, "size": size, "type": "file", "version": entry.seq + 1}
    if entry.linkname is not None:
        found |= {"islink": True, "destination": entry.linkname}
    return found


def _folder(path: str) -> dict[str, Any]:
    return {"name": path.rstrip("/"), "size": 0, "type": "directory"}


def _close(loop: asyncio.AbstractEventLoop, node: Node) -> None:
    if loop.is_running():
        try:
            sync(loop, node.close, timeout=1)
        except (HoldfastError, TimeoutError, RuntimeError):
            pass


__all__ = ["BLOCK_SIZE", "HyperFile", "HyperFileSystem"]
