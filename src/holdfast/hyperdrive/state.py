"""What all views of one drive in one store share: the tree of names, the log of contents."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from weakref import WeakKeyDictionary, WeakValueDictionary

from holdfast.crypto import ROOT_NAMESPACE, blake2b_parts, namespace
from holdfast.encoding import key_text
from holdfast.errors import DecodeError, HoldfastError
from holdfast.hyperbee import Bee, Header
from holdfast.hyperbee.bee import PROTOCOL
from holdfast.hypercore.manifest import Manifest, manifest_key, single_signer
from holdfast.hyperdrive.blobs import Blobs
from holdfast.hyperdrive.entry import ValueEncoding
from holdfast.store import Core, Store

BLOBS = namespace("hyperdrive", [0])[0]
FILES = "files"
"""The sub-bee with the names."""
DB = "db"
"""The name of a drive's tree in its namespace, as in JavaScript."""


def content_manifest(manifest: Manifest, key: bytes) -> Manifest | None:
    """The manifest of the contents of the drive ``key``; None for logs older than this rule."""
    if manifest.version < 1:
        return None
    signers = tuple(
        replace(signer, namespace=blake2b_parts(BLOBS, key, signer.namespace))
        for signer in manifest.signers
    )
    return Manifest(
        signers,
        quorum=manifest.quorum,
        version=manifest.version,
        allow_patch=manifest.allow_patch,
    )


class State:
    """One drive, opened once however many objects look at it."""

    def __init__(self, store: Store, core: Core) -> None:
        self.store = store
        self.core = core
        self.bee = Bee(
            core,
            key_encoding="utf-8",
            value_encoding=ValueEncoding(),
            metadata=Header(PROTOCOL, metadata=True),
        )
        self.users = 0
        self._blobs: Blobs | None = None
        self._opening = asyncio.Lock()
        self._publishing: asyncio.Task[None] | None = None
        self._publish_again = False

    async def blobs(self, *, wait: bool = True, timeout: float | None = None) -> Blobs:
        """The contents, opened at first use: a remote drive must first tell where they are.

        Raises `BlockNotAvailable` when it cannot be asked, `DecodeError` when it is no drive.
        """
        if self._blobs is None:
            async with self._opening:
                if self._blobs is None:
                    self._blobs = Blobs(await self._open_contents(wait, timeout))
        return self._blobs

    async def _open_contents(self, wait: bool, timeout: float | None) -> Core:
        core, store = self.core, self.store
        feed = None
        if core.length or not core.writable:
            header = await self.bee.get_header(wait=wait, timeout=timeout)
            if header.protocol != PROTOCOL:
                raise DecodeError("This key does not name a drive.")
            feed = header.content_feed
        if feed:
            return store.core(key=feed[:32], encryption_key=core.encryption_key)
        manifest = None if core.manifest is None else content_manifest(core.manifest, core.key)
        if manifest is not None:
            pair = core.key_pair if core.writable else None
            contents = store.core(
                manifest=manifest, key_pair=pair, encryption_key=core.encryption_key
            )
            self._remember(contents)
            return contents
        if not core.writable:
            raise DecodeError("This drive does not say where its contents are.")
        contents = store.core(
            name=key_text(core.key) + "/blobs", encryption_key=core.encryption_key, compat=True
        )
        self.bee.header = Header(PROTOCOL, metadata=True, content_feed=contents.key)
        return contents

    def _remember(self, contents: Core) -> None:
        """Let the store find the pair of our contents log again when a peer asks for it first."""
        origin = self.store.origin(self.core.key) if self.core.writable else None
        if origin is not None:
            self.store.remember_writer(contents.key, origin[1], origin[0])

    def publish(self) -> None:
        """Let peers see contents whose names are durable, and so are they; nobody waits for it."""
        self._publish_again = True
        if self._publishing is None:
            self._publishing = asyncio.create_task(self._publish(), name="publish contents")

    async def _publish(self) -> None:
        try:
            while self._publish_again and self._blobs is not None:
                self._publish_again = False
                await self._blobs.core.sync()
        except HoldfastError:
            pass  # the next append meets the same trouble and tells it
        finally:
            self._publishing = None

    async def close(self) -> None:
        """One user less; the last one closes the logs."""
        self.users -= 1
        if self.users == 0:
            if self._publishing is not None:
                await asyncio.wait([self._publishing])
            if self._blobs is not None:
                await self._blobs.close()
                self._blobs = None
            await self.bee.close()


_open: WeakKeyDictionary[Store, WeakValueDictionary[tuple[bytes, bytes | None], State]]
_open = WeakKeyDictionary()


def open_state(
    store: Store,
    key: bytes | None,
    name: str | None,
    encryption_key: bytes | None,
    compat: bool,
) -> State:
    """The state of a drive, shared with every other object that has it open in this store."""
    space = ROOT_NAMESPACE if name is None else store.namespace(name).id
    if key is None:
        public = store.derive_key_pair(DB, space).public_key
        key = public if compat else manifest_key(single_signer(public))
        named = DB
    else:
        named = None
    known = _open.setdefault(store, WeakValueDictionary())
    state = known.get((key, encryption_key))
    if state is None or state.users <= 0:
        core = store.core(
            name=named,
            key=None if named else key,
            encryption_key=encryption_key,
            compat=compat,
            namespace=space,
        )
        state = known[key, encryption_key] = State(store, core)
    state.users += 1
    return state
