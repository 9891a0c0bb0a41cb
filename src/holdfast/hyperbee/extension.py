"""Asking peers which blocks a lookup touches, and answering: fewer round trips for cold reads.

Nothing in an answer is believed: it only names blocks, which are fetched and verified like any
others, and no more of them than we asked about.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any, Protocol

from holdfast.errors import DecodeError
from holdfast.hyperbee.cursor import Bounds, Cursor
from holdfast.hyperbee.forest import Missing
from holdfast.hyperbee.node import MAX_DEPTH, TreeNode
from holdfast.hyperbee.questions import Cache, Get, Iterator, decode, encode

if TYPE_CHECKING:
    from holdfast.hyperbee.shared import Shared

NAME = "hyperbee"
BLOCKS_PER_ANSWER = 128
RANGE_BLOCKS = 2048 + BLOCKS_PER_ANSWER
"""Blocks named for one Iterator question (as JavaScript Hyperbee)."""
LOOKUP_BLOCKS = 256
"""Blocks that the answer to one Get may make us fetch."""
PATIENCE = 4
"""Questions in a row without an answer, after which nobody is counted on."""
MAX_QUEUE = 64
"""Questions waiting for an answer; more are dropped (the asker then fetches level by level)."""
ROWS_PER_TURN = 64
"""Entries visited for somebody else's question before other tasks get their turn."""


class Handle(Protocol):
    """What the log gives for a registered extension."""

    def send(self, data: bytes, peer: Any) -> None:
        """Send to one peer."""

    def broadcast(self, data: bytes) -> None:
        """Send to every peer of the log."""


def attach(shared: Shared) -> Extension | None:
    """Register on the log; None when this log has no extensions."""
    register = getattr(shared.forest.core, "extension", None)
    if register is None:
        return None
    extension = Extension(shared)
    extension.handle = register(NAME, extension.receive)
    return extension


