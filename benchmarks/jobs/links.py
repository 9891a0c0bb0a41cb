"""How jobs connect: TCP on this machine, every open log replicated."""

from __future__ import annotations

from holdfast.crypto import key_pair
from holdfast.net import Peers
from holdfast.store import Store


async def listen(store: Store) -> int:
    """Takes connections for a store; returns the port."""
    listener = await Peers(key_pair(), store.attach).listen("127.0.0.1:0")
    return listener.addresses[0].port


async def dial(store: Store, port: int) -> None:
    """Connects a store to a listening one."""
    await Peers(key_pair(), store.attach).connect(f"127.0.0.1:{port}")
