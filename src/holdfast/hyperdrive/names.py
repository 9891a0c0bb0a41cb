"""The names in a drive: entries, folders, sizes."""

from __future__ import annotations

from collections.abc import AsyncIterator

from holdfast.errors import BlockNotAvailable, HoldfastError, NotFoundError, PathError
from holdfast.hyperbee import Bee
from holdfast.hyperdrive.blobs import Blobs
from holdfast.hyperdrive.entry import FileEntry
from holdfast.hyperdrive.paths import folder as folder_path
from holdfast.hyperdrive.paths import link_target, normalise
from holdfast.hyperdrive.records import Name, Stat, file_of, inside, path_of
from holdfast.hyperdrive.state import FILES, State

MAX_LINKS = 16
"""Symbolic links followed for one name, as JavaScript Hyperdrive."""


class Names:
    """Reads a drive. What is not on this machine is fetched from whoever is connected.

    Paths are normalised (`paths.normalise`); where a name is expected, an entry that was listed
    will do. ``wait=False`` raises `BlockNotAvailable` instead of fetching, as does ``timeout``
    (seconds, for each block) when it runs out.
    """

    def __init__(self, state: State, bee: Bee) -> None:
        self._state = state
        self._bee = bee
        self._files = bee.sub(FILES)

    @property
    def key(self) -> bytes:
        """The key of the drive."""
        return self._state.core.key

    @property
    def discovery_key(self) -> bytes:
        """Hash of the key: names the drive without giving it away."""
        return self._state.core.discovery_key

    @property
    def encryption_key(self) -> bytes | None:
        """What opens a private drive."""
        return self._state.core.encryption_key

    @property
    def version(self) -> int:
        """Blocks of the tree that make this version (1 when empty)."""
        return self._bee.version

    @property
    def writable(self) -> bool:
        """Whether this process can change the drive."""
        return self._bee.writable

    async def blobs(self, *, wait: bool = True, timeout: float | None = None) -> Blobs:
        """The contents log, found through the tree; see `State.blobs`."""
        return await self._state.blobs(wait=wait, timeout=timeout)

    # ---------------------------------------------------------------- names

    async def entry(
        self,
        name: Name,
        *,
        follow: bool = False,
        wait: bool = True,
        timeout: float | None = None,
    ) -> FileEntry | None:
        """The entry of a file or link, or None; ``follow`` goes where links lead.

        Raises `PathError` for a link out of the drive or links in a circle.
        """
        found = name if isinstance(name, FileEntry) else await self._look_up(name, wait, timeout)
        for _ in range(MAX_LINKS):
            if found is None or not follow or found.linkname is None:
                return found
            found = await self._look_up(link_target(found.path, found.linkname), wait, timeout)
        raise PathError(f"{path_of(name)} leads through too many links.")

    async def _look_up(self, path: str, wait: bool, timeout: float | None) -> FileEntry | None:
        found = await self._files.get(normalise(path), wait=wait, timeout=timeout)
        return None if found is None else file_of(found)

    async def _content(self, name: Name, wait: bool, timeout: float | None) -> FileEntry:
        found = await self.entry(name, follow=True, wait=wait, timeout=timeout)
        if found is None:
            raise self._missing(f"There is no file {path_of(name)} in this version of the drive.")
        return found

    def _missing(self, message: str) -> HoldfastError:
        """The error for a name that is not there, or for a drive of which nothing is known yet."""
        core = self._state.core
        if core.writable or core.length:
            return NotFoundError(message)
        return BlockNotAvailable("Nothing of this drive has come to this machine yet.")

    async def exists(self, name: Name) -> bool:
        """Whether there is a file or link of that name."""
        return await self.entry(name) is not None

    async def stat(self, path: str, *, timeout: float | None = None) -> Stat:
        """Kind and size of what lies under a path, without fetching contents; `NotFoundError`."""
        top = folder_path(path)
        found = await self._look_up(top, True, timeout) if top else None
        if found is not None:
            size = await self.size(found, timeout=timeout)
            return Stat(top, "file" if found.linkname is None else "link", size, found)
        if top and await self._files.peek(gt=top + "/", lt=top + "0", timeout=timeout) is None:
            raise self._missing(f"There is nothing under {top} in this version of the drive.")
        return Stat(top or "/", "folder", 0, None)

    async def size(self, name: Name, *, timeout: float | None = None) -> int:
        """Bytes of a file, without fetching its content. Raises `NotFoundError`."""
        found = await self.entry(name, timeout=timeout)
        if found is None:
            raise self._missing(f"There is no file {path_of(name)} in this version of the drive.")
        known = found.size
        if known is not None:
            return known
        assert found.blob is not None
        return await (await self.blobs(timeout=timeout)).size(found.blob, timeout=timeout)

    # ---------------------------------------------------------------- folders

    async def list(
        self,
        folder: str = "/",
        *,
        recursive: bool = True,
        wait: bool = True,
        timeout: float | None = None,
    ) -> AsyncIterator[FileEntry]:
        """Files and links in a folder and those below it, in the order of their names' bytes.

        Names are as their writer made them: they may be unfit for a disk or a terminal.
        """
        top = folder_path(folder)
        if recursive:
            bounds = inside(top)
            async for found in self._files.iterate(wait=wait, timeout=timeout, **bounds):
                yield file_of(found)
            return
        async for _, entry in self.scan(folder, wait=wait, timeout=timeout):
            if entry is not None:
                yield entry

    async def readdir(
        self, folder: str = "/", *, wait: bool = True, timeout: float | None = None
    ) -> AsyncIterator[str]:
        """Names of the files, links and folders right in a folder."""
        async for name, _ in self.scan(folder, wait=wait, timeout=timeout):
            yield name

    async def scan(
        self, folder: str = "/", *, wait: bool = True, timeout: float | None = None
    ) -> AsyncIterator[tuple[str, FileEntry | None]]:
        """Names right in a folder with their entries; None stands for a folder.

        What lies below is passed over, not read.
        """
        top = folder_path(folder) + "/"
        bounds = inside(top[:-1])
        while True:
            found = await self._files.peek(wait=wait, timeout=timeout, **bounds)
            if found is None:
                return
            name, slash, _ = found.key[len(top) :].partition("/")
            bounds = {"gte": top + name + ("0" if slash else "\0"), "lt": bounds["lt"]}
            if not slash:
                yield name, file_of(found)
            elif await self._files.get(top + name, wait=wait, timeout=timeout) is None:
                yield name, None  # else it came as a file already
