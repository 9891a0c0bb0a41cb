"""What ``dial``, ``ping`` and ``echo`` have in common: a connection as nobody in particular."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from holdfast.cli.runtime import patiently
from holdfast.cli.ui import UI

if TYPE_CHECKING:
    from holdfast.net import Connection


@asynccontextmanager
async def reached(ui: UI, address: str, key: str | None = None) -> AsyncIterator[Connection]:
    """A connection to an address, closed at the end; raises as `holdfast.net.dial`."""
    from holdfast.crypto import key_pair
    from holdfast.encoding import parse_key
    from holdfast.net import dial

    expected = parse_key(key) if key is not None else None
    async with patiently(ui, f"an answer from {address}"):
        connection = await dial(address, key_pair(), expected_key=expected)
    try:
        yield connection
    finally:
        connection.close()
        await connection.wait_closed()
