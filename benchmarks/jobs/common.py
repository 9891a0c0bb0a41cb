"""What every Holdfast job shares.

A job is `python -m benchmarks.jobs.NAME JSON`: it prints one JSON line with what it measured and
stays until stdin closes, so that the runner can read its peak memory.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from holdfast.store import Store

Role = Callable[[Store, dict[str, Any]], Awaitable[dict[str, Any]]]


def run(roles: dict[str, Role]) -> None:
    """Runs the role that the arguments name and stays until the runner has seen the result."""
    arguments = json.loads(sys.argv[1])

    async def main() -> None:
        directory, durability = arguments["directory"], arguments["durability"]
        async with await Store.open(directory, durability=durability) as store:
            print(json.dumps(await roles[arguments["role"]](store, arguments)), flush=True)
            await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)

    asyncio.run(main())


async def timed(work: Awaitable[Any]) -> float:
    """Seconds that `work` took."""
    start = time.perf_counter()
    await work
    return time.perf_counter() - start


def blocks(size: int) -> Iterator[bytes]:
    """Incompressible blocks, no two alike."""
    pool = [os.urandom(size - 4) for _ in range(64)]
    for number in itertools.count():
        yield number.to_bytes(4, "little") + pool[number % 64]


def take(source: Iterator[bytes], count: int) -> list[bytes]:
    """The next `count` blocks."""
    return list(itertools.islice(source, count))
