"""Finding the workers of a service through a swarm, and being found as one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import suppress

from holdfast.errors import ClosedError, HoldfastError, UnavailableError
from holdfast.net.connection import Connection
from holdfast.net.rpc.client import REQUEST_TIMEOUT, ServiceClient
from holdfast.net.rpc.names import service_topic
from holdfast.net.rpc.service import Service, ServiceHost
from holdfast.net.rpc.shared import NotOffered, RpcLimits, ServiceBusy
from holdfast.net.rpc.workers import map_requests
from holdfast.net.swarm.joined import Joined
from holdfast.net.swarm.swarm import Swarm

LOOK_AGAIN = 0.25
"""Seconds between two looks at who is connected: a peer that was there already may turn out to be a
worker, and nothing says so."""
WAIT = 30.0
"""Seconds for a first worker: a lookup, and a hole punched."""


def offer_service(swarm: Swarm, host: ServiceHost, service: Service) -> Joined:
    """Be a worker: offer a service to all who connect, and announce it.

    ``host`` must be attached to the swarm's connections (`attach_services`). ``leave`` of what is
    returned takes the announcement back; it expires by itself after 20 minutes if this node dies.
    """
    host.offer(service)
    return swarm.join(service_topic(service.name), announce=True, lookup=False)


def attach_services(swarm: Swarm, host: ServiceHost) -> None:
    """Answer on every connection of a swarm, those of later too."""
    for connection in swarm.peers:
        host.attach(connection)
    swarm.peers.watch(host.attach)


class Workers:
    """The workers of a service that are connected, the least busy first; `close` it at the end."""

    def __init__(self, swarm: Swarm, name: str, *, limits: RpcLimits | None = None) -> None:
        """Starts to look for them. Raises `ServiceNameError`."""
        self.name = name
        self._swarm, self._limits = swarm, limits
        self._joined = swarm.join(service_topic(name), announce=False, lookup=True)
        self._clients: dict[Connection, ServiceClient] = {}
        self._ready: dict[ServiceClient, None] = {}
        self._moved = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._unwatch = swarm.peers.watch(lambda connection: self._look())
        self._look()

    def __len__(self) -> int:
        """How many are connected."""
        return len(self._ready)

    def __iter__(self) -> Iterator[ServiceClient]:
        """Those that are connected, the least busy first."""
        return iter(sorted(self._ready, key=lambda client: client.in_flight))

    async def wait(self, count: int = 1, *, timeout: float = WAIT) -> None:
        """Return once so many are connected. Raises `UnavailableError`."""
        try:
            async with asyncio.timeout(timeout):
                while len(self._ready) < count:
                    self._look()
                    self._moved.clear()
                    with suppress(TimeoutError):
                        await asyncio.wait_for(self._moved.wait(), LOOK_AGAIN)
        except TimeoutError:
            found = f"{len(self)} of {count} workers" if self._ready else "nobody"
            raise UnavailableError(
                f"Looking for the service {self.name!r} found {found} in {timeout:g} seconds.",
                self._swarm.explain(self._joined.topic),
            ) from None

    async def request(
        self, method: str, payload: bytes = b"", *, timeout: float = REQUEST_TIMEOUT
    ) -> bytes:
        """The response of the worker that has least to do; of another if that is busy or goes away.

        Raises as `ServiceClient.request`, and `UnavailableError` when there is no worker.
        """
        if not self._ready:
            await self.wait(timeout=timeout)
        failure: HoldfastError | None = None
        for client in list(self):
            try:
                return await client.request(method, payload, timeout=timeout)
            except (ServiceBusy, ClosedError, NotOffered) as error:
                failure = error
        raise failure or UnavailableError(f"No worker of the service {self.name!r} is there.")

    async def map(
        self, method: str, payloads: Iterable[bytes], *, timeout: float = REQUEST_TIMEOUT
    ) -> list[bytes | HoldfastError]:
        """Spread many requests over the workers that are connected; see `map_requests`."""
        return await map_requests(list(self), method, payloads, timeout=timeout)

    def close(self) -> None:
        """Look no more and hang up the service; the connections stay."""
        self._unwatch()
        self._joined.leave()
        for task in self._tasks:
            task.cancel()
        for client in self._clients.values():
            client.close()
        self._ready.clear()

    def _look(self) -> None:
        """Ask whoever was found under the topic and is connected; nobody else hears of it."""
        known = self._swarm.crowd.known
        for connection in self._swarm.peers:
            peer = known.get(connection.remote_public_key)
            wanted = peer is not None and self._joined.topic in peer.topics
            if wanted and connection not in self._clients and not connection.closed:
                client = ServiceClient(connection, self.name, limits=self._limits)
                self._clients[connection] = client
                task = asyncio.ensure_future(self._meet(client))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _meet(self, client: ServiceClient) -> None:
        connection = client.connection
        connection.on_close(lambda reason: self._forget(client))
        try:
            await client.ready()
        except HoldfastError:
            return  # it was found under the topic, yet does not offer the service (to us)
        if not connection.closed:
            self._ready[client] = None
            self._moved.set()

    def _forget(self, client: ServiceClient) -> None:
        self._clients.pop(client.connection, None)
        self._ready.pop(client, None)
