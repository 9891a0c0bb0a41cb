"""Where relays are: asked of the DHT, or of a relay that can ask it for us."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from holdfast.errors import UnavailableError
from holdfast.net.relay.wire import Place


class Directory(Protocol):
    """Answers where relays are. `DhtDirectory` and `RelayClient` are ones."""

    async def find(self, kind: int, key: bytes) -> list[Place]:
        """Places for a question (`ASK_RELAYS`, `ASK_PEER`, `ASK_TOPIC`); empty for none.

        Raises `UnavailableError`.
        """


async def find_first(directories: Sequence[Directory], kind: int, key: bytes) -> list[Place]:
    """The answer of the first directory that has one."""
    for directory in directories:
        try:
            places = await directory.find(kind, key)
        except UnavailableError:
            continue
        if places:
            return places
    return []
