"""One node writes, another is told which files change, as they change."""

from __future__ import annotations

import asyncio

import holdfast


async def main() -> None:
    """Write, and see what the other side is told. Changes in quick succession come as one."""
    async with holdfast.open(listen="127.0.0.1:0") as writer, holdfast.open() as reader:
        mine = await writer.drive(name="notes")
        await mine.put("/old.txt", b"old")
        await writer.share(mine)

        theirs = await reader.drive(str(writer.link(mine)))
        changes = theirs.watch("/")  # counts from here on
        async with mine.batch() as batch:
            await batch.put("/new.txt", b"new")
            await batch.put("/old.txt", b"changed")
        for _ in range(2):
            change = await asyncio.wait_for(anext(changes), 10)
            print(change.kind, change.path)

        await mine.delete("/new.txt")
        change = await asyncio.wait_for(anext(changes), 10)
        print(change.kind, change.path)


asyncio.run(main())
