"""One log: what is held, what is signed, what may be shown to others.

A log has two ends. ``local`` is the end this process has written; ``shared`` is the end that is
known durable, and the only one a peer ever sees: a length that a power cut could take back must
not leave the machine. For a reader the two are the same.

Writing takes three steps, so that many appends share one signature and one sync:
``stage`` (hash), ``commit`` (sign, hand to the backend), ``settle`` (the backend is durable up to here).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from holdfast.crypto import KeyPair, discovery_key
from holdfast.encoding.bitfield import Bitfield
from holdfast.errors import (
    ClosedError,
    ConflictError,
    DamagedError,
    NotWritableError,
    StaleWriterError,
)
from holdfast.hypercore.backend import Backend, BlockWrite, Change, Head, Leaf
from holdfast.hypercore.manifest import Manifest, decode_manifest, encode_manifest
from holdfast.hypercore.state import TreeState, load_roots
from holdfast.hypercore.tree import Node, append_leaves, leaf_hash, tree_hash
from holdfast.hypercore.tree_view import byte_offset
from holdfast.hypercore.verifier import Verifier, sign_head

Block = bytes | memoryview

RECEIVE_BUFFER = 2 * 1024 * 1024
"""Bytes of received blocks held in memory before they go to the backend (bounds a turn's memory)."""


class Log:
    """One signed append-only log over a `Backend`. Pure: no clock, no sockets, no waiting."""

    def __init__(
        self,
        backend: Backend,
        key: bytes,
        *,
        manifest: Manifest | None = None,
        key_pair: KeyPair | None = None,
    ) -> None:
        self.backend = backend
        self.key = key
        self.discovery_key = discovery_key(key)
        self.key_pair = key_pair
        self.frozen: ConflictError | None = None
        self.damaged_blocks: set[int] = set()
        self.on_change: Callable[[], None] = _nothing
        """Called when ``shared`` has a new length or fork."""
        self.on_have: Callable[[int, int, bool], None] = _have_nothing
        """Called with (start, count, dropped) when blocks arrive or go."""
        self.on_unstage: Callable[[Exception], None] = _unstaged_nothing
        """Called when staged blocks are dropped without having been committed."""

        if manifest is None and backend.manifest is not None:
            manifest = decode_manifest(backend.manifest)
        self.verifier = Verifier(key, manifest)
        if manifest is not None and backend.manifest is None:
            backend.write(Change(manifest=encode_manifest(manifest)), durable=False)

        self.bitfield = Bitfield()
        for start, count in backend.present_ranges():
            self.bitfield.set_range(start, count, True)
        self.contiguous_length = self.bitfield.first_unset(0)

        self._reset_received()
        self.local = self._load_state()
        self.shared = self.local
        self._unsettled: deque[tuple[int, TreeState]] = deque()
        self._staged = Change()
        self._staged_blocks: list[Block] = []
        self._staged_roots = self.local.roots
        self.staged_length = self.local.length

    # -- what is held ---------------------------------------------------------------------------

    @property
    def manifest(self) -> Manifest | None:
        """The manifest once known; None for a compat log or one not yet heard of."""
        return self.verifier.manifest

    @property
    def writable(self) -> bool:
        """Whether this process holds the key that signs this log."""
        return self.key_pair is not None

    def node(self, index: int) -> Node | None:
        """A tree node, or None when it is unknown or its record is damaged."""
        found = self._received_nodes.get(index)
        if found is not None:
            return found
        try:
            return self.backend.node(index)
        except DamagedError:
            return None

    def has(self, index: int) -> bool:
        """Whether the block's bytes are here."""
        return self.bitfield.get(index)

    def block(self, index: int) -> bytes | None:
        """Stored bytes of a block, checked against its leaf; None when it is not here.

        Raises `DamagedError` when the bytes on disk do not match the signed tree.
        """
        if not self.bitfield.get(index):
            return None
        pending = self._received_blocks.get(index)
        if pending is not None:
            return bytes(pending)
        leaf = self.backend.leaf(index)
        if leaf is not None and leaf.offset >= 0:
            data = self.backend.read(leaf.offset, leaf.size)
            if leaf_hash(data) == leaf.hash:
                return data
        self.damaged_blocks.add(index)
        raise DamagedError(
            f"Block {index} of log {self.key.hex()[:16]}… is damaged on disk.",
            "It is fetched again when somebody who has it is connected.",
        )

    def _load_state(self) -> TreeState:
        head = self.backend.head
        if head is None:
            return TreeState(self.node)
        roots = load_roots(self.node, head.length)
        if roots is not None:
            state = TreeState(self.node, head.fork, head.length, roots, head.signature)
            if state.byte_length == head.byte_length and self.verifier.verify(
                tree_hash(roots), head.length, head.fork, head.signature, roots
            ):
                return state
        if self.writable:
            raise DamagedError(
                f"The signed end of log {self.key.hex()[:16]}… does not match what is on disk.",
                "Restore this store from a copy, or fetch the log again from somebody who has it.",
            )
        # A reader can fetch everything again: start from nothing rather than serve doubt.
        self._write(Change(truncate=0))
        self.bitfield = Bitfield()
        self.contiguous_length = 0
        return TreeState(self.node)

    # -- writing --------------------------------------------------------------------------------

    def stage(self, blocks: Sequence[Block]) -> int:
        """Hash blocks onto the end; returns the length they bring. Nothing is visible before `commit`."""
        self._check_writable()
        roots, leaves, nodes = append_leaves(self._staged_roots, self.staged_length, blocks)
        self._staged_roots = roots
        self._staged.leaves += leaves
        self._staged.nodes += nodes
        self._staged_blocks += blocks
        self.staged_length += len(blocks)
        return self.staged_length

    def commit(self, *, durable: bool) -> int:
        """Sign what is staged and write it; returns the backend's ticket.

        Raises `DiskFullError` with nothing changed and nothing staged any more.
        """
        local = self.local
        change, blocks = self._staged, self._staged_blocks
        roots, length = self._staged_roots, self.staged_length
        self._staged, self._staged_blocks = Change(), []
        end = change.leaves[-1].offset + change.leaves[-1].size if blocks else local.byte_length
        state = TreeState(self.node, local.fork, length, roots, byte_length=end)
        state.signature = self._sign(state)
        if blocks:
            change.blocks.append(BlockWrite(local.length, local.byte_length, blocks))  # type: ignore[arg-type]
            change.present.append((local.length, len(blocks)))
        change.head = Head(state.fork, length, state.byte_length, state.signature)
        try:
            ticket = self.backend.write(change, durable=durable)
        except Exception as error:
            self.unstage(error)
            raise
        if blocks:
            self.bitfield.set_range(local.length, len(blocks), True)
            if self.contiguous_length == local.length:
                self.contiguous_length = length
        self.local = state
        self._unsettled.append((ticket, state))
        return ticket

    @property
    def staged(self) -> bool:
        """Whether blocks are staged that `commit` has not signed."""
        return self.staged_length > self.local.length

    def unstage(self, error: Exception) -> None:
        """Forget what was staged but not committed; whoever waits for it gets ``error``."""
        self._staged, self._staged_blocks = Change(), []
        self._staged_roots = self.local.roots
        self.staged_length = self.local.length
        self.on_unstage(error)

    def settle(self, ticket: int) -> bool:
        """The backend is durable up to ``ticket``: show peers what that covers. True if it moved."""
        state = None
        while self._unsettled and self._unsettled[0][0] <= ticket:
            state = self._unsettled.popleft()[1]
        if state is None:
            return False
        start = self.shared.length if state.fork == self.shared.fork else 0
        self.shared = state
        self.on_change()
        if state.length > start:
            self.on_have(start, state.length - start, False)
        return True

    def truncate(self, length: int, fork: int | None = None) -> int:
        """Cut the log to ``length`` blocks on a new fork; returns the ticket (already durable).

        The fork number must grow. Raises `NotWritableError`, `DamagedError`.
        """
        self._check_writable()
        self.unstage(ClosedError("The log was truncated before this append was written."))
        local = self.local
        fork = local.fork + 1 if fork is None else fork
        if not 0 <= length <= local.length or fork <= local.fork:
            raise ValueError(
                f"cannot truncate length {local.length} fork {local.fork} to {length} fork {fork}"
            )
        roots = load_roots(self.node, length)
        if roots is None:
            raise DamagedError("A tree node needed to truncate is damaged on disk.")
        state = TreeState(self.node, fork, length, roots)
        state.signature = self._sign(state)
        return self._cut(state, length, Change())

    def _cut(self, state: TreeState, keep: int, change: Change) -> int:
        change.truncate = keep
        change.head = Head(state.fork, state.length, state.byte_length, state.signature)
        ticket = self._write(change)
        dropped = self.local.length - keep
        if dropped > 0:
            self.bitfield.set_range(keep, dropped, False)
        self.contiguous_length = min(self.contiguous_length, keep)
        self._unsettled.clear()
        self.local = self.shared = state
        self._staged_roots, self.staged_length = state.roots, state.length
        self.on_change()
        return ticket

    def _check_writable(self) -> None:
        if self.frozen is not None:
            raise self.frozen
        if self.key_pair is None:
            raise NotWritableError("This log belongs to somebody else.")

    def _sign(self, state: TreeState) -> bytes:
        assert self.key_pair is not None
        return sign_head(
            self.verifier, self.key_pair, tree_hash(state.roots), state.length, state.fork
        )

    # -- receiving ------------------------------------------------------------------------------

    def _reset_received(self) -> None:
        self._received_nodes: dict[int, Node] = {}
        self._received_blocks: dict[int, Block] = {}
        self._received_offsets: dict[int, int] = {}
        self._received_bytes = 0
        self._received_head: Head | None = None
        self._next_offset = (-1, 0)

    @property
    def unflushed(self) -> bool:
        """Whether verified blocks or nodes wait for `flush`."""
        return bool(self._received_nodes) or self._received_head is not None

    def receive_upgrade(self, state: TreeState) -> None:
        """Take a verified longer tree (same fork). The caller passes its nodes to `receive_nodes` first."""
        self.local = self.shared = state
        self.unstage(
            StaleWriterError("Somebody holds a longer version of this log; it was taken over.")
        )
        self._received_head = Head(state.fork, state.length, state.byte_length, state.signature)
        self.on_change()

    def receive_nodes(self, nodes: Sequence[Node]) -> None:
        """Take verified tree nodes (leaves and interior ones)."""
        received = self._received_nodes
        for node in nodes:
            received[node.index] = node

    def receive_block(self, index: int, data: Block, offset: int | None = None) -> None:
        """Take the verified bytes of a block whose leaf was given to `receive_nodes`."""
        known_index, known_offset = self._next_offset
        if offset is None:
            offset = known_offset if known_index == index else byte_offset(self.local, 2 * index)
        self._next_offset = (index + 1, offset + len(data))
        self._received_blocks[index] = data
        self._received_offsets[index] = offset
        self._received_bytes += len(data)
        self.damaged_blocks.discard(index)
        self._hold(index)
        self.on_have(index, 1, False)
        if self._received_bytes >= RECEIVE_BUFFER:
            self.flush()

    def flush(self) -> int | None:
        """Write everything received and verified so far as one change; returns its ticket, if any.

        Raises `DiskFullError`; what was received is then forgotten and will be fetched again.
        """
        if not self.unflushed:
            return None
        change = Change(head=self._received_head)
        blocks, offsets = self._received_blocks, self._received_offsets
        for index, node in self._received_nodes.items():
            block = index >> 1
            if index & 1:
                change.nodes.append(node)
            elif block in offsets:
                change.leaves.append(Leaf(block, node.size, node.hash, offsets[block]))
            elif not self.bitfield.get(block):  # a leaf that is here already knows its offset
                change.leaves.append(Leaf(block, node.size, node.hash, -1))
        change.blocks = _runs(blocks, offsets)
        change.present = [(run.start, len(run.data)) for run in change.blocks]
        try:
            ticket = self.backend.write(change, durable=False)
        except BaseException:
            for start, count in change.present:
                self.bitfield.set_range(start, count, False)
                self.contiguous_length = min(self.contiguous_length, start)
            self._reset_received()
            self.local = self.shared = self._load_state()
            self._staged_roots, self.staged_length = self.local.roots, self.local.length
            raise
        self._reset_received()
        return ticket

    def receive_manifest(self, manifest: Manifest) -> None:
        """Take a manifest that hashes to the key."""
        if self.verifier.manifest is None:
            self.verifier = Verifier(self.key, manifest)
            self.backend.write(Change(manifest=encode_manifest(manifest)), durable=False)

    def reorganise(self, state: TreeState, ancestors: int, nodes: Sequence[Node]) -> int:
        """Move to a verified higher fork that shares the first ``ancestors`` blocks with ours."""
        self.flush()
        change = Change()
        for node in nodes:
            if node.index & 1:
                change.nodes.append(node)
            else:
                change.leaves.append(Leaf(node.index >> 1, node.size, node.hash, -1))
        return self._cut(state, min(ancestors, self.local.length), change)

    # -- clearing -------------------------------------------------------------------------------

    def clear(self, start: int, end: int) -> int:
        """Forget the bytes of blocks ``start`` to ``end`` and free their space; returns bytes freed.

        The tree stays, so the blocks can be fetched and checked again.
        """
        self.flush()
        end = min(end, self.local.length)
        if start >= end:
            return 0
        self._write(Change(absent=[(start, end - start)]))
        self.bitfield.set_range(start, end - start, False)
        self.contiguous_length = min(self.contiguous_length, start)
        self.on_have(start, end - start, True)
        return self._punch(start, end)

    def _punch(self, start: int, end: int) -> int:
        """Free the space of an absent range, together with absent neighbours sharing its edges."""
        first = self.bitfield.last_set(start) + 1 if start else 0
        after = self.bitfield.first_set(end)
        lower = self._offset_of(first)
        upper = self._offset_of(after) if 0 <= after < self.local.length else self.local.byte_length
        if lower is None or upper is None:
            lower, upper = self._offset_of(start), self._end_of(end - 1)
        if lower is None or upper is None or upper <= lower:
            return 0
        return self.backend.punch(lower, upper - lower)

    def _offset_of(self, index: int) -> int | None:
        try:
            leaf = self.backend.leaf(index)
            if leaf is not None and leaf.offset >= 0:
                return leaf.offset
            return byte_offset(self.local, 2 * index)
        except Exception:
            return None

    def _end_of(self, index: int) -> int | None:
        node, offset = self.node(2 * index), self._offset_of(index)
        return None if node is None or offset is None else offset + node.size

    def forget(self, index: int) -> None:
        """Stop claiming a block whose bytes turned out damaged, so that it is fetched again."""
        if self.bitfield.get(index):
            self._write(Change(absent=[(index, 1)]))
            self.bitfield.set_range(index, 1, False)
            self.contiguous_length = min(self.contiguous_length, index)
            self.on_have(index, 1, True)

    # -- small parts ----------------------------------------------------------------------------

    def _write(self, change: Change) -> int:
        return self.backend.write(change, durable=True)

    def _hold(self, index: int) -> None:
        self.bitfield.set(index)
        if index == self.contiguous_length:
            self.contiguous_length = self.bitfield.first_unset(index + 1)


def _runs(blocks: dict[int, Block], offsets: dict[int, int]) -> list[BlockWrite]:
    """Received blocks as runs that lie end to end."""
    runs: list[BlockWrite] = []
    expected = -1
    for index in sorted(blocks):
        data = blocks[index]
        if index != expected:
            runs.append(BlockWrite(index, offsets[index], []))
        runs[-1].data.append(data)
        expected = index + 1
    return runs


def _nothing() -> None:
    return None


def _unstaged_nothing(error: Exception) -> None:
    return None


def _have_nothing(start: int, count: int, dropped: bool) -> None:
    return None


__all__ = ["Log"]
