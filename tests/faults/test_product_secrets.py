"""What is private stays out of files, off the wire and out of logs."""

from __future__ import annotations

import asyncio
import logging
import os
import random
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from holdfast.crypto import key_pair
from holdfast.encoding import Link, key_text
from holdfast.errors import HoldfastError, PassphraseError
from holdfast.net import dial
from holdfast.node import Node
from holdfast.storage import open_storage
from holdfast.store import Store
from tests.faults.workers.canaries import canary, files_below, found
from tests.faults.workers.wiretap import wiretap

pytestmark = pytest.mark.faults

PASSPHRASE = "correct horse battery staple"


class Secrets:
    """Two hundred things that nobody else may read."""

    def __init__(self, chance: random.Random) -> None:
        self.files = [canary(chance, "file") for _ in range(60)]
        self.names = [canary(chance, "name") for _ in range(60)]
        self.blocks = [canary(chance, "block") for _ in range(60)]
        self.metadata = [canary(chance, "meta") for _ in range(15)]
        self.links = [canary(chance, "link") for _ in range(5)]
        self.primary_key = chance.randbytes(32)
        self.encryption_key = chance.randbytes(32)
        self.passphrase = PASSPHRASE.encode()

    @property
    def plain(self) -> list[bytes]:
        """What is written inside private logs."""
        return [*self.files, *self.names, *self.blocks, *self.metadata, *self.links]

    @property
    def keys(self) -> list[bytes]:
        """What opens them."""
        return [self.primary_key, self.encryption_key, self.passphrase]


async def fill(node: Node, secrets: Secrets) -> None:
    """A private drive and a private log, with secrets small and large, early and late."""
    drive = await node.drive(name="private")
    for number, (name, content) in enumerate(zip(secrets.names, secrets.files, strict=True)):
        size = (0, 100, 5000, 70_000)[number % 4]
        metadata = secrets.metadata[number].decode() if number < len(secrets.metadata) else None
        body = bytes(size) + content + bytes(size)
        await drive.put(f"/folder/{name.decode()}", body, metadata=metadata)
    for number, target in enumerate(secrets.links):
        await drive.symlink(f"/link {number}", target.decode())
    await drive.rename(f"/folder/{secrets.names[0].decode()}", f"/{secrets.names[0].decode()}")
    await drive.delete(f"/folder/{secrets.names[1].decode()}")
    core = node.store.core(name="log", encryption_key=secrets.encryption_key)
    for number, content in enumerate(secrets.blocks):
        await core.append(content + bytes((0, 50, 40_000)[number % 3]), durable=number % 2 == 0)
    await node.share(drive)
    node.policy.offer(core.discovery_key)


async def test_two_hundred_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("HOLDFAST_STATE", str(tmp_path / "state"))
    caplog.set_level(logging.DEBUG)
    asyncio.get_running_loop().set_debug(True)
    seed = random.randrange(1 << 32)
    print("seed", seed)
    secrets = Secrets(random.Random(seed))
    assert len(secrets.plain) == 200
    storage = open_storage(
        tmp_path / "owner", passphrase=PASSPHRASE, primary_key=secrets.primary_key
    )
    async with Node(Store(storage)) as owner:
        await fill(owner, secrets)
        await owner.listen("127.0.0.1:0")
        port = owner.peers.listeners[0].addresses[0].port
        drive = await owner.drive(name="private")
        link = owner.link(drive)
        core = owner.store.core(name="log", encryption_key=secrets.encryption_key)
        async with wiretap(port) as tap:
            await fetch(tmp_path / "friend", replace(link, peers=()), tap.port)
            await keep_blindly(tmp_path / "blind", core.key, tap.port, len(secrets.blocks))
        heard = bytes(tap.heard)
        assert len(heard) > 1_000_000
        assert drive.encryption_key is not None
        opens = [drive.encryption_key, drive.key, core.key]
    assert not found([*secrets.plain, *secrets.keys, *opens], heard)
    assert not found([*secrets.plain, *secrets.keys, opens[0]], caplog.text.encode())
    for path, content in files_below(tmp_path):
        assert not found([*secrets.plain, *secrets.keys, opens[0]], content), path
    with pytest.raises(PassphraseError) as refused:
        open_storage(tmp_path / "owner", passphrase="wrong")
    assert not found(secrets.keys, repr(refused.value).encode())
    opened = open_storage(tmp_path / "owner", passphrase=PASSPHRASE)
    assert opened.primary_key == secrets.primary_key
    await opened.close()


async def test_the_search_finds_what_is_not_private(tmp_path: Path) -> None:
    """Or else the test above would say nothing."""
    secrets = Secrets(random.Random(1))
    async with Node(await Store.open(tmp_path / "owner")) as owner:
        drive = await owner.drive(name="public", public=True)
        for name, content in zip(secrets.names, secrets.files, strict=True):
            await drive.put(f"/{name.decode()}", content)
        key = owner.store.primary_key
    content = b"".join(content for _, content in files_below(tmp_path))
    assert found([*secrets.names, *secrets.files, key], content) == [
        *secrets.names,
        *secrets.files,
        key,
    ]
    assert found([key], b"logged: " + key.hex().encode())


async def fetch(directory: Path, link: Link, port: int) -> None:
    """A friend opens the private drive with its link and fetches everything."""
    async with Node(await Store.open(directory)) as node:
        copy = await node.drive(link, peers=[f"127.0.0.1:{port}"])
        assert await copy.download() == 64


async def keep_blindly(directory: Path, key: bytes, port: int, length: int) -> None:
    """Somebody who has only the key keeps a copy of the log."""
    store = await Store.open(directory)
    connection = await dial(f"127.0.0.1:{port}", key_pair(), on_open=store.attach)
    copy = store.core(key=key)
    await copy.update(wait=True, timeout=10)
    await asyncio.wait_for(copy.download(0, length).done(), 10)
    connection.close()
    await store.close()


async def test_a_link_that_does_not_open_keeps_its_secret(tmp_path: Path) -> None:
    """An error about a link does not repeat what opens it."""
    owner = Node(await Store.open(None))
    drive = await owner.drive(name="private")
    await drive.put("/a", b"a")
    link = str(owner.link(drive))
    secret = link.rpartition("#")[2]
    assert drive.encryption_key is not None and key_text(drive.encryption_key) == secret
    for text in (link[:-3], link + "x", link.replace("#", "#y"), link[9:], f"hyper://#{secret}"):
        with pytest.raises(HoldfastError) as refused:
            await owner.drive(text)
        words = f"{refused.value!r} {refused.value.hint} {refused.value.as_dict()}"
        assert secret not in words and secret[:20] not in words
    await owner.close()


async def test_nobody_else_on_the_machine_may_look(tmp_path: Path) -> None:
    """Whatever the mask of the process."""
    before = os.umask(0)
    try:
        async with Node(await Store.open(tmp_path / "above" / "store")) as node:
            drive = await node.drive(name="docs")
            await drive.put("/a", random.randbytes(200_000))
            while_open = modes(tmp_path / "above" / "store")
    finally:
        os.umask(before)
    for path, mode in {**while_open, **modes(tmp_path / "above" / "store")}.items():
        assert mode == (0o700 if path.is_dir() else 0o600), (path, oct(mode))


def modes(directory: Path) -> dict[Path, int]:
    """The permissions of a directory and all below."""
    return {path: stat.S_IMODE(path.lstat().st_mode) for path in (directory, *directory.rglob("*"))}
