"""Children that mirror until they die: a folder into a drive, or a drive from afar to a folder."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from holdfast.crypto import key_pair
from holdfast.errors import BlockNotAvailable
from holdfast.hyperdrive import Drive, mirror_from
from holdfast.net import dial
from holdfast.storage import checkpoint
from holdfast.store import Store
from tests.faults.workers.appending import KEY
from tests.faults.workers.children import Report
from tests.faults.workers.content import version_of
from tests.faults.workers.sharing import path_of

Versions = dict[str, int]


async def into_drive(
    report: Report, directory: str, folder: str, least: Versions, newest: Versions
) -> None:
    """Check a drive of ours, then make it equal to a folder.

    It must hold at least version ``least`` of each file, unless that is no longer in the folder,
    where ``newest`` are.
    """
    checkpoint.MAX_JOURNAL = 1_000_000
    checkpoint.MAX_PENDING = 300
    mirror_from.BATCH_FILES = 8  # names become visible in many steps
    store = await Store.open(Path(directory))
    async with Drive(store, name="mirror", encryption_key=KEY) as drive:
        found = await _versions(drive)
        for path, version in least.items():
            assert path not in newest or version <= found.get(path, -1) <= newest[path], path
        report("checked", files=len(found))
        done = await drive.mirror_from(Path(folder))
        assert not done.refused
        assert await _versions(drive) == newest
    await store.close()
    report("whole")


async def _versions(drive: Drive) -> Versions:
    """Every file that is listed can be read and is whole."""
    found = {}
    async for entry in drive.list():
        content = await drive.get(entry, wait=False)
        found[entry.path] = version_of(entry.path, content)
    return found


async def out_of_drive(
    report: Report, directory: str, folder: str, key: str, port: int, files: int
) -> None:
    """Check what is here of a drive of somebody else, then make a folder equal to it."""
    store = await Store.open(Path(directory))
    async with Drive(store, bytes.fromhex(key), encryption_key=KEY) as drive:
        here = 0
        for number in range(files if drive.core.length else 0):
            with suppress(BlockNotAvailable):
                version_of(path_of(number), await drive.get(path_of(number), wait=False))
                here += 1
        report("checked", files=here)
        await dial(f"127.0.0.1:{port}", key_pair(), on_open=store.attach)
        await drive.update(wait=not drive.core.length, timeout=30)
        done = await drive.mirror_to(Path(folder), timeout=30)
        assert not done.refused and done.files == files
        assert len(await _versions(drive)) == files
    await store.close()
    report("whole")
