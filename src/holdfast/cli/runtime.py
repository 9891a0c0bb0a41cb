"""From a synchronous command into asyncio and out again."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from holdfast.cli.ui import UI

Result = TypeVar("Result")

PATIENCE = 1.0
"""Seconds after which a wait says what it is for."""


def run_async(coroutine: Coroutine[Any, Any, Result]) -> Result:
    """Run to the end; Ctrl-C and SIGTERM cancel it, clean up, and raise KeyboardInterrupt."""
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(_until_terminated(coroutine))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


async def _until_terminated(coroutine: Coroutine[Any, Any, Result]) -> Result:
    # asyncio.Runner turns SIGINT into a cancellation; a service manager's SIGTERM means the same.
    main = asyncio.current_task()
    assert main is not None
    terminated = False

    def stop() -> None:
        nonlocal terminated
        terminated = True
        main.cancel()

    with _handling(signal.SIGTERM, stop):
        try:
            return await coroutine
        except asyncio.CancelledError:
            if terminated:
                raise KeyboardInterrupt from None
            raise


class _handling:
    """Handle a signal in the loop for a while, where the platform can."""

    def __init__(self, number: signal.Signals, callback: Callable[[], None]) -> None:
        self.number, self.callback, self.loop = number, callback, asyncio.get_running_loop()

    def __enter__(self) -> None:
        try:
            self.loop.add_signal_handler(self.number, self.callback)
        except (NotImplementedError, ValueError, RuntimeError):
            pass

    def __exit__(self, *_: object) -> None:
        try:
            self.loop.remove_signal_handler(self.number)
        except (NotImplementedError, ValueError, RuntimeError):
            pass


async def until_stopped() -> None:
    """Wait for Ctrl-C or SIGTERM, and take it as a wish to end well (status 0)."""
    stopped = asyncio.Event()
    with _handling(signal.SIGINT, stopped.set), _handling(signal.SIGTERM, stopped.set):
        await stopped.wait()


async def standard_input(size: int = 64 * 1024) -> AsyncIterator[bytes]:
    """What comes on standard input, in pieces, without blocking the loop."""
    loop, ready = asyncio.get_running_loop(), asyncio.Event()
    try:
        loop.add_reader(0, ready.set)
    except (OSError, NotImplementedError):
        ready.set()  # a plain file is always ready
        watched = False
    else:
        watched = True
    try:
        while True:
            await ready.wait()
            piece = os.read(0, size)
            if not piece:
                return
            if watched:
                ready.clear()
            yield piece
    finally:
        if watched:
            loop.remove_reader(0)


@asynccontextmanager
async def patiently(ui: UI, what: str, after: float = PATIENCE) -> AsyncIterator[None]:
    """Say what is waited for if the body takes longer than ``after`` seconds."""
    handle = asyncio.get_running_loop().call_later(after, ui.waiting, what)
    try:
        yield
    finally:
        handle.cancel()
