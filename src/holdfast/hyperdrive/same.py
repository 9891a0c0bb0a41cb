"""Whether a file on disk is the one that a drive has."""

from __future__ import annotations

import os
import stat
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from holdfast.hyperdrive.entry import FileEntry
from holdfast.hyperdrive.mirror import mtime_of
from holdfast.hyperdrive.source import CHUNK, PlainFile
from holdfast.hyperdrive.target import Target

if TYPE_CHECKING:
    from holdfast.hyperdrive.view import DriveView

Run = Callable[..., Awaitable[Any]]
"""Runs a function in a thread."""


class DiskFile(NamedTuple):
    """A file below a target folder, as it lies there."""

    target: Target
    names: Sequence[str]
    status: os.stat_result
    run: Run


async def is_same(view: DriveView, entry: FileEntry, size: int, file: DiskFile) -> bool:
    """Whether a file needs no writing; a wrong right to run it is put right."""
    target, names, status, run = file
    if not stat.S_ISREG(status.st_mode) or status.st_size != size:
        return False
    recorded = mtime_of(entry.metadata)
    if recorded is not None:
        if recorded != status.st_mtime_ns // 1000 * 1000:
            return False
    elif not await same_bytes(view, entry, await run(_open, target, names), run):
        return False
    if bool(status.st_mode & 0o100) != entry.executable:
        await run(target.set_executable, names, entry.executable)
    return True


def _open(target: Target, names: Sequence[str]) -> PlainFile:
    return PlainFile(target.open(names))


async def same_bytes(
    view: DriveView, entry: FileEntry, file: PlainFile, run: Run, *, wait: bool = True
) -> bool:
    """Whether a file holds the content of an entry; closes it."""
    with file:
        if 0 <= (entry.size or -1) <= CHUNK:
            return bool(await run(file.read, CHUNK + 1) == await view.get(entry, wait=wait))
        data, at = b"", 0
        async for chunk in view.read_stream(entry, wait=wait):
            if len(data) - at < len(chunk):
                data, at = data[at:] + await run(file.read, CHUNK), 0
            if not data.startswith(chunk, at):
                return False
            at += len(chunk)
        return at == len(data) and not await run(file.read, 1)