class Extension:
    """Both sides of the extension for one bee."""

    handle: Handle

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._credit = 0
        self._unanswered = PATIENCE
        self._queue: deque[tuple[Get | Iterator, Any]] = deque()
        self._task: asyncio.Task[None] | None = None

    # ---------------------------------------------------------------- asking

    @property
    def answered(self) -> bool:
        """Whether somebody answers questions: then nothing needs to be fetched on suspicion."""
        return self._unanswered < PATIENCE

    def want_key(self, version: int, key: bytes) -> None:
        """Ask everybody for the blocks that the lookup of a key touches."""
        self._credit = min(self._credit + LOOKUP_BLOCKS, 8 * RANGE_BLOCKS)
        self._unanswered += 1
        self.handle.broadcast(encode(Get(version, key)))

    def want_range(self, version: int, bounds: Bounds, reverse: bool, limit: int) -> int:
        """Ask for the blocks of a range; returns how many entries one answer may cover."""
        self._credit = min(self._credit + RANGE_BLOCKS, 8 * RANGE_BLOCKS)
        low, low_incl, high, high_incl = bounds
        question = Iterator(
            version,
            gte=low if low_incl else None,
            gt=None if low_incl else low,
            lte=high if high_incl else None,
            lt=None if high_incl else high,
            limit=max(0, limit),
            reverse=reverse,
        )
        self.handle.broadcast(encode(question))
        return RANGE_BLOCKS // 2

    # ---------------------------------------------------------------- receiving

    def receive(self, data: bytes, peer: Any) -> None:
        """Take a message from a peer; malformed ones are ignored, as JavaScript does."""
        try:
            messages = decode(bytes(data))
        except DecodeError:
            return
        for message in messages:
            if isinstance(message, Cache):
                self._prefetch(message)
            elif getattr(peer, "uploading", True) and len(self._queue) < MAX_QUEUE:
                self._queue.append((message, peer))
                if self._task is None or self._task.done():
                    self._task = asyncio.create_task(self._answer_all(), name="bee questions")

    def _prefetch(self, message: Cache) -> None:
        self._unanswered = 0
        length = self._shared.forest.core.length
        blocks = [seq for seq in message.blocks if 0 < seq < length][: self._credit]
        self._credit -= len(blocks)
        self._shared.fetcher.prefetch(blocks)

    async def _answer_all(self) -> None:
        while self._queue:
            question, peer = self._queue.popleft()
            if 1 < question.version <= self._shared.forest.core.length:
                touched = _Touched(self, peer)
                try:
                    if isinstance(question, Get):
                        self._trace_key(question, touched)
                    else:
                        await self._trace_range(question, touched)
                except (Missing, DecodeError):
                    pass  # what was found so far still helps
                touched.flush()
            await asyncio.sleep(0)

    def _trace_key(self, question: Get, touched: _Touched) -> None:
        forest = self._shared.forest
        node = TreeNode(question.version - 1, 0)
        for _ in range(MAX_DEPTH):
            touched.add(node.seq)
            forest.load(node)
            low, high = 0, len(node.seqs)
            while low < high:
                mid = (low + high) >> 1
                touched.add(node.seqs[mid])
                at = forest.key_at(node, mid)
                if at == question.key:
                    return
                if at < question.key:
                    low = mid + 1
                else:
                    high = mid
            if not node.kids:
                return
            node = node.kids[low]

    async def _trace_range(self, question: Iterator, touched: _Touched) -> None:
        forest = self._shared.forest
        gt, lt = question.gt, question.lt
        bounds = Bounds(gt or question.gte, not gt, lt or question.lte, not lt)

        def read(seq: int) -> tuple[bytes, bytes | None]:
            touched.add(seq)
            record = forest.read(seq)
            return record.key, None

        root = TreeNode(question.version - 1, 0)
        cursor = TracingCursor(forest, root, bounds, reverse=question.reverse, read=read)
        cursor.touched = touched
        if question.checkpoint:
            self._resume(cursor, question, touched)
        left = question.limit or RANGE_BLOCKS
        while left > 0 and touched.count < RANGE_BLOCKS:
            rows = cursor.take(min(left, ROWS_PER_TURN))
            if not rows:
                return
            left -= len(rows)
            await asyncio.sleep(0)

    def _resume(self, cursor: Cursor, question: Iterator, touched: _Touched) -> None:
        """Stand where the asker stands: position 2n is child n of a node, 2n + 1 its key n."""
        points = question.checkpoint
        frames: list[tuple[TreeNode, int]] = []
        down: TreeNode | None = None
        for seq, offset, i in zip(points[::3], points[1::3], points[2::3], strict=False):
            if seq >= question.version:
                raise DecodeError("a position outside the version")
            node = TreeNode(seq, offset)
            self._shared.forest.load(node)
            touched.seen.add(seq)
            n = min(i >> 1, len(node.seqs))
            frames.append((node, n + 1 if i & 1 and question.reverse else n))
            down = node.kids[n] if node.kids and not i & 1 and n < len(node.kids) else None
        cursor.resume(frames, down)

    def close(self) -> None:
        """Stop answering."""
        if self._task is not None:
            self._task.cancel()
        close = getattr(self.handle, "close", None)
        if close is not None:
            close()


class TracingCursor(Cursor):
    """A cursor that also notes the blocks of the nodes it opens."""

    touched: _Touched

    def _descend(self) -> None:
        node = self._down
        if node is not None:
            self.touched.add(node.seq)
        super()._descend()
        for frame in self._stack:
            opened = frame[0]
            if isinstance(opened, TreeNode):
                self.touched.add(opened.seq)


class _Touched:
    """Collects blocks and sends them in answers of `BLOCKS_PER_ANSWER`."""

    def __init__(self, extension: Extension, peer: Any) -> None:
        self.seen: set[int] = set()
        self.count = 0
        self._blocks: list[int] = []
        self._extension = extension
        self._peer = peer

    def add(self, seq: int) -> None:
        if seq in self.seen:
            return
        self.seen.add(seq)
        self.count += 1
        self._blocks.append(seq)
        if len(self._blocks) >= BLOCKS_PER_ANSWER:
            self.flush()

    def flush(self) -> None:
        blocks = self._blocks
        if blocks:
            answer = encode(Cache(min(blocks), max(blocks) + 1, blocks))
            self._extension.handle.send(answer, self._peer)
            self._blocks = []
