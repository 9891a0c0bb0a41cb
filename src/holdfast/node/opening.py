"""``holdfast.open``: from a directory to a running node."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Any

from holdfast.net import Limits, Policy
from holdfast.node.network import Network
from holdfast.node.node import Node
from holdfast.storage import Durability
from holdfast.store import Store


class Opening:
    """A node that is about to be opened: ``async with`` it, or ``await`` it and close the node."""

    def __init__(
        self,
        directory: Path | None,
        passphrase: str | None,
        listen: list[str],
        policy: Policy | None,
        limits: Limits | None,
        durability: Durability,
        network: Network | None,
    ) -> None:
        self._directory, self._passphrase = directory, passphrase
        self._listen, self._policy, self._limits = listen, policy, limits
        self._durability, self._network = durability, network
        self._node: Node | None = None

    def __await__(self) -> Generator[Any, None, Node]:
        return self._open().__await__()

    async def __aenter__(self) -> Node:
        self._node = await self._open()
        return self._node

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._node is not None:
            await self._node.close()

    async def _open(self) -> Node:
        store = await Store.open(
            self._directory, passphrase=self._passphrase, durability=self._durability
        )
        node = Node(store, policy=self._policy, limits=self._limits)
        try:
            if self._network is not None:
                await node.go_online(self._network)
            for address in self._listen:
                await node.listen(address)
        except BaseException:
            await node.close()
            raise
        return node


def open(
    directory: str | PathLike[str] | None = None,
    *,
    passphrase: str | None = None,
    listen: str | Iterable[str] = (),
    policy: Policy | None = None,
    limits: Limits | None = None,
    durability: Durability = "power",
    network: Network | None = None,
) -> Opening:
    """A node over the store in ``directory`` (made when missing; None keeps everything in memory).

    ``listen`` are addresses ``HOST:PORT`` to take connections on. ``network`` says how others are
    found and find this node (None: only at addresses that are given); nothing is announced, offered
    or looked for before `Node.share` and `Node.drive`. With ``durability="power"`` what is
    acknowledged survives a power cut, with ``"process"`` the death of this process. Raises
    `StoreBusyError`, `StoreVersionError`, `PassphraseError`, `DamagedError`, `ListenError`.
    """
    addresses = [listen] if isinstance(listen, str) else list(listen)
    path = None if directory is None else Path(directory)
    return Opening(path, passphrase, addresses, policy, limits, durability, network)
