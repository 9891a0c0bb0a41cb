"""Nodes in memory, on free ports of this machine."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import holdfast
from holdfast import Node

LOOPBACK = "127.0.0.1:0"


@asynccontextmanager
async def sharing(files: dict[str, bytes], **options: bool) -> AsyncIterator[tuple[Node, str]]:
    """A node that shares one drive; its link."""
    async with holdfast.open(listen=LOOPBACK) as node:
        drive = await node.drive(name="things", **options)
        for path, content in files.items():
            await drive.put(path, content)
        await node.share(drive)
        yield node, str(node.link(drive))
