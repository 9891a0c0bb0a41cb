"""The JavaScript peer behind the verbs of `sides`."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from tests.interop.peer import JsPeer
from tests.interop.sides import Change, CoreInfo, Entry, Op, Pair, Read

LONG = 600.0  # seconds that a bulk command may take on a busy machine


def _source(name: str | None, key: bytes | None, encryption_key: bytes | None) -> dict[str, Any]:
    return {
        "name": name,
        "key": key.hex() if key else None,
        "encryptionKey": encryption_key.hex() if encryption_key else None,
    }


class _Handle:
    """An object that lives in the JavaScript process under a number."""

    kind = ""

    def __init__(self, peer: JsPeer, opened: dict[str, Any]) -> None:
        self._peer = peer
        self._number = opened[self.kind]
        self.key = bytes.fromhex(opened["key"])

    async def _call(self, verb: str, **arguments: Any) -> Any:
        arguments[self.kind] = self._number
        return await self._peer.call(f"{self.kind}.{verb}", within=LONG, **arguments)


class JsCore(_Handle):
    kind = "core"

    async def info(self) -> CoreInfo:
        return _core_info(await self._call("info"))

    async def append(self, blocks: list[bytes]) -> int:
        return int(await self._call("append", blocks=[_text(block) for block in blocks]))

    async def append_pattern(self, seed: str, count: int, size: int, batch: int = 1) -> int:
        return int(
            await self._call("appendPattern", seed=seed, count=count, size=size, batch=batch)
        )

    async def get(self, index: int, *, wait: bool = True) -> bytes | None:
        return _bytes(await self._call("get", index=index, wait=wait))

    async def digest(self, indexes: list[int]) -> str:
        return str((await self._call("digest", indexes=indexes))["sha256"])

    async def has(self, start: int, end: int) -> bool:
        return bool(await self._call("has", start=start, end=end))

    async def seek(self, offset: int) -> tuple[int, int]:
        index, relative = await self._call("seek", bytes=offset)
        return index, relative

    async def truncate(self, length: int) -> None:
        await self._call("truncate", length=length)

    async def clear(self, start: int, end: int) -> None:
        await self._call("clear", start=start, end=end)

    async def download(self, start: int, end: int) -> None:
        await self._call("download", start=start, end=end)

    async def reach(
        self, length: int = 0, *, fork: int | None = None, contiguous: int = 0
    ) -> CoreInfo:
        return _core_info(
            await self._call("reach", length=length, fork=fork, contiguous=contiguous)
        )


class JsBee(_Handle):
    kind = "bee"

    async def version(self) -> int:
        return int((await self._call("info"))["version"])

    async def update(self) -> int:
        return int((await self._call("update"))["version"])

    async def apply(self, ops: list[Op], batch: int = 1) -> int:
        return int((await self._call("apply", ops=ops, batch=batch))["version"])

    async def get_many(self, keys: list[str]) -> list[str | None]:
        return list(await self._call("getMany", keys=keys))

    async def items(self, *, reverse: bool = False, limit: int = -1, **bounds: str) -> list[Pair]:
        answer = await self._call("list", range=bounds, reverse=reverse, limit=limit)
        return [(key, value) for key, value in answer]

    async def history(self) -> list[tuple[str, int, str, str | None]]:
        return [tuple(item) for item in await self._call("history")]

    async def diff(self, version: int) -> list[Change]:
        return [
            Change(
                (change["left"] or change["right"])[0],
                change["left"] and change["left"][1],
                change["right"] and change["right"][1],
            )
            for change in await self._call("diff", version=version)
        ]

    async def checkout(self, version: int) -> JsBee:
        return JsBee(self._peer, await self._call("checkout", version=version))


class JsDrive(_Handle):
    kind = "drive"

    async def version(self) -> int:
        return int((await self._call("info"))["version"])

    async def reach(self, version: int) -> None:
        await self._call("reachVersion", version=version)

    async def put(
        self, path: str, data: bytes, *, executable: bool = False, metadata: Any = None
    ) -> None:
        await self._call(
            "put", path=path, data=_text(data), executable=executable, metadata=metadata
        )

    async def put_pattern(self, path: str, seed: str, size: int) -> None:
        await self._call("putPattern", path=path, seed=seed, size=size)

    async def fill(self, folder: str, seed: str, count: int, size: int) -> None:
        await self._call("fill", folder=folder, seed=seed, count=count, size=size, batched=True)

    async def symlink(self, path: str, target: str) -> None:
        await self._call("symlink", path=path, target=target)

    async def delete(self, path: str) -> None:
        await self._call("del", path=path)

    async def get(self, path: str) -> bytes | None:
        return _bytes(await self._call("get", path=path))

    async def read(self, path: str, start: int = 0, length: int = -1) -> Read:
        return _read(await self._call("read", path=path, start=start, length=length))

    async def read_many(self, paths: list[str]) -> list[Read]:
        return [_read(one) for one in await self._call("readMany", paths=paths)]

    async def entry(self, path: str) -> Entry | None:
        found = await self._call("entry", path=path)
        if found is None:
            return None
        return Entry(
            found["path"],
            found["executable"],
            found["linkname"],
            found["blob"] and found["blob"]["byteLength"],
            found["metadata"],
        )

    async def paths(self, folder: str = "/") -> list[str]:
        return [one["path"] for one in await self._call("list", folder=folder)]

    async def diff(self, version: int) -> list[str]:
        changes = await self._call("diff", version=version)
        return [(change["left"] or change["right"])["path"] for change in changes]

    async def has(self, path: str) -> bool:
        return bool(await self._call("has", path=path))

    async def download(self, folder: str = "/") -> None:
        await self._call("download", folder=folder)

    async def checkout(self, version: int) -> JsDrive:
        return JsDrive(self._peer, await self._call("checkout", version=version))

    async def mirror_to(self, directory: Path) -> None:
        await self._call("mirrorTo", directory=str(directory))

    async def mirror_from(self, directory: Path) -> None:
        await self._call("mirrorFrom", directory=str(directory))


class JsSide:
    """A JavaScript peer with a corestore."""

    name = "js"

    def __init__(self, peer: JsPeer) -> None:
        self.peer = peer

    async def listen(self) -> int:
        return int((await self.peer.call("listen"))["port"])

    async def dial(self, port: int) -> None:
        await self.peer.call("dial", port=port)

    async def hangup(self) -> None:
        await self.peer.call("hangup")

    async def core(
        self,
        *,
        name: str | None = None,
        key: bytes | None = None,
        encryption_key: bytes | None = None,
        kind: str = "store",
    ) -> JsCore:
        source = _source(name, key, encryption_key)
        return JsCore(self.peer, await self.peer.call("core.open", kind=kind, **source))

    async def bee(
        self,
        *,
        name: str | None = None,
        key: bytes | None = None,
        encryption_key: bytes | None = None,
    ) -> JsBee:
        source = _source(name, key, encryption_key)
        return JsBee(self.peer, await self.peer.call("bee.open", **source))

    async def drive(
        self,
        *,
        name: str | None = None,
        key: bytes | None = None,
        encryption_key: bytes | None = None,
    ) -> JsDrive:
        source = _source(name, key, encryption_key)
        return JsDrive(self.peer, await self.peer.call("drive.open", **source))


def _core_info(found: dict[str, Any]) -> CoreInfo:
    return CoreInfo(found["length"], found["byteLength"], found["contiguousLength"], found["fork"])


def _read(found: dict[str, Any]) -> Read:
    return Read(found["bytes"], found["sha256"])


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else base64.b64decode(text)
