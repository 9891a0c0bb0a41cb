"""A node: one store, its connections, and the drives it has open. The only place that knows all."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, cast

from holdfast.crypto import ROOT_NAMESPACE, derive_seed, key_pair, sub_namespace
from holdfast.encoding import Link, parse_link
from holdfast.encoding.links import MAX_PEERS
from holdfast.errors import (
    ClosedError,
    DecodeError,
    LinkError,
    LocalError,
    NotFoundError,
)
from holdfast.hyperdrive import Drive, DriveView
from holdfast.hyperdrive.paths import check_name
from holdfast.net import Address, Connection, Limits, Peers, Policy, parse_address
from holdfast.node import sharing
from holdfast.node.fetching import Fetched, fetch
from holdfast.node.finding import PEER_TIMEOUT, find
from holdfast.node.held import Held
from holdfast.node.network import Network
from holdfast.node.records import Record, Records
from holdfast.store import Core, Store

if TYPE_CHECKING:
    from holdfast.node.online import Online

ANSWER_TIMEOUT = 30.0
"""Seconds that `Node.drive` looks for somebody who has a drive before it gives up."""


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
        self.online: Online | None = None
        """The ways to others that are open, after `go_online`."""
        self.peers = Peers(self.key_pair, self._connected, policy=self.policy, limits=limits)
        self._held: dict[bytes, Held] = {}
        self._retired: list[asyncio.Future[None]] = []
        self._asked: set[bytes] = set()
        self._watchers: list[Callable[[Connection], None]] = []
        self._closed = False
        self._unwatch = self.policy.on_change(self._switched)

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
        known = self.records.get(drive.key) or Record(drive.key)
        self.records.keep(replace(known, name=name, public=public))
        self.hold(drive.key, secret)
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
        held = self.hold(link.key, secret)
        for key in self._asked:
            held.add_source(key)
        places = [*addresses, *map(_address, link.peers), *record.addresses]
        await find(self.peers, self.online, held, places, timeout)
        await _check_opens(held.drive, secret, timeout)
        record = self.records.get(link.key) or record  # a switch may have turned meanwhile
        self.records.keep(replace(record, public=secret is None, secret=secret))
        self.records.found_at(link.key, *held.answered)
        return Drive(self.store, link.key, encryption_key=secret)

    def hold(self, key: bytes, secret: bytes | None) -> Held:
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
        # A peer that keeps the drive without sharing it shows how long it is, but gives nothing.
        await drive.core.get(drive.core.length - 1, timeout=PEER_TIMEOUT)
        await drive.download()
        return grew

    # -- sharing --------------------------------------------------------------------------------

    async def share(
        self, drive: Drive, *, to: Iterable[bytes] | None = None, announce: bool = True
    ) -> None:
        """Give a drive to everybody who has its link, or only to some public keys, from now on.

        With ``announce`` it can be found, too, as far as this node is online. Remembered for
        `share_again`; may be called again with other wishes while it is shared. Whom it was
        withheld from before still does not get it, unless named in ``to``.
        """
        await sharing.share(self, drive, to, announce)

    async def unshare(self, drive: Drive) -> None:
        """Give a drive to nobody any more and announce it nowhere; open exchanges of it end."""
        await sharing.unshare(self, drive)

    async def share_again(self) -> int:
        """Share what was shared before and not taken back; returns how many drives that is."""
        return await sharing.share_again(self)

    def link(
        self,
        drive: DriveView,
        path: str = "/",
        *,
        version: int | None = None,
        addresses: bool = True,
    ) -> Link:
        """What to give to somebody: the key, the secret, and (``addresses``) where we listen."""
        listeners = self.peers.listeners if addresses else []
        peers = [each for listener in listeners for each in listener.reachable]
        return Link(drive.key, path, drive.encryption_key, tuple(peers)[:MAX_PEERS], version)

    def _switched(self, discovery_key: bytes) -> None:
        """A switch of the policy has turned."""
        self.store.offer_again()
        if self.online is not None:
            self.online.announce(self.policy.announced)

    # -- connections ----------------------------------------------------------------------------

    async def go_online(
        self, network: Network, *, first: bool = False, serves: bool = False
    ) -> Online:
        """Open the ways to others, see `Online.open`; what may be found is announced from now on.

        Raises `AddressError`, `ListenError`.
        """
        from holdfast.node.online import Online

        if self.online is not None:
            raise LocalError("This node is online already.")
        folder = self.store.directory
        space = sub_namespace(ROOT_NAMESPACE, "holdfast/node")
        seal = derive_seed(self.store.primary_key, space, "peers")
        self.online = await Online.open(
            self.peers, network, folder=folder, book_key=seal, first=first, serves=serves
        )
        self.online.swarm.on_found = self._found
        self.online.announce(self.policy.announced)
        return self.online

    def _found(self, topic: bytes, key: bytes) -> None:
        """Somebody may have a drive that is open here: it is asked of them."""
        for held in list(self._held.values()):
            if held.drive.discovery_key == topic:
                held.add_source(key)

    async def listen(self, address: str = "0.0.0.0:0") -> list[str]:
        """Take connections on HOST:PORT; returns the addresses to give away, most useful first."""
        listener = await self.peers.listen(address)
        if self.online is not None:
            self.online.listens()
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
        if self.online is not None:
            await self.online.close()
        await self.peers.close()
        await self.store.close()


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
