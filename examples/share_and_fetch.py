"""Two nodes on one machine: one shares a private drive, the other reads the middle of a file."""

from __future__ import annotations

import asyncio
import os

import holdfast


async def main() -> None:
    """Share, fetch, compare."""
    film = os.urandom(8 << 20)
    async with holdfast.open(listen="127.0.0.1:0") as alice, holdfast.open() as bob:
        films = await alice.drive(name="films")
        await films.put("/film.mp4", film)
        await alice.share(films)

        theirs = await bob.drive(str(alice.link(films)))
        async with await theirs.open("/film.mp4") as file:
            await file.seek(5_000_000)
            assert await file.read(1000) == film[5_000_000:5_001_000]

        blobs = await theirs.blobs()
        here = sum(blobs.core.has(block) for block in range(blobs.core.length))
        print(f"read 1,000 bytes of {len(film):,}; {here} of {blobs.core.length} blocks came")


asyncio.run(main())
