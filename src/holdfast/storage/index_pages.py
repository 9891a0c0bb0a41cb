"""Checks of the index's pages, kept beside it: a flipped bit anywhere in it can be put right.

The digests of rows notice damage to rows, but nothing in SQLite's file notices damage to what ties
the rows together. These checks are written after each transaction and never synced: a crash may
leave them behind, then more than one page differs (each transaction changes at least two) and they
are not used.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from struct import Struct
from zlib import crc32

from holdfast.crypto import blake2b
from holdfast.storage.disk import write_all
from holdfast.storage.flips import mend_crc
from holdfast.storage.twice import pack_twice, read_twice

SUFFIX = "-pages"
_MAGIC = b"HFPAGE1\n"
_PAGE = 4096
_CHECK = Struct("<I8s")  # CRC-32, which tells the flipped bit; digest, which tells that it is so


def note_pages(index: Path) -> None:
    """Note what the pages of the index hold now. Trouble is ignored: they are a help, no more."""
    with suppress(OSError):
        content = pack_twice(_MAGIC, b"".join(_checks(index)))
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        fd = os.open(index.with_name(index.name + SUFFIX), flags, 0o600)
        try:
            write_all(fd, content, 0)
        finally:
            os.close(fd)


def mend_pages(index: Path) -> bool:
    """Put the index right if a single bit of it has flipped since `note_pages`; whether it did.

    The index must not be open.
    """
    with suppress(OSError):
        noted, found = read_twice(index.with_name(index.name + SUFFIX), _MAGIC), _checks(index)
        if noted is None or len(noted) != _CHECK.size * len(found):
            return False
        wanted = [noted[at : at + _CHECK.size] for at in range(0, len(noted), _CHECK.size)]
        wrong = [page for page, check in enumerate(found) if check != wanted[page]]
        return len(wrong) == 1 and _mend(index, wrong[0], wanted[wrong[0]])
    return False


def _checks(index: Path) -> list[bytes]:
    with index.open("rb") as file:
        return [_check(page) for page in iter(lambda: file.read(_PAGE), b"")]


def _check(page: bytes) -> bytes:
    return _CHECK.pack(crc32(page), blake2b(page))


def _mend(index: Path, page: int, check: bytes) -> bool:
    with index.open("r+b", buffering=0) as file:
        file.seek(page * _PAGE)
        content = file.read(_PAGE)
        mended = mend_crc(content, crc32(content) ^ _CHECK.unpack(check)[0])
        if mended is None or _check(mended) != check:
            return False
        write_all(file.fileno(), mended, page * _PAGE)
        os.fsync(file.fileno())
        return True
