"""One node of the DHT: look up and announce topics, find peers, put and get small records."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any, TypeVar

from holdfast.crypto import KeyPair, blake2b
from holdfast.dht import operations
from holdfast.dht.calls import Reply
from holdfast.dht.nat import Firewall
from holdfast.dht.operations import Found
from holdfast.dht.query import Query
from holdfast.dht.records import Mutable, MutablePut, Peer
from holdfast.dht.request import Request
from holdfast.dht.storage import MAX_VALUE
from holdfast.errors import LocalError, UnavailableError
from holdfast.net.dht.asking import DhtAsking
from holdfast.net.dht.walk import Walk

__all__ = [
    "MAX_VALUE",
    "DhtNode",
    "Firewall",
    "Found",
    "Mutable",
    "Peer",
    "Reply",
    "Request",
    "Walk",
]

T = TypeVar("T")
Addr = tuple[str, int]
_Begin = Callable[[Walk[T]], Query]


class DhtNode(DhtAsking):
    """A node; made by `DhtNode.open`. Each call below is one walk through the network."""

    async def lookup(self, topic: bytes, *, nodes: Iterable[Addr] = ()) -> AsyncIterator[Found]:
        """Who has announced ``topic``, in the words of one node after the other."""
        machine, storage = self.machine, self.storage
        async for found in self._each(
            lambda walk: operations.lookup(machine, storage, topic, walk.push, walk.end, nodes)
        ):
            yield found

    async def find_peer(
        self, public_key: bytes, *, nodes: Iterable[Addr] = ()
    ) -> AsyncIterator[Found]:
        """Nodes through which the holder of a key is called; its record is not signed."""
        machine, storage, target = self.machine, self.storage, blake2b(public_key)
        async for found in self._each(
            lambda walk: operations.find_peer(machine, storage, target, walk.push, walk.end, nodes)
        ):
            if found.peers[0].public_key == public_key:
                yield found

    async def announce(
        self,
        topic: bytes,
        key_pair: KeyPair,
        relay_addresses: Iterable[Addr] = (),
        *,
        clear: bool = False,
    ) -> list[Reply]:
        """Have the nodes around ``topic`` write down that the holder of ``key_pair`` has it.

        Returns the answers of those that did; it lasts 20 minutes. ``clear`` first takes back what
        was announced with other addresses.
        """
        machine, storage = self.machine, self.storage
        query = await self._whole(
            lambda walk: operations.announce(
                machine, storage, topic, key_pair, relay_addresses, walk.end, clear=clear
            )
        )
        return [reply for reply in query.committed if not reply.error]

    async def unannounce(self, topic: bytes, key_pair: KeyPair) -> None:
        """Take an announcement back, as far as the nodes that have it can be reached."""
        machine, storage = self.machine, self.storage
        await self._whole(
            lambda walk: operations.unannounce(machine, storage, topic, key_pair, walk.end)
        )

    async def immutable_put(self, value: bytes) -> bytes:
        """Keep a value in the network for two days; returns its hash, by which it is asked for.

        Raises `LocalError` when it is too large, and `UnavailableError` when nobody took it.
        """
        _check(value)
        machine, storage = self.machine, self.storage
        query = await self._whole(
            lambda walk: operations.put_immutable(machine, storage, value, walk.end)
        )
        self._check_stored(query)
        return query.target

    async def immutable_get(self, target: bytes) -> bytes | None:
        """The value with a hash, or None when nobody asked has it."""
        machine, storage = self.machine, self.storage
        values: AsyncIterator[bytes] = self._each(
            lambda walk: operations.get_immutable(machine, storage, target, walk.push, walk.end)
        )
        try:
            return await anext(values, None)
        finally:
            await values.aclose()  # type: ignore[attr-defined]

    async def mutable_put(self, key_pair: KeyPair, value: bytes, seq: int = 0) -> Mutable:
        """Keep a signed record under a key for two days, in place of those with a lower ``seq``.

        Raises `LocalError` when it is too large, and `UnavailableError` when nobody took it.
        """
        _check(value)
        if not value:
            raise LocalError("A mutable record cannot be empty.")
        record = Mutable.make(key_pair, value, seq)
        await self.mutable_put_signed(key_pair.public_key, record)
        return record

    async def mutable_put_signed(self, public_key: bytes, record: Mutable) -> None:
        """As `mutable_put`, for a record that somebody who cannot be here has signed."""
        machine, storage = self.machine, self.storage
        put = MutablePut(public_key, record)
        query = await self._whole(
            lambda walk: operations.put_mutable(machine, storage, put, walk.end)
        )
        self._check_stored(query)

    async def mutable_get(
        self, public_key: bytes, *, seq: int = 0, latest: bool = True
    ) -> Mutable | None:
        """The record of a key, ``seq`` or later: the ``latest`` of all found, or the first."""
        machine, storage = self.machine, self.storage
        best: Mutable | None = None
        records: AsyncIterator[Mutable] = self._each(
            lambda walk: operations.get_mutable(
                machine, storage, public_key, seq, walk.push, walk.end
            )
        )
        try:
            async for record in records:
                # Of two with one number the greater counts: everybody ends with the same one.
                if best is None or (record.seq, record.value) > (best.seq, best.value):
                    best = record
                if not latest:
                    break
        finally:
            await records.aclose()  # type: ignore[attr-defined]
        return best

    # ---------------------------------------------------------------- walks

    async def _each(self, begin: _Begin[Any]) -> AsyncIterator[Any]:
        async with self.room:
            walk = await self._begin(begin)
            try:
                async for result in walk:
                    yield result
            finally:
                walk.cancel()

    async def _whole(self, begin: _Begin[Any]) -> Query:
        async with self.room:
            return await (await self._begin(begin)).finished()

    async def _begin(self, begin: _Begin[Any]) -> Walk[Any]:
        await self.resolved()
        self.enter()
        walk = self.walk()
        walk.query = begin(walk)
        self.flush()
        return walk

    def _check_stored(self, query: Query) -> None:
        if any(not reply.error for reply in query.committed) or not self.ephemeral:
            return
        if query.committed:
            raise UnavailableError(
                "The nodes of the DHT refused the record.",
                "Another one with the same or a higher number is kept: put a higher one.",
            )
        raise UnavailableError("No node of the DHT took the record.", self.status)


def _check(value: bytes) -> None:
    if len(value) > MAX_VALUE:
        raise LocalError(
            f"A record of the DHT has at most {MAX_VALUE} bytes, this one has {len(value)}.",
            "Put it in a drive and announce that.",
        )
