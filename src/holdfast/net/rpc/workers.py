"""One request spread over several workers: each takes the next piece as soon as it is free."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

from holdfast.errors import ClosedError, HoldfastError, UnavailableError
from holdfast.net.rpc.client import REQUEST_TIMEOUT, ServiceClient
from holdfast.net.rpc.shared import NotOffered, RequestTimeout, ServiceBusy

PER_WORKER = 4
"""Pieces one worker has at once: enough that it never waits for the wire."""
ATTEMPTS = 3
"""Workers that one piece is given to before its failure counts."""

_ELSEWHERE = (ServiceBusy, RequestTimeout, NotOffered, ClosedError)
"""Failures of a worker rather than of the piece: another worker may do better."""


async def map_requests(
    clients: Sequence[ServiceClient],
    method: str,
    payloads: Iterable[bytes],
    *,
    timeout: float = REQUEST_TIMEOUT,
    per_worker: int = PER_WORKER,
) -> list[bytes | HoldfastError]:
    """Ask several workers for all pieces, in parallel; answers in the order of ``payloads``.

    A piece that failed at a worker which is busy, slow or gone is given to others, up to
    `ATTEMPTS` in all; a worker that is gone gets no more. What failed for good is an error in its
    place, so that one bad piece does not cost the others.
    """
    job = _Job(list(payloads), method, timeout)
    async with asyncio.TaskGroup() as group:
        for client in clients:
            for _ in range(per_worker):
                group.create_task(job.work(client))
    return job.results()


async def ask_all(
    clients: Sequence[ServiceClient],
    method: str,
    payload: bytes = b"",
    *,
    timeout: float = REQUEST_TIMEOUT,
) -> list[bytes | HoldfastError]:
    """The same request to every worker; the answers or errors in the order of ``clients``."""

    async def one(client: ServiceClient) -> bytes | HoldfastError:
        try:
            return await client.request(method, payload, timeout=timeout)
        except HoldfastError as error:
            return error

    return list(await asyncio.gather(*(one(client) for client in clients)))


class _Job:
    """Pieces that wait, are worked on, or have their result."""

    def __init__(self, payloads: list[bytes], method: str, timeout: float) -> None:
        self._payloads, self._method, self._timeout = payloads, method, timeout
        self._results: list[bytes | HoldfastError | None] = [None] * len(payloads)
        self._waiting = dict.fromkeys(range(len(payloads)))
        self._tried: list[set[ServiceClient]] = [set() for _ in payloads]
        self._in_flight = 0
        self._moved = asyncio.Event()

    def results(self) -> list[bytes | HoldfastError]:
        """What came of each piece; those that no worker was left for are errors."""
        return [UnavailableError("No worker was left.") if r is None else r for r in self._results]

    async def work(self, client: ServiceClient) -> None:
        """Give a worker piece after piece until there is nothing left for it."""
        gone = False
        while not gone:
            number = self._next(client)
            if number is not None:
                gone = await self._ask(client, number)
            elif self._in_flight:  # what fails elsewhere may come back for this worker
                self._moved.clear()
                await self._moved.wait()
            else:
                return

    def _next(self, client: ServiceClient) -> int | None:
        for number in self._waiting:
            if client not in self._tried[number]:
                del self._waiting[number]
                return number
        return None

    async def _ask(self, client: ServiceClient, number: int) -> bool:
        """One piece at one worker; whether the worker is gone."""
        self._tried[number].add(client)
        self._in_flight += 1
        try:
            payload = self._payloads[number]
            self._results[number] = await client.request(
                self._method, payload, timeout=self._timeout
            )
        except HoldfastError as error:
            self._results[number] = error
            if isinstance(error, _ELSEWHERE) and len(self._tried[number]) < ATTEMPTS:
                self._waiting[number] = None
            return isinstance(error, ClosedError | NotOffered)
        finally:
            self._in_flight -= 1
            self._moved.set()
        return False
