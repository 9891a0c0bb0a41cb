"""Reading a bee: one version of it, or the newest at each call."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

from holdfast.hyperbee.blocks import index_keys
from holdfast.hyperbee.cursor import Cursor, Row
from holdfast.hyperbee.diff import Diff
from holdfast.hyperbee.encodings import Codec
from holdfast.hyperbee.forest import Missing
from holdfast.hyperbee.shared import Guide, Shared

CHUNK = 128
"""Entries read at a time before other tasks get their turn."""
LOOK_AHEAD = 256
"""Blocks asked for ahead of a range that is being read from elsewhere."""


class Entry(NamedTuple):
    """A key with its value, and the block (``seq``) that set it."""

    seq: int
    key: Any
    value: Any


class Change(NamedTuple):
    """One block of the history: ``kind`` is ``"put"`` or ``"del"``."""

    kind: str
    seq: int
    key: Any
    value: Any


class Difference(NamedTuple):
    """A key that differs: its entry here and in the other version, None where it is absent."""

    left: Entry | None
    right: Entry | None


class Reader:
    """A view of a bee. Blocks that are not here are fetched from whoever is connected.

    Reads with ``wait=False`` raise `BlockNotAvailable` instead of fetching, as do reads whose
    ``timeout`` (seconds, for each block) runs out.
    """

    def __init__(self, shared: Shared, codec: Codec, version: int | None) -> None:
        self._shared = shared
        self._forest = shared.forest
        self._codec = codec
        self._fixed = version
        self._since = len(shared.forest.cuts)

    @property
    def version(self) -> int:
        """Number of blocks that make this version (1 when empty)."""
        return self._fixed or max(1, self._forest.core.length)

    @property
    def moving(self) -> bool:
        """Whether this view follows the newest version."""
        return self._fixed is None

    @property
    def intact(self) -> bool:
        """Whether the log was not cut back below this version since the view was made."""
        return self._forest.intact(self.version, self._since)

    async def _refresh(self) -> tuple[int, int]:
        """The version to read now, and the number of cuts it was seen after."""
        if self._fixed is not None:
            self._forest.check(self._fixed, self._since)
            return self._fixed, self._since
        if not self._forest.core.writable:
            await self._forest.core.update()
        return self.version, len(self._forest.cuts)

    async def _fetch(
        self, missing: Missing, wait: bool, timeout: float | None, ahead: list[int] | None = None
    ) -> None:
        extension = self._shared.extension
        told = extension is not None and extension.answered
        more = [] if told else missing.also  # else what the search compares next comes along
        await self._shared.fetcher.fetch(
            missing.seq, more + (ahead or []), wait=wait, timeout=timeout
        )

    def _entry(self, row: Row) -> Entry:
        seq, key, value = row
        return Entry(seq, self._codec.plain_key(key), self._codec.value(value))

    # ---------------------------------------------------------------- one key

    async def get(
        self, key: Any, *, wait: bool = True, timeout: float | None = None
    ) -> Entry | None:
        """The entry of a key, or None."""
        raw = self._codec.key(key)
        forest = self._forest
        version, cuts = await self._refresh()
        asked = False
        while True:
            root = forest.root(version)
            try:
                seq = -1 if root is None else forest.find(root, raw)
                if seq < 0:
                    return None
                return self._entry((seq, raw, forest.read(seq).value))
            except Missing as missing:
                if not asked and wait and self._shared.extension is not None:
                    asked = True
                    self._shared.extension.want_key(version, raw)
                await self._fetch(missing, wait, timeout)
            if cuts != len(forest.cuts):
                version, cuts = await self._refresh()

    async def get_by_seq(
        self, seq: int, *, wait: bool = True, timeout: float | None = None
    ) -> Entry:
        """The entry that block ``seq`` set (its value is None when it deleted the key)."""
        while True:
            try:
                record = self._forest.read(seq)
            except Missing as missing:
                await self._fetch(missing, wait, timeout)
            else:
                return self._entry((seq, record.key, record.value))

    async def peek(self, *, reverse: bool = False, **bounds: Any) -> Entry | None:
        """The first (last) entry of a range, or None; ranges are as in `iterate`."""
        async for entry in self.iterate(reverse=reverse, limit=1, **bounds):
            return entry
        return None

    # ---------------------------------------------------------------- many keys

    async def iterate(
        self,
        *,
        gt: Any = None,
        gte: Any = None,
        lt: Any = None,
        lte: Any = None,
        reverse: bool = False,
        limit: int = -1,
        wait: bool = True,
        timeout: float | None = None,
    ) -> AsyncIterator[Entry]:
        """Entries between keys, ordered by bytes; at most ``limit`` when it is not negative.

        The version is fixed at the first entry. Raises `BlockNotAvailable` when that version is
        truncated away meanwhile.
        """
        bounds = self._codec.bounds(gt=gt, gte=gte, lt=lt, lte=lte)
        version, cuts = await self._refresh()
        cursor = Cursor(self._forest, self._forest.root(version), bounds, reverse=reverse)
        guide = Guide(self._shared, version, bounds, reverse, limit)
        plain_key, value_of = self._codec.plain_key, self._codec.value
        while limit != 0:
            self._forest.check(version, cuts)
            try:
                rows = cursor.take(CHUNK if limit < 0 else min(limit, CHUNK))
            except Missing as missing:
                ahead = cursor.upcoming(LOOK_AHEAD if limit < 0 else 2 * limit + 16) if wait else []
                guide.ask(wait)
                await self._fetch(missing, wait, timeout, ahead)
                continue
            if not rows:
                return
            for seq, key, value in rows:
                yield Entry(seq, plain_key(key), value_of(value))
            if limit > 0:
                limit -= len(rows)
            guide.passed(rows)
            await asyncio.sleep(0)

    async def history(
        self,
        *,
        gt: int | None = None,
        gte: int | None = None,
        lt: int | None = None,
        lte: int | None = None,
        reverse: bool = False,
        limit: int = -1,
        live: bool = False,
        wait: bool = True,
        timeout: float | None = None,
    ) -> AsyncIterator[Change]:
        """Blocks in the order they were written; bounds are seqs, negative ones from the end.

        ``live`` goes on with blocks as they are appended (not backwards). In a sub-bee other keys
        are left out.
        """
        version, cuts = await self._refresh()
        first = _from_end(gt, version) + 1 if gt is not None else _from_end(gte or 1, version)
        stop = version if lt is None else _from_end(lt, version)
        if lt is None and lte is not None:
            stop = _from_end(lte, version) + 1
        live = live and self.moving and not reverse and lt is None and lte is None
        first, stop = max(1, first), min(stop, version)
        seq = stop - 1 if reverse else first
        while limit != 0:
            self._forest.check(seq if live else version, cuts)
            if not first <= seq < stop:
                if not live:
                    return
                await self._appended(stop)
                stop = self.version
                continue
            change = await self._change(seq, -1 if reverse else 1, stop, wait, timeout)
            seq += -1 if reverse else 1
            if change is not None:
                limit -= 1
                yield change
            if seq % CHUNK == 0:
                await asyncio.sleep(0)

    async def _change(
        self, seq: int, step: int, stop: int, wait: bool, timeout: float | None
    ) -> Change | None:
        while True:
            try:
                record = self._forest.read(seq)
                break
            except Missing as missing:
                near = range(seq + step, seq + step * LOOK_AHEAD, step)
                await self._fetch(missing, wait, timeout, [n for n in near if 0 < n < stop])
        codec = self._codec
        if not record.key.startswith(codec.prefix):
            return None
        gone = record.value is None and seq not in index_keys(record.tree)
        kind = "del" if gone else "put"
        return Change(kind, seq, codec.plain_key(record.key), codec.value(record.value))

    async def _appended(self, length: int) -> None:
        """Wait until the log is longer than ``length``."""
        core = self._forest.core
        event = asyncio.Event()
        remove = core.on_append(lambda *_: event.set())
        try:
            while core.length <= length:
                event.clear()
                await event.wait()
        finally:
            remove()

    async def diff(
        self,
        other: int | Reader,
        *,
        gt: Any = None,
        gte: Any = None,
        lt: Any = None,
        lte: Any = None,
        limit: int = -1,
        wait: bool = True,
        timeout: float | None = None,
    ) -> AsyncIterator[Difference]:
        """Keys of a range that differ from another version (a number or a view), in their order.

        What both versions share is not read.
        """
        bounds = self._codec.bounds(gt=gt, gte=gte, lt=lt, lte=lte)
        version, cuts = await self._refresh()
        past = other if isinstance(other, int) else (await other._refresh())[0]
        forest = self._forest
        diff = Diff(forest, forest.root(version), forest.root(past), bounds)
        steps = 0
        while limit != 0:
            forest.check(max(version, past), cuts)
            try:
                pair = diff.next()
            except Missing as missing:
                await self._fetch(missing, wait, timeout)
                continue
            if pair is None:
                return
            left, right = pair
            yield Difference(
                None if left is None else self._entry(left),
                None if right is None else self._entry(right),
            )
            limit -= 1
            steps += 1
            if steps % CHUNK == 0:
                await asyncio.sleep(0)


def _from_end(n: int, version: int) -> int:
    return n + version if n < 0 else n
