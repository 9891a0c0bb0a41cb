"""Finding nodes on the local network through mDNS, with no internet and nobody's server.

Zeroconf speaks on the wire; here is what is said, when, and how much of what others say is kept. An
answer is never more than a place to dial: who is there proves its key in the handshake. Only IPv4.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from holdfast.net.near.lan_records import SERVICE, Neighbour, Service, neighbour, services
from holdfast.net.near.networks import Networks, own_networks
from holdfast.net.near.tags import Addresses
from holdfast.net.swarm.candidate import LAN, Candidate, Found

if TYPE_CHECKING:
    from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf

CHECK = 10.0
"""Seconds between two looks at which networks the machine is on: cables and Wi-Fi come and go."""

MAX_NEIGHBOURS = 512
"""Services of others that are kept; each takes about a kilobyte, and a liar can invent any."""

MAX_QUESTIONS = 8
"""Services that are asked about at once because their announcement was not complete."""
QUESTION_TIME = 3000
"""Milliseconds for such a question."""

MAX_HEARD = 2000
"""Announcements between two checks; with more somebody floods, and we leave until the next."""
MAX_RECORDS = 9000
"""Records that zeroconf may hold. At 10,000 it drops the ones with the shortest time to live, which
are those of honest nodes: so it starts anew before."""

HOST_TTL = 120
SERVICE_TTL = 1200
"""Seconds that others keep what we say: a node that dies without a word is forgotten after that."""

log = logging.getLogger(__name__)


class LocalNetwork:
    """A Finder among the nodes on the networks that this machine is on."""

    place = "its network"
    """Where it asks, for people."""

    def __init__(self, public_key: bytes, addresses: Addresses, *, check: float = CHECK) -> None:
        """``addresses()`` are the TCP addresses this node listens on (see `refresh`)."""
        self.status = "idle"
        """A sentence on what it does, or why it cannot."""
        self._key = public_key
        self._addresses = addresses
        self._check = check
        self._topics: dict[bytes, None] = {}
        self._lookups: dict[object, tuple[bytes, Found]] = {}
        self._neighbours: dict[str, Neighbour] = {}
        self._asking: dict[str, asyncio.Task[None]] = {}
        self._networks: Networks = ()
        self._zeroconf: AsyncZeroconf | None = None
        self._browser: AsyncServiceBrowser | None = None
        self._told: dict[str, Service] = {}
        self._infos: dict[str, AsyncServiceInfo] = {}
        self._heard_since = 0
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._telling: asyncio.Task[None] | None = None
        self._closed = False

    # -- a Finder -------------------------------------------------------------------------------

    def announce(self, topic: bytes) -> None:
        """Tell the network that we have something, without telling what."""
        self._topics[topic] = None
        self.refresh()

    def unannounce(self, topic: bytes) -> None:
        """Stop telling it."""
        if topic in self._topics:
            del self._topics[topic]
            self.refresh()

    def lookup(self, topic: bytes, found: Found) -> Callable[[], None]:
        """Call ``found`` for every node that has it, soon and later; returns how to stop that."""
        ticket = object()
        self._lookups[ticket] = (topic, found)
        for each in list(self._neighbours.values()):
            self._tell(each, topic, found)
        self.refresh()
        return lambda: self._stop(ticket)

    def _stop(self, ticket: object) -> None:
        if self._lookups.pop(ticket, None) is not None:
            self.refresh()

    def refresh(self) -> None:
        """Bring what is announced up to date soon: topics or addresses have changed."""
        if not self._closed:
            self._changed.set()
            if self._task is None:
                self._task = asyncio.create_task(self._work(), name="local network")

    async def close(self) -> None:
        """Tell and hear nothing any more; others are told that we go. Idempotent."""
        if self._closed:
            return
        self._closed = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._quietly(self._leave())
        self.status = "closed"

    # -- saying ---------------------------------------------------------------------------------

    async def _work(self) -> None:
        while True:
            self._changed.clear()
            await self._quietly(self._update())
            wanted = bool(self._topics or self._lookups)
            try:
                async with asyncio.timeout(self._check if wanted else None):
                    await self._changed.wait()
            except TimeoutError:
                pass

    async def _quietly(self, work: Awaitable[None]) -> None:
        """A network that fails is something to say, and to try again; it stops nothing else."""
        try:
            await work
        except Exception as error:
            words = getattr(error, "strerror", None) or str(error) or type(error).__name__
            self.status = f"not available: {words}"
            log.debug("local network: %s", words, exc_info=True)

    async def _update(self) -> None:
        networks = await asyncio.to_thread(own_networks)
        wanted = bool(self._topics or self._lookups)
        flooded, self._heard_since = self._heard_since >= MAX_HEARD, 0
        if flooded or self._overfull or not (wanted and networks == self._networks):
            await self._leave()
        self._networks = networks
        if not wanted:
            self.status = "idle"
        elif flooded:
            self.status = "not available: somebody floods this network"
        elif not networks:
            self.status = "not available: this machine is on no network"
        else:
            await self._enter()
            await self._browse()
            if self._telling is None or self._telling.done():
                assert self._zeroconf is not None
                self._telling = asyncio.create_task(self._quietly(self._announce(self._zeroconf)))
            self.status = "working"

    @property
    def _overfull(self) -> bool:
        if self._zeroconf is None:
            return False
        return sum(map(len, self._zeroconf.zeroconf.cache.cache.values())) > MAX_RECORDS

    async def _enter(self) -> None:
        if self._zeroconf is not None:
            return
        module = await asyncio.to_thread(importlib.import_module, "zeroconf.asyncio")
        made = module.AsyncZeroconf(interfaces=[str(each.ip) for each in self._networks])
        try:
            await made.zeroconf.async_wait_for_start()
        except BaseException:
            await made.async_close()
            raise
        self._zeroconf = made

    async def _leave(self) -> None:
        left, self._zeroconf, self._browser = self._zeroconf, None, None
        if left is None:
            return
        self._told.clear()
        self._infos.clear()
        self._neighbours.clear()
        for task in [*self._asking.values(), self._telling]:
            if task is not None:
                task.cancel()
        await left.async_close()

    async def _announce(self, zeroconf: AsyncZeroconf) -> None:
        """Until all that is wanted has been told.

        Each thing is said three times within a second; the next about the same service has to wait,
        or the last word would be an old one.
        """
        while True:
            wanted = services(self._key, self._topics, self._addresses(), self._networks)
            gone = [name for name in self._told if name not in wanted]
            changed = [each for name, each in wanted.items() if self._told.get(name) != each]
            if not gone and not changed:
                return
            told: list[Awaitable[Any]] = []
            for name in gone:
                del self._told[name]
                told.append(await zeroconf.async_unregister_service(self._infos.pop(name)))
            told += [await self._say(zeroconf, each) for each in changed]
            await asyncio.gather(*told)

    async def _say(self, zeroconf: AsyncZeroconf, service: Service) -> Awaitable[Any]:
        info = self._infos[service.name] = _info(service)
        if service.name in self._told:
            saying = await zeroconf.async_update_service(info)
        else:
            # Names are made from public keys: nobody needs to be asked whether they are free.
            saying = await zeroconf.async_register_service(info, cooperating_responders=True)
        self._told[service.name] = service
        return saying

    # -- hearing --------------------------------------------------------------------------------

    async def _browse(self) -> None:
        assert self._zeroconf is not None
        if self._lookups and self._browser is None:
            from zeroconf import DNSQuestionType
            from zeroconf.asyncio import AsyncServiceBrowser

            # Answers to everybody: one sent to this port alone reaches any program that shares it.
            self._browser = AsyncServiceBrowser(
                self._zeroconf.zeroconf,
                SERVICE,
                handlers=[self._heard],
                question_type=DNSQuestionType.QM,
            )
        elif not self._lookups and self._browser is not None:
            browser, self._browser = self._browser, None
            self._neighbours.clear()
            await browser.async_cancel()

    def _heard(self, zeroconf: Any, service_type: str, name: str, state_change: Any) -> None:
        """Something was said about a service."""
        self._heard_since += 1
        if self._heard_since == MAX_HEARD:
            self.refresh()
        if self._heard_since >= MAX_HEARD or self._zeroconf is None:
            return
        from zeroconf import ServiceStateChange
        from zeroconf.asyncio import AsyncServiceInfo

        if state_change is ServiceStateChange.Removed:
            self._neighbours.pop(name, None)
            return
        info = AsyncServiceInfo(service_type, name)
        if info.load_from_cache(zeroconf):
            self._take(name, info)
        elif name not in self._asking and len(self._asking) < MAX_QUESTIONS:
            task = asyncio.create_task(self._quietly(self._ask(zeroconf, name, info)))
            self._asking[name] = task
            task.add_done_callback(lambda _: self._asking.pop(name, None))

    async def _ask(self, zeroconf: Any, name: str, info: AsyncServiceInfo) -> None:
        if await info.async_request(zeroconf, QUESTION_TIME):
            self._take(name, info)

    def _take(self, name: str, info: AsyncServiceInfo) -> None:
        heard = neighbour(info.properties, info.parsed_addresses(), info.port, self._networks)
        before = self._neighbours.pop(name, None)
        if heard is None or heard.public_key == self._key or not self._lookups:
            return
        if len(self._neighbours) >= MAX_NEIGHBOURS:
            del self._neighbours[next(iter(self._neighbours))]
        self._neighbours[name] = heard
        if heard != before:
            for topic, found in list(self._lookups.values()):
                self._tell(heard, topic, found)

    def _tell(self, heard: Neighbour, topic: bytes, found: Found) -> None:
        if heard.has(topic):
            found(Candidate(heard.public_key, heard.addresses, rung=LAN))


def _info(service: Service) -> AsyncServiceInfo:
    from zeroconf.asyncio import AsyncServiceInfo

    return AsyncServiceInfo(
        SERVICE,
        service.name,
        port=service.port,
        properties=dict(service.properties),
        server=service.server,
        host_ttl=HOST_TTL,
        other_ttl=SERVICE_TTL,
        parsed_addresses=list(service.hosts),
    )
