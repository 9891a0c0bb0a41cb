"""Contents that whoever reads them later knows to be right, or not whole, or another's."""

from __future__ import annotations

import random

SIZES = (100,) * 8 + (1000,) * 6 + (5000,) * 3 + (20_000,) * 2 + (65_536, 300_000)
"""Bytes of blocks: small ones travel in the journal, large ones go in place."""
FILE_SIZES = (0, 100, 100, 4000, 40_000, 65_536, 70_000, 300_000)


def block(log: int, index: int, sizes: tuple[int, ...] = SIZES) -> bytes:
    """The block that every writer of this log writes there."""
    chance = random.Random(f"block {log} {index}")
    return chance.randbytes(chance.choice(sizes))


def file_content(path: str, version: int) -> bytes:
    """The content of a file at a version."""
    chance = random.Random(f"file {path} {version}")
    label = f"{path}\0{version}\0".encode()
    return label + chance.randbytes(chance.choice(FILE_SIZES))


def version_of(path: str, content: bytes) -> int:
    """Which version of a file this is; AssertionError when it is none, or not whole."""
    name, number, _ = content.split(b"\0", 2)
    assert name.decode() == path
    assert content == file_content(path, int(number)), f"{path} is not whole"
    return int(number)
