"""A node: one store, its connections, and the drives it has open. The only place that knows all."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, cast

from holdfast.crypto import ROOT_NAMESPACE, derive_seed, key_pair, sub_namespace
from holdfast.encoding import Link, parse_link
from holdfast.encoding.links import MAX_PEERS
from holdfast.errors import (
    BlockNotAvailable,
    ClosedError,
    DamagedError,
    DecodeError,
    LinkError,
    LocalError,
    NotFoundError,
    PeerUnreachable,
)
from holdfast.hyperdrive import Drive, DriveView
from holdfast.hyperdrive.paths import check_name
from holdfast.net import Address, Connection, Limits, Peers, Policy, parse_address
from holdfast.node.fetching import Fetched, fetch
from holdfast.node.held import Held
from holdfast.node.records import Record, Records
from holdfast.store import Core, Store

ANSWER_TIMEOUT = 30.0
"""Seconds that `Node.drive` looks for somebody who has a drive before it gives up."""


PEER_TIMEOUT = 10.0
"""Seconds that a connected peer has to show that it exchanges a drive."""


class Node:
    """Opens drives, shares them, and connects to others; made by `holdfast.open`."""

    def __init__(
        self, store: Store, *, policy: Policy | None = None, limits: Limits | None = None
    ) -> None:
        self.store = store
        self.policy = policy or Policy()
        self.records = Records(store.storage)
        space = sub_namespace(ROOT_NAMESPACE, "holdfast/node")
        self.key_pair = key_pair(derive_seed(store.primary_key, space, "noise"))
        self.peers = Peers(self.key_pair, self._connected, policy=self.policy, limits=limits)
        self._held: dict[bytes, Held] = {}
        self._retired: list[asyncio.Future[None]] = []
        self._asked: set[bytes] = set()
        self._watchers: list[Callable[[Connection], None]] = []
        self._closed = False
        self._unwatch = self.policy.on_change(lambda _: store.offer_again())

    async def __aenter__(self) -> Node:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    # -- drives ---------------------------------------------------------------------------------

    async def drive(
        self,
        link: Link | str | None = None,
        *,
        name: str | None = None,
        public: bool | None = None,
        peers: Iterable[Address | str] = (),
        timeout: float = ANSWER_TIMEOUT,
    ) -> Drive:
        """A drive: ours by ``name`` (made at first use), anybody's by ``link``.

        Ours are encrypted unless made with ``public=True``. Somebody else's is returned once its
        newest version is known from somebody at the addresses in the link, in ``peers``, or where
        it was found before; when nobody answers, as far as it is here. While the node is open it
        goes on looking for them. Raises `LinkError`, `PeerUnreachable`, `BlockNotAvailable`.
        """
        if self._closed:
            raise ClosedError("The node is closed.")
        if (link is None) == (name is None):
            raise LocalError("Open a drive either by its name or by its link.")
        if name is not None:
            return await self._own(name, public)
        assert link is not None
        link = parse_link(link) if isinstance(link, str) else link
        return await self._others(link, [_address(each) for each in peers], timeout)

    async def view(
        self,
        link: Link | str,
        *,
        peers: Iterable[Address | str] = (),
        timeout: float = ANSWER_TIMEOUT,
    ) -> tuple[DriveView, str]:
        """The version of a drive that a link names, and the path in it. Raises as `drive`."""
        link = parse_link(link) if isinstance(link, str) else link
        drive = await self.drive(link, peers=peers, timeout=timeout)
        if link.version is None:
            return drive, link.path
        if link.version > drive.version:
            raise NotFoundError(
                f"The drive has no version {link.version}; the newest known is {drive.version}."
            )
        return drive.checkout(link.version), link.path

    async def _own(self, name: str, public: bool | None) -> Drive:
        check_name(name)
        record = self.records.named(name)
        if record is not None and public is not None and public != record.public:
            kind = "public" if record.public else "private"
            raise LocalError(
                f"The drive {name!r} is {kind}, and that cannot be changed.",
                "Give the other drive a name of its own with --name.",
            )
        public = record.public if record is not None else bool(public)
        secret = None if public else self._secret_of(name)
        drive = Drive(self.store, name=name, encryption_key=secret)
        await drive.ready()
        self.records.keep(Record(drive.key, name, public))
        self._hold(drive.key, secret)
        return drive

    def _secret_of(self, name: str) -> bytes:
        """What opens a private drive of ours: the store's primary key brings it back."""
        return derive_seed(
            self.store.primary_key, self.store.namespace(name).id, "holdfast/drive/secret"
        )

    async def _others(self, link: Link, addresses: list[Address], timeout: float) -> Drive:
        record = self.records.get(link.key) or Record(link.key)
        if record.name is not None:
            return await self._own(record.name, None)
        secret = link.secret or record.secret
        held = self._hold(link.key, secret)
        await self._find(held, [*addresses, *map(_address, link.peers), *record.addresses], timeout)
        await _check_opens(held.drive, secret, timeout)
        self.records.keep(replace(record, public=secret is None, secret=secret))
        self.records.found_at(link.key, *held.answered)
        return Drive(self.store, link.key, encryption_key=secret)

    async def _find(self, held: Held, addresses: list[Address], timeout: float) -> None:
        """Learn the newest version from whoever answers; nobody has to if there is one here."""
        core = held.drive.core
        for key in self._asked:
            held.add_source(key)
        if addresses:
            reach = held.look_at(self.peers.connect, addresses)
            await reach.first()
            if not reach.connected and not _known(core) and not held.sources:
                raise reach.error or PeerUnreachable("Nobody answered.")
        elif not _known(core) and not held.sources:
            raise PeerUnreachable(
                "Nobody is known who has this drive.",
                "Use a link with ?peer=HOST:PORT in it, or add --peer HOST:PORT.",
            )
        if held.sources and await held.wait_peer(min(timeout, PEER_TIMEOUT)):
            await held.drive.update(wait=not _known(core), timeout=timeout)
        elif not _known(core):
            raise BlockNotAvailable(
                "Somebody answers there, but does not offer this drive.",
                "Check that it is still being shared, and that the link is whole.",
            )

    def _hold(self, key: bytes, secret: bytes | None) -> Held:
        """The one entry of a drive; made anew when the link now has another secret."""
        held = self._held.get(key)
        if held is not None and held.drive.encryption_key != secret:
            self._retired.append(asyncio.ensure_future(held.close()))
            held = None
        if held is None:
            drive = Drive(self.store, key, encryption_key=secret)
            held = self._held[key] = Held(drive, self.store.offer_again)
        return held

    def held(self, drive: DriveView) -> Held:
        """With whom an open drive is exchanged, and where it is looked for."""
        return self._held[drive.key]

    async def fetch(self, view: DriveView, path: str, folder: Path, **options: Any) -> Fetched:
        """Bring a file or folder of an open drive into a folder on disk; see `fetching.fetch`."""
        return await fetch(self.peers, self._held[view.key], view, path, folder, **options)

    async def catch_up(self, drive: Drive, address: Address | str) -> bool:
        """Fetch what a peer has of a drive of ours that this store has not: it is an older copy.

        Returns whether the drive grew; after that it can be written again. Raises as `connect`.
        """
        await self.connect(address)
        held = self._held[drive.key]
        if not await held.wait_peer(PEER_TIMEOUT):
            return False
        contents = cast(Core, (await drive.blobs()).core)
        grew = await drive.update()
        async with asyncio.timeout(PEER_TIMEOUT):
            while grew and not contents.peers:
                await contents.next_change()
        await contents.update()
        await drive.download()
        return grew

    # -- sharing --------------------------------------------------------------------------------

    async def share(self, drive: Drive, *, to: Iterable[bytes] | None = None) -> None:
        """Offer a drive to everybody who has its link, or only to some public keys, from now on."""
        blobs = await drive.blobs()
        keys = None if to is None else frozenset(to)
        self.policy.offer(drive.discovery_key, keys)
        self.policy.offer(blobs.core.discovery_key, keys)

    async def unshare(self, drive: Drive) -> None:
        """Offer a drive to nobody any more; open exchanges of it end."""
        blobs = await drive.blobs()
        for core in (drive.core, cast(Core, blobs.core)):
            self.policy.withdraw(core.discovery_key)
            for peer in core.peers:
                if not self._exchanges(core.discovery_key, peer.remote_public_key):
                    peer.port.close()

    def link(self, drive: DriveView, path: str = "/", *, version: int | None = None) -> Link:
        """What to give to somebody: the key, the secret and where this node listens, as text."""
        peers = [each for listener in self.peers.listeners for each in listener.reachable]
        return Link(drive.key, path, drive.encryption_key, tuple(peers)[:MAX_PEERS], version)

    # -- connections ----------------------------------------------------------------------------

    async def listen(self, address: str = "0.0.0.0:0") -> list[str]:
        """Take connections on HOST:PORT; returns the addresses to give away, most useful first."""
        listener = await self.peers.listen(address)
        return [str(each) for each in listener.reachable]

    async def connect(self, address: Address | str, *, timeout: float = 10.0) -> Connection:
        """Connect to a node and ask it for every drive of others that is open here."""
        connection = await self.peers.connect(address, timeout=timeout)
        self._asked.add(connection.remote_public_key)
        for held in list(self._held.values()):
            held.add_source(connection.remote_public_key)
        return connection

    def on_connection(self, callback: Callable[[Connection], None]) -> None:
        """Call back with every connection that is made from now on, in either direction."""
        self._watchers.append(callback)

    def _connected(self, connection: Connection) -> None:
        for watcher in self._watchers:
            watcher(connection)
        self.store.attach(connection, offers=self.policy.offers, asks=self._asks)

    def _exchanges(self, discovery_key: bytes, remote_key: bytes) -> bool:
        """Whether a log is offered to a peer, or asked of it."""
        return self.policy.offers(discovery_key, remote_key) or self._asks(
            discovery_key, remote_key
        )

    def _asks(self, discovery_key: bytes, remote_key: bytes) -> bool:
        """Whether a log is asked of a peer: a drive that is open here, and somebody to ask."""
        return any(
            discovery_key in held.logs and remote_key in held.sources
            for held in self._held.values()
        )

    # -- the end --------------------------------------------------------------------------------

    async def close(self) -> None:
        """Close connections, drives and the store; what is written is durable then. Idempotent."""
        if self._closed:
            return
        self._closed = True
        self._unwatch()
        for held in self._held.values():
            await held.close()
        await asyncio.gather(*self._retired)
        await self.peers.close()
        await self.store.close()


def _known(core: Core) -> int:
    """Blocks of a log known here; none when its copy is damaged and somebody must show it again."""
    try:
        return core.length
    except DamagedError:
        return 0


async def _check_opens(drive: Drive, secret: bytes | None, timeout: float) -> None:
    """Whether the first block makes sense: with a wrong secret it is noise."""
    try:
        await drive.blobs(timeout=timeout)
    except DecodeError:
        if secret is not None:
            raise LinkError("The secret in the link (after the #) does not open it.") from None
        raise LinkError(
            "This is a private drive, and its link lacks the secret (after the #) that opens it.",
            "Ask for the whole link.",
        ) from None


def _address(address: Address | tuple[str, int] | str) -> Address:
    return parse_address(address) if isinstance(address, str) else Address(*address)
