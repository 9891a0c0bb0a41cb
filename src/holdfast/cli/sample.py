"""A folder to share in the demonstration: a text and something like a film."""

from __future__ import annotations

from pathlib import Path

FRAME = 64 * 1024
"""Bytes of one island of data in the film."""
SPACING = 64 * 1024 * 1024
"""Bytes from one island to the next; all between is a hole that takes no disk."""

_TEXT = """\
He aha te mea nui o te ao?
He tangata, he tangata, he tangata.

What is the most important thing in the world? It is people, it is people, it is people.
"""


def make_folder(folder: Path, size: int) -> list[Path]:
    """Write ``whakatauki.txt`` and a film of ``size`` bytes into a new folder; returns both."""
    folder.mkdir()
    text, film = folder / "whakatauki.txt", folder / "film.mp4"
    text.write_text(_TEXT, encoding="utf-8")
    make_film(film, size)
    return [text, film]


def make_film(path: Path, size: int) -> None:
    """A sparse file that begins like an mp4 (ISO 14496-12): a type box, then one of data."""
    from holdfast.crypto import random_bytes

    kind = b"\0\0\0\x20ftypisom\0\0\2\0isomiso2avc1mp41"
    data = b"\0\0\0\1mdat" + max(16, size - len(kind)).to_bytes(8, "big")
    with path.open("wb") as film:
        film.write((kind + data)[:size])
        for island in range(SPACING // 2, size - FRAME, SPACING):
            film.seek(island)
            film.write(random_bytes(FRAME))
        film.truncate(size)
