"""The same operations give the same keys, blocks and trees as JavaScript Hyperdrive 13.3.4."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from holdfast.hypercore.tree import tree_hash
from holdfast.hyperdrive import Drive
from holdfast.storage import MemoryStorage
from holdfast.store import Core, Store

DRIVES = json.loads(Path(__file__).with_name("drives.json").read_text())
OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "private": {"encryption_key": bytes([9]) * 32},
}


def pattern(seed: str, size: int) -> bytes:
    """The same bytes as in vectors.js."""
    out = b""
    i = 0
    while len(out) < size:
        out += hashlib.sha256(f"{seed}:{i}".encode()).digest()
        i += 1
    return out[:size]


async def operations(drive: Drive) -> None:
    await drive.put("/notes/a.txt", b"kia ora", metadata={"by": "Hine", "n": 1, "list": [1, "ā"]})
    await drive.put("run.sh", b"#!/bin/sh\n", executable=True)
    await drive.put("/empty", b"")
    await drive.put("/big", pattern("big", 200000))
    await drive.put("/exact", pattern("exact", 131072))
    await drive.symlink("/link", "notes/a.txt")
    await drive.delete("/empty")
    await drive.delete("/nothing")
    async with drive.batch() as batch:
        for i in range(40):
            await batch.put(f"/many/{i}", pattern(f"many{i}", i * 100))
        await batch.delete("/many/7")
    await drive.put("/notes/a.txt", b"ka kite")


def digest(blocks: list[bytes]) -> str:
    whole = hashlib.sha256()
    for block in blocks:
        whole.update(len(block).to_bytes(4, "little") + block)
    return whole.hexdigest()


def blocks(core: Any) -> list[bytes]:
    return [core.get_local(i) for i in range(core.length)]


def root(core: Core) -> str:
    return tree_hash(core._log.local.roots).hex()


@pytest.mark.parametrize("vector", DRIVES, ids=lambda vector: vector["name"])
async def test_drives_equal_those_of_javascript(vector: dict[str, Any]) -> None:
    store = Store(MemoryStorage(primary_key=bytes([4]) * 32), durable=False)
    async with store, Drive(store, **OPTIONS[vector["name"]]) as drive:
        await operations(drive)
        contents: Any = (await drive.blobs()).core
        if "db" in vector:
            assert [block.hex() for block in blocks(drive.core)][:12] == vector["db"]
        assert (drive.key.hex(), contents.key.hex()) == (vector["key"], vector["contentKey"])
        assert drive.version == vector["version"]
        assert (contents.length, contents.byte_length) == (
            vector["blobsLength"],
            vector["byteLength"],
        )
        assert digest(blocks(contents)) == vector["blobsSha256"]
        assert digest(blocks(drive.core)) == vector["dbSha256"]
        assert root(contents) == vector["blobsTree"]
        assert root(drive.core) == vector["dbTree"]
