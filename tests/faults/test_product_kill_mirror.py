"""kill -9 while mirroring, both ways: nothing half done shows, and the next run completes it."""

from __future__ import annotations

import random
import shutil
import time
from pathlib import Path

import pytest

from holdfast.hyperdrive.target import PARTIAL
from tests.faults.workers import mirroring, sharing
from tests.faults.workers.children import CYCLES, Child
from tests.faults.workers.content import file_content, version_of

FILES = 80


class Folder:
    """A folder on disk whose files change."""

    def __init__(self, top: Path, chance: random.Random) -> None:
        self.top = top
        self.versions: dict[str, int] = {}
        self._chance = chance
        self._next = 0

    def change(self, count: int) -> None:
        """Write, rewrite and remove some files."""
        for _ in range(count):
            path = sharing.path_of(self._chance.randrange(FILES))
            if path in self.versions and self._chance.random() < 0.2:
                del self.versions[path]
                (self.top / path[1:]).unlink()
                continue
            self._next += 1
            self.versions[path] = self._next
            (self.top / path[1:]).parent.mkdir(parents=True, exist_ok=True)
            (self.top / path[1:]).write_bytes(file_content(path, self._next))

    def check(self) -> int:
        """Whatever has its final name is whole; returns how many files there are."""
        count = 0
        for path in self.top.rglob("*"):
            if path.is_file() and not path.name.startswith(PARTIAL):
                version_of("/" + str(path.relative_to(self.top)), path.read_bytes())
                count += 1
        return count

    def remove_some(self) -> None:
        """Give the next run something to do."""
        for path in list(self.top.rglob("*")):
            if path.is_file() and self._chance.random() < 0.7:
                path.unlink()


@pytest.mark.faults
@pytest.mark.timeout(60 + CYCLES)
def test_a_drive_that_a_folder_goes_into(tmp_path: Path) -> None:
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance = random.Random(seed)
    folder = Folder(tmp_path / "folder", chance)
    folder.change(FILES)
    least: dict[str, int] = {}
    whole = cut = 0

    def start() -> Child:
        places = str(tmp_path / "store"), str(folder.top)
        return Child(mirroring.into_drive, *places, least, folder.versions, state=tmp_path)

    for _ in range(CYCLES):
        child = start()
        cut += kill_sometime(child, chance)
        if child.last == "whole":
            whole += 1
            least = dict(folder.versions)
            folder.change(FILES // 2)
    child = start()
    child.wait_for("whole")
    child.finish()
    assert child.exitcode == 0
    print(f"{CYCLES} kills, {cut} of them in the middle, {whole + 1} times whole")
    assert cut > CYCLES // 4


@pytest.mark.faults
@pytest.mark.timeout(60 + CYCLES)
def test_a_folder_that_a_drive_goes_into(tmp_path: Path) -> None:
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance = random.Random(seed)
    sharer = Child(sharing.main, 0, FILES)
    shared = sharer.wait_for("ready")
    folder = Folder(tmp_path / "folder", chance)
    whole = cut = 0

    def start() -> Child:
        places = str(tmp_path / "store"), str(folder.top)
        about = shared["drive"], shared["port"], FILES
        return Child(mirroring.out_of_drive, *places, *about, state=tmp_path)

    for _ in range(CYCLES):
        child = start()
        cut += kill_sometime(child, chance)
        found = folder.check()
        if child.last == "whole":
            assert found == FILES
            whole += 1
            folder.remove_some()
            if chance.random() < 0.5:
                shutil.rmtree(tmp_path / "store")
    child = start()
    child.wait_for("whole")
    child.finish()
    assert child.exitcode == 0 and folder.check() == FILES
    assert not list(folder.top.rglob(PARTIAL + "*")), "leftovers of killed runs"
    sharer.kill()
    print(f"{CYCLES} kills, {cut} of them in the middle, {whole + 1} times whole")
    assert cut > CYCLES // 4


def kill_sometime(child: Child, chance: random.Random) -> bool:
    """kill -9 at a random time; whether that was after it checked and before it was done."""
    if chance.random() < 0.8:
        child.wait_for("checked")
        time.sleep(chance.random() * 0.15)
    else:  # the second kill hits the recovery from the first
        time.sleep(chance.random() * 0.06)
    said = [line["what"] for line in child.kill()]
    assert "whole" in said or child.exitcode == -9, "it found something wrong, see its output"
    return "checked" in said and "whole" not in said
