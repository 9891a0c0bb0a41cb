"""One log: what is held, what is signed, what may be shown to others.

A log has two ends. ``local`` is the end this process has written; ``shared`` is the end that is
known durable, and the only one a peer ever sees: a length that a power cut could take back must
not leave the machine. For a reader the two are the same.

Writing takes three steps, so that many appends share one signature and one sync: ``stage`` (hash),
``commit`` (sign, hand to the backend), ``settle`` (the backend is durable up to here).
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
from holdfast.hypercore import clearing
from holdfast.hypercore.backend import Backend, Change, Head, Leaf
from holdfast.hypercore.manifest import Manifest, decode_manifest, encode_manifest
from holdfast.hypercore.received import Received
from holdfast.hypercore.staged import Block, Staged
from holdfast.hypercore.state import TreeState, load_head, load_roots
from holdfast.hypercore.tree import Node, leaf_hash, tree_hash
from holdfast.hypercore.tree_view import MissingNode, byte_offset
from holdfast.hypercore.verifier import Verifier, sign_head


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
        """Open what the backend holds. Raises `DamagedError` when the end of an own log is."""
        self.backend = backend
        self.key = key
        self.discovery_key = discovery_key(key)
        self.key_pair = key_pair
        self.frozen: ConflictError | None = None
        self.doubt: DamagedError | None = None
        """Somebody else's log whose end on disk is damaged: nothing of it counts until a peer shows
        it again, and what is on disk is left alone until then."""
        self.damaged_blocks: set[int] = set()
        self.unplaced_blocks: set[int] = set()
        """Verified blocks whose offset a lost tree node hides: to be proven from the roots."""
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

        self._received = Received()
        self.local = self._load()
        self.shared = self.local
        self._unsettled: deque[tuple[int, TreeState]] = deque()
        self._staged = Staged(self.local)

    def _load(self) -> TreeState:
        """The signed end on disk; for a reader nothing yet, rather than an end in doubt."""
        state = load_head(self.node, self.backend.head, self.verifier)
        if state is not None:
            return state
        if self.writable:
            raise DamagedError(
                f"The signed end of log {self.key.hex()[:16]}… does not match what is on disk.",
                "Restore this store from a copy, or fetch the log again from somebody who has it.",
            )
        self.doubt = DamagedError(
            f"The signed end of log {self.key.hex()[:16]}… is damaged on disk.",
            "It is fetched again when somebody who has it is connected.",
        )
        self.bitfield = Bitfield()
        self.contiguous_length = 0
        return TreeState(self.node)

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
        found = self._received.nodes.get(index)
        if found is not None or self.doubt is not None:
            return found
        try:
            return self.backend.node(index)
        except DamagedError:
            return None

    def root(self, index: int) -> Node | None:
        """A root of the tree; None for every other node, held or not."""
        return next((root for root in self.local.roots if root.index == index), None)

    def has(self, index: int) -> bool:
        """Whether the block's bytes are here."""
        return self.bitfield.get(index)

    def block(self, index: int, *, check: bool = True) -> bytes | None:
        """Stored bytes of a block, checked against its leaf; None when it is not here.

        Raises `DamagedError` when the bytes on disk do not match the tree. ``check=False`` is
        for bytes that were checked a moment ago and will be checked by whoever gets them.
        """
        if not self.bitfield.get(index):
            if self.doubt is not None:
                raise self.doubt.with_traceback(None)
            return None
        pending = self._received.blocks.get(index)
        if pending is not None:
            return bytes(pending)
        data = self._read(index, check)
        if data is not None:
            return data
        self.damaged_blocks.add(index)
        raise DamagedError(
            f"Block {index} of log {self.key.hex()[:16]}… is damaged on disk.",
            "It is fetched again when somebody who has it is connected.",
        )

    def _read(self, index: int, check: bool) -> bytes | None:
        try:
            leaf = self.backend.leaf(index)
            if leaf is None or leaf.offset < 0:
                return None
            data = self.backend.read(leaf.offset, leaf.size)
        except DamagedError:
            return None
        if not check and len(data) == leaf.size:
            return data
        return data if leaf_hash(data) == leaf.hash else None

    # -- writing --------------------------------------------------------------------------------

    @property
    def staged_length(self) -> int:
        """The length that the next `commit` brings."""
        return self._staged.length

    @property
    def staged(self) -> bool:
        """Whether blocks are staged that `commit` has not signed."""
        return self._staged.length > self.local.length

    def stage(self, blocks: Sequence[Block]) -> int:
        """Hash blocks onto the end; returns the length they bring. `commit` makes them visible."""
        self._check_writable()
        return self._staged.add(blocks)

    def commit(self, *, durable: bool) -> int:
        """Sign what is staged and write it; returns the backend's ticket.

        Raises `DiskFullError` with nothing changed and nothing staged any more.
        """
        state, change = self._staged.finish()
        state.signature = self._sign(state)
        change.head = _head(state)
        try:
            ticket = self.backend.write(change, durable=durable)
        except Exception as error:
            self.unstage(error)
            raise
        for start, count in change.present:
            self.bitfield.set_range(start, count, True)
            if self.contiguous_length == start:
                self.contiguous_length = start + count
        self.local = state
        self._staged.reset(state)
        self._unsettled.append((ticket, state))
        return ticket

    def unstage(self, error: Exception) -> None:
        """Forget what was staged but not committed; whoever waits for it gets ``error``."""
        self._staged.reset(self.local)
        self.on_unstage(error)

    def settle(self, ticket: int) -> bool:
        """The backend is durable up to ``ticket``: show peers what it covers; True if it moved."""
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
        local = self.local
        fork = local.fork + 1 if fork is None else fork
        if not 0 <= length <= local.length or fork <= local.fork:
            raise ValueError(
                f"cannot truncate length {local.length} fork {local.fork} to {length} fork {fork}"
            )
        roots = load_roots(self.node, length)
        if roots is None:
            raise DamagedError("A tree node needed to truncate is damaged on disk.")
        self.unstage(ClosedError("The log was truncated before this append was written."))
        state = TreeState(self.node, fork, length, roots)
        state.signature = self._sign(state)
        return self._cut(state, length, Change())

    def _cut(self, state: TreeState, keep: int, change: Change) -> int:
        change.truncate = keep
        change.head = _head(state)
        ticket = self.backend.write(change, durable=True)
        self.doubt = None
        dropped = self.local.length - keep
        if dropped > 0:
            self.drop(keep, dropped)
        self._adopt(state)
        self._staged.reset(state)
        self.on_change()
        if dropped > 0:
            self.on_have(keep, dropped, True)
        return ticket

    def _adopt(self, state: TreeState) -> None:
        """An end that is ours and everybody's; what was on its way to be shown is part of it."""
        self._unsettled.clear()
        self.local = self.shared = state

    def _check_writable(self) -> None:
        if self.frozen is not None:
            raise self.frozen.with_traceback(None)
        if self.key_pair is None:
            raise NotWritableError("This log belongs to somebody else.")

    def _sign(self, state: TreeState) -> bytes:
        assert self.key_pair is not None
        return sign_head(
            self.verifier, self.key_pair, tree_hash(state.roots), state.length, state.fork
        )

    # -- receiving ------------------------------------------------------------------------------

    def receive_upgrade(self, state: TreeState) -> None:
        """Take a verified longer tree of this fork; `receive_nodes` has taken its nodes before."""
        if self.doubt is not None:
            self.backend.write(Change(truncate=0), durable=True)
            self.doubt = None
        self._adopt(state)
        self.unstage(
            StaleWriterError("Somebody holds a longer version of this log; it was taken over.")
        )
        self._received.head = _head(state)
        self.on_change()

    def receive_nodes(self, nodes: Sequence[Node]) -> None:
        """Take verified tree nodes (leaves and interior ones)."""
        self._received.add_nodes(nodes)

    def receive_block(self, index: int, data: Block) -> None:
        """Take the verified bytes of a block whose leaf was given to `receive_nodes`.

        Raises `MissingNode` when a lost tree node hides where it belongs (a proof from the roots
        brings that node back, see ``unplaced_blocks``), and what `flush` raises.
        """
        try:
            self._received.add_block(index, data, self._offset)
        except MissingNode:
            self.unplaced_blocks.add(index)
            raise
        self.damaged_blocks.discard(index)
        self.unplaced_blocks.discard(index)
        self.bitfield.set(index)
        if index == self.contiguous_length:
            self.contiguous_length = self.bitfield.first_unset(index + 1)
        self.on_have(index, 1, False)
        if self._received.full:
            self.flush()

    def _offset(self, node: int) -> int:
        return byte_offset(self.local, node)

    def flush(self) -> int | None:
        """Write everything received and verified so far as one change; returns its ticket, if any.

        Raises `DiskFullError`; what was received is then forgotten and will be fetched again.
        """
        if self._received.empty:
            return None
        change = self._received.change(self.bitfield.get)
        try:
            ticket = self.backend.write(change, durable=False)
        except BaseException:
            self._lose_received(change)
            raise
        self._received.clear()
        return ticket

    def _lose_received(self, change: Change) -> None:
        """The backend refused: go back to what it holds, and take back what peers were told."""
        self._received.clear()
        for start, count in change.present:
            self.drop(start, count)
            self.on_have(start, count, True)
        if change.head is not None:
            self._adopt(self._load())
            self._staged.reset(self.local)
            self.on_change()

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

    # -- giving up ------------------------------------------------------------------------------

    def clear(self, start: int, end: int) -> int:
        """Give up blocks ``start`` to ``end`` and free their disk space; returns the bytes freed.

        The tree stays, so the blocks can be fetched and checked again.
        """
        return clearing.clear(self, start, end)

    def forget(self, index: int) -> None:
        """Stop claiming a block whose bytes turned out damaged, so that it is fetched again."""
        clearing.forget(self, index)

    def drop(self, start: int, count: int) -> None:
        """Note that ``count`` blocks from ``start`` are no longer here (the backend knows)."""
        self.bitfield.set_range(start, count, False)
        self.contiguous_length = min(self.contiguous_length, start)


def _head(state: TreeState) -> Head:
    return Head(state.fork, state.length, state.byte_length, state.signature)


def _nothing() -> None:
    """Stand-in where nobody listens."""


def _unstaged_nothing(error: Exception) -> None:
    """Stand-in where nobody listens."""


def _have_nothing(start: int, count: int, dropped: bool) -> None:
    """Stand-in where nobody listens."""
