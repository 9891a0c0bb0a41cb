"""The beginning of a log's leaf file: which log it is and its head at the last two checkpoints."""

from __future__ import annotations

import os
from struct import Struct
from typing import NamedTuple

from holdfast.crypto import blake2b
from holdfast.hypercore.backend import Head
from holdfast.storage.disk import write_all

SLOTS = (0, 512)
"""In sectors of their own, so that a torn write leaves one whole."""
_SLOT_BYTES = 512
_MAGIC = b"HFCORE1\n"
_SLOT = Struct("<8sQ32sQQQH")  # magic, epoch, key, fork, length, byte length, signature's bytes
_CHECK_BYTES = 8
MAX_SIGNATURE = _SLOT_BYTES - _SLOT.size - _CHECK_BYTES


class Slot(NamedTuple):
    """A log and its head at a checkpoint."""

    epoch: int
    key: bytes
    head: Head
    position: int


def write_slot(fd: int, epoch: int, key: bytes, head: Head | None) -> None:
    """Write a slot over the older of the two: whatever becomes of it, one is whole."""
    newest = read_slot(fd)
    position = SLOTS[0] if newest is None or newest.position == SLOTS[1] else SLOTS[1]
    write_all(fd, pack_slot(epoch, key, head), position)


def pack_slot(epoch: int, key: bytes, head: Head | None) -> bytes:
    """The bytes of a slot. A signature that is too long is left out."""
    fork, length, byte_length, signature = head or Head(0, 0, 0, b"")
    if len(signature) > MAX_SIGNATURE:
        signature = b""
    content = _SLOT.pack(_MAGIC, epoch, key, fork, length, byte_length, len(signature)) + signature
    return content + blake2b(content)[:_CHECK_BYTES]


def read_slot(fd: int) -> Slot | None:
    """The newest intact slot, or None when neither is."""
    page = os.pread(fd, SLOTS[1] + _SLOT_BYTES, 0)
    found = [slot for position in SLOTS if (slot := _unpack(page, position))]
    return max(found) if found else None


def _unpack(page: bytes, position: int) -> Slot | None:
    data = page[position : position + _SLOT_BYTES]
    if len(data) < _SLOT.size:
        return None
    magic, epoch, key, fork, length, byte_length, size = _SLOT.unpack_from(data)
    end = _SLOT.size + size
    if magic != _MAGIC or blake2b(data[:end])[:_CHECK_BYTES] != data[end : end + _CHECK_BYTES]:
        return None
    return Slot(epoch, key, Head(fork, length, byte_length, data[_SLOT.size : end]), position)
