"""The JavaScript peer: a process that takes one JSON request and gives one answer per line."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import shutil
from asyncio.subprocess import PIPE, Process
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
SCRIPT = HERE / "js" / "peer.js"
LINE_LIMIT = 256 * 1024 * 1024  # a whole bee or a long file list may come back on one line


class PeerError(Exception):
    """What the JavaScript side threw, with its code and stack."""

    def __init__(self, command: str, code: str, message: str, stack: str) -> None:
        super().__init__(f"{command}: {message}\n{stack}")
        self.code = code


def missing_peers() -> str | None:
    """Why the JavaScript peers cannot run here, or None when they can."""
    if shutil.which("node") is None:
        return "Node is not installed"
    if not (HERE / "node_modules" / "hypercore" / "package.json").exists():
        return "the JavaScript peers are not installed: run `make peers`"
    return None


def peers_required() -> bool:
    """Whether a machine without the peers is a failure (CI) and not a reason to skip."""
    return os.environ.get("HOLDFAST_REQUIRE_PEERS") == "1" or os.environ.get("CI") == "true"


class JsPeer:
    """One running JavaScript peer with its own store under `directory`."""

    def __init__(self, process: Process, directory: Path) -> None:
        self.directory = directory
        self.versions: dict[str, str] = {}
        self._process = process
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._reader = asyncio.create_task(self._read())

    @classmethod
    async def start(cls, directory: Path, script: Path = SCRIPT) -> JsPeer:
        """Starts the peer and waits until it takes requests."""
        directory.mkdir(parents=True, exist_ok=True)
        process = await asyncio.create_subprocess_exec(
            "node", str(script), str(directory), stdin=PIPE, stdout=PIPE, limit=LINE_LIMIT
        )
        peer = cls(process, directory)
        async with asyncio.timeout(20):
            await peer._ready
        return peer

    @property
    def pid(self) -> int:
        return self._process.pid

    async def call(self, command: str, *, within: float = 60.0, **arguments: Any) -> Any:
        """The answer to one request; PeerError if the other side threw, or TimeoutError."""
        number = next(self._ids)
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        line = json.dumps({"id": number, "cmd": command, **arguments})
        assert self._process.stdin is not None
        self._process.stdin.write(line.encode() + b"\n")
        await self._process.stdin.drain()
        try:
            async with asyncio.timeout(within):
                return await answer
        finally:
            self._waiting.pop(number, None)

    async def stop(self) -> None:
        """Asks the peer to close its store and leave; kills it when it does not."""
        try:
            await self.call("exit", within=10)
            async with asyncio.timeout(5):
                await self._process.wait()
        except (PeerError, TimeoutError, ConnectionError, EOFError):
            await self.kill()
        await self._reader
        self._close_pipes()

    async def kill(self) -> None:
        """Ends the peer without a chance to clean up."""
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()

    def _close_pipes(self) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process._transport.close()  # type: ignore[attr-defined]

    async def _read(self) -> None:
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            self._take(json.loads(line))
        gone = EOFError("the JavaScript peer left")
        for answer in [self._ready, *self._waiting.values()]:
            if not answer.done():
                answer.set_exception(gone)
                answer.exception()

    def _take(self, message: dict[str, Any]) -> None:
        if message.get("ready"):
            self.versions = message["versions"]
            self._ready.set_result(None)
            return
        answer = self._waiting.get(message["id"])
        if answer is None or answer.done():
            return
        if failure := message.get("err"):
            answer.set_exception(
                PeerError("peer", failure["code"], failure["message"], failure.get("stack", ""))
            )
        else:
            answer.set_result(message["ok"])
