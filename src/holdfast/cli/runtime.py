"""From a synchronous command into asyncio and out again."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import ExitStack, asynccontextmanager
from typing import Any, TypeVar

from holdfast.cli.app import EXIT_INTERRUPTED
from holdfast.cli.ui import UI

Result = TypeVar("Result")

TERMINATIONS = [getattr(signal, n) for n in ("SIGTERM", "SIGHUP") if hasattr(signal, n)]
"""What a service manager sends, and a terminal that closes."""
PATIENCE = 1.0
"""Seconds after which a wait says what it is for."""


def run_async(coroutine: Coroutine[Any, Any, Result]) -> Result:
    """Run to the end; Ctrl-C, SIGTERM and SIGHUP cancel it, clean up, and exit with 130."""
    if "--debug" not in sys.argv:
        # What is logged besides the error is for whoever looks for a fault.
        logging.getLogger().addHandler(logging.NullHandler())
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            return runner.run(_until_terminated(coroutine))
    except KeyboardInterrupt:
        # Not KeyboardInterrupt: click would print an empty line for it.
        raise SystemExit(EXIT_INTERRUPTED) from None


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

    with ExitStack() as stack:
        for number in TERMINATIONS:
            stack.enter_context(_handling(number, stop))
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
    with ExitStack() as stack:
        for number in (signal.SIGINT, *TERMINATIONS):
            stack.enter_context(_handling(number, stopped.set))
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
