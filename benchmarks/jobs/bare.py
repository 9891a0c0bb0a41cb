"""Jobs without a store: roles that get the arguments and give what they measured."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from statistics import median
from typing import Any, TypeVar

BareRole = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]
Result = TypeVar("Result")


def run_bare(roles: dict[str, BareRole]) -> None:
    """Runs the role that the arguments name and stays until the runner has seen the result."""
    arguments = json.loads(sys.argv[1])

    async def main() -> None:
        print(json.dumps(await roles[arguments["role"]](arguments)), flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)

    asyncio.run(main())


class Times:
    """Milliseconds of named steps, each measured several times."""

    def __init__(self) -> None:
        self._lists: dict[str, list[float]] = {}

    async def of(self, name: str, work: Awaitable[Result]) -> Result:
        """What ``work`` gives, timed."""
        start = time.perf_counter()
        result = await work
        self._lists.setdefault(name, []).append(1000 * (time.perf_counter() - start))
        return result

    def medians(self) -> dict[str, float]:
        """The median of each step."""
        return {name: median(times) for name, times in self._lists.items()}
