"""A relay: brings peers together that have nothing but one outbound connection each.

Any node that can be dialled can be one. Clients come over ordinary connections (TCP, WebSocket or
anything else a `Connection` runs over), join topics, and open streams to each other by public key.
Inside a stream the two ends do their own handshake, so all that a relay sees is who talks to whom,
when, and how much.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Protocol

from holdfast.errors import HoldfastError
from holdfast.net.connection import Connection
from holdfast.net.relay.directory import Directory
from holdfast.net.relay.guest import Guest
from holdfast.net.relay.limits import RelayLimits
from holdfast.net.relay.pairs import Pairs
from holdfast.net.relay.topics import Topics
from holdfast.net.relay.wire import (
    ANNOUNCE,
    ASK_PEER,
    LOOKUP,
    PROTOCOL,
    Place,
    Reason,
    Welcome,
)

log = logging.getLogger(__name__)

MayUse = Callable[[bytes], bool]


class Member(Protocol):
    """Who may be on a topic: a client, or the relay itself."""

    @property
    def key(self) -> bytes:
        """Its public key."""

    def tell(self, topic: bytes, keys: list[bytes]) -> None:
        """Name others on a topic to it."""


class _Self:
    """The relay on the topics of its own node."""

    def __init__(self, key: bytes) -> None:
        self.key = key

    def tell(self, topic: bytes, keys: list[bytes]) -> None:
        """It looks for nobody."""


class RelayServer:
    """Relays for whoever asks on a connection given to `attach`."""

    def __init__(
        self,
        public_key: bytes,
        *,
        limits: RelayLimits | None = None,
        may_use: MayUse | None = None,
        directory: Directory | None = None,
        addresses: Callable[[], Sequence[str]] = tuple,
    ) -> None:
        """``may_use(key)`` says who may lean on it. With a ``directory`` it looks up for them.

        ``addresses()`` are those under which others reach it, for whoever asks it where it is.
        """
        self.public_key = public_key
        self.limits = limits or RelayLimits()
        self.guests: dict[bytes, Guest] = {}
        """The clients, by public key."""
        self.pairs = Pairs(self.limits.buffered)
        """The streams."""
        self.carried = 0
        """Bytes relayed since the start."""
        self.on_guest: Callable[[bytes, bool], object] = lambda key, here: None
        """Hears ``(key, here)`` when clients come and go."""
        self.on_record: Callable[[bytes, bytes], object] = lambda key, record: None
        """Gets the records that clients want kept in the DHT."""
        self.on_topic: Callable[[bytes, bool], object] = lambda topic, announced: None
        """Hears when somebody is to be found on a relay topic here, and when nobody any more."""
        self.topics: Topics[Member] = Topics(self.limits, lambda *news: self.on_topic(*news))
        self._self = _Self(public_key)
        self._may_use = may_use
        self._directory = directory
        self._addresses = addresses
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._sweeping: asyncio.TimerHandle | None = None
        self._closed = False

    @property
    def welcome(self) -> Welcome:
        """What a client is told at first."""
        return Welcome(answers=self._directory is not None)

    @property
    def place(self) -> Place:
        """This relay, as others are told of it."""
        return Place(self.public_key, tuple(self._addresses()))

    # -- clients ----------------------------------------------------------------------------------

    def attach(self, connection: Connection) -> None:
        """Relay for the other side of this connection, if it asks for that."""

        def requested(id: bytes, handshake: memoryview) -> bool:
            key = connection.remote_public_key
            if id == key and self._may_lean(key):
                self._arrive(Guest(self, connection))
            return False

        connection.mux.on_request(PROTOCOL, requested)

    def _may_lean(self, key: bytes) -> bool:
        if self._closed or (len(self.guests) >= self.limits.clients and key not in self.guests):
            return False
        return self._may_use is None or self._may_use(key)

    def _arrive(self, guest: Guest) -> None:
        if guest.channel.closed:
            return
        old = self.guests.get(guest.key)
        self.guests[guest.key] = guest
        if old is not None:
            old.channel.close()  # it has come back, and the old connection is not known to be dead
        else:
            self.on_guest(guest.key, True)
        self._sweep_later()

    def left(self, guest: Guest) -> None:
        """A client is gone."""
        self.topics.leave_all(guest)
        if self.guests.get(guest.key) is guest:
            del self.guests[guest.key]
            self.on_guest(guest.key, False)

    # -- topics of the relay's own node -----------------------------------------------------------

    def announce(self, topic: bytes) -> None:
        """Name the relay itself to clients that look for a relay topic."""
        self.join(self._self, topic, ANNOUNCE)

    def unannounce(self, topic: bytes) -> None:
        """Take it back."""
        self.topics.leave(self._self, topic)

    # -- what clients ask for ---------------------------------------------------------------------

    def join(self, guest: Member, topic: bytes, flags: int) -> None:
        """A client joins a topic: it is told of others, and others of it."""
        known = self.topics.flags(guest, topic)
        if not self.topics.join(guest, topic, flags):
            return
        if flags & LOOKUP:
            guest.tell(topic, self.found(topic, guest))
        if flags & ANNOUNCE and not known & ANNOUNCE:
            for seeker in self.topics.seekers(topic, guest):
                seeker.tell(topic, [guest.key])

    def found(self, topic: bytes, seeker: Member) -> list[bytes]:
        """The keys to name to somebody on a topic."""
        return [guest.key for guest in self.topics.found(topic, seeker)]

    def connect(self, guest: Guest, number: int, key: bytes) -> Reason | None:
        """Open a stream to another client; a reason when that cannot be."""
        target = self.guests.get(key)
        if target is None:
            return Reason.NOT_HERE
        if target is guest:
            return Reason.NOT_ALLOWED
        limit = self.limits.streams_per_client
        if len(guest.ends) >= limit:
            return Reason.TOO_MANY
        if len(target.ends) >= limit or not target.takes:
            return Reason.BUSY
        if self.pairs.full:
            return Reason.FULL
        self.pairs.join((guest, number), (target, target.called(guest.key)), self._loop.time())
        return None

    def publish(self, guest: Guest, record: bytes) -> None:
        """A client wants a record of its own kept in the DHT."""
        self.on_record(guest.key, record)

    def ask(self, guest: Guest, question: int, kind: int, key: bytes) -> None:
        """A client wants something looked up; it gets an answer in any case."""
        if kind == ASK_PEER and key in self.guests:
            guest.answer(question, [self.place])
        elif self._directory is None or guest.questions >= self.limits.questions:
            guest.answer(question, [])
        else:
            guest.questions += 1
            task = asyncio.ensure_future(self._look_up(self._directory, guest, question, kind, key))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _look_up(
        self, directory: Directory, guest: Guest, question: int, kind: int, key: bytes
    ) -> None:
        places: list[Place] = []
        try:
            places = await directory.find(kind, key)
        except HoldfastError as error:
            log.info("a lookup for a client failed: %s", error)
        finally:
            guest.questions -= 1
        guest.answer(question, places)

    # -- time -------------------------------------------------------------------------------------

    def _sweep_later(self) -> None:
        if self._sweeping is None and self.guests and not self._closed:
            self._sweeping = self._loop.call_later(self.limits.idle / 4, self._sweep)

    def _sweep(self) -> None:
        self._sweeping = None
        self.pairs.expire(self._loop.time() - self.limits.idle)
        self._sweep_later()

    async def close(self) -> None:
        """Relay for nobody any more; the connections stay."""
        self._closed = True
        if self._sweeping is not None:
            self._sweeping.cancel()
        for guest in list(self.guests.values()):
            guest.channel.close()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
