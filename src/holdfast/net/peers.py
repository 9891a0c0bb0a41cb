"""Everybody we are connected to: one connection for each public key, however many drives.

Two that dial each other at once end with one connection, without a word about it on the wire:

* A dialler that already has a live connection to a key hangs up before it shows its own key, so the
  other side never counts that connection.
* When both dials were too far for that, both sides keep the one whose initiator has the greater
  public key (the rule of hyperswarm, wire notes 4.12).
* A peer that dials although we still have a connection to it has lost that one: the new one counts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

from holdfast.crypto import KeyPair
from holdfast.errors import AddressError, ClosedError, HoldfastError, NotAllowedError
from holdfast.net.address import Address, parse_address
from holdfast.net.connection import Connection
from holdfast.net.dial import DIAL_TIMEOUT, dial
from holdfast.net.limits import Limits
from holdfast.net.listener import Listener, listen
from holdfast.net.policy import Policy
from holdfast.wire import KEEP_ALIVE

AT_ONCE = 2.0
"""Seconds after which a second connection is no longer one of two simultaneous dials."""

SUSPECT = 2.5 * KEEP_ALIVE
"""Seconds of silence after which a connection no longer counts as alive beside a new one."""


_OTHER_ADDRESS = "Use the address of the other machine."


class DuplicateError(ClosedError):
    """There is another connection between the same two."""

    code = "duplicate"

    def __init__(self, kept: Connection) -> None:
        super().__init__("There is already a connection with this peer.")
        self.kept = kept


class Peers:
    """The open connections of a node, incoming and outgoing."""

    def __init__(
        self,
        key_pair: KeyPair,
        on_connection: Callable[[Connection], None],
        *,
        policy: Policy | None = None,
        limits: Limits | None = None,
    ) -> None:
        """``on_connection`` gets each connection that counts, before any message is handled."""
        self.key_pair = key_pair
        self.policy = policy or Policy()
        self.listeners: list[Listener] = []
        self._on_connection = on_connection
        self._limits = limits
        self._open: dict[bytes, Connection] = {}
        self._pending: dict[bytes, Connection] = {}
        self._dialled: dict[Address, bytes] = {}
        self._dialling: dict[Address, asyncio.Task[Connection]] = {}
        self._closed = False

    # -- facts ----------------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self._open)

    def __iter__(self) -> Iterator[Connection]:
        return iter(list(self._open.values()))

    def get(self, key: bytes) -> Connection | None:
        """The connection with the holder of this public key."""
        return self._open.get(key)

    # -- reaching out ---------------------------------------------------------------------------

    async def listen(self, address: Address | str) -> Listener:
        """Take connections on an address; raises as `holdfast.net.listen`."""
        listener = await listen(
            address, self.key_pair, self._opened, admit=self._admit, limits=self._limits
        )
        self.listeners.append(listener)
        return listener

    async def connect(
        self,
        address: Address | str,
        *,
        expected_key: bytes | None = None,
        timeout: float = DIAL_TIMEOUT,
    ) -> Connection:
        """The connection with whoever is at an address: the one there is, or a new one.

        Calls for one address share one dial. Raises as `dial`, and `NotAllowedError`.
        """
        if isinstance(address, str):
            address = parse_address(address)
        if self._closed:
            raise ClosedError("The node is closed.")
        known = self._open.get(self._dialled.get(address, b""))
        if known is not None and expected_key in (None, known.remote_public_key):
            return known
        task = self._dialling.get(address)
        if task is None:
            task = asyncio.ensure_future(self._dial(address, expected_key, timeout))
            self._dialling[address] = task
            task.add_done_callback(lambda done: self._dial_done(address, done))
        return await asyncio.shield(task)

    def _dial_done(self, address: Address, task: asyncio.Task[Connection]) -> None:
        self._dialling.pop(address, None)
        if not task.cancelled():
            task.exception()  # nobody may be waiting any more

    async def _dial(
        self, address: Address, expected_key: bytes | None, timeout: float
    ) -> Connection:
        try:
            connection = await dial(
                address,
                self.key_pair,
                expected_key=expected_key,
                admit=self._admit,
                on_open=self._opened,
                timeout=timeout,
            )
            if connection.reason is not None:
                raise connection.reason
        except DuplicateError as duplicate:
            connection = duplicate.kept
            await connection.wait_open()
        self._dialled[address] = connection.remote_public_key
        return connection

    # -- one for each key -----------------------------------------------------------------------

    def _admit(self, new: Connection) -> None:
        key = new.remote_public_key
        if self._closed:
            raise ClosedError("The node is closed.")
        if key == self.key_pair.public_key:
            raise AddressError("This address leads back to this node itself.", _OTHER_ADDRESS)
        if not self.policy.may_connect(key):
            raise NotAllowedError("This peer may not connect.")
        if not new.is_initiator:
            return
        old = self._open.get(key) or self._pending.get(key)
        if old is not None and not old.closed and new.began - old.heard_at < SUSPECT:
            old.ping()
            raise DuplicateError(old)
        self._pending[key] = new
        new.on_close(lambda reason: self._forget(self._pending, new))

    def _opened(self, new: Connection) -> None:
        key = new.remote_public_key
        self._forget(self._pending, new)
        old = self._open.get(key)
        if old is not None and not self._replaces(new, old):
            old.ping()
            new.close(DuplicateError(old))
            return
        self._open[key] = new
        if old is not None:
            old.close(DuplicateError(new))
        new.on_close(lambda reason: self._forget(self._open, new))
        self._on_connection(new)

    def _replaces(self, new: Connection, old: Connection) -> bool:
        if new.is_initiator == old.is_initiator or new.began > old.opened_at + AT_ONCE:
            return True
        ours_counts = self.key_pair.public_key > new.remote_public_key
        return new.is_initiator == ours_counts

    def _forget(self, table: dict[bytes, Connection], connection: Connection) -> None:
        key = connection.remote_public_key
        if table.get(key) is connection:
            del table[key]

    # -- the end --------------------------------------------------------------------------------

    def enforce(self) -> None:
        """Close the connections that the policy no longer allows."""
        for connection in self:
            if not self.policy.may_connect(connection.remote_public_key):
                connection.close(NotAllowedError("This peer may not connect any more."))

    async def close(self, reason: HoldfastError | None = None) -> None:
        """Stop listening and dialling, and close every connection."""
        self._closed = True
        for listener in self.listeners:
            await listener.close()
        for task in list(self._dialling.values()):
            task.cancel()
        connections = list(self)
        for connection in connections:
            connection.close(reason)
        await asyncio.gather(
            *self._dialling.values(),
            *(connection.wait_closed() for connection in connections),
            return_exceptions=True,
        )
