from __future__ import annotations

import os
import resource
import time
from pathlib import Path

import pytest

from holdfast.errors import StoreVersionError
from holdfast.net.checks.finding import Finding, Severity
from holdfast.node import health
from holdfast.node.health import check_machine
from holdfast.storage.directory import open_storage
from holdfast.storage.health import look_at_store, nearest_directory, space, sync_seconds
from holdfast.storage.layout import FORMAT


async def found(directory: Path, now: float | None = None) -> dict[str, Finding]:
    findings = await check_machine(directory, [], time.time() if now is None else now)
    return {finding.code: finding for finding in findings}


async def test_a_machine_without_a_store(tmp_path: Path) -> None:
    there = tmp_path / "a" / "b"
    checks = await found(there)
    assert list(checks) == ["clock", "disk-space", "disk-sync", "open-files", "store"]
    assert checks["store"].severity is Severity.NOTE and "no store" in checks["store"].sentence
    assert checks["disk-sync"].facts["directory"] == str(tmp_path)
    assert os.listdir(tmp_path) == []


async def test_a_store_that_is_free_and_one_that_is_in_use(tmp_path: Path) -> None:
    storage = open_storage(tmp_path)
    busy = (await found(tmp_path))["store"]
    assert busy.severity is Severity.NOTE and f"process {os.getpid()}" in busy.sentence
    await storage.close()
    free = (await found(tmp_path))["store"]
    assert free.severity is Severity.OK and free.facts["format"] == 1
    await open_storage(tmp_path).close()


async def test_a_copy_of_a_store_is_told(tmp_path: Path) -> None:
    await open_storage(tmp_path / "store").close()
    (tmp_path / "copy").mkdir()
    for each in (tmp_path / "store").iterdir():
        if each.is_file():
            (tmp_path / "copy" / each.name).write_bytes(each.read_bytes())
    copy = (await found(tmp_path / "copy"))["store"]
    assert copy.severity is Severity.WARNING and "holdfast confirm" in copy.remedy


async def test_what_is_not_a_store_or_damaged_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "dear").touch()
    assert (await found(tmp_path / "letters"))["store"].severity is Severity.ERROR
    (tmp_path / "file").touch()
    with pytest.raises(StoreVersionError):
        look_at_store(tmp_path / "file")
    await open_storage(tmp_path / "store").close()
    (tmp_path / "store" / FORMAT).write_bytes(b"rubbish")
    assert (await found(tmp_path / "store"))["store"].severity is Severity.ERROR


async def test_a_clock_before_the_last_change_of_the_store_is_an_error(tmp_path: Path) -> None:
    await open_storage(tmp_path).close()
    later = time.time() + 5000
    os.utime(tmp_path / FORMAT, (later, later))
    clock = (await found(tmp_path))["clock"]
    assert clock.severity is Severity.ERROR and "last changed" in clock.sentence
    assert (await found(tmp_path / "none", 1.0))["clock"].severity is Severity.ERROR


async def test_little_room_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    free = space(tmp_path).free
    for name, severity in (("LITTLE", Severity.WARNING), ("TOO_LITTLE", Severity.ERROR)):
        monkeypatch.setattr(health, name, 2 * free)
        assert (await found(tmp_path))["disk-space"].severity is severity


async def test_few_open_files_are_told(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (512, hard))
    try:
        few = (await found(tmp_path))["open-files"]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert few.severity is Severity.WARNING and "ulimit -n 1024" in few.remedy


async def test_a_disk_that_keeps_nothing_is_an_error(tmp_path: Path) -> None:
    # A pseudo file system takes no files, whoever asks.
    disk = (await found(Path("/proc/self/fdinfo")))["disk-sync"]
    assert disk.severity is Severity.ERROR and disk.remedy
    assert nearest_directory(tmp_path / "x" / "y") == tmp_path
    assert 0 < sync_seconds(tmp_path) < 30 and list(tmp_path.iterdir()) == []
