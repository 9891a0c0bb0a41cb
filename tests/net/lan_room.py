"""A room with a network cable and no internet: namespaces on one bridge, and processes in them."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest

REPO = Path(__file__).resolve().parents[2]


def run(*command: str) -> None:
    """A command that has to succeed."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")


def require_namespaces() -> None:
    """Skip where this user cannot make networks."""
    if os.geteuid() != 0:
        pytest.skip("network namespaces need root")
    if shutil.which("ip") is None:
        pytest.skip("network namespaces need iproute2")


@contextmanager
def boxes(count: int) -> Iterator[list[str]]:
    """Namespaces 10.77.0.1, 10.77.0.2, ... on one bridge; no default route, so no internet."""
    require_namespaces()
    names = [f"hflan{os.getpid()}-{number}" for number in range(count + 1)]
    switch, inside = names[0], names[1:]
    try:
        for name in names:
            run("ip", "netns", "add", name)
            run("ip", "-n", name, "link", "set", "lo", "up")
        run("ip", "-n", switch, "link", "add", "name", "switch", "type", "bridge")
        run("ip", "-n", switch, "link", "set", "switch", "up")
        for number, name in enumerate(inside, 1):
            port = f"p{number}"
            run("ip", "-n", switch, "link", "add", port, "type", "veth", "peer", "lan")
            run("ip", "-n", switch, "link", "set", "lan", "netns", name)
            run("ip", "-n", switch, "link", "set", port, "master", "switch", "up")
            run("ip", "-n", name, "addr", "add", f"10.77.0.{number}/24", "dev", "lan")
            run("ip", "-n", name, "link", "set", "lan", "up")
        yield inside
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)


class Worker:
    """One process of `lan_worker`, which writes what happens as lines of JSON."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.heard: list[dict[str, Any]] = []
        self._asked = 0

    async def until(self, seconds: float = 30, /, **wanted: Any) -> dict[str, Any]:
        """The next event with these values, or one that has come before."""
        assert self.process.stdout is not None
        for event in self.heard:
            if wanted.items() <= event.items():
                return event
        async with asyncio.timeout(seconds):
            while line := await self.process.stdout.readline():
                self.heard.append(json.loads(line))
                if wanted.items() <= self.heard[-1].items():
                    return self.heard[-1]
        raise AssertionError(f"the worker ended before {wanted}; it said {self.heard}")

    def tell(self, **command: Any) -> None:
        """Have it do something."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(command).encode() + b"\n")

    async def ask(self) -> dict[str, Any]:
        """What it says of itself now."""
        self._asked += 1
        self.tell(status=str(self._asked))
        return await self.until(answer=str(self._asked))

    async def stop(self) -> None:
        """Close its standard input: it ends in good order."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        await asyncio.wait_for(self.process.wait(), 20)


@asynccontextmanager
async def worker(box: str, *words: str, module: str = "lan_worker") -> AsyncIterator[Worker]:
    """A program of this folder in a namespace: a node, with a key made from the one word."""
    process = await asyncio.create_subprocess_exec(
        *("ip", "netns", "exec", box, sys.executable, "-m", f"tests.net.{module}", *words),
        cwd=REPO,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=1 << 20,
    )
    try:
        yield Worker(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
