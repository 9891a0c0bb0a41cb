"""Everybody we are connected to: one connection for each public key, however many drives.

It does not matter how a connection was made: over TCP, over UDX through the DHT, or by a relay.
Two that dial each other at once end with one connection, without a word about it on the wire:

* A dialler that already has a live connection to a key hangs up before it shows its own key, so the
  other side never counts that connection.
* When both dials were too far for that, both sides keep the one whose initiator has the greater
  public key (the rule of hyperswarm, wire notes 4.12).
* A peer that dials although we still have a connection to it has lost that one: the new one counts.
* Who was dialled decides. A dialler that would keep the older of two leaves the new one unread for
  a moment: if the other side closes the older one, it preferred the new one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator

from holdfast.crypto import KeyPair
from holdfast.errors import AddressError, ClosedError, HoldfastError, NotAllowedError
from holdfast.net.address import Address, parse_address
from holdfast.net.connection import Admit, Connection
from holdfast.net.dial import DIAL_TIMEOUT, dial
from holdfast.net.limits import Limits
from holdfast.net.listener import Listener, listen
from holdfast.net.policy import Policy
from holdfast.wire import KEEP_ALIVE

AT_ONCE = 2.0
"""Seconds after which a second connection is no longer one of two simultaneous dials."""

SUSPECT = 2.5 * KEEP_ALIVE
"""Seconds of silence after which a connection no longer counts as alive beside a new one."""


Dial = Callable[[Admit, Admit], Awaitable[Connection]]
"""Makes a connection; gets ``admit`` and ``on_open`` as in `Connection`."""

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
        self.gate: Callable[[bytes], None] | None = None
        """Asked about each key that knocks; raises a HoldfastError to refuse it."""
        self._watchers = [on_connection]
        self._limits = limits
        self._open: dict[bytes, Connection] = {}
        self._pending: dict[bytes, Connection] = {}
        self._spare: dict[bytes, Connection] = {}
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

    def doubts(self, connection: Connection) -> bool:
        """Whether nothing was heard from the other side for so long that it may be gone."""
        silence = asyncio.get_running_loop().time() - connection.heard_at
        return silence >= SUSPECT and not connection.paused

    def _alive(self, key: bytes) -> Connection | None:
        connection = self._open.get(key)
        return None if connection is None or self.doubts(connection) else connection

    def watch(self, callback: Callable[[Connection], None]) -> Callable[[], None]:
        """Call back with each connection that counts from now on; returns how to stop that."""
        self._watchers.append(callback)
        return lambda: self._watchers.remove(callback) if callback in self._watchers else None

    # -- reaching out ---------------------------------------------------------------------------

    async def listen(self, address: Address | str) -> Listener:
        """Take connections on an address; raises as `holdfast.net.listen`."""
        listener = await listen(
            address, self.key_pair, self.opened, admit=self.admit, limits=self._limits
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
        known = self._alive(self._dialled.get(address, b""))
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
        connection = await self._kept(
            dial(
                address,
                self.key_pair,
                expected_key=expected_key,
                admit=self.admit,
                on_open=self.opened,
                timeout=timeout,
            )
        )
        self._dialled[address] = connection.remote_public_key
        return connection

    async def connect_by(
        self, key: bytes, make: Dial, *, beside: Connection | None = None
    ) -> Connection:
        """The connection with the holder of a key: the one there is, or the one ``make`` makes.

        One that is to be improved on, ``beside``, does not count. Raises as ``make``, and
        `NotAllowedError`.
        """
        known = self._alive(key)
        if known is not None and known is not beside:
            return known
        self.check(key)
        return await self._kept(make(self.admit, self.opened))

    async def _kept(self, made: Awaitable[Connection]) -> Connection:
        """The connection that counts once a dial is over."""
        try:
            connection = await made
            if connection.reason is not None:
                raise connection.reason
        except DuplicateError as duplicate:
            connection = duplicate.kept
            await connection.wait_open()
        return self._open.get(connection.remote_public_key, connection)

    # -- one for each key -----------------------------------------------------------------------

    def check(self, key: bytes) -> None:
        """Whether a connection with the holder of a key may stand; raises why it may not."""
        if self._closed:
            raise ClosedError("The node is closed.")
        if key == self.key_pair.public_key:
            raise AddressError("This address leads back to this node itself.", _OTHER_ADDRESS)
        if not self.policy.may_connect(key):
            raise NotAllowedError("This peer may not connect.")

    def knock(self, key: bytes) -> None:
        """Whether the holder of a key may come in; raises why not."""
        self.check(key)
        if self.gate is not None:
            self.gate(key)

    def admit(self, new: Connection) -> None:
        """For whoever makes connections: the other side has proven its key (see `Connection`)."""
        key = new.remote_public_key
        if not new.is_initiator:
            self.knock(key)
            return
        self.check(key)
        old = self._open.get(key) or self._pending.get(key)
        if old is not None and not old.closed and new.began - old.heard_at < SUSPECT:
            old.ping()
            raise DuplicateError(old)
        self._pending[key] = new
        new.on_close(lambda reason: self._forget(self._pending, new))

    def opened(self, new: Connection) -> None:
        """For whoever makes connections: both sides have accepted each other."""
        key = new.remote_public_key
        self._forget(self._pending, new)
        old = self._open.get(key)
        if old is None:
            self._take(new)
        elif self._replaces(new, old):
            self._drop_spare(key, new)
            self._take(new)
            old.close(DuplicateError(new))
        else:
            old.ping()
            if new.is_initiator:
                self._wait_for_verdict(new, old)
            else:
                new.close(DuplicateError(old))

    def _take(self, new: Connection) -> None:
        self._open[new.remote_public_key] = new
        new.on_close(lambda reason: self._gone(new))
        for watcher in list(self._watchers):
            watcher(new)

    def _replaces(self, new: Connection, old: Connection) -> bool:
        if old.route == "relayed" and new.route != "relayed":
            return True  # a hole was punched while the relay served
        if new.is_initiator and old.is_initiator:
            return new.began - old.heard_at >= SUSPECT
        if new.is_initiator == old.is_initiator or new.began > old.opened_at + AT_ONCE:
            return True
        ours_counts = self.key_pair.public_key > new.remote_public_key
        return new.is_initiator == ours_counts

    def _wait_for_verdict(self, new: Connection, old: Connection) -> None:
        """Who was dialled closes one of the two."""
        key = new.remote_public_key
        self._drop_spare(key, old)
        self._spare[key] = new
        new.pause_reading()
        new.on_close(lambda reason: self._forget(self._spare, new))

        def too_late() -> None:
            if self._spare.get(key) is new:
                self._drop_spare(key, old)

        asyncio.get_running_loop().call_later(AT_ONCE, too_late)

    def _drop_spare(self, key: bytes, kept: Connection) -> None:
        spare = self._spare.pop(key, None)
        if spare is not None:
            spare.close(DuplicateError(kept))

    def _gone(self, old: Connection) -> None:
        self._forget(self._open, old)
        spare = self._spare.get(old.remote_public_key)
        if spare is not None and old.remote_public_key not in self._open and not self._closed:
            del self._spare[old.remote_public_key]
            self._take(spare)
            spare.resume_reading()

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
        connections = [*self, *self._spare.values()]
        for connection in connections:
            connection.close(reason)
        await asyncio.gather(
            *self._dialling.values(),
            *(connection.wait_closed() for connection in connections),
            return_exceptions=True,
        )
