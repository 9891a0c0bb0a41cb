"""Being there for others until it is time to stop."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING

from holdfast.cli.runtime import until_stopped
from holdfast.cli.ui import UI, amount
from holdfast.errors import HoldfastError, ListenError

if TYPE_CHECKING:
    from holdfast.hypercore.peer import Peer
    from holdfast.hyperdrive import Drive
    from holdfast.net import Connection
    from holdfast.node import Node
    from holdfast.store import Core

USUAL_PORT = 49737
"""Tried first; the port that Hypercore programs use for other things, so firewalls may know it."""
LOOK = 0.25
"""Seconds between two looks whether somebody has everything (``--once``)."""
_PORT = "cli/port"


async def listen_on(node: Node, address: str | None) -> list[str]:
    """Listen where told, else on every interface, on the port of last time if it is free.

    A link goes on working after a restart as long as the port stays the same.
    """
    if address is not None:
        return await node.listen(address)
    setting = node.store.storage.get_setting(_PORT)
    for port in [int(setting)] if setting else [USUAL_PORT]:
        try:
            return await node.listen(f"0.0.0.0:{port}")
        except ListenError:
            continue
    found = await node.listen("0.0.0.0:0")
    port = node.peers.listeners[-1].addresses[0].port
    node.store.storage.set_setting(_PORT, str(port).encode())
    return found


def watch_connections(ui: UI, node: Node) -> None:
    """Tell who comes and goes."""
    from holdfast.encoding import key_text

    def opened(connection: Connection) -> None:
        address, route = str(connection.remote_address or "?"), connection.route
        key = key_text(connection.remote_public_key)
        ui.event("connected", address=address, route=route, key=key)
        ui.note(f"{address} has connected ({route})")

        def gone(reason: HoldfastError) -> None:
            ui.event(
                "disconnected",
                address=address,
                sent=connection.bytes_sent,
                received=connection.bytes_received,
                reason=reason.message,
            )
            ui.note(f"{address} has gone; {amount(connection.bytes_sent)} sent")

        connection.on_close(gone)

    node.on_connection(opened)


def watch_announcing(ui: UI, node: Node, drive: Drive) -> None:
    """Say when the drive can be found, or why not."""
    online = node.online
    joined = online.announced(drive.discovery_key) if online is not None else None
    if online is None or joined is None or online.dht is None:
        return

    async def tell() -> None:
        done = await joined.flushed()
        why = "" if done else online.dht_status
        ui.event("announced", dht=done, reason=why)
        ui.note("It can be found in the DHT now." if done else f"Not in the DHT yet: {why}")

    task = asyncio.ensure_future(tell())
    _telling.add(task)
    task.add_done_callback(_telling.discard)


_telling: set[asyncio.Task[None]] = set()
"""The loop itself keeps no task alive."""


@contextlib.asynccontextmanager
async def taking_orders(ui: UI, node: Node) -> AsyncIterator[None]:
    """Let other processes of this user turn switches of this store, and ask how they stand."""
    from holdfast.cli.switch import show
    from holdfast.node.control import Control
    from holdfast.node.switches import orders_to

    directory = node.store.directory
    control = None
    if directory is not None:
        try:
            control = await Control.open(directory, orders_to(node, lambda found: show(ui, found)))
        except OSError as error:
            ui.note(f"`holdfast switch` cannot be used while this runs: {error}")
    try:
        yield
    finally:
        if control is not None:
            await control.close()


async def serve(
    drive: Drive, announce: Callable[[], Awaitable[None]], *, once: bool, seconds: float | None
) -> None:
    """Return on Ctrl-C or SIGTERM, after ``seconds``, or (``once``) when somebody has it all.

    ``announce`` is called once a signal means "stop serving", so that whoever reads what it prints
    may send one at once.
    """
    ends = [asyncio.ensure_future(until_stopped())]
    if seconds is not None:
        ends.append(asyncio.ensure_future(asyncio.sleep(seconds)))
    if once:
        ends.append(asyncio.ensure_future(_until_fetched(drive)))
    try:
        await asyncio.sleep(0)
        await announce()
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for end in ends:
            end.cancel()
        await asyncio.gather(*ends, return_exceptions=True)


async def _until_fetched(drive: Drive) -> None:
    """Some peer has all blocks of the drive's two logs and has then hung up."""
    from typing import cast

    contents = cast("Core", (await drive.blobs()).core)
    seen: dict[tuple[bytes, Core], Peer] = {}
    while True:
        for core in (drive.core, contents):
            for peer in core.peers:
                seen[peer.remote_public_key, core] = peer
        for key in {key for key, _ in seen}:
            pair = [seen.get((key, core)) for core in (drive.core, contents)]
            if all(peer is not None and peer.closed and _has_all(peer) for peer in pair):
                return
        with contextlib.suppress(TimeoutError):
            # Peers that come and go between two looks are noticed when they come.
            await asyncio.wait_for(contents.next_change(), LOOK)


def _has_all(peer: Peer) -> bool:
    return peer.claims.has_all(0, peer.log.local.length)
