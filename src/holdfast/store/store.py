"""One directory, one primary key, many logs (what JavaScript calls a corestore)."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import TracebackType

from holdfast.crypto import ROOT_NAMESPACE, KeyPair, derive_seed, key_pair, sub_namespace
from holdfast.errors import ClosedError, StoreError
from holdfast.hypercore.log import Log
from holdfast.hypercore.manifest import Manifest, manifest_key, single_signer
from holdfast.storage import Durability, MemoryStorage, Storage, open_storage
from holdfast.store.attachments import Attachment, Link, Offers, offer_all
from holdfast.store.collector import calm_collector
from holdfast.store.core import Core
from holdfast.store.open_log import OpenLog

TICK = 1.0
"""Seconds between looks at peers that owe us an answer (only while connected)."""


class Store:
    """Opens logs by name (ours, derived from the primary key) or by key (anybody's)."""

    def __init__(
        self, storage: Storage, *, durable: bool = True, directory: Path | None = None
    ) -> None:
        self.storage = storage
        self.directory = directory
        """Where it lies; None in memory."""
        self.closed = False
        self._durable = durable
        self._logs: dict[bytes, OpenLog] = {}
        self._by_discovery_key: dict[bytes, OpenLog] = {}
        self._attachments: list[Attachment] = []
        self._ticker: asyncio.TimerHandle | None = None

    @classmethod
    async def open(
        cls,
        directory: Path | str | None,
        *,
        passphrase: str | None = None,
        durability: Durability = "power",
    ) -> Store:
        """Open (or make) the store in a directory; None keeps everything in memory.

        ``durability``: "power" acknowledges an append once a power cut cannot take it back,
        "process" once the death of this process cannot. Raises `StoreBusyError`,
        `StoreVersionError`, `PassphraseError`, `DamagedError`.
        """
        calm_collector()
        if directory is None:
            return cls(MemoryStorage(), durable=False)
        path = Path(directory)
        storage = open_storage(path, passphrase=passphrase, durability=durability)
        return cls(storage, durable=durability == "power", directory=path)

    async def __aenter__(self) -> Store:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    # -- keys -----------------------------------------------------------------------------------

    @property
    def primary_key(self) -> bytes:
        """The 32 secret bytes that all our keys derive from. Guard it like the data itself."""
        return self.storage.primary_key

    def derive_key_pair(self, name: str, namespace: bytes = ROOT_NAMESPACE) -> KeyPair:
        """The signing pair of a name, the same that corestore derives from the same primary key."""
        return key_pair(derive_seed(self.primary_key, namespace, name))

    def namespace(self, name: str | bytes) -> Namespace:
        """Names inside it do not meet names outside."""
        return Namespace(self, sub_namespace(ROOT_NAMESPACE, name))

    # -- logs -----------------------------------------------------------------------------------

    def core(
        self,
        *,
        name: str | None = None,
        key: bytes | None = None,
        manifest: Manifest | None = None,
        key_pair: KeyPair | None = None,
        encryption_key: bytes | None = None,
        is_block_key: bool = False,
        compat: bool = False,
        namespace: bytes = ROOT_NAMESPACE,
    ) -> Core:
        """A session on a log: ours by ``name`` (or ``key_pair``), anybody's by ``key``.

        ``compat`` makes a log of the previous generation, whose key is the signer's public key.
        Opening one of our own logs by key finds its signing pair again.
        """
        if self.closed:
            raise ClosedError("The store is closed.")
        origin: tuple[bytes, str] | None = None
        if name is not None:
            key_pair = self.derive_key_pair(name, namespace)
            origin = (namespace, name)
        if key_pair is not None and manifest is None and not compat:
            manifest = single_signer(key_pair.public_key)
        if key is None:
            if manifest is not None:
                key = manifest_key(manifest)
            elif key_pair is not None:
                key = key_pair.public_key
            else:
                raise ValueError("a log needs a name, a key or a key pair")
        opened = self._logs.get(key) or self._open_log(key, manifest, key_pair, origin)
        if key_pair is not None and opened.log.key_pair is None:
            opened.log.key_pair = key_pair
        return Core(opened, encryption_key=encryption_key, is_block_key=is_block_key)

    def _open_log(
        self,
        key: bytes,
        manifest: Manifest | None,
        pair: KeyPair | None,
        origin: tuple[bytes, str] | None,
    ) -> OpenLog:
        setting = f"writer/{key.hex()}"
        if pair is None:
            stored = self.storage.get_setting(setting)
            if stored is not None:
                pair = self.derive_key_pair(stored[32:].decode(), stored[:32])
        elif origin is not None and self.storage.get_setting(setting) is None:
            self.storage.set_setting(setting, origin[0] + origin[1].encode())
        backend = self.storage.core(key, own=pair is not None)
        log = Log(backend, key, manifest=manifest, key_pair=pair)
        opened = OpenLog(log, self.storage, durable=self._durable, wake=self._wake)
        self._logs[key] = opened
        self._by_discovery_key[log.discovery_key] = opened
        for attachment in list(self._attachments):
            attachment.offer(opened)
        return opened

    def remember_writer(self, key: bytes, name: str, namespace: bytes = ROOT_NAMESPACE) -> None:
        """Note that the pair derived from ``name`` signs this log too (a drive's blobs)."""
        setting = f"writer/{key.hex()}"
        if self.storage.get_setting(setting) is None:
            self.storage.set_setting(setting, namespace + name.encode())

    def origin(self, key: bytes) -> tuple[bytes, str] | None:
        """Namespace and name that one of our own logs was made under."""
        stored = self.storage.get_setting(f"writer/{key.hex()}")
        return None if stored is None else (stored[:32], stored[32:].decode())

    def find(self, discovery_key: bytes) -> OpenLog | None:
        """The log with that discovery key, opened from disk when it is known but not open."""
        opened = self._by_discovery_key.get(discovery_key)
        if opened is not None:
            return opened
        key = self.storage.key_of(discovery_key)
        return None if key is None else self._open_log(key, None, None, None)

    def key_of(self, discovery_key: bytes) -> bytes | None:
        """The key of a log that is known here; the same work whether or not there is one."""
        opened = self._by_discovery_key.get(discovery_key)
        try:
            stored = self.storage.key_of(discovery_key)
        except StoreError:  # what is open goes on
            stored = None
        return stored if opened is None else opened.log.key

    @property
    def logs(self) -> list[OpenLog]:
        """All logs open now."""
        return list(self._logs.values())

    # -- connections ----------------------------------------------------------------------------

    def attach(
        self, connection: Link, *, offers: Offers = offer_all, asks: Offers | None = None
    ) -> None:
        """Exchange logs over a connection (see `Offers`, `Attachment`).

        Logs that ``offers`` names are given to the other side once it proves to know their keys;
        logs that ``asks`` names are asked of it, which does not mean that they are given to it.
        Without ``asks`` the two are one: what is offered is opened unasked, too.
        """
        attachment = Attachment(self, connection, offers, asks)
        self._attachments.append(attachment)
        connection.on_close(lambda *reason: self._detach(attachment))
        for opened in self.logs:
            attachment.offer(opened)
        self._tick_later()

    def offer_again(self) -> None:
        """Look at every open log anew after what may be offered to whom has changed.

        What is newly offered goes to those who have asked before; what is not any more, ends.
        """
        for attachment in list(self._attachments):
            for opened in self.logs:
                attachment.review(opened)

    def _detach(self, attachment: Attachment) -> None:
        if attachment in self._attachments:
            self._attachments.remove(attachment)
            attachment.close()

    def _wake(self, opened: OpenLog) -> None:
        for attachment in self._attachments:
            attachment.offer(opened)

    def _tick_later(self) -> None:
        if self._ticker is None and self._attachments and not self.closed:
            self._ticker = asyncio.get_running_loop().call_later(TICK, self._tick)

    def _tick(self) -> None:
        self._ticker = None
        now = asyncio.get_running_loop().time()
        for opened in self.logs:
            due = opened.replicator.deadline()
            if due is not None and due <= now:
                opened.replicator.on_deadline(now)
        self._tick_later()

    # -- the end --------------------------------------------------------------------------------

    async def sync(self) -> None:
        """Make everything written and received so far durable."""
        for opened in self.logs:
            opened.replicator.flush()
            await opened.committer.sync()

    async def close(self) -> None:
        """Make everything durable and let go of the directory."""
        if self.closed:
            return
        self.closed = True
        if self._ticker is not None:
            self._ticker.cancel()
        for attachment in list(self._attachments):
            self._detach(attachment)
        try:
            for opened in self.logs:
                await opened.close()
        finally:
            await self.storage.close()


class Namespace:
    """A store seen through a namespace: same logs by key, other logs by name."""

    def __init__(self, store: Store, namespace: bytes) -> None:
        self.store = store
        self.id = namespace

    def core(self, *, name: str, encryption_key: bytes | None = None, compat: bool = False) -> Core:
        """Our log of that name in this namespace."""
        return self.store.core(
            name=name, encryption_key=encryption_key, compat=compat, namespace=self.id
        )

    def namespace(self, name: str | bytes) -> Namespace:
        """A namespace within this one."""
        return Namespace(self.store, sub_namespace(self.id, name))

    def derive_key_pair(self, name: str) -> KeyPair:
        """The signing pair of a name in this namespace."""
        return self.store.derive_key_pair(name, self.id)
