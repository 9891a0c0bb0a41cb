"""A wire between two machines that can be stopped at any byte, and cut."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any


class Wire:
    """Forwards to a port of this machine, until it has carried ``hold_after`` bytes back."""

    def __init__(self, target: str) -> None:
        host, _, port = target.rpartition(":")
        self._target = (host, int(port))
        self.hold_after: int | None = None
        self.carried = 0
        self.held = threading.Event()
        self.address = ""
        self._loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._thread = threading.Thread(target=self._loop.run_forever)

    def hold(self, after: int) -> None:
        """Carry only so many more bytes back."""
        self.held.clear()
        self.hold_after = self.carried + after

    def hang_up(self) -> None:
        """Break every connection; new ones are taken, and carried without a limit."""
        self.hold_after = None
        self._do(self._hang_up()).result(10)

    def cut(self) -> None:
        """Break every connection; nobody listens any more."""
        self._do(self._cut()).result(10)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        host, port = self._server.sockets[0].getsockname()
        self.address = f"{host}:{port}"

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.add(writer)
        try:
            far_reader, far_writer = await asyncio.open_connection(*self._target)
            self._writers.add(far_writer)
            await asyncio.gather(
                self._carry(reader, far_writer, False), self._carry(far_reader, writer, True)
            )
        except (OSError, asyncio.CancelledError):
            pass  # a server task that ends cancelled would be logged
        finally:
            writer.close()
            self._tasks.discard(task)

    async def _carry(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, back: bool
    ) -> None:
        while data := await reader.read(65536):
            if back and self.hold_after is not None:
                left = self.hold_after - self.carried
                if len(data) > left:
                    data = data[:left]
                    writer.write(data)
                    self.carried += len(data)
                    self.held.set()
                    await asyncio.Event().wait()
            self.carried += len(data) if back else 0
            writer.write(data)
            await writer.drain()
        writer.close()

    async def _cut(self) -> None:
        self._server.close()
        await self._hang_up()

    async def _hang_up(self) -> None:
        for task in self._tasks:
            task.cancel()
        for writer in self._writers:
            writer.transport.abort()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _do(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)


@contextmanager
def wire(target: str) -> Iterator[Wire]:
    """A wire to ``HOST:PORT``."""
    made = Wire(target)
    made._thread.start()
    try:
        made._do(made._listen()).result(10)
        yield made
    finally:
        with suppress(Exception):
            made.cut()
        made._loop.call_soon_threadsafe(made._loop.stop)
        made._thread.join()
        made._loop.close()
