"""Other runs of this program, as the demonstration starts them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from holdfast.errors import HoldfastError

PATIENCE = 10.0
"""Seconds that a child has to end after it was asked to."""


class Child:
    """A ``holdfast --json`` that is running."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._errors = asyncio.ensure_future(_all(process.stderr))

    async def events(self) -> AsyncIterator[dict[str, Any]]:
        """What it prints, line by line, until it ends."""
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            yield json.loads(line)

    async def wait(self) -> int:
        """Its exit status, once it has ended and what it said is read."""
        status = await self._process.wait()
        await self._errors
        return status

    async def stop(self) -> int:
        """Ask it to end; returns its status."""
        with contextlib.suppress(ProcessLookupError):
            # Not `terminate`: that may reap a child which is ending behind asyncio's back.
            os.kill(self._process.pid, signal.SIGTERM)
        async with asyncio.timeout(PATIENCE):
            return await self.wait()

    def failure(self) -> HoldfastError:
        """The error it ended with."""
        try:
            said = json.loads(self._errors.result().splitlines()[-1])
            error = HoldfastError(str(said["message"]), str(said["hint"]))
            error.code = str(said["code"])
        except (asyncio.InvalidStateError, IndexError, KeyError, TypeError, ValueError):
            error = HoldfastError("One of the two processes ended without saying why.")
        error.exit_code = self._process.returncode or error.exit_code
        return error

    async def end(self) -> None:
        """Leave nothing running, whatever happened before."""
        if self._process.returncode is None:
            try:
                await self.stop()
            except TimeoutError:
                self._process.kill()
                await self._process.wait()
        self._errors.cancel()
        await asyncio.gather(self._errors, return_exceptions=True)


async def _all(stream: asyncio.StreamReader | None) -> bytes:
    return b"" if stream is None else await stream.read()


@contextlib.asynccontextmanager
async def child(arguments: Sequence[str | Path], home: Path) -> AsyncIterator[Child]:
    """Run the command line in a process of its own, which is gone at the end of the block.

    It writes below ``home`` only, and speaks to no network but the machine's own.
    """
    surroundings = {
        "HOLDFAST_STATE": str(home / "state"),
        "HOLDFAST_RUNTIME": str(home / "runtime"),
        "HOLDFAST_LAN": "off",
        "HOLDFAST_BOOTSTRAP": "",
        "HOLDFAST_RELAY": "",
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "holdfast", "--json", *map(str, arguments)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=1 << 20,
        env=os.environ | surroundings,
    )
    running = Child(process)
    try:
        yield running
    finally:
        await asyncio.shield(running.end())


_SHA256 = """
import hashlib, sys
with open(sys.argv[1], "rb") as file:
    print(hashlib.file_digest(file, "sha256").hexdigest())
"""


async def sha256(path: Path) -> str:
    """The SHA-256 of a file, by Python's own hashlib in a process without Holdfast."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-c", _SHA256, str(path)), stdout=asyncio.subprocess.PIPE
    )
    try:
        out, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        raise HoldfastError(f"{path.name} did not arrive.")
    return out.decode().strip()
