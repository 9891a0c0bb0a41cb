"""Random operations on a drive give what a plain dict gives, in every version."""

from __future__ import annotations

import os
import random
from typing import Any, NamedTuple

from holdfast.errors import NotFoundError, PathError
from holdfast.hyperdrive import Drive, DriveBatch, DriveView
from holdfast.hyperdrive.source import BLOCK
from holdfast.store import Store

STEPS = int(os.environ.get("HOLDFAST_STEPS", "1000"))


class File(NamedTuple):
    content: bytes | None
    executable: bool = False
    link: str | None = None
    metadata: Any = None


Files = dict[str, File]


def below(files: Files, top: str) -> list[str]:
    return sorted((path for path in files if path.startswith(top + "/")), key=str.encode)


class Model:
    def __init__(self, drive: Drive, seed: int) -> None:
        self.drive = drive
        self.chance = random.Random(seed)
        self.now: Files = {}
        self.versions: dict[int, Files] = {drive.version: {}}

    def path(self) -> str:
        depth = self.chance.choice([1, 1, 2, 3])
        return "".join(
            "/" + self.chance.choice(["a", "b", "b.txt", "ā", "0"]) for _ in range(depth)
        )

    def file(self) -> File:
        size = self.chance.choice([0, 1, 100, 5000, BLOCK, BLOCK + 1, 3 * BLOCK + 7])
        metadata = self.chance.choice([None, None, {"n": size}, "text", [1.5, None]])
        return File(self.chance.randbytes(size), self.chance.random() < 0.2, None, metadata)

    async def change(self, target: Drive | DriveBatch) -> None:
        roll, path = self.chance.random(), self.path()
        if roll < 0.55:
            file = self.file()
            assert file.content is not None
            source = file.content if self.chance.random() < 0.5 else iter([file.content])
            await target.put(path, source, executable=file.executable, metadata=file.metadata)
            self.now[path] = file
        elif roll < 0.65:
            await target.symlink(path, "x/y")
            self.now[path] = File(None, link="x/y")
        elif roll < 0.8:
            recursive = self.chance.random() < 0.2
            gone = [path] * (path in self.now) + (below(self.now, path) if recursive else [])
            assert await target.delete(path, recursive=recursive) == len(gone)
            for each in gone:
                del self.now[each]
        else:
            await self.rename(target, path, self.path())

    async def rename(self, target: Drive | DriveBatch, path: str, to: str) -> None:
        moved = [path] if path in self.now else below(self.now, path)
        try:
            assert await target.rename(path, to) == len(moved)
        except NotFoundError:
            assert not moved
            return
        except PathError:
            assert path not in self.now and to.startswith(path)
            return
        files = [(to + each[len(path) :], self.now.pop(each)) for each in moved]
        self.now.update(files)

    async def step(self) -> None:
        roll = self.chance.random()
        if roll < 0.5:
            await self.change(self.drive)
        elif roll < 0.6:
            async with self.drive.batch() as batch:
                for _ in range(self.chance.randrange(15)):
                    await self.change(batch)
                path = self.path()
                assert (await batch.entry(path) is not None) == (path in self.now)
        else:
            await self.look()
        self.versions[self.drive.version] = dict(self.now)

    async def look(self) -> None:
        version = self.chance.choice(list(self.versions))
        want = self.versions[version]
        await self.look_at_names(self.drive.checkout(version), want)
        await self.look_at_file(self.drive.checkout(version), want)
        other = self.chance.choice(list(self.versions))
        past = self.versions[other]
        got = {c.path: c.kind async for c in self.drive.checkout(version).diff(other)}
        for path in want.keys() | past.keys():
            if want.get(path) != past.get(path):
                kind = "added" if path not in past else "changed" if path in want else "removed"
                assert got.pop(path) == kind
            else:
                assert got.pop(path, "changed") == "changed"
        assert got == {}

    async def look_at_names(self, view: DriveView, want: Files) -> None:
        top = self.chance.choice(["", self.path()])
        paths = below(want, top)
        assert [entry.path async for entry in view.list(top)] == paths
        names: dict[str, None] = {}
        for path in paths:
            names[path[len(top) + 1 :].split("/")[0]] = None
        assert [name async for name in view.readdir(top)] == list(names)

    async def look_at_file(self, view: DriveView, want: Files) -> None:
        path = self.path()
        file, entry = want.get(path), await view.entry(path)
        if file is None:
            assert entry is None
            return
        assert entry is not None
        assert (entry.executable, entry.linkname, entry.metadata) == file[1:]
        if file.content is not None:
            assert entry.size == len(file.content)
            assert await view.get(path) == file.content
            start = self.chance.randrange(len(file.content) + 1)
            length = self.chance.randrange(2 * BLOCK)
            parts = [part async for part in view.read_stream(path, start, length=length)]
            assert b"".join(parts) == file.content[start : start + length]


async def test_a_drive_is_a_dict_of_files_with_versions(drive: Drive) -> None:
    model = Model(drive, 7)
    for _ in range(STEPS // 4):
        await model.step()
    for version, want in list(model.versions.items())[-10:]:
        await model.look_at_names(drive.checkout(version), want)


async def test_the_same_after_reopening(tmp_path: Any) -> None:
    now: Files = {}
    for seed in range(3):
        async with (
            await Store.open(tmp_path, durability="process") as store,
            Drive(store, encryption_key=b"s" * 32) as drive,
        ):
            model = Model(drive, seed)
            model.now, model.versions = now, {drive.version: dict(now)}
            await model.look()
            for _ in range(STEPS // 20):
                await model.step()
            now = model.now
