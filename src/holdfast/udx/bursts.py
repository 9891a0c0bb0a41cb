"""Datagrams of one size, end to end: what segmentation offload sends with one call."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, TypeAlias

from holdfast.udx.packet import HEADER_BYTES, Buffer

Addr: TypeAlias = tuple[str, int]

MAX_BURST = 64 * 1024 - 512
"""Bytes in a burst: one UDP send takes no more (RFC 768), headers of lower layers counted."""
MAX_SEGMENTS = 64
"""Datagrams in a burst: what every Linux with the offload takes (UDP_MAX_SEGMENTS)."""
_ZEROS = bytes(256)


class Burst(NamedTuple):
    """Datagrams of ``size`` bytes each, only the last of which may be shorter."""

    data: bytes
    """All of them, one behind the other."""
    size: int
    """Bytes of a datagram."""
    addr: Addr
    """Where they go."""
    fragment: bool
    """Whether the path may split them; else a router that cannot pass them on drops them."""

    def datagrams(self) -> Iterator[memoryview]:
        """One by one."""
        view, size = memoryview(self.data), self.size
        return (view[at : at + size] for at in range(0, len(view), size))


class Packer:
    """Puts packets together as bursts, in the order they come."""

    __slots__ = ("_addr", "_bursts", "_count", "_fragment", "_length", "_parts", "_size")

    def __init__(self, addr: Addr) -> None:
        self._addr = addr
        self._bursts: list[Burst] = []
        self._parts: list[Buffer] = []
        self._size = self._length = self._count = 0
        self._fragment = False

    def add(self, header: bytes, payload: Buffer, padding: int = 0, fragment: bool = False) -> None:
        """One packet."""
        size = HEADER_BYTES + padding + len(payload)
        if self._parts and (
            size > self._size
            or self._count >= MAX_SEGMENTS
            or self._length + size > MAX_BURST
            or fragment != self._fragment
        ):
            self._finish()
        parts = self._parts
        if not parts:
            self._size, self._fragment = size, fragment
        parts.append(header)
        if padding:
            parts.append(_ZEROS[:padding])
        parts.append(payload)
        self._length += size
        self._count += 1
        if size < self._size:
            self._finish()

    def _finish(self) -> None:
        if self._parts:
            data = b"".join(self._parts)
            self._bursts.append(Burst(data, self._size, self._addr, self._fragment))
        self._parts = []
        self._size = self._length = self._count = 0

    def take(self) -> list[Burst]:
        """All bursts so far."""
        self._finish()
        bursts, self._bursts = self._bursts, []
        return bursts
